"""A gate in a process of its own that is killed with SIGKILL at its n-th instant.

An instant is just before every commit that changes the database, every HTTP request to GitHub or SES, and every answer
of a task; what lies between two of them changes nothing outside the process. Nothing of the gate itself is replaced.
"""

from __future__ import annotations

import http.client
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import datetime
from io import StringIO
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import Engine, event
from werkzeug.test import Client

from app.db.store import Store
from app.settings import Settings
from app.wiring import create_app, create_gate
from app.worker import work_once
from tests.builders import Clock
from tests.world import compiled_once

# A fork server that has loaded all that a gate needs makes a new process in a few milliseconds.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.warm", "tests.mortal"])

# What a statement that changes nothing begins with.
READING = ("BEGIN", "PRAGMA", "SELECT", "SET", "SHOW")


class Instants:
    """Counts down, and kills this very process when its time has come (0: never)."""

    def __init__(self) -> None:
        self._left = 0

    def doom(self, instants: int) -> None:
        self._left = instants

    def __call__(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """A gate's process. It does one task after the other, by the clock that it is told, until it is killed or ended."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._pipe, theirs = processes.Pipe()
        self._process = processes.Process(target=_live, args=(environ, theirs))
        self._process.start()
        theirs.close()

    def run(self, now: datetime, task: str, *arguments: Any) -> tuple[Any] | None:
        """Do a task; return its answer, or None when the process was killed over it."""
        self.begin(now, task, *arguments)
        return self.answer()

    def begin(self, now: datetime, task: str, *arguments: Any) -> None:
        """Begin a task; its `answer` has to be asked for before the next."""
        self._pipe.send((now, task, arguments))

    def answer(self) -> tuple[Any] | None:
        """Wait for the end of a task; return its answer, or None when the process was killed over it."""
        try:
            return (self._pipe.recv(),)
        except (EOFError, ConnectionResetError):
            self._process.join()
            assert self._process.exitcode == -signal.SIGKILL, self._process.exitcode
            return None

    def end(self) -> None:
        """End the process in peace."""
        self._pipe.close()
        self._process.join()


def _live(environ: dict[str, str], pipe: Connection) -> None:
    os.environ.update(environ)
    settings, clock, instants = Settings.load(environ), Clock(), Instants()
    store = Store(settings.database_url, clock)
    store.create()
    gate = create_gate(settings, store)
    browser = Client(compiled_once(create_app(settings, gate)))
    for engine in store.database.engines:
        _before_each_change(engine, instants)
    _before_each_request(instants)

    def post(path: str, how: dict[str, Any], session: str = "") -> int:
        browser.set_cookie("qa-gate", session)
        return browser.post(path, **how).status_code

    said = StringIO()
    logging.basicConfig(stream=said, level="INFO")
    tasks: dict[str, Callable[..., Any]] = {
        "doom": instants.doom,
        "post": post,
        "said": said.getvalue,
        "work": lambda: sum(iter(lambda: work_once(gate), False)),
    }
    while True:
        try:
            clock.now, task, arguments = pipe.recv()
        except EOFError:
            return
        answer = tasks[task](*arguments)
        if task != "doom":
            instants()
        pipe.send(answer)


def _before_each_change(engine: Engine, instants: Instants) -> None:
    def note(connection: Any, _cursor: object, statement: str, *_: object) -> None:
        if statement.split(maxsplit=1)[0] not in READING:
            connection.info["changes"] = True

    def count(connection: Any) -> None:
        if connection.info.pop("changes", False):
            instants()

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", count)
    event.listen(engine, "rollback", lambda connection: connection.info.pop("changes", None))


def _before_each_request(instants: Instants) -> None:
    put = http.client.HTTPConnection.putrequest

    def counted(self: http.client.HTTPConnection, *words: Any, **more: Any) -> None:
        instants()
        put(self, *words, **more)

    http.client.HTTPConnection.putrequest = counted  # type: ignore[method-assign]
