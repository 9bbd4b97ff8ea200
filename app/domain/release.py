"""What a release holds: the pull requests that a reviewer approved, and what reached the branch past the reviewers.

Plain frozen data, kept with the round in which a reviewer is asked about the release, so for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One commit of a comparison; `message` is its first line, the first of `parents` where it was put."""

    sha: str
    parents: tuple[str, ...]
    message: str
    author: str


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

    `earlier` counts the commits that were ahead already when the gate came; `is_rewritten`: the branch's history was
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
