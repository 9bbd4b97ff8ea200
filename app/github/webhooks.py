"""Verify GitHub's webhooks and read the few fields needed. Pure; called by `web.webhook` only.

The signature covers the raw body and nothing else: event name and delivery id are unsigned. So a payload only
wakes a row; what is true is read from GitHub. Nothing here ever raises anything but BadPayload.

    BadPayload  the body is not what GitHub documents; `reason` says in a sentence what is wrong with it
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qs

from pydantic import ValidationError

from app.domain.events import (
    CheckEvent,
    CommentEvent,
    DeploymentEvent,
    GitHubEvent,
    PullRequestEvent,
    PushEvent,
)
from app.github.commits import CommitStatus, Conclusion, is_own, shown
from app.github.models import Id, Model, Number, RepositoryName, Sha, Text, at, fault_of
from app.github.pulls import Account, Pull

# Of a deployment that can be tried one day.
_RUNNING = ("queued", "pending", "in_progress", "waiting")
_HEADS = "refs/heads/"
# What is done to a text that may be an answer.
_WRITTEN = ("created", "submitted", "edited")


class BadPayload(Exception):
    """The body cannot be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Payload(Model):
    def event(self) -> GitHubEvent | None:
        """Return what happened, None where the gate does not need it."""
        raise NotImplementedError


class _PullRequestPayload(_Payload):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request ."""

    action: Text
    pull_request: Pull
    base_before: Text | None = at("changes.base.ref.from", default=None)
    sender: Account | None = None

    def event(self) -> PullRequestEvent:
        by = self.sender.person() if self.sender and self.action == "review_requested" else None
        requests = ((by, self.pull_request.updated_at),) if by else ()
        return self.pull_request.event(requests, self.base_before)


class _About(_Payload):
    """What all others say: which repository it is about."""

    repository_id: Id = at("repository.id")
    repository: RepositoryName = at("repository.full_name")

    @property
    def about(self) -> dict[str, Any]:
        return {"repository_id": self.repository_id, "repository": self.repository}


class _Ended(Conclusion):
    head_sha: Sha


class _CheckPayload(_About):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_suite, and #check_run."""

    action: str
    check_suite: _Ended | None = None
    check_run: _Ended | None = None

    def event(self) -> CheckEvent | None:
        ended = self.check_suite or self.check_run
        if self.action != "completed" or ended is None:
            return None
        name, says = "" if self.check_suite else shown(ended.name), ended.says if ended.conclusion else ""
        return CheckEvent(**self.about, sha=ended.head_sha, check=name, says=says)


class _StatusPayload(_About, CommitStatus):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#status ."""

    sha: Sha

    def event(self) -> CheckEvent | None:
        if is_own(self.context):
            return None  # the gate's own says nothing new to it
        return CheckEvent(**self.about, sha=self.sha, check=shown(self.context), says=self.says)


class _DeploymentPayload(_About):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status ."""

    sha: Sha = at("deployment.sha")
    state: str = at("deployment_status.state")

    def event(self) -> DeploymentEvent | None:
        return None if self.state in _RUNNING else DeploymentEvent(**self.about, sha=self.sha)


class _CommentPayload(_About):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment ."""

    action: str
    number: Number = at("issue.number")
    pull_request: Any = at("issue.pull_request", default=None)

    def event(self) -> CommentEvent | None:
        # GitHub's events call a pull request an issue, too.
        is_needed = self.action in _WRITTEN and self.pull_request is not None
        return CommentEvent(**self.about, number=self.number) if is_needed else None


class _ReviewPayload(_CommentPayload):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request_review, and #pull_request_review_comment."""

    number: Number = at("pull_request.number")
    pull_request: Any


class _PushPayload(_About):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#push ."""

    ref: Text

    def event(self) -> PushEvent | None:
        is_branch, branch = self.ref.startswith(_HEADS), self.ref.removeprefix(_HEADS)
        return PushEvent(**self.about, branch=branch) if is_branch else None


_PAYLOADS: dict[str, type[_Payload]] = {
    "pull_request": _PullRequestPayload,
    "check_suite": _CheckPayload,
    "check_run": _CheckPayload,
    "status": _StatusPayload,
    "deployment_status": _DeploymentPayload,
    "issue_comment": _CommentPayload,
    "pull_request_review": _ReviewPayload,
    "pull_request_review_comment": _ReviewPayload,
    "push": _PushPayload,
}


def verify(secret: str, body: bytes | memoryview, signature: str | None) -> bool:
    """Tell whether `X-Hub-Signature-256` is the HMAC-SHA256 of the raw body; never with an empty secret.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    if not secret or signature is None or not signature.isascii():
        return False
    # In one step: `hmac.new` takes four times as long for a short body.
    expected = "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
    # Bytes: compare_digest raises TypeError on a text that is not ASCII.
    return hmac.compare_digest(expected.encode(), signature.encode())


def parse(event: str, content_type: str, body: bytes) -> GitHubEvent | None:
    """Read a verified body, JSON or a form with the field `payload`; None where the gate does not need it.

    Raises BadPayload.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/x-www-form-urlencoded"):
        raise BadPayload("The content type must be application/json or application/x-www-form-urlencoded.")
    text = body if kind == "application/json" else _form_payload(body)
    model = _PAYLOADS.get(event)
    if model is None:
        return None
    try:
        return model.model_validate_json(text).event()
    except ValidationError as error:
        raise BadPayload(_why(event, error)) from None


def _form_payload(body: bytes) -> str:
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=10)
    except ValueError:  # UnicodeDecodeError is one
        raise BadPayload("The payload is not JSON in UTF-8: not even the form can be read.") from None
    if len(fields.get("payload", [])) != 1:
        raise BadPayload('The form must have one field "payload".')
    return fields["payload"][0]


def _why(event: str, error: ValidationError) -> str:
    """Return what is wrong in a sentence."""
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "json_invalid":
        return "The payload is not JSON in UTF-8, or it is nested too deeply."
    if not first["loc"]:
        return "The JSON is not an object."
    return f"The payload is not one of a {event.replace('_', ' ')}: {fault_of(error)}."
