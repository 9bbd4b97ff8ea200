"""Repositories, branches, comparisons and trees as GitHub's API answers. Pure; `branches` reads with them.

Anything that is not as documented raises pydantic's ValidationError, so that half an answer is never taken for a whole one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from app.domain.approval import MergeCommit
from app.domain.facts import Change, ChangedFile, Commit, Tree
from app.github.models import Count, Id, Line, Model, Sha, Text, Words, WordsOrNone, at

# What is kept of one file's patch, and of all of a change together, in characters.
LONGEST_PATCH, MOST_PATCHES = 20_000, 300_000
# So much of a commit's first line is kept: git allows any length, and a change has up to 250.
LONGEST_LINE = 500
# Whose signature and address the commits have that GitHub makes itself.
GITHUBS_ADDRESS = "noreply@github.com"
# The name that git gives a file without contents, with SHA-1 and with SHA-256.
EMPTY_BLOBS = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)


@dataclass(frozen=True, slots=True)
class Steps:
    """All commits that `head` has and `base` has not, as they stood in one instant; `is_empty`: they change no file.

    `base`, `head` and `merge_base` are SHAs.
    """

    base: str = ""
    merge_base: str = ""
    head: str = ""
    steps: tuple[Commit, ...] = ()
    is_empty: bool = False
    is_unchanged: bool = False
    etag: str | None = None


class Named(Model):
    """A commit by its name."""

    sha: Sha


class SignedCommit(Model):
    """https://docs.github.com/en/rest/git/commits#get-a-commit-object ."""

    sha: Sha
    parents: list[Named]
    email: Words = at("committer.email", default="")
    is_verified: bool = at("verification.verified", default=False)

    def merge_commit(self) -> MergeCommit:
        """Return it as the rules see it."""
        is_githubs = self.is_verified and self.email == GITHUBS_ADDRESS
        return MergeCommit(self.sha, tuple(one.sha for one in self.parents), is_githubs)


class RepositoryAnswer(Model):
    """https://docs.github.com/en/rest/repos/repos#get-a-repository; who may not see a setting is not told it."""

    id: Id
    full_name: Text
    delete_branch_on_merge: bool | None = None
    default_branch: Line | None = None


class BranchAnswer(Model):
    """https://docs.github.com/en/rest/branches/branches#get-a-branch ."""

    sha: Sha = at("commit.sha")
    protected: bool


class _Commit(Model):
    sha: Sha
    message: Words = at("commit.message", default="")
    name: Words = at("commit.author.name", default="")
    # Of an author whom GitHub does not know it says null, or {}.
    login: Line | None = at("author.login", default=None)
    parents: list[Named]

    def told(self) -> Commit:
        line = "".join(self.message.splitlines()[:1])[:LONGEST_LINE]
        return Commit(self.sha, line, self.login or self.name or "ghost", self.name)

    def step(self) -> Commit:
        return replace(self.told(), parents=tuple(one.sha for one in self.parents))


class _File(Model):
    path: Words = at("filename")
    status: Text
    additions: Count
    deletions: Count
    previous_path: WordsOrNone = at("previous_filename", default=None)
    patch: WordsOrNone = None
    sha: Any = None

    def told(self, room: int) -> ChangedFile:
        # GitHub shows no patch of an empty file, but nothing is hidden.
        patch = "" if self.patch is None and self.sha in EMPTY_BLOBS else self.patch
        is_cut = patch is not None and len(patch) > room
        if patch and is_cut:
            # To the end of a line: half a line would say something else.
            patch = patch[:room].rpartition("\n")[0]
        return ChangedFile(**self.model_dump(exclude={"sha"}) | {"patch": patch, "is_cut": is_cut})


class StepsAnswer(Model):
    """One page of a comparison; only the first names the files.

    https://docs.github.com/en/rest/commits/commits#compare-two-commits
    """

    total_commits: Count
    merge_base: Sha = at("merge_base_commit.sha")
    commits: list[_Commit]


class Comparison(StepsAnswer):
    """The first page of a comparison, or the only one."""

    base: Sha = at("base_commit.sha")
    files: list[_File]

    def change(self, steps: Sequence[Commit]) -> Change:
        """Return what a reviewer is asked about; `steps` are all its commits, of which it names the first."""
        return Change(
            merge_base=self.merge_base,
            commits=tuple(commit.told() for commit in self.commits),
            files=tuple(self._files()),
            base_sha=self.base,
            more=tuple(step.sha for step in steps[len(self.commits) :]),
            merges=sum(len(step.parents) > 1 for step in steps),
        )

    def meets_once(self, steps: Sequence[Commit]) -> bool:
        """Tell whether it shows by itself that its merge base is the only best common ancestor; `steps` are all its commits.

        It is where base is an ancestor of head, and where the commits of head hang on nothing else; False: perhaps.
        """
        if self.merge_base == self.base:
            return True
        shas = {step.sha for step in steps}
        hangs_on = {parent for step in steps for parent in step.parents} - shas
        return hangs_on <= {self.merge_base}

    def _files(self) -> Iterator[ChangedFile]:
        room = MOST_PATCHES
        for item in self.files:
            file = item.told(min(room, LONGEST_PATCH))
            room -= len(file.patch or "")
            yield file


class _Entry(Model):
    path: Words
    type: Text
    mode: Annotated[str, Field(pattern="^[0-7]{6}$")]
    sha: Sha


class TreeAnswer(Model):
    """https://docs.github.com/en/rest/git/trees#get-a-tree ."""

    tree: list[_Entry]
    truncated: bool

    def files(self) -> Tree | None:
        """Return (path, mode, blob) of everything but folders, or None where that is not all there is.

        None, too, where names are not UTF-8, for different ones then look the same, and where a folder is empty: git
        knows none such, so the answer is one folder deep (PyGithub loses "recursive" when it follows a redirect).
        """
        files = frozenset((one.path, one.mode, one.sha) for one in self.tree if one.type != "tree")
        folders = {one.path for one in self.tree if one.type == "tree"}
        filled = {one.path.rpartition("/")[0] for one in self.tree}
        is_plain = all(one.path and "\ufffd" not in one.path for one in self.tree)
        return files if not self.truncated and folders <= filled and is_plain else None
