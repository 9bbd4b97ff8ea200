"""Problems: their table, the troubles that the other tables show, and what becomes of each at a look.

`jobs` looks once a minute; pages, `doctor`, metrics and mails read. All that a look changes is one transaction, with the
letters about it. The rules are in `app.domain.problems`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, bindparam, case, cast, delete, exists, func, or_, select, update

from app.db.columns import Id, insert
from app.db.database import StorePart, row_as
from app.db.jobs import Kind, Service
from app.db.letters import NewLetter, put_letter
from app.db.tables import jobs, letters, problems, repositories, reviews, services
from app.domain.facts import State
from app.domain.problems import BLOCKING, Problem, Trouble, Turn, What, narrowed, turn_of

_OUT = {Service.GITHUB: What.GITHUB, Service.MAIL: What.MAIL}


@dataclass(frozen=True, slots=True)
class Figures:
    """The counts, and since when; `due` are the jobs by kind with the earliest of each."""

    now: datetime
    reviews: dict[State, int]
    waiting_since: datetime | None
    due: dict[Kind, tuple[int, datetime]]
    unsent: int
    problems: dict[str, int]


class Problems(StorePart):
    """What is wrong, and who is told."""

    def begun(self) -> list[Problem]:
        """Return what has lasted and is not over, the oldest first."""
        return self._database.many(Problem, _OPEN.where(problems.c.begun_at.is_not(None)))

    def get(self, problem_id: int | None) -> Problem | None:
        """Return one problem."""
        return self._database.one(Problem, select(problems).where(problems.c.id == problem_id))

    def noted(self, what: What) -> set[str]:
        """Return where this was noted and is not over, whether or not it has lasted."""
        return {row.place for row in self._database.all(_NOTED, {"what": what})}

    def troubles(self, names: Sequence[str]) -> list[Trouble]:
        """Return what is wrong right now, with what was said to whom; `names` are the configured repositories."""
        with self._database.read() as connection:
            return _troubles(connection, names)

    def health(self) -> dict[Service, str]:
        """Return how GitHub and Amazon SES do: "ok", "limited" or "no answer"."""
        now, found = self._database.now(), dict.fromkeys(Service, "ok")
        for row in self._database.all(select(services)):
            name = Service(row.name.partition(" ")[0])  # "github 123" is one identity there
            if row.failing_since:
                found[name] = "no answer"
            elif row.limited_until and row.limited_until > now and found[name] == "ok":
                found[name] = "limited"
        return found

    def figures(self) -> Figures:
        """Count what there is of everything."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            states = select(reviews.c.state, func.count()).group_by(reviews.c.state)
            waiting = select(func.min(reviews.c.asked_at)).where(reviews.c.state == State.WAITING)
            due = select(jobs.c.kind, func.count(), func.min(jobs.c.due_at)).where(jobs.c.due_at <= now)
            unsent = select(func.count()).where(jobs.c.kind == Kind.MAIL)
            lasting = (problems.c.begun_at.is_not(None), problems.c.ended_at.is_(None))
            whats = select(problems.c.what, func.count()).where(*lasting).group_by(problems.c.what)
            found = connection.execute(due.group_by(jobs.c.kind))
            return Figures(
                now,
                dict.fromkeys(State, 0) | dict(connection.execute(states).all()),
                connection.scalar(waiting),
                {kind: (number, first) for kind, number, first in found},
                connection.scalar(unsent) or 0,
                dict(connection.execute(whats).all()),
            )

    def note(self, what: What, place: str) -> None:
        """Note what only this moment shows."""
        with self._database.write_now() as (connection, now):
            _put(connection, what, place, now, is_noted=True)

    def note_only(self, what: What, places: Collection[str]) -> bool:
        """Note this at these places, and that it is over everywhere else; tell whether that is news."""
        before = self.noted(what)
        with self._database.write_now() as (connection, now):
            this = (problems.c.ended_at.is_(None), problems.c.what == what)
            connection.execute(update(problems).where(*this).values(is_noted=False))
            for place in places:
                _put(connection, what, place, now, is_noted=True)
        return before != set(places)

    def refresh(
        self, names: Sequence[str], more: Collection[Trouble], readers: Sequence[str]
    ) -> list[tuple[Turn, Problem]]:
        """Take in what is wrong now, `more` included; queue a letter to each reader for what begins or ends.

        `names` are the configured repositories. Returns what begins, lasts since the last log line, or ends.
        """
        with self._database.write_now() as (connection, now):
            there = {(one.what, one.place) for one in (*_troubles(connection, names), *more)}
            for what, place in sorted(there):
                _put(connection, what, place, now)
            found = [row_as(Problem, row) for row in connection.execute(_OPEN)]
            turns = [(turn_of(one, (one.what, one.place) in there, now), one) for one in found]
            for turn, one in turns:
                _turn(connection, one, turn, now, readers)
        return [(turn, one) for turn, one in turns if turn in _NOTES]


