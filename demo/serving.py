"""Servers in threads of this process, for the stand-ins and the tests, that end as soon as they are told to."""

from __future__ import annotations

import threading
from socketserver import TCPServer

LOOK = 0.02  # seconds between two looks whether it is to end: the half second of the library adds up over many worlds


def serve(server: TCPServer, name: str | None = None) -> threading.Thread:
    """Let a server serve in a thread of its own, which is returned."""
    thread = threading.Thread(target=server.serve_forever, args=(LOOK,), name=name, daemon=True)
    thread.start()
    return thread


def end(server: TCPServer, thread: threading.Thread) -> None:
    """Take no new connection from now on; those that there are stay."""
    server.shutdown()
    thread.join()
    server.server_close()
