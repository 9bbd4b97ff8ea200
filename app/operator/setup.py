"""`qa-gate setup`: ask for what it cannot know, make the secrets, connect GitHub, and write it all where the gate reads it.

Running it again repairs: what is known is not asked for, what exists is put right and never made twice. A private key
is written the moment GitHub gives it.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

import click

from app.github.answers import GitHubError, Refused, TryAgain
from app.github.api import Api
from app.mail.ses import aws_problems
from app.operator import github_side, stop
from app.operator.running import is_gate
from app.operator.setup_page import Registration, create_page, served
from app.settings import Settings, operators_token
from app.settings.file import SettingsError, SettingsFile, create

MOST_WAIT = 3600.0  # seconds: so long GitHub's code for a new App lasts, too
LOOK_EVERY = 2.0
_QUESTIONS = {
    "PUBLIC_URL": "The gate's public address, such as https://gate.example.com",
    "GITHUB_REPOSITORIES": "The repository, as owner/name or its web address",
    "QA_REVIEWERS": "Who approves, such as Lily <lily@example.com>",
    "MAIL_FROM": "The sender of the emails, such as QA gate <gate@example.com>",
    "AWS_DEFAULT_REGION": "The AWS region that sends them, such as eu-central-1",
    "OPERATOR": "Who is mailed when something is wrong, such as You <you@example.com>; empty for nobody",
}
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")


@click.command()
@click.option("--token", is_flag=True, help="Act with a token instead of a GitHub App, and make the webhook.")
def setup(token: bool) -> None:
    """Ask for what is missing, connect GitHub, and write the settings; run again, it puts right what is wrong."""
    file = SettingsFile()
    try:
        for name, question in _QUESTIONS.items():
            if not (file.has(name) or name in file.kept):
                file.put(**_answer(file, name, question))
        if not file.has("SECRET_KEY"):
            file.put(SECRET_KEY=secrets.token_urlsafe(48))
        to_do = _connect_token(file) if token else _connect_app(file)
    except GitHubError as error:
        stop(f"GitHub: {error.reason}")
    except OSError as error:
        stop(f"The settings could not be written: {error.strerror}. Set SETTINGS_FILE to a path that can be.")
    repository = Settings.load(file.environ).github_repositories[0]
    click.echo(f"Everything is in {file.path}; what the environment sets goes before it.")
    for line in (*to_do, *aws_problems()):
        click.echo(f"! {line}")
    lock = f"start the gate, lock the branches with qa-gate protect {repository}, see qa-gate doctor."
    click.echo("Then run qa-gate setup again." if to_do else f"Next: {lock}")
    sys.exit(1 if to_do else 0)


def _answer(file: SettingsFile, name: str, question: str) -> dict[str, str]:
    """Ask until the answer may be used; return it as settings."""

    def read(given: str) -> dict[str, str]:
        found = {name: given.strip()}
        if name == "AWS_DEFAULT_REGION" and not _REGION.fullmatch(found[name]):
            raise click.UsageError("AWS_DEFAULT_REGION must be a region, such as eu-central-1.")
        if name == "GITHUB_REPOSITORIES":
            repository, api_url = named_by(given)
            found = {name: repository} | ({"GITHUB_API_URL": api_url} if api_url else {})
        try:
            Settings.load({**file.environ, **found})
        except SettingsError as error:
            for problem in error.problems:
                if problem.split()[0] in found:
                    raise click.UsageError(problem) from None
        return found

    default = "" if name == "OPERATOR" else None  # what may be empty
    found: dict[str, str] = click.prompt(question, default, show_default=False, value_proc=read)
    return found


def named_by(address: str) -> tuple[str, str | None]:
    """Return owner/name and the API's address from what a person gives: owner/name, or the repository's web address.

    The API is None for github.com, and where only a name was given.
    """
    found = re.fullmatch(r"(https?)://([^/]+)/([^/]+/[^/]+?)(?:\.git)?/?", address.strip())
    if not found:
        return address.strip(), None
    scheme, host, name = found.groups()
    if host.casefold() in ("github.com", "www.github.com"):
        return name, None
    is_cloud = host.casefold().endswith(".ghe.com")
    return name, f"{scheme}://api.{host}" if is_cloud else f"{scheme}://{host}/api/v3"


def _webhook(settings: Settings) -> dict[str, str]:
    url, secret = github_side.webhook_of(settings.public_url), settings.github_webhook_secret[0]
    return {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}


def _connect_app(file: SettingsFile) -> list[str]:
    """Register and install the App, or put right the one there is; return what only a person can do."""
    if file.is_fixed("GITHUB_TOKEN"):
        stop("GITHUB_TOKEN is set in the environment: take it out, or keep it with qa-gate setup --token.")
    if not file.has("GITHUB_APP_ID"):
        _register(file)
    settings = Settings.load(file.environ)
    app = github_side.app_of(settings)
    about = app.call("GET", "/app").data
    app.call("PATCH", "/app/hook/config", _webhook(settings))
    owner, site = about.get("owner") or {}, site_of(settings.github_api_url)
    place = f"organizations/{owner.get('login')}/" if owner.get("type") == "Organization" else ""
    page = f"{site}/{place}settings/apps/{about['slug']}/permissions"
    to_do = []
    if lacking := github_side.lacking_permissions(about):
        to_do.append(f"Give the App {lacking} at {page}, and accept it where it's installed.")
    if unheard := github_side.unheard_events(about):
        to_do.append(f"Let the App hear {unheard} at {page}.")
    here = [name for name in settings.github_repositories if github_side.is_installed(app, name)]
    if missing := [name for name in settings.github_repositories if name not in here]:
        to_do.append(f"Install the App on {', '.join(missing)}: {about['html_url']}/installations/new")
    return to_do + _absent_branches(settings, here)


def _absent_branches(settings: Settings, repositories: Iterable[str]) -> list[str]:
    github = github_side.GitHubSide(settings, {})
    return [line for name in repositories for line in github.absent_branches(name)]


def _register(file: SettingsFile) -> None:
    """Lead a person through registering and installing the App, and write down its key and settings."""
    not_yet = {"GITHUB_TOKEN_FILE": "", "GITHUB_APP_PRIVATE_KEY": "", "GITHUB_APP_PRIVATE_KEY_FILE": ""}
    not_yet |= dict.fromkeys(("GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET"), "x" * 16)
    settings = Settings.load({**file.environ, "GITHUB_WEBHOOK_SECRET_FILE": "", **not_yet})
    url, repositories = settings.public_url, settings.github_repositories
    owner = repositories[0].partition("/")[0]
    place = f"/organizations/{owner}" if _is_organization(settings.github_api_url, owner) else ""
    about = Registration(
        url,
        f"{site_of(settings.github_api_url)}{place}/settings/apps/new",
        json.dumps(manifest(owner, url)),
        lambda code: _keep_app(file, settings.github_api_url, code),
        repositories,
    )

    def is_done() -> bool:
        app = github_side.app_of(Settings.load(file.environ))
        try:
            return all(github_side.is_installed(app, name) for name in repositories)
        except (Refused, TryAgain):  # GitHub's passing trouble: look again
            return False

    with _listen(settings) as listening, served(create_page(about), listening):
        click.echo(f"Open {url}/setup in a browser, and enter this code: {about.code}")
        _wait(about, is_done)
    click.echo("The App is registered and installed.")


def manifest(owner: str, public_url: str) -> dict[str, Any]:
    """Return the App as GitHub's form takes it; a name has at most 34 letters.

    https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
    """
    return {
        "name": f"qa-gate {owner}"[:34].strip(" -"),
        "url": public_url,
        "description": "Pull requests wait for QA's approval, and are then merged.",
        "hook_attributes": {"url": github_side.webhook_of(public_url), "active": True},
        "redirect_url": f"{public_url}/setup/registered",
        "public": False,
        "default_permissions": github_side.PERMISSIONS,
        "default_events": github_side.EVENTS,
    }


def site_of(api_url: str) -> str:
    """Return the website of a GitHub: github.com, one of ghe.com, or an Enterprise Server's own."""
    parts = urlsplit(api_url)
    if parts.path:
        return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/api/v3')}"
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"


