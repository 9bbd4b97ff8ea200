"""The inbox: every webhook, and everything that a poll found, is one row before it is acknowledged.

`put` is all that a webhook waits for. `fold` brings the rows into the reviews, in order, a few a transaction, by one
thread of one process at a time. Rows are kept for a while: a delivery that GitHub sends again is known by its id, and
what came since the last read of a pull request tells what happened in between.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from app.db.columns import insert
from app.db.database import FOLD_LOCK, Bell, Database, StorePart, lock
from app.db.jobs import RELEASE, Kind, is_leased, put_timer, wake, wake_reviews
from app.db.repositories import pin, watched_since
from app.db.rows import REVIEWS, lock_review, new_nonce, review_from
from app.db.tables import inbox, posts, repositories, requesters, reviews
from app.domain.events import (
    EVENT,
    POLLED,
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
from app.domain.rules import WHOLE_SECONDS, asks_again, interrupts, tells_nothing_new

log = logging.getLogger("qa-gate.inbox")

# Webhooks that overlap are a crowd, for so many seconds after the last.
CROWD = 0.05

# How long rows are kept. Only deliveries from the past 3 days can be sent again:
# https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks
KEPT_FOR = timedelta(days=7)

# So many rows in one transaction: while it lasts, SQLite lets nobody else write. On PostgreSQL one: whoever has locked a
# review's job for one event must not wait for a review for the next, whose worker waits for that job.
BATCH, BATCH_POSTGRESQL = 10, 1

_COLUMNS = ("delivery", "kind", "repository_id", "number", "sha", "fields")
_INSERT = (
    "INSERT INTO inbox (delivery, kind, repository_id, number, sha, fields) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (delivery) DO NOTHING"
)
_PUT = insert(inbox).on_conflict_do_nothing(index_elements=["delivery"]).returning(inbox.c.id)
_NEXT = select(inbox).where(inbox.c.folded_at.is_(None)).order_by(inbox.c.id).limit(bindparam("most"))
_ASKING = select(requesters.c.id).where(requesters.c.review_id == bindparam("review"))
_FOLDED = update(inbox).where(inbox.c.id == bindparam("row"))
_SINCE = (
    select(inbox.c.fields)
    .where(
        inbox.c.review_id == bindparam("review"),
        inbox.c.revision.between(bindparam("first"), bindparam("last")),
    )
    .order_by(inbox.c.revision)
)
_TOLD_AT = select(func.max(inbox.c.folded_at)).where(
    inbox.c.repository_id == bindparam("repository"), inbox.c.kind == bindparam("kind")
)
_TOLD_OF_COMMIT_AT = _TOLD_AT.where(inbox.c.sha == bindparam("sha"))


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


class Inbox(StorePart):
    """Deliveries by id."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        # How far GitHub's clock is ahead of ours, as its last answer said.
        self.ahead = timedelta(0)
        self._batch = BATCH if database.is_sqlite else BATCH_POSTGRESQL
        self._coming: deque[str] = deque()
        self._crowded_until = 0.0

    def put(self, delivery: str, event: GitHubEvent) -> bool:
        """Keep an event; False where the delivery is known already. Raises Unavailable.

        The one statement of a webhook goes to SQLite's own driver: through SQLAlchemy it would cost five times as much.
        """
        self._coming.append(delivery)
        if len(self._coming) > 1:
            self._crowded_until = monotonic() + CROWD
        try:
            is_new = self._keep(delivery, event)
        finally:
            self._coming.popleft()
        self._database.work_made.ring(Bell.INBOX)
        return is_new

    def give_way(self, most: float) -> None:
        """Let a crowd of webhooks in first, and wait at most so many seconds: GitHub gives up after ten."""
        end = monotonic() + most
        while monotonic() < min(self._crowded_until, end):
            sleep(CROWD / 5)

    def _keep(self, delivery: str, event: GitHubEvent) -> bool:
        place = (event.repository_id, event.number, event.sha)
        values = (delivery, event.kind, *place, event.model_dump_json())
        if self._database.is_sqlite:
            return self._database.execute_raw(_INSERT, values) == 1
        with self._database.write() as connection:
            return connection.execute(_PUT, dict(zip(_COLUMNS, values, strict=True))).first() is not None

    def fold(self, policy: Policy) -> list[Recorded]:
        """Bring the next few events into the reviews, and return what became of each; empty when there was none."""
        with self._database.write() as connection:
            lock(connection, FOLD_LOCK)
            now = self._database.now(connection)
            rows = connection.execute(_NEXT, {"most": self._batch}).all()
            outcomes = [self._fold_row(connection, row, policy, now) for row in rows]
        for row, outcome in zip(rows, outcomes, strict=True):
            log.info("%s %s %s", row.delivery, row.kind, outcome.value)
        if Recorded.WOKEN in outcomes:
            self._database.work_made.ring(Kind.REVIEW, Kind.RELEASE, Kind.POLL)
        return outcomes

    def since(self, review_id: int, after: int, until: int) -> list[PullRequestEvent]:
        """Return the events of a review that made its `rev` larger than `after`, up to `until`, in order."""
        found = self._database.all(_SINCE, {"review": review_id, "first": after + 1, "last": until})
        return [PullRequestEvent.model_validate_json(row.fields) for row in found]

    def told_at(self, kind: str, repository_id: int, sha: str | None = None) -> datetime | None:
        """Return when an event of this kind about a repository, or one commit of it, was folded last, if it is kept."""
        which = {"repository": repository_id, "kind": kind, "sha": sha}
        found: datetime | None = self._database.scalar(_TOLD_OF_COMMIT_AT if sha else _TOLD_AT, which)
        return found

    def checks_since(self, repository_id: int, sha: str, since: datetime | None) -> list[CheckEvent]:
        """Return what was told of the checks of a commit, from this time on, as far as it is kept."""
        which = [inbox.c.repository_id == repository_id, inbox.c.kind == "check", inbox.c.sha == sha]
        if since is not None:
            which.append(inbox.c.folded_at >= since)
        found = self._database.all(select(inbox.c.fields).where(*which).order_by(inbox.c.id))
        return [CheckEvent.model_validate_json(row.fields) for row in found]

    def waits_for_a_request(self, repository_id: int, number: int, *, may_need_voucher: bool) -> bool:
        """Tell whether a request for a review would change something, so that GitHub must be asked for one.

        `may_need_voucher`: a pull request that was not read yet may be an outsider's.
        """
        key = (reviews.c.repository_id == repository_id, reviews.c.number == number)
        row = self._database.first(REVIEWS.where(*key))
        if row is not None and row.state == State.REJECTED:
            return True
        return review_from(row).needs_voucher if row and row.head_sha else may_need_voucher

    def forget(self) -> None:
        """Forget what was folded longer ago than rows are kept."""
        with self._database.write() as connection:
            oldest = self._database.now(connection) - KEPT_FOR
            connection.execute(delete(inbox).where(inbox.c.folded_at < oldest))

    def _fold_row(self, connection: Connection, row: Any, policy: Policy, now: datetime) -> Recorded:
        try:
            with connection.begin_nested():
                folded = _fold_event(connection, EVENT.validate_json(row.fields), policy, now, self.ahead)
        except (ValueError, LookupError, TypeError):
            # A bug of ours must not hold up what comes after; the next poll finds what this one told.
            log.exception("%s %s cannot be folded", row.delivery, row.kind)
            folded = Folded(Recorded.FAILED)
        if folded.outcome in (Recorded.FOREIGN, Recorded.FAILED) and row.delivery.partition(" ")[0] == POLLED:
            # The next poll finds it again: by then it may be trusted.
            connection.execute(delete(inbox).where(inbox.c.id == row.id))
            return folded.outcome
        told = {"row": row.id, "folded_at": now, "review_id": folded.review_id, "revision": folded.revision}
        connection.execute(_FOLDED, told)
        return folded.outcome


