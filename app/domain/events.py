"""What happened at GitHub, as the inbox keeps it: the few validated fields of a webhook, or of what a poll found.

An event only wakes; what is true is read from GitHub. Old rows stay readable: unknown fields are ignored, and every
new field needs a default.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.domain.facts import Person, Seen

# How the delivery id of what a poll found begins.
POLLED = "polled"


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    repository_id: int
    repository: str
    number: int | None = None
    sha: str | None = None

    @property
    def name(self) -> str:
        """Return "owner/repo#12" or "owner/repo@abc1234", as the logs show it.

        Of a branch, which may be called anything, only the repository.
        """
        number, sha = f"#{self.number}" if self.number else "", f"@{self.sha[:7]}" if self.sha else ""
        return f"{self.repository}{number}{sha}"


class PullRequestEvent(_Event):
    """Something happened to a pull request; `base_before` is the branch it went to before a retarget.

    `requests`: who asked for a review, and when. `updated_at` has whole seconds.
    """

    kind: Literal["pull_request"] = "pull_request"
    number: int
    author_id: int | None = None
    seen: Seen
    updated_at: datetime
    closed_at: datetime | None = None
    base_before: str | None = None
    requests: tuple[tuple[Person, datetime], ...] = ()


class CheckEvent(_Event):
    """An automatic check of a commit has ended, or a status was set: its name and what it says, "" where that is not told.

    Which pull requests the commit heads, a fork's event does not say.
    """

    kind: Literal["check"] = "check"
    sha: str
    check: str = ""
    says: Literal["", "green", "pending", "red"] = ""


class DeploymentEvent(_Event):
    """A deployment of a commit has ended, well or not, or is no longer there."""

    kind: Literal["deployment"] = "deployment"
    sha: str


class CommentEvent(_Event):
    """Somebody wrote something under a pull request."""

    kind: Literal["comment"] = "comment"
    number: int


class PushEvent(_Event):
    """A branch has moved, by whatever way."""

    kind: Literal["push"] = "push"
    branch: str


GitHubEvent = PullRequestEvent | CheckEvent | DeploymentEvent | CommentEvent | PushEvent
EVENT: TypeAdapter[GitHubEvent] = TypeAdapter(Annotated[GitHubEvent, Field(discriminator="kind")])
