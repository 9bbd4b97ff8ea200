"""A pretend Amazon SES, and the inbox of whoever gets its mail.

`make demo` and the tests start one; the gate reaches it by AWS_ENDPOINT_URL_SESV2 and cannot tell the difference.
It answers `SendEmail` as SES v2 documents it, is as strict about its shape, and keeps every mail.
"""

from __future__ import annotations

from demo.inbox.mail import Mail
from demo.inbox.server import PretendInbox

__all__ = ["Mail", "PretendInbox"]
