"""What a release holds: the pull requests that a reviewer approved, and what reached the branch past the reviewers.

Plain frozen data, kept with the round in which a reviewer is asked about the release, so for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Passed:
    """A pull request that was merged with a reviewer's yes: whose, when, and with which words."""

    number: int
    title: str
    author: str
    reviewer: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """A commit that no reviewer said yes to; `pull` is the pull request that brought it.

    None: pushed directly, or, unless it `was_asked`, nobody looked.
    """

    sha: str
    title: str
    author: str
    pull: int | None
    was_asked: bool = True


@dataclass(frozen=True, slots=True)
class Release:
    """Everything in a release, in the order in which it came.

    `earlier` counts the steps from before the gate came; `is_rewritten`: the branch's history was changed afterwards.
    """

    passed: tuple[Passed, ...]
    unseen: tuple[Unseen, ...]
    earlier: int = 0
    is_rewritten: bool = False

    @property
    def size(self) -> int:
        """Return how many changes it holds."""
        return len(self.passed) + len(self.unseen) + self.earlier

    def since(self, before: Release) -> Release:
        """Return only what an earlier version of it did not hold."""
        passed = tuple(item for item in self.passed if item not in before.passed)
        known = {item.sha for item in before.unseen}
        return Release(passed, tuple(item for item in self.unseen if item.sha not in known))
