"""Where a commit can be tried: deployments and their statuses, as one address. Pure; called by `client` only.

Anybody who may deploy writes that address, so it is only shown, with its host, and never fetched. One that is not
plain https, or of another commit, is as none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from app.github.models import Id, Line, Model, Sha, Text

LONGEST_URL = 2_000
_URL = re.compile(r"https://[!-~]+")
_HOST = re.compile(r"[a-z0-9.-]+")


class Deployment(Model):
    """https://docs.github.com/en/rest/deployments/deployments#list-deployments ."""

    id: Id
    sha: Sha


class DeploymentStatus(Model):
    """https://docs.github.com/en/rest/deployments/statuses#list-deployment-statuses ."""

    id: Id
    state: Text
    environment_url: Line | None = None


DEPLOYMENTS, STATUSES = TypeAdapter(list[Deployment]), TypeAdapter(list[DeploymentStatus])


def read_deployments(deployments: Sequence[Deployment], wanted: str) -> list[int]:
    """Return the ids of the deployments of just this commit, the newest first."""
    return sorted((one.id for one in deployments if one.sha == wanted), reverse=True)


def read_try_url(statuses: Sequence[DeploymentStatus]) -> str | None:
    """Return where a deployment can be seen, if its latest status is a success.

    One that a newer one has replaced is "inactive" by then.
    """
    latest = max(statuses, key=lambda status: status.id, default=None)
    if latest is None or latest.state != "success":
        return None
    url = latest.environment_url or ""
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
