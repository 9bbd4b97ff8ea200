"""Whether a gate answers at an address, whether it is this very one, and whether a new one could listen there.

`doctor` asks to see that it runs, `restore` and `setup` that it doesn't; `serve` that it may.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import socket
import time
import urllib.error
import urllib.request
from uuid import uuid4

from app import stop
from app.settings import Settings

FREED = 5.0  # seconds in which a gate that was killed frees its port


def near(settings: Settings) -> str:
    """Return the address at which the gate answers on its own machine."""
    host, port = settings.listen
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


def is_gate(url: str) -> bool:
    """Tell whether any gate answers there."""
    try:
        return _read(urllib.request.Request(f"{url}/healthz")) == b"ok\n"  # noqa: S310 - a web address
    except (OSError, ValueError):
        return False


def ping(url: str, secret: str) -> str:
    """Send the gate a signed ping, as GitHub does, which it answers and forgets; return what is wrong."""
    body = b'{"zen": "doctor"}'
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    try:
        said = _read(urllib.request.Request(f"{url}/webhook", body, headers))  # noqa: S310 - a web address
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 401:
            return f"The gate at {url} has another GITHUB_WEBHOOK_SECRET: is it this one? Restart it."
        return f"{url}/webhook answers {error.code} instead of the gate: see the proxy before it."
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        why = getattr(reason, "strerror", None) or type(reason).__name__
        return f"Nobody answers at {url} ({why}): does qa-gate serve run, and does the proxy lead to it?"
    return "" if b"pong" in said else f"Something else than the gate answers at {url}: see DNS and the proxy."


def _read(asked: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - a web address
        said: bytes = answer.read(1000)
        return said


def listen(name: str, host: str, port: int) -> socket.socket:
    """Return a socket that listens; stop with a sentence where none can: Granian would share the port."""
    give_up = time.monotonic() + FREED
    while True:
        try:
            # What was closed a moment ago is free; Granian's SO_REUSEPORT is left out on purpose.
            return socket.create_server(
                (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
            )
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > give_up:
                is_taken, why = error.errno == errno.EADDRINUSE, str(error.strerror).partition(" (")[0]
                to_do = "Does qa-gate serve run already?" if is_taken else "Is it an address of this machine?"
                stop(f"Nothing can listen at {name} ({host}:{port}): {why}. {to_do}")
        time.sleep(0.1)
