"""GitHub's door: `POST /webhook`. Verify, record in one transaction, answer 202.

Registered by `create_app`. A payload never decides anything, it wakes a row. Nothing is stored, logged or even
parsed of a body whose signature does not fit, and nothing else is called: GitHub waits ten seconds at most.
"""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Protocol

from flask import Blueprint, Request, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.github_client import BadPayload, Checked, Commented, Deployed, Other, Pushed, Said, parse, verify
from app.store import Store, Unavailable

log = logging.getLogger("qa-gate.webhook")

# https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
LARGEST = 25 * 1024 * 1024
TOO_LARGE = "The body is larger than 25 MB, which no webhook of GitHub's is."
_DELIVERY = re.compile(r"[!-~]{1,64}")
_EVENT = re.compile(r"[a-z0-9_]{1,64}")


class _Bad(Exception):
    """The request ends here, with this status and sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Rules(Protocol):
    """What the door must know to let something in, or to forget it."""

    def knows(self, repository: str) -> bool:
        """Tell whether "owner/name" is configured."""

    def gates(self, base: str) -> bool:
        """Tell whether a branch is gated."""

    def moves_release(self, branch: str) -> bool:
        """Tell whether a push to this branch may change what the next release holds."""

    @property
    def settling(self) -> timedelta:
        """Return how long a branch that moved is left alone."""


def blueprint(secret: str, store: Store, rules: Rules) -> Blueprint:
    """Return the blueprint with `POST /webhook`."""
    room = Blueprint("webhook", __name__)

    @room.post("/webhook")
    def receive() -> tuple[Response, int]:
        delivery = _header(request, "X-GitHub-Delivery", _DELIVERY)
        try:
            body = _verified_body(request, secret)
            event = _header(request, "X-GitHub-Event", _EVENT)
            said = _said(delivery, event, request.content_type or "", body)
            status, outcome = _take(said, delivery or "", store, rules)
        except _Bad as bad:
            log.warning("%s %d %s", delivery or "-", bad.status, bad)
            return jsonify(error=str(bad)), bad.status
        log.info("%s %s %s", delivery, _hop(said), outcome)
        return jsonify(outcome=outcome), status

    return room


def _verified_body(asked: Request, secret: str) -> bytes:
    signature = asked.headers.get("X-Hub-Signature-256")
    if signature is None:
        raise _Bad(401, "There is no signature: set the webhook's secret at GitHub to GITHUB_WEBHOOK_SECRET.")
    # One byte more: of a body whose length was not said, Werkzeug gives what fits and raises nothing.
    asked.max_content_length = LARGEST + 1
    try:
        body = asked.get_data(cache=False)
    except RequestEntityTooLarge:
        raise _Bad(413, TOO_LARGE) from None
    if len(body) > LARGEST:
        raise _Bad(413, TOO_LARGE)
    if not verify(secret, body, signature):
        raise _Bad(
            401,
            "The signature does not fit: compare the webhook's secret at GitHub with GITHUB_WEBHOOK_SECRET.",
        )
    return body


def _said(delivery: str | None, event: str | None, content_type: str, body: bytes) -> Said:
    if delivery is None:
        raise _Bad(400, "The header X-GitHub-Delivery is missing or not a delivery's id.")
    if event is None:
        raise _Bad(400, "The header X-GitHub-Event is missing or not an event's name.")
    try:
        return parse(event, content_type, body)
    except BadPayload as bad:
        raise _Bad(400, bad.reason) from bad


def _take(said: Said, delivery: str, store: Store, rules: Rules) -> tuple[int, str]:
    """Record what was said, and return the status and the outcome."""
    if isinstance(said, Other):
        return (200, "pong") if said.event == "ping" else (202, "not needed")
    if not rules.knows(said.repository):
        return 202, "repository not configured"
    try:
        if isinstance(said, Checked):
            return 202, store.arrivals.record_checked(delivery, said.repository_id, said.sha).value
        if isinstance(said, Commented):
            return 202, store.arrivals.record_comment(delivery, said.repository_id, said.number).value
        if isinstance(said, Deployed):
            return 202, store.arrivals.record_deployed(delivery, said.repository_id, said.sha).value
        if isinstance(said, Pushed):
            if not rules.moves_release(said.branch):
                return 202, "not needed"
            return 202, store.arrivals.record_push(said.repository_id, said.repository, rules.settling).value
        bases = (said.seen.base, said.base_before or "")
        is_gated = any(rules.gates(base) for base in bases)
        return 202, store.arrivals.record(delivery, said, is_gated).value
    except Unavailable:
        raise _Bad(503, "The gate's database cannot be used right now. Nothing was kept.") from None


def _header(asked: Request, name: str, form: re.Pattern[str]) -> str | None:
    """Return a header that looks as it should, or None; only such a one may go into a log line."""
    value = asked.headers.get(name, "")
    return value if form.fullmatch(value) else None


def _hop(said: Said) -> str:
    if isinstance(said, Other):
        return f"{said.event}.{said.action}" if said.action else said.event
    if isinstance(said, Checked | Deployed):
        return f"{said.event} {said.name}"
    if isinstance(said, Commented):
        return f"issue_comment {said.name}"
    if isinstance(said, Pushed):
        return f"push {said.name}"
    return f"pull_request.{said.action} {said.name}"
