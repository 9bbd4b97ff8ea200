"""What a reviewer said about one round, and on what grounds.

Plain frozen data, kept with the review and its history. `rules` says what follows from a decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
class Decision:
    """A reviewer's word on one round; `number` counts the decisions on this review, from 1."""

    number: int
    choice: Choice
    by: str
    reviewer: str
    at: datetime
    note: str
    basis: Basis = Basis()
