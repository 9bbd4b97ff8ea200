"""The store: tables, queue, letters and history, on SQLite or PostgreSQL.

`Store` is what the rest of the gate holds: `.inbox`, `.repositories`, `.reviews`, `.pictures`, `.letters`, `.releases`,
`.timers`, `.absences`, `.queue`, `.checkpoints`, `.problems`, `.history`, `.epoch`. It keeps what was acknowledged and
decides nothing; the rules are in `domain`.

    Unavailable  the database is away, locked or its disk full: nothing was kept
    Overtaken    the row moved on while somebody worked on it
    SchemaError  the database's schema is not one that this version can work with
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property

from app.db.checkpoint import Checkpoints
from app.db.database import Database
from app.db.epoch import Epoch, current_epoch
from app.db.history import History
from app.db.inbox import Inbox
from app.db.jobs import Timers
from app.db.letters import Letters
from app.db.pictures import Pictures
from app.db.problems import Problems
from app.db.queue import Queue
from app.db.releases import Releases
from app.db.repositories import Absences, Repositories
from app.db.reviews import Reviews
from app.db.schema import bring_up


class Store:
    """All that is remembered.

    `url` is a SQLAlchemy URL; `clock` replaces the clock. `work_made` is rung whenever there is work.
    """

    def __init__(self, url: str, clock: Callable[[], datetime] | None = None) -> None:
        self.database = Database(url, clock)
        self.work_made = self.database.work_made
        self.inbox = Inbox(self.database)
        self.repositories = Repositories(self.database)
        self.reviews = Reviews(self.database)
        self.pictures = Pictures(self.database)
        self.letters = Letters(self.database)
        self.releases = Releases(self.database)
        self.timers = Timers(self.database)
        self.absences = Absences(self.database)
        self.queue = Queue(self.database)
        self.checkpoints = Checkpoints(self.database)
        self.problems = Problems(self.database)
        self.history = History(self.database)

    def create(self) -> None:
        """Make the tables where there are none, or bring them up to date. Raises SchemaError, Unavailable."""
        bring_up(self.database)

    @cached_property
    def epoch(self) -> Epoch:
        """Return the epoch that counts: it never changes while a process runs, for only an empty database is restored into."""
        return current_epoch(self.database)

    def reading(self) -> AbstractContextManager[object]:
        """Let all that this thread reads meanwhile be read in one transaction; nothing is written in it. Raises Unavailable."""
        return self.database.read()

    def now(self) -> datetime:
        """Return the time that all machines agree on, aware, in UTC."""
        return self.database.now()

    def close(self) -> None:
        """Close every connection."""
        self.database.close()
