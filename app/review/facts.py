"""The nouns of the gate: pull request, review, round, decision, status.

Plain frozen data. `PullRequest` is what one read of GitHub says; `Review` is our row about it.
Times are aware and in UTC; a SHA is 40 hexadecimal digits. Nothing here decides anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from app.review.change import Change, Checks
from app.review.decisions import Choice, Decision
from app.review.people import Person
from app.review.release import Release
from app.review.written import by_people


class State(StrEnum):
    """Whose turn it is. The values are what the database holds."""

    DRAFT = "draft"
    TO_ASK = "to_ask"
    WAITING = "waiting"
    REJECTED = "rejected"
    TO_MERGE = "to_merge"
    MERGING = "merging"
    MERGED = "merged"
    CLOSED = "closed"


def words_digest(title: str, body: str) -> str:
    """Return 16 hex digits that tell whether people edited a title or a text.

    A program's summary, a ticked box and white space at a line's ends do not count.
    """
    lines = "\n".join([title, *by_people(body)])
    return hashlib.blake2b(lines.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What one read of a pull request says.

    `body` is "" for GitHub's null; `author` is "ghost", and `author_id` None, for a deleted one; `head_repository` is
    None when the fork was deleted; `merge_commit` means something only when `merged`; `mergeable` None: still
    computing. `belongs` tells whether a fork's author may write to the repository, None where that is not known.
    https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
    """

    repository_id: int
    repository: str
    private: bool
    number: int
    title: str
    body: str
    author: str
    author_is_bot: bool
    url: str
    open: bool
    draft: bool
    merged: bool
    merge_commit: str | None
    merged_by: str | None
    base: str
    base_sha: str
    head: str
    head_sha: str
    head_repository: str | None
    mergeable: bool | None
    mergeable_state: str
    additions: int
    deletions: int
    changed_files: int
    commits: int
    created_at: datetime
    updated_at: datetime
    author_id: int | None = None
    belongs: bool | None = None
    merged_at: datetime | None = None

    @property
    def writer(self) -> Person | None:
        """Return who opened it, None where the account is gone."""
        return Person(self.author_id, self.author, self.author_is_bot) if self.author_id else None

    @property
    def words(self) -> str:
        """Return the digest of its title and text."""
        return words_digest(self.title, self.body)

    @property
    def is_from_outside(self) -> bool:
        """Tell whether it comes from a fork by somebody who is not known to have the right to write."""
        return self.is_from_fork and not self.belongs

    @property
    def is_from_fork(self) -> bool:
        """Tell whether its head is another repository's branch."""
        return self.head_repository != self.repository


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody wrote about a pull request; `place` and `id` name it for good, `by` is None for who is gone."""

    place: Literal["comment", "review", "line"]
    id: int
    by: Person | None
    body: str
    at: datetime

    @property
    def digest(self) -> str:
        """Return 16 hex digits that tell whether it was edited."""
        return words_digest("", self.body)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Exactly what a reviewer is asked about in one round.

    `checks` is None where they were not read; `release` is what a release holds, None for any other pull request.
    """

    pull: PullRequest
    change: Change
    checks: Checks | None = None
    release: Release | None = None

    @property
    def names(self) -> dict[str, str]:
        """Return what people call themselves in their own commits, by login, the newest commit's where they differ.

        Anybody may write any name there, so nobody is called by it where the change comes from outside or a program made it.
        """
        if self.pull.is_from_outside or self.pull.author_is_bot:
            return {}
        return {one.author: one.name for one in self.change.commits if one.name}

    @property
    def author_name(self) -> str:
        """Return what the author is called, by the login where no name is known."""
        return self.names.get(self.pull.author, self.pull.author)


@dataclass(frozen=True, slots=True)
class Seen:
    """The few facts that a webhook's payload shows; `words` is the digest of title and text."""

    head_sha: str
    base: str
    open: bool
    draft: bool
    merged: bool
    title: str
    words: str


@dataclass(frozen=True, slots=True)
class Since:
    """What the events say. `interrupted`: it was closed, a draft or for another base, even if it is no more.

    `asked_again`: somebody asked for a review after the rejection. `is_known`: they only show what is known.
    """

    interrupted: bool = False
    asked_again: bool = False
    is_known: bool = False


NOTHING = Since()


@dataclass(frozen=True, slots=True)
class Said:
    """What GitHub was told of a review: one document of the row, in which every field has a default.

    `status` is the last one. `review` counts the decisions that were told, `begun` is the one whose review may be on its
    way. `hold` is what the comment about a held merge says, None where there is none. `question` counts the questions
    that were told, `comment` is the id of the comment that holds the last one, 0 where there is none.
    """

    status: str = ""
    review: int = 0
    begun: int = 0
    hold: str | None = None
    question: int = 0
    comment: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the last read said and no statement of the database searches for: one document of the row.

    Old documents stay readable: what is not known here is ignored, and every field has a default.
    `words` is the digest of title and text. `updated_at` is GitHub's. `try_url` is where the head was deployed to, as
    read at `try_read_at`.
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
    `adopted`: it was open before the gate came; `to_list`: the next digest letter names it. `hold` says why a yes is
    not merged yet, and `stuck` that this does not end by itself. `questions` counts what reviewers asked without
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
    adopted: bool
    to_list: bool
    hold: str | None
    stuck: bool
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
    def is_lost(self) -> bool:
        """Tell whether it was merged when nobody knows any more whether that was approved (`store.epoch`)."""
        return self.state is State.MERGED and not self.bypassed and self.decision is None

    @property
    def has_yes(self) -> bool:
        """Tell whether a reviewer's yes stands for this round."""
        return self.decision is not None and self.decision.choice is Choice.APPROVE


@dataclass(frozen=True, slots=True)
class Status:
    """A commit status. `description` has at most 140 characters.

    https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
    """

    state: str
    description: str
    sha: str
    context: str
