"""The file of a backup: JSON lines in gzip, the same for both kinds of database.

    {"qa-gate": "backup", "format": 1, "schema": "0001", "made_at": ..., "worker_seen": ...}
    {"table": "reviews", "columns": ["id", ...]}     then one list of values a row
    {"lines": 4711, "sha256": ...}                   of all lines before

`backup` fills and empties it. It appears under its name complete or not at all, and is read only if all of it is there.

    BackupError   it can't be made or used; says why, and what to do
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

KIND, FORMAT = "backup", 1
# No line that the gate writes is longer; another file may have no line ends at all.
LONGEST_LINE = 64 * 1024 * 1024


class BackupError(Exception):
    """A backup can't be made or used; `reason` says why, and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Head:
    """What a backup says of itself: its schema, when it was made, and when a worker was last alive then, None: stopped.

    Times are in ISO 8601.
    """

    schema: str
    made_at: str
    worker_seen: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """The rows that follow are of this table, their values in the order of these columns."""

    table: str
    columns: tuple[str, ...]


class Writer:
    """Writes the lines, and at the end what makes sure that none is missing."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.lines = 0

    def head(self, head: Head) -> None:
        """Begin."""
        self._write({"qa-gate": KIND, "format": FORMAT, **asdict(head)})

    def part(self, part: Part) -> None:
        """Begin a table."""
        self._write(asdict(part))

    def row(self, values: list[Any]) -> None:
        """Write one row."""
        self._write(values)

    def end(self) -> None:
        """Write the last line."""
        self._write({"lines": self.lines, "sha256": self._digest.hexdigest()})

    def _write(self, line: object) -> None:
        written = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        self._file.write(written)
        self._digest.update(written)
        self.lines += 1


@contextmanager
def new_file(path: Path) -> Iterator[Writer]:
    """Give a writer; the file is there under its name, for its owner alone, once all of it is on the disk.

    Raises BackupError, also where there is a file of that name already.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        _require_free(path)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as raw:
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as zipped:
                writer = Writer(zipped)
                yield writer
                writer.end()
            raw.flush()
            os.fsync(raw.fileno())
        _name(part, path)
    except FileExistsError:
        raise BackupError(f"{path} is there already, and is left as it is. Give another name.") from None
    except OSError as error:
        raise BackupError(f"{path} can't be written: {error.strerror}. Nothing was made.") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _require_free(path: Path) -> None:
    if path.exists():
        raise FileExistsError(path)


def _name(part: Path, path: Path) -> None:
    """Give the file its name, never another's; both are kept when the power fails now."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # there are file systems without links
        _require_free(path)
        part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path, file: BinaryIO) -> Iterator[Head | Part | list[Any]]:
    """Yield the head, then each part and its rows; raises BackupError where something is wrong or missing, at the end too.

    Whoever acts on what it yields must take it back when it raises.
    """
    file.seek(0)
    digest, lines = hashlib.sha256(), 0
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as zipped:
            while written := zipped.readline(LONGEST_LINE):
                line = json.loads(written)
                if isinstance(line, dict) and "sha256" in line:
                    if line != {"lines": lines, "sha256": digest.hexdigest()} or zipped.readline(1):
                        raise _damaged(path)
                    return
                digest.update(written)
                lines += 1
                yield _head(path, line) if lines == 1 else _part(path, line)
    except EOFError:
        pass  # gzip's own end is missing
    except (gzip.BadGzipFile, ValueError) as error:
        raise _damaged(path) if lines else _foreign(path) from error
    except zlib.error as error:
        raise _damaged(path) from error
    except OSError as error:
        raise unreadable(path, error) from error
    if not lines:
        raise _foreign(path)
    raise BackupError(f"{path} is cut off: its end is missing. Copy it again, or take another backup.")


def _head(path: Path, line: Any) -> Head:
    if not isinstance(line, dict) or line.get("qa-gate") != KIND:
        raise _foreign(path)
    if line.get("format") != FORMAT:
        raise BackupError(
            f"{path} was made by a newer version of qa-gate (format {line.get('format')}; this one reads {FORMAT}). "
            "Restore it with that version."
        )
    match line:
        case {"schema": str(schema), "made_at": str(made_at), "worker_seen": str() | None as worker_seen}:
            return Head(schema, made_at, worker_seen)
    raise _damaged(path)


def _part(path: Path, line: Any) -> Part | list[Any]:
    match line:
        case list():
            return line
        case {"table": str(table), "columns": [*columns]}:
            return Part(table, tuple(str(column) for column in columns))
    raise _damaged(path)


def unreadable(path: Path, error: OSError) -> BackupError:
    """Return what to say where a file can't be opened or read."""
    return BackupError(f"{path} can't be read: {error.strerror or error}.")


def _foreign(path: Path) -> BackupError:
    return BackupError(f"{path} isn't a backup that qa-gate made.")


def _damaged(path: Path) -> BackupError:
    return BackupError(f"{path} is damaged: its checksum doesn't fit. Copy it again, or take another backup.")
