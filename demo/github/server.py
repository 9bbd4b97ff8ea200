"""The HTTP server of the stand-in: werkzeug's, in threads of this process, that can really be stopped.

Used by PretendGitHub only. Stopping it also ends connections that clients keep alive, so that a stopped GitHub
is gone at once; a port may then be taken again by the next `start`.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from demo.serving import end, serve


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: else each answer may wait 40 ms

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing: the stand-in records its calls."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer without this machine's time: it brings the stand-in's own (`front`)."""
        self.send_response_only(code, message)


class _Server(ThreadedWSGIServer):
    def __init__(self, port: int, app: Flask) -> None:
        self.lines: set[socket.socket] = set()
        super().__init__("127.0.0.1", port, app, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.lines.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.lines.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when the other side hung up; the rest is told as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Server:
    """Serves an app on 127.0.0.1 until stopped."""

    def __init__(self, app: Flask, port: int) -> None:
        self._server = _Server(port, app)
        self.port: int = self._server.server_port
        self._thread = serve(self._server, "github")

    def refuse(self) -> None:
        """Take no new connection from now on; answers under way still go out."""
        end(self._server, self._thread)

    def stop(self) -> None:
        """Stop serving, and hang up on everybody."""
        self.refuse()
        for line in list(self._server.lines):
            _hang_up(line)


def _hang_up(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has hung up itself
