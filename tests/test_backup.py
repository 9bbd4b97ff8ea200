"""`qa-gate backup` and `restore`: every row comes back, on either kind of database, or nothing is written at all."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import resource
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Integer,
    LargeBinary,
    event,
    func,
    select,
    text,
)

from app.db import backup as backups
from app.db.backup import BackupError, back_up, restore
from app.db.columns import metadata
from app.db.database import Unavailable
from app.db.schema import SchemaError, revisions, version_of, versions
from app.db.store import Store
from app.db.tables import jobs, timers
from app.domain.facts import State
from app.links import decide_link
from tests.builders import NOON, Clock
from tests.mortal import Instants, processes
from tests.old_database import STATES, STORED
from tests.outside import MakeOutside
from tests.test_schema import later

ODD = 'O\'Neil said "ü", 日本 \U0001f381\n\\t\t— and left.'


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Gives the URL of one more empty database of a kind."""
    numbers = itertools.count(1)

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / f'new{next(numbers)}.db'}"
        create: Callable[..., str] = request.getfixturevalue("new_postgres_url")
        return create("template1")

    return make


def value_of(column: Column[Any], number: int) -> Any:
    """A value that a column can hold; the second row has nothing where nothing may be."""
    if column.foreign_keys:
        return number
    if number == 2 and column.nullable:
        return None
    match column.type:
        case Boolean():
            return number == 1
        case DateTime():
            return datetime(2026, 11, 24, 12, 30, 15, 123_456 * (number % 2), tzinfo=UTC)
        case Date():
            return date(2026, 11, number)
        case JSON():
            return {"words": ODD, "list": [1, None, 2.5, True], "number": number}
        case LargeBinary():
            return bytes(range(256)) * number
        case BigInteger() if not column.primary_key:
            return 2**62 + number
        case Integer():
            return number
        case kind:
            return f"{number} {ODD}"[: getattr(kind, "length", None) or 200]


def fill(store: Store) -> None:
    """Put two rows into every table, whatever its columns are."""
    store.create()
    with store.database.write() as connection:
        for table in backups._tables(connection, metadata.tables.keys()):
            connection.execute(table.delete())
            rows = [{one.name: value_of(one, number) for one in table.columns} for number in (1, 2)]
            connection.execute(table.insert(), rows)


