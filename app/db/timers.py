"""What is done again and again: a poll of a repository, its release, the daily digest. Each has a job of its own.

`seen` and `etag` are how far the last one came. One row a name, whichever machine made it: a repository's own name
is its poll, "release NAME" its release; the others are called as their kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from app.db.columns import insert
from app.db.database import Database
from app.db.jobs import Kind, wake
from app.db.tables import timers

# The first word of the timer that keeps a repository's release pull request.
RELEASE = "release"
NAMED = (Kind.RELEASE, Kind.DIGEST, Kind.PROBLEMS, Kind.BOUNCES)


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer row; `seen` is None before its first look."""

    id: int
    name: str
    created_at: datetime
    seen: datetime | None
    etag: str | None


class Timers:
    """Timers by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, name: str) -> None:
        """Make the timer, due at once, or make it due at once; names of repositories have no case."""
        with self._database.write() as connection:
            put_timer(connection, name, self._database.now(connection))

    def get(self, name: str) -> Timer | None:
        """Return one timer."""
        with self._database.read() as connection:
            row = connection.execute(select(timers).where(timers.c.name == name.casefold())).first()
            return Timer(row.id, row.name, row.created_at, row.seen, row.etag) if row else None

    def note(self, timer_id: int, seen: datetime | None, etag: str | None) -> None:
        """Remember how far a look came."""
        with self._database.write() as connection:
            values = {"seen": seen, "etag": etag}
            connection.execute(update(timers).where(timers.c.id == timer_id).values(values))


def put_timer(connection: Connection, name: str, now: datetime, delay: timedelta = timedelta(0)) -> None:
    """Make the timer due, inside another transaction: in a while, unless it is due sooner already."""
    name = name.casefold()
    made = insert(timers).values(name=name, created_at=now)
    connection.execute(made.on_conflict_do_nothing(index_elements=["name"]))
    first = name.partition(" ")[0]
    kind = Kind(first) if first in NAMED else Kind.POLL
    # Who holds the lease may have looked already, and loses it.
    wake(connection, kind, name, now + delay, take=True)
