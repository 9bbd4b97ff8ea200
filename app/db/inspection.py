"""The database looked at from outside: whether it is there, and what can be counted of it at a moment.

Called by the operator's commands and by `metrics`; nothing is made or changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from app.db.database import Database
from app.db.jobs import Kind
from app.db.tables import jobs, problems, reviews
from app.domain.facts import State


def is_there(url: str) -> bool:
    """Tell whether there is a database to look at; a SQLite file would be made by opening it."""
    target = make_url(url)
    return target.get_backend_name() != "sqlite" or Path(target.database or "").exists()


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
