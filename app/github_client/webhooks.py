"""Verify GitHub's webhooks and read the few fields needed. Pure; called by the room `webhook` only.

The signature covers the raw body and nothing else: event name and delivery id are unsigned. So a payload only
wakes a row; what is true is read from GitHub. Nothing here ever raises anything but BadPayload.

    BadPayload  the body is not what GitHub documents; `reason` says in a sentence what is wrong with it
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from app.github_client.checks import is_own
from app.github_client.fields import (
    MOST_ID,
    Odd,
    at_or_none,
    flag,
    id_or_none,
    integer,
    moment,
    moment_or_none,
    sha,
    text,
    text_or_none,
    words,
)
from app.github_client.reading import read_person
from app.review import Person, Seen, words_digest

_REPOSITORY = re.compile(r"[A-Za-z0-9_-]{1,100}/[A-Za-z0-9._-]{1,100}")
_ACTION = re.compile(r"[a-z0-9_]{1,64}")
# Of a deployment that can be tried one day.
_RUNNING = ("queued", "pending", "in_progress", "waiting")
_HEADS = "refs/heads/"
# What is done to a text that may be an answer.
_WRITTEN = {
    "issue_comment": ("created", "edited"),
    "pull_request_review": ("submitted", "edited"),
    "pull_request_review_comment": ("created", "edited"),
}


class BadPayload(Exception):
    """The body cannot be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Notice:
    """What a `pull_request` event says; `base_before` is the branch it went to before a retarget.

    `asked_by` is who asked for a review just now, None when nobody did; `author_id` is None for a deleted account;
    `updated_at` has whole seconds.
    https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
    """

    action: str
    repository_id: int
    repository: str
    number: int
    author: str
    author_id: int | None
    seen: Seen
    updated_at: datetime
    closed_at: datetime | None
    base_before: str | None
    asked_by: Person | None

    @property
    def name(self) -> str:
        """Return "owner/repo#12@abc1234", as the logs show it."""
        return f"{self.repository}#{self.number}@{self.seen.head_sha[:7]}"

    @property
    def requests(self) -> tuple[tuple[Person, datetime], ...]:
        """Return who asked for a review, and when, as far as this event says."""
        return ((self.asked_by, self.updated_at),) if self.asked_by else ()


@dataclass(frozen=True, slots=True)
class AboutCommit:
    """An event about a commit; which pull requests it heads, a fork's event does not say."""

    event: str
    repository_id: int
    repository: str
    sha: str

    @property
    def name(self) -> str:
        """Return "owner/repo@abc1234", as the logs show it."""
        return f"{self.repository}@{self.sha[:7]}"


class Checked(AboutCommit):
    """An automatic check of a commit has said something.

    https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_suite
    """


class Deployed(AboutCommit):
    """A deployment of a commit has ended, well or not, or is no longer there.

    https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status
    """


@dataclass(frozen=True, slots=True)
class Commented:
    """Somebody wrote about a pull request, or wrote it anew: a comment, a review, a comment on a line.

    https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment
    https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request_review
    https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request_review_comment
    """

    event: str
    repository_id: int
    repository: str
    number: int

    @property
    def name(self) -> str:
        """Return "owner/repo#12", as the logs show it."""
        return f"{self.repository}#{self.number}"


@dataclass(frozen=True, slots=True)
class Pushed:
    """A branch has moved, by whatever way.

    https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
    """

    repository_id: int
    repository: str
    branch: str

    @property
    def name(self) -> str:
        """Return "owner/repo", as the logs show it: a branch may be called anything."""
        return self.repository


@dataclass(frozen=True, slots=True)
class Other:
    """An event that the gate does nothing about, a ping included; `action` is "" where it has none."""

    event: str
    action: str


