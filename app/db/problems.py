"""Problems: their table, the troubles that the other tables show, and what becomes of each at a look.

`jobs` looks once a minute; pages, `doctor` and mails read. All that a look changes is one transaction, with the
letters about it. The rules are in `app.domain.problems`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    String,
    bindparam,
    cast,
    exists,
    or_,
    select,
    update,
)

from app.db.columns import insert
from app.db.database import StorePart
from app.db.jobs import Kind, Service
from app.db.letters import NewLetter, put_letter
from app.db.tables import jobs, letters, problems, repositories, reviews, services
from app.domain.facts import State
from app.domain.problems import BLOCKING, Cause, Problem, Trouble, Turn, What, narrowed, trouble_of, turn_of

_OUT = {Service.GITHUB: What.GITHUB, Service.MAIL: What.MAIL}
_LOOKS = (Kind.POLL, Kind.RELEASE)


@dataclass(frozen=True, slots=True)
class Health:
    """How a service outside does, as it was last known; moments are the database's."""

    failing_since: datetime | None = None
    limited_until: datetime | None = None


class Problems(StorePart):
    """What is wrong, and who is told."""

    def begun(self) -> list[Problem]:
        """Return what has lasted and is not over, the oldest first."""
        which = (problems.c.begun_at.is_not(None), problems.c.ended_at.is_(None))
        with self._database.read() as connection:
            return _read(connection, *which)

    def get(self, problem_id: int | None) -> Problem | None:
        """Return one problem."""
        with self._database.read() as connection:
            return next(iter(_read(connection, problems.c.id == problem_id)), None)

    def noted(self, what: What) -> set[str]:
        """Return where this was noted and is not over, whether or not it has lasted."""
        with self._database.read() as connection:
            return set(connection.scalars(_NOTED, {"what": what}))

    def troubles(self, names: Sequence[str]) -> list[Trouble]:
        """Return what is wrong right now, with what was said to whom; `names` are the configured repositories."""
        with self._database.read() as connection:
            return _troubles(connection, names)

    def health(self) -> dict[Service, Health]:
        """Return how GitHub and Amazon SES do."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            found = {one: Health() for one in Service}
            for row in connection.execute(select(services)):
                first = Service(row.name.partition(" ")[0])  # "github 123" is one identity there
                until = row.limited_until if row.limited_until and row.limited_until > now else None
                before = found[first]
                found[first] = Health(
                    before.failing_since or row.failing_since, before.limited_until or until
                )
            return found

    def note(self, what: What, place: str) -> None:
        """Note what only this moment shows."""
        with self._database.write() as connection:
            self._put(connection, what, place, self._database.now(connection), is_noted=True)

    def note_only(self, what: What, places: Collection[str]) -> bool:
        """Note this at these places, and that it is over everywhere else; tell whether that is news."""
        before = self.noted(what)
        with self._database.write() as connection:
            elsewhere = (_is_open(), problems.c.what == what, problems.c.place.not_in(places))
            connection.execute(update(problems).where(*elsewhere).values(is_noted=False))
            for place in places:
                self._put(connection, what, place, self._database.now(connection), is_noted=True)
        return before != set(places)

    def look(
        self, names: Sequence[str], more: Collection[Trouble], readers: Sequence[str]
    ) -> list[tuple[Turn, Problem]]:
        """Take in what is wrong now, `more` included; queue a letter to each reader for what begins or ends.

        `names` are the configured repositories. Returns what begins, lasts since the last log line, or ends.
        """
        with self._database.write_now() as (connection, now):
            there = {(one.what, one.place) for one in (*_troubles(connection, names), *more)}
            for what, place in sorted(there):
                self._put(connection, what, place, now)
            told: list[tuple[Turn, Problem]] = []
            for one in _read(connection, _is_open()):
                is_there = (one.what, one.place) in there
                turn = turn_of(one, is_there, now)
                self._turn(connection, one, turn, now, readers)
                if is_there:
                    connection.execute(_this(one).values(seen_at=now))
                if turn in (Turn.BEGINS, Turn.LASTS, Turn.ENDS):
                    told.append((turn, one))
            return told

    def _put(
        self, connection: Connection, what: What, place: str, now: datetime, *, is_noted: bool = False
    ) -> None:
        new = insert(problems).values(what=what, place=place, since=now, seen_at=now, is_noted=is_noted)
        connection.execute(new.on_conflict_do_nothing())
        if is_noted:
            this = (_is_open(), problems.c.what == what, problems.c.place == place)
            connection.execute(update(problems).where(*this).values(is_noted=True))

    def _turn(
        self, connection: Connection, one: Problem, turn: Turn, now: datetime, readers: Sequence[str]
    ) -> None:
        match turn:
            case Turn.FORGOTTEN:
                connection.execute(problems.delete().where(problems.c.id == one.id))
            case Turn.AFRESH:
                connection.execute(_this(one).values(since=now))
            case Turn.LASTS:
                connection.execute(_this(one).values(logged_at=now))
            case Turn.BEGINS:
                connection.execute(_this(one).values(begun_at=now, logged_at=now))
                self._tell(connection, one, "problem", now, readers)
            case Turn.ENDS:
                connection.execute(_this(one).values(ended_at=now))
                self._tell(connection, one, "solved", now, readers)

    def _tell(
        self, connection: Connection, one: Problem, kind: str, now: datetime, readers: Sequence[str]
    ) -> None:
        for reader in readers:
            letter = NewLetter(f"{kind} {one.id} {reader}", kind, reader, problem_id=one.id)
            put_letter(connection, letter, now)


def _read(connection: Connection, *which: Any) -> list[Problem]:
    found = connection.execute(select(problems).where(*which).order_by(problems.c.since, problems.c.id))
    return [_problem_from(row) for row in found]


def _problem_from(row: Row[Any]) -> Problem:
    values = row._mapping
    fields = {name: values[name] for name in Problem.__dataclass_fields__}
    return Problem(**{**fields, "what": What(row.what)})


def _is_open() -> Any:
    return problems.c.ended_at.is_(None)


def _this(one: Problem) -> Any:
    return update(problems).where(problems.c.id == one.id)


def _troubles(connection: Connection, names: Sequence[str]) -> list[Trouble]:
    out = list(connection.scalars(_FAILING))
    found = [Trouble(_OUT[Service(name)]) for name in out]
    keys = [name.casefold() for name in names]
    for row in connection.execute(select(repositories).where(repositories.c.name.in_(keys))):
        if row.is_taken:
            found.append(Trouble(What.TAKEN, row.name))
        elif row.full_name.casefold() != row.name:
            found.append(Trouble(What.RENAMED, row.name, row.full_name))
    # What fails in an outage is explained by it.
    failed: list[Any] = [row for row in connection.execute(_FAILED) if row.failed_in not in out]
    found += _of_jobs(connection, failed)
    found += [
        Trouble(BLOCKING[row.blocked.why], row.repository.casefold(), row.name, row.blocked.said)
        for row in connection.execute(_BLOCKED)
        if row.blocked.is_told and row.blocked.why in BLOCKING
    ]
    found += [Trouble(What(row.what), row.place) for row in connection.execute(_STILL)]
    return narrowed(found)


def _of_jobs(connection: Connection, failed: Sequence[Any]) -> list[Trouble]:
    ids = {kind: [int(row.about) for row in failed if row.kind == kind] for kind in (Kind.REVIEW, Kind.MAIL)}
    named = select(reviews.c.id, reviews.c.repository, reviews.c.number)
    found = connection.execute(named.where(reviews.c.id.in_(ids[Kind.REVIEW])))
    pulls = {str(row.id): (row.repository, f"{row.repository}#{row.number}") for row in found}
    sent = connection.execute(
        select(letters.c.id, letters.c.reviewer).where(letters.c.id.in_(ids[Kind.MAIL]))
    )
    readers = {str(row.id): (row.reviewer, row.reviewer) for row in sent}
    troubles = []
    for row in failed:
        name = row.about.rpartition(" ")[2] if row.kind in _LOOKS else ""
        of_kind = {Kind.REVIEW: pulls, Kind.MAIL: readers}.get(row.kind, {})
        place, about = of_kind.get(row.about, (name, name or row.kind))
        what, where = trouble_of(Cause(row.cause), place.casefold(), is_look=row.kind in _LOOKS)
        troubles.append(Trouble(what, where, about, row.problem or ""))
    return troubles


_NOTED = select(problems.c.place).where(_is_open(), problems.c.is_noted, problems.c.what == bindparam("what"))
_FAILING = select(services.c.name).where(services.c.failing_since.is_not(None))
_FAILED = select(jobs.c.kind, jobs.c.about, jobs.c.cause, jobs.c.problem, jobs.c.failed_in).where(
    jobs.c.cause.is_not(None)
)
_BLOCKED = select(
    reviews.c.repository,
    (reviews.c.repository + "#" + cast(reviews.c.number, String)).label("name"),
    reviews.c.blocked,
).where(reviews.c.state.in_((State.TO_ASK, State.TO_MERGE, State.MERGING)), reviews.c.blocked.is_not(None))
# A mail of which nobody knows whether it came is made up for by the next one.
_CAME = exists().where(letters.c.reviewer == problems.c.place, letters.c.sent_at > problems.c.since)
_STILL = select(problems.c.what, problems.c.place).where(
    _is_open(), problems.c.is_noted, or_(problems.c.what != What.UNKNOWN, ~_CAME)
)