# --- What one event does to the reviews: it decides nothing, but wakes one, or makes it.


def _fold_event(
    connection: Connection, event: GitHubEvent, policy: Policy, now: datetime, ahead: timedelta
) -> Folded:
    match event:
        case PullRequestEvent():
            return _fold_pull_request(connection, event, policy, now, ahead)
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
            return _fold_push(connection, event, policy, now)


def _fold_pull_request(
    connection: Connection, event: PullRequestEvent, policy: Policy, now: datetime, ahead: timedelta
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
    if row is not None and not _is_news(connection, row, event, vouchers, ahead):
        return Folded(Recorded.NOTHING_NEW, row.id)
    review_id, revision = _upsert(connection, event, now)
    for person in vouchers:
        asking = {"review_id": review_id, "id": person.id, "login": person.login}
        connection.execute(insert(requesters).values(asking).on_conflict_do_nothing())
    return Folded(Recorded.WOKEN, review_id, revision)


def _fold_push(connection: Connection, event: PushEvent, policy: Policy, now: datetime) -> Folded:
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
    connection: Connection, row: Review, event: PullRequestEvent, vouchers: Sequence[Person], ahead: timedelta
) -> bool:
    # While a worker may be reading something newer, what the row holds proves nothing.
    is_settled = row.rev == row.seen_rev and not is_leased(connection, Kind.REVIEW, str(row.id))
    # A comment moves GitHub's `updated_at`: whoever waits for an answer looks whether it is there.
    asked = select(reviews.c.id).where(reviews.c.id == row.id, _HAS_QUESTION)
    hears = row.state is State.WAITING and connection.scalar(asked) is not None
    is_known = tells_nothing_new(row, event.seen) and not interrupts(row, event)
    wanted = {one.id for one in vouchers}
    is_new = bool(wanted) and not wanted <= set(connection.scalars(_ASKING, {"review": row.id}))
    return not is_settled or hears or not is_known or asks_again(row, event, ahead) or is_new


def _upsert(connection: Connection, event: PullRequestEvent, now: datetime) -> tuple[int, int]:
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
    since = watched_since(connection, event.repository_id, event.repository)
    return since is None or event.closed_at is None or event.closed_at + WHOLE_SECONDS < since


def _vouchers(row: Review | None, event: PullRequestEvent) -> list[Person]:
    """Return who asked for a review and may vouch for an outsider with it; whether they belong here, GitHub tells.

    The author cannot, nor a program. Of a row that was not read yet nobody knows whether it needs somebody.
    """
    if row is not None and row.head_sha and not row.needs_voucher:
        return []
    return [by for by, _ in event.requests if not by.is_bot and by.id != event.author_id]
