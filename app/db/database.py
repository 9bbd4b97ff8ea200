"""What all parts of the store share: one way to write, one to read, one clock and one bell, on SQLite and on PostgreSQL alike.

Writes go through BEGIN IMMEDIATE and one lock on SQLite: a deferred BEGIN that reads and then writes fails at
once with "database is locked", and SQLite's own waiting is unfair. Nothing above this package sees SQLAlchemy;
it sees `Unavailable`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import SQLITE_ERROR, OperationalError
from sqlite3 import DataError as DriverDataError
from sqlite3 import Error as DriverError
from sqlite3 import IntegrityError as DriverIntegrityError
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, Row, create_engine, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import Explained

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")
# So long SQLite waits for another process, in milliseconds.
BUSY_TIMEOUT = 10_000
# So long it waits while another process changes the schema, which may be a large one.
A_MIGRATION = 600_000
# So long a process may sleep in the midst of a transaction, in milliseconds: then PostgreSQL ends it, else nobody could
# write what it has locked. https://www.postgresql.org/docs/current/runtime-config-client.html
MOST_IDLE = 10_000
# For a backup, a restore and a migration, between whose statements a file is read or written.
TAKE_YOUR_TIME = "SET LOCAL idle_in_transaction_session_timeout = 0"
# Any constant numbers: what must not be done twice at once, creating the tables, counting letters and folding.
SCHEMA_LOCK, LETTERS_LOCK, FOLD_LOCK = 704_117, 704_118, 704_119
_NOW = select(func.clock_timestamp())
# What a database says of a statement that it will never take.
_BUGS = (
    DataError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    DriverDataError,
    DriverIntegrityError,
)


class Unavailable(Explained):
    """The database cannot be used right now; nothing of the transaction was kept."""


@dataclass(slots=True, eq=False)
class _Brought:
    """A statement that waits to be executed, and what came of it."""

    statement: str
    values: tuple[Any, ...]
    changed: int = 0
    error: Exception | None = None
    is_done: bool = False


class Bell:
    """Wakes who waits for what there is to do: a kind of job, or `INBOX`."""

    INBOX = "inbox"

    def __init__(self) -> None:
        self._ears: list[tuple[frozenset[str], threading.Event]] = []

    def listen(self, kinds: Collection[str]) -> threading.Event:
        """Return what is set whenever there is work of these kinds."""
        ear = threading.Event()
        self._ears.append((frozenset(kinds), ear))
        return ear

    def ring(self, *kinds: str) -> None:
        """Wake who waits for one of these; everybody where none is named."""
        for wanted, ear in self._ears:
            if not kinds or not wanted.isdisjoint(kinds):
                ear.set()


class _Reading(threading.local):
    """The transaction in which a thread is reading just now."""

    connection: Connection | None = None


class Database:
    """The connection pools, the clock and the bell.

    `clock` replaces the time of the database (PostgreSQL) or of the machine (SQLite); times are aware. `work_made` is
    rung by whoever makes work, so that a worker in the same process need not wait for its next poll.
    """

    def __init__(self, url: str, clock: Callable[[], datetime] | None = None) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.clock = clock
        self.work_made = Bell()
        self._raw: Any = None
        self._reading = _Reading()
        self._brought: deque[_Brought] = deque()
        self._url = url
        self._lock = threading.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            try:
                Path(make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                why = f"The folder of DATABASE_URL can't be made: {error.strerror}."
                raise Unavailable(f"{why} Name one in a folder where the gate may write.") from error
        self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE") if self.is_sqlite else _postgres_engine(url)
        self._reader = _sqlite_engine(url, "BEGIN") if self.is_sqlite else self._writer

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Return the engines in use, for measuring."""
        return (self._writer, self._reader) if self.is_sqlite else (self._writer,)

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """Give one transaction that may change the schema: one at a time, and the others wait. Raises Unavailable.

        SQLite changes a column by making its table anew, so foreign keys are looked at once, at the end.
        """
        if not self.is_sqlite:
            with self.write() as connection:
                connection.execute(text(TAKE_YOUR_TIME))
                lock(connection, SCHEMA_LOCK)
                yield connection
            return
        engine = _sqlite_engine(self._url, "BEGIN IMMEDIATE", busy_timeout=A_MIGRATION, foreign_keys="OFF")
        try:
            with _told(), self._lock, engine.begin() as connection:
                yield connection
                broken = connection.execute(text("PRAGMA foreign_key_check")).all()
                if broken:
                    raise RuntimeError(f"rows that point nowhere: {[row[0] for row in broken]}")
        finally:
            engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give one transaction that may write; all of it is kept, or none.

        Raises Unavailable when the database is away, locked or its disk full.
        """
        with _told(), self._lock, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def write_now(self) -> Iterator[tuple[Connection, datetime]]:
        """Give one transaction that may write, and the time. Raises Unavailable."""
        with self.write() as connection:
            yield connection, self.now(connection)

    def execute_raw(self, statement: str, values: tuple[Any, ...]) -> int:
        """Execute one writing statement by SQLite's own driver; return the rows it changed, once they are safe.

        Whoever holds the writer's lock commits what the others have brought meanwhile with its own: a commit waits for
        the disk, and so they wait for it together. Raises Unavailable.
        """
        mine = _Brought(statement, values)
        self._brought.append(mine)
        with _told():
            with self._lock:
                if not mine.is_done:
                    self._commit([self._brought.popleft() for _ in range(len(self._brought))])
            if mine.error is not None:
                raise mine.error
        if not mine.is_done:  # whoever held the lock met a bug
            raise Unavailable("The database of DATABASE_URL is busy.")
        return mine.changed

    def _commit(self, brought: list[_Brought]) -> None:
        """Execute these in one transaction; where one of them is at fault, each in one of its own."""
        try:
            driver = self._driver()
            try:
                if len(brought) > 1:  # one alone is a transaction by itself
                    driver.execute("BEGIN IMMEDIATE")
                for one in brought:
                    one.changed = int(driver.execute(one.statement, one.values).rowcount)
                if len(brought) > 1:
                    driver.execute("COMMIT")
            finally:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
        except DriverError as error:
            if len(brought) > 1 and not isinstance(error, OperationalError):
                for one in brought:
                    self._commit([one])
                return
            for one in brought:
                one.error = error
        for one in brought:
            one.is_done = True

    def _driver(self) -> Any:
        """Return the connection of whoever holds the writer's lock, which is as durable as the others."""
        if self._raw is None:
            self._raw = self._writer.raw_connection()
        return self._raw.driver_connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give one transaction that only reads; what a thread reads inside of it is read in the same. Raises Unavailable."""
        if self._reading.connection is not None:
            yield self._reading.connection
            return
        with _told(), self._reader.begin() as connection:
            self._reading.connection = connection
            try:
                yield connection
            finally:
                self._reading.connection = None

    def first(self, query: Any, values: Any = None) -> Row[Any] | None:
        """Return the first row that is found. Raises Unavailable, as all that read."""
        with self.read() as connection:
            return connection.execute(query, values).first()

    def all(self, query: Any, values: Any = None) -> Sequence[Row[Any]]:
        """Return all rows that are found."""
        with self.read() as connection:
            return connection.execute(query, values).all()

    def scalar(self, query: Any, values: Any = None) -> Any:
        """Return the first column of the first row that is found."""
        with self.read() as connection:
            return connection.scalar(query, values)

    def one(self, kind: type[Record], query: Any, values: Any = None) -> Record | None:
        """Return the first row that is found, as a dataclass whose fields are called as its columns."""
        row = self.first(query, values)
        return row_as(kind, row) if row else None

    def many(self, kind: type[Record], query: Any, values: Any = None) -> list[Record]:
        """Return all rows that are found, as a dataclass whose fields are called as their columns."""
        return [row_as(kind, row) for row in self.all(query, values)]

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give one transaction that sees all as it was at its first statement, however long it reads. Raises Unavailable."""
        frozen = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with _told(), self._reader.connect() as connection, connection.execution_options(**frozen).begin():
            if not self.is_sqlite:
                connection.execute(text(TAKE_YOUR_TIME))
            yield connection

    def now(self, connection: Connection | None = None) -> datetime:
        """Return the time that all machines agree on. Raises Unavailable."""
        if self.clock:
            return self.clock()
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = connection.execute(_NOW).scalar_one() if connection else self.scalar(_NOW)
        return moment.astimezone(UTC)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._raw is not None:
                self._raw.close()
            self._raw = None
        for engine in self.engines:
            engine.dispose()


