"""A checkpoint: what a worker writes of its review while its lease holds, all in one transaction.

Called by `jobs`. Every write is fenced by lease, state and round, so that nothing a person decided meanwhile is ever
overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select, update

from app.db.columns import insert, put
from app.db.database import StorePart, row_as
from app.db.jobs import LEASE, Claim, Kind
from app.db.letters import NewLetter, listed_if_too_many, put_letter
from app.db.queue import HELD, Overtaken, lease_of, renew
from app.db.releases import put_compared
from app.db.rows import (
    Happening,
    load,
    lock_review,
    log_happened,
    new_nonce,
    note_history,
    posts_of,
    put_cover,
    put_decision,
    put_post,
    record_merge,
)
from app.db.tables import heard, jobs, reviews, rounds
from app.domain.approval import Cover, Decision
from app.domain.facts import Change, Remark, Snapshot
from app.domain.review import Post, Review
from app.domain.rules import Move, consequences

_FENCE = (
    reviews.c.id == bindparam("fence_id"),
    reviews.c.state == bindparam("fence_state"),
    reviews.c.round == bindparam("fence_round"),
)
_CHANGED = update(reviews).where(*_FENCE).values(id=reviews.c.id).returning(*reviews.c)
_HELD_ROW = select(*reviews.c, jobs.c.due_at.label("leased_until")).join(jobs, and_(*HELD)).where(*_FENCE)


class Checkpoints(StorePart):
    """What is written of a review by whoever holds it."""

    def write(
        self,
        claim: Claim,
        row: Review,
        *,
        move: Move | None = None,
        happened: Sequence[Happening] = (),
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
            # The job before anything of the review is changed: that locks it, so that no other holder comes between.
            renew(connection, claim, now)
            found: Any = connection.execute(_CHANGED, {**_fence(row), **values}).first()
            if found is None:
                raise Overtaken
            for post in posts:
                put_post(connection, row.id, post)
            if row.decision and (carried or merged_as):
                _keep_approval(connection, row.decision, found, carried, merged_as)
                fresh = load(connection, row.id)
            else:
                fresh = _read_back(connection, found, row)
            _keep_round(connection, fresh, asked, carried, edited, now)
            for remark in heard:
                _hear(connection, row.id, remark)
            note_history(connection, now, fresh, happened)
        log_happened(fresh, happened)
        if letter or news:
            self._database.work_made.ring(Kind.MAIL)
        return fresh

    def read(self, claim: Claim, row: Review) -> Review | None:
        """Return a review as it is now, in place of a checkpoint that writes nothing; None: the lease has to be renewed.

        Raises Overtaken as a checkpoint does.
        """
        with self._database.read() as connection:
            found: Any = connection.execute(_HELD_ROW, {**lease_of(claim), **_fence(row)}).first()
            if found is None:
                raise Overtaken
            is_long = found.leased_until >= self._database.now(connection) + LEASE * 2 / 3
            return _read_back(connection, found, row) if is_long else None


def _fence(row: Review) -> dict[str, Any]:
    return {"fence_id": row.id, "fence_state": row.state, "fence_round": row.round}


def _read_back(connection: Connection, found: Any, before: Review) -> Review:
    """Return a review by its row as it is now.

    A decision that stands as before is not read again: only who holds the review changes what it covers.
    """
    if found.decision_id != (before.decision.id if before.decision else None):
        return load(connection, before.id)
    told = posts_of(connection, before.id)
    return row_as(Review, found, posts=told, decision=before.decision, problem=before.problem)


def _follows(row: Review, values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return what another head, base or round changes besides."""
    changes: dict[str, Any] = {}
    if "head_sha" in values and (values["head_sha"], values["base"]) != (row.head_sha, row.base):
        changes["changed_at"] = now
    if values.get("round", row.round) != row.round:
        changes["round_nonce"] = new_nonce()
    return changes


def _keep_approval(
    connection: Connection, decision: Decision, found: Any, carried: Change | None, merged_as: str | None
) -> None:
    """Keep what the approval covers besides, where it still stands, or the merge that it is recorded with."""
    if carried and found.decision_id:
        put_cover(connection, decision.id, Cover(found.base, found.head_sha, found.merge_base))
    if merged_as:
        record_merge(connection, decision.id, found, merged_as)


def _keep_round(
    connection: Connection,
    row: Review,
    asked: Snapshot | None,
    carried: Change | None,
    edited: tuple[str, str] | None,
    now: datetime,
) -> None:
    """Keep what somebody is asked about in this round, which commits it holds, and title and text as they are now."""
    if asked:
        question = {"round": row.round, "nonce": row.round_nonce, "asked_at": now, "snapshot": asked}
        connection.execute(insert(rounds).values(review_id=row.id, **question))
    change = carried or (asked.change if asked and not asked.release else None)
    if change and change.is_known:
        put_compared(connection, row, change.shas, change.merges)
    if edited:
        this = (rounds.c.review_id == row.id, rounds.c.round == row.round)
        connection.execute(update(rounds).where(*this).values(edited=edited))


def _hear(connection: Connection, review_id: int, remark: Remark) -> None:
    """Remember a remark as it reads now."""
    key = {"review_id": review_id, "place": remark.place, "id": remark.id}
    connection.execute(put(heard, key, {"digest": remark.digest}))
