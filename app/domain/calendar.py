"""Local days, working days and weeks: when a day begins, when the daily digest is due, and twelve weeks in numbers. Pure.

Whatever is waited for by a clock asks `time_left`.

The answers are moments: how long a day is (23, 24 or 25 hours) is the zone's business. Weeks begin on Mondays by the
reader's calendar; the last one is the current one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from statistics import median

AN_HOUR, A_DAY, A_WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
SATURDAY = 5


def time_left(end: datetime, longest: timedelta, now: datetime) -> timedelta | None:
    """Return how long it is until then, None where that is over.

    It is over, too, where it is further ahead than it can be: it was written by a clock that was wrong.
    """
    left = end - now
    return left if timedelta(0) < left <= longest else None


def day_begins(day: date, timezone: tzinfo) -> datetime:
    """Return the moment when a local day begins."""
    return datetime.combine(day, time.min, timezone).astimezone(UTC)


def digest_on(day: date, at: time, timezone: tzinfo) -> datetime | None:
    """Return the moment of the digest on a local day, or None where that is no working day."""
    moment = datetime.combine(day, at, timezone).astimezone(UTC)
    # A zone that moved over the date line has no such day at all.
    is_there = moment.astimezone(timezone).date() == day
    return moment if is_there and day.weekday() < SATURDAY else None


def next_digest(now: datetime, at: time, timezone: tzinfo) -> datetime:
    """Return the first moment after `now` at which a digest is due."""
    day = now.astimezone(timezone).date()
    while True:
        moment = digest_on(day, at, timezone)
        if moment and moment > now:
            return moment
        day += A_DAY


# --- Twelve weeks in numbers: how many rounds were approved, how many sent back, and how long they had waited.


WEEKS = 12


@dataclass(frozen=True, slots=True)
class DecidedRound:
    """One decision on one round, and when that round was asked about; `what` as the history calls it."""

    review: int
    round: int
    what: str
    at: datetime
    asked_at: datetime


@dataclass(slots=True)
class Week:
    """One week, from the Monday `begins` on; `waits` are those of all rounds counted in it."""

    begins: date
    approved: int = 0
    rejected: int = 0
    waits: list[timedelta] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many rounds were decided."""
        return self.approved + self.rejected

    @property
    def median_wait(self) -> timedelta | None:
        """Return how long half of them had waited at most; None where nothing was decided."""
        return median_wait([self])


def first_week(today: date) -> date:
    """Return the Monday on which the first of the twelve weeks begins."""
    return today - timedelta(days=today.weekday()) - (WEEKS - 1) * A_WEEK


def by_week(decisions: Iterable[DecidedRound], first: date, timezone: tzinfo) -> list[Week]:
    """Return the twelve weeks from the Monday `first` on; `decisions` come oldest first.

    The last decision on a round counts, in the week in which it was given: an approval that was withdrawn is none. The
    wait ended with the first one, whatever came of it.
    """
    found = [Week(first + number * A_WEEK) for number in range(WEEKS)]
    rounds: dict[tuple[int, int], list[DecidedRound]] = defaultdict(list)
    for one in decisions:
        rounds[one.review, one.round].append(one)
    for given in rounds.values():
        last = given[-1]
        number = (last.at.astimezone(timezone).date() - first) // A_WEEK
        if last.what in ("approved", "rejected") and 0 <= number < WEEKS:
            week = found[number]
            week.approved += last.what == "approved"
            week.rejected += last.what == "rejected"
            week.waits.append(max(given[0].at - last.asked_at, timedelta(0)))
    return found


def median_wait(some: Iterable[Week]) -> timedelta | None:
    """Return the median wait of several weeks together; None where nothing was decided."""
    seconds = [wait.total_seconds() for week in some for wait in week.waits]
    return timedelta(seconds=median(seconds)) if seconds else None
