"""How the databases are opened: SQLite's file private and written ahead, PostgreSQL with nobody asleep in a transaction.

Only `Database` uses it.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

log = logging.getLogger("qa-gate.store")

# So long SQLite waits for another process, in milliseconds.
BUSY_TIMEOUT = 10_000
# So long a process may sleep in the midst of a transaction, in milliseconds: then PostgreSQL ends it, else nobody could
# write what it has locked. https://www.postgresql.org/docs/current/runtime-config-client.html
MOST_IDLE = 10_000


def postgres_engine(url: str) -> Engine:
    """Return the connections to a PostgreSQL database."""
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=20)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = {MOST_IDLE}")
        connection.commit()

    return engine


def keep_private(file: Path) -> None:
    """Make the folder and the file if they are missing, and let only their owner read them, SQLite's other files too.

    SQLite gives `-wal` and `-shm` the mode of the file itself: https://www.sqlite.org/src/file?name=src/os_unix.c
    (findCreateFileMode). Raises OSError.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Never opened when it is there: closing it would end the locks that this process holds on it.
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm", f"{file.name}-journal"):
        with suppress(FileNotFoundError):
            _take_from_others(file.with_name(name))


def _take_from_others(file: Path) -> None:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        try:
            file.chmod(mode & 0o700)
        except PermissionError:  # another user's: it still works
            log.warning("Other users can read a database file; its owner should run chmod 600 on it.")


def sqlite_engine(url: str, begin: str, busy_timeout: int = BUSY_TIMEOUT, foreign_keys: str = "ON") -> Engine:
    """Return the connections to a SQLite file, each of whose transactions starts with `begin`."""
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
    give_up = time.monotonic() + BUSY_TIMEOUT / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return