class StorePart:
    """One part of the store: what is kept of one kind."""

    def __init__(self, database: Database) -> None:
        self._database = database


def row_as(kind: type[Record], row: Row[Any], /, **more: Any) -> Record:
    """Return a row as a dataclass whose fields are called as its columns; `more` are fields besides."""
    values = row._mapping
    known = {field.name: values[field.name] for field in fields(kind) if field.name in values}
    return kind(**{**known, **more})


def lock(connection: Connection, number: int) -> None:
    """Let this transaction go on only when no other holds the lock; SQLite writes one by one anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(select(func.pg_advisory_xact_lock(number)))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout, DriverError) as error:
        if _is_a_bug(error):
            raise
        # The cause stays in the log; parameters are hidden by the engine.
        why, _, _ = str(getattr(error, "orig", error)).strip().partition("\n")
        raise Unavailable(f"The database of DATABASE_URL can't be used: {why}.") from error


def _is_a_bug(error: Exception) -> bool:
    """Tell whether a statement of ours is wrong, rather than the database away.

    SQLite calls a missing table or column an OperationalError, too, but with a code of its own.
    """
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    return isinstance(error, _BUGS) or code == SQLITE_ERROR


def _postgres_engine(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=20)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = {MOST_IDLE}")
        connection.commit()

    return engine


def _sqlite_engine(
    url: str, begin: str, busy_timeout: int = BUSY_TIMEOUT, foreign_keys: str = "ON"
) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False}, pool_size=20)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # else the driver would begin by itself, deferred
        for pragma in (f"busy_timeout={busy_timeout}", "synchronous=FULL", f"foreign_keys={foreign_keys}"):
            connection.execute(f"PRAGMA {pragma}")
        # SQLite's own knows no letter but those of ASCII.
        connection.create_function("lower", 1, lambda words: words and words.lower(), deterministic=True)
        _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        # By the driver: as a statement of SQLAlchemy's it would cost as much as what it begins.
        driver: Any = connection.connection.driver_connection
        driver.execute(begin)

    return engine


def _write_ahead(connection: Any) -> None:
    # Two processes that switch a new file at once: one is refused, at once, whatever busy_timeout says.
    for _ in range(BUSY_TIMEOUT // 10):
        with suppress(OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")
            return
        time.sleep(0.01)
    connection.execute("PRAGMA journal_mode=WAL")
