"""The schema: what the migrations make is what the tables say, and an older database is brought up with its data."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from app.db.columns import metadata
from app.db.schema import MIGRATIONS, SchemaError, bring_up, migrate, revisions, version_of, versions
from app.db.store import Store
from tests.builders import NOON, Clock
from tests.mortal import processes
from tests.test_cli import Stage
from tests.test_db import ask
from tests.test_db import store as a_store  # noqa: F401

ANEW = "write a migration: make migration NAME=… (before the first release: make migration FIRST=1)"

# What later versions may do: a new column that is filled, another type, a new table, and a row moved into it.
LATER = '''"""Later."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    """Bring it on."""
    with op.batch_alter_table("reviews") as batch:
        batch.add_column(sa.Column("shout", sa.Text(), nullable=False, server_default=""))
        batch.alter_column("title", type_=sa.String(300), existing_type=sa.Text(), existing_nullable=False)
    op.execute("UPDATE reviews SET shout = upper(title)")
    op.create_table("labels", sa.Column("review_id", sa.BigInteger(), sa.ForeignKey("reviews.id")))
    op.execute("INSERT INTO labels (review_id) SELECT id FROM reviews")
    {more}
'''


@pytest.fixture
def store(empty_database_url: str) -> Iterator[Store]:
    store = Store(empty_database_url, Clock(NOON))
    yield store
    store.close()


def later(folder: Path, more: str = "") -> Path:
    """The migrations of a version to come."""
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = revisions(folder)[-1]
    revision = f"{int(before) + 1:04}"
    (folder / "versions" / f"{revision}_later.py").write_text(
        LATER.format(revision=revision, before=before, more=more)
    )
    return folder


def shape(connection: Connection) -> dict[str, Any]:
    """All that a database says of its tables."""
    there = inspect(connection)
    return {
        name: {
            "columns": [
                {**column, "type": str(column["type"])} for column in sorted(there.get_columns(name), key=str)
            ],
            "key": there.get_pk_constraint(name)["constrained_columns"],
            "foreign": sorted(
                (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                for key in there.get_foreign_keys(name)
            ),
            "unique": sorted(one["column_names"] for one in there.get_unique_constraints(name)),
            "indexes": sorted(
                (str(one["name"]), one["column_names"], one["unique"]) for one in there.get_indexes(name)
            ),
        }
        for name in sorted(there.get_table_names())
    }


def bring_up_later(url: str, migrations: Path) -> None:
    """What a process of a version to come does when it starts."""
    store = Store(url)
    bring_up(store.database, migrations)
    store.close()


def test_the_migrations_make_just_what_the_tables_say(store: Store) -> None:
    with store.database.rebuild() as connection:
        migrate(connection, "head")
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == [], ANEW
        migrated = shape(connection)
        metadata.drop_all(connection)
        versions.drop(connection)
    store.create()
    with store.database.read() as connection:
        assert shape(connection) == migrated, ANEW


def test_the_migrations_stand_by_themselves() -> None:
    for file in (MIGRATIONS / "versions").glob("*.py"):
        assert "app" not in re.findall(r"^(?:from|import) (\w+)", file.read_text(), re.MULTILINE), file.name


def test_what_writes_migrations_knows_every_table() -> None:
    written = (
        "from tests.migration import *\n"
        "with create_engine('sqlite://').begin() as connection:\n"
        "    migrate(connection, 'head')\n"
        "    print(code_of(connection))"
    )
    said = subprocess.run([sys.executable, "-c", written], check=True, capture_output=True, text=True)
    assert said.stdout == "\n", ANEW


def test_a_start_that_has_nothing_to_migrate_does_not_load_alembic(tmp_path: Path) -> None:
    sqlite_url = f"sqlite:///{tmp_path}/gate.db"
    starts = (
        f"import sys; from app.db.store import Store; Store({sqlite_url!r}).create(); "
        "Store({0!r}).create(); sys.exit('alembic' in sys.modules)".format(sqlite_url)
    )
    assert subprocess.run([sys.executable, "-c", starts], check=False).returncode == 0


def test_an_older_database_is_brought_up_with_its_data(store: Store, tmp_path: Path) -> None:
    store.create()
    row = ask(store)
    bring_up(store.database, later(tmp_path / "later"))
    with store.database.read() as connection:
        found = connection.execute(text("SELECT id, title, shout, nonce FROM reviews")).one()
        assert tuple(found) == (row.id, row.title, row.title.upper(), row.nonce)
        assert connection.execute(text("SELECT review_id FROM labels")).scalar_one() == row.id
        assert version_of(connection) == revisions(tmp_path / "later")[-1]
        keys = {key["referred_table"] for key in inspect(connection).get_foreign_keys("rounds")}
        assert keys == {"reviews"}
    asked = store.reviews.round(row.id, row.round)
    assert asked
    assert asked.snapshot.pull.title == row.title


def test_of_many_that_start_at_once_one_migrates(
    store: Store, empty_database_url: str, tmp_path: Path
) -> None:
    store.create()
    ask(store)
    migrations = later(tmp_path / "later")
    starting = [
        processes.Process(target=bring_up_later, args=(empty_database_url, migrations)) for _ in range(4)
    ]
    for one in starting:
        one.start()
    for one in starting:
        one.join()
    assert [one.exitcode for one in starting] == [0] * 4
    with store.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM labels")).scalar_one() == 1


@pytest.mark.parametrize(
    "fault",
    [
        'op.execute("UPDATE nothing SET a = 1")',
        "raise ValueError",
        "import os; os.kill(os.getpid(), 9)",
    ],
)
def test_a_migration_that_fails_halfway_leaves_everything_as_it_was(
    store: Store, empty_database_url: str, tmp_path: Path, fault: str
) -> None:
    store.create()
    row = ask(store)
    with store.database.read() as connection:
        before = shape(connection)
    failing = processes.Process(
        target=bring_up_later, args=(empty_database_url, later(tmp_path / "bad", fault))
    )
    failing.start()
    failing.join()
    assert failing.exitcode != 0
    with store.database.read() as connection:
        assert (shape(connection), version_of(connection)) == (before, revisions()[-1])
    assert store.reviews.get(row.id) == row
    bring_up(store.database, later(tmp_path / "mended"))


def test_rows_that_point_nowhere_after_a_migration_stop_it(store: Store, tmp_path: Path) -> None:
    store.create()
    ask(store)
    with pytest.raises(Exception):  # noqa: B017, PT011 - each database says it in its own way
        bring_up(store.database, later(tmp_path / "bad", 'op.execute("DELETE FROM reviews")'))
    with store.database.read() as connection:
        assert version_of(connection) == revisions()[-1]


def test_a_newer_schema_is_refused_in_words(store: Store, tmp_path: Path) -> None:
    store.create()
    bring_up(store.database, later(tmp_path / "later"))
    with pytest.raises(SchemaError) as refused:
        store.create()
    assert f"newer schema ({revisions(tmp_path / 'later')[-1]})" in refused.value.reason
    assert "Install the newer version" in refused.value.reason


def test_serve_says_why_it_does_not_start_on_a_newer_schema(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        store = Store(stage.environ["DATABASE_URL"])
        store.create()
        with store.database.write() as connection:
            connection.execute(versions.update().values(version_num="9999"))
        store.close()
        gate = stage.start("serve")
        assert gate.wait() == 2
        assert "newer schema (9999)" in gate.said()
        assert "Traceback" not in gate.said()
    finally:
        stage.stop()
