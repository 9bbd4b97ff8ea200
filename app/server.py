"""The server process: the application inside Granian, with the worker beside it unless WORKER=none.

`parent` runs Granian, which calls `serving` in a process of its own. Everything is loaded there and not in its
parent. What stops the start is told to the parent, which ends with a sentence.
"""

from __future__ import annotations

import logging
import logging.config
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from flask import Flask

from app import __version__
from app.cli import cannot_go_on
from app.jobs.gate import Gate
from app.parent import GRACE, log_config
from app.settings import Settings
from app.wiring import create_app
from app.worker import Worker

log = logging.getLogger("qa-gate")

# Seconds that a busy thread keeps the others waiting: a request that came back from the disk waits for the worker else.
SWITCH = 0.001
REQUEST_GRACE = 2.0  # seconds that requests get to finish at a stop: whoever sends slowly must not hold it up


def serving(parent: int, tell: Connection) -> Flask:
    """Return the application inside Granian's server process, and start what runs beside it.

    `parent` is Granian's main process, and `tell` the way to it.
    """
    sys.setswitchinterval(SWITCH)
    settings = Settings.load()
    logging.config.dictConfig(log_config(settings.log_format, settings.log_level))
    log.info("qa-gate %s starts.", __version__)
    for warning in settings.warnings:
        log.warning(warning)
    with _telling(parent, tell):
        app = create_app(settings)
    gate: Gate = app.extensions["qa-gate"]
    if settings.metrics_listen:
        from app.metrics import serve_metrics

        serve_metrics(settings.metrics_listen, gate, app)
    working = Worker(gate) if settings.worker == "embedded" else None
    ending, told = socket.socketpair()
    told.setblocking(False)
    # Python writes each signal's number there, whoever handles it: Granian sets its own handlers after this.
    signal.set_wakeup_fd(told.fileno())

    def beside() -> None:
        started = None
        with suppress(SystemExit), _telling(parent, tell):
            gate.mailer.open()  # here, as to load boto3 takes longer than the first answer should
            if working:
                working.start()
            started = working
        threading.Thread(target=_look_around, args=(settings,), name="doctor", daemon=True).start()
        _mind_the_end(parent, started, ending, told)

    threading.Thread(target=beside, name="beside").start()
    return app


def _look_around(settings: Settings) -> None:
    from app.operator.doctor import warn_at_start  # loads boto3, too

    warn_at_start(settings)


@contextmanager
def _telling(parent: int, tell: Connection) -> Iterator[None]:
    """Let the parent stop with the sentences of what stands in the way; a bug is raised as it is."""
    try:
        yield
    except Exception as error:
        lines = cannot_go_on(error)
        if lines is None:
            raise
        tell.send(lines)
        os.kill(parent, signal.SIGTERM)
        raise SystemExit(2) from None


def _mind_the_end(parent: int, working: Worker | None, ending: socket.socket, _told: socket.socket) -> None:
    """End the worker when the server is told to stop, and this process when its parent was killed.

    `kill -9` of Granian's main process leaves this one serving on the same port, beside the restarted gate. And
    Granian waits for every request that has begun, however slowly it is sent.
    """
    main_thread = threading.main_thread()
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
