"""Sends webhooks as GitHub does: signed, from the background, each once, in order unless told otherwise.

Fed by `events` through World.notify; PretendGitHub gives its knobs to tests and to the demo. Never sends a
delivery again by itself: a failed one is recorded with its error, and `redeliver` sends it under the same id.
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import queue
import threading
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 10.0


@dataclass(eq=False)
class Delivery:
    """One webhook: status is the answer's, error says why there was none; sent counts the times."""

    event: str
    action: str | None
    payload: dict[str, Any]
    body: bytes
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: int | None = None
    error: str | None = None
    answer: str = ""
    sent: int = 0


class Webhooks:
    """The outgoing side; `url` and `paused` may be changed at any time."""

    def __init__(self, url: str | None, secret: str) -> None:
        self.url, self.secret = url, secret
        self.paused = False
        self.deliveries: list[Delivery] = []
        self._held: list[Delivery] | None = None
        self._queue: queue.Queue[Delivery | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def notify(self, event: str, action: str | None, payload: dict[str, Any]) -> None:
        """Record an event and have it sent; what happens while `paused` is recorded and not sent."""
        delivery = Delivery(event, action, payload, json.dumps(payload).encode())
        with self._lock:
            self.deliveries.append(delivery)
            if self.paused or self.url is None:
                delivery.error = "not sent: paused" if self.paused else "not sent: no address"
            elif self._held is not None:
                self._held.append(delivery)
            else:
                self._send_soon(delivery)

    def hold(self) -> None:
        """Keep what happens from now on until `release`."""
        with self._lock:
            self._held = [] if self._held is None else self._held

    def release(self, order: Callable[[list[Delivery]], list[Delivery]] = list) -> None:
        """Send what was held, in the order that `order` makes of it (it may also drop or double some)."""
        with self._lock:
            held, self._held = self._held or [], None
            for delivery in order(held):
                self._send_soon(delivery)

    def redeliver(self, delivery_id: str) -> None:
        """Send a delivery again, with the same id and body."""
        with self._lock:
            self._send_soon(next(one for one in self.deliveries if one.id == delivery_id))

    def settle(self) -> None:
        """Wait until all that is to be sent was answered or has failed."""
        self._queue.join()

    def stop(self) -> None:
        """Let what is queued go out, then end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _send_soon(self, delivery: Delivery) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
            self._thread.start()
        self._queue.put(delivery)

    def _run(self) -> None:
        while (delivery := self._queue.get()) is not None:
            try:
                self._send(delivery)
            finally:
                self._queue.task_done()
        self._queue.task_done()

    def _send(self, delivery: Delivery) -> None:
        delivery.sent, delivery.status, delivery.error = delivery.sent + 1, None, None
        target = urlsplit(self.url or "")
        try:
            with closing(
                http.client.HTTPConnection(target.hostname or "", target.port, timeout=TIMEOUT)
            ) as line:
                line.request("POST", target.path or "/", delivery.body, self._headers(delivery))
                answer = line.getresponse()
                delivery.answer = answer.read().decode(errors="replace")
                delivery.status = answer.status
        except (OSError, http.client.HTTPException) as problem:
            delivery.error = f"{type(problem).__name__}: {problem}"

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        return {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": delivery.id,
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Hook-ID": "1",
            "X-GitHub-Hook-Installation-Target-Type": "repository",
            "X-Hub-Signature": f"sha1={self.sign(delivery.body, 'sha1')}",
            "X-Hub-Signature-256": f"sha256={self.sign(delivery.body, 'sha256')}",
        }

    def sign(self, body: bytes, digest: str) -> str:
        """Return the hex HMAC of a body, as X-Hub-Signature-256 carries it."""
        return hmac.new(self.secret.encode(), body, getattr(hashlib, digest)).hexdigest()
