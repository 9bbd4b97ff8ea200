"""Who may decide, about what, and how it is merged: the settings that the rules depend on.

Made once from the settings by `create_app`; read by `domain`, `jobs` and `web`. Frozen, and it knows
nothing of how any pull request stands.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from app.domain.facts import PullRequest
from app.domain.review import Review


@dataclass(frozen=True, slots=True)
class Reviewer:
    """One person of QA_REVIEWERS."""

    name: str
    address: str

    @property
    def id(self) -> str:
        """Return 12 hex digits that stay the same while the address does; safe to put in a link."""
        return hashlib.blake2b(self.address.casefold().encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that the rules depend on."""

    reviewers: tuple[Reviewer, ...]
    repositories: tuple[str, ...]
    development_branch: str = "development"
    release_branch: str = "master"
    merge_method: str = "merge"
    quiet: timedelta = timedelta(minutes=10)
    wait_for_checks: bool = False
    ask_despite_conflict: bool = False
    ignore_checks: tuple[str, ...] = ()
    look: timedelta = timedelta(minutes=5)

    @property
    def branches(self) -> list[str]:
        """Return the gated branches."""
        return [name for name in (self.development_branch, self.release_branch) if name]

    def gates(self, base: str) -> bool:
        """Tell whether pull requests into this branch need a reviewer's approval."""
        return base in self.branches

    def gates_head(self, pull: PullRequest | Review) -> bool:
        """Tell whether its head is a gated branch, which only its own pull requests move; a fork's never is."""
        return self.gates(pull.head) and not pull.is_from_fork

    def is_release(self, pull: PullRequest | Review) -> bool:
        """Tell whether a pull request is a release: a fork's branch may have any name, and is none."""
        branches = (self.release_branch, self.development_branch)
        return (pull.base, pull.head) == branches and not pull.is_from_fork

    @property
    def settling(self) -> timedelta:
        """Return how long a branch that moved is left alone, so that ten merges in a row are looked at together."""
        return min(self.quiet, timedelta(seconds=30))

    def method_for(self, pull: PullRequest | Review) -> str:
        """Return how a pull request is merged: between the two gated branches so that they keep one history."""
        is_between = self.gates(pull.base) and self.gates_head(pull)
        return "merge" if is_between else self.merge_method

    def knows(self, repository: str) -> bool:
        """Tell whether "owner/name" is configured; GitHub compares names without case."""
        return repository.casefold() in {name.casefold() for name in self.repositories}

    def place(self, pull: PullRequest | Review) -> str:
        """Return how a reviewer is told which one it is: "#12", after its repository where there are several."""
        return f"{pull.repository} #{pull.number}" if len(self.repositories) > 1 else f"#{pull.number}"

    def skips_release(self, pull: PullRequest | Review) -> bool:
        """Tell whether a change goes into the release branch by itself, and not with a release."""
        return pull.base == self.release_branch and not self.is_release(pull)

    def reviewer(self, reviewer_id: str | None) -> Reviewer | None:
        """Return the configured reviewer with this id, or None when no longer named."""
        return next((person for person in self.reviewers if person.id == reviewer_id), None)

    def reviewer_at(self, address: str) -> Reviewer | None:
        """Return the configured reviewer with this address (compared without case), or None."""
        wanted = address.strip().casefold()
        return next((person for person in self.reviewers if person.address.casefold() == wanted), None)
