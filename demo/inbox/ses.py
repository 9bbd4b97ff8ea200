"""What Amazon SES refuses: the shape of SendEmail as SES v2 documents it, and the answers when it is not kept.

`server` asks before it takes a mail. Knows nothing of inboxes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any

SEND_EMAIL = "/v2/email/outbound-emails"
# https://docs.aws.amazon.com/ses/latest/dg/header-fields.html
HEADERS_OF_SES = {
    *("bcc", "cc", "content-disposition", "content-type", "date", "from", "message-id", "mime-version"),
    *("reply-to", "return-path", "subject", "to"),
}
MOST_HEADERS, MOST_RECIPIENTS = 15, 50
NAME, VALUE = re.compile(r"[!-9;-@A-~]{1,126}"), re.compile(r"[ -~]{1,995}")
SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/[^/]+/ses/aws4_request, SignedHeaders=\S+, Signature=[0-9a-f]{64}"
)


class Refusal(Exception):
    """An error that SES answers with."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error_type, self.message = status, error_type, message


def checked_request(body: bytes, authorization: str) -> dict[str, Any]:
    """Return a SendEmail request that SES would take.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
    """
    if not SIGNATURE.fullmatch(authorization):
        raise Refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    try:
        request = json.loads(body)
    except ValueError:
        raise Refusal(400, "SerializationException", "The body is not JSON") from None
    problem = next(_problems(request), None)
    if problem:
        raise Refusal(400, "BadRequestException", problem)
    checked: dict[str, Any] = request
    return checked


def _problems(request: Any) -> Iterator[str]:
    yield from _address_problems(request)
    simple = _get(request, "Content", "Simple")
    if not isinstance(simple, dict):
        yield "Content.Simple is required here"
        return
    subject = _get(simple, "Subject", "Data")
    if not isinstance(subject, str):
        yield "Content.Simple.Subject.Data is required"
    elif "\n" in subject or "\r" in subject:
        yield "Content.Simple.Subject.Data holds a line end"
    parts = [_get(simple, "Body", part, "Data") for part in ("Text", "Html")]
    if not any(isinstance(part, str) and part for part in parts):
        yield "Content.Simple.Body needs Text or Html"
    yield from _header_problems(simple.get("Headers") or [])


def _address_problems(request: Any) -> Iterator[str]:
    sender, to = _get(request, "FromEmailAddress"), _get(request, "Destination", "ToAddresses")
    if not _is_address(sender):
        yield "Missing or illegal FromEmailAddress"
    if not isinstance(to, list) or not 0 < len(to) <= MOST_RECIPIENTS:
        yield f"Destination.ToAddresses needs 1 to {MOST_RECIPIENTS} addresses"
    elif not all(map(_is_address, to)):
        yield "Illegal address in Destination.ToAddresses"


def _is_address(value: Any) -> bool:
    """Tell whether SES takes it: printable ASCII only, other letters of a name as an encoded word."""
    return isinstance(value, str) and VALUE.fullmatch(value) is not None and "@" in parseaddr(value)[1]


def _header_problems(headers: list[Any]) -> Iterator[str]:
    if len(headers) > MOST_HEADERS:
        yield f"There are more than {MOST_HEADERS} headers"
    for header in headers:
        name, value = str(_get(header, "Name")), str(_get(header, "Value"))
        if not NAME.fullmatch(name):
            yield "Illegal header name"
        if name.casefold() in HEADERS_OF_SES:
            yield f"The header {name} is set by SES"
        if not VALUE.fullmatch(value):
            yield f"Illegal value of header {name}"


def _get(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
