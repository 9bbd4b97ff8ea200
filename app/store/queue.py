"""The queue in the rows: claim what is due, write while the lease holds, give it back.

Called by the worker and the workflow. A claim is a lease: when its holder dies, the row falls due again by
itself. Every write of a holder is fenced by lease, state and round, so that nothing a person decided meanwhile
is ever overwritten.

    Overtaken   the row moved on, or the lease is gone: read it afresh
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, String, case, cast, func, insert, select, update
from sqlalchemy.sql.schema import Table

from app.review import Move, Remark, Review, Snapshot, consequences
from app.store.database import Database
from app.store.letters import NewLetter, alone_or_listed, put_letter
from app.store.rows import Happening, columns_from, note_history, review_from
from app.store.tables import asked_commits, letters, reviews, rounds, timers, workers
from app.store.talk import note_heard

# Longer than any step between two checkpoints takes; after it another worker takes over.
LEASE = timedelta(seconds=120)
# Letters first: they are short, and Lily is waiting for them.
QUEUES: dict[str, Table] = {"letter": letters, "review": reviews, "timer": timers}


class Overtaken(Exception):
    """The row moved on, or the lease ran out; what was to be written was not."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one row until the lease ends; `rev` is a review's when it was claimed."""

    kind: str
    id: int
    lease: str
    attempts: int
    rev: int = 0


