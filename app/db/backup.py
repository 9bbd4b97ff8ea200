"""Back up into one file while the gate runs, and restore into an empty database of either kind.

Called by the operator's commands. The tables are taken as the database itself describes them, so that an older backup
is restored as it was, and then brought up to date. All is restored in one transaction, or nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    func,
    select,
)
from sqlalchemy.exc import DataError, IntegrityError

from app.db.backup_file import BackupError, Head, Part, Writer, new_file, read, unreadable
from app.db.columns import metadata
from app.db.database import Database
from app.db.queue import A_WORKERS_SILENCE
from app.db.schema import MIGRATIONS, SchemaError, make, migrate, ours, revisions, version_of, versions
from app.db.tables import workers

AT_ONCE = 500  # rows in one statement
NOTHING = "There is no database of this gate's at DATABASE_URL."
OTHER_SCHEMA = (
    "The database's schema ({}) is not this version's ({}). Back up with the version that wrote it, or start this one, "
    "which brings it up to date."
)
NOT_EMPTY = (
    "The database of DATABASE_URL isn't empty, and a backup is only restored into an empty one. Stop the gate and put "
    "the old one aside: rename the SQLite file and those beside it, or create another PostgreSQL database."
)


@dataclass(frozen=True, slots=True)
class Done:
    """What was backed up or restored: when the backup was made, aware, and how many rows it holds."""

    made_at: datetime
    rows: int


def back_up(database: Database, path: Path) -> Done:
    """Write all that the database holds at this moment into a new file. Raises BackupError, SchemaError, Unavailable."""
    with database.snapshot() as connection:
        found, (*_, wanted) = version_of(connection), revisions()
        if found is None:
            raise SchemaError(NOTHING)
        if found != wanted:
            raise SchemaError(OTHER_SCHEMA.format(found, wanted))
        now = database.now(connection)
        seen = connection.scalar(select(func.max(workers.c.seen_at)))
        rows = 0
        with new_file(path) as writer:
            writer.head(Head(found, now.isoformat(), seen.isoformat() if seen else None))
            for table in _tables(connection, metadata.tables.keys()):
                rows += _write_table(connection, writer, table)
    return Done(now, rows)


def _write_table(connection: Connection, writer: Writer, table: Table) -> int:
    writer.part(Part(table.name, tuple(table.columns.keys())))
    streamed = connection.execution_options(yield_per=AT_ONCE)
    rows = 0
    for row in streamed.execute(select(table).order_by(*table.primary_key)):
        writer.row([_to_json(value) for value in row])
        rows += 1
    return rows


def restore(
    database: Database,
    path: Path,
    *,
    begin: Callable[[Connection, datetime], None] | None = None,
    is_move: bool = False,
    migrations: Path = MIGRATIONS,
) -> Done:
    """Fill an empty database from a backup; all of it or nothing. Raises BackupError, Unavailable.

    One of an older schema is restored as it was and then brought up to date. `begin` is called with the transaction and when the backup was made. `is_move`: the gate must have been stopped
    when it was made.
    """
    try:
        with path.open("rb") as file:
            # All of it is read twice: nothing is written before it is known that all is there.
            lines = read(path, file)
            known = revisions(migrations)
            head = _checked(path, next(lines), known, is_move=is_move)
            for _ in lines:
                pass
            made_at = _moment(head.made_at)
            with database.rebuild() as connection:
                _require_empty(connection)
                _make_tables(connection, head.schema, known, migrations)
                rows = _fill(connection, path, read(path, file))
                if head.schema != known[-1]:
                    migrate(connection, "head", migrations)
                if not database.is_sqlite:
                    _set_sequences(connection)
                if begin:
                    begin(connection, made_at)
    except OSError as error:
        raise unreadable(path, error) from error
    return Done(made_at, rows)


def _checked(path: Path, head: Head | Part | list[Any], known: list[str], *, is_move: bool) -> Head:
    """Return the head of a backup that this version can restore."""
    if not isinstance(head, Head):
        raise BackupError(f"{path} isn't a backup that qa-gate made.")
    if head.schema not in known:
        raise BackupError(
            f"{path} was made by a newer version of qa-gate (schema {head.schema}; this one knows {known[-1]}). "
            "Restore it with that version."
        )
    seen = head.worker_seen
    if is_move and seen and abs(_moment(head.made_at) - _moment(seen)) < A_WORKERS_SILENCE:
        raise BackupError(
            f"The gate was running when {path} was made, so it may have gone on since. Stop it, back up again and "
            "move that; one that was killed counts as running for a minute. Or restore without --move."
        )
    return head


def _require_empty(connection: Connection) -> None:
    """Let nothing be overwritten: only empty tables of ours are taken away."""
    there = ours(connection)
    if any(connection.execute(select(metadata.tables[name]).limit(1)).first() for name in there):
        raise BackupError(NOT_EMPTY)
    metadata.drop_all(connection)
    versions.drop(connection, checkfirst=True)


def _make_tables(connection: Connection, schema: str, known: list[str], migrations: Path) -> None:
    if schema == known[-1]:
        make(connection, schema)
    else:
        migrate(connection, schema, migrations)


def _fill(connection: Connection, path: Path, lines: Iterator[Head | Part | list[Any]]) -> int:
    """Fill the tables that are there, each of them; return how many rows there are."""
    tables = {table.name: table for table in _tables(connection)}
    filled, count = set(), 0
    for part, rows in _batches(lines):
        table = tables.get(part.table)
        if table is None or set(part.columns) != set(table.columns.keys()):
            raise _unfit(path, part.table)
        try:
            if rows:
                connection.execute(table.insert(), [_values(table, part, row) for row in rows])
        except (DataError, IntegrityError, TypeError, ValueError) as error:
            raise _unfit(path, part.table) from error
        filled.add(part.table)
        count += len(rows)
    if filled != tables.keys():
        raise _unfit(path, min(tables.keys() - filled))
    return count


def _batches(lines: Iterator[Head | Part | list[Any]]) -> Iterator[tuple[Part, list[list[Any]]]]:
    """Yield the rows of each part, so many at once; a part without rows is yielded, too."""
    part: Part | None = None
    rows: list[list[Any]] = []
    for line in lines:
        if part and (isinstance(line, Part) or len(rows) == AT_ONCE):
            yield part, rows
            rows = []
        if isinstance(line, Part):
            part = line
        elif isinstance(line, list):
            rows.append(line)
    if part:
        yield part, rows


def _tables(connection: Connection, names: Collection[str] = ()) -> list[Table]:
    """Return the tables as the database describes them, each after those that it points to."""
    there = MetaData()
    there.reflect(connection, only=lambda name, _: name != versions.name and (not names or name in names))
    for table in there.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=True)
    return there.sorted_tables


def _to_json(value: Any) -> Any:
    """Return a value as JSON has it; SQLite gives times in UTC without saying so."""
    match value:
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
    return value


def _values(table: Table, part: Part, row: list[Any]) -> dict[str, Any]:
    """Return a row as the database wants it. Raises ValueError, TypeError."""
    named = zip(part.columns, row, strict=True)
    return {name: _from_json(table.columns[name].type, value) for name, value in named}


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


def _unfit(path: Path, table: str) -> BackupError:
    return BackupError(
        f"{path} doesn't fit the schema that it names (table {table}), so nothing was restored. Take another backup."
    )
