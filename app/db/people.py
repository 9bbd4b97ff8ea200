"""People at GitHub: what they may do in a repository, and who asked for a review of a stranger's pull request.

Called by `jobs`. It remembers what GitHub said; who belongs is decided there.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select

from app.db.columns import put
from app.db.database import StorePart
from app.db.jobs import wake_reviews
from app.db.rows import Happening, note_event
from app.db.tables import absences, people, requesters, reviews
from app.domain.facts import Person, State
from app.domain.policy import Reviewer
from app.domain.review import Happened

# So long what GitHub said of somebody is believed.
BELIEVED = timedelta(days=1)


class People(StorePart):
    """People by repository and id."""

    def permission(self, repository_id: int, person: Person) -> str | None:
        """Return what somebody may do, None where GitHub was not asked within a day."""
        key = (people.c.repository_id == repository_id, people.c.id == person.id)
        is_fresh = people.c.read_at > self._database.now() - BELIEVED
        said: str | None = self._database.scalar(select(people.c.permission).where(*key, is_fresh))
        return said

    def note(self, repository_id: int, person: Person, permission: str) -> None:
        """Remember what GitHub said just now."""
        with self._database.write_now() as (connection, now):
            key = {"repository_id": repository_id, "id": person.id}
            said = {"permission": permission, "read_at": now}
            connection.execute(put(people, key, said))

    def requesters(self, review_id: int) -> list[Person]:
        """Return who asked for a review, other than the author and programs."""
        asked = select(requesters).where(requesters.c.review_id == review_id).order_by(requesters.c.id)
        return self._database.many(Person, asked)


# --- Absences: which reviewer is away, and on which day they are back.


# What somebody's coming and going concerns: while everybody is away, what is another's waits for this one, too.
_WAITS = reviews.c.state.in_((State.WAITING, State.TO_ASK))


class Absences(StorePart):
    """Who is away until when; a day in the past says nothing any more."""

    def all(self) -> dict[str, date]:
        """Return the first day back of everybody who ever said one, by reviewer's id."""
        return {row.reviewer: row.until for row in self._database.all(select(absences))}

    def begin(self, reviewer: Reviewer, until: date) -> bool:
        """Note that a reviewer is away, `until` being the first day back; tell whether that is new."""
        with self._database.write_now() as (connection, now):
            mine = absences.c.reviewer == reviewer.id
            if connection.scalar(select(absences.c.until).where(mine)) == until:
                return False
            connection.execute(put(absences, {"reviewer": reviewer.id}, {"until": until}))
            note_event(connection, now, Happening(Happened.AWAY, reviewer.name, f"until {until.isoformat()}"))
            wake_reviews(connection, now, _WAITS)
        self._database.work_made.ring()
        return True

    def end(self, reviewer: Reviewer) -> None:
        """Note that a reviewer is back."""
        with self._database.write_now() as (connection, now):
            gone = absences.delete().where(absences.c.reviewer == reviewer.id).returning(absences.c.until)
            if connection.scalar(gone) is None:
                return
            note_event(connection, now, Happening(Happened.BACK, reviewer.name))
            wake_reviews(connection, now, _WAITS)
        self._database.work_made.ring()
