"""GitHub: webhooks in, a few API calls out, and what its answers mean.

Called by `webhook` (verify, parse) and `workflow` (GitHub and its errors). It decides nothing and keeps nothing.
Read first `webhooks`, then `client`, then `answers`.
"""

from __future__ import annotations

from app.github_client.answers import GitHubError, Limited, Moved, NoAnswer, Refused, TryAgain
from app.github_client.api import Api, NoPlan
from app.github_client.client import GitHub
from app.github_client.reading import Brought, ListedPull, Listing, Standing, Step, Steps
from app.github_client.webhooks import BadPayload, parse, verify

__all__ = [
    "Api",
    "BadPayload",
    "Brought",
    "GitHub",
    "GitHubError",
    "Limited",
    "ListedPull",
    "Listing",
    "Moved",
    "NoAnswer",
    "NoPlan",
    "Refused",
    "Standing",
    "Step",
    "Steps",
    "TryAgain",
    "parse",
    "verify",
]
