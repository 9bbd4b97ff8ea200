"""All that the stand-in knows: who and what there is, by name and number, under one lock.

Made by PretendGitHub, handed to every other module of the package. Only finds and makes; what things do to
each other is in `pulls`, `merging` and `marks`, and how they are told to the outside in `shapes` and `events`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from demo.github.git import Git, Signature
from demo.github.state import Person, Refusal, Repo

RIGHTS = frozenset(
    "administration checks contents deployments issues metadata pull_requests repository_hooks statuses workflows".split()
)


def utc_now() -> datetime:
    """Return the time now, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(eq=False)
class World:
    folder: Path
    clock: Callable[[], datetime] = utc_now
    api: str = "http://127.0.0.1"  # the root of the API, without a slash at the end
    site: str = "https://github.com"  # where html_url leads
    notify: Callable[[str, str | None, dict[str, Any]], None] = lambda *_: None
    app_id: int | None = None
    app_key: str | None = None  # the public key, PEM
    app_slug: str = "qa-gate"
    installation_id: int = 1001
    signs: bool = True  # False: an Enterprise Server that signs nothing
    signed: set[str] = field(default_factory=set)  # the commits that GitHub made and signed itself
    has_rulesets: bool = True  # False: an older Enterprise Server
    app_owner: Person | None = None  # None: the owner of the first repository
    app_installed: bool = True
    app_rights: set[str] | None = None  # an installation's own; None: those of `rights`
    app_events: list[str] | None = None  # None: those that the gate needs
    app_suspended: bool = False
    hook_type: str = "json"
    apps: dict[int, Any] = field(default_factory=dict)  # other Apps, and those registered by manifest, by id
    instant: bool = False  # True: `mergeable` is known at the first read
    rights: set[str] = field(default_factory=lambda: set(RIGHTS))
    lock: threading.RLock = field(default_factory=threading.RLock)
    people: dict[str, Person] = field(default_factory=dict)  # by casefolded login
    repos: dict[int, Repo] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)  # casefolded "owner/name", today's and earlier ones
    ids: count[int] = field(default_factory=lambda: count(1_000_001))

    def now(self) -> datetime:
        """Return the clock's time as GitHub writes it: UTC, whole seconds."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    def person(self, login: str) -> Person:
        """Return the person of a login; made on first sight."""
        found = self.people.get(login.casefold())
        return found or self.add_person(login)

    def add_person(self, login: str, type_: str = "User", association: str = "MEMBER") -> Person:
        """Make a person, or change what is known of one."""
        key = login.casefold()
        person = self.people.get(key) or Person(login, next(self.ids))
        person.type, person.association = type_, association
        self.people[key] = person
        return person

    def by_email(self, email: str) -> Person | None:
        """Return whose address this is; GitHub's own belongs to the account web-flow."""
        if email == self.github_signature().email:
            return self.person("web-flow")
        return next((person for person in self.people.values() if person.email == email), None)

    def add_repository(self, full_name: str, private: bool = False, fork_of: Repo | None = None) -> Repo:
        """Make a repository without any commit."""
        owner, _, name = full_name.partition("/")
        who, now, number = self.person(owner), self.now(), next(self.ids)
        git = Git(self.folder / f"{number}.git", fork_of.git.path if fork_of else None)
        repo = Repo(number, who, name, private, git, now, now, now, fork_of=fork_of)
        self.repos[number] = repo
        self.names[full_name.casefold()] = (
            number  # a name that was left may be taken: then it redirects no more
        )
        return repo

    def rename(self, repo: Repo, full_name: str) -> None:
        """Give a repository another name ("name" or "owner/name"); the old one redirects from now on."""
        owner, _, name = full_name.rpartition("/")
        repo.owner, repo.name = (self.person(owner) if owner else repo.owner), name
        self.names[repo.full_name.casefold()] = repo.id

    def find(self, full_name: str) -> Repo:
        """Return the repository that a name, today's or an earlier one, leads to; else 404."""
        repo = self.repos.get(self.names.get(full_name.casefold(), 0))
        if repo is None or repo.deleted:
            raise Refusal(404, "Not Found")
        return repo

    def signature(self, person: Person | None) -> Signature:
        """Return how a person signs a commit now."""
        return (
            Signature(person.name or person.login, person.email, self.now())
            if person
            else Signature("ghost", "ghost@github.com", self.now())
        )

    def github_signature(self) -> Signature:
        return Signature("GitHub", "noreply@github.com", self.now())
