"""Verify GitHub's webhooks and read the few fields needed. Pure; called by `web.webhook` only.

The signature covers the raw body and nothing else: event name and delivery id are unsigned. So a payload only
wakes a row; what is true is read from GitHub. Nothing here ever raises anything but BadPayload.

    BadPayload  the body is not what GitHub documents; `reason` says in a sentence what is wrong with it
"""

from __future__ import annotations

import hmac
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

from pydantic import Field, ValidationError

from app.domain.events import (
    CheckEvent,
    CommentEvent,
    DeploymentEvent,
    GitHubEvent,
    PullRequestEvent,
    PushEvent,
)
from app.github.checks import CommitStatus, Conclusion, Word, is_own, shown
from app.github.models import Id, Model, Number, Sha, Text, fault_of
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


class _Repository(Model):
    id: Id
    full_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100}$")]


class _Before(Model):
    before: Annotated[Text, Field(alias="from")]


class _BaseChange(Model):
    ref: _Before


class _Changes(Model):
    base: _BaseChange | None = None


class _PullRequestPayload(Model):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request ."""

    action: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    repository: _Repository
    pull_request: Pull
    changes: _Changes | None = None
    sender: Account | None = None

    def event(self) -> PullRequestEvent:
        pull, by = self.pull_request, self.sender.person() if self.sender else None
        return PullRequestEvent.model_construct(
            repository_id=self.repository.id,
            repository=self.repository.full_name,
            number=pull.number,
            author_id=pull.author_id,
            seen=pull.seen,
            updated_at=pull.updated_at,
            closed_at=pull.closed_at,
            base_before=self.changes.base.ref.before if self.changes and self.changes.base else None,
            requests=((by, pull.updated_at),) if by and self.action == "review_requested" else (),
        )


class _Ended(Conclusion):
    head_sha: Sha


class _CheckPayload(Model):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_suite, and #check_run."""

    action: str
    repository: _Repository
    check_suite: _Ended | None = None
    check_run: _Ended | None = None

    def event(self) -> CheckEvent | None:
        about = self.check_suite or self.check_run
        if self.action != "completed" or about is None:
            return None
        name = "" if self.check_suite else shown(about.name)
        return _check(self.repository, about.head_sha, name, about.word if about.conclusion else "")


class _StatusPayload(CommitStatus):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#status ."""

    repository: _Repository
    sha: Sha

    def event(self) -> CheckEvent | None:
        if is_own(self.context):
            return None  # the gate's own says nothing new to it
        return _check(self.repository, self.sha, shown(self.context), self.word)


class _State(Model):
    state: str


class _Deployment(Model):
    sha: Sha


class _DeploymentPayload(Model):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status ."""

    repository: _Repository
    deployment: _Deployment
    deployment_status: _State

    def event(self) -> DeploymentEvent | None:
        if self.deployment_status.state in _RUNNING:
            return None
        about = self.repository
        return DeploymentEvent(repository_id=about.id, repository=about.full_name, sha=self.deployment.sha)


class _Issue(Model):
    number: Number
    pull_request: Any = None


class _CommentPayload(Model):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment ."""

    action: str
    repository: _Repository
    issue: _Issue

    def event(self) -> CommentEvent | None:
        # GitHub's events call a pull request an issue, too.
        is_written = self.action in _WRITTEN and self.issue.pull_request is not None
        return _comment(self.repository, self.issue.number) if is_written else None


class _Reviewed(Model):
    number: Number


class _ReviewPayload(Model):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request_review, and #pull_request_review_comment."""

    action: str
    repository: _Repository
    pull_request: _Reviewed

    def event(self) -> CommentEvent | None:
        return _comment(self.repository, self.pull_request.number) if self.action in _WRITTEN else None


class _PushPayload(Model):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#push ."""

    repository: _Repository
    ref: Text

    def event(self) -> PushEvent | None:
        if not self.ref.startswith(_HEADS):
            return None
        about, branch = self.repository, self.ref.removeprefix(_HEADS)
        return PushEvent(repository_id=about.id, repository=about.full_name, branch=branch)


Payload = (
    _PullRequestPayload
    | _CheckPayload
    | _StatusPayload
    | _DeploymentPayload
    | _CommentPayload
    | _ReviewPayload
    | _PushPayload
)
_PAYLOADS: dict[str, type[Payload]] = {
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


def _check(about: _Repository, sha: str, name: str, says: Word | Literal[""]) -> CheckEvent:
    return CheckEvent(repository_id=about.id, repository=about.full_name, sha=sha, check=name, says=says)


def _comment(about: _Repository, number: int) -> CommentEvent:
    return CommentEvent(repository_id=about.id, repository=about.full_name, number=number)
