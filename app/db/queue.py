"""The worker's side of the store: claim a job, write what is true of its review while the lease holds, give it back.

Called by the worker and `jobs`. A claim is a lease: when its holder dies, the job falls due again by itself.
Every write of a holder is fenced by lease, state and round, so that nothing a person decided meanwhile is ever
overwritten.

    Overtaken   the row moved on, or the lease is gone: read it afresh
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, select, update

from app.db import jobs as queue
from app.db.columns import insert
from app.db.database import StorePart
from app.db.jobs import LEASE, Claim, Kind, Service
from app.db.letters import NewLetter, listed_if_too_many, put_letter
from app.db.releases import put_compared
from app.db.rows import (
    Happening,
    lock_review,
    log_happened,
    new_nonce,
    note_history,
    put_cover,
    put_decision,
    put_post,
    record_merge,
    with_covers,
    written,
)
from app.db.services import note_down, note_up
from app.db.tables import jobs, reviews, rounds, workers
from app.db.talk import note_heard
from app.domain.approval import Cover, Decision
from app.domain.facts import Change, Remark, Snapshot
from app.domain.problems import What
from app.domain.review import Post, Review
from app.domain.rules import Move, consequences

log = logging.getLogger("qa-gate.review")

# A worker that has been silent for longer is dead; one that was seen in the future is of a clock that was wrong.
A_WORKERS_SILENCE = timedelta(seconds=60)


class Overtaken(Exception):
    """The row moved on, or the lease ran out; what was to be written was not."""


class Queue(StorePart):
    """Claims, checkpoints and ends."""

    def claim(self, kinds: Collection[Kind] = tuple(Kind), *, decided_only: bool = False) -> Claim | None:
        """Lease the earliest due job of these kinds, or of reviews that somebody decided on; None when none is due."""
        with self._database.write_now() as (connection, now):
            return queue.claim(connection, now, kinds, decided_only=decided_only)

    def checkpoint(
        self,
        claim: Claim,
        row: Review,
        *,
        move: Move | None = None,
        happened: list[Happening] | None = None,
        asked: Snapshot | None = None,
        carried: Change | None = None,
        edited: tuple[str, str] | None = None,
        letter: NewLetter | None = None,
        news: Sequence[NewLetter] = (),
        at_once: bool = False,
        heard: Sequence[Remark] = (),
        posts: Sequence[Post] = (),
        decision: Decision | None = None,
        merged_as: str | None = None,
        **changes: Any,
    ) -> Review:
        """Write what is now true of a review, all in one transaction, and renew the lease.

        `changes` are fields of `Review`. `asked` is kept as the snapshot of the round, for which `letter` goes out;
        `carried` is the comparison of a new head that holds the same change, `edited` title and text as they are now.
        `news` are other letters; what goes beyond its reader's ceiling comes in a list, unless `at_once`. `heard` are
        remarks that need not be looked at again, `posts` what GitHub was told. `decision` is one that the gate made
        itself; `merged_as` is the merge that the approval is recorded with.
        Raises Overtaken when the lease, state or round are not what `row` says.
        """
        with self._database.write() as connection:
            # The review before its job, as whoever brings an event or a decision: else each waits for the other.
            lock_review(connection, reviews.c.id == row.id)
            now = self._database.now(connection)
            values = {**changes, **(consequences(row, move, now) if move else {})}
            values |= _follows(row, values, now) | ({"asked_at": now} if letter else {})
            for wanted in (letter, *news) if letter else news:
                told = wanted if at_once else listed_if_too_many(connection, wanted, row, now)
                put_letter(connection, told, now)
            if decision:
                put_decision(connection, row, decision)
                values["decisions"] = decision.number
            fresh = self._fenced(connection, claim, row, values, now)
            for post in posts:
                put_post(connection, row.id, post)
            fresh = _keep_approval(connection, row, fresh, carried, merged_as)
            owed = [Post(f"decision {decision.number}")] if decision else []
            fresh = replace(fresh, posts={**row.posts, **{post.key: post for post in (*posts, *owed)}})
            if asked:
                _keep_round(connection, fresh, asked, now)
            change = carried or (asked.change if asked and not asked.release else None)
            if change and change.is_known:
                put_compared(connection, fresh, change.shas, change.merges)
            if edited:
                _keep_words(connection, fresh, edited)
            for remark in heard:
                note_heard(connection, fresh.id, remark)
            note_history(connection, now, fresh, happened or [])
        log_happened(fresh, happened or [])
        if letter or news:
            self._database.work_made.ring(Kind.MAIL)
        return fresh

    def held(self, claim: Claim, row: Review) -> Review | None:
        """Return a review as it is now, in place of a checkpoint that writes nothing; None: the lease has to be renewed.

        Raises Overtaken as a checkpoint does.
        """
        with self._database.read() as connection:
            found: Any = connection.execute(_HELD_ROW, {**queue.held(claim), **_fence(row)}).first()
            if found is None:
                raise Overtaken
            if found.leased_until < self._database.now(connection) + LEASE * 2 / 3:
                return None
            return replace(written(connection, found, row), posts=row.posts)

    def finish(
        self,
        claim: Claim,
        *,
        wait: timedelta | None,
        attempts: int = 0,
        problem: str | None = None,
        cause: What | None = None,
        failed_in: Service | None = None,
        answered: Collection[Service] = (),
    ) -> None:
        """Give a job back: due again after `wait`, or gone where that is None; woken meanwhile, it is due at once.

        `failed_in` is the service that gave no answer, `answered` those that did. Does nothing when the lease is gone.
        """
        with self._database.write_now() as (connection, now):
            # The services before any job, and in one order, as at every claim: else each waits for the other.
            about = f"{claim.kind} {claim.about}"
            for service in sorted({*answered, *((failed_in,) if failed_in else ())}):
                if service == failed_in:
                    note_down(connection, service, about, now)
                elif note_up(connection, service, now):
                    log.warning("%s answers again; what failed meanwhile is tried again.", service.label)
            facts = {"attempts": attempts, "problem": problem, "cause": cause, "failed_in": failed_in}
            queue.finish(connection, claim, now, wait=wait, **facts)  # type: ignore[arg-type]

    def renew(self, claim: Claim) -> None:
        """Renew a lease during a long step. Raises Overtaken when it is gone."""
        with self._database.write() as connection:
            if not queue.renew(connection, claim, self._database.now(connection)):
                raise Overtaken

    def release(self, claim: Claim) -> None:
        """Give a job back at once: somebody else moved its row, so that it has to be looked at afresh."""
        with self._database.write() as connection:
            queue.finish(connection, claim, self._database.now(connection), wait=timedelta(0))

    def wake_failed(self) -> None:
        """Let everything that waits after a failure be tried again now."""
        with self._database.write_now() as (connection, now):
            queue.wake_failed(connection, now)
            queue.wake_reviews(connection, now, reviews.c.blocked.is_not(None))

    def admit(self, review_id: int, post: Post) -> None:
        """Note what was said after the lease was gone: whoever holds the row next finds out whether it should stand.

        A call that is out cannot be fenced at GitHub.
        """
        with self._database.write() as connection:
            put_post(connection, review_id, post)
            now = self._database.now(connection)
            queue.wake(connection, Kind.REVIEW, str(review_id), now)

    def oldest_due(self) -> timedelta | None:
        """Return for how long the most overdue job has been due; None when nothing is due."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            first = queue.oldest_due(connection, now)
            return now - first if first is not None and first <= now else None

    def beat(self, worker: str) -> None:
        """Note that this worker is alive."""
        with self._database.write_now() as (connection, now):
            beat = insert(workers).values(name=worker, seen_at=now)
            connection.execute(beat.on_conflict_do_update(index_elements=["name"], set_={"seen_at": now}))

    def leave(self, worker: str) -> None:
        """Note that this worker has ended: it is known at once, and not only once it has been silent for a while."""
        with self._database.write() as connection:
            connection.execute(workers.delete().where(workers.c.name == worker))

    def last_beat(self) -> timedelta | None:
        """Return how long ago any worker was last alive; None: never. What was seen in the future counts for nothing."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            known = select(func.max(workers.c.seen_at)).where(workers.c.seen_at <= now + A_WORKERS_SILENCE)
            seen: datetime | None = connection.scalar(known)
            return max(now - seen, timedelta(0)) if seen else None

    def _fenced(
        self, connection: Connection, claim: Claim, row: Review, values: dict[str, Any], now: datetime
    ) -> Review:
        # The job before anything is changed: that locks it, so that no other holder comes between.
        if not queue.renew(connection, claim, now):
            raise Overtaken
        fresh = connection.execute(_CHANGED, {**_fence(row), **values}).first()
        if fresh is None:
            raise Overtaken
        return written(connection, fresh, row)


_FENCE = (
    reviews.c.id == bindparam("fence_id"),
    reviews.c.state == bindparam("fence_state"),
    reviews.c.round == bindparam("fence_round"),
)
_HELD_ROW = (
    select(*reviews.c, jobs.c.due_at.label("leased_until")).join(jobs, and_(*queue.HELD)).where(*_FENCE)
)
_CHANGED = update(reviews).where(*_FENCE).values(id=reviews.c.id).returning(*reviews.c)


def _fence(row: Review) -> dict[str, Any]:
    return {"fence_id": row.id, "fence_state": row.state, "fence_round": row.round}


def _follows(row: Review, values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return what another head, base or round changes besides."""
    changes: dict[str, Any] = {}
    if "head_sha" in values and (values["head_sha"], values["base"]) != (row.head_sha, row.base):
        changes["changed_at"] = now
    if values.get("round", row.round) != row.round:
        changes["round_nonce"] = new_nonce()
    return changes


def _keep_approval(
    connection: Connection, row: Review, fresh: Review, carried: Change | None, merged_as: str | None
) -> Review:
    """Keep what the approval that stands covers besides, or the merge that it is recorded with; return the review with it."""
    if carried and row.decision and fresh.decision:
        cover = Cover(fresh.base, fresh.head_sha, fresh.merge_base)
        put_cover(connection, row.decision.id, cover, "carried")
    if merged_as and row.decision:
        record_merge(connection, row.decision.id, fresh, merged_as)
    is_more = row.decision and (carried or merged_as)
    return replace(fresh, decision=with_covers(connection, fresh.decision)) if is_more else fresh


def _keep_round(connection: Connection, row: Review, asked: Snapshot, now: datetime) -> None:
    values = {
        "review_id": row.id,
        "round": row.round,
        "nonce": row.round_nonce,
        "asked_at": now,
        "snapshot": asked,
    }
    connection.execute(insert(rounds).values(values))


def _keep_words(connection: Connection, row: Review, edited: tuple[str, str]) -> None:
    this = (rounds.c.review_id == row.id, rounds.c.round == row.round)
    connection.execute(update(rounds).where(*this).values(edited=edited))
