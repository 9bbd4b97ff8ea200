"""Twelve weeks at a glance: what counts, in which week, how long it waited, and how a page says it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.calendar import DecidedRound, by_week, first_week, median_wait
from app.text.words import day_heading, span, span_words

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 9, 7)


def answer(
    review: int, what: str, at: str, waited: timedelta = timedelta(hours=1), round_: int = 1
) -> DecidedRound:
    moment = datetime.fromisoformat(at).replace(tzinfo=BERLIN)
    return DecidedRound(review, round_, what, moment, moment - waited)


def numbers(*answers: DecidedRound) -> list[tuple[int, int]]:
    """Approved and sent back, by week."""
    return [(week.approved, week.rejected) for week in by_week(answers, FIRST, BERLIN)]


@pytest.mark.parametrize(
    "today, first",
    [("2026-11-23", "2026-09-07"), ("2026-11-29", "2026-09-07"), ("2026-11-30", "2026-09-14")],
)
def test_the_twelve_weeks_begin_on_mondays_and_end_with_the_week_of_today(today: str, first: str) -> None:
    assert first_week(date.fromisoformat(today)) == date.fromisoformat(first)
    assert by_week([], FIRST, BERLIN)[-1].begins == date(2026, 11, 23)


def test_each_round_counts_once_with_its_last_answer_in_the_week_of_that_answer() -> None:
    found = numbers(
        answer(1, "approved", "2026-09-13T23:59"),
        answer(2, "rejected", "2026-09-14T00:00"),
        answer(3, "rejected", "2026-09-14T10:00"),
        answer(3, "approved", "2026-09-15T10:00"),
        answer(4, "approved", "2026-09-15T10:00"),
        answer(4, "taken_back", "2026-09-15T11:00"),
        answer(5, "rejected", "2026-09-16T10:00"),
        answer(5, "approved", "2026-11-29T23:59", round_=2),
    )
    assert found[:2] == [(1, 0), (1, 2)]
    assert found[-1] == (1, 0)
    assert sum(map(sum, found)) == 5


def test_what_was_answered_before_or_after_counts_nowhere() -> None:
    found = numbers(answer(1, "approved", "2026-09-06T23:59"), answer(2, "approved", "2026-11-30T00:00"))
    assert sum(map(sum, found)) == 0


def test_the_wait_ends_with_the_first_answer_and_half_waited_no_longer_than_the_median() -> None:
    asked = datetime(2026, 9, 14, 8, 0, tzinfo=BERLIN)
    hours = {1: 1, 2: 2, 3: 9}
    answers = [
        DecidedRound(number, 1, "rejected", asked + timedelta(hours=wait), asked)
        for number, wait in hours.items()
    ]
    answers.append(DecidedRound(3, 1, "approved", asked + timedelta(days=3), asked))
    found = by_week(answers, FIRST, BERLIN)
    assert [week.median_wait for week in found[:2]] == [None, timedelta(hours=2)]
    assert median_wait(found) == timedelta(hours=2)
    assert median_wait([]) is None


@pytest.mark.parametrize(
    "passed, short, long",
    [
        (timedelta(0), "1 min", "1 minute"),
        (timedelta(minutes=59, seconds=29), "59 min", "59 minutes"),
        (timedelta(minutes=59, seconds=30), "1 h", "1 hour"),
        (timedelta(hours=2, minutes=40), "3 h", "3 hours"),
        (timedelta(hours=47, minutes=29), "47 h", "47 hours"),
        (timedelta(hours=47, minutes=31), "2 days", "2 days"),
        (timedelta(days=9, hours=13), "10 days", "10 days"),
        (timedelta(days=1200), "1,200 days", "1,200 days"),
    ],
)
def test_a_wait_is_said_in_one_rounded_unit(passed: timedelta, short: str, long: str) -> None:
    assert (span(passed), span_words(passed)) == (short, long)


@pytest.mark.parametrize(
    "day, heading",
    [
        ("2026-11-26", "Today, Thursday 26 November"),
        ("2026-11-25", "Yesterday, Wednesday 25 November"),
        ("2026-11-24", "Tuesday 24 November"),
        ("2025-11-26", "Wednesday 26 November 2025"),
    ],
)
def test_a_day_of_the_history_has_a_heading_by_name(day: str, heading: str) -> None:
    assert day_heading(date.fromisoformat(day), date(2026, 11, 26)) == heading
