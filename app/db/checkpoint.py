"""A checkpoint: what a worker writes of its review while its lease holds, all in one transaction.

Called by `jobs`. Every write is fenced by lease, state and round, so that nothing a person decided meanwhile is ever
overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select, update

from app.db.columns import insert
from app.db.database import StorePart
from app.db.jobs import LEASE, Claim, Kind
from app.db.letters import NewLetter, listed_if_too_many, put_letter
from app.db.queue import HELD, Overtaken, held, renew
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
from app.db.tables import jobs, reviews, rounds
from app.db.talk import note_heard
from app.domain.approval import Cover, Decision
from app.domain.facts import Change, Remark, Snapshot
from app.domain.review import Post, Review
from app.domain.rules import Move, consequences

_FENCE = (
    reviews.c.id == bindparam("fence_id"),
    reviews.c.state == bindparam("fence_state"),
    reviews.c.round == bindparam("fence_round"),
)
_HELD_ROW = select(*reviews.c, jobs.c.due_at.label("leased_until")).join(jobs, and_(*HELD)).where(*_FENCE)
_CHANGED = update(reviews).where(*_FENCE).values(id=reviews.c.id).returning(*reviews.c)


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
            found = connection.execute(_CHANGED, {**_fence(row), **values}).first()
            if found is None:
                raise Overtaken
            fresh = written(connection, found, row)
            for post in posts:
                put_post(connection, row.id, post)
            fresh = _keep_approval(connection, row, fresh, carried, merged_as)
            owed = [Post(f"decision {decision.number}")] if decision else []
            fresh = replace(fresh, posts={**row.posts, **{post.key: post for post in (*posts, *owed)}})
            if asked:
                question = {
                    "round": fresh.round,
                    "nonce": fresh.round_nonce,
                    "asked_at": now,
                    "snapshot": asked,
                }
                connection.execute(insert(rounds).values(review_id=row.id, **question))
            change = carried or (asked.change if asked and not asked.release else None)
            if change and change.is_known:
                put_compared(connection, fresh, change.shas, change.merges)
            if edited:
                this = (rounds.c.review_id == row.id, rounds.c.round == fresh.round)
                connection.execute(update(rounds).where(*this).values(edited=edited))
            for remark in heard:
                note_heard(connection, fresh.id, remark)
            note_history(connection, now, fresh, happened)
        log_happened(fresh, happened)
        if letter or news:
            self._database.work_made.ring(Kind.MAIL)
        return fresh

    def held(self, claim: Claim, row: Review) -> Review | None:
        """Return a review as it is now, in place of a checkpoint that writes nothing; None: the lease has to be renewed.

        Raises Overtaken as a checkpoint does.
        """
        with self._database.read() as connection:
            found: Any = connection.execute(_HELD_ROW, {**held(claim), **_fence(row)}).first()
            if found is None:
                raise Overtaken
            if found.leased_until < self._database.now(connection) + LEASE * 2 / 3:
                return None
            return replace(written(connection, found, row), posts=row.posts)


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
