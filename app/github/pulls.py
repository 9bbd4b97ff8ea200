"""Pull requests, and what people say and do about them, as GitHub's API answers and its webhooks tell. Pure.

What GitHub documents as null is tolerated: a deleted author, fork or description. Anything else that is not as
documented raises pydantic's ValidationError, so that half an answer is never taken for a whole one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import TypeAdapter

from app.domain.events import PullRequestEvent
from app.domain.facts import MEMBERS, Person, PullRequest, Remark, Seen, words_digest
from app.github.models import (
    Count,
    Id,
    IsBot,
    Line,
    Model,
    Moment,
    Number,
    RepositoryName,
    Sha,
    Text,
    WebAddress,
    Words,
    at,
)


class Account(Model):
    """https://docs.github.com/en/rest/users/users#get-the-authenticated-user; None stands for one that is gone."""

    id: Id
    login: Line | None = None
    is_bot: IsBot = at("type", default=False)

    def person(self) -> Person | None:
        """Return who it is, None where it has no name."""
        return Person(self.id, self.login, self.is_bot) if self.login else None


class Pull(Model):
    """One pull request of a webhook, or of a list, which has fewer fields; `author` is "ghost" for a deleted account.

    https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
    https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
    https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
    """

    repository_id: Id = at("base.repo.id")
    repository: RepositoryName = at("base.repo.full_name")
    number: Number
    title: Words = ""
    body: Words = ""
    author: Text = at("user.login", default="ghost")
    author_id: Id | None = at("user.id", default=None)
    association: Line = at("author_association", default="")
    state: Literal["open", "closed"]
    draft: bool
    base: Text = at("base.ref")
    head: Text = at("head.ref")
    head_sha: Sha = at("head.sha")
    head_id: Id | None = at("head.repo.id", default=None)
    merged_at: Moment | None
    closed_at: Moment | None = None
    updated_at: Moment

    @property
    def seen(self) -> Seen:
        """Return what tells whether it must be looked at."""
        return Seen(
            head_sha=self.head_sha,
            base=self.base,
            open=self.state == "open",
            draft=self.draft,
            merged=self.merged_at is not None,
            title=self.title,
            words=words_digest(self.title, self.body),
        )

    @property
    def is_from_fork(self) -> bool:
        """Tell whether its head is another repository's branch."""
        return self.head_id != self.repository_id

    @property
    def may_need_voucher(self) -> bool:
        """Tell whether its author may be from outside, see `PullRequest.is_own`."""
        return self.is_from_fork or self.association not in MEMBERS

    def event(
        self,
        requests: tuple[tuple[Person, datetime], ...] = (),
        base_before: str | None = None,
    ) -> PullRequestEvent:
        """Return that something happened to it."""
        return PullRequestEvent.model_construct(
            repository_id=self.repository_id,
            repository=self.repository,
            number=self.number,
            author_id=self.author_id,
            seen=self.seen,
            updated_at=self.updated_at,
            closed_at=self.closed_at,
            base_before=base_before,
            requests=requests,
        )


class WholePull(Pull):
    """https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request ."""

    private: bool = at("base.repo.private")
    author_is_bot: IsBot = at("user.type", default=False)
    url: WebAddress = at("html_url")
    merged: bool
    merge_commit: Line | None = at("merge_commit_sha", default=None)
    merged_by: Line | None = at("merged_by.login", default=None)
    base_sha: Sha = at("base.sha")
    head_repository: Line | None = at("head.repo.full_name", default=None)
    mergeable: bool | None
    mergeable_state: Text
    additions: Count
    deletions: Count
    changed_files: Count
    commits: Count

    def pull_request(self) -> PullRequest:
        """Return what the rules know of it."""
        fields = self.model_dump(exclude={"state", "head_id", "closed_at"})
        return PullRequest(open=self.state == "open", **fields)


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

    user_id: Id = at("user.id")
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


class StatusAnswer(Model):
    """https://docs.github.com/en/rest/commits/statuses#create-a-commit-status ."""

    state: Text


class MergeAnswer(Model):
    """https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request ."""

    merged: bool
    sha: Sha


Place = Literal["comment", "review", "line"]
# Where what people write about a pull request is listed.
REMARKS: dict[Place, str] = {
    "comment": "/issues/{}/comments",
    "review": "/pulls/{}/reviews",
    "line": "/pulls/{}/comments",
}


class CommentAnswer(Model):
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

    def remark(self, place: Place) -> Remark | None:
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
COMMENTS = TypeAdapter(list[CommentAnswer])
ISSUE_EVENTS = TypeAdapter(list[IssueEvent])
