"""What a column may hold besides the plain types: an aware time, a document, a row's number.

`tables` uses it, alike on SQLite and PostgreSQL.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import JSON, BigInteger, DateTime, Integer, MetaData, text
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
# A row's number. SQLite numbers rows only by INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


def where(condition: str) -> dict[str, Any]:
    """Return the options of an index of only the rows for which this holds, in both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


metadata = MetaData()
