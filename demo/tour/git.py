"""What the tour reads from the bare repository of acme/shop, with the git program itself.

Asked by `desk`, `picture` and the pages. Everything is asked by commit, so it never changes and is remembered.
It never writes.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

LONGEST_LOG = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One line of `git log --graph`; the lines between two commits have a graph only."""

    graph: str
    sha: str = ""
    subject: str = ""
    more: str = ""  # the first line of the rest: what a merge commit is about
    author: str = ""


@lru_cache(512)
def file_at(repository: Path, commit: str, path: str) -> bytes | None:
    """Return a file as a commit has it, None when it has none."""
    answer = _git(repository, "cat-file", "blob", f"{commit}:{path}")
    return answer.stdout if answer.returncode == 0 else None


@lru_cache(32)
def log(repository: Path, commit: str) -> tuple[Line, ...]:
    """Return `git log --graph` from a commit on, newest first."""
    form = "--format=%x00%h%x00%s%x00%b%x00%an%x00"
    answer = _git(repository, "log", "--graph", f"--max-count={LONGEST_LOG}", form, commit)
    return tuple(_lines(answer.stdout.decode(errors="replace")))


@lru_cache(128)
def diff(repository: Path, base: str, head: str) -> str:
    """Return what a branch changes since it left its base, as git prints it."""
    answer = _git(repository, "diff", "--no-color", f"{base}...{head}")
    return answer.stdout.decode(errors="replace")


def merged_text(mine: str, before: str, theirs: str) -> str:
    """Merge two versions of a file; where they clash, mine is kept."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for name, text in (("mine", mine), ("before", before), ("theirs", theirs)):
            Path(folder, name).write_text(text, encoding="utf-8")
            names.append(name)
        return _git(Path(folder), "merge-file", "-p", "--ours", *names).stdout.decode()


def _lines(text: str) -> list[Line]:
    lines: list[Line] = []
    parts = text.split("\0")
    # Between two commits: the rest of the one's body, then graph lines, the last one before the next commit.
    graph = parts.pop(0)
    while len(parts) >= 5:
        sha, subject, body, author, after = parts[:5]
        del parts[:5]
        more = next((words for line in body.splitlines() if (words := line.lstrip("|\\/ *_").strip())), "")
        lines.append(Line(graph.rstrip(), sha, subject, more, author))
        *between, graph = after.removeprefix("\n").split("\n")
        lines += [Line(one.rstrip()) for one in between if one.strip()]
    return lines


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
