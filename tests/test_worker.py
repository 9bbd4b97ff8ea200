"""The worker: what fails is tried again later, what is unexpected stops nothing."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from sqlalchemy import text

from app.db.jobs import Kind, wake
from app.domain.facts import PullRequest, State
from app.github.client import GitHub
from app.worker import Worker, backoff, work_once
from tests.world import TOKEN, World, wait_until


def test_waits_double_up_to_a_minute() -> None:
    longest = [backoff(attempts, 1.0).total_seconds() for attempts in (1, 2, 3, 6, 7, 500)]
    assert longest == [1, 2, 4, 32, 60, 60]
    assert backoff(3, 0.0) == timedelta(seconds=2)


def test_what_was_refused_is_tried_quickly_three_times_and_then_up_to_an_hour_apart() -> None:
    longest = [backoff(attempts, 1.0, refused=True).total_seconds() for attempts in (1, 2, 3, 4, 8, 9, 500)]
    assert longest == [1, 2, 60, 120, 1920, 3600, 3600]


def test_its_threads_do_the_story_by_themselves(world: World) -> None:
    world.open()
    world.github.settle()
    worker = Worker(world.gate)
    worker.start()
    wait_until(lambda: len(world.inbox.mails) == 1)
    world.decide()
    wait_until(lambda: world.row().state is State.MERGED)
    assert world.store.queue.last_beat() is not None
    worker.stop()
    assert world.store.queue.last_beat() is None


def test_a_failing_step_waits_longer_each_time(world: World) -> None:
    world.github.fail("GET", "/pulls/", 502, times=3)
    world.open()
    world.github.settle()
    while world.store.inbox.fold(world.gate.policy):
        pass
    for attempts in (1, 2, 3):
        assert work_once(world.gate)
        assert not work_once(world.gate)
        assert world.attempts() == attempts
        assert world.problem()
        world.clock.pass_(seconds=60)
    world.settle()
    assert (world.row().state, world.attempts(), world.problem()) == (State.WAITING, 0, None)


def test_an_event_ends_the_wait(world: World) -> None:
    world.github.fail("GET", "/pulls/", 502)
    world.open()
    world.settle()
    assert world.row().state is State.TO_ASK
    world.github.edit(1, title="Add gift cards and vouchers")
    world.settle()
    assert world.row().state is State.WAITING


def test_what_nobody_expected_is_logged_shown_and_tried_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.open()
    world.settle()
    with world.store.database.write() as connection:
        connection.execute(text("UPDATE reviews SET state = 'on holiday', rev = rev + 1"))
        wake(connection, Kind.REVIEW, "1", world.clock())
    with caplog.at_level(logging.ERROR):
        assert work_once(world.gate)
    assert "ValueError" in caplog.text
    with world.store.database.write() as connection:
        connection.execute(text("UPDATE reviews SET state = 'waiting'"))
    assert "unexpected" in (world.problem() or "")


class Buggy(GitHub):
    """GitHub with a bug of ours in the middle of a call."""

    def pull_request(self, repository: str, number: int) -> PullRequest:
        return self.get(repository, f"/pulls/{number}", self._fail)

    def _fail(self, _data: Any) -> PullRequest:
        nothing: Any = None
        answer: PullRequest = nothing.as_it_should_be
        return answer


def test_a_bug_inside_a_call_to_github_is_logged_with_its_traceback_and_called_one(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.open()
    world.github.settle()
    buggy = Buggy(world.github.url, token=TOKEN, clock=world.clock)
    with caplog.at_level(logging.WARNING):
        while work_once(replace(world.gate, github=buggy)):
            pass
        for _ in range(5):  # and again, and again
            world.clock.pass_(minutes=1)
            work_once(replace(world.gate, github=buggy))
    assert len([line for line in caplog.records if line.exc_info]) == 1
    assert "as_it_should_be" in caplog.text
    assert "Traceback" in caplog.text
    assert "did not answer" not in caplog.text
    assert "unexpected" in (world.problem() or "")
    world.pass_(minutes=1)
    assert world.row().state is State.WAITING


def test_what_goes_wrong_every_second_is_one_traceback_an_hour(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    broken = text("INSERT INTO jobs (kind, about, due_at) VALUES ('review', '1', 'yesterday')")
    with world.store.database.write() as connection:
        connection.execute(broken)
    worker = Worker(world.gate)
    worker.start()
    wait_until(lambda: "continues" in caplog.text)
    sleep(2.5)
    worker.stop()
    assert len([line for line in caplog.records if line.exc_info]) == 1


def test_the_database_being_away_stops_no_thread(
    world: World, caplog: pytest.LogCaptureFixture, sqlite_url: str
) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    world.store.close()
    aside, folder = path.rename(path.with_suffix(".aside")), path.with_suffix(".folder")
    folder.mkdir()
    path.symlink_to(folder)
    worker = Worker(world.gate)
    worker.start()
    wait_until(lambda: "database cannot be used" in caplog.text)
    # In one instant: else SQLite would make an empty file of that name in between.
    back = path.with_suffix(".back")
    back.symlink_to(aside)
    back.rename(path)
    world.open()
    wait_until(lambda: len(world.inbox.mails) == 1)
    worker.stop()
