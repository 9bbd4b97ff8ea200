"""Timers: what is to be done again and again, such as looking at a repository; rows of the queue like others.

`seen` and `etag` are how far the last look came. One row a repository, whichever machine made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from app.store.database import Database
from app.store.tables import timers


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
            now = self._database.now(connection)
            made = self._database.insert(timers).values(name=name.casefold(), created_at=now, due_at=now)
            changes = {"due_at": now, "lease": None}
            connection.execute(made.on_conflict_do_update(index_elements=["name"], set_=changes))

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
