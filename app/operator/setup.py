"""`qa-gate setup`: ask for what it cannot know, make the secrets, connect GitHub, and write it all where the gate reads it.

Called by `commands`. Running it again repairs: what is known is not asked for, what exists is put right and never made
twice. A private key is written the moment GitHub gives it.
"""

from __future__ import annotations

import re
import secrets
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import click

from app.github.answers import GitHubError, Refused, TryAgain
from app.github.api import Api
from app.operator import needs
from app.operator.page import Registration, create_page, served
from app.settings import operators_token, values
from app.settings.draft import Draft

MOST_WAIT = 3600.0  # seconds: so long GitHub's code for a new App lasts, too
LOOK_EVERY = 2.0
_QUESTIONS = (
    ("PUBLIC_URL", "The gate's public address, such as https://gate.example.com"),
    ("GITHUB_REPOSITORIES", "The repository, as owner/name or its web address"),
    ("QA_REVIEWERS", "Who approves, such as Lily <lily@example.com>"),
    ("MAIL_FROM", "The sender of the emails, such as QA gate <gate@example.com>"),
    ("AWS_DEFAULT_REGION", "The AWS region that sends them, such as eu-central-1"),
)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")


class Stopped(Exception):
    """Setup cannot go on; says why and what to do."""


def ask(draft: Draft) -> None:
    """Ask for what is not known yet, and make the secret that signs links."""
    for name, question in _QUESTIONS:
        if not draft.has(name):
            _ask_for(draft, name, question)
    if not draft.has("SECRET_KEY"):
        draft.put(SECRET_KEY=secrets.token_urlsafe(48))


def _ask_for(draft: Draft, name: str, question: str) -> None:
    while True:
        given, api_url = str(click.prompt(question)).strip(), None
        if name == "GITHUB_REPOSITORIES":
            given, api_url = needs.named_by(given)
        more = {name: given} | ({"GITHUB_API_URL": api_url} if api_url else {})
        problem = _problem_of_region(given) if name.startswith("AWS_") else _problem(draft, more)
        if not problem:
            draft.put(**more)
            return
        click.echo(problem)


def _problem(draft: Draft, more: dict[str, str]) -> str:
    found = draft.problems(**more)
    return next((found[name] for name in more if name in found), "")


def _problem_of_region(given: str) -> str:
    return "" if _REGION.fullmatch(given) else "AWS_DEFAULT_REGION must be a region, such as eu-central-1."


# --- With an App ---------------------------------------------------------------------------------------------


def connect_app(draft: Draft) -> list[str]:
    """Register and install the App, or put right the one there is; return what is left to do. Raises GitHubError."""
    if draft.has("GITHUB_TOKEN") and draft.is_fixed("GITHUB_TOKEN"):
        raise Stopped(
            "GITHUB_TOKEN is set in the environment: take it out, or keep it with qa-gate setup --token."
        )
    if not draft.has("GITHUB_APP_ID"):
        _register(draft)
    settings = draft.settings()
    app_id, key = settings.github_app_id, settings.github_app_private_key
    if app_id is None or key is None:
        raise Stopped("GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY go together: set both, or take both out.")
    api = Api.as_app(settings.github_api_url, app_id, key)
    return _put_app_right(api, settings.github_api_url, _hook(draft), settings.github_repositories)


def _hook(draft: Draft) -> dict[str, str]:
    settings = draft.settings()
    url, secret = needs.webhook_of(settings.public_url), settings.github_webhook_secret[0]
    return {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}


def _put_app_right(api: Api, api_url: str, hook: dict[str, str], repositories: tuple[str, ...]) -> list[str]:
    """Give the App its webhook's address and secret; return what only a person can do."""
    about = api.call("GET", "/app").data
    api.call("PATCH", "/app/hook/config", hook)
    at = needs.settings_page(needs.site_of(api_url), about.get("owner") or {}, about["slug"])
    left = []
    if lacking := needs.lacking(about.get("permissions") or {}):
        left.append(
            f"Give the App {', '.join(lacking)} at {at}/permissions, and accept it where it's installed."
        )
    if unheard := sorted(set(needs.EVENTS) - set(about.get("events") or ())):
        left.append(f"Let the App hear {', '.join(unheard)} at {at}/permissions.")
    missing = [name for name in repositories if not is_installed(api, name)]
    if missing:
        left.append(f"Install the App on {', '.join(missing)}: {about['html_url']}/installations/new")
    return left


def is_installed(api: Api, repository: str) -> bool:
    """Tell whether the App is installed where this repository is, and may use it."""
    return api.get(f"/repos/{repository}/installation") is not None


def _register(draft: Draft) -> None:
    settings_api = draft.environ.get("GITHUB_API_URL") or "https://api.github.com"
    public_url = draft.environ["PUBLIC_URL"].rstrip("/")
    repositories = tuple(one.strip() for one in draft.environ["GITHUB_REPOSITORIES"].split(","))
    owner = repositories[0].partition("/")[0]
    site = needs.site_of(settings_api)
    place = f"/organizations/{owner}" if _is_organization(settings_api, owner) else ""
    about = Registration(
        public_url,
        f"{site}{place}/settings/apps/new",
        needs.manifest(owner, public_url),
        lambda code: _keep_app(draft, settings_api, code),
        repositories,
    )
    with _line(draft, public_url) as line, served(create_page(about), line):
        click.echo(f"Open {public_url}/setup in a browser, and enter this code: {about.code}")
        _wait(about, lambda: _all_installed(draft, repositories))
    click.echo("The App is registered and installed.")


