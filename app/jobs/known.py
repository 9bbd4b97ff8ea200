"""What is known of one pull request, loaded afresh before each action: the row, the settings, the calendar, this run's reads.

`review.action` decides by it. Only what the state can depend on is looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from app.domain.blocked import Why
from app.domain.cautions import CONFLICT
from app.domain.facts import State
from app.domain.known import Known, Outside
from app.domain.record import Review
from app.domain.rules import ask_at
from app.domain.wanted import context_of
from app.jobs.accounting import again, merge_is_out
from app.jobs.asking import place_of
from app.jobs.away import first_back, first_there, lacks_reviewer, who_is_away
from app.jobs.extras import are_extras_due, checks_wait
from app.jobs.gate import Gate, Work
from app.jobs.saying import owed, twins_of

# A commit without any check after this time has none.
NO_CHECKS_AFTER = timedelta(minutes=2)
_CHECKS_FIRST = (Why.CHECKS_TO_BEGIN, Why.CHECKS_TO_END, Why.CHECKS_TO_PASS)


def load(work: Work) -> Known:
    """Return all that the next action depends on."""
    row = work.row
    if not work.is_gated:
        return Known(row.state, is_gated=work.is_gated, read=work.when_read, is_noted=work.is_noted)
    more, twins = _MORE.get(row.state), twins_of(work)
    return Known(
        state=row.state,
        is_news=work.is_news,
        read=work.when_read,
        owed=owed(work, twins),
        blocked=row.blocked,
        is_noted=work.is_noted,
        is_release=work.gate.policy.is_release(row),
        checks=_checks(work),
        check_names=work.checks.names if work.checks else (),
        is_stopped=work.failure is not None,
        soon=again(work.gate),
        are_extras_due=are_extras_due(work),
        **(more(work, row, twins) if more else {}),
    )


def _to_ask(work: Work, row: Review, twins: Sequence[Review]) -> dict[str, Any]:
    policy, now = work.gate.policy, work.gate.store.now()
    quiet = ask_at(row, policy) - now
    twin = next((one for one in twins if one.open), None)
    is_release = policy.is_release(row)
    wait = checks_wait(row, now) if work.checks is None else None
    return {
        "quiet": quiet if quiet > timedelta(0) else None,
        "twin": f"#{twin.number}" if twin else None,
        "outside": _outside(work, row),
        "waits_for_checks": policy.wait_for_checks,
        "just_checked": (row.blocked, wait) if wait and _waits_for_checks(row) else None,
        "is_conflicting": row.facts.conflicts is True and not policy.ask_despite_conflict,
        "is_merge_out": is_release and merge_is_out(place_of(work)),
        "is_compared": None if work.change is None else work.change.is_known,
        "has_extras": work.extras is not None,
        "has_release": _has_release(work),
        **_absence(work.gate, who_is_away(work.gate)),
    }


def _waiting(work: Work, row: Review, _twins: Sequence[Review]) -> dict[str, Any]:
    away = who_is_away(work.gate)
    is_open = any(post.remote_id and row.is_open_question(post) for post in row.questions)
    return {
        "is_held_by_reviewer": not lacks_reviewer(work.gate, row, away),
        "has_answers": is_open and not work.is_heard,
        **_absence(work.gate, away),
    }


def _to_merge(work: Work, row: Review, twins: Sequence[Review]) -> dict[str, Any]:
    policy, facts = work.gate.policy, work.facts
    is_gated_head = facts is not None and not facts.is_from_fork and policy.gates(facts.head)
    return {
        "is_giver_there": row.decision is not None and policy.reviewer(row.decision.reviewer) is not None,
        "keeps_branch": work.keeps_branch if is_gated_head else True,
        "back": row.head,
        "base": work.base,
        "is_conflicting": facts is not None and facts.mergeable_state == CONFLICT,
        "told": work.told,
        "own_status": context_of(row.base),
        "is_carried": row.decision is not None and row.decision.head_sha != row.head_sha,
        "rejected_twin": next((f"#{one.number}" for one in twins if one.state is State.REJECTED), None),
        "may_update": work.may_update,
        "is_updated": work.is_updated,
        "status_refused": work.status_refused,
    }


def _merged(work: Work, row: Review, _twins: Sequence[Review]) -> dict[str, Any]:
    is_release = work.gate.policy.is_release(row)
    is_kept = not is_release or work.is_noted or work.gate.store.reviews.round(row.id, row.round) is not None
    return {
        "is_kept": is_kept,
        "is_merge_out": not is_kept and merge_is_out(place_of(work)),
        "has_release": _has_release(work),
    }


def _waits_for_checks(row: Review) -> bool:
    return row.blocked is not None and row.blocked.why in _CHECKS_FIRST


def _outside(work: Work, row: Review) -> Outside:
    if row.vouched or not (row.is_from_outside or work.unanswered):
        return Outside.NO
    if not work.vouchers_read:
        return Outside.UNREAD
    return Outside.UNKNOWN if work.unanswered else Outside.YES


def _checks(work: Work) -> str | None:
    checks = work.checks
    if checks is None or checks.state != "none":
        return checks.state if checks else None
    early = work.row.changed_at + NO_CHECKS_AFTER > work.gate.store.now()
    return "young" if early else "none"


def _has_release(work: Work) -> bool | None:
    return True if work.held else False if work.is_held_early else None


def _absence(gate: Gate, away: dict[str, datetime]) -> dict[str, Any]:
    """Return for how long nobody can be asked, and the day when somebody is back."""
    if first_there(gate, away) is not None:
        return {}
    return {"away": min(away.values()) - gate.store.now(), "back": first_back(gate, away)}


_MORE = {State.TO_ASK: _to_ask, State.WAITING: _waiting, State.TO_MERGE: _to_merge, State.MERGED: _merged}
