"""What one step of a life costs: calls to GitHub, SQL statements, mails.

Counted in the same world as the tests', on SQLite; run by `make bench`. Counts are the same on every machine and
in every run, so they can be promised; times could not. Nothing here decides anything or is used by the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import event

from app.db.jobs import RELEASE
from benchmarks.history import COMMITS, MERGED, grow
from tests.world import SHOP, World

__all__ = [
    "COMMITS",
    "MANY",
    "MERGED",
    "life",
    "release",
    "unchanged_look",
    "unchanged_release",
    "unchanged_webhook",
]

MANY = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent; `answers` are the statuses that GitHub gave, in order."""

    answers: tuple[int | None, ...]
    statements: int
    mails: int

    @property
    def calls(self) -> int:
        """Return how often GitHub was called."""
        return len(self.answers)


@contextmanager
def new_world(**settings: str) -> Iterator[World]:
    """Give a fresh gate between fresh stand-ins; all of it is gone afterwards."""
    with TemporaryDirectory(prefix="qa-gate-") as folder, pytest.MonkeyPatch.context() as environment:
        world = World(Path(folder, "git"), f"sqlite:///{folder}/qa-gate.db", environment, **settings)
        try:
            yield world
        finally:
            world.stop()


def cost_of(world: World, what: Callable[[], object]) -> Cost:
    """Run something and return what it cost. Where a transaction begins counts as no statement."""
    statements: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    calls, mails = len(world.github.calls), len(world.inbox.mails)
    for engine in world.store.database.engines:
        event.listen(engine, "before_cursor_execute", count)
    try:
        what()
    finally:
        for engine in world.store.database.engines:
            event.remove(engine, "before_cursor_execute", count)
    answers = tuple(call.status for call in world.github.calls[calls:])
    return Cost(answers, len(statements), len(world.inbox.mails) - mails)


def life(*, with_a_push: bool = False) -> Cost:
    """Open, mail, look at the page, approve, merge; or with a push after the mail, and so a second mail."""

    def live() -> None:
        world.open()
        world.settle()
        if with_a_push:
            world.commit("gift-cards", "Round the total", cards_py="rounded\n")
            world.settle()
            world.pass_(minutes=10)
        world.see()
        world.decide()
        world.settle()
        assert world.github.pull(1).merged

    with new_world() as world:
        return cost_of(world, live)


def unchanged_webhook() -> Cost:
    """A delivery of its own that tells nothing new: a pull request was given a label."""

    def hear() -> None:
        world.github.label(number, "gift cards")
        world.github.settle()
        assert world.github.deliveries[-1].action == "labeled"

    with new_world() as world:
        number = world.open()
        world.settle()
        told = cost_of(world, hear)
        after = cost_of(world, world.settle)
        return Cost(told.answers + after.answers, told.statements, told.mails + after.mails)


def unchanged_look() -> Cost:
    """A look at a repository with a hundred open pull requests, where nothing happened since the last one."""
    with new_world() as world:
        for number in range(MANY):
            world.open(f"branch-{number}")
        return _second_look(world, SHOP)


def unchanged_release() -> Cost:
    """A look at what a release would hold, where nothing happened since the last one; as often as the other."""
    with new_world() as world:
        world.github.commit(SHOP, "development", {"a.py": "a\n"}, "Add a", "kim")
        return _second_look(world, f"{RELEASE} {SHOP}")


def _second_look(world: World, timer: str) -> Cost:
    """Look at everything until all is known, and count the next look of one timer."""
    world.look()
    world.pass_(minutes=6)
    world.pass_(minutes=6)
    world.store.timers.set(timer)
    return cost_of(world, world.settle)


def release() -> Cost:
    """A release of 300 merged pull requests and 2,000 commits, from the push to development to the merge."""

    def live() -> None:
        world.github.force_push(SHOP, "development", head)
        world.settle()
        world.pass_(seconds=31)
        world.pass_(minutes=10)
        world.decide()
        world.settle()
        assert world.merges("master") == 1

    with new_world() as world:
        world.look()
        head = grow(world)
        cost = cost_of(world, live)
        asked, live_now = world.inbox.mails
        assert f"Release of {MERGED} changes" in asked.preview
        assert f"{MERGED} changes went out" in live_now.preview
        return cost