def _is_organization(api_url: str, owner: str) -> bool:
    """Ask GitHub, which tells anybody, or else the operator."""
    try:
        found = Api(api_url).get(f"/users/{owner}")
    except GitHubError:
        found = None
    if not isinstance(found, dict):
        return click.confirm(f"Is {owner} an organization?", default=True)
    return found.get("type") == "Organization"


def _keep_app(draft: Draft, api_url: str, code: str) -> str:
    """Turn GitHub's code into the App, and write down key and settings at once; return where to install it.

    https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest
    """
    made = Api(api_url).call("POST", f"/app-manifests/{quote(code, safe='')}/conversions").data
    try:
        app_id, secret, key = int(made["id"]), str(made["webhook_secret"]), str(made["pem"])
        install_url = f"{made['html_url']}/installations/new"
    except (KeyError, TypeError, ValueError):
        raise TryAgain("GitHub did not answer as it should: the App's key is missing.") from None
    path = draft.keep_key(f"github-app-{app_id}.pem", key)
    draft.put(
        "GITHUB_TOKEN",
        "GITHUB_TOKEN_FILE",
        GITHUB_APP_ID=str(app_id),
        GITHUB_APP_PRIVATE_KEY_FILE=str(path),
        GITHUB_WEBHOOK_SECRET=secret,
    )
    return install_url


def _all_installed(draft: Draft, repositories: tuple[str, ...]) -> bool:
    settings = draft.settings()
    if settings.github_app_id is None or settings.github_app_private_key is None:
        return False
    api = Api.as_app(settings.github_api_url, settings.github_app_id, settings.github_app_private_key)
    return all(is_installed(api, name) for name in repositories)


def _wait(about: Registration, is_installed_everywhere: Callable[[], bool]) -> None:
    """Wait for the person at the page. Raises Stopped when it is closed, failed, or took an hour."""
    end = time.monotonic() + MOST_WAIT
    while time.monotonic() < end:
        if about.closed.wait(LOOK_EVERY):
            raise Stopped("Five wrong codes: the page is closed. Run qa-gate setup again.")
        if about.problem:
            raise Stopped(about.problem)
        if about.registered.is_set() and _quietly(is_installed_everywhere):
            about.installed.set()
            about.seen.wait(15)  # the page asks every 5 seconds
            return
    raise Stopped("An hour has passed, and the page is closed. Run qa-gate setup again.")


def _quietly(look: Callable[[], bool]) -> bool:
    try:
        return bool(look())
    except (Refused, TryAgain):  # GitHub's passing trouble: look again
        return False


# --- One at a time -------------------------------------------------------------------------------------------


class _Line:
    """The socket of LISTEN, while nobody else has it."""

    def __init__(self, host: str, port: int) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.socket = socket.socket(family, kind, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        self.socket.listen(16)

    def __enter__(self) -> socket.socket:
        return self.socket

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def _line(draft: Draft, public_url: str) -> _Line:
    """Return the socket to serve on. Raises Stopped beside a running gate, which would get the browser's requests."""
    host, port = values.listen(draft.environ.get("LISTEN") or "127.0.0.1:8000")
    if is_gate(public_url):
        raise Stopped(
            f"A gate is running at {public_url}. Stop it first: setup needs its address for a moment."
        )
    try:
        return _Line(host, port)
    except OSError as error:
        raise Stopped(
            f"Nothing can listen at LISTEN ({host}:{port}): {error.strerror}. Stop qa-gate serve first."
        ) from None


def is_gate(public_url: str) -> bool:
    """Tell whether a gate answers there."""
    try:
        with urllib.request.urlopen(f"{public_url}/healthz", timeout=5) as answer:  # noqa: S310 - a web address
            return bool(answer.read(16) == b"ok\n")
    except (OSError, ValueError):
        return False


# --- With a token --------------------------------------------------------------------------------------------


def connect_token(draft: Draft) -> list[str]:
    """Take a token, and make or put right each repository's webhook. Raises GitHubError."""
    if draft.has("GITHUB_APP_ID"):
        raise Stopped(
            "A GitHub App is set up already: take GITHUB_APP_ID and its key out of the settings first."
        )
    if not draft.has("GITHUB_TOKEN"):
        draft.put(GITHUB_TOKEN=str(click.prompt("A token for the gate (not shown)", hide_input=True)).strip())
    if not draft.has("GITHUB_WEBHOOK_SECRET"):
        draft.put(GITHUB_WEBHOOK_SECRET=secrets.token_urlsafe(32))
    settings = draft.settings()
    api = Api.with_token(settings.github_api_url, operators_token() or settings.github_token or "")
    left: list[str] = []
    for name in settings.github_repositories:
        left += _put_hook_right(api, name, _hook(draft))
    return left


def hooks_to(api: Api, repository: str, url: str) -> Iterator[dict[str, Any]]:
    """Yield the repository's webhooks that go to this address."""
    for hook in api.all(f"/repos/{repository}/hooks"):
        if str(hook.get("config", {}).get("url", "")).rstrip("/").casefold() == url.casefold():
            yield hook


def _put_hook_right(api: Api, repository: str, config: dict[str, str]) -> list[str]:
    """Make the webhook, or give the one there is its secret and events.

    https://docs.github.com/en/rest/repos/webhooks
    """
    wanted = {"active": True, "events": list(needs.EVENTS), "config": config}
    found = list(hooks_to(api, repository, config["url"]))
    if not found:
        api.call("POST", f"/repos/{repository}/hooks", {"name": "web", **wanted})
        click.echo(f"{repository}: the webhook is made.")
        return []
    api.call("PATCH", f"/repos/{repository}/hooks/{found[0]['id']}", wanted)
    click.echo(f"{repository}: the webhook is right.")
    several = f"{repository} has {len(found)} webhooks to {config['url']}: delete all but one."
    return [several] if len(found) > 1 else []
