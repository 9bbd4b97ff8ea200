"""`qa-gate backup` and `restore`: what they take, what they print, how they end.

A restored backup begins a new epoch (`db.epoch`); with --move it is the same moment, and nothing is lost. Settings and
keys are the operator's to keep.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from app import stop
from app.db.backup import back_up
from app.db.backup import restore as fill
from app.db.epoch import begin_epoch
from app.db.schema import is_there
from app.db.store import Store
from app.domain.policy import Reviewer
from app.operator.is_running import near, ping
from app.settings import Settings

STILL_ANSWERS = "The gate still answers at {}. Stop it first, on every machine: what it does from now on would be missing here."
WHAT_IS_LOST = (
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
        stop("There is no database yet, so there's nothing to back up.")
    with closing(Store(settings.database_url)) as store:
        made_at = back_up(store.database, file)
    click.echo(f"{_what(made_at)} is in {file}. Keep your settings and keys besides: they aren't in it.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--move", is_flag=True, help="Nothing happened since: the gate was stopped before the backup.")
def restore(file: Path, move: bool) -> None:
    """Fill the empty database of DATABASE_URL from the backup FILE.

    The gate must be stopped. Without --move a new epoch begins: what happened since the backup is lost.
    """
    settings = Settings.load()
    for url in (near(settings), settings.public_url):
        if not ping(url, settings.github_webhook_secret[0]):
            stop(STILL_ANSWERS.format(url))
    with closing(Store(settings.database_url)) as store:
        begin = None if move else partial(begin_epoch, database=store.database, readers=readers(settings))
        made_at = fill(store.database, file, begin=begin, is_move=move)
    click.echo(f"{_what(made_at)} is restored." + ("" if move else f" {WHAT_IS_LOST}"))


def _what(made_at: datetime) -> str:
    return f"What the gate knew on {made_at:%Y-%m-%d at %H:%M:%S} UTC"


def readers(settings: Settings) -> list[str]:
    """Return the ids of reviewers and operator, each once."""
    return list(dict.fromkeys(Reviewer(name, address).id for name, address in settings.people))
