"""What the pages cost with many reviews in the database: SQL statements, and the least time of many tries.

Used by `make bench` and by tests/test_benchmarks.py. The rows are written in bulk, past the rules: a few reviews
wait, whatever their number, and all others are merged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from sqlalchemy import insert

from app.db.letters import NewLetter
from app.db.store import Store
from app.db.tables import history, reviews, rounds
from app.domain.facts import State
from app.links import SignInLink
from benchmarks import cost_of, new_world
from tests.builders import LILY, NOON, decision, row, snapshot
from tests.world import SHOP, World

PENDING = 5
TRIES = 25
# What happens in a plain life, and a little more.
HAPPENED = ("asked", "round", "asked", "approved", "held", "merged")
BATCH = 5_000


@dataclass(frozen=True, slots=True)
class PageCost:
    """Statements of one request, and seconds of the fastest one."""

    statements: int
    seconds: float


def page_costs(count: int, paths: tuple[str, ...], tries: int = TRIES) -> dict[str, PageCost]:
    """Return what each page costs when there are so many reviews."""
    with new_world() as world:
        fill(world.store, count)
        sign_in(world)
        return {path: _cost(world, path, tries) for path in paths}


def fill(store: Store, count: int) -> None:
    """Write so many reviews, each with one round and six lines of history; the newest few wait."""
    with store.database.write() as connection:
        for start in range(1, count + 1, BATCH):
            ids = range(start, min(start + BATCH, count + 1))
            connection.execute(insert(reviews), [_review(number, count) for number in ids])
            connection.execute(insert(rounds), [_round(number, count) for number in ids])
            connection.execute(insert(history), [line for number in ids for line in _lines(number, count)])


def sign_in(world: World) -> None:
    """Let Lily in by a letter, as ever."""
    world.store.letters.request(NewLetter("sign_in bench", "sign_in", LILY.id))
    letter = world.store.letters.get(1)
    assert letter is not None
    url = world.gate.links.sign_in_url(SignInLink(letter.nonce, LILY.id), world.clock())
    assert world.browser.post(url.removeprefix(world.url)).status_code == 303


def _cost(world: World, path: str, tries: int) -> PageCost:
    def get() -> None:
        assert world.browser.get(path).status_code == 200

    statements = cost_of(world, get).statements
    return PageCost(statements, min(_seconds(get) for _ in range(tries)))


def _seconds(what: Any) -> float:
    start = perf_counter()
    what()
    return perf_counter() - start


def _review(number: int, count: int) -> dict[str, Any]:
    is_old = number <= count - PENDING
    state = State.MERGED if is_old else State.WAITING
    nonces = {"nonce": f"{number:024x}", "round_nonce": f"{number:024x}"}
    facts = {
        "id": number,
        "number": number,
        **nonces,
        "title": f"Add gift cards, part {number}",
        "repository": SHOP,
    }
    made = row(state, decision=decision() if is_old else None, **facts)
    return {name: getattr(made, name) for name in made.__slots__ if name != "problem"}


def _at(number: int, count: int) -> datetime:
    """Return when it was asked about: eight a day, the last one just now."""
    return NOON - (count - number) * timedelta(hours=3)


def _round(number: int, count: int) -> dict[str, Any]:
    asked_at, asked = _at(number, count), snapshot(number=number)
    key = {"review_id": number, "round": 1, "nonce": f"{number:024x}"}
    return {**key, "asked_at": asked_at, "snapshot": asked}


def _lines(number: int, count: int) -> list[dict[str, Any]]:
    facts = {"review_id": number, "who": LILY.name, "base": "development", "head_sha": "b" * 40, "round": 1}
    at = _at(number, count)
    words = f"It is fine, as far as part {number} goes."
    return [{**facts, "at": at, "what": what, "detail": words} for what in HAPPENED]
