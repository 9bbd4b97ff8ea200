"""The same promises on PostgreSQL, with three worker processes that work at once, and are killed over it.

The lives are those of tests/test_promises.py; what is due is done by whoever takes it first. PROMISES_LIVES (2 here) and
PROMISES_STEPS (20) make it larger.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import select

from app.db.columns import metadata
from tests.mortal import Mortal
from tests.test_promises import SECRETS, Instants, Lives
from tests.world import World, aws, environment

LIVES = int(os.environ.get("PROMISES_LIVES", "2"))
STEPS = int(os.environ.get("PROMISES_STEPS", "20"))
WORKERS = 3
# More rounds of work than any life has to do at one time.
MOST_ROUNDS = 200


class Crowd(World):
    """A gate whose work is done by three processes at once; webhooks and clicks come to this one."""

    def __init__(self, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
        super().__init__(folder, database_url, monkeypatch, **more)
        self.environ = environment(self.github, self.url, DATABASE_URL=database_url, **more)
        self.environ |= aws(self.inbox)
        self.workers = [Mortal(self.environ) for _ in range(WORKERS)]
        self.deaths = 0
        self.steps = [0] * WORKERS
        self.said = ""

    def work_at_once(self) -> bool:
        """Let all three do what is due, side by side, and tell whether anybody did or died."""
        self.github.settle()
        for worker in self.workers:
            worker.begin(self.clock(), "work")
        told = [worker.answer() for worker in self.workers]
        for number, answer in enumerate(told):
            if answer is None:
                self.deaths += 1
                self.workers[number] = Mortal(self.environ)
            else:
                self.steps[number] += answer[0]
        return any(answer is None or answer[0] for answer in told)

    def settle(self) -> None:
        """Let every webhook arrive and every due step run, until nothing is due."""
        for _ in range(MOST_ROUNDS):
            if not self.work_at_once():
                return
        raise AssertionError("the gate finds no rest")

    def doom(self, instant: int) -> None:
        """Let one of them be killed at its n-th instant from now, or none again (0)."""
        for worker in self.workers if instant == 0 else self.workers[:1]:
            worker.run(self.clock(), "doom", instant)

    def listen(self) -> str:
        """What the workers that live have logged."""
        told = (worker.run(self.clock(), "said") for worker in self.workers)
        return "".join(answer[0] for answer in told if answer)

    def stop(self) -> None:
        """End the processes and the servers."""
        for worker in self.workers:
            worker.end()
        super().stop()


class LivesTogether(Lives):
    """Random lives; `make` gives a fresh crowd."""

    world: Crowd

    def work(self, steps: int) -> None:
        """Let the three work, so many times or until nothing is due."""
        for _ in range(min(steps, MOST_ROUNDS)):
            if not self.world.work_at_once():
                break
        else:
            assert steps < MOST_ROUNDS, f"the gate finds no rest\n{self.story()}"
        self.deaths = self.world.deaths

    def goes_wrong(self, mishap: Any) -> None:
        if isinstance(mishap, int):
            self.world.doom(mishap)
        else:
            super().goes_wrong(mishap)

    def all_works_again(self) -> None:
        self.world.doom(0)
        super().all_works_again()
        self.deaths = self.world.deaths
        log = self.world.listen()
        assert "unexpected" not in log, log
        assert "Traceback" not in log, log
        assert not any(secret in log for secret in SECRETS), log

    def tables(self) -> str:
        self.github.settle()
        with self.world.store.database.read() as connection:
            found = {
                table.name: connection.execute(select(table).order_by(*table.primary_key)).all()
                for table in metadata.sorted_tables
            }
        return str(found)


def test_the_promises_hold_while_three_processes_work_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    new_postgres_url: Callable[[], str],
) -> None:
    numbers, crowds = count(1), list[Crowd]()
    caplog.set_level("INFO")

    def make(**more: str) -> tuple[World, Path]:
        folder = tmp_path / str(next(numbers))
        crowds.append(Crowd(folder / "git", new_postgres_url(), monkeypatch, **more))
        return crowds[-1], folder

    size = settings(
        max_examples=LIVES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )

    def lives() -> LivesTogether:
        return LivesTogether(make, Instants(), caplog)

    run_state_machine_as_test(seed(1)(lives) if size.derandomize else lives, settings=size)
    at_once = [sum(steps) for steps in zip(*(crowd.steps for crowd in crowds), strict=True)]
    assert min(at_once) > 0, f"only some of them worked: {at_once}"
