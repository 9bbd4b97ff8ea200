"""One pull request, one loop: load what is known, let the rules say what is next, do it, until there is nothing to do.

The rules are in `review.action`; what each action does is one function of `ACTIONS`. Every outside call is followed by a
checkpoint, so that a run can be cut anywhere and made again: what was done is read from the row, or from GitHub, never
guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from app.db.jobs import Claim
from app.domain.action import LOOK_AGAIN, next_action
from app.domain.blocked import Why
from app.domain.facts import State
from app.domain.known import A_MOMENT, Action, Do
from app.github.answers import GitHubError, Limited, Refused
from app.jobs.asking import ask, compare, keep_release, read_release
from app.jobs.away import hand_over
from app.jobs.extras import read_extras
from app.jobs.gate import SOON, Gate, Rest, Work, failure
from app.jobs.known import load
from app.jobs.letting_go import let_go
from app.jobs.merging import (
    merge,
    note,
    read_base,
    read_carried,
    read_setting,
    say_again,
    update,
    void,
    void_rewritten,
)
from app.jobs.reading import read, read_checks, read_vouchers
from app.jobs.saying import say
from app.jobs.talking import hear

log = logging.getLogger("qa-gate.review")

# No chain of actions is nearly as long; one that is would be a bug, and goes on in another run.
MOST_ACTIONS = 60

ACTIONS: dict[Do, Callable[[Work, Action], None]] = {
    Do.READ: read,
    Do.LET_GO: let_go,
    Do.VOID: void,
    Do.VOID_REWRITTEN: void_rewritten,
    Do.HAND_OVER: hand_over,
    Do.READ_VOUCHERS: read_vouchers,
    Do.READ_CHECKS: read_checks,
    Do.READ_CHANGE: compare,
    Do.READ_EXTRAS: read_extras,
    Do.READ_RELEASE: read_release,
    Do.READ_BASE: read_base,
    Do.READ_SETTING: read_setting,
    Do.READ_CARRIED: read_carried,
    Do.READ_ANSWERS: hear,
    Do.ASK: ask,
    Do.MERGE: merge,
    Do.UPDATE: update,
    Do.SAY: say,
    Do.SAY_AGAIN: say_again,
    Do.NOTE: note,
    Do.KEEP_RELEASE: keep_release,
}


def advance(gate: Gate, claim: Claim) -> Rest:
    """Bring one review as far as it can go now. Raises GitHubError, Overtaken."""
    row = gate.store.reviews.get(claim.id)
    if row is None:
        return Rest()
    work = Work(gate, claim, row)
    try:
        return _run(work)
    finally:
        if work.unwritten:
            work.keep()


def _run(work: Work) -> Rest:
    begin(work)
    for _ in range(MOST_ACTIONS):
        with work.gate.store.reading():
            known = load(work)
        action = next_action(known)
        if action.do is Do.REST:
            return rest(work, action)
        perform(work, action)
    log.error("%s: %d actions in a row and no rest", work.row.name, MOST_ACTIONS)
    return Rest(wait=timedelta(minutes=1))


def begin(work: Work) -> None:
    """Find out whether something happened that only a read can tell."""
    row = work.row
    work.is_gated = work.gate.is_gated(row)
    if row.rev == row.seen_rev:
        since = unsure_since(work)
        work.is_news = since is not None and since >= A_MOMENT
        return
    if row.was_read and work.since().is_known:
        work.keep(seen_rev=row.rev)
    else:
        work.is_news = True


def unsure_since(work: Work) -> timedelta | None:
    """Return for how long GitHub has been finding out whether a change conflicts that somebody was asked about.

    None where it knows, or takes so long that nobody waits for it. No webhook tells when it knows.
    """
    row = work.row
    if row.state is not State.WAITING or row.facts.unsure_since is None:
        return None
    passed = work.gate.store.now() - row.facts.unsure_since
    return passed if passed < LOOK_AGAIN else None


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
    look_again = A_MOMENT if unsure_since(work) is not None else None
    waits = [wait for wait in (action.wait, work.wait, look_again) if wait is not None]
    return Rest(wait=min(waits, default=None))
