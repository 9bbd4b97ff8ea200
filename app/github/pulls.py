"""Pull requests, and what people say and do about them, as GitHub's API answers. Pure; used by `client` and `branches`.

What GitHub documents as null is tolerated: a deleted author, fork or description. Anything else that is not as
documented raises pydantic's ValidationError, so that half an answer is never taken for a whole one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter

from app.domain.facts import Person, PullRequest, Remark, Seen, words_digest
from app.github.commits import RepositoryAnswer
from app.github.models import Count, Id, Line, Model, Moment, Number, Sha, Text, WebAddress, Words


class Account(Model):
    """https://docs.github.com/en/rest/users/users#get-the-authenticated-user; None stands for one that is gone."""

    id: Id
    login: Line | None = None
    type: Any = None

    def person(self) -> Person | None:
        """Return who it is, None where it has no name."""
        return Person(self.id, self.login, self.type == "Bot") if self.login else None


class _Fork(Model):
    id: Id | None = None
    full_name: Line | None = None


class _Head(Model):
    ref: Text
    sha: Sha
    repo: _Fork | None = None


class _Base(Model):
    ref: Text
    sha: Sha
    repo: RepositoryAnswer


class Pull(Model):
    """One pull request of a list, which has fewer fields.

    https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
    https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
    """

    number: Number
    title: Words = ""
    body: Words = ""
    user: Account | None = None
    state: Literal["open", "closed"]
    draft: bool
    base: _Base
    head: _Head
    merged_at: Moment | None
    closed_at: Moment | None = None
    updated_at: Moment

    @property
    def repository_id(self) -> int:
        """Return the id of the repository that it goes into."""
        return self.base.repo.id

    @property
    def repository(self) -> str:
        """Return the name of that repository."""
        return self.base.repo.full_name

    @property
    def author(self) -> str:
        """Return who opened it, "ghost" for a deleted account."""
        return (self.user and self.user.login) or "ghost"

    @property
    def author_id(self) -> int | None:
        """Return the author's id, None for a deleted account."""
        return self.user.id if self.user else None

    @property
    def seen(self) -> Seen:
        """Return what tells whether it must be looked at."""
        return Seen(
            head_sha=self.head.sha,
            base=self.base.ref,
            open=self.state == "open",
            draft=self.draft,
            merged=self.merged_at is not None,
            title=self.title,
            words=words_digest(self.title, self.body),
        )

    @property
    def is_from_fork(self) -> bool:
        """Tell whether its head is another repository's branch."""
        return self.head.repo is None or self.head.repo.id != self.base.repo.id

    def was_merged_into(self, base: str) -> bool:
        """Tell whether it was merged into this branch: a commit's list names open ones and other branches' too."""
        return self.merged_at is not None and self.base.ref == base

    def is_between(self, head: str, base: str) -> bool:
        """Tell whether it is from and into these branches of one repository."""
        return not self.is_from_fork and (self.head.ref, self.base.ref) == (head, base)


# What GitHub and the rules call alike.
_SAME = (
    "repository_id repository number title body author author_id draft merged merged_at mergeable mergeable_state "
    "additions deletions changed_files commits updated_at"
).split()


class WholePull(Pull):
    """https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request ."""

    html_url: WebAddress
    merged: bool
    merge_commit_sha: Line | None = None
    merged_by: Account | None = None
    mergeable: bool | None
    mergeable_state: Text
    additions: Count
    deletions: Count
    changed_files: Count
    commits: Count

    def pull_request(self) -> PullRequest:
        """Return what the rules know of it."""
        same: dict[str, Any] = {name: getattr(self, name) for name in _SAME}
        return PullRequest(
            **same,
            private=self.base.repo.private,
            author_is_bot=self.user is not None and self.user.type == "Bot",
            url=self.html_url,
            open=self.state == "open",
            merge_commit=self.merge_commit_sha,
            merged_by=self.merged_by.login if self.merged_by else None,
            base=self.base.ref,
            base_sha=self.base.sha,
            head=self.head.ref,
            head_sha=self.head.sha,
            head_repository=self.head.repo.full_name if self.head.repo else None,
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """Pull requests, the latest updated first; `etag` is for asking again, None where GitHub gave none."""

    is_unchanged: bool
    etag: str | None
    pulls: tuple[Pull, ...]


class Permission(Model):
    """What somebody may do: admin, maintain, write, read or none.

    https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
    """

    user: Account
    permission: Text


class IssueEvent(Model):
    """https://docs.github.com/en/rest/using-the-rest-api/issue-event-types#review_requested ."""

    event: Text
    actor: Account | None = None
    created_at: Moment

    def request(self) -> tuple[Person, datetime] | None:
        """Return who asked for a review, and when; whoever is gone vouches for nobody."""
        by = self.actor.person() if self.actor and self.event == "review_requested" else None
        return (by, self.created_at) if by else None


class Said(Model):
    """https://docs.github.com/en/rest/commits/statuses#create-a-commit-status ."""

    state: Text


class Done(Model):
    """https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request ."""

    merged: bool
    sha: Sha


class Written(Model):
    """A comment, a review or a comment on a line.

    https://docs.github.com/en/rest/issues/comments#list-issue-comments
    https://docs.github.com/en/rest/pulls/reviews#list-reviews-for-a-pull-request
    https://docs.github.com/en/rest/pulls/comments#list-review-comments-on-a-pull-request
    """

    id: Id
    body: Words = ""
    user: Account | None = None
    created_at: Moment | None = None
    submitted_at: Moment | None = None

    def remark(self, place: Literal["comment", "review", "line"]) -> Remark | None:
        """Return what was said; None where it has no text, or is not submitted.

        A review without a text is only there to hold comments on lines.
        """
        at = self.submitted_at if place == "review" else self.created_at
        if not self.body.strip() or at is None:
            return None
        return Remark(place, self.id, self.user.person() if self.user else None, self.body, at)

    def holds(self, markers: tuple[str, ...]) -> bool:
        """Tell whether one of the gate's hidden markers is in it."""
        return any(marker in self.body for marker in markers)


PULLS = TypeAdapter(list[Pull])
WRITTEN = TypeAdapter(list[Written])
ISSUE_EVENTS = TypeAdapter(list[IssueEvent])
