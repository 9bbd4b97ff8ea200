"""Read single fields of GitHub's JSON, strictly: a missing key or a wrong type is named, never guessed at.

`webhooks` and `reading` use it on what came over the network. A path is "pull_request.head.sha"; `bool` is no
number; a text that a database could not keep (NUL, half a surrogate pair) is wrong too, unless it is only words.

    Odd  what was read is not what GitHub documents
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# What no database column and no UTF-8 can hold.
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
# The largest that the columns hold.
MOST_INTEGER = 2**31 - 1
MOST_ID = 2**63 - 1
LONGEST_LINE = 4_000


class Odd(Exception):
    """A field is missing, of a wrong type, or out of range; the message names it and never its value."""


def at(data: Any, path: str) -> Any:
    """Return what stands at the path. Raises Odd when a key is missing or its parent is no object."""
    walked: list[str] = []
    for key in path.split("."):
        if not isinstance(data, dict):
            raise Odd(f"{_name(walked)} is not an object")
        walked.append(key)
        if key not in data:
            raise Odd(f"{_name(walked)} is missing")
        data = data[key]
    return data


def at_or_none(data: Any, path: str) -> Any:
    """Return what stands at the path, or None where it or a parent is missing or null. Raises Odd."""
    for key in path.split("."):
        if data is None:
            return None
        if not isinstance(data, dict):
            raise Odd(f'the parent of "{path}" is not an object')
        data = data.get(key)
    return data


def text(data: Any, path: str) -> str:
    """Return a text that is not empty. Raises Odd."""
    value = at(data, path)
    if not isinstance(value, str) or not value:
        raise Odd(f'"{path}" is not a text')
    return _keepable(value, path)


def text_or_none(data: Any, path: str) -> str | None:
    """Return a text that may be empty, null or missing. Raises Odd."""
    value = at_or_none(data, path)
    if value is not None and not isinstance(value, str):
        raise Odd(f'"{path}" is not a text')
    return None if value is None else _keepable(value, path)


def words(data: Any, path: str) -> str:
    """Return what people wrote, "" for null; what cannot be kept becomes U+FFFD. Raises Odd."""
    value = at_or_none(data, path)
    if value is not None and not isinstance(value, str):
        raise Odd(f'"{path}" is not a text')
    return _UNKEEPABLE.sub("\ufffd", value or "")


def integer(data: Any, path: str, least: int = 0, most: int = MOST_INTEGER) -> int:
    """Return a whole number between the two. Raises Odd."""
    value = at(data, path)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Odd(f'"{path}" is not a whole number')
    if not least <= value <= most:
        raise Odd(f'"{path}" is out of range')
    return value


def id_or_none(data: Any, path: str) -> int | None:
    """Return the id of what stands at the path, None where nothing does. Raises Odd."""
    return None if at_or_none(data, path) is None else integer(data, f"{path}.id", 1, MOST_ID)


def flag(data: Any, path: str) -> bool:
    """Return true or false. Raises Odd."""
    value = at(data, path)
    if not isinstance(value, bool):
        raise Odd(f'"{path}" is neither true nor false')
    return value


def sha(data: Any, path: str) -> str:
    """Return the hexadecimal name of a commit (40 digits, or 64 with SHA-256). Raises Odd."""
    value = text(data, path)
    if not _SHA.fullmatch(value):
        raise Odd(f'"{path}" is not the name of a commit')
    return value


def items(data: Any, path: str) -> list[Any]:
    """Return a list; the path "" is the whole. Raises Odd."""
    value = at(data, path) if path else data
    if not isinstance(value, list):
        raise Odd(f'"{path}" is not a list' if path else "the whole is not a list")
    return value


def moment(data: Any, path: str) -> datetime:
    """Return a time, in UTC. Raises Odd."""
    try:
        value = datetime.fromisoformat(text(data, path))
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Odd(f'"{path}" is not a time')


def web_address(data: Any, path: str) -> str:
    """Return an http or https address: it becomes a link. Raises Odd."""
    value = text(data, path)
    if not value.startswith(("https://", "http://")):
        raise Odd(f'"{path}" is not a web address')
    return value


def moment_or_none(data: Any, path: str) -> datetime | None:
    """Return a time, in UTC, or None for null or nothing. Raises Odd."""
    return None if at_or_none(data, path) is None else moment(data, path)


def one_line(said: str) -> str:
    """Return what can be seen of a text's beginning, as one line."""
    return " ".join(
        "".join(
            " " if unicodedata.category(sign)[0] in "CZ" else sign for sign in said[:LONGEST_LINE]
        ).split()
    )


def _keepable(value: str, path: str) -> str:
    if _UNKEEPABLE.search(value):
        raise Odd(f'"{path}" holds characters that cannot be kept')
    return value


def _name(walked: list[str]) -> str:
    return f'"{".".join(walked)}"' if walked else "the whole"
