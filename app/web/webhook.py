"""GitHub's door: `POST /webhook`. Verify, record in one transaction, answer 202.

Registered by `create_app`. A payload never decides anything, it wakes a row. Nothing is stored, logged or even
parsed of a body whose signature does not fit, and nothing else is called: GitHub waits ten seconds at most.
"""

from __future__ import annotations

import logging
import mmap
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Request, Response, jsonify, request
from werkzeug.exceptions import ClientDisconnected

from app.db.database import Unavailable
from app.db.store import Store
from app.domain.policy import Policy
from app.github.webhooks import BadPayload, parse, verify

log = logging.getLogger("qa-gate.webhook")

# https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
LARGEST = 25 * 1024 * 1024
# So much of bodies is held at once before their signatures are checked; GitHub's own are a few KB.
MOST_UNPROVEN = 64 * 1024 * 1024
CHUNK = 64 * 1024  # read at a time
# A body of at most this size is simply read: as many as there are threads are little.
SMALL = 256 * 1024
TOO_LARGE = "The body is larger than 25 MB, the most that GitHub sends."
NOT_SIGNED = "The signature does not fit: compare the webhook's secret at GitHub with GITHUB_WEBHOOK_SECRET."
_DELIVERY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EVENT = re.compile(r"[a-z0-9_]{1,64}")


class _Bad(Exception):
    """The request ends here, with this status and sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Unproven:
    """Counts the bytes that are set aside for bodies whose signature was not checked yet."""

    def __init__(self) -> None:
        self._left = MOST_UNPROVEN
        self._lock = threading.Lock()

    @contextmanager
    def room(self, size: int) -> Iterator[mmap.mmap]:
        """Give so much memory, which goes back to the system afterwards. Raises MemoryError when there is not enough.

        A mapping of its own: what malloc gets back of such sizes it keeps for later.
        """
        with self._lock:
            if size > self._left:
                raise MemoryError
            self._left -= size
        try:
            with mmap.mmap(-1, size) as memory:
                yield memory
        finally:
            with self._lock:
                self._left += size


def blueprint(secrets: tuple[str, ...], store: Store, policy: Policy) -> Blueprint:
    """Return the blueprint with `POST /webhook`."""
    room, unproven = Blueprint("webhook", __name__), Unproven()

    @room.post("/webhook")
    def receive() -> tuple[Response, int]:
        delivery = _header(request, "X-GitHub-Delivery", _DELIVERY)
        try:
            body = _verified_body(request, secrets, unproven)
            status, outcome = _take(delivery, body, store, policy)
        except _Bad as bad:
            log.warning("%s %d %s", delivery or "-", bad.status, bad)
            return jsonify(error=str(bad)), bad.status
        return jsonify(outcome=outcome), status

    return room


def _verified_body(asked: Request, secrets: tuple[str, ...], unproven: Unproven) -> bytes:
    """Return the body, if its signature fits one of the secrets. Raises _Bad."""
    signature = asked.headers.get("X-Hub-Signature-256")
    if signature is None:
        raise _Bad(401, "There is no signature: set the webhook's secret at GitHub to GITHUB_WEBHOOK_SECRET.")
    length = asked.content_length if asked.headers.get("Content-Length") else None
    if length is not None and length > LARGEST:
        raise _Bad(413, TOO_LARGE)
    try:
        if length is None or length > SMALL:
            return _large_body(asked, secrets, unproven, signature, length)
        return _proven(asked.get_data(cache=False), secrets, signature)
    except ClientDisconnected:
        raise _Bad(400, "The body ended early.") from None


def _large_body(
    asked: Request, secrets: tuple[str, ...], unproven: Unproven, signature: str, length: int | None
) -> bytes:
    # Of a body whose length is not said, one byte more shows that it is too large.
    most = LARGEST + 1 if length is None else length
    asked.max_content_length = most + 1
    try:
        with unproven.room(most) as memory:
            while piece := asked.stream.read(min(CHUNK, most - memory.tell())):
                memory.write(piece)
            if memory.tell() > LARGEST:
                raise _Bad(413, TOO_LARGE)
            # Released, else the memory cannot be given back.
            with memoryview(memory)[: memory.tell()] as body:
                return _proven(body, secrets, signature)
    except MemoryError:
        while asked.stream.read(CHUNK):  # whoever is still sending would not hear the answer
            pass
        raise _Bad(503, "Too many large bodies at once. Please send it again in a minute.") from None


def _proven(body: bytes | memoryview, secrets: tuple[str, ...], signature: str) -> bytes:
    """Return a body whose signature fits one of the secrets. Raises _Bad."""
    if not any(verify(one, body, signature) for one in secrets):
        raise _Bad(401, NOT_SIGNED)
    return bytes(body)


def _take(delivery: str | None, body: bytes, store: Store, policy: Policy) -> tuple[int, str]:
    """Keep what a verified body says in the inbox, and return the status and the outcome. Raises _Bad."""
    name = _header(request, "X-GitHub-Event", _EVENT)
    if delivery is None:
        raise _Bad(400, "The header X-GitHub-Delivery is missing or not a delivery's id.")
    if name is None:
        raise _Bad(400, "The header X-GitHub-Event is missing or not an event's name.")
    try:
        event = parse(name, request.content_type or "", body)
        if event is None:
            return (200, "pong") if name == "ping" else (202, "not needed")
        # A repository that was renamed goes on under whatever name.
        if not policy.knows(event.repository) and event.repository_id not in store.repositories.ids(
            policy.repositories
        ):
            return 202, "repository not configured"
        is_new = store.inbox.put(delivery, event)
    except BadPayload as bad:
        raise _Bad(400, bad.reason) from bad
    except Unavailable:
        raise _Bad(503, "The gate's database cannot be used right now. Nothing was kept.") from None
    log.info("%s %s %s %s", delivery, name, event.name, "recorded" if is_new else "again")
    return 202, "recorded" if is_new else "repeated delivery"


def _header(asked: Request, name: str, form: re.Pattern[str]) -> str | None:
    """Return a header that looks as it should, or None; only such a one may go into a log line."""
    value = asked.headers.get(name, "")
    return value if form.fullmatch(value) else None
