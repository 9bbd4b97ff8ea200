"""What the models of GitHub's JSON are made of. Pure; `webhooks` reads payloads with them, the others answers.

A missing field or a wrong type is refused by pydantic's ValidationError, never guessed at; an unknown field is ignored.
A text that a database could not keep is refused, too, unless it is only words, which are mended.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

# What no database column and no UTF-8 can hold.
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
LONGEST_SAID = 4_000


class Model(BaseModel):
    """A part of GitHub's JSON: a wrong type is refused, an unknown field is ignored, and no error shows a value."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


def _mended(value: Any) -> Any:
    return _UNKEEPABLE.sub("\ufffd", value) if isinstance(value, str) else value


def _moment(value: Any) -> datetime:
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        if read and read.tzinfo:
            return read.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("is not a time")


# A pattern alone keeps lone surrogates out.
Line = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Text = Annotated[Line, Field(min_length=1)]
# What people wrote, "" for null.
Words = Annotated[str, BeforeValidator(lambda value: "" if value is None else _mended(value))]
WordsOrNone = Annotated[str | None, BeforeValidator(_mended)]
# 40 hexadecimal digits, or 64 with SHA-256.
Sha = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
# The largest are those that the columns hold.
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
# In UTC.
Moment = Annotated[datetime, BeforeValidator(_moment)]
# It becomes a link.
WebAddress = Annotated[str, Field(pattern=r"^https?://[^\x00]*$")]
RepositoryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100}$")]
IsBot = Annotated[bool, BeforeValidator(lambda kind: kind == "Bot")]


def at(path: str, **more: Any) -> Any:
    """Return the field that is so deep in GitHub's JSON ("head.sha"); null on the way there is as if it was left out."""
    return Field(validation_alias=AliasPath(*path.split(".")), **more)


def fault_of(error: ValidationError) -> str:
    """Return the first field that is wrong, and what pydantic says of it, but never its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    what = re.sub(r"[^\x20-\x7e]", "", first["msg"].removeprefix("Value error, "))
    return f'"{place}": {what}' if place else f"the whole: {what}"


def one_line(said: str) -> str:
    """Return what can be seen of a text's beginning, as one line."""
    seen = (" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in said[:LONGEST_SAID])
    return " ".join("".join(seen).split())
