"""The tables of what a release holds: which merge brought which commits, and how far a branch is known.

Called by `releases`, and by `reviews` for what an approved merge brought. Commits are known by their SHAs.
The other tables are in `tables`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from app.db.columns import Document, Id, UtcTime, metadata
from app.domain.release import Unseen

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
