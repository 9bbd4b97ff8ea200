"""What an event of the inbox does to the reviews; `Inbox` calls it, inside its transaction.

An event decides nothing: it wakes a review, or makes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select, update

from app.db.columns import insert
from app.db.database import Database, StorePart
from app.db.jobs import RELEASE, Kind, is_leased, put_timer, wake, wake_reviews
from app.db.repositories import came, pin
from app.db.rows import REVIEWS, lock_review, new_nonce, review_from
from app.db.tables import posts, repositories, requesters, reviews
from app.domain.events import (
    CheckEvent,
    CommentEvent,
    DeploymentEvent,
    GitHubEvent,
    PullRequestEvent,
    PushEvent,
)
from app.domain.facts import Person, State
from app.domain.policy import Policy
from app.domain.review import Review
from app.domain.rules import asks_again, interrupts, tells_nothing_new

# The clocks of GitHub and of the gate may differ by so much.
SLACK = timedelta(seconds=2)


class Recorded(StrEnum):
    """What became of an event."""

    WOKEN = "woken"
    NOTHING_NEW = "nothing new"
    FOREIGN = "another repository under a known name"
    UNKNOWN = "not gated and not known"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of an event; `revision` is the review's `rev` that came of it."""

    outcome: Recorded
    review_id: int | None = None
    revision: int | None = None


class Fold(StorePart):
    """What one event does, by its kind."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        # How far GitHub's clock is ahead of ours, as its last answer said.
        self.ahead = timedelta(0)

    def fold(self, connection: Connection, event: GitHubEvent, policy: Policy, now: datetime) -> Folded:
        """Bring one event into the reviews: wake the one it is about, or make it."""
        match event:
            case PullRequestEvent():
                return self._fold_pull_request(connection, event, policy, now)
            case CheckEvent():
                # While a merge is out, its refusal may be from before the check passed.
                waits = reviews.c.state.in_((State.TO_ASK, State.WAITING, State.TO_MERGE, State.MERGING))
                return _nudge(connection, now, *_with_head(event), waits)
            case DeploymentEvent():
                return _nudge(connection, now, *_with_head(event), reviews.c.open)
            case CommentEvent():
                # Whose reviewer asked a question: somebody may have answered.
                return _nudge(connection, now, *_key(event), _HAS_QUESTION, reviews.c.state == State.WAITING)
            case PushEvent():
                return self._fold_push(connection, event, policy, now)

    def waits_for_a_request(
        self, repository_id: int, number: int, *, is_gated: bool, is_from_fork: bool
    ) -> bool:
        """Tell whether a request for a review would change something, so that GitHub must be asked for one."""
        key = (reviews.c.repository_id == repository_id, reviews.c.number == number)
        row = self._database.first(REVIEWS.where(*key))
        if row is not None and row.state == State.REJECTED:
            return True
        return review_from(row).is_strangers if row and row.head_sha else is_from_fork and is_gated

    def _fold_pull_request(
        self, connection: Connection, event: PullRequestEvent, policy: Policy, now: datetime
    ) -> Folded:
        """Wake a review, or make it; one that has no row and whose base is not gated is forgotten."""
        lock_review(connection, *_key(event))
        found = connection.execute(REVIEWS.where(*_key(event))).first()
        is_gated = any(policy.gates(base) for base in (event.seen.base, event.base_before or ""))
        if found is None and (not is_gated or _is_history(connection, event)):
            return Folded(Recorded.UNKNOWN)
        if not pin(connection, event.repository, event.repository_id):
            return Folded(Recorded.FOREIGN)
        row = review_from(found) if found is not None else None
        vouchers = _vouchers(row, event)
        if row is not None and not self._is_news(connection, row, event, vouchers):
            return Folded(Recorded.NOTHING_NEW, row.id)
        review_id, revision = self._upsert(connection, event, now)
        for person in vouchers:
            asking = {"review_id": review_id, "id": person.id, "login": person.login}
            connection.execute(insert(requesters).values(asking).on_conflict_do_nothing())
        return Folded(Recorded.WOKEN, review_id, revision)

    def _fold_push(self, connection: Connection, event: PushEvent, policy: Policy, now: datetime) -> Folded:
        """Let the repository's release, or its branch, be looked at in a while: it has moved."""
        if not policy.gates(event.branch):
            return Folded(Recorded.UNKNOWN)
        if not pin(connection, event.repository, event.repository_id):
            return Folded(Recorded.FOREIGN)
        # The settings may have an earlier name of it; a timer for what they do not name does nothing.
        known = select(repositories.c.name).where(repositories.c.repository_id == event.repository_id)
        for name in connection.scalars(known).all():
            put_timer(connection, f"{RELEASE} {name}", now, policy.settling)
        # What somebody was asked about is read as well: it may overlap with what came onto its base.
        at = (reviews.c.repository_id == event.repository_id, reviews.c.base == event.branch)
        waits = (*at, reviews.c.state == State.WAITING)
        connection.execute(update(reviews).where(*waits).values(rev=reviews.c.rev + 1))
        wake_reviews(connection, now + policy.settling, *waits)
        return Folded(Recorded.WOKEN)

    def _is_news(
        self, connection: Connection, row: Review, event: PullRequestEvent, vouchers: Sequence[Person]
    ) -> bool:
        # While a worker may be reading something newer, what the row holds proves nothing.
        is_settled = row.rev == row.seen_rev and not is_leased(connection, Kind.REVIEW, str(row.id))
        # A comment moves GitHub's `updated_at`: whoever waits for an answer looks whether it is there.
        asked = select(reviews.c.id).where(reviews.c.id == row.id, _HAS_QUESTION)
        hears = row.state is State.WAITING and connection.scalar(asked) is not None
        is_known = tells_nothing_new(row, event.seen) and not interrupts(row, event)
        is_old = not asks_again(row, event, self.ahead) and not self._is_new(connection, row, vouchers)
        return not is_settled or hears or not is_known or not is_old

    def _is_new(self, connection: Connection, row: Review, vouchers: Sequence[Person]) -> bool:
        """Tell whether somebody among these was not yet known to have asked."""
        if not vouchers:
            return False
        known = select(requesters.c.id).where(requesters.c.review_id == row.id)
        return not {person.id for person in vouchers} <= set(connection.scalars(known))

    def _upsert(self, connection: Connection, event: PullRequestEvent, now: datetime) -> tuple[int, int]:
        """Insert or wake, and return id and `rev`; update-then-insert would lose racing first events on PostgreSQL."""
        place = {"repository_id": event.repository_id, "repository": event.repository, "number": event.number}
        begun = {
            "nonce": new_nonce(),
            "round_nonce": new_nonce(),
            "state": State.TO_ASK,
            "title": event.seen.title,
        }
        times = {"created_at": now, "changed_at": now, "restless_since": now}
        new = insert(reviews).values(place | begun | times)
        told = {"rev": reviews.c.rev + 1, "repository": event.repository}
        put = new.on_conflict_do_update(index_elements=["repository_id", "number"], set_=told)
        row = connection.execute(put.returning(reviews.c.id, reviews.c.rev)).one()
        wake(connection, Kind.REVIEW, str(row.id), now)
        return row.id, row.rev


