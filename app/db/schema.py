"""Which schema the database has: made where there is none, brought up to date where it is older.

`Store.create` calls it at every start. The migrations lie in migrations/, beside app/ in a checkout and inside it in an
installed wheel; their file names say which there are, so that alembic is loaded only where one has to be run. Of many
processes that start at once one migrates, in one transaction, and the others wait.

    SchemaError   this version can't work with the database's schema; it says what to do
"""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select
from sqlalchemy.engine import make_url

from app import Explained, folder
from app.db.columns import metadata
from app.db.database import Database
from app.db.rows import new_nonce
from app.db.tables import epochs

log = logging.getLogger("qa-gate.store")

MIGRATIONS = folder("migrations")
# alembic's own: which migration the database had last.
versions = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True, nullable=False)
)
NEWER_SCHEMA = (
    "The database has a newer schema ({}) than this version of qa-gate knows ({}). Install the newer version again, "
    "or restore a backup that this one made into an empty database."
)


class SchemaError(Explained):
    """The database's schema is not one that this version can work with; `reason` is a sentence for the operator."""


def revisions(migrations: Path = MIGRATIONS) -> list[str]:
    """Return the number of every migration, the oldest first."""
    return sorted(file.name.partition("_")[0] for file in (migrations / "versions").glob("[0-9]*_*.py"))


def version_of(connection: Connection) -> str | None:
    """Return which schema the database has; None where it has none of ours, or one from before there were versions."""
    if not inspect(connection).has_table(versions.name):
        return None
    return connection.scalar(select(versions.c.version_num))


def is_there(url: str) -> bool:
    """Tell whether there is a database to look at; a SQLite file would be made by opening it."""
    target = make_url(url)
    return target.get_backend_name() != "sqlite" or Path(target.database or "").exists()


def bring_up(database: Database, migrations: Path = MIGRATIONS) -> None:
    """Make the tables where there are none, or bring them up to date, all or nothing. Raises SchemaError, Unavailable."""
    known = revisions(migrations)
    with database.read() as connection:
        if version_of(connection) == known[-1]:
            return
    with database.rebuild() as connection:
        found = version_of(connection)  # another process may have done it meanwhile
        if found is None:
            make(connection, known[-1])
            connection.execute(epochs.insert().values(nonce=new_nonce(), began_at=database.now(connection)))
        elif found not in known:
            raise SchemaError(NEWER_SCHEMA.format(found, known[-1]))
        elif found != known[-1]:
            migrate(connection, "head", migrations)
            log.info("The database's schema was brought from %s to %s.", found, known[-1])


def ours(connection: Connection) -> list[str]:
    """Return which of our tables are there."""
    return sorted(metadata.tables.keys() & set(inspect(connection).get_table_names()))


def make(connection: Connection, version: str) -> None:
    """Make the tables as this version has them, without a migration: a test holds that both come to the same."""
    versions.create(connection)
    metadata.create_all(connection, checkfirst=False)
    connection.execute(versions.insert().values(version_num=version))


def migrate(connection: Connection, to: str, migrations: Path = MIGRATIONS) -> None:
    """Run the migrations up to this one inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    command.upgrade(config, to)
