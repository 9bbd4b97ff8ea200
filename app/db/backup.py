"""Back up into one file while the gate runs, and restore into an empty database of either kind.

Called by the operator's commands. The file holds JSON lines in gzip, the same for both kinds of database:

    {"qa-gate": "backup", "format": 1, "schema": "0001", "made_at": ..., "worker_seen": ...}
    {"table": "reviews", "columns": ["id", ...]}     then one list of values a row
    {"lines": 4711, "sha256": ...}                   of all lines before

It appears under its name complete or not at all, and is used only if all of it is there. The tables are taken as the
database itself describes them, so that an older backup is restored as it was, and then brought up to date. All is
restored in one transaction, or nothing.

    BackupError   it can't be made or used; says why, and what to do
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import secrets
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, Date, DateTime, LargeBinary, MetaData, Table, func, select
from sqlalchemy.exc import DataError, IntegrityError

from app import Explained
from app.db.columns import metadata
from app.db.database import Database
from app.db.queue import A_WORKERS_SILENCE
from app.db.schema import MIGRATIONS, SchemaError, make, migrate, ours, revisions, version_of, versions
from app.db.tables import workers

KIND, FORMAT = "backup", 1
ROWS_AT_ONCE = 500  # rows in one statement
# No line that the gate writes is longer; another file may have no line ends at all.
LONGEST_ROW = 64 * 1024 * 1024
NO_DATABASE = "There is no database of this gate's at DATABASE_URL."
OTHER_SCHEMA = (
    "The database's schema ({}) is not this version's ({}). Back up with the version that wrote it, or start this one, "
    "which brings it up to date."
)
NOT_EMPTY = (
    "The database of DATABASE_URL isn't empty, and a backup is only restored into an empty one. Stop the gate and put "
    "the old one aside: rename the SQLite file and those beside it, or create another PostgreSQL database."
)
THERE = "{} is there already, and is left as it is. Give another name."
NOT_A_BACKUP = "{} isn't a backup that qa-gate made."
DAMAGED = "{} is damaged or cut off: its end doesn't fit. Copy it again, or take another backup."
UNFIT = "{} doesn't fit the schema that it names, so nothing was restored. Take another backup."
NEWER_BACKUP = (
    "{} was made by a newer version of qa-gate (format {}, schema {}). Restore it with that version."
)
MADE_WHILE_RUNNING = (
    "The gate was running when {} was made, so it may have gone on since. Stop it, back up again and move that; one "
    "that was killed counts as running for a minute. Or restore without --move."
)


class BackupError(Explained):
    """A backup can't be made or used; `reason` says why, and what to do."""


def back_up(database: Database, path: Path) -> datetime:
    """Write all that the database holds at this moment into a new file; return the moment. Raises BackupError, SchemaError, Unavailable."""
    with database.snapshot() as connection:
        found, (*_, wanted) = version_of(connection), revisions()
        if found is None:
            raise SchemaError(NO_DATABASE)
        if found != wanted:
            raise SchemaError(OTHER_SCHEMA.format(found, wanted))
        now = database.now(connection)
        seen = connection.scalar(select(func.max(workers.c.seen_at)))
        streamed = connection.execution_options(yield_per=ROWS_AT_ONCE)
        with _new_file(path) as write:
            about = {"schema": found, "made_at": now, "worker_seen": seen}
            write({"qa-gate": KIND, "format": FORMAT, **about})
            for table in _tables(connection, metadata.tables.keys()):
                write({"table": table.name, "columns": table.columns.keys()})
                for row in streamed.execute(select(table).order_by(*table.primary_key)):
                    write(list(row))
    return now


@contextmanager
def _new_file(path: Path) -> Iterator[Callable[[object], None]]:
    """Give what writes a line; the file is there under its name, for its owner alone, once all of it is on the disk.

    Raises BackupError, also where there is a file of that name already.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    digest, lines = hashlib.sha256(), 0
    try:
        _require_free(path)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as raw:
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as zipped:

                def write(line: object) -> None:
                    nonlocal lines
                    written = json.dumps(line, separators=(",", ":"), default=_to_json).encode() + b"\n"
                    zipped.write(written)
                    digest.update(written)
                    lines += 1

                yield write
                write({"lines": lines, "sha256": digest.hexdigest()})
            raw.flush()
            os.fsync(raw.fileno())
        _require_free(path)
        part.rename(path)
        _keep_name(path)
    except OSError as error:
        raise BackupError(f"{path} can't be written: {error.strerror}. Nothing was made.") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _require_free(path: Path) -> None:
    if path.exists():
        raise BackupError(THERE.format(path))


def _keep_name(path: Path) -> None:
    """Let the file have its name when the power fails now."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def restore(
    database: Database,
    path: Path,
    *,
    begin: Callable[[Connection, datetime], None] | None = None,
    is_move: bool = False,
    migrations: Path = MIGRATIONS,
) -> datetime:
    """Fill an empty database from a backup, all of it or nothing; return when it was made. Raises BackupError, Unavailable.

    `begin` is called with the transaction and when the backup was made. `is_move`: the gate must have been stopped when
    it was made.
    """
    known = revisions(migrations)
    # All of it is read twice: nothing is written before it is known that all is there.
    lines = _read(path)
    schema, made_at = _checked(path, next(lines), known, is_move=is_move)
    for _ in lines:
        pass
    with database.rebuild() as connection:
        _require_empty(connection)
        if schema == known[-1]:
            make(connection, schema)
        else:
            migrate(connection, schema, migrations)
        try:
            _fill(connection, islice(_read(path), 1, None))
        except (DataError, IntegrityError, KeyError, TypeError, ValueError) as error:
            raise BackupError(UNFIT.format(path)) from error
        if schema != known[-1]:
            migrate(connection, "head", migrations)
        if not database.is_sqlite:
            _set_sequences(connection)
        if begin:
            begin(connection, made_at)
    return made_at


