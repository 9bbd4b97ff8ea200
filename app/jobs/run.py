"""One pull request, one loop: load what is known, let the rules say what is next, do it, until there is nothing to do.

The rules are in `domain.action`; what each action does is one function of `ACTIONS`. Every outside call is followed by a
checkpoint, so that a run can be cut anywhere and made again: what was done is read from the row, or from GitHub, never
guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app.db.jobs import Claim, Rest
from app.db.rows import Happening
from app.domain.action import BEFORE_A_QUESTION, CHECKS_BEGIN, LOOK_AGAIN, next_action
from app.domain.blocked import Why
from app.domain.calendar import time_left
from app.domain.cautions import CONFLICT
from app.domain.facts import State
from app.domain.known import A_MOMENT, Action, Do, Known
from app.domain.review import Happened, Review
from app.domain.rules import Event, ask_at, next_move
from app.domain.statuses import speaker
from app.github.answers import GitHubError, Limited, Refused
from app.jobs import ask, away, merge, posts, questions, read
from app.jobs.gate import SOON, Gate, Work, failure
from app.jobs.release import look_again_after, merge_is_out

# --- What is known before each action: what this run noted, and afresh the row, the settings and the calendar.


def load_known(work: Work) -> Known:
    """Return all that the next action depends on."""
    row = work.row
    if not work.known.is_gated:
        return replace(work.known, state=row.state)
    more, twins = _MORE.get(row.state), posts.twins_of(work)
    return replace(
        work.known,
        state=row.state,
        owed=posts.owed(work, twins),
        blocked=row.blocked,
        is_release=work.gate.policy.is_release(row),
        checks=_checks(work),
        check_names=work.checks.names if work.checks else (),
        is_stopped=work.failure is not None,
        soon=look_again_after(work.gate),
        are_extras_due=ask.are_extras_due(work),
        **(more(work, row, twins) if more else {}),
    )


def _to_ask(work: Work, row: Review, twins: Sequence[Review]) -> dict[str, Any]:
    policy, now = work.gate.policy, work.gate.store.now()
    wait = ask.checks_wait(row, now) if work.checks is None else None
    waits_for_checks = row.blocked is not None and row.blocked.why in BEFORE_A_QUESTION.values()
    first = speaker(row, [twin for twin in twins if twin.open])
    return {
        "quiet": time_left(ask_at(row, policy), policy.quiet, now),
        "twin": f"#{first.number}" if first is not row else None,
        "outside": _outside(work, row),
        "waits_for_checks": policy.wait_for_checks,
        "just_checked": (row.blocked, wait) if wait and waits_for_checks else None,
        "is_conflicting": row.facts.conflicts is True and not policy.ask_despite_conflict,
        "is_merge_out": policy.is_release(row) and merge_is_out(ask.development_of(work)),
        "is_compared": work.change is not None,
        **_absence(work.gate, away.who_is_away(work.gate)),
    }


def _waiting(work: Work, row: Review, _twins: Sequence[Review]) -> dict[str, Any]:
    gone = away.who_is_away(work.gate)
    is_open = any(post.remote_id for post in row.open_questions)
    return {
        "is_held_by_reviewer": not away.lacks_reviewer(work.gate, row, gone),
        "has_answers": is_open and not work.is_heard,
        **_absence(work.gate, gone),
    }


def _to_merge(work: Work, row: Review, twins: Sequence[Review]) -> dict[str, Any]:
    policy, facts, decision = work.gate.policy, work.facts, row.decision
    return {
        "is_giver_there": decision is not None and policy.reviewer(decision.reviewer) is not None,
        "keeps_branch": work.known.keeps_branch if policy.gates_head(row) else True,
        "head": row.head,
        "is_conflicting": facts is not None and facts.mergeable_state == CONFLICT,
        "is_carried": decision is not None and decision.head_sha != row.head_sha,
        "twin": next((f"#{one.number}" for one in twins if one.state is State.REJECTED), None),
    }


def _merged(work: Work, row: Review, _twins: Sequence[Review]) -> dict[str, Any]:
    is_release = work.gate.policy.is_release(row)
    is_kept = (
        not is_release or work.known.is_noted or work.gate.store.reviews.round(row.id, row.round) is not None
    )
    return {"is_kept": is_kept, "is_merge_out": not is_kept and merge_is_out(ask.development_of(work))}


def _outside(work: Work, row: Review) -> Why | None:
    if row.vouched or not (row.is_from_outside or work.unanswered):
        return None
    return Why.OUTSIDE_UNKNOWN if work.unanswered else Why.OUTSIDE


def _checks(work: Work) -> str | None:
    checks = work.checks
    if checks is None or checks.state != "none":
        return checks.state if checks else None
    early = time_left(work.row.changed_at + CHECKS_BEGIN, CHECKS_BEGIN, work.gate.store.now())
    return "young" if early else "none"


def _absence(gate: Gate, gone: dict[str, datetime]) -> dict[str, Any]:
    """Return for how long nobody can be asked, and the day when somebody is back."""
    if any(person.id not in gone for person in gate.policy.reviewers):
        return {}
    return {"away": min(gone.values()) - gate.store.now(), "back": away.first_back(gate, gone)}


_MORE = {State.TO_ASK: _to_ask, State.WAITING: _waiting, State.TO_MERGE: _to_merge, State.MERGED: _merged}


# --- The end of a review whose repository was taken out of the settings.


def let_go(work: Work, _action: Action) -> None:
    """End it: nobody decides it, and nothing is merged.

    A status that stands is taken back where GitHub still lets the gate do that, and else forgotten.
    """
    work.known.is_noted = True
    if work.row.state is State.MERGING:
        read.read_facts(work)
    move = next_move(work.row.state, Event.CLOSED)
    if move:
        work.keep(move=move, happened=[Happening(Happened.LET_GO, "qa-gate")])
    owed = posts.statuses_owed(work, posts.twins_of(work))
    if not owed:
        return
    try:
        work.keep(repository=work.read().repository)
        for status in owed:
            posts.say_status(work, status)
    except Refused:
        gone = [replace(post, is_success=False) for post in work.row.posts.values() if post.is_success]
        work.keep(posts=gone)


# --- The loop.


log = logging.getLogger("qa-gate.review")

# No chain of actions is nearly as long; one that is would be a bug, and goes on in another run.
MOST_ACTIONS = 60

ACTIONS: dict[Do, Callable[[Work, Action], None]] = {
    Do.READ: read.read,
    Do.LET_GO: let_go,
    Do.VOID: merge.void,
    Do.VOID_REWRITTEN: merge.void_rewritten,
    Do.HAND_OVER: away.hand_over,
    Do.READ_VOUCHERS: read.read_vouchers,
    Do.READ_CHECKS: read.read_checks,
    Do.READ_CHANGE: ask.compare,
    Do.READ_EXTRAS: ask.read_extras,
    Do.READ_RELEASE: ask.read_release,
    Do.READ_BASE: merge.read_base,
    Do.READ_SETTING: merge.read_setting,
    Do.READ_ANSWERS: questions.hear,
    Do.ASK: ask.ask,
    Do.MERGE: merge.merge,
    Do.UPDATE: merge.update,
    Do.SAY: posts.say,
    Do.SAY_AGAIN: merge.say_again,
    Do.NOTE: merge.note,
}


def advance(gate: Gate, claim: Claim) -> Rest:
    """Bring one review as far as it can go now. Raises GitHubError, Overtaken."""
    row = gate.store.reviews.get(claim.id)
    if row is None:
        return Rest()
    work = Work(gate, claim, row)
    begin(work)
    for _ in range(MOST_ACTIONS):
        with gate.store.reading():
            known = load_known(work)
        action = next_action(known)
        if action.do is Do.REST:
            return rest(work, action)
        perform(work, action)
    log.error("%s: %d actions in a row and no rest", row.name, MOST_ACTIONS)
    return Rest(wait=timedelta(minutes=1))


def begin(work: Work) -> None:
    """Find out whether something happened that only a read can tell."""
    row = work.row
    work.known.is_gated = work.gate.is_gated(row)
    if row.rev == row.seen_rev:
        work.known.is_news = is_unsure(work)
    elif row.was_read and work.since().is_known:
        work.keep(seen_rev=row.rev)
    else:
        work.known.is_news = True


def is_unsure(work: Work) -> bool:
    """Tell whether GitHub is still finding out whether a change conflicts that somebody was asked about.

    No webhook tells when it knows; what takes long is not waited for.
    """
    since = work.row.facts.unsure_since if work.row.state is State.WAITING else None
    return since is not None and time_left(since + LOOK_AGAIN, LOOK_AGAIN, work.gate.store.now()) is not None


def perform(work: Work, action: Action) -> None:
    """Do one thing. What GitHub refuses, or cannot give, stops nothing else but a merge; what it leaves unanswered is tried anew."""
    try:
        ACTIONS[action.do](work, action)
    except Limited:
        raise
    except GitHubError as error:
        if action.do in (Do.READ, Do.MERGE) or (action.owed and not isinstance(error, Refused)):
            raise
        if action.owed:
            work.refused.add(action.owed.key)
        if action.owed and action.owed.kind != "status":
            work.wait = SOON  # a courtesy: nothing waits for it
        else:
            work.failure = error


def rest(work: Work, action: Action) -> Rest:
    """Return how the run ends: with what failed in it, else with when to look again."""
    needs_answer = work.is_heard or (action.blocked and action.blocked.why is Why.OUTSIDE_UNKNOWN)
    failed = work.failure or (work.unanswered if needs_answer else None)
    if failed:
        return failure(failed)
    look_again = A_MOMENT if is_unsure(work) else None
    waits = [wait for wait in (action.wait, work.wait, look_again) if wait is not None]
    return Rest(wait=min(waits, default=None))
