"""GitHub: webhooks in, a few API calls out, and what its answers mean.

Called by `webhook` (verify, parse) and `workflow` (GitHub and its errors). It decides nothing and keeps nothing.
Read first `webhooks`, then `client`, then `answers`.
"""

from __future__ import annotations

from app.github_client.answers import (
    GitHubError,
    Limited,
    Moved,
    NoAnswer,
    PutOff,
    Refused,
    TryAgain,
    Unauthorized,
)
from app.github_client.api import Api, NoPlan
from app.github_client.client import GitHub
from app.github_client.commits import Steps
from app.github_client.pictures import Found
from app.github_client.pulls import Listing, Pull
from app.github_client.webhooks import BadPayload, parse, verify

__all__ = [
    "Api",
    "BadPayload",
    "Found",
    "GitHub",
    "GitHubError",
    "Limited",
    "Listing",
    "Moved",
    "NoAnswer",
    "NoPlan",
    "Pull",
    "PutOff",
    "Refused",
    "Steps",
    "TryAgain",
    "Unauthorized",
    "parse",
    "verify",
]
