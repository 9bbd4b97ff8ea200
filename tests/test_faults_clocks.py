"""Clocks that are wrong, or jump: nothing is lost and nothing is parked for days."""

from __future__ import annotations

from datetime import timedelta

from app.db.jobs import Kind
from app.worker import Lane, work_once
from tests.outside import MakeOutside, Outside, given


def test_a_clock_that_is_three_minutes_fast_loses_no_review_request(outside: Outside) -> None:
    clock = outside.world.clock
    outside.github.world.clock = lambda: clock() - timedelta(minutes=3)
    number = outside.asked("cards")
    outside.pass_(minutes=30)
    outside.choose("reject", "The total is wrong.")
    outside.settle()
    given(outside.status(number) == "failure", "not rejected")
    mails = len(outside.mails)
    outside.pass_(minutes=1)
    outside.github.request_review(number, "kim", by="sam")
    outside.settle()
    outside.pass_(minutes=20, step=60)
    assert len(outside.told("Change cards", mails)) == 1


def jump(outside: Outside, **time: float) -> None:
    """Put the clock forward for a minute, and back."""
    outside.world.clock.pass_(**time)
    outside.settle()
    outside.pass_(minutes=1, step=20)
    outside.world.clock.now -= timedelta(**time)


def test_a_clock_that_was_three_days_ahead_for_a_minute_parks_no_look(outside: Outside) -> None:
    outside.start()
    jump(outside, days=3)
    outside.github.webhooks_paused = True
    outside.open("cards")
    outside.pass_(hours=1, minutes=5, step=300)
    assert len(outside.told("Change cards")) == 1


def test_a_clock_that_was_three_days_ahead_for_a_minute_parks_no_approval(outside: Outside) -> None:
    number = outside.asked("cards")
    outside.github.webhooks_paused = True
    fault = outside.github.fail("*", ".*", 503, times=None)
    outside.choose()
    jump(outside, days=3)
    fault.lift()
    outside.pass_(hours=1, minutes=5, step=300)
    assert outside.is_merged(number)


def test_a_limit_that_was_met_while_the_clock_was_ahead_ends_at_its_own_time(outside: Outside) -> None:
    number = outside.asked("cards")
    outside.github.fail("*", ".*", 429, {"message": "Slow down."}, {"Retry-After": "60"})
    outside.world.clock.pass_(days=3)
    outside.choose()
    outside.settle()
    outside.world.clock.now -= timedelta(days=3)
    outside.commit("cards", more_py="more\n")
    before = len(outside.calls())
    outside.settle()
    outside.pass_(hours=1, minutes=5, step=300)
    assert len(outside.calls()) > before
    assert len(outside.told("Change cards", 1)) == 1
    given(not outside.is_merged(number), "merged")


def test_a_worker_that_died_before_the_clock_went_back_is_not_alive(outside: Outside) -> None:
    with outside.at_work():
        given(outside.comes(lambda: outside.readyz()[0] == 200), "never ready")
    outside.world.clock.now -= timedelta(hours=2)
    outside.world.clock.pass_(minutes=5)
    assert outside.readyz()[0] == 503


def test_a_push_while_the_clock_was_three_days_ahead_is_asked_about_after_the_quiet_time(
    outside: Outside,
) -> None:
    outside.asked("cards")
    outside.world.clock.pass_(days=3)
    outside.commit("cards", more_py="more\n")
    outside.settle()
    outside.world.clock.now -= timedelta(days=3)
    outside.pass_(hours=1, minutes=5, step=300)
    assert len(outside.told("Change cards", 1)) == 1


def test_a_change_without_checks_that_came_while_the_clock_was_ahead_is_asked_about(
    make_outside: MakeOutside,
) -> None:
    outside = make_outside(WAIT_FOR_CHECKS="true")
    outside.world.clock.pass_(days=3)
    outside.open("cards")
    outside.settle()
    outside.world.clock.now -= timedelta(days=3)
    outside.pass_(hours=1, minutes=5, step=300)
    assert len(outside.told("Change cards")) == 1


def test_a_mail_that_was_made_while_the_clock_was_ahead_goes_out(outside: Outside) -> None:
    outside.world.clock.pass_(days=3)
    outside.open("cards")
    outside.github.settle()
    while work_once(outside.world.gate, Lane((Kind.REVIEW,), folds=True)):
        pass
    given(not outside.mails, "mailed")
    outside.world.clock.now -= timedelta(days=3)
    outside.settle()
    assert len(outside.told("Change cards")) == 1


def test_the_lists_of_the_days_that_the_clock_jumped_over_go_out_all_the_same(outside: Outside) -> None:
    outside.start()
    outside.asked("cards")
    jump(outside, days=7)
    mails = len(outside.mails)
    outside.pass_(days=3, step=3600)
    assert len(outside.mails) > mails


def test_a_first_look_at_an_empty_repository_by_a_clock_that_was_ahead_hides_nothing(
    outside: Outside,
) -> None:
    clock = outside.world.clock
    true = clock.now
    outside.github.world.clock = lambda: min(clock.now, true)
    outside.world.clock.pass_(days=3)
    outside.start()
    outside.world.clock.now -= timedelta(days=3)
    outside.github.world.clock = clock
    outside.github.webhooks_paused = True
    outside.open("cards")
    outside.pass_(hours=1, minutes=5, step=300)
    assert len(outside.told("Change cards")) == 1
