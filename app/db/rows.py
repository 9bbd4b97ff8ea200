"""Rows as the rules see them, and the few writes that every part of the store makes.

Only this package uses it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, bindparam, cast, select, update

from app.db.columns import insert
from app.db.database import row_as
from app.db.tables import covers, decisions, history, jobs, posts, reviews
from app.domain.approval import Choice, Cover, Decision
from app.domain.review import Happened, Post, Review

log = logging.getLogger("qa-gate.review")

_DECISION = tuple(field.name for field in fields(Decision) if field.name != "covers")

# Reviews with the decision that stands.
REVIEWS = select(
    reviews, *(decisions.c[name].label(f"decision_{name}") for name in _DECISION if name != "id")
).join_from(reviews, decisions, reviews.c.decision_id == decisions.c.id, isouter=True)
_JOB = (jobs.c.kind == "review", jobs.c.about == cast(reviews.c.id, String))
# The same with why the last run of their job failed, as the pages show it.
WITH_PROBLEM = REVIEWS.add_columns(select(jobs.c.problem).where(*_JOB).scalar_subquery().label("problem"))
_ONE = WITH_PROBLEM.where(reviews.c.id == bindparam("review"))
_POSTS = select(posts).where(posts.c.review_id == bindparam("review"))
_NEW_POST = insert(posts)
_PUT_POST = _NEW_POST.on_conflict_do_update(
    index_elements=["review_id", "key"],
    set_={name: _NEW_POST.excluded[name] for name in Post.__slots__ if name != "key"},
)
_COVERS = select(covers).where(covers.c.decision_id == bindparam("decision")).order_by(covers.c.id)


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, as the history keeps it; `reviewer` is the id, where a reviewer did it."""

    what: Happened
    who: str
    detail: str = ""
    reviewer: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of the timeline."""

    at: datetime
    who: str
    what: Happened
    base: str
    head_sha: str
    round: int
    detail: str
    reviewer: str | None = None


def review_from(row: Row[Any]) -> Review:
    """Read one row of `REVIEWS`; posts and covers are not in it."""
    standing = {name: row._mapping[f"decision_{name}"] for name in _DECISION}
    return row_as(Review, row, decision=Decision(**standing) if standing["id"] else None)


def load(connection: Connection, review_id: int, *, lock: bool = False) -> Review:
    """Return a review with its posts and what its approval covers; `lock` it until the transaction ends.

    Raises LookupError when there is no such review.
    """
    if lock:
        lock_review(connection, reviews.c.id == review_id)
    row = connection.execute(_ONE, {"review": review_id}).first()
    if row is None:
        raise LookupError(review_id)
    return complete(connection, row)


def lock_review(connection: Connection, *which: Any) -> None:
    """Lock a review until the transaction ends; it is read after that.

    What is joined to a row that is locked and read in one statement may be older than the row itself on PostgreSQL.
    """
    if connection.dialect.name != "sqlite":  # which lets nobody else write anyway
        connection.execute(select(reviews.c.id).where(*which).with_for_update())


def complete(connection: Connection, row: Row[Any]) -> Review:
    """Read one row of `REVIEWS`, with its posts and what its approval covers."""
    review = review_from(row)
    told = posts_of(connection, review.id)
    if review.decision is None:
        return replace(review, posts=told)
    found = connection.execute(_COVERS, {"decision": review.decision.id})
    covered = tuple(row_as(Cover, cover) for cover in found)
    return replace(review, posts=told, decision=replace(review.decision, covers=covered))


def posts_of(connection: Connection, review_id: int) -> dict[str, Post]:
    """Return what GitHub was told of a review, or is to be told."""
    return {post.key: row_as(Post, post) for post in connection.execute(_POSTS, {"review": review_id})}


def put_post(connection: Connection, review_id: int, post: Post) -> None:
    """Write what GitHub was told, or that it is to be told."""
    connection.execute(_PUT_POST, {"review_id": review_id, **asdict(post)})


def put_decision(connection: Connection, row: Review, decision: Decision) -> int:
    """Append a decision on a review as it stands, with what an approval covers; GitHub is to be told. Return its id."""
    here = replace(decision, round=row.round, head_sha=row.head_sha)
    values = {name: getattr(here, name) for name in _DECISION if name != "id"}
    new = insert(decisions).values(review_id=row.id, **values).returning(decisions.c.id)
    made = int(connection.execute(new).scalar_one())
    if decision.choice is Choice.APPROVE:
        put_cover(connection, made, Cover(row.base, row.head_sha, row.merge_base))
    put_post(connection, row.id, Post(f"decision {decision.number}"))
    return made


def record_merge(connection: Connection, decision_id: int, row: Review, merged_as: str) -> None:
    """Record the approval of this head with the one merge that it covers."""
    this = (covers.c.decision_id == decision_id, covers.c.base == row.base, covers.c.head_sha == row.head_sha)
    connection.execute(update(covers).where(*this).values(merged_as=merged_as))


def put_cover(connection: Connection, decision_id: int, cover: Cover) -> None:
    """Add what an approval covers: it was given for that, or carried over to it."""
    connection.execute(insert(covers).values(decision_id=decision_id, **asdict(cover)))


def new_nonce() -> str:
    """Return 24 random hex digits, which nobody guesses and which never come again."""
    return secrets.token_hex(12)


def note_history(connection: Connection, now: datetime, row: Review, happened: Sequence[Happening]) -> None:
    """Append what happened to the row's history, in the transaction that made it so."""
    facts = {"review_id": row.id, "at": now, "base": row.base, "head_sha": row.head_sha, "round": row.round}
    if happened:
        connection.execute(insert(history), [{**facts, **asdict(thing)} for thing in happened])


def log_happened(row: Review, happened: Sequence[Happening]) -> None:
    """Write one log line for each thing that happened, once it is kept; what people wrote is not in it."""
    for thing in happened:
        log.info("%s#%d: %s, by %s (round %d)", row.repository, row.number, thing.what, thing.who, row.round)


def note_event(connection: Connection, now: datetime, happened: Happening) -> None:
    """Append to the history what is about no review in particular."""
    nothing = {"review_id": None, "base": "", "head_sha": "", "round": 0}
    connection.execute(insert(history).values(at=now, **nothing, **asdict(happened)))
