"""Whether a gate answers at an address, and whether it is this very one.

`doctor` asks to see that it runs, `restore` and `setup` that it doesn't.
"""

from __future__ import annotations

import hashlib
import hmac
import urllib.error
import urllib.request
from uuid import uuid4

from app.settings import Settings


def near(settings: Settings) -> str:
    """Return the address at which the gate answers on its own machine."""
    host, port = settings.listen
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


def where_it_answers(settings: Settings) -> str | None:
    """Return where a gate with this webhook secret answers, None where none does."""
    urls = (near(settings), settings.public_url)
    return next((url for url in urls if not ping(url, settings.github_webhook_secret[0])), None)


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
            return (
                f"The gate at {url} has another GITHUB_WEBHOOK_SECRET: it's not this one, or needs a restart."
            )
        return f"{url}/webhook answers {error.code} instead of the gate."
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"Nobody answers at {url} ({getattr(reason, 'strerror', None) or type(reason).__name__})."
    return "" if b"pong" in said else f"Something else than the gate answers at {url}."


def _read(asked: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - a web address
        said: bytes = answer.read(1000)
        return said
