"""Git as the stand-in needs it: bare repositories, plumbing only, never a working tree.

Called by the actions and shapes of this package, under the stand-in's lock. What is asked by SHA never
changes, so it is remembered; branch tips are mirrored in `branches` and written through to the repository.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

Content = str | bytes | None | tuple[str, str | bytes]
_SHA = re.compile(r"[0-9a-f]{40}")
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LC_ALL": "C",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # No second process that unpacks what was imported, and no wait for the disk.
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "fastimport.unpackLimit",
    "GIT_CONFIG_VALUE_0": "1",
    "GIT_CONFIG_KEY_1": "core.fsync",
    "GIT_CONFIG_VALUE_1": "none",
}
_KINDS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}


@dataclass(frozen=True, slots=True)
class Signature:
    """Who made a commit, and when (aware, whole seconds count)."""

    name: str
    email: str
    at: datetime

    def line(self) -> str:
        return f"{self.name} <{self.email}> {int(self.at.timestamp())} +0000"


@dataclass(frozen=True, slots=True)
class CommitData:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True, slots=True)
class FileChange:
    path: str
    previous: str | None
    status: str
    blob: str
    additions: int
    deletions: int
    patch: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    mode: str
    kind: str
    sha: str
    size: int | None
    path: str


@dataclass
class Git:
    """One bare repository. `shared`: another whose objects this one uses, as GitHub's forks do."""

    path: Path
    shared: Path | None = None
    branches: dict[str, str] = field(default_factory=dict)
    _commits: dict[str, CommitData] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.path / "refs" / "heads").mkdir(parents=True)
        (self.path / "HEAD").write_text("ref: refs/heads/master\n")
        (self.path / "config").write_text("[core]\n\tbare = true\n")
        if self.shared is None:
            (self.path / "objects" / "pack").mkdir(parents=True)
        else:
            (self.path / "objects").symlink_to(self.shared / "objects")
        # What is asked by SHA is remembered.
        for name in ("changes", "merge", "base", "range", "tree", "_kind"):
            setattr(self, name, cache(getattr(self, name)))

    # --- Reading ---------------------------------------------------------------------------------------------

    def commit(self, sha: str) -> CommitData:
        """Return a commit; KeyError when there is none."""
        if sha not in self._commits:
            self._read_commits([sha])
        return self._commits[sha]

    def resolve_object(self, sha: str) -> str | None:
        """Return the kind of an object by its full SHA ('commit', 'tree', 'blob'), None when unknown."""
        try:
            return "commit" if sha in self._commits else self._kind(sha)
        except KeyError:
            return None

    def resolve(self, name: str) -> str | None:
        """Return the SHA of the commit that a branch name or a full SHA stands for."""
        name = name.removeprefix("refs/").removeprefix("heads/")
        if name in self.branches:
            return self.branches[name]
        if _SHA.fullmatch(name) and self.resolve_object(name) == "commit":
            return name
        return None

    def contains(self, tip: str, sha: str) -> bool:
        """Tell whether a commit is the tip or an ancestor of it."""
        return self.base(tip, sha) == sha

    def tree_sha(self, sha: str) -> str:
        return self.commit(sha).tree if self.resolve_object(sha) == "commit" else sha

    def _read_commits(self, shas: Iterable[str]) -> None:
        """Remember those of these objects that are commits; one process reads them all."""
        feed = "".join(f"{sha}\n" for sha in shas).encode()
        rest = _git(self.path, "cat-file", "--batch", feed=feed) if feed else b""
        while rest:
            head, _, rest = rest.partition(b"\n")
            sha, kind, *size = head.decode().split()
            if kind != "missing":
                raw, rest = rest[: int(size[0])], rest[int(size[0]) + 1 :]
            if kind == "commit":
                self._commits[sha] = _commit(sha, raw.decode(errors="replace"))

    def changes(self, old: str, new: str) -> tuple[FileChange, ...]:
        """Return what differs between two commits' trees, renames found."""
        raw = _git(self.path, "diff-tree", "-r", "-M", "-z", "--raw", "--no-abbrev", "--numstat", old, new)
        patch = _git(self.path, "diff-tree", "-r", "-M", "-p", old, new).decode(errors="replace")
        patches = re.split(r"(?m)^diff --git .*\n", patch)[1:]
        return tuple(_files(raw.decode(errors="replace").split("\0")[:-1], patches))

    def merge(self, ours: str, theirs: str) -> str | None:
        """Return the tree of a merge of two commits, None when they clash or share no history."""
        if self.base(ours, theirs) is None:
            return None  # git refuses to merge histories that share nothing
        answer = _run(self.path, "merge-tree", "--write-tree", ours, theirs)
        if answer.returncode > 1:
            raise RuntimeError(answer.stderr.decode())
        return None if answer.returncode else answer.stdout.decode().split()[0]

    def base(self, one: str, two: str) -> str | None:
        """Return the merge base of two commits, None when they share nothing."""
        return one if one == two else _run(self.path, "merge-base", one, two).stdout.decode().strip() or None

    def range(self, old: str, new: str) -> tuple[str, ...]:
        """Return the commits of new that old has not, oldest first."""
        listed = _git(self.path, "rev-list", "--topo-order", "--reverse", new, f"^{old}").decode().split()
        self._read_commits(sha for sha in listed if sha not in self._commits)
        return tuple(listed)

    def tree(self, sha: str, recursive: bool) -> tuple[Entry, ...]:
        """Return the entries of a commit's or a tree's tree; KeyError when there is none."""
        if self.resolve_object(sha) not in ("commit", "tree"):
            raise KeyError(sha)
        flags = ["-r", "-t"] if recursive else []
        lines = _git(self.path, "ls-tree", "-z", "--long", *flags, sha).decode(errors="replace")
        return tuple(_entry(line) for line in lines.split("\0")[:-1])

    def read(self, ref: str, path: str) -> bytes | None:
        """Return a file of a branch or commit, None when there is none."""
        answer = _run(self.path, "cat-file", "blob", f"{self.resolve(ref)}:{path}")
        return None if answer.returncode else answer.stdout

    def _kind(self, sha: str) -> str:
        answer = _run(self.path, "cat-file", "-t", sha).stdout.decode().strip()
        if not answer:
            raise KeyError(sha)  # raised, so not remembered: the object may come later
        return answer

    def first_parents(self, branch: str) -> list[str]:
        """Return the SHAs of a branch, newest first, along first parents."""
        return _git(self.path, "rev-list", "--first-parent", self.branches[branch]).decode().split()

    # --- Writing ---------------------------------------------------------------------------------------------

    def write(
        self,
        ref: str,
        parents: tuple[str, ...],
        content: str | Mapping[str, Content],
        message: str,
        author: Signature,
        committer: Signature | None = None,
    ) -> str:
        """Make a commit and move the ref ("refs/heads/x") to it, forced; return its SHA.

        content: the SHA of a whole tree, or the paths that change against the first parent.
        """
        return self.write_each(ref, parents, [(content, message)], author, committer)[0]

    def write_each(
        self,
        ref: str,
        parents: tuple[str, ...],
        steps: Sequence[tuple[str | Mapping[str, Content], str]],
        author: Signature,
        committer: Signature | None = None,
    ) -> list[str]:
        """Make a commit of each content and message, one on the other; return their SHAs. One process writes them all."""
        out = b"" if parents else f"reset {ref}\n".encode()
        author, committer = (
            replace(who, at=who.at.replace(microsecond=0)) for who in (author, committer or author)
        )
        signed = [f"author {author.line()}", f"committer {committer.line()}"]
        for mark, (content, message) in enumerate(steps, 1):
            text = message.encode()
            lines = [f"commit {ref}", f"mark :{mark}", *signed, f"data {len(text)}"]
            out += "\n".join(lines).encode() + b"\n" + text + b"\n"
            before = parents if mark == 1 else (f":{mark - 1}",)
            for word, parent in zip(["from", *["merge"] * len(before)], before, strict=False):
                out += f"{word} {parent}\n".encode()
            out += f'M 040000 {content} ""\n'.encode() if isinstance(content, str) else _edits(content)
            out += f'\nget-mark :{mark}\nls :{mark} ""\n'.encode()
        out += b"done\n"
        made = _git(self.path, "fast-import", "--quiet", "--force", "--done", feed=out).decode().split()
        shas, trees = made[::4], made[3::4]  # a line with the commit, and one with "040000 tree" and its tree
        for sha, tree, (_, message) in zip(shas, trees, steps, strict=True):
            self._commits[sha] = CommitData(sha, tree, parents, author, committer, message)
            parents = (sha,)
        self._remember(ref, shas[-1])
        return shas

    def move(self, branch: str, sha: str | None) -> None:
        """Point a branch at a commit, or delete it."""
        ref = f"refs/heads/{branch}"
        if sha is None:
            _git(self.path, "update-ref", "-d", ref)
        else:
            (self.path / ref).parent.mkdir(parents=True, exist_ok=True)
            (self.path / ref).write_text(f"{sha}\n")
        self._remember(ref, sha)

    def _remember(self, ref: str, sha: str | None) -> None:
        branch = ref.removeprefix("refs/heads/")
        if branch == ref:
            return
        self.branches.pop(branch, None)
        if sha is not None:
            self.branches[branch] = sha


