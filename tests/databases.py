"""Databases with the tables in them, as a gate's first start leaves them: made once a test run, then copied.

To make twenty tables takes twenty times as long as to copy them. That `Store.create` makes them as they should be is
for tests/test_schema.py to show.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy.engine import make_url

from app.db.rows import new_nonce
from app.db.store import Store
from tests.builders import Clock

# For a test in whose file most run on SQLite only: it also runs on PostgreSQL, for what depends on the database.
ON_BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


def fill(url: str) -> str:
    """Put a SQLite database with nothing but its tables where none is yet, and return its URL."""
    path = Path(make_url(url).database or "")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_made())
        path.chmod(0o600)
        with closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous=OFF")  # no wait for the disk
            # An epoch of its own, as every new database has.
            copy.execute("UPDATE epochs SET nonce = ?", (new_nonce(),))
    return url


@cache
def _made() -> bytes:
    with TemporaryDirectory() as folder:
        make(f"sqlite:///{folder}/gate.db")
        return Path(folder, "gate.db").read_bytes()


def make(url: str) -> None:
    """Make the tables, at the time that the tests' clocks begin with."""
    store = Store(url, Clock())
    store.create()
    store.close()
