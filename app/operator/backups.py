"""`qa-gate backup` and `restore`: what they take, what they print, how they end.

A restored backup begins a new epoch (`store.epoch`); with --move it is the same moment, and nothing is lost. Settings
and keys are the operator's to keep.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from app.db import Store
from app.db.backup import Done, back_up
from app.db.backup import restore as fill
from app.db.backup_file import BackupError
from app.db.database import Unavailable
from app.db.epoch import begin_epoch
from app.db.inspection import is_there
from app.db.schema import SchemaError
from app.domain.policy import Reviewer
from app.operator.doors import where_it_answers
from app.settings import Settings

BESIDES = "Keep your settings and keys besides: they aren't in it."
RUNNING = "The gate still answers at {}. Stop it first, on every machine: what it does from now on would be missing here."
AGAIN = (
    "What happened since is lost: when the gate starts, it asks again about every approval that wasn't merged, writes "
    "every status again, and tells reviewers and operator. Links in older emails say where to go now."
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write everything the gate knows into a new FILE, while it runs.

    The file is for SQLite and PostgreSQL alike.
    """
    settings = Settings.load()
    if not is_there(settings.database_url):
        _stop("There is no database yet, so there's nothing to back up.")
    store = Store(settings.database_url)
    try:
        done = back_up(store.database, file)
    except (BackupError, SchemaError) as error:
        _stop(error.reason)
    except Unavailable as error:
        _stop(f"{_why(error)} Nothing was made.")
    finally:
        store.close()
    click.echo(f"{_what(done)} is in {file}. {BESIDES}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--move", is_flag=True, help="Nothing happened since: the gate was stopped before the backup.")
def restore(file: Path, move: bool) -> None:
    """Fill the empty database of DATABASE_URL from FILE, a backup of either kind of database.

    The gate must be stopped. Without --move a new epoch begins: what happened since the backup is lost.
    """
    settings = Settings.load()
    if at := where_it_answers(settings):
        _stop(RUNNING.format(at))
    store = Store(settings.database_url)
    begin = None if move else partial(begin_epoch, database=store.database, readers=readers(settings))
    try:
        done = fill(store.database, file, begin=begin, is_move=move)
    except (BackupError, SchemaError) as error:
        _stop(error.reason)
    except Unavailable as error:
        _stop(f"{_why(error)} Nothing was restored.")
    finally:
        store.close()
    click.echo(f"{_what(done)} is restored." if move else f"{_what(done)} is restored. {AGAIN}")


def _what(done: Done) -> str:
    return f"What the gate knew on {done.made_at:%Y-%m-%d at %H:%M:%S} UTC ({done.rows:,} rows)"


def _why(error: Unavailable) -> str:
    """Return in a sentence why the database can't be used."""
    cause = getattr(error.__cause__, "orig", error.__cause__)
    return f"The database of DATABASE_URL can't be used: {str(cause).strip().partition(chr(10))[0]}."


def readers(settings: Settings) -> list[str]:
    """Return the ids of reviewers and operator, each once."""
    people = (*settings.qa_reviewers, *(settings.operator or ()))
    return list(dict.fromkeys(Reviewer(name, address).id for name, address in people))


def _stop(reason: str) -> NoReturn:
    click.echo(reason, err=True)
    sys.exit(2)