def _nudge(connection: Connection, now: datetime, *which: Any) -> Folded:
    """Wake these reviews to look at something else than the pull request, which is as it was."""
    if connection.execute(select(reviews.c.id).where(*which).limit(1)).first() is None:
        return Folded(Recorded.UNKNOWN)
    wake_reviews(connection, now, *which)
    return Folded(Recorded.WOKEN)


def _key(event: PullRequestEvent | CommentEvent) -> tuple[Any, ...]:
    return (reviews.c.repository_id == event.repository_id, reviews.c.number == event.number)


def _with_head(event: CheckEvent | DeploymentEvent) -> tuple[Any, ...]:
    """Return what holds of the reviews whose head this is; a fork's event names no pull request."""
    return (reviews.c.repository_id == event.repository_id, reviews.c.head_sha == event.sha)


# Whether a reviewer asked something about a review.
_QUESTIONS = (posts.c.review_id == reviews.c.id, posts.c.key.startswith("question "))
_HAS_QUESTION = select(posts.c.key).where(*_QUESTIONS).exists()


def _is_history(connection: Connection, event: PullRequestEvent) -> bool:
    """Tell whether an unknown pull request was closed before the gate came: nobody was passed over then."""
    if event.seen.open:
        return False
    since = came(connection, event.repository_id, event.repository)
    return since is None or event.closed_at is None or event.closed_at + SLACK < since


def _vouchers(row: Review | None, event: PullRequestEvent) -> list[Person]:
    """Return who asked for a review and may vouch for an outsider with it; whether they belong here, GitHub tells.

    The author cannot, nor a program. Of a row that was not read yet nobody knows whether it needs somebody.
    """
    if row is not None and row.head_sha and not row.is_strangers:
        return []
    return [by for by, _ in event.requests if not by.is_bot and by.id != event.author_id]