def contents(store: Store) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, as JSON has them."""
    with store.database.read() as connection:
        return {
            table.name: [
                json.loads(json.dumps(dict(row._mapping), default=backups._to_json))
                for row in connection.execute(select(table).order_by(*table.primary_key))
            ]
            for table in backups._tables(connection)
        }


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url, Clock(NOON))
    yield store
    store.close()


@pytest.fixture
def full(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url, Clock(NOON))
    fill(store)
    yield store
    store.close()


@pytest.fixture
def backup(full: Store, tmp_path: Path) -> Path:
    back_up(full.database, tmp_path / "backup.gz")
    return tmp_path / "backup.gz"


def is_empty(url: str) -> bool:
    """Whether there is no table of ours, nor any row."""
    if url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).exists():
        return True
    store = Store(url)
    try:
        return contents(store) == {}
    finally:
        store.close()


# --- All of it comes back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_every_column_of_every_table_comes_back_on_either_kind(
    store: Store, tmp_path: Path, new_url: Callable[[str], str], target: str
) -> None:
    fill(store)
    before = contents(store)
    assert {len(rows) for rows in before.values()} == {2}
    made = back_up(store.database, tmp_path / "backup.gz")
    other = Store(new_url(target), Clock(NOON))
    done = restore(other.database, tmp_path / "backup.gz")
    assert contents(other) == before
    assert (done, made) == (NOON, NOON)
    other.close()


def test_what_comes_after_a_restore_gets_numbers_of_its_own(
    backup: Path, new_url: Callable[[str], str]
) -> None:
    for kind in ("sqlite", "postgresql"):
        store = Store(new_url(kind), Clock(NOON))
        restore(store.database, backup)
        store.timers.set("acme/new")
        timer = store.timers.get("acme/new")
        assert timer
        assert timer.id == 3
        store.close()
    store = Store(new_url("postgresql"))
    restore(store.database, backup)
    numbered = [table for table in metadata.tables.values() if table.autoincrement_column is not None]
    assert len(numbered) > 5
    with store.database.write() as connection:
        for table in numbered:
            sequence = func.pg_get_serial_sequence(table.name, "id")
            assert connection.scalar(select(func.nextval(sequence))) == 3, table.name
    store.close()


def test_a_backup_is_of_one_moment_though_the_gate_goes_on_writing(
    store: Store, tmp_path: Path, new_url: Callable[[str], str]
) -> None:
    store.create()
    stop = threading.Event()

    def write() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            store.timers.set(f"acme/shop{number}")  # a timer and its job, in one transaction

    writing = threading.Thread(target=write)
    writing.start()
    counts = []
    try:
        for number in range(4):
            back_up(store.database, tmp_path / f"{number}.gz")
            other = Store(new_url("sqlite"))
            restore(other.database, tmp_path / f"{number}.gz")
            with other.database.read() as connection:
                sizes = [connection.scalar(select(func.count()).select_from(one)) for one in (timers, jobs)]
            assert sizes[0] == sizes[1]
            counts.append(sizes[0])
            other.close()
    finally:
        stop.set()
        writing.join()
    assert counts == sorted(set(counts)), "nothing was written meanwhile"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_of_an_older_schema_is_brought_up_to_date_with_its_rows(
    backup: Path, new_url: Callable[[str], str], tmp_path: Path, kind: str
) -> None:
    store = Store(new_url(kind), Clock(NOON))
    restore(store.database, backup, migrations=later(tmp_path / "later"))
    with store.database.read() as connection:
        assert version_of(connection) == revisions(tmp_path / "later")[-1]
        found = connection.execute(text("SELECT title, shout FROM reviews ORDER BY id")).all()
        assert all(shout != title and shout.lower() == title.lower() for title, shout in found)
        assert connection.execute(text("SELECT count(*) FROM labels")).scalar_one() == 2
    store.close()


@pytest.mark.parametrize("stored", STORED, ids=lambda file: file.name)
def test_a_stored_database_of_an_older_version_is_brought_up_and_works(
    make_outside: MakeOutside, new_url: Callable[[str], str], stored: Path
) -> None:
    for kind in ("sqlite", "postgresql"):
        outside = make_outside(database_url=new_url(kind))
        outside.restore(stored, new_url(kind), move=True)
        world = outside.world
        rows = {row.title: row for row in world.all_rows()}
        assert {title: str(row.state) for title, row in rows.items()} == STATES
        lily = world.gate.policy.reviewers[0]
        for title, row in rows.items():
            asked = world.store.reviews.round(row.id, row.round)
            assert asked
            assert asked.snapshot.pull.title == title
            path = world.gate.links.decide_url(decide_link(row, lily.id), world.clock.now).removeprefix(
                world.url
            )
            assert title in world.browser.get(path).text
            assert title in world.browser.get(world.details(row.number)).text
        assert "Is it blue?" in [line.detail for line in world.store.reviews.questions(rows["Change tea"].id)]
        waiting = rows["Change tea"]
        path = world.gate.links.decide_url(decide_link(waiting, lily.id), world.clock.now).removeprefix(
            world.url
        )
        assert outside.choose(path=path) == 303
        assert world.row(waiting.number).state is State.TO_MERGE


def test_postgresql_ends_no_backup_and_no_restore_that_waits_for_a_slow_disk(
    new_url: Callable[[str], str],
) -> None:
    store = Store(new_url("postgresql"))
    limit = text("SHOW idle_in_transaction_session_timeout")
    with store.database.snapshot() as connection:
        assert connection.scalar(limit) == "0"
    with store.database.rebuild() as connection:
        assert connection.scalar(limit) == "0"
    with store.database.write() as connection:
        assert connection.scalar(limit) != "0"
    store.close()


# --- The file -----------------------------------------------------------------------------------------------------


def test_the_file_is_its_owners_alone_and_nothing_else_is_left(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert [file.name for file in backup.parent.glob("*backup*")] == [backup.name]


def test_a_file_that_is_there_already_is_left_as_it_is(full: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup.gz"
    file.write_text("dear")
    with pytest.raises(BackupError, match="is there already"):
        back_up(full.database, file)
    assert file.read_text() == "dear"
    assert len(list(tmp_path.glob("*backup*"))) == 1


def test_a_database_that_is_not_ours_is_not_backed_up(empty_database_url: str, tmp_path: Path) -> None:
    store = Store(empty_database_url)
    with pytest.raises(SchemaError, match="no database"):
        back_up(store.database, tmp_path / "backup.gz")
    store.create()
    with store.database.write() as connection:
        connection.execute(versions.update().values(version_num="9999"))
    with pytest.raises(SchemaError, match="9999"):
        back_up(store.database, tmp_path / "backup.gz")
    store.close()
    assert not list(tmp_path.glob("*backup*"))


# --- Wrong files --------------------------------------------------------------------------------------------------


def sealed(lines: list[Any]) -> bytes:
    """A backup file with these lines, and an end that fits them."""
    written = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    end = {"lines": len(lines), "sha256": hashlib.sha256(written).hexdigest()}
    return gzip.compress(written + json.dumps(end).encode() + b"\n")


def lines_of(backup: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(backup.read_bytes()).splitlines()[:-1]]


def refusal(url: str, file: Path) -> str:
    """What is said of a file that can't be restored; nothing may have been written then."""
    store = Store(url, Clock(NOON))
    try:
        with pytest.raises(BackupError) as refused:
            restore(store.database, file)
    finally:
        store.close()
    assert is_empty(url)
    return refused.value.reason


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x1f\x8b",
        b"SQLite format 3\x00" + b"\x00" * 100,
        gzip.compress(b""),
        gzip.compress(b"{}\n"),
        gzip.compress(b'["a"]\n'),
        gzip.compress(b"not json\n"),
        gzip.compress(b"x" * 10_000_000),
    ],
    ids=range(9),  # gzip writes the time, so the workers would not agree on names
)
def test_another_file_is_no_backup(tmp_path: Path, new_url: Callable[[str], str], content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    assert "isn't a backup that qa-gate made" in refusal(new_url("sqlite"), tmp_path / "other")


def test_a_file_that_was_cut_anywhere_is_refused(backup: Path, new_url: Callable[[str], str]) -> None:
    whole = backup.read_bytes()
    for length in (*range(30, len(whole), len(whole) // 7), len(whole) - 9, len(whole) - 1):
        backup.write_bytes(whole[:length])
        said = refusal(new_url("sqlite"), backup)
        assert "cut off" in said or "isn't a backup" in said, (length, said)
    backup.write_bytes(gzip.compress(b"\n".join(gzip.decompress(whole).splitlines()[:-3]) + b"\n"))
    assert "cut off" in refusal(new_url("sqlite"), backup)


def test_a_file_with_a_wrong_byte_anywhere_is_refused(backup: Path, new_url: Callable[[str], str]) -> None:
    whole = backup.read_bytes()
    for place in range(12, len(whole), len(whole) // 9):
        backup.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert refusal(new_url("sqlite"), backup)
    plain = gzip.decompress(whole)
    backup.write_bytes(gzip.compress(plain.replace(b"O'Neil", b"P'Neil", 1)))
    assert "damaged" in refusal(new_url("sqlite"), backup)
    backup.write_bytes(gzip.compress(plain + b"{}\n"))
    assert "damaged" in refusal(new_url("sqlite"), backup)


@pytest.mark.parametrize(
    "kind,change,says",
    [
        ("sqlite", lambda lines: lines[0].update(format=2), "newer version of qa-gate (format 2"),
        (
            "sqlite",
            lambda lines: lines[0].update(schema="9999"),
            "newer version of qa-gate (format 1, schema 9999",
        ),
        ("sqlite", lambda lines: lines[0].pop("made_at"), "isn't a backup"),
        ("sqlite", lambda lines: lines.__delitem__(slice(1, 4)), "doesn't fit"),
        ("sqlite", lambda lines: lines[1]["columns"].__setitem__(0, "colour"), "doesn't fit"),
        ("sqlite", lambda lines: lines[1].update(table="colours"), "doesn't fit"),
        ("postgresql", lambda lines: lines[2].pop(), "doesn't fit"),
        ("sqlite", lambda lines: lines.insert(3, lines[2]), "doesn't fit"),
        ("postgresql", lambda lines: lines.insert(3, lines[2]), "doesn't fit"),
        ("sqlite", lambda lines: lines.append({"another": "line"}), "doesn't fit"),
    ],
)
def test_a_file_that_says_something_else_is_refused_and_nothing_is_written(
    backup: Path, new_url: Callable[[str], str], kind: str, change: Callable[[list[Any]], Any], says: str
) -> None:
    lines = lines_of(backup)
    change(lines)
    backup.write_bytes(sealed(lines))
    assert says in refusal(new_url(kind), backup)


def test_a_database_that_is_not_empty_is_left_as_it_is(store: Store, backup: Path) -> None:
    store.create()
    before = contents(store)
    with pytest.raises(BackupError, match="isn't empty"):
        restore(store.database, backup)
    assert contents(store) == before


# --- A disk that is full, and kill -9 ----------------------------------------------------------------------------


def with_little_room(url: str, file: Path, task: str, room: int) -> None:
    """In a process that may write files of so many bytes only: past that the system refuses, as a full disk does."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    store = Store(url)
    try:
        {"backup": back_up, "restore": restore}[task](store.database, file)
    except (BackupError, Unavailable):
        sys.exit(3)


def refused_for_want_of_room(url: str, file: Path, task: str, room: int) -> bool:
    process = processes.Process(target=with_little_room, args=(url, file, task, room))
    process.start()
    process.join()
    assert process.exitcode in (0, 3)
    return process.exitcode == 3


def test_on_a_full_disk_there_is_no_backup_at_all(full: Store, sqlite_url: str, tmp_path: Path) -> None:
    assert refused_for_want_of_room(sqlite_url, tmp_path / "backup.gz", "backup", 1000)
    assert not list(tmp_path.glob("*backup*"))
    assert not refused_for_want_of_room(sqlite_url, tmp_path / "backup.gz", "backup", 10_000_000)


def test_on_a_full_disk_nothing_is_restored(backup: Path, new_url: Callable[[str], str]) -> None:
    url = new_url("sqlite")
    assert refused_for_want_of_room(url, backup, "restore", 50_000)
    assert is_empty(url)
    assert not refused_for_want_of_room(url, backup, "restore", 10_000_000)
    assert not is_empty(url)


def mortal(url: str, file: Path, task: str, instant: int) -> None:
    """Killed just before the n-th statement, or call that makes, names or removes a file."""
    instants = Instants()
    instants.doom(instant)
    event.listen(Engine, "before_cursor_execute", instants)
    event.listen(Engine, "commit", instants)
    sys.addaudithook(lambda name, _: instants() if name in ("os.link", "os.rename", "os.remove") else None)
    store = Store(url)
    {"backup": back_up, "restore": restore}[task](store.database, file)


def is_killed(*arguments: Any) -> bool:
    process = processes.Process(target=mortal, args=arguments)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def instants(step: int) -> Iterator[int]:
    return itertools.chain(range(1, 8), range(8, 10_000, step))


def test_killed_at_any_instant_a_backup_is_whole_or_not_there(
    full: Store, sqlite_url: str, tmp_path: Path, new_url: Callable[[str], str]
) -> None:
    file, kills = tmp_path / "backup.gz", 0
    for instant in instants(31):
        if not is_killed(sqlite_url, file, "backup", instant):
            break
        kills += 1
        assert not file.exists()
    assert kills > 8
    (left,) = {part.suffix for part in tmp_path.glob(".backup*")}
    assert left == ".part"
    other = Store(new_url("sqlite"))
    restore(other.database, file)
    assert contents(other) == contents(full)
    other.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_any_instant_a_restore_is_whole_or_has_left_nothing(
    full: Store, backup: Path, new_url: Callable[[str], str], kind: str
) -> None:
    url, kills = new_url(kind), 0
    for instant in instants(61):
        if not is_killed(url, backup, "restore", instant):
            break
        kills += 1
        assert is_empty(url), instant
    assert kills > 8
    other = Store(url)
    assert contents(other) == contents(full)
    other.close()
