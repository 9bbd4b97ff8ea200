"""What a reviewer said about one round, and on what grounds.

Plain frozen data, kept with the review and its history. `rules` says what follows from a decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
