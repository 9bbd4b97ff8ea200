"""Where a commit can be tried: deployments and their statuses, as one address. Pure; called by `client` only.

Anybody who may deploy writes that address, so it is only shown, with its host, and never fetched. One that is not
plain https, or of another commit, is as none.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from app.github_client.fields import MOST_ID, integer, sha, text, text_or_none

LONGEST_URL = 2_000
_URL = re.compile(r"https://[!-~]+")
_HOST = re.compile(r"[a-z0-9.-]+")


def read_deployments(deployments: list[Any], wanted: str) -> list[int]:
    """Return the ids of the deployments of just this commit, the newest first. Raises Odd.

    https://docs.github.com/en/rest/deployments/deployments#list-deployments
    """
    ids = [integer(item, "id", 1, MOST_ID) for item in deployments if sha(item, "sha") == wanted]
    return sorted(ids, reverse=True)


def read_try_url(statuses: list[Any]) -> str | None:
    """Return where a deployment can be seen, if its latest status is a success. Raises Odd.

    One that a newer one has replaced is "inactive" by then.
    https://docs.github.com/en/rest/deployments/statuses#list-deployment-statuses
    """
    latest = max(statuses, key=lambda status: integer(status, "id", 1, MOST_ID), default=None)
    if latest is None or text(latest, "state") != "success":
        return None
    url = text_or_none(latest, "environment_url") or ""
    return url if is_followable(url) else None


def is_followable(url: str) -> bool:
    """Tell whether an address is https and names its host plainly, as a browser reads it."""
    if len(url) > LONGEST_URL or "\\" in url or not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    # A user name before the host is for looking like another host.
    return host is not None and bool(_HOST.fullmatch(host)) and "@" not in parts.netloc
