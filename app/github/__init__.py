"""GitHub: webhooks in, a few API calls out, and what its answers mean.

Called by `web.webhook` (verify, parse) and `jobs` (GitHub and its errors). It decides nothing and keeps nothing.
Read first `webhooks`, then `client`, then `answers`.
"""

from __future__ import annotations

from app.github.answers import GitHubError, Limited, Moved, NoAnswer, PutOff, Refused, TryAgain, Unauthorized
from app.github.api import Api, NoPlan
from app.github.client import GitHub
from app.github.commits import Steps
from app.github.pictures import Found
from app.github.pulls import Listing, Pull
from app.github.webhooks import BadPayload, parse, verify

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
