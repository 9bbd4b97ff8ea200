"""The daily digest: once on each working day at its time, whatever the clocks, the machine or the operator do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from app.db.jobs import Kind
from app.domain.calendar import day_begins, digest_on, next_digest
from app.domain.facts import State
from app.jobs.letters import send_digests
from app.links import decide_link
from app.wiring import create_gate
from app.worker import work_once
from demo.inbox.mail import Mail
from tests.databases import ON_BOTH
from tests.test_life import asked
from tests.world import World

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
HOURS = st.times().map(lambda at: at.replace(second=0, microsecond=0))
# The last Sunday of March and of October in Berlin, and a clock change at midnight.
SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path, usual_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path / "git", usual_url, monkeypatch, TIMEZONE="Europe/Berlin", DIGEST_AT="09:00")
    yield world
    world.stop()


def begun(world: World) -> World:
    """A gate whose worker started, on Tuesday at 13:00 in Berlin."""
    world.store.timers.set(Kind.DIGEST)
    world.settle()
    return world


def digests(world: World) -> list[Mail]:
    return [mail for mail in world.inbox.mails if "for you" in mail.subject]


def turn_to(world: World, day: int, hour: int, minute: int = 0) -> None:
    """Let time pass until then, in November 2026 in Berlin."""
    world.pass_(
        seconds=(datetime(2026, 11, day, hour, minute, tzinfo=BERLIN) - world.clock()).total_seconds()
    )


# --- The calendar -------------------------------------------------------------------------------------------


@given(MOMENTS, HOURS, ZONES)
@example(SPRING, time(2, 30), BERLIN)
@example(AUTUMN, time(2, 30), BERLIN)
@example(datetime(2011, 12, 29, 12, tzinfo=UTC), time(9), ZoneInfo("Pacific/Apia"))
def test_every_working_day_has_one_digest_at_its_time(now: datetime, at: time, zone: ZoneInfo) -> None:
    moment, days = now, []
    for _ in range(7):
        before, moment = moment, next_digest(moment, at, zone)
        there = moment.astimezone(zone)
        assert before < moment
        assert there.weekday() < 5
        # Where the clock leaves this time out, it is the moment after.
        assert there.time() == at or not is_there(there.date(), at, zone)
        days.append(there.date())
    assert days == sorted(set(days))
    first, last = now.astimezone(zone).date() + timedelta(days=1), days[-1]
    between = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    missed = [day for day in between if day not in days and day.weekday() < 5]
    assert all(not is_there(day, time(12), zone) for day in missed)


@given(MOMENTS, HOURS, ZONES)
def test_the_next_digest_is_the_one_of_its_day(now: datetime, at: time, zone: ZoneInfo) -> None:
    moment = next_digest(now, at, zone)
    assert digest_on(moment.astimezone(zone).date(), at, zone) == moment
    assert next_digest(moment - timedelta(microseconds=1), at, zone) == moment


def is_there(day: date, at: time, zone: ZoneInfo) -> bool:
    """Whether the clocks of the zone ever show this time of this day."""
    shown = datetime.combine(day, at, zone).astimezone(UTC).astimezone(zone)
    return (shown.date(), shown.time()) == (day, at)


@given(st.dates(date(2000, 1, 1), date(2037, 1, 1)), ZONES)
@example(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo"))
def test_a_day_begins_when_the_calendar_first_shows_it(day: date, zone: ZoneInfo) -> None:
    begin = day_begins(day, zone)
    assert (begin - timedelta(seconds=1)).astimezone(zone).date() < day
    assert begin.astimezone(zone).date() >= day


def test_the_clock_change_moves_the_digest_with_the_clock() -> None:
    at = [next_digest(moment, time(9), BERLIN).hour for moment in (SPRING, AUTUMN)]
    assert at == [7, 8]


# --- The letters --------------------------------------------------------------------------------------------


@ON_BOTH
def test_what_waits_is_listed_on_the_next_working_day_at_its_time(world: World) -> None:
    begun(world)
    asked(world, title="The first")
    world.pass_(hours=1)
    asked(world, branch="second", title="The second")
    turn_to(world, 25, 8, 59)
    assert digests(world) == []
    turn_to(world, 25, 9)
    (mail,) = digests(world)
    assert mail.subject == "2 changes are waiting for you"
    assert mail.text.index("The first") < mail.text.index("The second")
    assert len(re.findall(r"/decide/\S+", mail.text)) == 2
    world.decide(path=world.link())
    world.settle()
    assert world.row(1).state is State.MERGED


@ON_BOTH
@pytest.mark.parametrize("minute", [30, 59])
def test_on_day_one_the_first_list_is_the_days(world: World, minute: int) -> None:
    world.github.webhooks_paused = True
    for number in range(3):
        world.open(f"branch-{number}", title=f"Old {number}")
    turn_to(world, 25, 8, minute)
    world.store.timers.set(Kind.DIGEST)
    world.look()
    turn_to(world, 25, 9, 10)
    assert [mail.subject for mail in digests(world)] == ["3 changes are waiting for you"]
    turn_to(world, 26, 9)
    assert len(digests(world)) == 2


def test_after_a_list_the_daily_one_still_comes_for_what_waits_longer(world: World) -> None:
    begun(world)
    asked(world, title="The first")
    turn_to(world, 25, 7)
    for number in range(11):
        world.open(f"bump-{number}", title=f"Bump {number}")
    world.settle()
    turn_to(world, 25, 8, 30)
    assert [mail.subject for mail in digests(world)] == ["6 changes are waiting for you"]
    turn_to(world, 25, 9)
    assert digests(world)[1].subject == "12 changes are waiting for you"


def test_nothing_waiting_is_no_letter(world: World) -> None:
    begun(world)
    asked(world)
    world.decide("reject", "No.")
    turn_to(world, 25, 9)
    assert digests(world) == []


def test_one_on_each_working_day_and_none_on_the_weekend(world: World) -> None:
    begun(world)
    asked(world)
    by_day = []
    for day in range(25, 31):  # Wednesday to Monday
        for hour in (8, 9, 10, 20):
            turn_to(world, day, hour)
        by_day.append(len(digests(world)))
    assert by_day == [1, 2, 3, 3, 3, 4]


@ON_BOTH
def test_sync_and_a_restart_make_no_second_one(world: World) -> None:
    begun(world)
    asked(world)
    turn_to(world, 25, 9)
    for _ in range(3):
        world.clock.pass_(minutes=10)
        world.look()
        begun(world)
    assert len(digests(world)) == 1


@ON_BOTH
def test_two_machines_make_one(world: World) -> None:
    begun(world)
    asked(world)
    world.clock.pass_(days=1)
    claim = world.store.queue.claim((Kind.DIGEST,))
    assert claim is not None
    timer = world.store.timers.get(claim.about)
    assert timer is not None
    for _ in range(2):  # a start takes the timer from its holder, and both have read the same
        send_digests(world.gate, claim, timer)
    world.settle()
    assert len(digests(world)) == 1


def test_a_machine_that_was_down_at_nine_sends_it_later_that_day(world: World) -> None:
    begun(world)
    asked(world)
    world.clock.pass_(hours=26)
    begun(world)
    assert len(digests(world)) == 1


def test_after_a_whole_day_down_it_waits_for_the_next_working_days_time(world: World) -> None:
    begun(world)
    asked(world)
    world.clock.pass_(days=4, hours=2)  # Saturday
    begun(world)
    assert digests(world) == []
    turn_to(world, 30, 9)
    assert len(digests(world)) == 1


def test_a_digest_that_could_not_be_sent_all_day_is_not_sent_the_day_after(world: World) -> None:
    begun(world)
    asked(world)
    world.inbox.fail(503, times=1000)
    turn_to(world, 25, 9)
    for _ in range(16):
        world.pass_(hours=1)
    world.inbox.failures.clear()
    turn_to(world, 26, 8, 30)
    assert digests(world) == []
    turn_to(world, 26, 9)
    assert len(digests(world)) == 1


def test_a_start_in_the_afternoon_sends_none_before_the_next_day(world: World) -> None:
    asked(world)
    begun(world)
    turn_to(world, 24, 23)
    assert digests(world) == []


def test_another_time_counts_from_the_restart_on(world: World) -> None:
    begun(world)
    asked(world)
    turn_to(world, 25, 8)
    world.settings = world.settings.model_copy(update={"digest_at": time(15)})
    world.gate = create_gate(world.settings, world.store)
    begun(world)
    turn_to(world, 25, 14, 59)
    assert digests(world) == []
    turn_to(world, 25, 15)
    assert len(digests(world)) == 1


def test_the_digests_of_a_flood_do_not_stop_at_one_that_had_nothing_to_say(world: World) -> None:
    for number in range(6):
        world.open(f"bump-{number}", title=f"Bump {number}")
    world.settle()
    world.decide(path=link_to(world, world.row(6).id))
    world.pass_(hours=1)
    assert digests(world) == []
    for number in range(6, 12):
        world.open(f"bump-{number}", title=f"Bump {number}")
    world.settle()
    world.pass_(hours=1)
    assert "Bump 11" in digests(world)[0].text


def link_to(world: World, review: int) -> str:
    """The path of Lily's link to the first round of a change that got no letter of its own."""
    row = world.store.reviews.get(review)
    assert row is not None
    link = decide_link(row, world.gate.policy.reviewers[0].id)
    return world.gate.links.decide_url(link, world.clock()).removeprefix(world.url)


# --- In the browser -----------------------------------------------------------------------------------------


def test_a_link_of_the_digest_leads_to_its_change(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, open_page: Callable[..., Page]
) -> None:
    world = World(tmp_path / "git", sqlite_url, monkeypatch)
    try:
        begun(world)
        asked(world, title="The first")
        asked(world, branch="second", title="The second")
        turn_to(world, 25, 10)
        (mail,) = digests(world)
        page = open_page(width=375, javascript=False)
        page.set_content(mail.html)
        hrefs = [link.get_attribute("href") for link in page.get_by_role("link", name="Open").all()]
        page.goto(hrefs[1] or "")
        expect(page.get_by_role("heading", level=1)).to_contain_text("The second")
        page.get_by_role("button", name="Approve").click()
        while work_once(world.gate):
            world.github.settle()
        assert [world.row(number).state for number in (1, 2)] == [State.WAITING, State.MERGED]
    finally:
        world.stop()