def _is_organization(api_url: str, owner: str) -> bool:
    """Ask GitHub, which tells anybody, or else the operator."""
    try:
        found = Api(api_url).get(f"/users/{owner}")
    except GitHubError:
        found = None
    if not isinstance(found, dict):
        return click.confirm(f"Is {owner} an organization?", default=True)
    return found.get("type") == "Organization"


def _listen(settings: Settings) -> socket.socket:
    """Return the socket to serve on. Stops beside a running gate, which would get the browser's requests."""
    host, port = settings.listen
    if is_gate(settings.public_url):
        stop(
            f"A gate is running at {settings.public_url}. Stop it first: setup needs its address for a moment."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        stop(f"Nothing can listen at LISTEN ({host}:{port}): {why}. Stop qa-gate serve first.")


def _keep_app(file: SettingsFile, api_url: str, code: str) -> str:
    """Turn GitHub's code into the App, and write down key and settings at once; return where to install it.

    https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest
    """
    made = Api(api_url).call("POST", f"/app-manifests/{quote(code, safe='')}/conversions").data
    try:
        app_id, secret, key = int(made["id"]), str(made["webhook_secret"]), str(made["pem"])
        install_url = f"{made['html_url']}/installations/new"
    except (KeyError, TypeError, ValueError):
        raise TryAgain("GitHub did not answer as it should: the App's key is missing.") from None
    path = file.path.with_name(f"github-app-{app_id}.pem")
    create(path, key)
    file.put(
        "GITHUB_TOKEN",
        "GITHUB_TOKEN_FILE",
        GITHUB_APP_ID=str(app_id),
        GITHUB_APP_PRIVATE_KEY_FILE=str(path),
        GITHUB_WEBHOOK_SECRET=secret,
    )
    return install_url


def _wait(about: Registration, is_done: Callable[[], bool]) -> None:
    """Wait for the person at the page, an hour at most."""
    end = time.monotonic() + MOST_WAIT
    while time.monotonic() < end:
        time.sleep(LOOK_EVERY)
        if about.step == "closed":
            stop("Five wrong codes: the page is closed. Run qa-gate setup again.")
        if about.step == "install" and is_done():
            about.step = "done"
        if about.step in ("done", "failed"):
            about.seen.wait(15)  # the page asks every 5 seconds
            if about.problem:
                stop(about.problem)
            return
    stop("An hour has passed, and the page is closed. Run qa-gate setup again.")


def _connect_token(file: SettingsFile) -> list[str]:
    """Take a token, and make or put right each repository's webhook; return what only a person can do.

    https://docs.github.com/en/rest/repos/webhooks
    """
    if file.has("GITHUB_APP_ID"):
        stop("A GitHub App is set up already: take GITHUB_APP_ID and its key out of the settings first.")
    if not file.has("GITHUB_TOKEN"):
        file.put(GITHUB_TOKEN=click.prompt("A token for the gate (not shown)", hide_input=True).strip())
    if not file.has("GITHUB_WEBHOOK_SECRET"):
        file.put(GITHUB_WEBHOOK_SECRET=secrets.token_urlsafe(32))
    settings = Settings.load(file.environ)
    api = Api.with_token(settings.github_api_url, operators_token() or settings.github_token or "")
    webhook, to_do = _webhook(settings), []
    wanted = {"active": True, "events": github_side.EVENTS, "config": webhook}
    for name in settings.github_repositories:
        found = github_side.hooks_to(api, name, webhook["url"])
        if found:
            api.call("PATCH", f"/repos/{name}/hooks/{found[0]['id']}", wanted)
        else:
            api.call("POST", f"/repos/{name}/hooks", {"name": "web", **wanted})
        click.echo(f"{name}: the webhook is {'right' if found else 'made'}.")
        if len(found) > 1:
            to_do.append(f"{name} has {len(found)} webhooks to {webhook['url']}: delete all but one.")
    return to_do + _absent_branches(settings, settings.github_repositories)
