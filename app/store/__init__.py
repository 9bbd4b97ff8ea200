"""The store: tables, queue, letters and history, on SQLite or PostgreSQL.

`Store` is what the rest of the gate holds: `.arrivals`, `.repositories`, `.reviews`, `.talk`, `.people`, `.letters`,
`.landings`, `.timers`, `.absences`, `.queue`, `.audit`, `.lists`. It keeps what was acknowledged and decides nothing;
the rules are in `review`.

    Unavailable  the database is away, locked or its disk full: nothing was kept
    Overtaken    the row moved on while somebody worked on it
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from app.store.absences import Absences
from app.store.arrivals import Arrivals, Customs, Recorded
from app.store.audit import Audit, Entry, Page, Search
from app.store.database import Database, Unavailable
from app.store.landings import Landing, Landings
from app.store.letters import A_DAY, Letter, Letters, NewLetter, outcome_letter
from app.store.lists import Asked, Lists
from app.store.people import People
from app.store.queue import LEASE, Claim, Overtaken, Queue
from app.store.repositories import Repositories
from app.store.reviews import DECISIONS, Reviews, Round
from app.store.rows import Happening, HistoryRow
from app.store.talk import Talk, open_talk
from app.store.timers import RELEASE, Timer, Timers

__all__ = [
    "A_DAY",
    "DECISIONS",
    "LEASE",
    "RELEASE",
    "Absences",
    "Arrivals",
    "Asked",
    "Audit",
    "Claim",
    "Customs",
    "Entry",
    "Happening",
    "HistoryRow",
    "Landing",
    "Letter",
    "Letters",
    "Lists",
    "NewLetter",
    "Overtaken",
    "Page",
    "Queue",
    "Recorded",
    "Repositories",
    "Reviews",
    "Round",
    "Search",
    "Store",
    "Talk",
    "Timer",
    "Unavailable",
    "open_talk",
    "outcome_letter",
]


class Store:
    """All that is remembered.

    `url` is a SQLAlchemy URL; `clock` replaces the clock. `work_made` is set by every request that makes work,
    so that a worker in the same process need not wait for its next poll.
    """

    def __init__(self, url: str, clock: Callable[[], datetime] | None = None) -> None:
        self.database = Database(url, clock)
        self.work_made = threading.Event()
        self.arrivals = Arrivals(self.database, self.work_made)
        self.repositories = Repositories(self.database)
        self.reviews = Reviews(self.database, self.work_made)
        self.talk = Talk(self.database, self.work_made)
        self.people = People(self.database)
        self.letters = Letters(self.database)
        self.landings = Landings(self.database)
        self.timers = Timers(self.database)
        self.absences = Absences(self.database, self.work_made)
        self.queue = Queue(self.database)
        self.audit = Audit(self.database)
        self.lists = Lists(self.database)

    def create(self) -> None:
        """Create the tables that are not there yet. Raises Unavailable."""
        self.database.create()

    def now(self) -> datetime:
        """Return the time that all machines agree on, aware, in UTC."""
        with self.database.read() as connection:
            return self.database.now(connection)

    def close(self) -> None:
        """Close every connection."""
        self.database.close()
