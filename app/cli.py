"""The commands: `qa-gate serve`, `worker`, `sync`, `trust`, and the operator's.

`serve` checks the settings and becomes `parent`, which runs the pages and the webhook in one Granian process
(`server`), with the worker's threads beside them unless WORKER=none. Called by operators only. It must never start with
a missing or insecure setting, nor print one. What only one command needs is imported inside of it.
"""

from __future__ import annotations

import logging.config
import os
import signal
import sys
import threading
from importlib import import_module

import click

from app import Explained, __version__, stop
from app.parent import GRACE, become, log_config
from app.settings import Settings
from app.settings.file import SettingsError

log = logging.getLogger("qa-gate")

# The operator's commands, each loaded when it is asked for, or the list.
OPERATORS = {
    "setup": "app.operator.setup",
    "protect": "app.operator.protect",
    "doctor": "app.operator.doctor",
    "backup": "app.operator.backups",
    "restore": "app.operator.backups",
}


class Commands(click.Group):
    """The commands here, and the operator's."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, in the order of the alphabet."""
        return sorted([*super().list_commands(ctx), *OPERATORS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if module := OPERATORS.get(cmd_name):
            found: click.Command = getattr(import_module(module), cmd_name)
            return found
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> None:
        """Run a command; what the operator has to put right ends it with a sentence each and exit code 2."""
        try:
            super().invoke(ctx)
        except Exception as error:
            lines = cannot_go_on(error)
            if lines is None:
                raise
            stop(*lines)


@click.group(cls=Commands)
@click.version_option(__version__, message="qa-gate %(version)s")
def cli() -> None:
    """qa-gate: an email review gate for a development branch."""


def main() -> None:
    """Run the command line."""
    os.umask(0o077)  # whatever is written is for the gate's own user
    cli.main(prog_name="qa-gate")


def cannot_go_on(error: Exception) -> list[str] | None:
    """Return what an operator must read where settings, AWS, GitHub or the database are in the way; else None."""
    if isinstance(error, SettingsError):
        from app.mail.ses import aws_problems

        return ["qa-gate cannot start. Fix these settings:", *error.problems, *aws_problems()]
    return [error.reason] if isinstance(error, Explained) else None


@cli.command()
def serve() -> None:
    """Run the gate: webhook, pages, and worker. With WORKER=none, the worker is run apart."""
    from app.operator.is_running import listen

    settings = Settings.load()
    listen("LISTEN", *settings.listen).close()
    if settings.metrics_listen:
        listen("METRICS_LISTEN", *settings.metrics_listen).close()
    become(*settings.listen, settings.log_format, settings.log_level)


@cli.command()
def worker() -> None:
    """Run only the worker. Run as many as you like, on every machine that reaches the database."""
    from app.wiring import create_gate
    from app.worker import Worker

    settings = Settings.load()
    logging.config.dictConfig(log_config(settings.log_format, settings.log_level))
    log.info("qa-gate %s: the worker starts.", __version__)
    gate = create_gate(settings)
    gate.mailer.open()
    if settings.metrics_listen:
        from app.metrics import serve_metrics
        from app.operator.is_running import listen

        listen("METRICS_LISTEN", *settings.metrics_listen).close()
        serve_metrics(settings.metrics_listen, gate)
    working = Worker(gate)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    working.start()
    stop.wait()
    working.stop(GRACE)


@cli.command()
def sync() -> None:
    """Look at GitHub now, and do all that is due. It says what was found, and what could not be done."""
    from app.domain.problems import What
    from app.jobs.problems import said_of
    from app.mail.news import reasons_of
    from app.wiring import create_gate
    from app.worker import wake_up, work_once

    gate = create_gate(Settings.load())
    gate.mailer.open()
    began = gate.store.now()
    wake_up(gate)
    while work_once(gate):
        pass
    for name, line in gate.store.reviews.happened_since(began):
        click.echo(f"{name}: {line.what}" + (f", {line.detail}" if line.detail else ""))
    troubles = gate.store.problems.troubles(gate.policy.repositories)
    problems = reasons_of(troubles, gate.people)
    others = [one for one in troubles if not one.reason and one.what is not What.RENAMED]
    problems += dict.fromkeys(said_of(gate, one).sentence for one in others)
    for problem in problems:
        click.echo(problem)
    if problems:
        click.echo("Not all that was due could be done.")
        sys.exit(1)
    click.echo(f"Looked at {', '.join(gate.policy.repositories)}; all that was due is done.")


@cli.command()
@click.argument("repository")
def trust(repository: str) -> None:
    """Accept that another repository is called OWNER/NAME now. That is after a deletion or a transfer."""
    from app.jobs.poll import set_looks
    from app.wiring import create_gate

    gate = create_gate(Settings.load())
    if gate.store.repositories.trust(repository):
        set_looks(gate)
        click.echo(
            f"Whichever repository is called {repository} is trusted from the next look on, which is now."
        )
    else:
        known = ", ".join(gate.policy.repositories)
        stop(f"No repository called {repository} is known. GITHUB_REPOSITORIES names {known}.")