def _put(connection: Connection, what: What, place: str, now: datetime, *, is_noted: bool = False) -> None:
    """Take in what is wrong now; once it is noted, it stays so."""
    new = insert(problems).values(what=what, place=place, since=now, seen_at=now, is_noted=is_noted)
    seen = {"seen_at": now, "is_noted": or_(problems.c.is_noted, new.excluded.is_noted)}
    where = problems.c.ended_at.is_(None)
    connection.execute(
        new.on_conflict_do_update(index_elements=["what", "place"], index_where=where, set_=seen)
    )


def _turn(connection: Connection, one: Problem, turn: Turn, now: datetime, readers: Sequence[str]) -> None:
    this = problems.c.id == one.id
    if turn is Turn.FORGOTTEN:
        connection.execute(delete(problems).where(this))
    if turn in _NOTES:
        connection.execute(update(problems).where(this).values(dict.fromkeys(_NOTES[turn], now)))
    if turn in _MAILS:
        for reader in readers:
            key = f"{_MAILS[turn]} {one.id} {reader}"
            put_letter(connection, NewLetter(key, _MAILS[turn], reader, problem_id=one.id), now)


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
    found += [_of_job(row) for row in connection.execute(_FAILED) if row.failed_in not in out]
    found += [
        Trouble(BLOCKING[row.blocked.why], row.repository.casefold(), row.name, row.blocked.said)
        for row in connection.execute(_BLOCKED)
        if row.blocked.is_told and row.blocked.why in BLOCKING
    ]
    found += [Trouble(row.what, row.place) for row in connection.execute(_STILL)]
    return narrowed(found)


def _of_job(row: Any) -> Trouble:
    """Return what a job's failure is a sign of."""
    what, is_look = row.cause, row.kind in (Kind.POLL, Kind.RELEASE)
    if what is What.REPOSITORY and not is_look:
        what = What.STUCK  # one pull request may be gone without its repository
    place = row.repository or row.reviewer or (row.about.rpartition(" ")[2] if is_look else "")
    about = f"{row.repository}#{row.number}" if row.repository else place or row.kind
    is_everywhere = what in (What.IDENTITY, What.BUG)
    return Trouble(what, "" if is_everywhere else place.casefold(), about, row.problem or "")


# What is written, and mailed, at each turn.
_NOTES = {Turn.BEGINS: ("begun_at", "logged_at"), Turn.LASTS: ("logged_at",), Turn.ENDS: ("ended_at",)}
_MAILS = {Turn.BEGINS: "problem", Turn.ENDS: "solved"}
_OPEN = select(problems).where(problems.c.ended_at.is_(None)).order_by(problems.c.since, problems.c.id)
_NOTED = _OPEN.where(problems.c.is_noted, problems.c.what == bindparam("what"))
_FAILING = select(services.c.name).where(services.c.failing_since.is_not(None))
_FAILED = (
    select(jobs, reviews.c.repository, reviews.c.number, letters.c.reviewer)
    .outerjoin(reviews, reviews.c.id == case((jobs.c.kind == Kind.REVIEW, cast(jobs.c.about, Id))))
    .outerjoin(letters, letters.c.id == case((jobs.c.kind == Kind.MAIL, cast(jobs.c.about, Id))))
    .where(jobs.c.cause.is_not(None))
)
_BLOCKED = select(
    reviews.c.repository,
    (reviews.c.repository + "#" + cast(reviews.c.number, String)).label("name"),
    reviews.c.blocked,
).where(reviews.c.state.in_((State.TO_ASK, State.TO_MERGE, State.MERGING)), reviews.c.blocked.is_not(None))
# A mail of which nobody knows whether it came is made up for by the next one.
_CAME = exists().where(letters.c.reviewer == problems.c.place, letters.c.sent_at > problems.c.since)
_STILL = _OPEN.where(problems.c.is_noted, or_(problems.c.what != What.UNKNOWN, ~_CAME))
