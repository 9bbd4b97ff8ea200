"""The gate's doors, from outside: whether this very gate answers at an address.

`doctor` knocks to see that it does, `restore` that it doesn't.
"""

from __future__ import annotations

import hashlib
import hmac
import json
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
    return next((url for url in urls if not knock(url, settings.github_webhook_secret[0])), None)


def knock(url: str, secret: str) -> str:
    """Send the gate's door a signed ping, as GitHub does, which it answers and forgets; return what is wrong."""
    body = json.dumps({"zen": "doctor"}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    try:
        asked = urllib.request.Request(f"{url}/webhook", body, headers)  # noqa: S310 - a web address
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            said = answer.read(1000)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 401:
                return f"The gate at {url} has another GITHUB_WEBHOOK_SECRET: it's not this one, or needs a restart."
            return f"{url}/webhook answers {error.code} instead of the gate."
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"Nobody answers at {url} ({getattr(reason, 'strerror', None) or type(reason).__name__})."
    return "" if b"pong" in said else f"Something else than the gate answers at {url}."
