"""What is done next for one pull request: one pure function of all that is known. Read `next_action` first.

`Known` is what the row, the settings, the calendar and this run's reads of GitHub say. `jobs.run` loads it, performs the
action, and asks again, until there is nothing to do but rest. docs/decisions.md is made from this function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from app.domain.blocked import Blocked, Why
from app.domain.facts import State
from app.domain.known import A_MOMENT, Action, Base, Do, Known, Owed, Read

# Should no webhook say that it is over, a change that nobody is asked about yet is looked at again after this time.
LOOK_AGAIN = timedelta(minutes=10)
# So often in a row the gate asks for that.
MOST_UPDATES = 3
# A version of which no check was seen after this time has none; until then it is looked at again.
CHECKS_BEGIN = timedelta(minutes=2)
WRITES = frozenset({Do.SAY, Do.UPDATE})
# What the checks of a change say, and what that keeps from going on.
BEFORE_A_QUESTION = {"red": Why.CHECKS_TO_PASS, "pending": Why.CHECKS_TO_END, "young": Why.CHECKS_TO_BEGIN}
_BEFORE_A_MERGE = {"red": Why.CHECKS_RED, "pending": Why.CHECKS_RUNNING}


def next_action(known: Known) -> Action:
    """Return what is done next. Before any rest, what is in the way is noted and GitHub is told what it is owed."""
    action = next_duty(known)
    if action.do is Do.REST:
        if _is_worth_noting(known, action.blocked):
            return Action(Do.NOTE, blocked=action.blocked)
        if known.owed:
            action = Action(Do.SAY, owed=known.owed[0])
        elif action.blocked and action.wait is None:
            counted = known.blocked if known.state is State.TO_MERGE else None
            action = replace(action, wait=counted.wait if counted else LOOK_AGAIN)
    if action.do in WRITES and known.read is Read.NOT:
        return Action(Do.READ)
    return action


def _is_worth_noting(known: Known, blocked: Blocked | None) -> bool:
    """Tell whether what is in the way is to be noted: once a run, a change of it, or that it is in the way of a merge once more."""
    if known.is_noted or known.is_stopped or known.state not in (State.TO_ASK, State.TO_MERGE):
        return False
    if blocked is None:
        return known.blocked is not None and known.state is State.TO_ASK
    return known.state is State.TO_MERGE or not blocked.is_like(known.blocked)


def next_duty(known: Known) -> Action:
    """Return what is done for the people: first what only GitHub can tell, then the lock, then the state's own duty."""
    if known.is_gated is False:
        return Action(Do.REST if known.is_noted else Do.LET_GO)
    if known.read is Read.NOT and (known.is_news or known.is_gated is None or known.state is State.MERGING):
        return Action(Do.READ)
    if known.is_gated is None:
        return Action(Do.REST)
    if known.state is State.TO_MERGE and not known.is_giver_there:
        return Action(Do.VOID)
    lock = next((owed for owed in known.owed if owed.is_lock), None)
    if lock:
        return Action(Do.SAY, owed=lock)
    duty = _DUTIES.get(known.state)
    return duty(known) if duty and not known.is_stopped else Action(Do.REST)


def _to_ask(known: Known) -> Action:
    if known.quiet:
        return Action(Do.REST, wait=known.quiet)
    if known.just_checked:
        blocked, wait = known.just_checked
        return Action(Do.REST, blocked=blocked, wait=wait)
    if known.is_release and known.is_merge_out:
        return Action(Do.REST, wait=known.soon)
    if known.read is Read.NOT:
        return Action(Do.READ)
    if known.outside and not known.are_vouchers_read:
        return Action(Do.READ_VOUCHERS)
    if known.twin:
        return _blocked(Why.SAME_COMMITS, known.twin)
    if known.outside:
        return _blocked(known.outside)
    if known.is_conflicting:
        return _blocked(Why.CONFLICT)
    if known.waits_for_checks and known.checks not in ("green", "none"):
        return _checks(known, BEFORE_A_QUESTION)
    if known.away:
        return _blocked(Why.AWAY, known.back, wait=known.away)
    if known.is_release and known.has_release is None:
        return Action(Do.READ_RELEASE)
    if known.is_release and not known.has_release:
        return Action(Do.REST, wait=known.soon)
    if not known.is_release and not known.is_compared:
        return Action(Do.READ_CHANGE)
    return Action(Do.ASK) if known.has_extras else Action(Do.READ_EXTRAS)


