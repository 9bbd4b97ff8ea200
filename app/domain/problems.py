"""What is wrong for longer than a moment: when that begins and ends, and what it means for a reviewer. Pure.

`db` keeps the problems, `jobs` looks for them once a minute. Nobody is told of what passes by itself: a problem
begins when it has lasted, and ends when it is gone for good. What it is, is data; sentences are in templates/.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.blocked import Why
from app.domain.calendar import time_left

# A trouble that lasts so long is a problem.
LASTING = timedelta(minutes=15)
# Gone for so long, it is over; a job that is tried again shows none for a moment.
GONE_FOR = timedelta(minutes=2)
# So often a problem that lasts is logged.
REMINDED = timedelta(hours=1)


class What(StrEnum):
    """What is wrong; its `place` is a repository, or the id of who gets no mail, or ''."""

    IDENTITY = "identity"  # GitHub does not know the token or the App
    RIGHTS = "rights"
    REPOSITORY = "repository"  # it is gone, or out of reach
    TAKEN = "taken"  # another repository has its name
    RENAMED = "renamed"
    BRANCH = "branch"  # a gated one does not exist
    GITHUB = "github"  # gives no answer
    SETTING = "setting"  # one at GitHub keeps what is approved from going in
    STUCK = "stuck"  # what fails for any other reason
    BUG = "bug"
    MAIL = "mail"  # Amazon SES gives no answer
    UNSENT = "unsent"  # it does not take the mail
    UNKNOWN = "unknown"  # nobody knows whether a mail went out
    SUPPRESSED = "suppressed"  # it takes the mail and drops it
    AWAY = "away"  # every reviewer is


# What is in a pull request's way and neither Lily nor its developer can change, or nobody knows why it is.
BLOCKING: dict[Why, What] = {
    **dict.fromkeys((Why.RIGHTS, Why.ARCHIVED), What.RIGHTS),
    **dict.fromkeys((Why.METHOD_OFF, Why.QUEUE_REQUIRED, Why.BRANCH_LOST), What.SETTING),
    **dict.fromkeys((Why.GONE, Why.BUSY, Why.MOVED, Why.REFUSED, Why.UNCOMPARED), What.STUCK),
    **dict.fromkeys((Why.STATUS_UNSEEN, Why.STATUS_REFUSED, Why.OUTSIDE_UNKNOWN), What.STUCK),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong right now; `reason` is what was said to `about`, for who must act."""

    what: What
    place: str = ""
    about: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A trouble that was seen more than once; people are told of it once it has `begun_at`."""

    id: int
    what: What
    place: str
    since: datetime
    seen_at: datetime
    begun_at: datetime | None = None
    logged_at: datetime | None = None
    ended_at: datetime | None = None


class Turn(StrEnum):
    """What becomes of a problem at a look."""

    BEGINS = "begins"
    LASTS = "lasts"  # and is logged once more
    ENDS = "ends"
    STAYS = "stays"
    FORGOTTEN = "forgotten"  # it passed before anybody was told


def turn_of(problem: Problem, is_there: bool, now: datetime) -> Turn:
    """Return what becomes of a problem."""
    if not is_there and _is_past(problem.seen_at, GONE_FOR, now):
        return Turn.ENDS if problem.begun_at else Turn.FORGOTTEN
    if problem.begun_at is None:
        return Turn.BEGINS if is_there and _is_past(problem.since, LASTING, now) else Turn.STAYS
    return Turn.LASTS if _is_past(problem.logged_at or problem.begun_at, REMINDED, now) else Turn.STAYS


def _is_past(moment: datetime, span: timedelta, now: datetime) -> bool:
    return time_left(moment + span, span, now) is None


def narrowed(troubles: Sequence[Trouble]) -> list[Trouble]:
    """Return the troubles without those that another one at the same place explains."""
    there = {(one.what, one.place) for one in troubles}
    return [
        one
        for one in troubles
        if not any((what, one.place) in there for what in _EXPLAINED_BY.get(one.what, ()))
    ]


_EXPLAINED_BY = {What.BRANCH: (What.REPOSITORY, What.TAKEN), What.REPOSITORY: (What.TAKEN,)}


class Effect(StrEnum):
    """What problems mean for a reviewer, who cannot solve them."""

    HALTED = "halted"  # new changes may be missing, and approved ones wait
    UNMAILED = "unmailed"  # mail to her may be missing
    BOUNCED = "bounced"  # mail to her does not arrive
    NOBODY = "nobody"  # nobody is asked


_EFFECTS: dict[What, Effect | None] = {
    **dict.fromkeys(What, Effect.HALTED),
    **dict.fromkeys((What.MAIL, What.UNSENT, What.UNKNOWN), Effect.UNMAILED),
    What.SUPPRESSED: Effect.BOUNCED,
    What.AWAY: Effect.NOBODY,
    What.RENAMED: None,  # all goes on
}
_OF_ONE = (Effect.UNMAILED, Effect.BOUNCED)


def effects_on(reviewer_id: str, problems: Iterable[Problem]) -> list[Effect]:
    """Return what the problems that have begun mean for this reviewer, each once."""
    found = {
        effect
        for one in problems
        if (effect := _EFFECTS[one.what]) not in _OF_ONE or one.place in ("", reviewer_id)
    }
    return [effect for effect in Effect if effect in found]
