"""The commands: `qa-gate serve`, `worker`, `sync`, `trust`; Flask's command line underneath.

`serve` runs the pages and the webhook in one Granian process, with the worker's threads beside them unless
WORKER=none. Called by operators only. It must never start with a missing or insecure setting, nor print one.
"""

from __future__ import annotations

import errno
import json
import logging
import logging.config
import os
import signal
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from granian import Granian
from granian.constants import Interfaces

from app import __version__, create_app, create_gate
from app.mail import Mailer, MailError
from app.operator.commands import COMMANDS
from app.operator.doctor import warn_at_start
from app.settings import Settings, SettingsError
from app.store import Unavailable
from app.worker import Worker, work_once
from app.workflow import set_looks

THREADS = 16  # requests answered at once, so that a few slow ones do not keep out the rest
GRACE = 25.0  # seconds that a step under way gets to finish when the gate is stopped
REQUEST_GRACE = 2.0  # seconds that requests get to finish then: whoever sends slowly must not hold up a stop
FREED = 5.0  # seconds in which a gate that was killed frees its port

cli = AppGroup(help="qa-gate: an email review gate for a development branch.")
click.version_option(__version__, message="qa-gate %(version)s")(cli)
for _command in COMMANDS:
    cli.add_command(_command)


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger and message, and the traceback where there is one."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def main() -> None:
    """Run the command line; mistakes of the operator end with a sentence each and exit code 2."""
    os.umask(0o077)  # whatever is written is for the gate's own user
    try:
        cli.main(prog_name="qa-gate", standalone_mode=True)
    except SettingsError as error:
        _stop("qa-gate cannot start. Fix these settings:", *error.problems, *_aws_problems())
    except MailError as error:
        _stop("qa-gate cannot start:", error.reason)
    except Unavailable:
        _stop(
            "qa-gate cannot start:",
            "The database of DATABASE_URL cannot be opened; is it there, and writable?",
        )


@cli.command()
def serve() -> None:
    """Run the gate: webhook, pages, and the worker (unless WORKER=none)."""
    settings = Settings.load()
    create_gate(settings).store.close()  # says now, once, what would stop the server process later
    host, port = settings.listen
    _require_free(host, port)
    Granian(
        target="app.cli:serving",
        factory=True,
        interface=Interfaces.WSGI,
        address=host,
        port=port,
        workers=1,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        workers_kill_timeout=int(GRACE) + 5,
        websockets=False,
        log_dictconfig=log_config(settings.log_format),
    ).serve()


@cli.command()
def worker() -> None:
    """Run only the worker; as many as you like, on as many machines as reach the database."""
    settings = Settings.load()
    logging.config.dictConfig(log_config(settings.log_format))
    working = Worker(create_gate(settings))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    working.start()
    stop.wait()
    working.stop(GRACE)


@cli.command()
def sync() -> None:
    """Look at every repository now, and do all that is due; say what was found, and what could not be done."""
    gate = create_gate(Settings.load())
    began = gate.store.now()
    gate.store.queue.wake_failed()
    set_looks(gate)
    while work_once(gate):
        pass
    for name, line in gate.store.reviews.happened_since(began):
        click.echo(f"{name}: {line.what}" + (f", {line.detail}" if line.detail else ""))
    problems = [f"{about}: {problem}" for about, problem in gate.store.queue.problems()]
    problems += gate.store.arrivals.problems()
    for problem in problems:
        click.echo(problem)
    if problems:
        click.echo("Not all that was due could be done.")
        sys.exit(1)
    click.echo(f"Looked at {', '.join(gate.policy.repositories)}; all that was due is done.")


@cli.command()
@click.argument("repository")
def trust(repository: str) -> None:
    """Accept that another repository has this name now (after a deletion or transfer): OWNER/NAME."""
    gate = create_gate(Settings.load())
    if gate.store.repositories.trust(repository):
        set_looks(gate)
        click.echo(
            f"Whichever repository is called {repository} is trusted from the next look on, which is now."
        )
    else:
        _stop(f"No repository called {repository} is known.")


def serving() -> Flask:
    """Return the application inside Granian's server process, with the worker beside it."""
    settings = Settings.load()
    logging.config.dictConfig(log_config(settings.log_format))
    for warning in settings.warnings:
        logging.getLogger("qa-gate").warning(warning)
    app = create_app(settings)
    working = Worker(app.extensions["qa-gate"]) if settings.worker == "embedded" else None
    if working:
        working.start()
    threading.Thread(target=warn_at_start, args=(settings,), name="doctor", daemon=True).start()
    ending, told = socket.socketpair()
    told.setblocking(False)
    # Python writes each signal's number there, whoever handles it: Granian sets its own handlers after this.
    signal.set_wakeup_fd(told.fileno())
    threading.Thread(target=_mind_the_end, args=(os.getppid(), working, ending, told), name="end").start()
    return app


def log_config(log_format: str) -> dict[str, Any]:
    """Return the logging configuration: one line a hop on standard error, as text or as JSON."""
    form = (
        {"()": "app.cli.JsonLines"}
        if log_format == "json"
        else {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": form},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {
            # These would print addresses, some with links in them, or every request to AWS.
            "botocore": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
            "github": {"level": "WARNING"},
        },
    }


def _mind_the_end(parent: int, working: Worker | None, ending: socket.socket, _told: socket.socket) -> None:
    """End the worker when the server is told to stop, and this process when its parent was killed.

    `kill -9` of Granian's main process leaves this one serving on the same port, beside the restarted gate. And
    Granian waits for every request that has begun, however slowly it is sent.
    """
    log, main_thread = logging.getLogger("qa-gate"), threading.main_thread()
    ending.settimeout(1.0)
    while main_thread.is_alive():
        try:
            if {*ending.recv(64)} & {signal.SIGTERM, signal.SIGINT}:
                break
        except TimeoutError:
            pass
        if os.getppid() != parent:
            log.error("The main process is gone; stopping.")
            os._exit(1)
    requests_end = time.monotonic() + REQUEST_GRACE
    if working:
        working.stop(GRACE)
    main_thread.join(max(0.0, requests_end - time.monotonic()))
    if main_thread.is_alive():
        log.warning("Stopped before a running request was finished.")
        os._exit(0)


def _require_free(host: str, port: int) -> None:
    """Stop with a sentence when nobody can listen there: Granian would share the port, or end with a traceback.

    Whoever was just killed may hold it for a moment.
    """
    give_up = time.monotonic() + FREED
    while why := _why_not_free(host, port):
        if why != os.strerror(errno.EADDRINUSE) or time.monotonic() > give_up:
            _stop("qa-gate cannot start:", f"Nothing can listen at LISTEN ({host}:{port}): {why}.")
        time.sleep(0.1)


def _why_not_free(host: str, port: int) -> str | None:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            # What was closed a moment ago is free; Granian's SO_REUSEPORT is left out on purpose.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except socket.gaierror as error:
        return error.strerror
    except OSError as error:
        return os.strerror(error.errno or 0)
    return None


def _aws_problems() -> list[str]:
    """Return what is wrong with the AWS settings, which boto3 reads by itself; makes no call."""
    try:
        Mailer("gate@example.com")
    except MailError as error:
        return [error.reason]
    return []


def _stop(first: str, *more: str) -> None:
    click.echo("\n".join([first, *(f"- {line}" for line in more)]), err=True)
    sys.exit(2)
