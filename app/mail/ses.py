"""Amazon SES by boto3: one client, one call, what its failures mean, and what it says of the account.

Imported by `send` when the first mail is sent, or the start checks the settings: loading boto3 takes as long as
all the rest of a start. Raises the errors of `send` only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own: refused, timed out before it stood, failed TLS
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
)

from app.mail.send import MailError, MailLater, MailRefused, MailUnanswered

if TYPE_CHECKING:
    from types_boto3_sesv2.type_defs import SendEmailRequestTypeDef

# boto3 repeats a call by itself whose answer was lost, and SES has no idempotency token: one letter went out three
# times. `max_attempts=1` would still be two.
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html
_ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=10)
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
NO_ANSWER = "Amazon SES did not answer: the email may have gone out, and is sent again."


class NotAllowed(MailRefused):
    """The credentials are good, but may not read this."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An address or its domain, as SES knows it."""

    is_verified: bool
    configuration_set: str | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """What the account may send; mails a day."""

    is_enabled: bool
    is_production: bool
    most: int
    sent: int
    health: str  # HEALTHY, PROBATION, SHUTDOWN


class Ses:
    """Amazon SES as the AWS_ variables say. One for all threads: boto3's clients are safe to share.

    All but `send` only reads, for `doctor` and once a day for the worker.
    """

    def __init__(self) -> None:
        """Make the client, and no call. Raises MailRefused when the AWS settings are not usable."""
        try:
            self._client = session().client("sesv2", config=_ONCE)
            if not self._client.meta.region_name:  # set, but empty: an endpoint of one's own lets that pass
                raise NoRegionError
        except BotoCoreError as error:
            raise explain(error) from None

    def send(self, request: SendEmailRequestTypeDef) -> str:
        """Make one call, and return the id that SES gave the mail. Raises MailRefused or MailLater (MailUnanswered).

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
        """
        try:
            answer = self._client.send_email(**request)
        except ParamValidationError:
            # A bug of ours; its message quotes the letter, too.
            raise TypeError("The request to Amazon SES is not of the form that it takes.") from None
        except (BotoCoreError, ClientError) as error:
            # `from None`: the original may quote the letter, and a log would then hold its links.
            raise explain(error) from None
        if not answer.get("MessageId"):
            # botocore takes any 200 for an answer, a proxy's page too.
            raise MailUnanswered(NO_ANSWER, may_be_sent=True)
        return answer["MessageId"]

    def identity(self, mailbox: str) -> Identity | None:
        """Return the verified one of an address and its domain, else whichever SES knows.

        https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html
        """
        address = parseaddr(mailbox)[1]
        told = [
            self._ask("get_email_identity", EmailIdentity=name)
            for name in (address, address.rpartition("@")[2])
        ]
        known = [
            Identity(bool(one.get("VerifiedForSendingStatus")), one.get("ConfigurationSetName"))
            for one in told
            if one is not None
        ]
        return max(known, key=lambda one: one.is_verified, default=None)

    def sending(self) -> Sending:
        """Return what the account may send.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
        """
        told = self._ask("get_account") or {}
        quota = told.get("SendQuota") or {}
        return Sending(
            is_enabled=bool(told.get("SendingEnabled")),
            is_production=bool(told.get("ProductionAccessEnabled")),
            most=int(quota.get("Max24HourSend", 0)),
            sent=int(quota.get("SentLast24Hours", 0)),
            health=str(told.get("EnforcementStatus", "HEALTHY")),
        )

    def tracks_clicks(self, configuration_set: str) -> bool:
        """Tell whether it counts clicks, for which SES puts addresses of its own in place of the links.

        https://docs.aws.amazon.com/ses/latest/dg/configure-custom-open-click-domains.html
        """
        told = self._ask("get_configuration_set_event_destinations", ConfigurationSetName=configuration_set)
        return any(
            one.get("Enabled") and "CLICK" in one.get("MatchingEventTypes", [])
            for one in (told or {}).get("EventDestinations", [])
        )

    def suppressed(self, address: str) -> str | None:
        """Return why SES silently drops mails to an address (BOUNCE, COMPLAINT), None when it does not."""
        told = self._ask("get_suppressed_destination", EmailAddress=address)
        return None if told is None else str(told.get("SuppressedDestination", {}).get("Reason", "BOUNCE"))

    def _ask(self, method: str, **about: str) -> Any:
        """Make a call that only reads; None where SES knows no such thing. Raises NotAllowed, or another MailError."""
        try:
            return getattr(self._client, method)(**about)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code == "NotFoundException":
                return None
            if code.startswith("AccessDenied"):
                right = f"ses:{self._client.meta.method_to_api_mapping[method]}"
                raise NotAllowed(f"The gate may not read this: allow {right}.") from None
            raise explain(error) from None
        except BotoCoreError as error:
            raise explain(error) from None


