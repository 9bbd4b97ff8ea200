"""The look at a repository: what a lost webhook did not tell, brought in through the same door.

GitHub never sends a missed webhook again. A look asks for what changed since the last one, with GitHub's ETag, so
that where nothing changed it costs one call that counts for nothing. It decides nothing; it wakes rows.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from datetime import datetime, timedelta

from app.db.jobs import RELEASE, Claim, Rest, Timer
from app.domain.blocked import Why
from app.domain.events import POLLED
from app.domain.facts import Person
from app.github.answers import Refused
from app.github.pulls import Pull
from app.jobs.gate import OTHER_REPOSITORY, Gate

# A repository without any pull request tells no time of one: then the look began so long before GitHub's clock told.
MARGIN = timedelta(minutes=5)
ONE_PAGE = 100  # GitHub's largest

log = logging.getLogger("qa-gate.look")


def set_looks(gate: Gate) -> None:
    """Let every configured repository and its release be looked at now, and from then on regularly."""
    for repository in gate.policy.repositories:
        gate.store.timers.set(repository)
        gate.store.timers.set(f"{RELEASE} {repository}")
    wake_left_and_returned(gate)


def look_around(gate: Gate, claim: Claim, timer: Timer) -> Rest:
    """Look at one repository and wake what changed.

    The first look takes in every open pull request, and so does the first at which other branches are gated.
    """
    if not gate.policy.knows(timer.name):
        return Rest()
    began = gate.store.now()
    if gate.store.repositories.id_of(timer.name) is None:
        check_repository(gate, timer.name)
    branches = tuple(gate.policy.branches)
    is_first = timer.seen is None or timer.branches != branches
    try:
        listing = gate.github.pull_requests(
            gate.store.repositories.full_name(timer.name),
            state="open" if is_first else "all",
            etag=None if is_first else timer.etag,
            until=None if is_first else timer.seen,
            on_page=lambda: gate.store.queue.renew(claim),
        )
    except Refused as refusal:
        if refusal.kind == "renamed":
            check_repository(gate, timer.name)  # the next try goes by its new name
        raise
    found = [pull for pull in listing.pulls if _put(gate, claim, timer, pull)]
    # One that is closed while a first list of several pages is read can hide another: read again till nothing is new.
    is_complete = not is_first or len(listing.pulls) <= ONE_PAGE or not found
    if not listing.is_unchanged and is_complete:
        before = timer.seen or began + gate.github.ahead - MARGIN
        newest = max((pull.updated_at for pull in listing.pulls), default=before)
        # A list of what is open tells nothing of what was closed since, and its ETag is that of another list.
        seen, etag = (timer.seen or newest, None) if is_first else (newest, listing.etag)
        gate.store.timers.note(timer.id, seen, etag, branches)
    if found:
        gate.store.timers.set(f"{RELEASE} {timer.name}")
        log.info("%s: found %s", timer.name, ", ".join(f"#{pull.number}" for pull in found))
    return Rest(wait=gate.policy.look)


def check_repository(gate: Gate, name: str) -> int:
    """Ask GitHub which repository has a name of the settings, and what it is called today; return its id. Raises Refused.

    What is open in repositories that are none of ours is let go then, and what is in one that came back is read.
    """
    repositories = gate.store.repositories
    number, today = gate.github.identity(repositories.full_name(name))
    is_known = number == repositories.id_of(name) or repositories.pin(name, number)
    if not (is_known and repositories.pin(today, number)):
        raise Refused(OTHER_REPOSITORY.format(name), Why.GONE)
    wake_left_and_returned(gate)
    return number


def wake_left_and_returned(gate: Gate) -> None:
    """Wake what is to be let go, for its repository is in the settings no more, and what is back in them."""
    ids = gate.store.repositories.ids(gate.policy.repositories)
    gate.store.repositories.wake_strangers(ids, gate.policy.branches)


def _put(gate: Gate, claim: Claim, timer: Timer, pull: Pull) -> bool:
    requests = _requests(gate, claim, pull) if timer.seen is not None and pull.seen.open else ()
    event = pull.event(requests)
    # What was found before is the same delivery, while the same branches are gated.
    about = f"{gate.policy.branches} {event.model_dump_json()}"
    digest = hashlib.blake2b(about.encode(), digest_size=16).hexdigest()
    return gate.store.inbox.put(f"{POLLED} {digest}", event)


def _requests(gate: Gate, claim: Claim, pull: Pull) -> tuple[tuple[Person, datetime], ...]:
    """Return who asked for a review, where that would change something: a call more, for a webhook may be lost."""
    about = (pull.repository_id, pull.number)
    may_need = pull.may_need_voucher and gate.policy.gates(pull.seen.base)
    requests: tuple[tuple[Person, datetime], ...] = ()
    if gate.store.inbox.waits_for_a_request(*about, may_need_voucher=may_need):
        with suppress(Refused):  # a right is missing: all else that was listed still counts
            requests = gate.github.review_requests(pull.repository, pull.number)
        gate.store.queue.renew(claim)
    return requests
