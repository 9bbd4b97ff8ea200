"""Our row about one pull request, as the rules, the workflow and the pages see it.

Plain frozen data: the facts of the last read, whose turn it is, what was decided, and what GitHub was told. Read it after
`facts`. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.review.blocked import Blocked
from app.review.decisions import Choice, Decision
from app.review.facts import State


@dataclass(frozen=True, slots=True)
class Said:
    """What GitHub was told of a review: one document of the row, in which every field has a default.

    `status` is the last one. `review` counts the decisions that were told, `begun` is the one whose review may be on its
    way. `blocked` names what the comment about a merge that waits says, None where there is none. `question` counts the questions
    that were told, `comment` is the id of the comment that holds the last one, 0 where there is none.
    """

    status: str = ""
    review: int = 0
    begun: int = 0
    blocked: str | None = None
    question: int = 0
    comment: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the last read said and no statement of the database searches for: one document of the row.

    Old documents stay readable: what is not known here is ignored, and every field has a default.
    `words` is the digest of title and text. `updated_at` is GitHub's. `try_url` is where the head was deployed to, as
    read at `try_read_at`. `conflicts`: GitHub says that it can't be merged as it is; None while GitHub hasn't said.
    """

    base_sha: str = ""
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


@dataclass(frozen=True, slots=True)
class Review:
    """Our row about one pull request.

    `nonce` and `round_nonce` are what its links and markers are made of, the latter those of the current round.
    The facts (`base` to `facts`) are those of the last read; `head_sha` is "" before the first.
    `decision` is the standing one, None when nobody has decided on this round.
    `success_on` names every commit and status context on which success stands, or may stand, at GitHub.
    `said` is what GitHub was last told.
    `vouched`: somebody else than the author requested a review.
    `merge_base` is where `head_sha` branched off when it was asked about, or carried over; None where that is not known.
    `merge_sent` is the head for which a merge was sent last, `merged_onto` where the base stood when a rebase of several
    commits was; `merged_by_gate`: our merge did it.
    `blocked` is what is in the
    way of the question or the merge. `questions` counts what reviewers asked without
    deciding. `rev` counts what happened, `seen_rev` how far we have looked. `problem` is why the last run of its job
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
    success_on: tuple[str, ...]
    said: Said
    merge_base: str | None
    merge_commit: str | None
    merge_sent: str | None
    merged_onto: str | None
    merged_by_gate: bool
    bypassed: bool
    vouched: bool
    blocked: Blocked | None
    rev: int
    seen_rev: int
    questions: int
    created_at: datetime
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
    def is_strangers(self) -> bool:
        """Tell whether it comes from outside and nobody with the right to write has vouched for it."""
        return self.is_from_outside and not self.vouched

    @property
    def held(self) -> Blocked | None:
        """Return what is in the way, once it is there for long enough to be told."""
        return self.blocked if self.blocked and self.blocked.is_told else None

    @property
    def is_stuck(self) -> bool:
        """Tell whether what is in the way does not end by itself."""
        return self.held is not None and not self.held.manner.is_passing

    @property
    def is_developer_told(self) -> bool:
        """Tell whether a comment at GitHub says what is in the way now."""
        return self.held is not None and self.said.blocked == self.held.key

    @property
    def has_yes(self) -> bool:
        """Tell whether a reviewer's yes stands for this round."""
        return self.decision is not None and self.decision.choice is Choice.APPROVE