def verify(secret: str, body: bytes | memoryview, signature: str | None) -> bool:
    """Tell whether `X-Hub-Signature-256` is the HMAC-SHA256 of the raw body; never with an empty secret.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    if not secret or signature is None or not signature.isascii():
        return False
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    # Bytes: compare_digest raises TypeError on a text that is not ASCII.
    return hmac.compare_digest(expected.encode(), signature.encode())


Said = Notice | Checked | Commented | Deployed | Pushed | Other


def parse(event: str, content_type: str, body: bytes) -> Said:
    """Read a verified body, JSON or a form with the field `payload`. Raises BadPayload."""
    data = _decoded(content_type, body)
    try:
        if event == "pull_request":
            return _notice(data)
        if _tells_of_checks(event, data):
            return Checked(event, *_commit(data, "sha" if event == "status" else f"{event}.head_sha"))
        if data.get("action") in _WRITTEN.get(event, ()) and (
            event != "issue_comment" or _is_on_a_pull(data)
        ):
            return _commented(event, data)
        if event == "deployment_status" and text(data, "deployment_status.state") not in _RUNNING:
            return Deployed(event, *_commit(data, "deployment.sha"))
        if event == "push" and text(data, "ref").startswith(_HEADS):
            return _pushed(data)
    except Odd as odd:
        raise BadPayload(f"The payload is not one of a {event.replace('_', ' ')}: {odd}.") from odd
    action = data.get("action")
    return Other(event, action if isinstance(action, str) and _ACTION.fullmatch(action) else "")


def _decoded(content_type: str, body: bytes) -> dict[str, Any]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/x-www-form-urlencoded"):
        raise BadPayload("The content type must be application/json or application/x-www-form-urlencoded.")
    try:
        words = body.decode()
        data = json.loads(words if kind == "application/json" else _form_payload(words))
    except RecursionError:
        raise BadPayload("The JSON is nested too deeply.") from None
    except ValueError:  # UnicodeDecodeError and JSONDecodeError are such
        raise BadPayload("The payload is not JSON in UTF-8.") from None
    if not isinstance(data, dict):
        raise BadPayload("The JSON is not an object.")
    return data


def _form_payload(form: str) -> str:
    fields = parse_qs(form, keep_blank_values=True, errors="strict", max_num_fields=10)
    if len(fields.get("payload", [])) != 1:
        raise BadPayload('The form must have one field "payload".')
    return fields["payload"][0]


def _notice(data: dict[str, Any]) -> Notice:
    repository, action = _repository(data), text(data, "action")
    if not _ACTION.fullmatch(action):
        raise Odd('"action" is not a word of GitHub\'s')
    return Notice(
        action=action,
        repository_id=integer(data, "repository.id", 1, MOST_ID),
        repository=repository,
        number=integer(data, "pull_request.number", 1),
        author=text_or_none(data, "pull_request.user.login") or "ghost",
        author_id=id_or_none(data, "pull_request.user"),
        seen=_seen(data),
        updated_at=moment(data, "pull_request.updated_at"),
        closed_at=moment_or_none(data, "pull_request.closed_at"),
        base_before=text_or_none(data, "changes.base.ref.from"),
        asked_by=read_person(data, "sender") if action == "review_requested" else None,
    )


def _tells_of_checks(event: str, data: dict[str, Any]) -> bool:
    if event == "status":
        return not is_own(words(data, "context"))
    return event in ("check_suite", "check_run") and data.get("action") == "completed"


def _commit(data: dict[str, Any], path: str) -> tuple[int, str, str]:
    """Return which commit of which repository an event is about."""
    return integer(data, "repository.id", 1, MOST_ID), _repository(data), sha(data, path)


def _is_on_a_pull(data: dict[str, Any]) -> bool:
    """Tell whether the "issue" is a pull request: GitHub's events call both so."""
    return at_or_none(data, "issue.pull_request") is not None


def _commented(event: str, data: dict[str, Any]) -> Commented:
    return Commented(
        event=event,
        repository_id=integer(data, "repository.id", 1, MOST_ID),
        repository=_repository(data),
        number=integer(data, "issue.number" if event == "issue_comment" else "pull_request.number", 1),
    )


def _pushed(data: dict[str, Any]) -> Pushed:
    return Pushed(
        repository_id=integer(data, "repository.id", 1, MOST_ID),
        repository=_repository(data),
        branch=text(data, "ref").removeprefix(_HEADS),
    )


def _repository(data: dict[str, Any]) -> str:
    repository = text(data, "repository.full_name")
    if not _REPOSITORY.fullmatch(repository):
        raise Odd('"repository.full_name" is not owner/name')
    return repository


def _seen(data: dict[str, Any]) -> Seen:
    state = text(data, "pull_request.state")
    if state not in ("open", "closed"):
        raise Odd('"pull_request.state" is neither open nor closed')
    title = text_or_none(data, "pull_request.title") or ""
    return Seen(
        head_sha=sha(data, "pull_request.head.sha"),
        base=text(data, "pull_request.base.ref"),
        open=state == "open",
        draft=flag(data, "pull_request.draft"),
        merged=flag(data, "pull_request.merged"),
        title=title,
        words=words_digest(title, words(data, "pull_request.body")),
    )
