"""What a column may hold besides the plain types: an aware time, one word of an enum, a document, a row's number.

`tables` uses it, alike on SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import JSON, BigInteger, DateTime, Integer, MetaData, String, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC; SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Read back aware."""
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC) if value else None


class EnumText(TypeDecorator[Any]):
    """One word of an enum."""

    impl = String
    cache_ok = True

    def __init__(self, words: type[StrEnum], length: int = 16) -> None:
        super().__init__(length)
        self.words, self.length = words, length

    def process_result_value(self, value: str | None, _dialect: Dialect) -> StrEnum | None:
        """Read what was kept."""
        return None if value is None else self.words(value)


class Document(TypeDecorator[Any]):
    """One value of a model, kept as JSON. What the model does not know is ignored on reading, so that old rows stay readable."""

    impl = JSON
    cache_ok = True

    def __init__(self, model: Any) -> None:
        super().__init__(none_as_null=True)
        self.model = model
        self._adapter: TypeAdapter[Any] = TypeAdapter(model)

    def process_bind_param(self, value: Any, _dialect: Dialect) -> Any:
        """Return plain JSON data."""
        return None if value is None else self._adapter.dump_python(value, mode="json")

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        """Read what was kept."""
        return None if value is None else self._adapter.validate_python(value)


# An INSERT that knows ON CONFLICT. SQLite spells it as PostgreSQL does, and SQLAlchemy compiles this one for both.
insert = postgresql.insert


def put(table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Return the statement that makes the row with this key, or changes the one that is there."""
    made = insert(table).values(**key, **values)
    return made.on_conflict_do_update(index_elements=list(key), set_=values)


# A row's number. SQLite numbers rows only by INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


def where(condition: str) -> dict[str, Any]:
    """Return the options of an index of only the rows for which this holds, in both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


metadata = MetaData()
