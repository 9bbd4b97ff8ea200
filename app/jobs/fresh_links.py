"""Letters that people ask for: a sign-in link, and the current question once more. Each has its share an hour.

Pages call it. It says nothing to who asks of whether an address is a reviewer's.
"""

from __future__ import annotations

import logging
import secrets

from app.db.letters import NewLetter
from app.domain.policy import Reviewer
from app.jobs.gate import Gate

log = logging.getLogger("qa-gate.mail")


def request_sign_in(gate: Gate, address: str, back: str | None = None) -> None:
    """Queue a sign-in letter if the address is a reviewer's and had not its share; say nothing either way.

    `back` is the page of ours to which it leads.
    """
    reviewer = gate.policy.reviewer_at(address)
    letter = NewLetter(
        f"sign_in {secrets.token_hex(8)}", "sign_in", reviewer.id if reviewer else "nobody", back=back
    )
    is_queued = gate.store.letters.request(letter, is_known=reviewer is not None)
    _log_request("a sign-in link", reviewer, is_queued=is_queued)


def request_fresh_link(gate: Gate, review_id: int, reviewer: Reviewer) -> None:
    """Queue the current question again for the reviewer's own address, if they had not their share."""
    row = gate.store.reviews.get(review_id)
    if row:
        key = f"fresh {secrets.token_hex(8)}"
        is_queued = gate.store.letters.request(NewLetter(key, "fresh", reviewer.id, row.id, row.round))
        _log_request("a fresh link", reviewer, is_queued=is_queued)


def _log_request(for_what: str, reviewer: Reviewer | None, *, is_queued: bool) -> None:
    if reviewer is None:
        log.warning("Someone who isn't a reviewer asked for %s.", for_what)
    elif is_queued:
        log.info("%s asked for %s.", reviewer.name, for_what)
    else:
        log.warning("%s asked for %s: not sent, this hour's limit is reached.", reviewer.name, for_what)
