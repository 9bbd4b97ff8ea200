"""Timers: what is to be done again and again, such as looking at a repository; rows of the queue like others.

A repository's own name is the timer that looks at it; of any other the first word says what it is for. `seen` and
`etag` are how far the last look came. One row a name, whichever machine made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, select, update

from app.store.database import Database
from app.store.tables import timers

# The first word of the timer that keeps a repository's release pull request.
RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer row; `seen` is None before its first look."""

    id: int
    name: str
    created_at: datetime
    seen: datetime | None
    etag: str | None


class Timers:
    """Timers by id and by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, name: str) -> None:
        """Make the timer, due at once, or make it due at once; names of repositories have no case."""
        with self._database.write() as connection:
            put_timer(connection, self._database, name, self._database.now(connection))

    def get(self, timer_id: int) -> Timer | None:
        """Return one timer."""
        with self._database.read() as connection:
            row = connection.execute(select(timers).where(timers.c.id == timer_id)).first()
            return Timer(row.id, row.name, row.created_at, row.seen, row.etag) if row else None

    def note(self, timer_id: int, seen: datetime | None, etag: str | None) -> None:
        """Remember how far a look came."""
        with self._database.write() as connection:
            values = {"seen": seen, "etag": etag}
            connection.execute(update(timers).where(timers.c.id == timer_id).values(values))


def put_timer(
    connection: Connection, database: Database, name: str, now: datetime, delay: timedelta = timedelta(0)
) -> None:
    """Make the timer due, inside another transaction: in a while, unless it is due sooner already."""
    soon, name = now + delay, name.casefold()
    made = database.insert(timers).values(name=name, created_at=now, due_at=soon)
    # Who holds the lease may have looked already, and loses it.
    is_due_sooner = and_(timers.c.lease.is_(None), timers.c.due_at < soon)
    changes = {"due_at": case((is_due_sooner, timers.c.due_at), else_=soon), "lease": None}
    connection.execute(made.on_conflict_do_update(index_elements=["name"], set_=changes))