def _run(folder: Path, *arguments: str, feed: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=_ENVIRONMENT, input=feed, capture_output=True, check=False
    )


def _git(folder: Path, *arguments: str, feed: bytes | None = None) -> bytes:
    answer = _run(folder, *arguments, feed=feed)
    if answer.returncode:
        raise RuntimeError(f"git {arguments[0]}: {answer.stderr.decode(errors='replace')}")
    return answer.stdout


def _edits(changes: Mapping[str, Content]) -> bytes:
    out = b""
    for path, content in changes.items():
        quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        if content is None:
            out += f"D {quoted}\n".encode()
            continue
        mode, data = content if isinstance(content, tuple) else ("100644", content)
        data = data.encode() if isinstance(data, str) else data
        if mode == "160000":  # a submodule: what it holds is the commit of another repository
            out += f"M {mode} ".encode() + data + f" {quoted}\n".encode()
            continue
        out += f"M {mode} inline {quoted}\ndata {len(data)}\n".encode() + data + b"\n"
    return out


def _commit(sha: str, raw: str) -> CommitData:
    head, _, message = raw.partition("\n\n")
    fields = [line.partition(" ")[::2] for line in head.splitlines()]
    one = dict(fields)
    parents = tuple(value for name, value in fields if name == "parent")
    return CommitData(
        sha, one["tree"], parents, _signature(one["author"]), _signature(one["committer"]), message
    )


