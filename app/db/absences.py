"""Absences: which reviewer is away, and on which day they are back.

Written by `web` through `jobs`, one transaction each: the absence, the history, and what waits woken. It hands
nothing over itself; the worker does.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection, select

from app.db.bell import Bell
from app.db.database import Database
from app.db.jobs import wake_reviews
from app.db.rows import Happening, note_event
from app.db.tables import absences, reviews
from app.domain.facts import State
from app.domain.happened import Happened
from app.domain.policy import Reviewer

_ALL = select(absences)


class Absences:
    """Who is away until when; a day in the past says nothing any more."""

    def __init__(self, database: Database, work_made: Bell) -> None:
        self._database = database
        self._work_made = work_made

    def all(self) -> dict[str, date]:
        """Return the first day back of everybody who ever said one, by reviewer's id."""
        with self._database.read() as connection:
            return {row.reviewer: row.until for row in connection.execute(_ALL)}

    def begin(self, reviewer: Reviewer, until: date) -> bool:
        """Note that a reviewer is away, `until` being the first day back; tell whether that is new."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            mine = absences.c.reviewer == reviewer.id
            if connection.scalar(select(absences.c.until).where(mine)) == until:
                return False
            values = {"until": until, "set_at": now}
            away = self._database.insert(absences).values(reviewer=reviewer.id, **values)
            connection.execute(away.on_conflict_do_update(index_elements=["reviewer"], set_=values))
            note_event(connection, now, Happening(Happened.AWAY, reviewer.name, f"until {until.isoformat()}"))
            self._wake(connection, now)
        self._work_made.ring()
        return True

    def end(self, reviewer: Reviewer) -> None:
        """Note that a reviewer is back."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            gone = absences.delete().where(absences.c.reviewer == reviewer.id).returning(absences.c.until)
            if connection.scalar(gone) is None:
                return
            note_event(connection, now, Happening(Happened.BACK, reviewer.name))
            self._wake(connection, now)
        self._work_made.ring()

    def _wake(self, connection: Connection, now: datetime) -> None:
        """Wake all that waits: while everybody is away, what is another's waits for this one, too."""
        concerned = reviews.c.state.in_((State.WAITING, State.TO_ASK))
        wake_reviews(connection, self._database, now, concerned)
