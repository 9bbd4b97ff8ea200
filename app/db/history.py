"""The history of everything, to be searched: what happened, with the review that it happened to.

Called by `web`. It only reads, by one statement for a page whatever the size of the history: pages follow each
other by id, which nothing that is appended meanwhile can shift. What a list shows of each change is read for all at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Row, Select, Text, and_, bindparam, cast, func, or_, select, type_coerce
from sqlalchemy.sql.functions import coalesce

from app.db.database import Database, StorePart, row_as
from app.db.reviews import DECISIONS
from app.db.rows import HistoryRow
from app.db.tables import history, reviews, rounds
from app.domain.calendar import DecidedRound
from app.domain.review import Review

PAGE = 50
# So many rows of an export are read at once: no transaction stays open while somebody's browser is slow.
EXPORT_BATCH = 1_000
# Ids do not commit in order: so many below the newest that is known are read again.
OVERLAP = 100


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; empty means everything. Letters match whatever their case.

    `text` is looked for in title, words, the developer's branch and "owner/repo #12", `person` in who did it and whose change it is;
    from `since` on and before `until`. `before` and `after` are ids of entries: only older, or only newer ones.
    """

    text: str = ""
    person: str = ""
    repository: str = ""
    base: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history; all that is about the review is as it is now, and "" where there is none."""

    id: int
    line: HistoryRow
    review: int | None
    repository: str
    number: int
    title: str
    author: str
    head: str

    @property
    def at(self) -> datetime:
        """Return when it happened."""
        return self.line.at


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first; `newer` and `older` are what `after` and `before` of the next page are."""

    entries: list[Entry]
    newer: int | None
    older: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What one round asked about; `holds` counts the changes in a release, None for any other pull request.

    `names` are those of `Snapshot.names`.
    """

    round: int
    asked_at: datetime
    was_mailed: bool
    base: str
    head_sha: str
    additions: int
    deletions: int
    changed_files: int
    names: dict[str, str]
    holds: int | None


class History(StorePart):
    """The history of all reviews."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._decisions: dict[int, DecidedRound] = {}

    def page(self, search: Search) -> Page:
        """Return a page of what was found."""
        is_back = search.after is not None
        found = self._find(search, PAGE + 1)
        has_more, found = len(found) > PAGE, found[:PAGE]
        if is_back:
            found.reverse()
        if not found:
            return Page([], None, None)
        # Where we came from there is more; in the other direction the one entry too many tells.
        has_newer = has_more if is_back else search.before is not None
        has_older = is_back or has_more
        return Page(found, found[0].id if has_newer else None, found[-1].id if has_older else None)

    def all(self, search: Search) -> Iterator[Entry]:
        """Give everything that was found, newest first, read batch by batch."""
        while batch := self._find(search, EXPORT_BATCH):
            yield from batch
            search = replace(search, before=batch[-1].id)

    def decisions_since(self, moment: datetime) -> list[DecidedRound]:
        """Return every decision since then, oldest first, with when its round was asked about.

        What was read is kept, for nothing of it ever changes, and the moment only moves on.
        """
        known = self._decisions
        new = history.c.id > max(known) - OVERLAP if known else history.c.at >= moment
        read = {row.id: DecidedRound(*tuple(row)[1:]) for row in self._database.all(_DECISIONS.where(new))}
        self._decisions = {id_: one for id_, one in sorted({**known, **read}.items()) if one.at >= moment}
        return list(self._decisions.values())

    def asked(self, rows: Sequence[Review]) -> dict[int, list[Asked]]:
        """Return what was asked about each review, the first round first."""
        found: dict[int, list[Asked]] = defaultdict(list)
        for line in self._database.all(_QUESTIONS, {"reviews": [row.id for row in rows]}):
            holds = None if line.earlier is None else line.holds
            found[line.review_id].append(row_as(Asked, line, names=_names(line), holds=holds))
        return found

    def names(self, ids: Collection[int]) -> dict[str, str]:
        """Return what the developers of these reviews, given by id, are called, by login, as `Snapshot.names` does."""
        found = self._database.all(_OF_THESE, {"reviews": list(ids)})
        return {login: name for line in found for login, name in _names(line).items()}

    def of_each(self, rows: Sequence[Review]) -> dict[int, list[HistoryRow]]:
        """Return the timeline of each review, oldest first."""
        found: dict[int, list[HistoryRow]] = defaultdict(list)
        for line in self._database.all(_LINES, {"reviews": [row.id for row in rows]}):
            found[line.review_id].append(row_as(HistoryRow, line))
        return found

    def _find(self, search: Search, most: int) -> list[Entry]:
        order = history.c.id if search.after is not None else history.c.id.desc()
        query = _matching(search).order_by(order).limit(most)
        return [_entry_from(row) for row in self._database.all(query)]


