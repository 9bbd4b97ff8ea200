"""Send one letter by Amazon SES, and say why not in sentences of our own. The worker's steps call it; a request never does.

A call is made once: whether to try again is written in the letter's row, not decided here. Raises `MailRefused` or
`MailLater`, never anything of botocore's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from email.utils import formataddr, parseaddr
from typing import TYPE_CHECKING

from app import Explained
from app.mail.compose import Mail
from app.text.clean import plain

# --- Why a letter was not sent, in sentences of our own.


class MailError(Explained):
    """A letter was not sent, or nobody knows whether it was."""

    outcome = "refused"


class MailRefused(MailError):
    """It will not be sent until an operator has changed something."""


class MailLater(MailError):
    """It may be sent later; `after` is how long to wait at least, None when nothing says so."""

    outcome = "later"

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class MailUnanswered(MailLater):
    """Amazon SES gave no answer, or only that it is in trouble itself."""

    outcome = "unanswered"

    def __init__(self, reason: str, *, may_be_sent: bool) -> None:
        super().__init__(reason)
        self.may_be_sent = may_be_sent


if TYPE_CHECKING:
    from types_boto3_sesv2.type_defs import MessageHeaderTypeDef, SendEmailRequestTypeDef

    from app.mail.ses import Ses

# --- One letter.


# No out-of-office note comes back, and no assistant answers.
# https://www.rfc-editor.org/rfc/rfc3834#section-5
_MACHINE = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


# What the gate calls itself where MAIL_FROM has no name.
NAME = "QA gate"
# A name in the sender's field must not look like an address, a sentence or a part of the header.
_NO_NAME = re.compile(r"[^\w .'’-]")
LONGEST_SENDER = 30


def name_for_sender(name: str) -> str:
    """Return a person's name as it may stand in the sender's field; '' where nothing is left of it."""
    return plain(_NO_NAME.sub(" ", plain(name)), LONGEST_SENDER).strip(" .'’-")


class Mailer:
    """Sends letters from one address. One for all threads."""

    def __init__(self, sender: str, configuration_set: str | None = None) -> None:
        """Take MAIL_FROM and SES_CONFIGURATION_SET; region and credentials come from the usual AWS_ variables."""
        self._name, self._address = parseaddr(sender)
        self._domain = self._address.rpartition("@")[2]
        self._configuration_set = configuration_set
        self._ses: Ses | None = None
        # Who counts the mails: is told how each went (sent, refused, later, unanswered).
        self.count_mail: Callable[[str], None] = lambda _outcome: None

    def open(self) -> Ses:
        """Make the client at its first use. Makes no call. Raises MailRefused when the AWS settings are not usable."""
        if self._ses is None:
            from app.mail.ses import Ses  # loads boto3

            self._ses = Ses()
        return self._ses

    def send(self, mail: Mail) -> str:
        """Send it once and return the id that SES gave it; "accepted" is not yet "delivered".

        Raises MailRefused or MailLater (MailUnanswered).
        """
        try:
            message_id = self.open().send(self._request(mail))
        except MailError as error:
            self.count_mail(error.outcome)
            raise
        self.count_mail("sent")
        return message_id

    def _request(self, mail: Mail) -> SendEmailRequestTypeDef:
        request: SendEmailRequestTypeDef = {
            "FromEmailAddress": self._from(mail.sender),
            "Destination": {"ToAddresses": [mail.to]},
            "Content": {
                "Simple": {
                    "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                    "Body": {
                        "Text": {"Data": mail.text, "Charset": "UTF-8"},
                        "Html": {"Data": mail.html, "Charset": "UTF-8"},
                    },
                    "Headers": self._headers(mail),
                }
            },
        }
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return request

    def _from(self, sender: str | None) -> str:
        """Return MAIL_FROM, or its address under "sam via QA gate", as SES takes it: other letters as encoded words."""
        person = name_for_sender(sender or "")
        own = self._name or NAME
        return formataddr((f"{person} via {own}" if person else self._name, self._address))

    def _headers(self, mail: Mail) -> list[MessageHeaderTypeDef]:
        """Return the extra headers: ASCII, at most 995 characters each.

        SES puts its own Message-ID on every mail, so a thread hangs on one made-up id that none of them has.
        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageHeader.html
        """
        headers = dict(_MACHINE)
        if mail.thread:
            headers |= dict.fromkeys(("References", "In-Reply-To"), f"<{mail.thread}@{self._domain}>")
        return [{"Name": name, "Value": value} for name, value in headers.items()]