class Queue:
    """Claims, checkpoints and ends."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self) -> Claim | None:
        """Lease the earliest due row of the first queue that has one; None when nothing is due."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            for kind, table in QUEUES.items():
                due = select(table).where(table.c.due_at <= now).order_by(table.c.due_at)
                row = connection.execute(due.limit(1).with_for_update(skip_locked=True)).first()
                if row is not None:
                    rev = row.rev if table is reviews else 0
                    claim = Claim(kind, row.id, secrets.token_hex(8), row.attempts, rev)
                    values = {"lease": claim.lease, "due_at": now + LEASE}
                    connection.execute(update(table).where(table.c.id == row.id).values(values))
                    return claim
        return None

    def checkpoint(
        self,
        claim: Claim,
        row: Review,
        *,
        move: Move | None = None,
        happened: list[Happening] | None = None,
        asked: Snapshot | None = None,
        edited: tuple[str, str] | None = None,
        letter: NewLetter | None = None,
        news: Sequence[NewLetter] = (),
        at_once: bool = False,
        heard: Sequence[Remark] = (),
        **changes: Any,
    ) -> Review:
        """Write what is now true of a review, all in one transaction, and renew the lease.

        `changes` are fields of `Review`. `asked` is kept as the snapshot of the round, for which `letter`
        goes out; `edited` are the title and text that it has now; `news` are other letters. What goes
        beyond its reader's ceiling comes in a list instead, unless `at_once`. `heard` are remarks that need not be
        looked at again. Raises Overtaken when the lease, state or round are not what `row` says.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            values = columns_from({**changes, **(consequences(row, move, now) if move else {})})
            if "head_sha" in changes and (changes["head_sha"], changes["base"]) != (row.head_sha, row.base):
                values["changed_at"] = now
            if letter:
                values["asked_at"] = now
            for wanted in (letter, *news) if letter else news:
                told = wanted if at_once else alone_or_listed(connection, self._database, wanted, row, now)
                if told.kind == "digest":
                    values["to_list"] = True
                put_letter(connection, self._database, told, now)
            fresh = self._fenced(connection, claim, row, {**values, "due_at": now + LEASE})
            if asked:
                _keep_round(connection, fresh, asked, now)
            if edited:
                _keep_words(connection, fresh, edited)
            for remark in heard:
                note_heard(connection, self._database, fresh.id, remark)
            note_history(connection, now, fresh, happened or [])
            return fresh

    def finish(
        self, claim: Claim, *, wait: timedelta | None, attempts: int = 0, problem: str | None = None
    ) -> None:
        """Give a row back: due again after `wait`, or None for not until something happens.

        A review that something happened to meanwhile is due at once. Does nothing when the lease is gone.
        """
        table = QUEUES[claim.kind]
        with self._database.write() as connection:
            now = self._database.now(connection)
            due: Any = now + wait if wait is not None else None
            if table is reviews:
                due = case((reviews.c.rev > claim.rev, now), else_=due)
            values = {"lease": None, "due_at": due, "attempts": attempts, "problem": problem}
            connection.execute(update(table).where(*_held(table, claim)).values(values))

    def renew(self, claim: Claim) -> None:
        """Renew a lease during a long step. Raises Overtaken when it is gone."""
        table = QUEUES[claim.kind]
        with self._database.write() as connection:
            values = {"due_at": self._database.now(connection) + LEASE}
            fence = update(table).where(*_held(table, claim)).values(values).returning(table.c.id)
            if connection.execute(fence).first() is None:
                raise Overtaken

    def release(self, claim: Claim) -> None:
        """Give a row back at once: somebody else moved it, so that it has to be looked at afresh."""
        table = QUEUES[claim.kind]
        with self._database.write() as connection:
            values = {"lease": None, "due_at": self._database.now(connection)}
            connection.execute(update(table).where(*_held(table, claim)).values(values))

    def admit_success(self, review_id: int, key: str) -> None:
        """Note a success that was said after the lease was gone, as `Review.success_on` has it, and wake the row.

        A call that is out cannot be fenced at GitHub: whoever holds the row next takes it back, or keeps it.
        """
        with self._database.write() as connection:
            found = select(reviews).where(reviews.c.id == review_id).with_for_update()
            row = review_from(connection.execute(found).one())
            now = self._database.now(connection)
            values = {
                **columns_from({"success_on": tuple({*row.success_on, key})}),
                "rev": reviews.c.rev + 1,
                "due_at": case((reviews.c.lease.is_(None), now), else_=reviews.c.due_at),
            }
            connection.execute(update(reviews).where(reviews.c.id == review_id).values(values))

    def oldest_due(self) -> timedelta | None:
        """Return for how long the most overdue row has been due; None when nothing is due."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            firsts = [connection.scalar(select(func.min(table.c.due_at))) for table in QUEUES.values()]
            overdue = [now - first for first in firsts if first is not None and first <= now]
            return max(overdue, default=None)

    def problems(self) -> list[tuple[str, str]]:
        """Return whose last step failed, and why: a review, a timer by its name, or a letter by its kind."""
        review = reviews.c.repository + "#" + cast(reviews.c.number, String)
        with self._database.read() as connection:
            found: list[Any] = []
            for about, table in ((review, reviews), (timers.c.name, timers), (letters.c.kind, letters)):
                failed = select(about, table.c.problem).where(table.c.problem.is_not(None))
                found += connection.execute(failed.order_by(table.c.id))
        return [(about, problem) for about, problem in found]

    def beat(self, worker: str) -> None:
        """Note that this worker is alive."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            beat = self._database.insert(workers).values(name=worker, seen_at=now)
            connection.execute(beat.on_conflict_do_update(index_elements=["name"], set_={"seen_at": now}))

    def last_beat(self) -> timedelta | None:
        """Return how long ago any worker was last alive; None: never."""
        with self._database.read() as connection:
            seen: datetime | None = connection.scalar(select(func.max(workers.c.seen_at)))
            return self._database.now(connection) - seen if seen else None

    def _fenced(self, connection: Connection, claim: Claim, row: Review, values: dict[str, Any]) -> Review:
        fence = (*_held(reviews, claim), reviews.c.state == row.state, reviews.c.round == row.round)
        fresh = connection.execute(update(reviews).where(*fence).values(values).returning(reviews)).first()
        if fresh is None:
            raise Overtaken
        return review_from(fresh)


def _held(table: Table, claim: Claim) -> tuple[Any, Any]:
    return (table.c.id == claim.id, table.c.lease == claim.lease)


def _keep_round(connection: Connection, row: Review, asked: Snapshot, now: datetime) -> None:
    values = {"review_id": row.id, "round": row.round, "asked_at": now, "snapshot": asked.to_json()}
    connection.execute(insert(rounds).values(values))
    commits = {commit.sha for commit in asked.change.commits}
    if commits:
        key = {"review_id": row.id, "round": row.round}
        connection.execute(insert(asked_commits), [{**key, "sha": sha} for sha in sorted(commits)])


def _keep_words(connection: Connection, row: Review, edited: tuple[str, str]) -> None:
    this = (rounds.c.review_id == row.id, rounds.c.round == row.round)
    connection.execute(update(rounds).where(*this).values(edited=list(edited)))
