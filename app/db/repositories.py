"""Repositories, what people may do there, and which reviewer is away.

Which repository stands behind a name: names are reused and change, ids never do.

The first repository that is seen under a name is pinned to it. What GitHub calls it today may be another name; then
everything that is known of it goes on under that. A name that another repository took means nothing until an operator
says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, func, or_, select, update

from app.db.columns import insert, put
from app.db.database import StorePart
from app.db.jobs import RELEASE, wake_reviews
from app.db.rows import Happening, note_event
from app.db.tables import absences, people, repositories, requesters, reviews, timers
from app.domain.facts import Person, State
from app.domain.policy import Reviewer
from app.domain.review import Happened
from app.domain.rules import LIVING

# So long what GitHub said of somebody is believed.
BELIEVED = timedelta(days=1)
_EITHER = select(repositories).where(
    or_(repositories.c.name == bindparam("name"), repositories.c.repository_id == bindparam("repository_id"))
)
_ITS_NAMES = select(repositories.c.name).where(repositories.c.repository_id == bindparam("repository_id"))
# A timer has the name of the settings, which may be an earlier one.
_CAME = select(func.min(timers.c.created_at)).where(
    or_(timers.c.name == bindparam("name"), timers.c.name.in_(_ITS_NAMES))
)


class Repositories(StorePart):
    """Repositories by name and by id."""

    def ids(self, names: Sequence[str]) -> set[int | None]:
        """Return the ids of the repositories pinned to these names, and None where a name has none yet."""
        pinned = {row.name: row.repository_id for row in self._database.all(select(repositories))}
        return {pinned.get(name.casefold()) for name in names}

    def id_of(self, name: str) -> int | None:
        """Return the id of the repository pinned to this name, None when none is."""
        return next(iter(self.ids([name])))

    def full_name(self, name: str) -> str:
        """Return what GitHub calls the repository that is pinned to this name, as far as it is known."""
        stored = select(repositories.c.full_name).where(repositories.c.name == name.casefold())
        return self._database.scalar(stored) or name

    def watched_since(self, repository_id: int) -> datetime | None:
        """Return when a repository was first to be looked at, None where it was not yet."""
        with self._database.read() as connection:
            return watched_since(connection, repository_id)

    def pin(self, name: str, repository_id: int) -> bool:
        """Note that GitHub calls this repository so; False when the name is another one's."""
        with self._database.write() as connection:
            return pin(connection, name, repository_id)

    def trust(self, name: str) -> bool:
        """Forget which repository is pinned to a name, and how far it was looked at; the next look pins it anew."""
        with self._database.write() as connection:
            name = name.casefold()
            about = timers.c.name.in_([name, f"{RELEASE} {name}"])
            begun = {"seen": None, "etag": None, "created_at": self._database.now(connection)}
            connection.execute(update(timers).where(about).values(begun))
            gone = repositories.delete().where(repositories.c.name == name)
            return connection.scalar(gone.returning(repositories.c.name)) is not None

    def wake_strangers(self, ids: Collection[int | None], bases: Collection[str]) -> None:
        """Wake what is not closed to us in other repositories than these, or for other bases, and what is closed only to us in these."""
        known = reviews.c.repository_id.in_([number for number in ids if number is not None])
        is_living, is_gated = reviews.c.state.in_(LIVING), reviews.c.base.in_(bases)
        is_back = and_(reviews.c.state == State.CLOSED, reviews.c.open, is_gated)
        to_read = and_(known, or_(is_back, and_(is_living, ~is_gated)))
        with self._database.write_now() as (connection, now):
            connection.execute(update(reviews).where(to_read).values(rev=reviews.c.rev + 1))
            wake_reviews(connection, now, or_(and_(~known, is_living), to_read))

    def permission(self, repository_id: int, person: Person) -> str | None:
        """Return what somebody may do, None where GitHub was not asked within a day."""
        key = (people.c.repository_id == repository_id, people.c.id == person.id)
        now = self._database.now()
        is_fresh = people.c.read_at.between(now - BELIEVED, now)
        said: str | None = self._database.scalar(select(people.c.permission).where(*key, is_fresh))
        return said

    def note_permission(self, repository_id: int, person: Person, permission: str) -> None:
        """Remember what GitHub said just now that somebody may do."""
        with self._database.write_now() as (connection, now):
            key = {"repository_id": repository_id, "id": person.id}
            said = {"permission": permission, "read_at": now}
            connection.execute(put(people, key, said))

    def requesters(self, review_id: int) -> list[Person]:
        """Return who asked for a review, other than the author and programs."""
        asked = select(requesters).where(requesters.c.review_id == review_id).order_by(requesters.c.id)
        return self._database.many(Person, asked)


def watched_since(connection: Connection, repository_id: int, name: str = "") -> datetime | None:
    """Return when a repository was first to be looked at, under this name or any it is known by; None: not yet."""
    names = {"repository_id": repository_id, "name": name.casefold()}
    found: datetime | None = connection.scalar(_CAME, names)
    return found


def pin(connection: Connection, name: str, repository_id: int) -> bool:
    """Tell whether a repository is known under this name, or is the first one that has it; else note that it is taken.

    One that was known under another name was renamed: from now on it is called so.
    """
    key = name.casefold()
    found = connection.execute(_EITHER, {"name": key, "repository_id": repository_id}).all()
    own = [row for row in found if row.repository_id == repository_id]
    if not own and found:
        connection.execute(update(repositories).where(repositories.c.name == key).values(is_taken=True))
        return False
    if not found or key not in {row.name for row in found}:
        first = insert(repositories).values(name=key, repository_id=repository_id, full_name=name)
        connection.execute(first.on_conflict_do_nothing())
        stored = select(repositories.c.repository_id).where(repositories.c.name == key)
        if connection.scalar(stored) != repository_id:  # another one was faster
            return pin(connection, name, repository_id)
    if any(row.is_taken and row.name == key for row in own):
        connection.execute(update(repositories).where(repositories.c.name == key).values(is_taken=False))
    if any(row.full_name != name for row in own):
        called = update(repositories).where(repositories.c.repository_id == repository_id)
        connection.execute(called.values(full_name=name))
        its = (reviews.c.repository_id == repository_id, reviews.c.repository != name)
        connection.execute(update(reviews).where(*its).values(repository=name))
    return True


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
