"""Servers in threads of this process, for the stand-ins and the tests, that end as soon as they are told to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from socketserver import TCPServer


def serve(server: TCPServer, name: str | None = None) -> threading.Thread:
    """Let a server serve in a thread of its own, which is returned."""
    thread = threading.Thread(target=server.serve_forever, name=name, daemon=True)
    thread.start()
    return thread


def end(server: TCPServer, thread: threading.Thread) -> None:
    """Take no new connection from now on; those that there are stay.

    A server looks only now and then whether it shall end, or when somebody comes: so somebody comes.
    """
    ending = threading.Thread(target=server.shutdown, daemon=True)
    ending.start()
    while ending.is_alive():
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", server.server_address[1]), 1).close()
        ending.join(0.01)
    thread.join()
    server.server_close()
