"""The nouns of the gate: pull request, review, round, decision, status.

Plain frozen data. `PullRequest` is what one read of GitHub says; `review.Review` is our row about it.
Times are aware and in UTC; a SHA is 40 hexadecimal digits. Nothing here decides anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from app.domain.description import by_people

# --- People at GitHub, and which of them belong to a repository.


# Who belongs to a repository's people, by what they may do in it.
# https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
INSIDERS = frozenset({"admin", "maintain", "write"})
# What GitHub writes beside those of whom it knows it; of a colleague whose membership is private it says CONTRIBUTOR.
# https://docs.github.com/en/graphql/reference/enums#commentauthorassociation
MEMBERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at GitHub: the id is theirs for good, the login may be another's tomorrow."""

    id: int
    login: str
    is_bot: bool = False


# --- What a change consists of: its commits and files, as one comparison shows them, and what its checks say.


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file of a change; status is GitHub's word (added, removed, modified, renamed, ...).

    `patch` is its unified diff, None where GitHub shows none: not text, too large, or nothing but its name or mode
    changed; "" for an empty file. `is_cut`: the end of the patch was left out here.
    """

    path: str
    status: str
    additions: int
    deletions: int
    previous_path: str | None = None
    patch: str | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a change; `message` is its first line, `name` who git says wrote it, "" where it does not.

    `parents`, where they are known: it was put on the first of them.
    """

    sha: str
    message: str
    author: str
    name: str = ""
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One comparison of a base branch, where it stood just then (`base_sha`), with a head.

    `files` are at most 300, `commits` at most 250, `more` the other SHAs; `merges` of all are merges. `is_unique`: there
    is no other best common ancestor than `merge_base`; else what the head undoes of the others is not in `files`.
    """

    merge_base: str
    commits: tuple[Commit, ...]
    files: tuple[ChangedFile, ...]
    base_sha: str = ""
    is_unique: bool = True
    more: tuple[str, ...] = ()
    merges: int = 0

    @property
    def is_known(self) -> bool:
        """Tell whether GitHub could compare them at all."""
        return bool(self.merge_base)

    @property
    def shas(self) -> tuple[str, ...]:
        """Return all its commits."""
        return (*(commit.sha for commit in self.commits), *self.more)


UNKNOWN_CHANGE = Change("", (), ())


Tree = frozenset[tuple[str, str, str]]  # every file of a commit as (path, mode, blob)


@dataclass(frozen=True, slots=True)
class Checks:
    """What the automatic checks of a commit say together; `names` are those that make it red or pending."""

    state: Literal["none", "pending", "green", "red"]
    names: tuple[str, ...]


# --- What a release holds: the pull requests that a reviewer approved, and what reached the branch past the reviewers.


@dataclass(frozen=True, slots=True)
class Passed:
    """A pull request that was merged with a reviewer's approval: whose, when, and with which message.

    `is_unchecked`: GitHub doesn't show whether just what was approved was merged.
    """

    number: int
    title: str
    author: str
    reviewer: str
    at: datetime
    note: str
    is_unchecked: bool = False


@dataclass(frozen=True, slots=True)
class Unseen:
    """What no reviewer approved: a commit, or all those that one pull request brought.

    `pull` is that pull request, `commits` are the SHAs where they are several, and `sha` is the last. No pull request:
    pushed directly, or, unless it `was_asked`, nobody looked. `is_beside`: the pull request was approved, but this
    is not among what was approved there.
    """

    sha: str
    title: str
    author: str
    pull: int | None
    was_asked: bool = True
    commits: tuple[str, ...] = ()
    is_beside: bool = False

    @property
    def shas(self) -> tuple[str, ...]:
        """Return all its commits."""
        return self.commits or (self.sha,)


@dataclass(frozen=True, slots=True)
class Release:
    """Everything in a release, in the order in which it came.

    `earlier` counts the changes that were ahead already when the gate came; `is_rewritten`: the branch's history was
    changed afterwards; `gone` was approved and merged, and is not in the branch any more.
    """

    passed: tuple[Passed, ...]
    unseen: tuple[Unseen, ...]
    earlier: int = 0
    is_rewritten: bool = False
    gone: tuple[Passed, ...] = ()

    @property
    def size(self) -> int:
        """Return how many changes it holds."""
        return len(self.passed) + len(self.unseen) + self.earlier

    def since(self, before: Release) -> Release:
        """Return only what an earlier version of it did not hold."""
        passed = tuple(item for item in self.passed if item not in before.passed)
        known = {sha for item in before.unseen for sha in item.shas}
        return Release(passed, tuple(item for item in self.unseen if not known.issuperset(item.shas)))


# --- What is known of a pull request.


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
    computing. `association` is what GitHub writes beside the author; `belongs` tells whether they may write to the
    repository, None where nobody asked or that is not known.
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
    updated_at: datetime
    author_id: int | None = None
    association: str = "MEMBER"
    belongs: bool | None = None
    merged_at: datetime | None = None

    @property
    def writer(self) -> Person | None:
        """Return who opened it, None where the account is gone."""
        return Person(self.author_id, self.author, self.author_is_bot) if self.author_id else None

    @property
    def lines(self) -> int:
        """Return how many lines it changes."""
        return self.additions + self.deletions

    @property
    def words(self) -> str:
        """Return the digest of its title and text."""
        return words_digest(self.title, self.body)

    @property
    def is_from_outside(self) -> bool:
        """Tell whether it comes from somebody who is not known to have the right to write."""
        return not (self.is_own or self.belongs)

    @property
    def is_own(self) -> bool:
        """Tell whether it is surely the team's: its branch is of this repository, and its author a member, or a program.

        Whoever may read a repository may open a pull request of two branches of it: https://github.com/github/docs/pull/7730
        """
        is_known = self.author_is_bot or self.author_id is None or self.association in MEMBERS
        return is_known and not self.is_from_fork

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


NOTHING_SINCE = Since()


@dataclass(frozen=True, slots=True)
class Status:
    """A commit status. `description` has at most 140 characters.

    https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
    """

    state: str
    description: str
    sha: str
    context: str

    @property
    def key(self) -> str:
        """Return the key of the post that is a status at this place."""
        return f"status {self.sha} {self.context}"

    @property
    def said(self) -> str:
        """Return how `Post.said` remembers it."""
        return f"{self.state} {self.description}"
