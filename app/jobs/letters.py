"""Which letters go out, and when: what is due, the list of each working day, and what people ask for.

What they say is in `mail_contents`. The list of a day may come late, but never on another day, and its key is the
reviewer and the day: there are never two, not even beside the list of day one.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from app.db.epoch import RESTORED
from app.db.jobs import Claim, Rest, Timer
from app.db.letters import LIST, MOST_UNKNOWN, Letter, NewLetter
from app.domain.calendar import day_begins, digest_on, next_digest, time_left
from app.domain.policy import Reviewer
from app.domain.problems import What
from app.jobs.away import who_is_away
from app.jobs.gate import Gate, failure
from app.jobs.mail_contents import WRITERS, Composed
from app.mail.send import MailUnanswered

log = logging.getLogger("qa-gate.mail")

# How long a letter of which nobody knows whether it went out waits before it is tried again.
UNKNOWN_WAIT = timedelta(minutes=1)


def send_letter(gate: Gate, claim: Claim) -> Rest:
    """Compose and send one letter, unless what it asks is overtaken or its reader is no reviewer any more."""
    letter = gate.store.letters.get(claim.id)
    reviewer = _reader(gate, letter) if letter else None
    if letter is None or letter.sent_at or reviewer is None:
        return Rest()
    early = time_left(letter.at, letter.at - letter.created_at, gate.store.now())
    if early:
        return Rest(wait=early)
    with gate.store.reading():
        written = WRITERS[letter.kind](gate, letter, reviewer)
    if written is None or isinstance(written, Rest):
        return written or Rest()
    composed = written if isinstance(written, Composed) else Composed(written)
    try:
        message_id = gate.mailer.send(composed.mail)
    except MailUnanswered as error:
        return _unanswered(gate, letter, error)
    gate.store.letters.note_sent(letter.id, composed.told, composed.listed)
    row = gate.store.reviews.get(letter.review_id) if letter.review_id else None
    about = f"{row.repository}#{row.number}: " if row else ""
    log.info("%smailed %s to %s, SES id %s", about, letter.kind, reviewer.name, message_id)
    return Rest()


def _reader(gate: Gate, letter: Letter) -> Reviewer | None:
    """Return whose letter it is, None where they are not named any more; a few kinds go to the operator, too."""
    if letter.problem_id:
        return gate.operator(letter.reviewer)
    reviewer = gate.policy.reviewer(letter.reviewer)
    return reviewer or (gate.operator(letter.reviewer) if letter.kind == RESTORED else None)


def _unanswered(gate: Gate, letter: Letter, error: MailUnanswered) -> Rest:
    """Try again, minutes apart where the letter may have gone out: three copies at most, then a list names it."""
    if not error.may_be_sent:
        raise error
    times = gate.store.letters.note_unknown(letter.id)
    if times < MOST_UNKNOWN:
        return replace(failure(error), wait=UNKNOWN_WAIT)
    log.error("%s: %s It was tried %d times, and goes into the next list.", letter.key, error.reason, times)
    gate.store.problems.note(What.UNKNOWN, letter.reviewer)
    return Rest()


# --- The list of a working day. Its timer runs at the worker's start too, so that a new DIGEST_AT counts from then on.


def send_digests(gate: Gate, _claim: Claim, timer: Timer) -> Rest:
    """Queue today's digests if they are due and were not made yet; rest until the next ones are."""
    now, at, timezone = gate.store.now(), gate.digest_at, gate.timezone
    today = now.astimezone(timezone).date()
    due = digest_on(today, at, timezone)
    # One that was made by a clock that was wrong does not count.
    last = timer.seen if timer.seen and timer.seen <= now else timer.created_at
    if due and last < due <= now:
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


# --- What people ask for: a sign-in link, and the current question once more. Each has its share an hour.


def request_sign_in(gate: Gate, address: str, back: str | None = None) -> None:
    """Queue a sign-in letter if the address is a reviewer's and had not its share; say nothing either way.

    `back` is the page of ours to which it leads.
    """
    reviewer = gate.policy.reviewer_at(address)
    key, reader = f"sign_in {secrets.token_hex(8)}", reviewer.id if reviewer else "nobody"
    _request(gate, NewLetter(key, "sign_in", reader, back=back), reviewer, "a sign-in link")


def request_fresh_link(gate: Gate, review_id: int, reviewer: Reviewer) -> None:
    """Queue the current question again for the reviewer's own address, if they had not their share."""
    row = gate.store.reviews.get(review_id)
    if row:
        letter = NewLetter(f"fresh {secrets.token_hex(8)}", "fresh", reviewer.id, row.id, row.round)
        _request(gate, letter, reviewer, "a fresh link")


def _request(gate: Gate, letter: NewLetter, reviewer: Reviewer | None, for_what: str) -> None:
    is_queued = gate.store.letters.request(letter, is_known=reviewer is not None)
    if reviewer is None:
        log.warning("Someone who isn't a reviewer asked for %s.", for_what)
    elif is_queued:
        log.info("%s asked for %s.", reviewer.name, for_what)
    else:
        log.warning("%s asked for %s: not sent, this hour's limit is reached.", reviewer.name, for_what)
