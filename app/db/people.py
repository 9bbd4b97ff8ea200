"""People at GitHub: what they may do in a repository, and who asked for a review of a stranger's pull request.

Called by `jobs`. It remembers what GitHub said; who belongs is decided there.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.db.database import Database
from app.db.tables import people, requesters
from app.domain.people import Person

# So long what GitHub said of somebody is believed.
BELIEVED = timedelta(days=1)


class People:
    """People by repository and id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def permission(self, repository_id: int, person: Person) -> str | None:
        """Return what somebody may do, None where GitHub was not asked within a day."""
        with self._database.read() as connection:
            since = self._database.now(connection) - BELIEVED
            key = (
                people.c.repository_id == repository_id,
                people.c.id == person.id,
                people.c.read_at > since,
            )
            return connection.scalar(select(people.c.permission).where(*key))

    def note(self, repository_id: int, person: Person, permission: str) -> None:
        """Remember what GitHub said just now."""
        with self._database.write() as connection:
            key = {"repository_id": repository_id, "id": person.id}
            read_at = self._database.now(connection)
            said = {"login": person.login, "permission": permission, "read_at": read_at}
            noted = self._database.insert(people).values(**key, **said)
            connection.execute(noted.on_conflict_do_update(index_elements=list(key), set_=said))

    def requesters(self, review_id: int) -> list[Person]:
        """Return who asked for a review, other than the author and programs."""
        asked = select(requesters).where(requesters.c.review_id == review_id).order_by(requesters.c.id)
        with self._database.read() as connection:
            return [Person(row.id, row.login) for row in connection.execute(asked)]
