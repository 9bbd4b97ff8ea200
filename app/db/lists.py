"""What a list shows of each change, read for all of them at once: the questions without their files, and the history.

Called by `web`. It only reads, by one statement for each kind of thing, however long the list is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, ColumnElement, func, select, type_coerce
from sqlalchemy.sql.functions import coalesce

from app.db.database import Database
from app.db.rows import HistoryRow, history_from
from app.db.tables import history, reviews, rounds
from app.domain.record import Review


@dataclass(frozen=True, slots=True)
class Asked:
    """What one round asked about; `holds` counts the changes in a release, None for any other pull request.

    `names` are what those who committed call themselves, by login; whoever commits writes any name there.
    """

    round: int
    was_mailed: bool
    base: str
    head_sha: str
    author_is_bot: bool
    additions: int
    deletions: int
    changed_files: int
    names: dict[str, str]
    holds: int | None


class Lists:
    """Facts of many reviews, by the review's id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def asked(self, rows: Sequence[Review]) -> dict[int, list[Asked]]:
        """Return what was asked about each review, the first round first."""
        found: dict[int, list[Asked]] = defaultdict(list)
        with self._database.read() as connection:
            for line in connection.execute(_ASKED.where(rounds.c.review_id.in_([row.id for row in rows]))):
                found[line.review_id].append(_asked_from(line))
        return found

    def names(self, ids: Collection[int]) -> dict[str, str]:
        """Return what the developers of these reviews, given by id, are called, by login; nobody from outside, and no program."""
        asked = _NAMES.where(rounds.c.review_id.in_(ids)).order_by(rounds.c.review_id, rounds.c.round)
        with self._database.read() as connection:
            found = [
                line for line in connection.execute(asked) if not (line.author_is_bot or line.is_from_outside)
            ]
        return {login: name for line in found for login, name in _names(line.commits).items()}

    def history(self, rows: Sequence[Review]) -> dict[int, list[HistoryRow]]:
        """Return the timeline of each review, oldest first."""
        found: dict[int, list[HistoryRow]] = defaultdict(list)
        lines = select(history).where(history.c.review_id.in_([row.id for row in rows]))
        with self._database.read() as connection:
            for line in connection.execute(lines.order_by(history.c.id)):
                found[line.review_id].append(history_from(line))
        return found


def _length(list_: ColumnElement[Any]) -> ColumnElement[Any]:
    return coalesce(func.json_array_length(list_), 0)


_snapshot = type_coerce(rounds.c.snapshot, JSON)
_pull, _release = _snapshot["pull"], _snapshot["release"]
# The database takes the few facts out of the document: with its patches, it may be very long.
_ASKED = select(
    rounds.c.review_id,
    rounds.c.round,
    rounds.c.was_mailed,
    _pull["base"].as_string().label("base"),
    _pull["head_sha"].as_string().label("head_sha"),
    _pull["author_is_bot"].as_boolean().label("author_is_bot"),
    _pull["additions"].as_integer().label("additions"),
    _pull["deletions"].as_integer().label("deletions"),
    _pull["changed_files"].as_integer().label("changed_files"),
    _snapshot["change"]["commits"].as_json().label("commits"),
    _release["earlier"].as_integer().label("earlier"),
    (_length(_release["passed"]) + _length(_release["unseen"])).label("holds"),
).order_by(rounds.c.review_id, rounds.c.round)

_NAMES = select(
    _pull["author_is_bot"].as_boolean().label("author_is_bot"),
    reviews.c.is_from_outside,
    _snapshot["change"]["commits"].as_json().label("commits"),
).join_from(rounds, reviews, reviews.c.id == rounds.c.review_id)


def _asked_from(line: Any) -> Asked:
    holds = None if line.earlier is None else line.holds
    known: dict[str, Any] = {"names": _names(line.commits), "holds": holds}
    plain = {name: line._mapping[name] for name in Asked.__slots__ if name not in known}
    return Asked(**plain, **known)


def _names(commits: Any) -> dict[str, str]:
    """Return the name by login from a snapshot's commits, the newest commit's where they differ."""
    return {one["author"]: one["name"] for one in commits if one.get("name")}
