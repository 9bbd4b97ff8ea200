"""Where an old link leads now: straight to the question for who is signed in, else to the email that has it.

Called by `decide` for links that cannot decide any more. It only reads.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.domain.change import Commit
from app.domain.record import Review
from app.jobs.gate import Gate
from app.jobs.letters import new_commits
from app.web import frame
from app.web.cards import person
from app.web.pending import decide_url


def ways_on(gate: Gate, row: Review, round_: int, now: datetime) -> dict[str, Any]:
    """Return what a signpost about this link offers.

    `open_url` is where the reviewer who is signed in can go on, None where nobody is or nothing is to be seen;
    `author` is who wrote it, by name; `was_mailed` tells whether an email about the current round went out; `news` are the commits since the link's.
    """
    account = frame.signed_in(gate)
    asked = gate.store.lists.asked([row])[row.id]
    return {
        "open_url": decide_url(gate, row, account, now) if account else None,
        "author": person(row.author, row, asked),
        "was_mailed": any(one.was_mailed for one in asked if one.round == row.round),
        "news": _news(gate, row, round_),
    }


def _news(gate: Gate, row: Review, round_: int) -> tuple[Commit, ...]:
    reviews = gate.store.reviews
    then, asked = reviews.round(row.id, round_), reviews.round(row.id, row.round)
    return new_commits(then.snapshot, asked.snapshot) if then and asked and then.round < asked.round else ()
