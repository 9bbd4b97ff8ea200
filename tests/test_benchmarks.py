"""What `make bench` counts is what is promised."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks import life, release, unchanged_release, unchanged_webhook
from benchmarks.intake import memory
from benchmarks.pages import PENDING, page_costs
from benchmarks.pictures import most_during
from benchmarks.times import Calls
from tests.world import wait_until


def test_a_plain_life_is_at_most_nine_calls_and_one_mail() -> None:
    cost = life()
    assert cost.calls <= 9, cost
    assert cost.mails == 1
    assert cost.statements > cost.calls


def test_a_webhook_that_changes_nothing_is_no_call_and_at_most_three_statements() -> None:
    cost = unchanged_webhook()
    assert (cost.calls, cost.mails) == (0, 0)
    assert 1 <= cost.statements <= 3


def test_a_look_at_an_unchanged_release_is_one_call_more_that_counts_for_nothing() -> None:
    assert unchanged_release().answers == (304,)


def test_pages_take_the_same_few_statements_however_many_reviews_there_are() -> None:
    paths = ("/", "/history", "/history?text=part", "/reviews/1")
    few, many = (page_costs(count, paths, tries=1) for count in (PENDING + 1, 300))
    statements = {path: cost.statements for path, cost in few.items()}
    assert statements == {path: cost.statements for path, cost in many.items()}
    assert statements == {"/": 8, "/history": 4, "/history?text=part": 3, "/reviews/1": 8}


def test_a_release_of_three_hundred_merges_and_two_thousand_commits_is_few_calls_and_two_mails() -> None:
    cost = release()
    assert cost.calls <= 34, cost
    assert cost.mails == 2  # the question, and what went live


def test_what_calls_take_at_once_is_taken_off_once_and_only_what_lies_between() -> None:
    calls = Calls(lambda *_: None)
    calls.spent = [
        (5.0, 6.0, "GET /a"),
        (1.0, 2.0, "GET /b"),
        (1.5, 2.5, "GET /c"),
        (2.2, 2.4, "GET /d"),
        (9.0, 12.0, "PUT /e"),
    ]
    assert calls.within(0.0, 10.0) == 1.5 + 1.0 + 1.0
    assert calls.within(1.5, 5.5) == 1.0 + 0.5


def test_memory_is_that_of_a_process_and_of_what_it_started() -> None:
    holds = "held = bytes(range(256)) * 4 * 50_000; input()"
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {holds + ''!r}])"
    with subprocess.Popen([sys.executable, "-c", starts], stdin=subprocess.PIPE) as started:
        wait_until(lambda: memory(started.pid).resident > 60e6)
        found = memory(started.pid)
        assert 45e6 < found.shared < found.resident < 120e6
        started.communicate(b"\n")


def test_the_most_memory_during_something_is_also_that_of_what_has_ended_by_then() -> None:
    holds = "held = bytes(range(256)) * 4 * 50_000; import time; time.sleep(0.3)"
    before = memory(os.getpid())
    most = most_during(os.getpid(), lambda: subprocess.run([sys.executable, "-c", holds], check=True))
    assert most.shared - before.shared > 45e6
    assert memory(os.getpid()).shared < most.shared - 40e6
