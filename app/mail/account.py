"""What Amazon SES says of the account: may it send, from whom, to whom. Only reads; `doctor` asks, and the worker once a day.

A role needs `ses:GetAccount`, `ses:GetEmailIdentity`, `ses:GetConfigurationSetEventDestinations` and
`ses:GetSuppressedDestination` for it. Raises `MailError`, never anything of botocore's.

    NotAllowed    the role may not read this
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.mail.errors import MailRefused
from app.mail.ses import explain, session

_PATIENCE = Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=10)


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


class Account:
    """The account of the usual AWS_ settings. Raises MailRefused when they are not usable; makes no call by itself.

    `client` is boto3's, where there is one already.
    """

    def __init__(self, client: Any = None) -> None:
        try:
            self._client = client or session().client("sesv2", config=_PATIENCE)
        except BotoCoreError as error:
            raise explain(error) from None

    def identity(self, mailbox: str) -> Identity | None:
        """Return the verified one of an address and its domain, else whichever SES knows.

        https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html
        """
        address = parseaddr(mailbox)[1]
        found = [self._identity(name) for name in (address, address.rpartition("@")[2])]
        known = [one for one in found if one]
        return next((one for one in known if one.is_verified), known[0] if known else None)

    def _identity(self, name: str) -> Identity | None:
        told = _ask("ses:GetEmailIdentity", lambda: self._client.get_email_identity(EmailIdentity=name))
        if told is None:
            return None
        return Identity(bool(told.get("VerifiedForSendingStatus")), told.get("ConfigurationSetName"))

    def sending(self) -> Sending:
        """Return what the account may send.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
        """
        told = _ask("ses:GetAccount", self._client.get_account) or {}
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
        told = _ask(
            "ses:GetConfigurationSetEventDestinations",
            lambda: self._client.get_configuration_set_event_destinations(
                ConfigurationSetName=configuration_set
            ),
        )
        return any(
            one.get("Enabled") and "CLICK" in one.get("MatchingEventTypes", [])
            for one in (told or {}).get("EventDestinations", [])
        )

    def suppressed(self, address: str) -> str | None:
        """Return why SES silently drops mails to an address (BOUNCE, COMPLAINT), None when it does not."""
        told = _ask(
            "ses:GetSuppressedDestination",
            lambda: self._client.get_suppressed_destination(EmailAddress=address),
        )
        return None if told is None else str(told.get("SuppressedDestination", {}).get("Reason", "BOUNCE"))


def _ask(right: str, call: Callable[[], Any]) -> Any:
    """Make a call; None where SES knows no such thing. Raises NotAllowed, naming the right, or another MailError."""
    try:
        return call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "NotFoundException":
            return None
        if code.startswith("AccessDenied"):
            raise NotAllowed(f"The gate may not read this: allow {right}.") from None
        raise explain(error) from None
    except BotoCoreError as error:
        raise explain(error) from None
