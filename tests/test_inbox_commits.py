"""Webhooks that come together are committed together: each is kept before it is acknowledged, or refused by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sqlite3 import DatabaseError, connect
from time import monotonic, sleep

import pytest

from app.db.database import Database, Unavailable
from app.db.store import Store
from app.domain.events import PushEvent

PUT = "INSERT INTO kept (name) VALUES (?) ON CONFLICT DO NOTHING"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    store = Store(f"sqlite:///{tmp_path}/qa-gate.db")
    store.create()
    store.database.execute_raw("CREATE TABLE kept (name TEXT PRIMARY KEY CHECK (name <> 'bad')) STRICT", ())
    yield store.database
    store.close()


def together(database: Database, names: list[object]) -> list[int | Exception]:
    """Put each of these from a thread of its own, all while somebody else writes."""

    def put(name: object) -> int | Exception:
        try:
            return database.execute_raw(PUT, (name,))
        except (Unavailable, DatabaseError) as error:
            return error

    with ThreadPoolExecutor(len(names)) as pool:
        with database.write():
            begun = [pool.submit(put, name) for name in names]
            give_up = threading.Event()
            while len(database._brought) < len(names) and not give_up.wait(0.01):
                pass
        return [one.result() for one in begun]


def kept(tmp_path: Path) -> set[str]:
    with connect(tmp_path / "qa-gate.db") as other:
        return {row[0] for row in other.execute("SELECT name FROM kept")}


def test_what_comes_together_is_one_commit_and_each_learns_what_became_of_its_own(
    database: Database, tmp_path: Path
) -> None:
    before = frames(tmp_path)
    names = [f"delivery {number}" for number in range(12)]
    assert together(database, [*names, "delivery 3"]).count(1) == 12
    assert kept(tmp_path) == set(names)
    one_page = frames(tmp_path) - before
    assert one_page < 12 * 4096  # each alone would have written a page of its own, at least


def test_a_bad_one_among_them_takes_no_other_with_it(database: Database, tmp_path: Path) -> None:
    outcomes = together(database, ["a", "bad", "b", "c"])
    assert [outcomes[at] for at in (0, 2, 3)] == [1, 1, 1]
    assert isinstance(outcomes[1], Exception)
    assert not isinstance(outcomes[1], Unavailable)  # a bug of ours, not a database that is away
    assert kept(tmp_path) == {"a", "b", "c"}


def test_where_nothing_can_be_written_each_of_them_is_refused_and_the_next_one_is_kept(
    database: Database, tmp_path: Path
) -> None:
    database.execute_raw("ALTER TABLE kept RENAME TO hidden", ())
    outcomes = together(database, ["a", "b", "c"])
    assert all(isinstance(one, Exception) for one in outcomes)
    database.execute_raw("ALTER TABLE hidden RENAME TO kept", ())
    assert together(database, ["d"]) == [1]
    assert kept(tmp_path) == {"d"}


def test_work_gives_way_to_a_crowd_of_webhooks_but_not_for_long_and_not_to_a_single_one(
    tmp_path: Path,
) -> None:
    store = Store(f"sqlite:///{tmp_path}/qa-gate.db")
    store.create()
    event = PushEvent(repository_id=1, repository="acme/shop", branch="development")
    store.inbox.put("one", event)
    assert waited(store) < 0.05
    with ThreadPoolExecutor(4) as pool:
        with store.database.write():
            coming = [pool.submit(store.inbox.put, f"crowd {number}", event) for number in range(4)]
            while len(store.database._brought) < 4:
                sleep(0.01)
            assert waited(store) > 0.02
        assert [one.result() for one in coming] == [True] * 4
    store.inbox._crowded_until = monotonic() + 60
    assert 0.1 <= waited(store) < 5
    store.close()


def waited(store: Store) -> float:
    begun = monotonic()
    store.inbox.give_way(0.1)
    return monotonic() - begun


def frames(tmp_path: Path) -> int:
    """Return how much was written to the write-ahead log."""
    return (tmp_path / "qa-gate.db-wal").stat().st_size
