"""The process that minds the server: Granian's main one, which lives as long as the gate and needs next to nothing.

`qa-gate serve` becomes it once the settings are checked: `python -m app.parent HOST PORT LOG_FORMAT LOG_LEVEL`. The server is a
process of its own, which loads the application (`server`) and is started again should it be killed.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NoReturn

from app import stop

if TYPE_CHECKING:
    from flask import Flask

THREADS = 16  # requests answered at once, so that a few slow ones do not keep out the rest
GRACE = 25.0  # seconds that a step under way gets to finish when the gate is stopped


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


def become(host: str, port: int, log_format: str, log_level: str) -> NoReturn:
    """Replace this process, and so give back what it has loaded, by one that serves there until it is told to stop."""
    sys.stdout.flush()
    command = [sys.executable, "-P", "-m", "app.parent", host, str(port), log_format, log_level]
    # One arena for all threads, which Python lets work one at a time: one for each would keep 11 MB that none needs.
    # https://www.gnu.org/software/libc/manual/html_node/Memory-Allocation-Tunables.html
    environ = {"MALLOC_ARENA_MAX": "1", **os.environ}  # noqa: TID251 - it is the server's, too
    os.execve(command[0], command, environ)  # noqa: S606 - this very Python


def serve(host: str, port: int, log_format: str, log_level: str) -> None:
    """Serve until a signal says stop; where the server can't start, end with the sentences that it told."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    hear, tell = Pipe(duplex=False)
    server = Granian(
        target="qa-gate",
        interface=Interfaces.WSGI,
        address=host,
        port=port,
        workers=1,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        workers_kill_timeout=int(GRACE) + 5,
        websockets=False,
        log_dictconfig=log_config(log_format, log_level),
        log_level=LogLevels.error,  # its own lines: else each start begins with advice to have fewer threads
    )
    try:
        server.serve(target_loader=partial(_application, os.getpid(), tell), wrap_loader=False)
    finally:
        if hear.poll():
            stop(*hear.recv())


def _application(parent: int, tell: Connection) -> Flask:
    """Load the application, inside the server process."""
    from app.server import serving

    return serving(parent, tell)


def log_config(log_format: str, log_level: str) -> dict[str, Any]:
    """Return the logging configuration: one line a hop on standard error, as text or as JSON, from this level on."""
    form = (
        {"()": "app.parent.JsonLines"}
        if log_format == "json"
        else {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    )
    quiet = "ERROR" if log_level == "error" else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": form},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": log_level.upper(), "handlers": ["stderr"]},
        "loggers": {
            # These would print addresses, some with links in them, or every request to AWS.
            **{name: {"level": quiet} for name in ("botocore", "boto3", "urllib3", "github")},
        },
    }


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
