"""Commits, alone and compared, their checks and deployments, trees and branches, as GitHub's API answers. Pure.

`branches` and `client` read with them; `webhooks` and `operator` ask here which checks are the gate's own.

Anything that is not as documented raises pydantic's ValidationError, so that half an answer is never taken for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter

from app.domain.approval import MergeCommit
from app.domain.facts import Change, ChangedFile, Checks, Commit, Tree
from app.domain.statuses import context_of
from app.github.models import Count, Id, Line, Model, Sha, Text, Words, WordsOrNone, at, one_line

# What is kept of one file's patch, and of all of a change together, in characters.
LONGEST_PATCH, MOST_PATCHES = 20_000, 300_000
# So much of a commit's first line is kept: git allows any length, and a change has up to 250.
LONGEST_SUBJECT = 500
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

    def commit(self) -> Commit:
        line = "".join(self.message.splitlines()[:1])[:LONGEST_SUBJECT]
        return Commit(self.sha, line, self.login or self.name or "ghost", self.name)

    def step(self) -> Commit:
        return replace(self.commit(), parents=tuple(one.sha for one in self.parents))


class _File(Model):
    path: Words = at("filename")
    status: Text
    additions: Count
    deletions: Count
    previous_path: WordsOrNone = at("previous_filename", default=None)
    patch: WordsOrNone = None
    sha: Any = None

    def changed_file(self, room: int) -> ChangedFile:
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
            commits=tuple(commit.commit() for commit in self.commits),
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
            file = item.changed_file(min(room, LONGEST_PATCH))
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


# --- What the automatic checks of a commit say together: commit statuses and check runs, as one word.
# The gate's own never count, or the gate would wait for itself; of several runs that one app made under one name only the
# newest counts, as at GitHub. What GitHub may add one day is never green: an unknown state still runs, an unknown conclusion
# is red.


# Contexts compare without case.
OWN_PREFIX = context_of("")
LONGEST_CHECK = 100

Verdict = Literal["green", "pending", "red"]
_STATES: dict[str, Verdict] = {"success": "green", "failure": "red", "error": "red"}
# https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/about-status-checks#check-statuses-and-conclusions
_GREEN = frozenset({"success", "neutral", "skipped"})


class CommitStatus(Model):
    """https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference ."""

    context: Words = ""
    state: Text

    @property
    def says(self) -> Verdict:
        """Return what it says."""
        return _STATES.get(self.state, "pending")


class StatusPage(Model):
    """A page of the statuses of a commit."""

    statuses: list[CommitStatus]


class Conclusion(Model):
    """How a check run, or all of one app's, ended."""

    name: Words = ""
    status: Text = "completed"
    conclusion: Line | None = None

    @property
    def says(self) -> Verdict:
        """Return what it says."""
        if self.status != "completed" or not self.conclusion:
            return "pending"
        return "green" if self.conclusion in _GREEN else "red"


class CheckRun(Conclusion):
    """https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference ."""

    id: Id
    status: Text
    app: Id | None = at("app.id", default=None)


class RunPage(Model):
    """A page of the check runs of a commit."""

    check_runs: list[CheckRun]


def combined_checks(
    statuses: Sequence[CommitStatus], runs: Sequence[CheckRun], ignored: Collection[str] = ()
) -> Checks:
    """Return one red check as red, else one that runs as pending; `names` are those that make it so.

    Those that are `ignored` by name (compared without case) do not count.
    """
    said = [(one.context, one.says) for one in statuses] + [(run.name, run.says) for run in _newest(runs)]
    skipped = {name.casefold() for name in ignored}
    others = [
        (name, says) for name, says in said if not is_own(name) and one_line(name).casefold() not in skipped
    ]
    for says in ("red", "pending"):
        names = {shown(name) for name, state in others if state == says}
        if names:
            return Checks("red" if says == "red" else "pending", tuple(sorted(names)))
    return Checks("green" if others else "none", ())


def shown(name: str) -> str:
    """Return the name of a check as people are told it."""
    return one_line(name)[:LONGEST_CHECK] or "(no name)"


def is_own(name: str) -> bool:
    """Tell whether a context is the gate's own."""
    return name.casefold().startswith(OWN_PREFIX)


def _newest(runs: Sequence[CheckRun]) -> list[CheckRun]:
    """Return the newest run of each name and app: one that was cancelled and started again is there twice.

    GitHub's own "latest" is by suite, and each start of a workflow makes a suite.
    """
    by_age = sorted(runs, key=lambda run: run.id)
    return list({(run.app, run.name): run for run in by_age}.values())


# --- Where a commit can be tried: deployments and their statuses, as one address.
# Anybody who may deploy writes that address, so it is only shown, with its host, and never fetched. One that is not
# plain https, or of another commit, is as none.


LONGEST_TRY_URL = 2_000
_URL = re.compile(r"https://[!-~]+")
_HOST = re.compile(r"[a-z0-9.-]+")


class Deployment(Model):
    """https://docs.github.com/en/rest/deployments/deployments#list-deployments ."""

    id: Id
    sha: Sha


class DeploymentStatus(Model):
    """https://docs.github.com/en/rest/deployments/statuses#list-deployment-statuses ."""

    id: Id
    state: Text
    environment_url: Line | None = None


DEPLOYMENTS, STATUSES = TypeAdapter(list[Deployment]), TypeAdapter(list[DeploymentStatus])


def read_deployments(deployments: Sequence[Deployment], wanted: str) -> list[int]:
    """Return the ids of the deployments of just this commit, the newest first."""
    return sorted((one.id for one in deployments if one.sha == wanted), reverse=True)


def read_try_url(statuses: Sequence[DeploymentStatus]) -> str | None:
    """Return where a deployment can be seen, if its latest status is a success.

    One that a newer one has replaced is "inactive" by then.
    """
    latest = max(statuses, key=lambda status: status.id, default=None)
    if latest is None or latest.state != "success":
        return None
    url = latest.environment_url or ""
    return url if is_followable(url) else None


def is_followable(url: str) -> bool:
    """Tell whether an address is https and names its host plainly, as a browser reads it."""
    if len(url) > LONGEST_TRY_URL or "\\" in url or not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    # A user name before the host is for looking like another host.
    return host is not None and bool(_HOST.fullmatch(host)) and "@" not in parts.netloc