def _waiting(known: Known) -> Action:
    if not known.is_held_by_reviewer and not known.away:
        return Action(Do.HAND_OVER)
    if known.are_extras_due:
        return Action(Do.READ_EXTRAS)
    # A question is told before its answers are looked for.
    if known.has_answers and not any(owed.kind == "question" for owed in known.owed):
        return Action(Do.READ_ANSWERS)
    return Action(Do.REST, wait=known.away if not known.is_held_by_reviewer else None)


def _rejected(known: Known) -> Action:
    return Action(Do.READ_EXTRAS) if known.are_extras_due else Action(Do.REST)


def _to_merge(known: Known) -> Action:
    if known.status_refused:
        return Action(Do.REST, blocked=known.status_refused)
    review = next((owed for owed in known.owed if owed.kind == "decision"), None)
    if review:
        return Action(Do.SAY, owed=review)
    if known.merge_refused:
        return _refused(known, known.merge_refused)
    if known.twin:
        return _blocked(Why.REJECTED_TWIN, known.twin)
    if known.read is not Read.NOW:
        return Action(Do.READ)
    if known.is_conflicting:
        return _blocked(Why.CONFLICT)
    if known.keeps_branch is None:
        return Action(Do.READ_SETTING)
    if not known.keeps_branch:
        return _blocked(Why.BRANCH_LOST, known.head)
    match known.base:
        case Base.UNREAD:
            return Action(Do.READ_BASE)
        case Base.UNKNOWN:
            return _blocked(Why.UNCOMPARED)
        case Base.REWRITTEN:
            return Action(Do.VOID_REWRITTEN)
        case _:
            return Action(Do.MERGE)


def _refused(known: Known, told: Blocked) -> Action:
    """Return what follows GitHub's refusal of a merge, after GitHub was read and it is open still."""
    match told.why:
        case Why.BEHIND:
            return _behind(known)
        case Why.CHECKS_RED | Why.CHECKS_RUNNING | Why.CHECK_MISSING if not told.names:
            return _checks(known, _BEFORE_A_MERGE)
        case Why.STATUS_UNSEEN:
            return _said_again(known, told, "status")
        case Why.REVIEW_REQUIRED if known.is_carried:
            # GitHub may have dismissed what was said of the head before.
            return _said_again(known, told, "decision")
        case _:
            return Action(Do.REST, blocked=told)


def _behind(known: Known) -> Action:
    """Bring the branch up to date where the approval can be carried over then, and not for ever."""
    if known.is_updated:
        return Action(Do.REST, blocked=Blocked(Why.UPDATING), wait=A_MOMENT)
    before = known.blocked
    is_tried = before and before.why is Why.UPDATING and before.tries >= MOST_UPDATES
    if is_tried or not known.may_update or (before and before.why is Why.BEHIND):
        return _blocked(Why.BEHIND)
    return Action(Do.UPDATE)


def _checks(known: Known, reasons: dict[str, Why]) -> Action:
    """Read the checks, or say what they say."""
    if known.checks is None:
        return Action(Do.READ_CHECKS)
    why = reasons.get(known.checks, Why.CHECK_MISSING)
    return _blocked(why, *known.check_names, wait=CHECKS_BEGIN if why is Why.CHECKS_TO_BEGIN else None)


def _said_again(known: Known, told: Blocked, kind: str) -> Action:
    """Ask once more before it is believed: GitHub may have lost what it was told, or not seen it yet."""
    if known.is_noted or (known.blocked is not None and known.blocked.why is told.why):
        return Action(Do.REST, blocked=told)
    return Action(Do.SAY_AGAIN, owed=Owed(kind, ""), blocked=told)


def _merged(known: Known) -> Action:
    if known.is_kept:
        return Action(Do.REST)
    is_early = known.is_merge_out or known.has_release is False
    return Action(Do.REST, wait=known.soon) if is_early else Action(Do.READ_RELEASE)


def _blocked(why: Why, *names: str, wait: timedelta | None = None) -> Action:
    return Action(Do.REST, blocked=Blocked(why, names), wait=wait)


_DUTIES: dict[State, Callable[[Known], Action]] = {
    State.TO_ASK: _to_ask,
    State.WAITING: _waiting,
    State.REJECTED: _rejected,
    State.TO_MERGE: _to_merge,
    State.MERGED: _merged,
}
