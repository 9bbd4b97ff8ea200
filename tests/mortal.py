"""A gate in a process of its own that is killed with SIGKILL at its n-th instant.

An instant is just before every commit to the database and every HTTP request to GitHub or SES; what lies
between two of them changes nothing outside the process. Nothing of the gate itself is replaced.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import event
from werkzeug.test import Client

from app import create_app, create_gate
from app.settings import Settings
from app.store import Store
from app.worker import work_once

# A fork server that has imported the gate once makes a new process in a few milliseconds.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.mortal"])


@dataclass(frozen=True)
class Life:
    """What one process is to do, and at which instant it dies (0: never)."""

    environ: dict[str, str]
    now: datetime
    task: str
    arguments: tuple[Any, ...]
    dies_at: int


class Instants:
    """Counts, and kills this very process when its time has come."""

    def __init__(self, dies_at: int) -> None:
        self.count = 0
        self._dies_at = dies_at

    def __call__(self, *_: object) -> None:
        self.count += 1
        if self.count == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


def live(life: Life) -> tuple[int, Any] | None:
    """Run one life; return how many instants it had and what it answered, or None when it was killed."""
    ours, theirs = processes.Pipe(duplex=False)
    process = processes.Process(target=_run, args=(life, theirs))
    process.start()
    theirs.close()
    try:
        told: tuple[int, Any] | None = ours.recv()
    except EOFError:
        told = None
    process.join()
    assert process.exitcode == (-signal.SIGKILL if told is None else 0), process.exitcode
    return told


def _run(life: Life, pipe: Connection) -> None:
    os.environ.update(life.environ)
    settings = Settings.load(life.environ)
    store = Store(settings.database_url, lambda: life.now)
    store.create()
    gate = create_gate(settings, store)
    browser = Client(create_app(settings, gate))
    instants = Instants(life.dies_at)
    for engine in store.database.engines:
        event.listen(engine, "commit", instants)
    _before_each_request(instants)

    def post(path: str, session: str = "", **how: Any) -> int:
        browser.set_cookie("qa-gate", session)
        return browser.post(path, **how).status_code

    tasks: dict[str, Callable[..., Any]] = {
        "post": post,
        "work": lambda: sum(iter(lambda: work_once(gate), False)),
    }
    answer = tasks[life.task](*life.arguments[:1], **(life.arguments[1] if life.arguments[1:] else {}))
    pipe.send((instants.count, answer))
    pipe.close()


def _before_each_request(instants: Instants) -> None:
    put = http.client.HTTPConnection.putrequest

    def counted(self: http.client.HTTPConnection, *words: Any, **more: Any) -> None:
        instants()
        put(self, *words, **more)

    http.client.HTTPConnection.putrequest = counted  # type: ignore[method-assign]
