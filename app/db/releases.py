"""What the account of a release is made of: which merges brought which commits, and how far a branch is known.

Called by `jobs`. Commits are known by their SHAs. Whether a merge was approved is never kept here but told
from its review each time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    select,
    update,
)

from app.db.columns import Document, Id, UtcTime, insert, metadata, put
from app.db.database import StorePart, row_as
from app.db.letters import NewLetter, put_letter
from app.db.rows import REVIEWS, review_from
from app.db.tables import history, reviews
from app.domain.facts import State, Unseen
from app.domain.release import Merge, Origin
from app.domain.review import Happened, Review

# --- The tables of what a release holds: which merge brought which commits, and how far a branch is known.


# All commits of each comparison that a question or an approval rests on; `merges` counts those that are merges.
compared = Table(
    "compared",
    metadata,
    Column("review_id", Id, ForeignKey("reviews.id"), primary_key=True),
    Column("base", Text, primary_key=True),
    Column("head_sha", String(64), primary_key=True),
    Column("shas", Document(tuple[str, ...]), nullable=False),
    Column("merges", Integer, nullable=False),
)

# Where the development branch stood: on day one, with what was ahead of the release branch then, and at the last look.
development = Table(
    "development",
    metadata,
    Column("repository_id", BigInteger, primary_key=True),
    Column("branch", Text, primary_key=True),
    Column("day_one", String(64), nullable=False),
    Column("ahead", Document(tuple[str, ...])),
    Column("head", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
)

# What GitHub said of a commit that no pull request of ours is known to have brought; `pull` is null: pushed directly.
origins = Table(
    "origins",
    metadata,
    Column("repository_id", BigInteger, primary_key=True),
    Column("sha", String(64), primary_key=True),
    Column("pull", Integer),
    Column("title", Text, nullable=False),
    Column("author", Text, nullable=False),
)

# Pushes past the gate that are to be told: a changed history, and, where there is no release, what came in.
pushes = Table(
    "pushes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", BigInteger, nullable=False),
    Column("repository", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("head", String(64), nullable=False),
    Column("is_forced", Boolean, nullable=False),
    Column("is_level", Boolean, nullable=False),
    Column("gone", Document(tuple[str, ...]), nullable=False),
    Column("unseen", Document(tuple[Unseen, ...]), nullable=False),
    Index("pushes_branch", "repository_id", "branch"),
)


# --- What the account of a release is made of.


# So many names in one question to the database: each has a limit.
MOST_NAMES = 500


# Reviews with the commits that they were asked about as they stand.
WITH_COMPARED = REVIEWS.add_columns(compared.c.shas, compared.c.merges).join(
    compared,
    and_(
        compared.c.review_id == reviews.c.id,
        compared.c.base == reviews.c.base,
        compared.c.head_sha == reviews.c.head_sha,
    ),
    isouter=True,
)


@dataclass(frozen=True, slots=True)
class SeenBranch:
    """Where a branch stood on day one, and at the last look, which began `at`; `ahead` is what was ahead on day one.

    None: that was not read yet.
    """

    day_one: str
    ahead: tuple[str, ...] | None
    head: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Push:
    """A push past the gate: what nobody was asked about, or a history that was changed.

    `head` is where it left the branch; `gone` are the merge commits that are not in the branch any more. `is_level`: it
    left nothing ahead of the release branch.
    """

    repository_id: int
    repository: str
    branch: str
    head: str
    is_forced: bool = False
    is_level: bool = False
    gone: tuple[str, ...] = ()
    unseen: tuple[Unseen, ...] = ()


class Releases(StorePart):
    """How far each branch is known, and what came onto it."""

    # --- The branch -------------------------------------------------------------------------------------------

    def seen(self, repository_id: int, branch: str) -> SeenBranch | None:
        """Return how far a branch is known, None before the first look."""
        here = select(development).filter_by(repository_id=repository_id, branch=branch)
        return self._database.one(SeenBranch, here)

    def begin(self, repository_id: int, branch: str, head: str, ahead: tuple[str, ...] | None = None) -> None:
        """Remember day one: what is ahead of the release branch then is nobody's to account for."""
        values = {"repository_id": repository_id, "branch": branch, "day_one": head, "head": head}
        with self._database.write_now() as (connection, now):
            new = insert(development).values(ahead=ahead, at=now, **values)
            connection.execute(new.on_conflict_do_nothing())

    def keep_ahead(self, repository_id: int, branch: str, ahead: Sequence[str]) -> None:
        """Remember what was ahead on day one, where that could not be told then."""
        here = update(development).filter_by(repository_id=repository_id, branch=branch)
        with self._database.write() as connection:
            connection.execute(here.values(ahead=tuple(ahead)))

    def note_head(self, before: str, push: Push, at: datetime, letters: Collection[str] = ()) -> None:
        """Note where a branch stood when the look that began `at` read it. `letters` are the ids of those who are told of the push by mail, once.

        All in one transaction, and nothing where somebody else noted it before.
        """
        there = {"repository_id": push.repository_id, "branch": push.branch, "head": before}
        moved = update(development).filter_by(**there).values(head=push.head, at=at)
        with self._database.write() as connection:
            if connection.execute(moved).rowcount == 0 or not (push.is_forced or push.unseen):
                return
            now = self._database.now(connection)
            values = {name: getattr(push, name) for name in Push.__slots__}
            put = insert(pushes).values(at=now, **values).returning(pushes.c.id)
            number = connection.execute(put).scalar_one()
            for reviewer in letters:
                letter = NewLetter(f"push {number} {reviewer}", "push", reviewer, push_id=number)
                put_letter(connection, letter, now)
        self._database.work_made.ring()

    def push(self, push_id: int) -> Push | None:
        """Return one push."""
        return self._database.one(Push, select(pushes).where(pushes.c.id == push_id))

    def forced(self, repository_id: int, branch: str) -> list[Push]:
        """Return the forced pushes to a branch, oldest first."""
        here = (pushes.c.repository_id == repository_id, pushes.c.branch == branch, pushes.c.is_forced)
        return self._database.many(Push, select(pushes).where(*here).order_by(pushes.c.id))

    # --- The commits ------------------------------------------------------------------------------------------

    def is_merging(self, repository_id: int, branch: str) -> bool:
        """Tell whether a merge of our own into the branch is out whose commit is not known yet."""
        return self._database.first(_of(repository_id, branch, State.MERGING)) is not None

    def merges(self, repository_id: int, shas: Sequence[str]) -> list[Merge]:
        """Return the pull requests that were merged as one of these commits, each with the commits it was asked about."""
        ours = WITH_COMPARED.where(reviews.c.repository_id == repository_id).order_by(reviews.c.id)
        found = self._among(ours, reviews.c.merge_commit, shas)
        return [Merge(review_from(row), row.shas, row.merges or 0) for row in found]

    def merged(self, repository_id: int, branch: str, shas: Sequence[str] | None) -> list[Review]:
        """Return what was merged into a branch as one of these commits, or at all."""
        found = _of(repository_id, branch, State.MERGED)
        rows = self._database.all(found) if shas is None else self._among(found, reviews.c.merge_commit, shas)
        return [review_from(row) for row in rows]

    def merged_since(self, repository_id: int, branch: str, at: datetime) -> list[Review]:
        """Return what was merged into a branch since then."""
        told = select(history.c.review_id).where(history.c.at >= at, history.c.what == Happened.MERGED)
        found = _of(repository_id, branch, State.MERGED).where(reviews.c.id.in_(told))
        return [review_from(row) for row in self._database.all(found)]

    def _among(self, query: Select[Any], column: Column[Any], names: Sequence[str]) -> list[Row[Any]]:
        """Return the rows in which the column holds one of these names."""
        parts = [names[start : start + MOST_NAMES] for start in range(0, len(names), MOST_NAMES)]
        with self._database.read():
            return [row for part in parts for row in self._database.all(query.where(column.in_(part)))]

    def keep_compared(self, row: Review, shas: Sequence[str], merges: int) -> None:
        """Remember which commits a merge took in, where that was not known when it was asked about."""
        with self._database.write() as connection:
            put_compared(connection, row, shas, merges)

    def origins(self, repository_id: int, shas: Sequence[str]) -> dict[str, Origin]:
        """Return what GitHub said of these commits, as far as it was asked."""
        ours = select(origins).filter_by(repository_id=repository_id)
        found = self._among(ours, origins.c.sha, shas)
        return {row.sha: row_as(Origin, row) for row in found}

    def keep_origin(self, repository_id: int, sha: str, origin: Origin) -> None:
        """Remember what GitHub says of a commit."""
        new = insert(origins).values(repository_id=repository_id, sha=sha, **asdict(origin))
        with self._database.write() as connection:
            connection.execute(new.on_conflict_do_nothing())


def put_compared(connection: Connection, row: Review, shas: Sequence[str], merges: int) -> None:
    """Keep all commits of the comparison of a review's base and head as they stand in its row."""
    place = {"review_id": row.id, "base": row.base, "head_sha": row.head_sha}
    connection.execute(put(compared, place, {"shas": tuple(shas), "merges": merges}))


def _of(repository_id: int, branch: str, state: State) -> Select[Any]:
    into = (reviews.c.repository_id == repository_id, reviews.c.base == branch)
    return REVIEWS.where(*into, reviews.c.state == state).order_by(reviews.c.id)
