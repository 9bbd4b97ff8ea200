"""Rows as the rules see them, and the few writes that every part of the store makes.

Only this package uses it.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert

from app.review import Basis, Choice, Decision, Review, State
from app.store.tables import history

log = logging.getLogger("qa-gate.review")

_OWN = {"state", "decision", "success_on"}
_PLAIN = [name for name in Review.__dataclass_fields__ if name not in _OWN]


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
    return Review(
        state=State(values["state"]),
        decision=decision_from(values["decision"]) if values["decision"] else None,
        success_on=tuple(values["success_on"]),
        **{name: values[name] for name in _PLAIN},
    )


def history_from(row: Row[Any]) -> HistoryRow:
    """Read one row of `history`."""
    return HistoryRow(**{name: row._mapping[name] for name in HistoryRow.__slots__})


def columns_from(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes to a `Review` as the columns hold them."""
    columns = dict(changes)
    if isinstance(columns.get("decision"), Decision):
        decision = asdict(columns["decision"])
        columns["decision"] = {**decision, "at": decision["at"].isoformat()}
    if "success_on" in columns:
        columns["success_on"] = list(columns["success_on"])
    return columns


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


def decision_from(data: dict[str, Any]) -> Decision:
    """Read a decision as its column holds it."""
    basis = data.get("basis") or {}
    lists = {name: tuple(basis.get(name, ())) for name in ("works", "unticked")}
    known = {
        "choice": Choice(data["choice"]),
        "at": datetime.fromisoformat(data["at"]),
        "basis": Basis(**lists, device=basis.get("device", "")),
    }
    return Decision(**{**data, **known})
