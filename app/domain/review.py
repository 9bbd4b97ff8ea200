"""Our row about one pull request, as `domain`, `jobs` and `web` see it.

Plain frozen data: the facts of the last read, whose turn it is, what was decided, and what GitHub was told. Read it after
`facts`. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.domain.approval import Choice, Decision, Merged
from app.domain.blocked import Blocked
from app.domain.facts import Checks, State

# --- What the history says of a pull request: one word a line, for people to read.


class Happened(StrEnum):
    """What happened: what people did, what the gate did, what GitHub said, what is in the way."""

    APPROVED = "approved"
    REJECTED = "rejected"
    TAKEN_BACK = "taken_back"
    QUESTION = "question"
    ANSWERED = "answered"
    AWAY = "away"
    BACK = "back"
    ASKED = "asked"
    HANDED_OVER = "handed_over"
    UPDATED = "updated"
    LET_GO = "let_go"
    NEW_CODE = "round"
    SAME_CODE = "again"
    SAME_CHANGE = "same_change"
    EDITED = "edited"
    READY = "to_ask"
    DRAFT = "draft"
    CLOSED = "closed"
    UNGATED = "ungated"
    MERGED = "merged"
    BYPASSED = "bypassed"
    LOST = "lost"
    HELD = "held"
    UNREADY = "unready"
    UNSAID = "unsaid"


# --- The row.


@dataclass(frozen=True, slots=True)
class Post:
    """Something that GitHub is or was to be told about a review, by its key: what was said last, not what should be.

    Keys: "status SHA CONTEXT", "decision 3", "question 1", "blocked". `said` is None while nothing was said or nobody knows
    what was: then, where `tries` counts any, its marker is looked for first. `remote_id` is the comment's. `is_success`:
    a success may stand there. `after`: how many decisions there were when a question was asked.
    """

    key: str
    said: str | None = None
    remote_id: int | None = None
    tries: int = 0
    is_success: bool = False
    after: int = 0

    @property
    def kind(self) -> str:
        """Return what it is: status, decision, question or blocked."""
        return self.key.partition(" ")[0]

    @property
    def number(self) -> int:
        """Return which decision or question it is, from 1."""
        return int(self.key.partition(" ")[2])


# What `Post.said` is where it was not said and need not be any more.
OVERTAKEN, DROPPED = "overtaken", "dropped"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the last read said and no statement of the database searches for: one document of the row.

    Old documents stay readable: what is not known here is ignored, and every field has a default.
    `words` is the digest of title and text. `updated_at` is GitHub's. `try_url` is where the head was deployed to, as
    read at `try_read_at`. `conflicts`: GitHub says that it can't be merged as it is; None while GitHub hasn't said.
    `unsure_since` is when it was first read while GitHub was still finding that out; `had_conflict`: it conflicted for a
    while since somebody was asked. `checks` is what the automatic checks said of the head, as read at `checks_read_at`,
    None where they were not; `had_red` are those that were red last since somebody was asked.
    """

    is_from_fork: bool = False
    draft: bool = False
    merged: bool = False
    words: str = ""
    author_id: int | None = None
    url: str = ""
    private: bool = True
    updated_at: datetime | None = None
    try_url: str | None = None
    try_read_at: datetime | None = None
    conflicts: bool | None = None
    unsure_since: datetime | None = None
    had_conflict: bool = False
    checks: Checks | None = None
    checks_read_at: datetime | None = None
    had_red: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """Our row about one pull request.

    `nonce` and `round_nonce` are what its links and markers are made of, the latter those of the current round.
    The facts (`base` to `facts`) are those of the last read; `head_sha` is "" before the first.
    `decision` is the standing one, None when nobody has decided on this round.
    `posts` are what GitHub was told, or is to be told, by key; of one of many reviews in a list they are not read.
    `vouched`: somebody else than the author requested a review.
    `merge_base` is where `head_sha` branched off when it was asked about, or carried over; None where that is not known.
    `merge_sent` is the head for which a merge was sent last, `merged_onto` where the base stood when a rebase of several
    commits was; `merged_how` tells whether an approval covers the merge. `blocked` is what is in the way of the question or the
    merge. `rev` counts what happened, `seen_rev` how far we have looked. `problem` is why the last run of its job
    failed, where it was read along.
    """

    id: int
    repository_id: int
    repository: str
    number: int
    nonce: str
    round_nonce: str
    state: State
    round: int
    base: str
    head: str
    head_sha: str
    is_from_outside: bool
    open: bool
    title: str
    author: str
    facts: Facts
    reviewer: str | None
    changed_at: datetime
    restless_since: datetime
    asked_at: datetime | None
    decision: Decision | None
    decisions: int
    merge_base: str | None
    merge_commit: str | None
    merge_sent: str | None
    merged_onto: str | None
    merged_how: Merged | None
    vouched: bool
    blocked: Blocked | None
    rev: int
    seen_rev: int
    created_at: datetime
    posts: Mapping[str, Post] = field(default_factory=dict)
    problem: str | None = None

    @property
    def name(self) -> str:
        """Return "owner/repo#12@abc1234", as the logs show it."""
        return f"{self.repository}#{self.number}@{self.head_sha[:7]}"

    @property
    def was_read(self) -> bool:
        """Tell whether GitHub was read at least once for this row."""
        return self.head_sha != ""

    @property
    def is_from_fork(self) -> bool:
        """Tell whether its head is another repository's branch."""
        return self.facts.is_from_fork

    @property
    def needs_voucher(self) -> bool:
        """Tell whether it comes from outside and nobody with the right to write has vouched for it."""
        return self.is_from_outside and not self.vouched

    @property
    def held(self) -> Blocked | None:
        """Return what is in the way, once it is there for long enough to be told."""
        return self.blocked if self.blocked and self.blocked.is_told else None

    @property
    def is_stuck(self) -> bool:
        """Tell whether what is in the way does not end by itself."""
        return self.held is not None and not self.held.why.handling.is_passing

    @property
    def is_developer_told(self) -> bool:
        """Tell whether a comment at GitHub says what is in the way now."""
        post = self.posts.get("blocked")
        return self.held is not None and post is not None and post.said == self.held.key

    @property
    def bypassed(self) -> bool:
        """Tell whether it was merged without an approval that covers it."""
        return self.merged_how is Merged.BYPASSED

    @property
    def is_decision_said(self) -> bool:
        """Tell whether GitHub was told the standing decision."""
        post = self.posts.get(f"decision {self.decision.number}") if self.decision else None
        return post is None or post.said is not None

    @property
    def questions(self) -> list[Post]:
        """Return what reviewers asked without deciding."""
        return [post for post in self.posts.values() if post.kind == "question"]

    @property
    def open_questions(self) -> list[Post]:
        """Return those of them since which nobody has decided."""
        return [post for post in self.questions if post.after == self.decisions]

    @property
    def is_approved(self) -> bool:
        """Tell whether a reviewer's approval stands for this round."""
        return self.decision is not None and self.decision.choice is Choice.APPROVE
