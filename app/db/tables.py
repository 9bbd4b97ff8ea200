"""The tables. One row of `reviews` is one pull request; `rounds` holds what a reviewer was asked about.

`jobs` is the one queue. `history` is append-only. Only this package uses it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from app.db.columns import Document, EnumText, Id, UtcTime, metadata, where
from app.domain.approval import Basis, Choice, Merged
from app.domain.blocked import Blocked
from app.domain.facts import Snapshot, State
from app.domain.problems import What
from app.domain.review import Facts, Happened

# What there is to do, and for whom it failed last: see `jobs`. A row is gone when it is done.
jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("about", Text, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("lease", String(32)),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("problem", Text),
    Column("cause", EnumText(What)),
    Column("failed_in", String(64)),
    UniqueConstraint("kind", "about"),
    Index("jobs_due", "due_at"),
)

# What the gate needs outside: whether it answers, and until when it wants no call.
services = Table(
    "services",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_job", Text),
    Column("failing_since", UtcTime),
    Column("probe_at", UtcTime),
    Column("limited_until", UtcTime),
)

# What is wrong: see `domain.problems`. One that ended is kept; one that is noted is there until it is said to be over.
problems = Table(
    "problems",
    metadata,
    Column("id", Id, primary_key=True),
    Column("what", EnumText(What), nullable=False),
    Column("place", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("begun_at", UtcTime),
    Column("logged_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("is_noted", Boolean, nullable=False, default=False),
    Index("problems_open", "what", "place", unique=True, **where("ended_at IS NULL")),
)

repositories = Table(
    "repositories",
    metadata,
    Column("name", Text, primary_key=True),
    Column("repository_id", BigInteger, nullable=False),
    # What GitHub calls it, which is another name once it was renamed.
    Column("full_name", Text, nullable=False),
    Column("is_taken", Boolean, nullable=False, default=False),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", Id, primary_key=True),
    Column("repository_id", BigInteger, nullable=False),
    Column("repository", Text, nullable=False),
    Column("number", Integer, nullable=False),
    # Random, and made once: links and markers are made of them, so that none ever means another row or round.
    Column("nonce", String(24), nullable=False, unique=True),
    Column("round_nonce", String(24), nullable=False, index=True),
    Column("state", EnumText(State), nullable=False),
    Column("round", Integer, nullable=False, default=1),
    Column("base", Text, nullable=False, default=""),
    Column("head", Text, nullable=False, default=""),
    Column("head_sha", String(64), nullable=False, default=""),
    Column("is_from_outside", Boolean, nullable=False, default=False),
    Column("open", Boolean, nullable=False, default=True),
    Column("title", Text, nullable=False, default=""),
    Column("author", Text, nullable=False, default=""),
    Column("facts", Document(Facts), nullable=False, default=Facts()),
    Column("reviewer", String(16)),
    Column("changed_at", UtcTime, nullable=False),
    Column("restless_since", UtcTime, nullable=False),
    Column("asked_at", UtcTime),
    # The row of `decisions` that stands; its foreign key the other way is the one that databases keep.
    Column("decision_id", Id),
    Column("decisions", Integer, nullable=False, default=0),
    Column("merge_base", String(64)),
    Column("merge_commit", String(64), index=True),
    Column("merge_sent", String(64)),
    Column("merged_onto", String(64)),
    Column("merged_how", EnumText(Merged)),
    Column("vouched", Boolean, nullable=False, default=False),
    Column("blocked", Document(Blocked)),
    Column("created_at", UtcTime, nullable=False),
    Column("rev", Integer, nullable=False, default=1),
    Column("seen_rev", Integer, nullable=False, default=0),
    UniqueConstraint("repository_id", "number"),
    Index("reviews_state", "state"),
    Index("reviews_head", "repository_id", "head_sha"),
)

# What reviewers said, one row a word; `number` counts them by review. A later one ends all earlier ones.
decisions = Table(
    "decisions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("review_id", Id, ForeignKey("reviews.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("choice", EnumText(Choice), nullable=False),
    Column("reviewer", String(16), nullable=False),
    # What they were called that day.
    Column("by", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("note", Text, nullable=False),
    Column("basis", Document(Basis), nullable=False),
    Column("head_sha", String(64), nullable=False),
    UniqueConstraint("review_id", "number"),
)

# What an approval is for: see `Cover`.
covers = Table(
    "covers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("decision_id", Id, ForeignKey("decisions.id"), nullable=False, index=True),
    Column("base", Text, nullable=False),
    Column("head_sha", String(64), nullable=False),
    Column("merge_base", String(64)),
    Column("merged_as", String(64)),
)

# What GitHub was told, or is to be told: see `Post`.
posts = Table(
    "posts",
    metadata,
    Column("review_id", Id, ForeignKey("reviews.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("said", Text),
    Column("remote_id", BigInteger),
    Column("tries", Integer, nullable=False, default=0),
    Column("is_success", Boolean, nullable=False, default=False),
    Column("after", Integer, nullable=False, default=0),
)

rounds = Table(
    "rounds",
    metadata,
    Column("review_id", Id, ForeignKey("reviews.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("nonce", String(24), nullable=False, index=True),
    Column("asked_at", UtcTime, nullable=False),
    Column("snapshot", Document(Snapshot), nullable=False),
    # Title and text as they are now, where they were edited after the question.
    Column("edited", Document(tuple[str, str])),
    # Whether a letter about it went out to anybody, on its own or in a list.
    Column("was_mailed", Boolean, nullable=False, default=False),
)

# What GitHub says that people may do in a repository.
people = Table(
    "people",
    metadata,
    Column("repository_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True),
    Column("permission", String(16), nullable=False),
    Column("read_at", UtcTime, nullable=False),
)

# Who asked for a review of a pull request that needs somebody to vouch for it.
requesters = Table(
    "requesters",
    metadata,
    Column("review_id", Id, ForeignKey("reviews.id"), primary_key=True),
    Column("id", BigInteger, primary_key=True),
    Column("login", Text, nullable=False),
)

# What people wrote about a pull request, as far as it was looked at while a question stood, and how it read then.
heard = Table(
    "heard",
    metadata,
    Column("review_id", Id, ForeignKey("reviews.id"), primary_key=True),
    Column("place", String(16), primary_key=True),
    Column("id", BigInteger, primary_key=True),
    Column("digest", String(16), nullable=False),
)

letters = Table(
    "letters",
    metadata,
    Column("id", Id, primary_key=True),
    # What the letter is for, so that one cause never makes two: "ask 12 3 lily@example.com".
    Column("key", Text, nullable=False, unique=True),
    Column("nonce", String(24), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("review_id", Id, ForeignKey("reviews.id")),
    Column("round", Integer),
    Column("push_id", Id, ForeignKey("pushes.id")),
    Column("is_listed", Boolean, nullable=False, default=False),
    Column("day", Date),  # of a daily list
    Column("reviewer", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    # Not before this; the job that sends it may look earlier.
    Column("at", UtcTime, nullable=False),
    Column("sent_at", UtcTime),
    Column("used_at", UtcTime),
    # Which page a sign-in leads on to, in whatever browser its link is opened.
    Column("back", Text),
    Column("problem_id", Id, ForeignKey("problems.id")),
    # How often it was handed to SES without any answer: it may have gone out each time.
    Column("unknowns", Integer, nullable=False, server_default="0"),
    Index("letters_reviewer", "reviewer", "kind", "created_at"),
)

timers = Table(
    "timers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("seen", UtcTime),
    Column("etag", Text),
    Column("branches", Document(tuple[str, ...])),
)

# `until` is the first day back, by the calendar of TIMEZONE.
absences = Table(
    "absences",
    metadata,
    Column("reviewer", String(16), primary_key=True),
    Column("until", Date, nullable=False),
)

history = Table(
    "history",
    metadata,
    Column("id", Id, primary_key=True),
    Column("review_id", Id, ForeignKey("reviews.id"), index=True),
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
    # Which reviewer, where it was one: two may have one name.
    Column("reviewer", String(16)),
    Column("what", EnumText(Happened, 24), nullable=False),
    Column("base", Text, nullable=False),
    Column("head_sha", String(64), nullable=False),
    Column("round", Integer, nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Index("history_at", "at"),
)

# Every webhook, and what a poll found. `revision` is the review's `rev` that came of it.
inbox = Table(
    "inbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery", String(200), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("repository_id", BigInteger, nullable=False),
    Column("number", Integer),
    Column("sha", String(64)),
    Column("fields", Text, nullable=False),
    Column("folded_at", UtcTime),
    Column("review_id", Id),
    Column("revision", Integer),
    Index("inbox_unfolded", "id", **where("folded_at IS NULL")),
    Index("inbox_review", "review_id", "revision"),
    Index("inbox_repository", "repository_id", "kind", "sha"),
)

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seen_at", UtcTime, nullable=False),
)

# A database is made, or a backup restored: each time a new epoch begins, and the last one counts. `nonce` ends the
# sessions of the one before; `lost_since` is when the restored backup was made, None where nothing was lost.
epochs = Table(
    "epochs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("nonce", String(24), nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("lost_since", UtcTime),
)
