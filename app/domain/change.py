"""What a change consists of: its commits and files, as one comparison shows them, and what its checks say.

Plain frozen data; a SHA is 40 hexadecimal digits. Nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
    """One commit of a change; `message` is its first line, `name` who git says wrote it, "" where it does not."""

    sha: str
    message: str
    author: str
    name: str = ""


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
