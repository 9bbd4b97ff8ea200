"""From GitHub's JSON to the gate's nouns. Pure; called by `client` only.

What GitHub documents as null is tolerated: a deleted author, fork or description. Anything else that is not as
documented raises Odd, so that half an answer is never taken for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from app.github_client.fields import (
    MOST_ID,
    Odd,
    at,
    at_or_none,
    flag,
    id_or_none,
    integer,
    items,
    moment,
    moment_or_none,
    sha,
    text,
    text_or_none,
    web_address,
    words,
)
from app.review import (
    Change,
    ChangedFile,
    Commit,
    Person,
    PullRequest,
    Remark,
    Seen,
    Tree,
    words_digest,
)

# https://www.rfc-editor.org/rfc/rfc9110#name-etag
_ETAG = re.compile(r'(?:W/)?"[!#-~]{1,200}"')
# What is kept of one file's patch, and of all of a change together, in characters.
LONGEST_PATCH, MOST_PATCHES = 20_000, 300_000
# So much of a commit's first line is kept: git allows any length, and a change has up to 250.
LONGEST_LINE = 500
_MODE = re.compile(r"[0-7]{6}")
# The name that git gives a file without contents, with SHA-1 and with SHA-256.
EMPTY_BLOBS = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)


@dataclass(frozen=True, slots=True)
class ListedPull:
    """What a list says about one pull request: enough to know whether it must be looked at.

    `requests`, who asked for a review and when, is not in the list; see `GitHub.review_requests`.
    """

    repository_id: int
    repository: str
    number: int
    author: str
    author_id: int | None
    seen: Seen
    updated_at: datetime
    closed_at: datetime | None
    is_from_fork: bool
    requests: tuple[tuple[Person, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """Pull requests, the latest updated first; `etag` is for asking again, None where GitHub gave none."""

    is_unchanged: bool
    etag: str | None
    pulls: tuple[ListedPull, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One commit that came onto a branch; `message` is its first line, the first of `parents` where it was put."""

    sha: str
    parents: tuple[str, ...]
    message: str
    author: str


@dataclass(frozen=True, slots=True)
class Steps:
    """What one branch has that another has not; `is_empty`: taken together it changes no file."""

    merge_base: str = ""
    head: str = ""
    steps: tuple[Step, ...] = ()
    is_empty: bool = False
    is_unchanged: bool = False
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """The merged pull request that brought a commit to a branch."""

    number: int
    title: str


@dataclass(frozen=True, slots=True)
class Standing:
    """An open pull request as it can be edited."""

    repository_id: int
    number: int
    title: str
    body: str


def read_pull_request(data: Any) -> PullRequest:
    """Return one pull request. Raises Odd.

    https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
    """
    return PullRequest(
        repository_id=integer(data, "base.repo.id", 1, MOST_ID),
        repository=text(data, "base.repo.full_name"),
        private=flag(data, "base.repo.private"),
        number=integer(data, "number", 1),
        title=words(data, "title"),
        body=words(data, "body"),
        author=text_or_none(data, "user.login") or "ghost",
        author_is_bot=at_or_none(data, "user.type") == "Bot",
        author_id=id_or_none(data, "user"),
        url=web_address(data, "html_url"),
        open=text(data, "state") == "open",
        draft=flag(data, "draft"),
        merged=flag(data, "merged"),
        merge_commit=text_or_none(data, "merge_commit_sha"),
        merged_by=text_or_none(data, "merged_by.login"),
        base=text(data, "base.ref"),
        base_sha=sha(data, "base.sha"),
        head=text(data, "head.ref"),
        head_sha=sha(data, "head.sha"),
        head_repository=text_or_none(data, "head.repo.full_name"),
        mergeable=None if at(data, "mergeable") is None else flag(data, "mergeable"),
        mergeable_state=text(data, "mergeable_state"),
        additions=integer(data, "additions"),
        deletions=integer(data, "deletions"),
        changed_files=integer(data, "changed_files"),
        commits=integer(data, "commits"),
        created_at=moment(data, "created_at"),
        updated_at=moment(data, "updated_at"),
    )


def read_change(data: Any) -> Change:
    """Return one comparison. Raises Odd.

    https://docs.github.com/en/rest/commits/commits#compare-two-commits
    """
    return Change(
        merge_base=sha(data, "merge_base_commit.sha"),
        commits=tuple(_commit(item) for item in items(data, "commits")),
        files=tuple(_files(items(data, "files"))),
        base_sha=sha(data, "base_commit.sha"),
    )


def meets_once(data: Any) -> bool:
    """Tell whether a comparison shows by itself that its merge base is the only best common ancestor. Raises Odd.

    It is where base is an ancestor of head, and where the commits of head hang on nothing else; False: perhaps.
    """
    merge_base = sha(data, "merge_base_commit.sha")
    steps = [read_step(item) for item in items(data, "commits")]
    if merge_base == sha(data, "base_commit.sha"):
        return True
    shas = {step.sha for step in steps}
    hangs_on = {parent for step in steps for parent in step.parents} - shas
    return integer(data, "total_commits") == len(steps) and hangs_on <= {merge_base}


def read_step(data: Any) -> Step:
    """Return one commit with its parents. Raises Odd."""
    told = _commit(data)
    return Step(told.sha, tuple(sha(one, "sha") for one in items(data, "parents")), told.message, told.author)


def read_brought(data: Any, base: str) -> Brought | None:
    """Return a pull request of a commit's list if it was merged into this branch. Raises Odd.

    The list names open ones and other branches' too.
    https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
    """
    if at(data, "merged_at") is None or text(data, "base.ref") != base:
        return None
    return Brought(integer(data, "number", 1), words(data, "title"))


