"""Rows as the rules see them, and the few writes that every part of the store makes.

Only this package uses it.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, cast, insert, select

from app.review import Review, State
from app.store.tables import history, jobs, reviews

log = logging.getLogger("qa-gate.review")

_FIELDS = tuple(name for name in Review.__dataclass_fields__ if name != "problem")


_JOB = (jobs.c.kind == "review", jobs.c.about == cast(reviews.c.id, String))
# Reviews with why the last run of their job failed, as the pages show it.
WITH_PROBLEM = select(reviews, select(jobs.c.problem).where(*_JOB).scalar_subquery().label("problem"))


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, as the history keeps it; `reviewer` is the id, where a reviewer did it."""

    what: str
    who: str
    detail: str = ""
    reviewer: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of the timeline."""

    at: datetime
    who: str
    what: str
    base: str
    head_sha: str
    round: int
    detail: str
    reviewer: str | None = None


def review_from(row: Row[Any]) -> Review:
    """Read one row of `reviews`."""
    values = row._mapping
    plain = {name: values[name] for name in _FIELDS}
    return Review(**{**plain, "state": State(values["state"]), "problem": values.get("problem")})


def history_from(row: Row[Any]) -> HistoryRow:
    """Read one row of `history`."""
    return HistoryRow(**{name: row._mapping[name] for name in HistoryRow.__slots__})


def new_nonce() -> str:
    """Return 24 random hex digits, which nobody guesses and which never come again."""
    return secrets.token_hex(12)


def note_history(connection: Connection, now: datetime, row: Review, happened: list[Happening]) -> None:
    """Append what happened to the row's history, in the transaction that made it so."""
    if happened:
        facts = {
            "review_id": row.id,
            "at": now,
            "base": row.base,
            "head_sha": row.head_sha,
            "round": row.round,
        }
        connection.execute(insert(history), [{**facts, **asdict(thing)} for thing in happened])


def log_happened(row: Review, happened: list[Happening]) -> None:
    """Write one log line for each thing that happened, once it is kept; what people wrote is not in it."""
    for thing in happened:
        log.info("%s#%d: %s, by %s (round %d)", row.repository, row.number, thing.what, thing.who, row.round)


def note_event(connection: Connection, now: datetime, happened: Happening) -> None:
    """Append to the history what is about no review in particular."""
    nothing = {"review_id": None, "base": "", "head_sha": "", "round": 0}
    connection.execute(insert(history).values(at=now, **nothing, **asdict(happened)))