def _read(path: Path) -> Iterator[Any]:
    """Yield each line but the last; raises BackupError where something is wrong or missing, at the end too.

    Whoever acts on what it yields must take it back when it raises.
    """
    digest, lines = hashlib.sha256(), 0
    try:
        with gzip.open(path) as file:
            while written := file.readline(LONGEST_ROW):
                line = json.loads(written)
                if isinstance(line, dict) and "sha256" in line:
                    if line == {"lines": lines, "sha256": digest.hexdigest()} and not file.readline(1):
                        return
                    break
                digest.update(written)
                lines += 1
                yield line
    except (EOFError, ValueError, zlib.error, gzip.BadGzipFile):
        pass
    except OSError as error:
        raise BackupError(f"{path} can't be read: {error.strerror or error}.") from error
    raise BackupError((DAMAGED if lines else NOT_A_BACKUP).format(path))


def _checked(path: Path, head: Any, known: list[str], *, is_move: bool) -> tuple[str, datetime]:
    """Return the schema of a backup that this version can restore, and when it was made."""
    match head:
        case {
            "qa-gate": "backup",
            "format": format_,
            "schema": schema,
            "made_at": made_at,
            "worker_seen": seen,
        }:
            pass
        case _:
            raise BackupError(NOT_A_BACKUP.format(path))
    if format_ != FORMAT or schema not in known:
        raise BackupError(NEWER_BACKUP.format(path, format_, schema))
    if is_move and seen and abs(_moment(made_at) - _moment(seen)) < A_WORKERS_SILENCE:
        raise BackupError(MADE_WHILE_RUNNING.format(path))
    return schema, _moment(made_at)


def _require_empty(connection: Connection) -> None:
    """Let nothing be overwritten: only empty tables of ours are taken away."""
    there = ours(connection)
    if any(connection.execute(select(metadata.tables[name]).limit(1)).first() for name in there):
        raise BackupError(NOT_EMPTY)
    metadata.drop_all(connection)
    versions.drop(connection, checkfirst=True)


def _fill(connection: Connection, lines: Iterator[Any]) -> None:
    """Fill the tables that are there, each of them once. Raises what values raise that don't fit."""
    tables = {table.name: table for table in _tables(connection)}
    for is_part, group in groupby(lines, lambda line: isinstance(line, dict)):
        if is_part:
            for part in group:
                table = tables.pop(part["table"])
                kinds = {name: table.columns[name].type for name in part["columns"]}
                if kinds.keys() != set(table.columns.keys()):
                    raise ValueError
            continue
        while rows := list(islice(group, ROWS_AT_ONCE)):
            connection.execute(table.insert(), [_values(kinds, row) for row in rows])
    if tables:
        raise ValueError


def _tables(connection: Connection, names: Collection[str] = ()) -> list[Table]:
    """Return the tables as the database describes them, each after those that it points to."""
    there = MetaData()
    there.reflect(connection, only=lambda name, _: name != versions.name and (not names or name in names))
    for table in there.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=True)
    return there.sorted_tables


def _to_json(value: Any) -> str:
    """Return what JSON has no kind for as text; SQLite gives times in UTC without saying so."""
    match value:
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
    raise TypeError(type(value))


def _values(kinds: dict[str, Any], row: list[Any]) -> dict[str, Any]:
    """Return a row as the database wants it. Raises ValueError, TypeError."""
    return {name: _from_json(kinds[name], value) for name, value in zip(kinds, row, strict=True)}


def _from_json(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case DateTime():
            return _moment(value)
        case Date():
            return date.fromisoformat(value)
        case LargeBinary():
            return base64.b64decode(value, validate=True)
    return value


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written).astimezone(UTC)


def _set_sequences(connection: Connection) -> None:
    """Let PostgreSQL number new rows after those that came with their numbers."""
    for table in metadata.sorted_tables:
        key = table.autoincrement_column
        if key is not None:
            sequence = func.pg_get_serial_sequence(table.name, key.name)
            last = select(func.max(key)).scalar_subquery()
            connection.execute(select(func.setval(sequence, func.coalesce(last, 1), last.is_not(None))))
