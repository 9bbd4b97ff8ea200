"""What arrives: webhooks, and what the look at GitHub finds, each in one transaction.

Called by `webhook` and `workflow`. An arrival decides nothing: it wakes a row, or makes one, and remembers the
delivery that said so.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Connection, case, func, or_, select, update

from app.review import Person, Seen, State, tells_nothing_new
from app.store.database import Database
from app.store.repositories import pin
from app.store.rows import review_from, woken
from app.store.tables import deliveries, repositories, requesters, reviews, timers
from app.store.timers import RELEASE, put_timer

# The clocks of GitHub and of the gate may differ by so much.
SLACK = timedelta(seconds=2)


class Recorded(StrEnum):
    """What became of a webhook's word."""

    WOKEN = "woken"
    NOTHING_NEW = "nothing new"
    REPEATED = "repeated delivery"
    FOREIGN = "another repository under a known name"
    UNKNOWN = "not gated and not known"


@dataclass(frozen=True, slots=True)
class Customs:
    """What a repository was seen to use."""

    has_checks: bool = False
    has_deployments: bool = False


class Notice(Protocol):
    """What a webhook's payload, or a look at GitHub, says about a pull request."""

    @property
    def seen(self) -> Seen: ...
    @property
    def repository_id(self) -> int: ...
    @property
    def repository(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def author(self) -> str: ...
    @property
    def author_id(self) -> int | None: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def closed_at(self) -> datetime | None: ...
    @property
    def requests(self) -> Sequence[tuple[Person, datetime]]: ...


class Arrivals:
    """The doors through which word of GitHub comes in."""

    def __init__(self, database: Database, work_made: threading.Event) -> None:
        self._database = database
        self._work_made = work_made

    def record(self, delivery: str, notice: Notice, is_gated: bool) -> Recorded:
        """Remember a webhook's delivery and wake its review, in one transaction.

        A base that `is_gated` false and that has no row is forgotten. Twice is once: a delivery id counts once.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            found = _find(connection, notice)
            if found is None and (not is_gated or _is_history(connection, notice)):
                return Recorded.UNKNOWN
            if not self._is_first(connection, delivery, now):
                return Recorded.REPEATED
            if not pin(connection, self._database, notice.repository, notice.repository_id):
                return Recorded.FOREIGN
            answer = self._wake(connection, found, notice, now)
        return self._tell(answer)

    def record_checked(self, delivery: str, repository_id: int, sha: str) -> Recorded:
        """Wake the reviews whose head this is: its checks have changed. A fork's event names no pull request."""
        # While a merge is out, its refusal may be from before the check passed.
        waits = reviews.c.state.in_((State.TO_ASK, State.TO_MERGE, State.MERGING))
        heads = (reviews.c.repository_id == repository_id, reviews.c.head_sha == sha, waits)
        return self._nudge(delivery, heads, custom=(repository_id, "has_checks"))

    def record_deployed(self, delivery: str, repository_id: int, sha: str) -> Recorded:
        """Wake the reviews whose head this is: it may be found somewhere to be tried."""
        heads = (reviews.c.repository_id == repository_id, reviews.c.head_sha == sha, reviews.c.open)
        told = {"deployments_told": reviews.c.deployments_told + 1}
        return self._nudge(delivery, heads, told, custom=(repository_id, "has_deployments"))

    def record_comment(self, delivery: str, repository_id: int, number: int) -> Recorded:
        """Wake a review whose reviewer asked a question: somebody may have answered."""
        key = (reviews.c.repository_id == repository_id, reviews.c.number == number)
        return self._nudge(delivery, (*key, reviews.c.questions > 0, reviews.c.state == State.WAITING))

    def customs(self, repository_id: int) -> Customs:
        """Return what a repository was seen to use."""
        uses = select(repositories.c.has_checks, repositories.c.has_deployments)
        with self._database.read() as connection:
            rows = connection.execute(uses.where(repositories.c.repository_id == repository_id)).all()
        # One that was renamed has a row for each name.
        return Customs(any(row.has_checks for row in rows), any(row.has_deployments for row in rows))

    def record_push(self, repository_id: int, repository: str, delay: timedelta) -> Recorded:
        """Let the repository's release be looked at after `delay`: one of its branches has moved.

        Twice is once without remembering the delivery: all it says is "look".
        """
        with self._database.write() as connection:
            if not pin(connection, self._database, repository, repository_id):
                return Recorded.FOREIGN
            now = self._database.now(connection)
            # The settings may have an earlier name of it; a timer for what they do not name does nothing.
            known = select(repositories.c.name).where(repositories.c.repository_id == repository_id)
            for name in connection.scalars(known).all():
                put_timer(connection, self._database, f"{RELEASE} {name}", now, delay)
        return self._tell(Recorded.WOKEN)

    def found(self, notice: Notice, is_gated: bool, *, adopt: bool) -> Recorded:
        """Wake a review that a look at GitHub found changed, or make the row that a lost webhook did not.

        `adopt`: this is the first look, so what is new to us is only new to us.
        """
        with self._database.write() as connection:
            found = _find(connection, notice)
            if found is None and (not is_gated or _is_history(connection, notice)):
                return Recorded.UNKNOWN
            if not pin(connection, self._database, notice.repository, notice.repository_id):
                return Recorded.FOREIGN
            answer = self._wake(connection, found, notice, self._database.now(connection), adopt=adopt)
        return self._tell(answer)

    def waits_for_a_request(self, notice: Notice, *, is_gated: bool, is_from_fork: bool) -> bool:
        """Tell whether a request for a review would change something, so that GitHub must be asked for one."""
        with self._database.read() as connection:
            key = (reviews.c.repository_id == notice.repository_id, reviews.c.number == notice.number)
            row = connection.execute(select(reviews).where(*key)).first()
        is_rejected = row is not None and row.state == State.REJECTED
        is_strange = review_from(row).is_strangers if row and row.head_sha else is_from_fork and is_gated
        return notice.seen.open and (is_rejected or is_strange)

    def problems(self) -> list[str]:
        """Return what an operator must know about the repositories."""
        with self._database.read() as connection:
            found = select(repositories.c.problem).where(repositories.c.problem.is_not(None))
            return [str(problem) for problem in connection.scalars(found)]

    def forget_deliveries(self, age: timedelta) -> None:
        """Forget delivery ids that GitHub can no longer send again."""
        with self._database.write() as connection:
            oldest = self._database.now(connection) - age
            connection.execute(deliveries.delete().where(deliveries.c.received_at < oldest))

    def _nudge(
        self,
        delivery: str,
        which: tuple[Any, ...],
        changes: dict[str, Any] | None = None,
        custom: tuple[int, str] | None = None,
    ) -> Recorded:
        """Wake these reviews to look at something else than the pull request, which is as it was.

        `custom` names a repository and what it was now seen to use.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            if custom:
                uses = repositories.c[custom[1]]
                first = (repositories.c.repository_id == custom[0], ~uses)
                connection.execute(update(repositories).where(*first).values({uses: True}))
            if connection.execute(select(reviews.c.id).where(*which).limit(1)).first() is None:
                return Recorded.UNKNOWN
            if not self._is_first(connection, delivery, now):
                return Recorded.REPEATED
            connection.execute(update(reviews).where(*which).values({**woken(now), **(changes or {})}))
        return self._tell(Recorded.WOKEN)

    def _is_first(self, connection: Connection, delivery: str, now: datetime) -> bool:
        seen = self._database.insert(deliveries).values(id=delivery, received_at=now)
        # What is returned tells, on both databases; a row count does not on PostgreSQL.
        return connection.scalar(seen.on_conflict_do_nothing().returning(deliveries.c.id)) is not None

    def _tell(self, answer: Recorded) -> Recorded:
        if answer is Recorded.WOKEN:
            self._work_made.set()
        return answer

    def _wake(
        self, connection: Connection, found: Any, notice: Notice, now: datetime, *, adopt: bool = False
    ) -> Recorded:
        asked = _asked(found, notice)
        # While a worker may be reading something newer, what the row holds proves nothing.
        is_settled = found is not None and found.lease is None and found.rev == found.seen_rev
        # A comment moves GitHub's `updated_at`: whoever waits for an answer looks whether it is there.
        is_settled = is_settled and not (found.questions and found.state == State.WAITING)
        vouchers = _vouchers(found, notice)
        is_old = not asked and not self._is_new(connection, found, vouchers)
        if is_settled and is_old and tells_nothing_new(review_from(found), notice.seen):
            return Recorded.NOTHING_NEW
        first = {"adopted": adopt}
        changes = {"hint": _sticky_hint(found, notice), **asked}
        if found is not None and _is_interrupted(found, notice):
            changes["interrupted"] = True
        review_id = self._upsert(connection, notice, first, changes, now)
        for person in vouchers:
            asking = {"review_id": review_id, "id": person.id, "login": person.login}
            connection.execute(self._database.insert(requesters).values(asking).on_conflict_do_nothing())
        return Recorded.WOKEN

    def _is_new(self, connection: Connection, found: Any, vouchers: Sequence[Person]) -> bool:
        """Tell whether somebody among these was not yet known to have asked."""
        if not vouchers or found is None:
            return bool(vouchers)
        known = select(requesters.c.id).where(requesters.c.review_id == found.id)
        return not {person.id for person in vouchers} <= set(connection.scalars(known))

    def _upsert(
        self,
        connection: Connection,
        notice: Notice,
        first: dict[str, bool],
        changes: dict[str, Any],
        now: datetime,
    ) -> int:
        """Insert or wake, and return the id; update-then-insert would lose racing first events on PostgreSQL."""
        new = self._database.insert(reviews).values(
            repository_id=notice.repository_id,
            repository=notice.repository,
            number=notice.number,
            state=State.TO_ASK,
            changed_at=now,
            restless_since=now,
            created_at=now,
            due_at=now,
            title=notice.seen.title,
            **first,
        )
        woken = {
            "rev": reviews.c.rev + 1,
            "repository": notice.repository,
            **changes,
            # A leased row stays with its holder, who sees the new `rev` at the end.
            "due_at": case((reviews.c.lease.is_(None), now), else_=reviews.c.due_at),
        }
        put = new.on_conflict_do_update(index_elements=["repository_id", "number"], set_=woken)
        return int(connection.execute(put.returning(reviews.c.id)).scalar_one())


def _find(connection: Connection, notice: Notice) -> Any:
    key = (reviews.c.repository_id == notice.repository_id, reviews.c.number == notice.number)
    return connection.execute(select(reviews).where(*key).with_for_update()).first()


def _is_history(connection: Connection, notice: Notice) -> bool:
    """Tell whether an unknown pull request was closed before the gate came: nobody was passed over then."""
    if notice.seen.open:
        return False
    # A timer has the name of the settings, which may be an earlier one.
    known = select(repositories.c.name).where(repositories.c.repository_id == notice.repository_id)
    looks = or_(timers.c.name == notice.repository.casefold(), timers.c.name.in_(known))
    came = connection.scalar(select(func.min(timers.c.created_at)).where(looks))
    return came is None or notice.closed_at is None or notice.closed_at + SLACK < came


def _asked(found: Any, notice: Notice) -> dict[str, bool]:
    """Return what a request for a review changes: it asks again after a rejection.

    A late word, from before the rejection, asks nothing; GitHub's times have whole seconds.
    """
    decision = review_from(found).decision if found else None
    newest = max((at for _, at in notice.requests), default=None)
    is_again = decision and newest and found.state == State.REJECTED and newest + SLACK >= decision.at
    return {"asked_again": True} if is_again else {}


def _vouchers(found: Any, notice: Notice) -> list[Person]:
    """Return who asked for a review and may vouch for an outsider with it; whether they belong here, GitHub tells.

    The author cannot, nor a program. Of a row that was not read yet nobody knows whether it needs somebody.
    """
    if found is not None and found.head_sha and not review_from(found).is_strangers:
        return []
    return [by for by, _ in notice.requests if not by.is_bot and by.id != notice.author_id]


def _is_interrupted(found: Any, notice: Notice) -> bool:
    """Tell whether it was closed, a draft or for another base after the last look, even if it is no more.

    What comes late, from before that look, interrupts nothing.
    """
    seen = notice.seen
    is_news = found.updated_at is not None and notice.updated_at > found.updated_at
    is_closed = found.open and not seen.open and not seen.merged
    return is_news and (is_closed or (seen.draft and not found.draft) or seen.base != found.base)


def _sticky_hint(found: Any, notice: Notice) -> dict[str, Any] | None:
    """Return the hint to keep: two different words since the last look mean that only a read can tell."""
    said = asdict(notice.seen)
    if found is None or (found.rev > found.seen_rev and found.hint != said):
        return None
    return said