def session() -> boto3.Session:
    """Return a session of its own, which reads the AWS_ settings anew, but not the descriptions of AWS: 8 MB each."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _descriptions())
    return boto3.Session(botocore_session=core)


def aws_problems() -> list[str]:
    """Return what of the AWS settings is missing, a sentence each; asks nobody but the machine for its role."""
    try:
        Ses()
        if session().get_credentials() is None:
            raise NoCredentialsError
    except MailError as error:
        return [error.reason]
    except BotoCoreError as error:
        return [explain(error).reason]
    return []


@cache
def _descriptions() -> Any:
    return botocore.session.get_session().get_component("data_loader")


def explain(error: Exception) -> MailError:
    """Return the error of ours for one of botocore's."""
    match error:
        case ClientError():
            return _answered(error)
        case NoRegionError():  # boto3 reads no AWS_REGION
            return MailRefused(
                "No AWS region is set: AWS_DEFAULT_REGION says where Amazon SES is used, for example eu-central-1."
            )
        case NoCredentialsError() | PartialCredentialsError():
            return MailRefused(
                "AWS credentials are missing. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (in .env with Docker, "
                "data/settings.env without), or give the machine a role."
            )
        case CredentialRetrievalError() | MetadataRetrievalError():
            return MailLater("AWS credentials could not be fetched just now.")
        case ConnectionError():
            return MailUnanswered("Amazon SES cannot be reached.", may_be_sent=False)
        case BotoCoreError() if not isinstance(error, HTTPClientError):
            return MailRefused(f"The AWS settings are not usable ({type(error).__name__}).")
        case _:
            return MailUnanswered(NO_ANSWER, may_be_sent=True)


def _asked_for(error: ClientError) -> timedelta | None:
    """Return how long SES, or a proxy before it, asks us to wait, at most an hour; None where it says nothing."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    seconds = str(headers.get("retry-after", ""))
    return timedelta(seconds=min(int(seconds), 3600)) if re.fullmatch(r"[0-9]{1,9}", seconds) else None


def _answered(error: ClientError) -> MailError:
    """Map an error that SES answered with: by its name where that is known, else by the HTTP status."""
    code = re.sub(r"[^A-Za-z0-9.]", "", str(error.response.get("Error", {}).get("Code", "")))[:60]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _LATER:
        return MailLater(*_LATER[code])
    if code in _REFUSED:
        return MailRefused(_REFUSED[code])
    if status == 429:
        reason, soon = _LATER["TooManyRequestsException"]
        return MailLater(reason, _asked_for(error) or soon)
    if status >= 500:
        return MailUnanswered(f"Amazon SES is in trouble (HTTP {status}).", may_be_sent=False)
    if status in (401, 403) or "Token" in code or "Signature" in code or "AccessDenied" in code:
        return MailRefused(f"{_CREDENTIALS} ({code})")
    return MailRefused(f"Amazon SES refused the email ({code or status}).")
