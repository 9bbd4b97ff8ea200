"""What Amazon SES tells of an account: identities, sandbox, quota, event destinations, suppressed addresses.

`server` asks. It is in production with everything verified until a test says otherwise; SendEmail does not look here.
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Operations.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from demo.inbox.ses import SIGNATURE, Refusal


@dataclass(eq=False)
class Account:
    """An account's state. `identities` says which are verified; None: every domain is."""

    production: bool = True
    enabled: bool = True
    health: str = "HEALTHY"
    most: float = 50_000.0
    sent: float = 12.0
    identities: dict[str, bool] | None = None
    configuration_set: str | None = None  # the identities' own
    clicks: set[str] = field(default_factory=set)  # the configuration sets that count clicks
    suppressed: dict[str, str] = field(default_factory=dict)  # address to reason
    forbidden: set[str] = field(default_factory=set)  # actions that the role may not do
    asked: int = 0  # how often somebody looked at the suppressed addresses

    def answer(self, path: str, authorization: str) -> dict[str, Any]:
        """Answer a GET as SES v2 does. Raises Refusal."""
        if not SIGNATURE.fullmatch(authorization):
            raise Refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        place = path.removeprefix("/v2/email/")
        for pattern, action, view in (
            (r"account", "GetAccount", self._account),
            (r"identities/([^/]+)", "GetEmailIdentity", self._identity),
            (r"suppression/addresses/([^/]+)", "GetSuppressedDestination", self._suppressed),
            (
                r"configuration-sets/([^/]+)/event-destinations",
                "GetConfigurationSetEventDestinations",
                self._destinations,
            ),
        ):
            if found := re.fullmatch(pattern, place):
                if action in self.forbidden:
                    raise Refusal(403, "AccessDeniedException", f"not authorized to perform: ses:{action}")
                return view(*map(unquote, found.groups()))
        raise Refusal(404, "NotFoundException", "This stand-in does not know that")

    def _account(self) -> dict[str, Any]:
        return {
            "DedicatedIpAutoWarmupEnabled": False,
            "EnforcementStatus": self.health,
            "ProductionAccessEnabled": self.production,
            "SendingEnabled": self.enabled,
            "SendQuota": {
                "Max24HourSend": self.most,
                "MaxSendRate": 14.0,
                "SentLast24Hours": self.sent,
            },
            "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        }

    def _identity(self, name: str) -> dict[str, Any]:
        known = {name: True} if self.identities is None and "@" not in name else self.identities or {}
        if name not in known:
            raise Refusal(404, "NotFoundException", f"Email identity {name} does not exist.")
        kind = "EMAIL_ADDRESS" if "@" in name else "DOMAIN"
        told = {
            "IdentityType": kind,
            "VerifiedForSendingStatus": known[name],
            "FeedbackForwardingStatus": True,
        }
        return told | ({"ConfigurationSetName": self.configuration_set} if self.configuration_set else {})

    def _suppressed(self, address: str) -> dict[str, Any]:
        self.asked += 1
        if address not in self.suppressed:
            raise Refusal(404, "NotFoundException", f"Email address {address} does not exist on your list.")
        reason, at = self.suppressed[address], 1_760_000_000.0
        return {"SuppressedDestination": {"EmailAddress": address, "Reason": reason, "LastUpdateTime": at}}

    def _destinations(self, name: str) -> dict[str, Any]:
        events = ["BOUNCE", *(["CLICK"] if name in self.clicks else [])]
        one = {"Name": "events", "Enabled": True, "MatchingEventTypes": events}
        return {"EventDestinations": [one]}
