"""What could fool a reviewer about a change: what cannot be seen in it, and what is unusual about it. Pure.

Mail and pages say it first, in words of templates/cautions.html. A caution judges nobody and blocks nothing: it tells
where not to trust what is shown. The facts are those of the snapshot that she was asked about, but for what GitHub says
of the same head since: that counts, and what it says no more is told as over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from app.domain.facts import ChangedFile, Snapshot
from app.domain.review import Facts

WORKFLOWS = ".github/workflows/"
# GitHub's word for it: https://docs.github.com/en/graphql/reference/enums#mergestatestatus
CONFLICT = "dirty"
# The kinds of files that are text, by the end of their names.
TEXT = frozenset(
    "bash bat c cc cfg clj cmake conf cpp cs css csv dart dockerfile editorconfig erb ex exs gitattributes gitignore go "
    "gradle graphql groovy h haml hbs hpp hs htm html ini java js json jsx kt kts less license lock lua makefile markdown "
    "md mjs mod php pl po properties proto ps1 py r rb rs rst sass scala scss sh sql sum svelte svg swift tf toml ts tsx txt "
    "vue xml yaml yml".split()
)
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md#the-pointer
_POINTER = re.compile(r"^[+ ]version https://git-lfs\.github\.com/spec/v1", re.MULTILINE)
_SUBMODULE = re.compile(r"^[+-]Subproject commit [0-9a-f]{7,64}", re.MULTILINE)


NO_FACTS = Facts()


class CautionKind(StrEnum):
    """What could fool her; each has its own words, the most important first."""

    IMITATES = "imitates"
    OVERLAPS = "overlaps"
    FAILING = "failing"
    FITS_AGAIN = "fits_again"
    PASSING_AGAIN = "passing_again"
    EDITED = "edited"
    UNKNOWN = "unknown"
    UNDOES = "undoes"
    OUTSIDE = "outside"
    WORKFLOWS = "workflows"
    HIDDEN = "hidden"
    LARGE_FILES = "large_files"
    SUBMODULES = "submodules"
    CUT = "cut"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Caution:
    """One of them. `names` are the paths, the checks or the branches that it is about."""

    kind: CautionKind
    names: tuple[str, ...] = ()


def cautions(snapshot: Snapshot, *, is_edited: bool = False, now: Facts = NO_FACTS) -> list[Caution]:
    """Return what could fool a reviewer, or make her test in vain, the most important first.

    `is_edited`: its title or text was edited after the question. `now` are the facts as GitHub gave them last.
    """
    about = {
        kind: tuple(file.path for file in snapshot.change.files if kind in _kinds(file))
        for kind in CautionKind
    }
    branches = (snapshot.pull.head, snapshot.pull.base)
    about[CautionKind.IMITATES] = tuple(
        name for name in branches if not (name.isascii() and name.isprintable())
    )
    had_conflict, checks = snapshot.pull.mergeable_state == CONFLICT, now.checks or snapshot.checks
    overlaps = had_conflict if now.conflicts is None else now.conflicts
    about[CautionKind.FAILING] = checks.names if checks and checks.state == "red" else ()
    if checks and checks.state == "green":
        then = snapshot.checks
        about[CautionKind.PASSING_AGAIN] = now.had_red or (then.names if then and then.state == "red" else ())
    applies = {
        CautionKind.OVERLAPS: overlaps,
        CautionKind.FITS_AGAIN: now.conflicts is False and (had_conflict or now.had_conflict),
        CautionKind.EDITED: is_edited,
        CautionKind.UNKNOWN: not snapshot.change.is_known,
        CautionKind.UNDOES: not snapshot.change.is_unique,
        CautionKind.OUTSIDE: snapshot.pull.is_from_outside,
        CautionKind.MORE: snapshot.change.is_known and _is_more(snapshot),
    }
    return [Caution(kind, about[kind]) for kind in CautionKind if about[kind] or applies.get(kind)]


def _kinds(file: ChangedFile) -> Iterator[CautionKind]:
    """Give what could fool her about one file."""
    patch = file.patch or ""
    if any(path.casefold().startswith(WORKFLOWS) for path in (file.path, file.previous_path or "")):
        yield CautionKind.WORKFLOWS
    if file.patch is None and not _is_plain(file):
        yield CautionKind.HIDDEN
    if _POINTER.search(patch):
        yield CautionKind.LARGE_FILES
    if _SUBMODULE.search(patch):
        yield CautionKind.SUBMODULES
    if file.is_cut:
        yield CautionKind.CUT


def _is_plain(file: ChangedFile) -> bool:
    """Tell whether there is nothing to show: it is only gone, or is text and only has another name.

    Of what is not text GitHub counts no lines, so that a new name may hide other contents.
    """
    if file.status not in ("renamed", "copied"):
        return file.status in ("removed", "unchanged")
    return not file.additions and not file.deletions and _is_text(file.path, file.previous_path or "")


def _is_text(*paths: str) -> bool:
    """Tell whether files are text by their names: by what follows the last dot, or else by all of it."""
    return all(path.rpartition("/")[2].rpartition(".")[2].casefold() in TEXT for path in paths)


def _is_more(snapshot: Snapshot) -> bool:
    pull, change = snapshot.pull, snapshot.change
    return pull.changed_files > len(change.files) or pull.commits > len(change.commits)
