"""The inbox: every webhook, and everything that a poll found, is one row before it is acknowledged.

`put` is all that a webhook waits for. `fold` brings the rows into the reviews, in order, a few a transaction, by one
thread of one process at a time. Rows are kept for a while: a delivery that GitHub sends again is known by its id, and
what came since the last read of a pull request tells what happened in between.
"""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from app.db.columns import insert
from app.db.database import FOLD_LOCK, Bell, Database, StorePart, lock
from app.db.fold import Fold, Folded, Recorded
from app.db.jobs import Kind
from app.db.tables import inbox
from app.domain.events import EVENT, POLLED, CheckEvent, GitHubEvent, PullRequestEvent
from app.domain.policy import Policy

log = logging.getLogger("qa-gate.inbox")

# Webhooks that overlap are a crowd, for so many seconds after the last.
CROWD = 0.05

# How long rows are kept. Only deliveries from the past 3 days can be sent again:
# https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks
KEPT_FOR = timedelta(days=7)

# So many rows in one transaction: while it lasts, SQLite lets nobody else write.
BATCH = 10

_COLUMNS = ("delivery", "kind", "repository_id", "number", "sha", "fields")
_INSERT = (
    "INSERT INTO inbox (delivery, kind, repository_id, number, sha, fields) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (delivery) DO NOTHING"
)
_PUT = insert(inbox).on_conflict_do_nothing(index_elements=["delivery"]).returning(inbox.c.id)
_NEXT = select(inbox).where(inbox.c.folded_at.is_(None)).order_by(inbox.c.id).limit(BATCH)
_FOLDED = update(inbox).where(inbox.c.id == bindparam("row"))


class Inbox(StorePart):
    """Deliveries by id."""

    def __init__(self, database: Database, fold: Fold) -> None:
        super().__init__(database)
        self._fold = fold
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
            now, rows = self._database.now(connection), connection.execute(_NEXT).all()
            outcomes = [self._fold_row(connection, row, policy, now) for row in rows]
        for row, outcome in zip(rows, outcomes, strict=True):
            log.info("%s %s %s", row.delivery, row.kind, outcome.value)
        if Recorded.WOKEN in outcomes:
            self._database.work_made.ring(Kind.REVIEW, Kind.RELEASE, Kind.POLL)
        return outcomes

    def since(self, review_id: int, after: int, until: int) -> list[PullRequestEvent]:
        """Return the events of a review that made its `rev` larger than `after`, up to `until`, in order."""
        told = select(inbox.c.fields).where(inbox.c.review_id == review_id, inbox.c.revision > after)
        found = self._database.all(told.where(inbox.c.revision <= until).order_by(inbox.c.revision))
        return [PullRequestEvent.model_validate_json(row.fields) for row in found]

    def told_at(self, kind: str, repository_id: int, sha: str | None = None) -> datetime | None:
        """Return when an event of this kind about a repository, or one commit of it, was folded last, if it is kept."""
        which = [inbox.c.repository_id == repository_id, inbox.c.kind == kind]
        if sha is not None:
            which.append(inbox.c.sha == sha)
        found: datetime | None = self._database.scalar(select(func.max(inbox.c.folded_at)).where(*which))
        return found

    def checks_since(self, repository_id: int, sha: str, since: datetime | None) -> list[CheckEvent]:
        """Return what was told of the checks of a commit, from this time on, as far as it is kept."""
        which = [inbox.c.repository_id == repository_id, inbox.c.kind == "check", inbox.c.sha == sha]
        if since is not None:
            which.append(inbox.c.folded_at >= since)
        found = self._database.all(select(inbox.c.fields).where(*which).order_by(inbox.c.id))
        return [CheckEvent.model_validate_json(row.fields) for row in found]

    def forget(self) -> None:
        """Forget what was folded longer ago than rows are kept."""
        with self._database.write() as connection:
            oldest = self._database.now(connection) - KEPT_FOR
            connection.execute(delete(inbox).where(inbox.c.folded_at < oldest))

    def _fold_row(self, connection: Connection, row: Any, policy: Policy, now: datetime) -> Recorded:
        try:
            with connection.begin_nested():
                folded = self._fold.fold(connection, EVENT.validate_json(row.fields), policy, now)
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