def _signature(line: str) -> Signature:
    found = re.fullmatch(r"(.*) <(.*)> (\d+) [+-]\d{4}", line)
    if found is None:
        raise ValueError(line)
    return Signature(found[1], found[2], datetime.fromtimestamp(int(found[3]), UTC))


def _entry(line: str) -> Entry:
    head, _, path = line.partition("\t")
    mode, kind, sha, size = head.split()
    return Entry(mode, kind, sha, None if size == "-" else int(size), path)


def _files(words: list[str], patches: list[str]) -> list[FileChange]:
    """Join the raw lines, the counts and the patches of one diff; git prints all three in the same order."""
    raws: list[tuple[str, str, str | None, str]] = []
    while words and words[0].startswith(":"):
        _, _, old, new, letter = words.pop(0).split()
        previous = words.pop(0) if letter[0] in "RC" else None
        raws.append((_KINDS[letter[0]], old if letter == "D" else new, previous, words.pop(0)))
    counts = []
    while words:
        added, deleted, path = words.pop(0).split("\t", 2)
        if not path:
            del words[:2]
        counts.append((added, deleted))
    files = []
    for raw, count in zip(raws, counts, strict=True):
        patch = patches.pop(0)
        if raw[0] == "changed":  # a file that became a link is printed as one removed and one added
            patch += patches.pop(0)
        files.append(_file(*raw, *count, patch))
    return files


def _file(
    kind: str, blob: str, previous: str | None, path: str, added: str, deleted: str, patch: str
) -> FileChange:
    if kind == "renamed" and added == deleted == "0":
        text = None
    else:
        text = patch[patch.index("\n@@") + 1 :].rstrip("\n") if "\n@@" in patch else None
    binary = added == "-"
    return FileChange(
        path, previous, kind, blob, 0 if binary else int(added), 0 if binary else int(deleted), text
    )
