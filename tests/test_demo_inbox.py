"""The pretend inbox: as strict as SES where SES says so."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from demo.inbox import PretendInbox
from tests.builders import Clock

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=testing/20261124/eu-central-1/ses/aws4_request, "
    f"SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}"
)
HTML = '<html><head><title>Not this</title></head><body><p>First words.</p><a href="https://shop.example/">Try it</a></body></html>'


@pytest.fixture
def inbox() -> Iterator[PretendInbox]:
    inbox = PretendInbox(Clock()).start()
    yield inbox
    inbox.stop()


def request(subject: str = "Add gift cards (shop #12)", **simple: Any) -> dict[str, Any]:
    return {
        "FromEmailAddress": "QA gate <gate@example.com>",
        "Destination": {"ToAddresses": ["Lily <lily@example.com>"]},
        "Content": {
            "Simple": {
                "Subject": {"Data": subject},
                "Body": {"Text": {"Data": "First words."}, "Html": {"Data": HTML}},
                **simple,
            }
        },
    }


def headers(**named: str) -> list[dict[str, str]]:
    return [{"Name": name.replace("_", "-"), "Value": value} for name, value in named.items()]


def post(
    inbox: PretendInbox, body: Any, authorization: str = SIGNED
) -> tuple[int, str | None, dict[str, Any]]:
    """Status, error type and JSON of one SendEmail call."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    call = urllib.request.Request(
        f"{inbox.url}/v2/email/outbound-emails", data, {"Authorization": authorization}, method="POST"
    )
    try:
        with urllib.request.urlopen(call, timeout=5) as answer:
            return answer.status, None, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["x-amzn-ErrorType"], json.load(error)


def test_mail_that_ses_would_take_is_kept_with_the_id_that_was_answered(inbox: PretendInbox) -> None:
    status, _, answer = post(inbox, request(Headers=headers(References="<acme-shop-12@example.com>")))
    (mail,) = inbox.mails
    assert (status, answer) == (200, {"MessageId": mail.message_id})
    assert (mail.address, mail.sender, mail.preview) == ("lily@example.com", "QA gate", "First words. Try it")
    assert mail.headers == {
        "Message-ID": f"<{mail.message_id}@email.amazonses.com>",
        "References": "<acme-shop-12@example.com>",
    }


BAD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no sender": lambda body: body.pop("FromEmailAddress"),
    "sender of other letters": lambda body: body.update(FromEmailAddress="Prüfung <gate@example.com>"),
    "nobody to send to": lambda body: body["Destination"].update(ToAddresses=[]),
    "no destination": lambda body: body.pop("Destination"),
    "receiver without an @": lambda body: body["Destination"].update(ToAddresses=["lily"]),
    "line end in an address": lambda body: body["Destination"].update(
        ToAddresses=["Li\nly <lily@example.com>"]
    ),
    "no content": lambda body: body.pop("Content"),
    "no subject": lambda body: body["Content"]["Simple"].pop("Subject"),
    "line end in the subject": lambda body: body["Content"]["Simple"].update(
        Subject={"Data": "Hi\r\nBcc: b"}
    ),
    "no body": lambda body: body["Content"]["Simple"].update(Body={}),
    "sixteen headers": lambda body: body["Content"]["Simple"].update(
        Headers=headers(**{f"X_{n}": "1" for n in range(16)})
    ),
    "header of SES's own": lambda body: body["Content"]["Simple"].update(Headers=headers(Message_ID="<a@b>")),
    "header name with a colon": lambda body: body["Content"]["Simple"].update(
        Headers=[{"Name": "X:", "Value": "1"}]
    ),
    "header of other letters": lambda body: body["Content"]["Simple"].update(Headers=headers(X="ä")),
    "header too long": lambda body: body["Content"]["Simple"].update(Headers=headers(X="x" * 996)),
    "line end in a header": lambda body: body["Content"]["Simple"].update(Headers=headers(X="a\r\nBcc: b")),
}


@pytest.mark.parametrize("spoil", BAD)
def test_what_ses_refuses_is_refused(inbox: PretendInbox, spoil: str) -> None:
    body = request()
    BAD[spoil](body)
    status, error_type, answer = post(inbox, body)
    assert (status, error_type) == (400, "BadRequestException")
    assert answer["message"]
    assert (inbox.mails, inbox.calls) == ([], 1)


def test_call_without_a_signature_is_refused(inbox: PretendInbox) -> None:
    assert post(inbox, request(), authorization="Bearer x")[:2] == (
        403,
        "MissingAuthenticationTokenException",
    )
