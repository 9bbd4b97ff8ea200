"""What the driver did itself, and what it saw at the end: all that the judge may know.

`Record` is written while a life goes on; `Sight` is taken of it once. Moments are seconds of this machine's clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["recorded", "refused", "unknown"]
# What a developer does that may end a question or an answer.
INTERRUPTS = frozenset({"close", "reopen", "draft", "ready"})
# Troubles after which nobody may know whether a mail went out.
FORGETFUL = frozenset({"kill", "pause", "disk", "database"})


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a developer did to a pull request."""

    at: float
    number: int
    what: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A click of Lily's: what she saw, what she said, and what she was told of it.

    `head`: the commit that the page showed her, "" where it offered her nothing. `asked_at`: when the mail with this very
    question came, None where none did. `note`: words that no other click has,
    "" where an approval is taken back.
    """

    number: int
    choice: str  # approve, reject, take_back or question
    note: str
    head: str
    asked_at: float | None
    sent: float
    ended: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that struck the gate, and how long."""

    what: str
    began: float
    ended: float


@dataclass
class Record:
    """Everything that the driver did in one life. `pushed`: commits that it put onto a gated branch itself."""

    deeds: list[Deed] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    pushed: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request as GitHub shows it at the end.

    `said`: every text of the gate's under it. `can_answer`: whether something that Lily has in hand lets her decide now.
    """

    number: int
    base: str
    head: str
    open: bool
    draft: bool
    merge_commit: str | None
    merged_at: float
    said: tuple[str, ...]
    can_answer: bool


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that came; `about`: what its links are about, in order; `is_lost`: the gate never got SES's answer."""

    at: float
    subject: str
    preview: str
    about: tuple[str, ...]
    is_lost: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be seen from outside once all is calm.

    `branches`: the commits of each gated branch since the beginning, along first parents, each with its parents;
    `statuses`: state and description by commit and context; `same(old, new, base)` tells by git whether two heads are
    one change to a base.
    """

    pulls: tuple[Pull, ...]
    branches: dict[str, dict[str, tuple[str, ...]]]
    statuses: dict[tuple[str, str], tuple[str, str]]
    mails: tuple[Mail, ...]
    same: Callable[[str, str, str], bool]
