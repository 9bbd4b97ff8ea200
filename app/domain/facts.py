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

from app.domain.change import Change, Checks
from app.domain.people import Person
from app.domain.release import Release
from app.domain.written import by_people


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
class Status:
    """A commit status. `description` has at most 140 characters.

    https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
    """

    state: str
    description: str
    sha: str
    context: str
