"""What an approval is for, and which merge it covers: the one place that says so. Pure.

The merge, the alarm about what was merged without, the rule about twins, and the list of a release all ask here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# --- What a reviewer said about one round, and on what grounds.


class Merged(StrEnum):
    """How a merge stands to the approval: see `approval.how_merged`."""

    BY_GATE = "by_gate"
    BY_GITHUB = "by_github"
    UNCHECKED = "unchecked"
    BROUGHT = "brought"
    BYPASSED = "bypassed"
    LOST = "lost"  # in the hours that a restored backup knows nothing of


class Choice(StrEnum):
    """What a reviewer may say about one round."""

    APPROVE = "approve"
    REJECT = "reject"
    TAKE_BACK = "take_back"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a decision was made on: steps that work, steps that were not ticked where others were, device and browser."""

    works: tuple[str, ...] = ()
    unticked: tuple[str, ...] = ()
    device: str = ""


@dataclass(frozen=True, slots=True)
class Cover:
    """What an approval is for: this head into this base; `merge_base` is where they met, None where that is not known.

    `merged_as` is the one merge that it is recorded with.
    """

    base: str
    head_sha: str
    merge_base: str | None = None
    merged_as: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A reviewer's word on one round; `number` counts the decisions on this review, from 1.

    `head_sha` is the version that it was given to, `covers` what an approval holds for: that one, and what it was carried
    over to.
    """

    number: int
    choice: Choice
    by: str
    reviewer: str
    at: datetime
    note: str
    basis: Basis = Basis()
    id: int = 0
    round: int = 0
    head_sha: str = ""
    covers: tuple[Cover, ...] = ()


# --- Which merge an approval covers.


@dataclass(frozen=True, slots=True)
class MergeCommit:
    """A merge as GitHub shows it: its parents, and whether GitHub itself made and signed it."""

    sha: str
    parents: tuple[str, ...]
    is_githubs: bool


def cover_of(decision: Decision | None, base: str, head_sha: str) -> Cover | None:
    """Return what of an approval is for this head and base and not recorded with a merge yet, None where nothing is."""
    if decision is None or decision.choice is not Choice.APPROVE:
        return None
    fitting = (one for one in decision.covers if (one.base, one.head_sha) == (base, head_sha))
    return next((one for one in fitting if one.merged_as is None), None)


def how_merged(cover: Cover | None, *, is_ours: bool, commit: MergeCommit | None, is_brought: bool) -> Merged:
    """Return how a merge stands to the approval. Who pressed the button does not matter, but what was merged does.

    `cover` is for the head that was merged and the base that it was merged into. `is_ours`: the gate's own account made
    it. `commit` is None where it could not be read. `is_brought`: an approved merge of another pull request brought all of it.
    """
    if cover is None:
        return Merged.BROUGHT if is_brought else Merged.BYPASSED
    if is_ours:
        return Merged.BY_GATE
    if commit is None:
        return Merged.UNCHECKED
    if commit.is_githubs:
        return Merged.BY_GITHUB if _is_made_of(commit, cover.head_sha) else Merged.BYPASSED
    # Rebases are not signed, nor is anything at some Enterprise Servers. What holds an approved head and more is a push.
    is_merge_with_more = cover.head_sha in commit.parents or commit.sha == cover.head_sha
    return Merged.BYPASSED if is_merge_with_more else Merged.UNCHECKED


def _is_made_of(commit: MergeCommit, head_sha: str) -> bool:
    """Tell whether a commit of GitHub's is the merge of this head, or its squash."""
    is_squash = len(commit.parents) == 1 and commit.sha != head_sha
    return is_squash or commit.parents[1:] == (head_sha,)