_ROUND = and_(rounds.c.review_id == history.c.review_id, rounds.c.round == history.c.round)
_DECISIONS = (
    select(
        history.c.id, history.c.review_id, history.c.round, history.c.what, history.c.at, rounds.c.asked_at
    )
    .join_from(history, rounds, _ROUND)
    .where(history.c.what.in_(DECISIONS.values()))
)


# What a list shows of each change, read for all of them at once.
_snapshot = type_coerce(rounds.c.snapshot, JSON)
_pull, _release = _snapshot["pull"], _snapshot["release"]
_passed, _unseen = (coalesce(func.json_array_length(_release[of]), 0) for of in ("passed", "unseen"))
_THESE: Any = bindparam("reviews", expanding=True)
_LINES = select(history).where(history.c.review_id.in_(_THESE)).order_by(history.c.id)
# The database takes the few facts out of the document: with its patches, it may be very long.
_OF_THESE = (
    select(
        rounds.c.review_id,
        rounds.c.round,
        _pull["author_is_bot"].as_boolean().label("author_is_bot"),
        _snapshot["change"]["commits"].as_json().label("commits"),
        reviews.c.is_from_outside,
    )
    .join(reviews, reviews.c.id == rounds.c.review_id)
    .where(rounds.c.review_id.in_(_THESE))
    .order_by(rounds.c.review_id, rounds.c.round)
)
_QUESTIONS = _OF_THESE.add_columns(
    rounds.c.asked_at,
    rounds.c.was_mailed,
    _pull["base"].as_string().label("base"),
    _pull["head_sha"].as_string().label("head_sha"),
    *(_pull[name].as_integer().label(name) for name in ("additions", "deletions", "changed_files")),
    _release["earlier"].as_integer().label("earlier"),
    (_passed + _unseen).label("holds"),
)


def _names(asked: Row[Any]) -> dict[str, str]:
    """Return the names of one line of `_OF_THESE`, as `Snapshot.names` does."""
    if asked.is_from_outside or asked.author_is_bot:
        return {}
    return {one["author"]: one["name"] for one in asked.commits if one.get("name")}


def _matching(search: Search) -> Select[Any]:
    about = (reviews.c.repository, reviews.c.number, reviews.c.title, reviews.c.author, reviews.c.head)
    found = select(history, *about).join_from(history, reviews, isouter=True)
    if search.text:
        place = reviews.c.repository + " #" + cast(reviews.c.number, Text)
        found = found.where(_holds(search.text, reviews.c.title, history.c.detail, reviews.c.head, place))
    if search.person:
        found = found.where(_holds(search.person, history.c.who, reviews.c.author))
    if search.repository:
        found = found.where(func.lower(reviews.c.repository) == search.repository.lower())
    if search.base:
        found = found.where(history.c.base == search.base)
    if search.since:
        found = found.where(history.c.at >= search.since)
    if search.until:
        found = found.where(history.c.at < search.until)
    if search.before is not None:
        found = found.where(history.c.id < search.before)
    if search.after is not None:
        found = found.where(history.c.id > search.after)
    return found


def _holds(words: str, *columns: Any) -> Any:
    return or_(*(column.icontains(words, autoescape=True) for column in columns))


def _entry_from(row: Row[Any]) -> Entry:
    about = (row.repository or "", row.number or 0, row.title or "", row.author or "", row.head or "")
    return Entry(row.id, row_as(HistoryRow, row), row.review_id, *about)
