"""Local days and working days: when a day begins, and when the daily digest is due. Pure.

`jobs` asks with its own clock, hour and zone. The answers are moments: how long a day is (23, 24 or 25 hours)
is the zone's matter. An hour that a clock change leaves out is taken as the moment when the clocks are past it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

A_DAY = timedelta(days=1)
SATURDAY = 5


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
