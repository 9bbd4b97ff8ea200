"""What is wrong for longer than a moment: when that begins and ends, and what it means for a reviewer. Pure.

`db` keeps the problems, `jobs` looks for them once a minute. Nobody is told of what passes by itself: a problem
begins when it has lasted, and ends when it is gone for good. What it is, is data; sentences are in templates/.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.blocked import Why

# A trouble that lasts so long is a problem.
LASTING = timedelta(minutes=15)
# Gone for so long, it is over; a job that is tried again shows none for a moment.
GONE_FOR = timedelta(minutes=2)
# Nobody has looked for so long: whether it lasted all the time is not known.
UNWATCHED = timedelta(minutes=20)
# So often a problem that lasts is logged.
REMINDED = timedelta(hours=1)


class Cause(StrEnum):
    """Why a job failed, as far as it matters to who must act; the values are what the database holds."""

    IDENTITY = "identity"
    RIGHTS = "rights"
    MISSING = "missing"
    BRANCH = "branch"
    MAIL = "mail"
    BUG = "bug"
    OTHER = "other"


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


# What keeps changes from coming and going, whatever it is.
HALTING = frozenset(
    {
        What.IDENTITY,
        What.RIGHTS,
        What.REPOSITORY,
        What.TAKEN,
        What.BRANCH,
        What.GITHUB,
        What.SETTING,
        What.STUCK,
        What.BUG,
    }
)
UNMAILED = frozenset({What.MAIL, What.UNSENT, What.UNKNOWN})


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
    AFRESH = "afresh"  # since when is not known: from now on
    FORGOTTEN = "forgotten"  # it passed before anybody was told


def turn_of(problem: Problem, is_there: bool, now: datetime) -> Turn:
    """Return what becomes of a problem; what a wrong clock wrote counts for nothing."""
    unseen = now - problem.seen_at
    is_over = not is_there and not timedelta(0) <= unseen < GONE_FOR
    if problem.begun_at is None:
        if is_over:
            return Turn.FORGOTTEN
        if is_there and not timedelta(0) <= unseen <= UNWATCHED:
            return Turn.AFRESH
        return Turn.BEGINS if is_there and now - problem.since >= LASTING else Turn.STAYS
    if is_over:
        return Turn.ENDS
    is_told = problem.logged_at is not None and timedelta(0) <= now - problem.logged_at < REMINDED
    return Turn.STAYS if is_told else Turn.LASTS


def trouble_of(cause: Cause, place: str, *, is_look: bool) -> tuple[What, str]:
    """Return what a job's failure is a sign of, and where; `is_look`: it looked at a repository as a whole."""
    match cause:
        case Cause.IDENTITY:
            return What.IDENTITY, ""
        case Cause.MISSING:  # one pull request may be gone without its repository
            return (What.REPOSITORY if is_look else What.STUCK), place
        case Cause.RIGHTS:
            return What.RIGHTS, place
        case Cause.BRANCH:
            return What.BRANCH, place
        case Cause.MAIL:
            return What.UNSENT, place
        case Cause.BUG:
            return What.BUG, ""
        case Cause.OTHER:
            return What.STUCK, place


def narrowed(troubles: Iterable[Trouble]) -> list[Trouble]:
    """Return the troubles without those that another one at the same place explains."""
    found = list(troubles)
    there = {(one.what, one.place) for one in found}

    def is_explained(one: Trouble) -> bool:
        by: tuple[What, ...] = ()
        if one.what is What.BRANCH:
            by = (What.REPOSITORY, What.TAKEN)
        elif one.what is What.REPOSITORY:
            by = (What.TAKEN,)
        return any((what, one.place) in there for what in by)

    return [one for one in found if not is_explained(one)]


class Effect(StrEnum):
    """What problems mean for a reviewer, who cannot solve them."""

    HALTED = "halted"  # new changes may be missing, and approved ones wait
    UNMAILED = "unmailed"  # mail to her may be missing
    BOUNCED = "bounced"  # mail to her does not arrive
    NOBODY = "nobody"  # nobody is asked


def effects_on(reviewer_id: str, problems: Iterable[Problem]) -> list[Effect]:
    """Return what the problems that have begun mean for this reviewer, each once."""
    found = set()
    for one in problems:
        is_hers = one.place in ("", reviewer_id)
        if one.what in HALTING:
            found.add(Effect.HALTED)
        elif one.what in UNMAILED and is_hers:
            found.add(Effect.UNMAILED)
        elif one.what is What.SUPPRESSED and is_hers:
            found.add(Effect.BOUNCED)
        elif one.what is What.AWAY:
            found.add(Effect.NOBODY)
    return [effect for effect in Effect if effect in found]
