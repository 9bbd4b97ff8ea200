"""Why a letter was not sent, in sentences of our own.

    MailError                 never raised itself; `reason` is fit to show to anybody
    ├── MailRefused           a definite no: an operator must act before it can go out
    └── MailLater             a passing state; `after` is how long to wait at least
        └── MailUnanswered    SES gave no answer; `may_be_sent`: it may have taken the letter all the same

`explain` maps what boto3 raises, in this one place; `send` calls it. No reason ever quotes an exception: a message of
botocore's may hold the letter, with its links.
"""

from __future__ import annotations

import re
from datetime import timedelta

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own: refused, timed out before it stood, failed TLS
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)


class MailError(Exception):
    """A letter was not sent, or nobody knows whether it was."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MailRefused(MailError):
    """It will not be sent until an operator has changed something."""


class MailLater(MailError):
    """It may be sent later; `after` is how long to wait at least, None when nothing says so."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class MailUnanswered(MailLater):
    """Amazon SES gave no answer, or only that it is in trouble itself."""

    def __init__(self, reason: str, *, may_be_sent: bool) -> None:
        super().__init__(reason)
        self.may_be_sent = may_be_sent


_SOON, _LONG = timedelta(minutes=1), timedelta(minutes=15)

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
_LATER = {
    "TooManyRequestsException": ("Amazon SES gets more emails a second than the account may send.", _SOON),
    "LimitExceededException": (
        "The account has reached a limit of Amazon SES, most likely that of a day.",
        _LONG,
    ),
    "SendingPausedException": ("Sending is paused for this account at Amazon SES.", _LONG),
}
_REFUSED = {
    "MessageRejected": (
        "Amazon SES rejected the email. Most often the sender's address is not verified in this region, "
        "or the account is still in the sandbox and the receiver's is not."
    ),
    "MailFromDomainNotVerifiedException": "The sender's domain is not verified at Amazon SES in this region.",
    "AccountSuspendedException": "Amazon SES has suspended this account's sending for good.",
    "BadRequestException": "Amazon SES could not read the email. Check MAIL_FROM and the addresses in QA_REVIEWERS.",
    "NotFoundException": "Amazon SES does not know the configuration set named by SES_CONFIGURATION_SET.",
}
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html
_CREDENTIALS = "AWS does not accept the credentials, or they may not send email (ses:SendEmail). Check the AWS_ settings."


# boto3 reads no AWS_REGION. https://docs.aws.amazon.com/boto3/latest/guide/configuration.html
NO_REGION = (
    "No AWS region is set: AWS_DEFAULT_REGION says where Amazon SES is used, for example eu-central-1."
)
NO_ANSWER = "Amazon SES did not answer: the email may have gone out, and is sent again."


def explain(error: Exception) -> MailError:
    """Return the error of ours for one of botocore's."""
    match error:
        case ClientError():
            return _answered(error)
        case NoRegionError():
            return MailRefused(NO_REGION)
        case NoCredentialsError() | PartialCredentialsError():
            return MailRefused(
                "AWS credentials are missing. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role."
            )
        case CredentialRetrievalError() | MetadataRetrievalError():
            return MailLater("AWS credentials could not be fetched just now.")
        case ConnectionError():
            return MailUnanswered("Amazon SES cannot be reached.", may_be_sent=False)
        case BotoCoreError() if not isinstance(error, HTTPClientError):
            return MailRefused(f"The AWS settings are not usable ({type(error).__name__}).")
        case _:
            return MailUnanswered(NO_ANSWER, may_be_sent=True)


def _answered(error: ClientError) -> MailError:
    """Map an error that SES answered with: by its name where that is known, else by the HTTP status."""
    code = re.sub(r"[^A-Za-z0-9.]", "", str(error.response.get("Error", {}).get("Code", "")))[:60]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _LATER:
        return MailLater(*_LATER[code])
    if code in _REFUSED:
        return MailRefused(_REFUSED[code])
    if status == 429:
        return MailLater(*_LATER["TooManyRequestsException"])
    if status >= 500:
        return MailUnanswered(f"Amazon SES is in trouble (HTTP {status}).", may_be_sent=False)
    if status in (401, 403) or "Token" in code or "Signature" in code or "AccessDenied" in code:
        return MailRefused(f"{_CREDENTIALS} ({code})")
    return MailRefused(f"Amazon SES refused the email ({code or status}).")
