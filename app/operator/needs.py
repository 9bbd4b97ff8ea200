"""What the gate needs of GitHub: the App's permissions and events, and where things are on a GitHub's website. Pure.

`setup` asks for exactly this, `doctor` compares. Each permission says what it is for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

# https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
PERMISSIONS = {
    "checks": "read",  # WAIT_FOR_CHECKS, and why a merge is held
    "contents": "write",  # read changes, merge, update branches
    "deployments": "read",  # Try it
    "issues": "write",  # comments, and their events
    "metadata": "read",  # every App has it
    "pull_requests": "write",  # read, review, open the release
    "statuses": "write",  # the lock
    "workflows": "write",  # merge what changes .github/workflows
}
# https://docs.github.com/en/webhooks/webhook-events-and-payloads
EVENTS = (
    "check_run",
    "check_suite",
    "deployment_status",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "status",
)
LONGEST_NAME = 34  # of an App
_LEVELS = ("", "read", "write", "admin")


def lacking(permissions: Mapping[str, str]) -> list[str]:
    """Return what these permissions lack, as "contents=write"."""
    return [
        f"{name}={level}"
        for name, level in PERMISSIONS.items()
        if _LEVELS.index(level) > _level(permissions.get(name, ""))
    ]


def _level(name: str) -> int:
    return _LEVELS.index(name) if name in _LEVELS else 0


def webhook_of(public_url: str) -> str:
    """Return where GitHub sends webhooks."""
    return f"{public_url}/webhook"


def manifest(owner: str, public_url: str) -> dict[str, Any]:
    """Return the App as GitHub's form takes it.

    https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
    """
    return {
        "name": f"qa-gate {owner}"[:LONGEST_NAME].strip(" -"),
        "url": public_url,
        "description": "Pull requests wait for QA's approval, and are then merged.",
        "hook_attributes": {"url": webhook_of(public_url), "active": True},
        "redirect_url": f"{public_url}/setup/registered",
        "public": False,
        "default_permissions": PERMISSIONS,
        "default_events": list(EVENTS),
    }


def site_of(api_url: str) -> str:
    """Return the website of a GitHub: github.com, one of ghe.com, or an Enterprise Server's own."""
    parts = urlsplit(api_url)
    if parts.path:
        return f"{parts.scheme}://{parts.netloc}{re.sub(r'/api/v3$', '', parts.path)}"
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"


def named_by(address: str) -> tuple[str, str | None]:
    """Return owner/name and the API's address from what a person gives: owner/name, or the repository's web address.

    The API is None for github.com, and where only a name was given.
    """
    found = re.fullmatch(r"(https?)://([^/]+)/([^/]+/[^/]+?)(?:\.git)?/?", address.strip())
    if not found:
        return address, None
    scheme, host, name = found.groups()
    if host.casefold() in ("github.com", "www.github.com"):
        return name, None
    is_cloud = host.casefold().endswith(".ghe.com")
    return name, f"{scheme}://api.{host}" if is_cloud else f"{scheme}://{host}/api/v3"


def settings_page(site: str, owner: Mapping[str, Any], slug: str) -> str:
    """Return where an App is administered, by its owner."""
    at = f"organizations/{owner.get('login')}/settings" if owner.get("type") == "Organization" else "settings"
    return f"{site}/{at}/apps/{slug}"
