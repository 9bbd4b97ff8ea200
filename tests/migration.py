"""Write a migration from the difference between the migrations so far and app/db/tables.py: `make migration`.

The migrations stand by themselves: they name plain column types, and nothing of app/.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from app.db import store as _all_tables  # noqa: F401 - metadata knows those tables whose modules are imported
from app.db.columns import Document, EnumText, UtcTime, metadata
from app.db.schema import MIGRATIONS, migrate, revisions

FIRST = "First schema"
TEXT = '''"""{what}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before!r}


def upgrade() -> None:
    """Bring the schema here from the one before."""
    {code}
'''
TYPES = {UtcTime: "sa.DateTime(timezone=True)", Document: "sa.JSON()"}


def render(kind: str, item: Any, _context: object) -> str | bool:
    """Return how a type of ours is written there."""
    if isinstance(item, EnumText):
        return f"sa.String(length={item.length})"
    return TYPES.get(type(item), False) if kind == "type" else False


def code_of(connection: Connection) -> str:
    """The statements that bring this database to today's tables; "" where there is nothing to do."""
    options = {"render_item": render, "target_metadata": metadata, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    wanted = produce_migrations(context, metadata).upgrade_ops
    assert wanted is not None
    if wanted.is_empty():
        return ""
    return render_python_code(wanted, render_as_batch=True, render_item=render, migration_context=context)


def write(what: str, *, is_first: bool) -> Path | None:
    """Write the next migration, or all that came so far anew as one; None where the tables have not changed."""
    known = [] if is_first else revisions()
    with create_engine("sqlite://").begin() as connection:
        if known:
            migrate(connection, known[-1])
        code = code_of(connection)
    if not code:
        return None
    if is_first:
        for file in (MIGRATIONS / "versions").glob("*.py"):
            file.unlink()
    revision = f"{int(known[-1]) + 1 if known else 1:04}"
    name = re.sub(r"\W+", "_", what.lower()).strip("_")
    file = MIGRATIONS / "versions" / f"{revision}_{name}.py"
    before = known[-1] if known else None
    # The generator's own remarks say nothing to a reader.
    code = re.sub(r"^\s*# ###.*\n?", "", code, flags=re.MULTILINE).strip()
    file.write_text(TEXT.format(what=what, revision=revision, before=before, code=code), encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "--quiet", "--fix", file], check=True)
    subprocess.run([*ruff, "format", "--quiet", file], check=True)
    return file


def main() -> None:
    words = [word for word in sys.argv[1:] if word]
    if not words:
        sys.exit('Say what the migration does: make migration NAME="what it does"')
    is_first = words == ["--first"]
    file = write(FIRST if is_first else words[0], is_first=is_first)
    print(
        f"Wrote {file.relative_to(MIGRATIONS.parent)}: read it." if file else "The tables have not changed."
    )


if __name__ == "__main__":
    main()