def read_standing(data: Any, head: str, base: str) -> Standing | None:
    """Return a listed pull request if it is from and into these branches of one repository. Raises Odd."""
    repository_id = integer(data, "base.repo.id", 1, MOST_ID)
    is_own = at_or_none(data, "head.repo.id") == repository_id
    if not is_own or (text(data, "head.ref"), text(data, "base.ref")) != (head, base):
        return None
    return Standing(repository_id, integer(data, "number", 1), words(data, "title"), words(data, "body"))


def read_listed(data: Any) -> ListedPull:
    """Return one pull request of a list, which has fewer fields. Raises Odd.

    https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
    """
    title = words(data, "title")
    return ListedPull(
        repository_id=integer(data, "base.repo.id", 1, MOST_ID),
        repository=text(data, "base.repo.full_name"),
        number=integer(data, "number", 1),
        author=text_or_none(data, "user.login") or "ghost",
        author_id=id_or_none(data, "user"),
        seen=Seen(
            head_sha=sha(data, "head.sha"),
            base=text(data, "base.ref"),
            open=text(data, "state") == "open",
            draft=flag(data, "draft"),
            merged=at(data, "merged_at") is not None,
            title=title,
            words=words_digest(title, words(data, "body")),
        ),
        updated_at=moment(data, "updated_at"),
        closed_at=moment_or_none(data, "closed_at"),
        is_from_fork=at_or_none(data, "head.repo.id") != at(data, "base.repo.id"),
    )


def read_person(data: Any, path: str) -> Person | None:
    """Return somebody, None for a deleted account. Raises Odd."""
    number, login = id_or_none(data, path), text_or_none(data, f"{path}.login")
    if number is None or not login:
        return None
    return Person(number, login, at_or_none(data, f"{path}.type") == "Bot")


def read_permission(data: Any) -> tuple[int, str]:
    """Return whom an answer is about, and what they may do: admin, maintain, write, read or none. Raises Odd.

    https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
    """
    return integer(data, "user.id", 1, MOST_ID), text(data, "permission")


def read_requests(data: list[Any]) -> list[tuple[Person, datetime]]:
    """Return who asked for a review, and when, from a pull request's events. Raises Odd.

    https://docs.github.com/en/rest/using-the-rest-api/issue-event-types#review_requested
    """
    return [
        (by, moment(event, "created_at"))
        for event in data
        # Whoever is gone vouches for nobody.
        if text(event, "event") == "review_requested" and (by := read_person(event, "actor"))
    ]


def read_remark(data: Any, place: Literal["comment", "review", "line"]) -> Remark | None:
    """Return a comment, a review or a comment on a line; None where it has no text, or is not submitted. Raises Odd.

    A review without a text is only there to hold comments on lines.
    """
    body, at = (
        words(data, "body"),
        moment_or_none(data, "submitted_at" if place == "review" else "created_at"),
    )
    if not body.strip() or at is None:
        return None
    return Remark(place, integer(data, "id", 1, MOST_ID), read_person(data, "user"), body, at)


def read_tree(data: Any) -> Tree | None:
    """Return (path, mode, blob) of everything but folders, or None where that is not all there is. Raises Odd.

    None, too, where names are not UTF-8, for different ones then look the same, and where a folder is empty: git
    knows none such, so the answer is one folder deep (PyGithub loses "recursive" when it follows a redirect).
    https://docs.github.com/en/rest/git/trees#get-a-tree
    """
    entries = [
        (words(item, "path"), text(item, "type"), _mode(item), sha(item, "sha"))
        for item in items(data, "tree")
    ]
    files = frozenset((path, mode, blob) for path, kind, mode, blob in entries if kind != "tree")
    folders = {path for path, kind, _, _ in entries if kind == "tree"}
    filled = {path.rpartition("/")[0] for path, *_ in entries}
    is_plain = all(path and "\ufffd" not in path for path, *_ in entries)
    is_whole = not flag(data, "truncated") and folders <= filled
    return files if is_whole and is_plain else None


def etag_of(headers: Mapping[str, Any]) -> str | None:
    """Return an answer's ETag, or None where it has none that could be sent back."""
    etag = str(headers.get("etag", ""))
    return etag if _ETAG.fullmatch(etag) else None


def _mode(data: Any) -> str:
    mode = text(data, "mode")
    if not _MODE.fullmatch(mode):
        raise Odd('"mode" is not the mode of a file')
    return mode


def _commit(data: Any) -> Commit:
    lines = words(data, "commit.message").splitlines()
    author = text_or_none(data, "author.login") or words(data, "commit.author.name") or "ghost"
    name = words(data, "commit.author.name")
    return Commit(
        sha=sha(data, "sha"), message=lines[0][:LONGEST_LINE] if lines else "", author=author, name=name
    )


def _files(data: list[Any]) -> Iterator[ChangedFile]:
    room = MOST_PATCHES
    for item in data:
        file = _file(item, min(room, LONGEST_PATCH))
        room -= len(file.patch or "")
        yield file


def _file(data: Any, room: int) -> ChangedFile:
    is_empty = at_or_none(data, "sha") in EMPTY_BLOBS  # of which GitHub shows no patch, but nothing is hidden
    patch = None if at_or_none(data, "patch") is None and not is_empty else words(data, "patch")
    is_cut = patch is not None and len(patch) > room
    return ChangedFile(
        path=words(data, "filename"),
        status=text(data, "status"),
        additions=integer(data, "additions"),
        deletions=integer(data, "deletions"),
        previous_path=words(data, "previous_filename") or None,
        # To the end of a line: half a line would say something else.
        patch=patch[:room].rpartition("\n")[0] if is_cut and patch else patch,
        is_cut=is_cut,
    )
