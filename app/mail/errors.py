"""Why a letter was not sent, in sentences of our own.

    MailError                 never raised itself; `reason` is fit to show to anybody
    ├── MailRefused           a definite no: an operator must act before it can go out
    └── MailLater             a passing state; `after` is how long to wait at least
        └── MailUnanswered    SES gave no answer; `may_be_sent`: it may have taken the letter all the same

`ses` maps what boto3 raises to these, in one place. No reason ever quotes an exception: a message of botocore's may hold
the letter, with its links.
"""

from __future__ import annotations

from datetime import timedelta


class MailError(Exception):
    """A letter was not sent, or nobody knows whether it was."""

    outcome = "refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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
