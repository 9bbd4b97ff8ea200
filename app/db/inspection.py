"""The database as `doctor` sees it: looked at, never made, never changed.

Called by the operator's commands. A SQLite file that is not there is not made by looking at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from app.db.database import Database
from app.db.jobs import Kind
from app.db.schema import revisions, version_of
from app.db.store import Store
from app.db.tables import jobs, problems, reviews
from app.domain.facts import State
from app.domain.problems import Problem, Trouble


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found.

    `schema` is the database's, `wanted` this version's; where they differ, the rest is unknown.
    """

    schema: str | None = None
    wanted: str | None = None
    clock_off: timedelta = timedelta(0)  # this machine's clock, ahead of the database's
    worker_seen: timedelta | None = None  # so long ago
    oldest_due: timedelta | None = None
    problems: tuple[Problem, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    ids: tuple[tuple[str, int | None], ...] = ()  # the repository pinned to each name


def look(url: str, repositories: tuple[str, ...]) -> Inspected | None:
    """Look at the database, None where there is none yet. Raises Unavailable."""
    if not is_there(url):
        return None
    store = Store(url)
    try:
        with store.database.read() as connection:
            schema, wanted = version_of(connection), revisions()[-1]
        if schema != wanted:
            return Inspected(schema, wanted)
        return Inspected(
            schema,
            wanted,
            clock_off=datetime.now(UTC) - store.now(),
            worker_seen=store.queue.last_beat(),
            oldest_due=store.queue.oldest_due(),
            problems=tuple(store.problems.begun()),
            troubles=tuple(store.problems.troubles(repositories)),
            ids=tuple((name, store.repositories.id_of(name)) for name in repositories),
        )
    finally:
        store.close()


def is_there(url: str) -> bool:
    """Tell whether there is a database to look at; a SQLite file would be made by opening it."""
    target = make_url(url)
    return target.get_backend_name() != "sqlite" or Path(target.database or "").exists()


# --- What can be counted of the store at a moment.


@dataclass(frozen=True, slots=True)
class Figures:
    """The counts, and since when; `due` are the jobs by kind with the earliest of each."""

    now: datetime
    reviews: dict[State, int]
    waiting_since: datetime | None
    due: dict[Kind, tuple[int, datetime]]
    unsent: int
    problems: dict[str, int]


def figures(database: Database) -> Figures:
    """Count. Raises Unavailable."""
    with database.read() as connection:
        now = database.now(connection)
        states = connection.execute(select(reviews.c.state, func.count()).group_by(reviews.c.state))
        waiting = select(func.min(reviews.c.asked_at)).where(reviews.c.state == State.WAITING)
        due = select(jobs.c.kind, func.count(), func.min(jobs.c.due_at)).where(jobs.c.due_at <= now)
        unsent = select(func.count()).where(jobs.c.kind == Kind.MAIL)
        lasting = (problems.c.begun_at.is_not(None), problems.c.ended_at.is_(None))
        whats = (
            select(problems.c.what, func.count().label("number")).where(*lasting).group_by(problems.c.what)
        )
        return Figures(
            now,
            dict.fromkeys(State, 0) | {State(state): number for state, number in states},
            connection.scalar(waiting),
            {
                Kind(kind): (number, first)
                for kind, number, first in connection.execute(due.group_by(jobs.c.kind))
            },
            connection.scalar(unsent) or 0,
            {row.what: row.number for row in connection.execute(whats)},
        )
