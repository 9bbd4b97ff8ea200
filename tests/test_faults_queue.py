"""The queue: one odd answer parks nothing, mending heals at once, and a slow service holds up only its own."""

from __future__ import annotations

import re

import pytest

from tests.outside import Outside, given

# --- One odd answer (23) -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("call", ["GET /pulls/1$", "POST /statuses/"])
def test_one_odd_answer_of_github_costs_no_hour(outside: Outside, call: str, status: int) -> None:
    number = outside.asked("cards")
    method, path = call.split()
    fault = outside.github.fail(method, path, status, {"message": "Odd"})
    outside.choose()
    outside.settle()
    outside.pass_(minutes=1, step=10)
    given(fault.met == 1, "the odd answer was not met")
    assert outside.is_merged(number)


@pytest.mark.parametrize("status, error", [(401, "UnrecognizedClientException"), (302, "")])
def test_one_odd_answer_of_ses_costs_no_hour(outside: Outside, status: int, error: str) -> None:
    outside.world.inbox.fail(
        status, error, "Odd", headers={} if error else {"Location": "http://127.0.0.1:9/"}
    )
    outside.open("cards")
    outside.settle()
    outside.pass_(minutes=1, step=10)
    assert len(outside.told("Change cards")) == 1


@pytest.mark.parametrize("kind", ["reset", "cut", "page", "redirect"])
def test_one_broken_answer_of_github_costs_seconds(outside: Outside, kind: str) -> None:
    number = outside.asked("cards")
    match kind:
        case "reset":
            outside.github.fail("GET", "/pulls/1$", None)
        case "cut":
            outside.github.cut("GET", "/pulls/1$")
        case "page":
            outside.github.fail("GET", "/pulls/1$", 200, "<html>Unicorn!</html>")
        case "redirect":
            outside.github.fail("GET", "/pulls/1$", 302, headers={"Location": f"{outside.github.url}/odd"})
    outside.choose()
    outside.settle()
    outside.pass_(minutes=1, step=10)
    assert outside.is_merged(number)


def waiting_for_a_right(outside: Outside, how_many: int = 4) -> list[int]:
    """Approve changes that the token may not merge."""
    outside.start()
    links = outside.ask_about(how_many)
    outside.github.rights.discard("contents")
    outside.github.rights.add("contents:read")
    numbers = outside.approve_all(links)
    outside.settle()
    outside.pass_(seconds=30, step=5)
    outside.github.rights.add("contents")
    given(not any(map(outside.is_merged, numbers)), "merged without the right")
    return numbers


def test_a_restart_after_a_mend_heals_everything_at_once(outside: Outside) -> None:
    numbers = waiting_for_a_right(outside)
    outside.restart()
    assert [number for number in numbers if not outside.is_merged(number)] == []


def test_sync_after_a_mend_heals_everything_at_once(outside: Outside) -> None:
    outside.keep_true_time(minutes_ago=5)
    numbers = waiting_for_a_right(outside)
    outside.keep_true_time()
    code, said = outside.command("sync")
    assert [number for number in numbers if not outside.is_merged(number)] == [], said
    assert (code, re.findall("not accessible", said)) == (0, [])


# --- Head of line (24) ---------------------------------------------------------------------------------------


def test_mail_that_is_stuck_delays_no_merge(outside: Outside) -> None:
    outside.start()
    number = outside.asked("cards")
    link, fault = outside.link(), outside.world.inbox.silence()
    try:
        for other in range(4):
            outside.open(f"change{other}", author=f"dev{other}")
        with outside.at_work():
            given(outside.comes(lambda: fault.met >= 1), "no mail got stuck")
            outside.comes(lambda: fault.met >= 2, seconds=1)
            outside.choose(path=link)
            is_merged = outside.comes(lambda: outside.is_merged(number), seconds=6)
            fault.lift()
    finally:
        fault.lift()
    assert is_merged


def test_comparisons_that_hang_delay_no_merge(outside: Outside) -> None:
    outside.start()
    number = outside.asked("cards")
    link = outside.link()
    heads = [outside.commit(f"change{other}") for other in range(6)]
    fault = outside.github.silence("GET", f"/compare/.*({'|'.join(heads)})")
    try:
        for other in range(6):
            outside.open(f"change{other}", author=f"dev{other}")
        with outside.at_work():
            given(outside.comes(lambda: fault.met >= 2), "no comparison hangs")
            outside.choose(path=link)
            is_merged = outside.comes(lambda: outside.is_merged(number), seconds=6)
            fault.lift()
    finally:
        fault.lift()
    assert is_merged


# --- Coming back (27) ----------------------------------------------------------------------------------------


def test_after_an_outage_everything_goes_on_within_minutes(outside: Outside) -> None:
    links = outside.ask_about(6)
    fault = outside.github.fail("*", ".*", 503, {"message": "Unavailable"}, times=None)
    numbers = outside.approve_all(links)
    outside.settle()
    outside.pass_(hours=1, step=120)
    fault.lift()
    outside.pass_(seconds=120, step=15)
    assert [number for number in numbers if not outside.is_merged(number)] == []
