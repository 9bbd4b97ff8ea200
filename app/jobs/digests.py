"""The daily digest: on working days at DIGEST_AT, what waits for each reviewer, in one letter.

A timer makes the letters. It may come late, but never on another day, and the letter's key is the reviewer and the
day: there are never two, not even beside the list of day one. It runs at the worker's start too, so that a new
DIGEST_AT counts from then on.
"""

from __future__ import annotations

from datetime import datetime

from app.db.jobs import Claim, Timer
from app.db.letters import LIST, NewLetter
from app.domain.calendar import day_begins, digest_on, next_digest
from app.jobs.away import who_is_away
from app.jobs.gate import Gate, Rest

DIGEST = "digest"


def set_digest(gate: Gate) -> None:
    """Let the timer of the digest find out now when it is due."""
    gate.store.timers.set(DIGEST)


def send_digests(gate: Gate, _claim: Claim, timer: Timer) -> Rest:
    """Queue today's digests if they are due and were not made yet; rest until the next ones are."""
    now, at, timezone = gate.store.now(), gate.digest_at, gate.timezone
    today = now.astimezone(timezone).date()
    due = digest_on(today, at, timezone)
    if due and (timer.seen or timer.created_at) < due <= now:
        away = who_is_away(gate)
        ids = [person.id for person in gate.policy.reviewers if person.id not in away]
        midnight = day_begins(today, timezone)
        waited_for = [reviewer for reviewer in ids if _is_news(gate, reviewer, midnight)]
        lists = [NewLetter(f"list {id_} {today}", LIST, id_, day=today) for id_ in waited_for]
        gate.store.letters.queue(lists)
        gate.store.timers.note(timer.id, due, None)
    return Rest(wait=next_digest(now, at, timezone) - now)


def _is_news(gate: Gate, reviewer: str, midnight: datetime) -> bool:
    """Tell whether something waits that was not mailed today anyway, where a list was among today's mails."""
    was_listed = gate.store.letters.has_list(reviewer, midnight)
    waiting = gate.store.reviews.waiting_for(reviewer)
    return any(not was_listed or row.asked_at is None or row.asked_at < midnight for row in waiting)
