"""The nouns of the stand-in: people, repositories, pull requests, and what is said about a commit.

Plain mutable data, held in memory under one lock; the commits themselves are in real git (`git`).
Times are aware, in UTC and whole seconds. A `Refusal` is GitHub's own way to say no.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from demo.github.git import Git

METHODS = ("merge", "squash", "rebase")


class Refusal(Exception):
    """An answer other than 2xx: `status`, GitHub's `message`, and its `errors` where it lists some."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[Any] | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(f"{status} {message} {errors or ''}".strip())
        self.status, self.message, self.errors, self.headers = status, message, errors, headers or {}


@dataclass(eq=False)
class Person:
    login: str
    id: int
    type: str = "User"  # or 'Bot', 'Organization'
    association: str = "MEMBER"
    given: str | None = None  # the permission that was given: admin, maintain, write, triage, read, none
    name: str | None = None

    @property
    def permission(self) -> str:
        """Return the exact role in every repository; unless it was given, it follows from the association."""
        inside = {"OWNER": "admin", "MEMBER": "write", "COLLABORATOR": "write"}
        return self.given or inside.get(self.association, "read")

    @property
    def email(self) -> str:
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(eq=False)
class Status:
    id: int
    state: str
    description: str | None
    target_url: str | None
    context: str
    creator: Person
    app_id: int | None
    at: datetime


@dataclass(eq=False)
class Check:
    id: int
    sha: str
    name: str
    status: str
    conclusion: str | None
    started_at: datetime
    completed_at: datetime | None
    app: str
    suite: int


@dataclass(eq=False)
class Review:
    id: int
    user: Person
    body: str
    state: str  # 'APPROVED', 'CHANGES_REQUESTED', 'COMMENTED', 'PENDING'
    commit_id: str
    at: datetime


@dataclass(eq=False)
class CodeComment:
    """A comment on a line of the change."""

    id: int
    review: int | None
    user: Person
    body: str
    path: str
    commit_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(eq=False)
class Comment:
    id: int
    number: int
    user: Person
    body: str
    created_at: datetime
    updated_at: datetime


@dataclass(eq=False)
class IssueEvent:
    id: int
    event: str  # 'labeled', 'review_requested'; of the others none is kept
    actor: Person
    at: datetime
    about: Person | str  # whose review was requested, or the label


@dataclass(eq=False)
class DeploymentStatus:
    id: int
    state: str
    environment_url: str
    creator: Person
    at: datetime


@dataclass(eq=False)
class Deployment:
    id: int
    sha: str
    ref: str
    environment: str
    creator: Person
    at: datetime
    statuses: list[DeploymentStatus] = field(default_factory=list)  # oldest first


@dataclass(eq=False)
class Protection:
    """What a branch requires of a merge; checks: context to the id of the App that must set it, or None."""

    checks: dict[str, int | None] = field(default_factory=dict)
    strict: bool = False
    approvals: int = 0
    enforce_admins: bool = False
    queue: bool = False  # merges go through a merge queue only
    pull_request: bool = False  # pushes are refused: classic protection's own switch
    force_pushes: bool = False
    deletions: bool = False
    restrictions: dict[str, list[str]] | None = None  # who may push: users, teams and apps by name
    bypass: dict[str, list[str]] | None = None  # who needs no pull request


@dataclass(eq=False)
class AutoMerge:
    """The wish that GitHub merges by itself once nothing is in the way."""

    by: Person
    method: str


@dataclass(eq=False)
class Pull:
    id: int
    number: int
    repo: Repo
    title: str
    body: str | None
    user: Person | None  # None: the account was deleted
    base: str
    base_sha: str  # the base's tip when the head last moved, as on GitHub; not followed afterwards
    head_owner: Person
    head_repo: Repo
    head: str
    head_sha: str
    draft: bool
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: Person | None = None
    merge_commit_sha: str | None = None
    reviews: list[Review] = field(default_factory=list)
    code_comments: list[CodeComment] = field(default_factory=list)
    requested: list[Person] = field(default_factory=list)
    events: list[IssueEvent] = field(default_factory=list)  # oldest first
    labels: list[str] = field(default_factory=list)
    auto_merge: AutoMerge | None = None
    maintainer_can_modify: bool = True  # of a fork: may the repository's people push to its branch
    asked_about: tuple[str, str, str] | None = None  # base, its tip, head: what `mergeable` was last read for
    test_merges: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        return self.state == "open"

    @property
    def merged(self) -> bool:
        return self.merged_at is not None

    @property
    def association(self) -> str:
        return self.user.association if self.user else "NONE"


@dataclass(eq=False)
class Repo:
    id: int
    owner: Person
    name: str
    private: bool
    git: Git
    created_at: datetime
    updated_at: datetime
    pushed_at: datetime
    fork_of: Repo | None = None
    deleted: bool = False
    archived: bool = False  # read-only for everybody
    default_branch: str = "master"
    methods: set[str] = field(default_factory=lambda: set(METHODS))  # those switched on
    delete_branch_on_merge: bool = False
    tree_limit: int = 100_000  # entries; a longer recursive tree is truncated
    next_number: int = 1
    pulls: dict[int, Pull] = field(default_factory=dict)
    statuses: dict[str, list[Status]] = field(default_factory=dict)  # by SHA, oldest first
    checks: dict[str, list[Check]] = field(default_factory=dict)  # by SHA, oldest first
    comments: dict[int, Comment] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    rulesets: dict[int, dict[str, Any]] = field(default_factory=dict)  # by id, as GitHub shows them
    hooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    free_plan: bool = False  # a private repository has no locks then
    deployments: list[Deployment] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"
