"""`qa-gate setup`: ask for what it cannot know, make the secrets, connect GitHub, and write it all where the gate reads it.

Running it again repairs: what is known is not asked for, what exists is put right and never made twice. A private key
is written the moment GitHub gives it.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

import click

from app import stop
from app.github.answers import GitHubError, TryAgain
from app.github.api import Api
from app.mail.ses import aws_problems
from app.operator import github_side
from app.operator.is_running import is_gate, listen
from app.operator.setup_page import Registration, create_page, served
from app.settings import Settings, operators_token
from app.settings.file import SettingsError, SettingsFile, create

MOST_WAIT = 3600.0  # seconds: so long GitHub's code for a new App lasts, too
ASK_EVERY = 2.0
_QUESTIONS = {
    "PUBLIC_URL": "The gate's public address, such as https://gate.example.com",
    "GITHUB_REPOSITORIES": "The repository, as owner/name",
    "QA_REVIEWERS": "Who approves, such as Lily <lily@example.com>",
    "MAIL_FROM": "The sender of the emails, such as QA gate <gate@example.com>",
    "AWS_DEFAULT_REGION": "The AWS region that sends them, such as eu-central-1",
    "OPERATOR": "Who is mailed when something is wrong, such as You <you@example.com>; empty for nobody",
}
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")


@click.command()
@click.option("--token", is_flag=True, help="Act with a token instead of a GitHub App, and make the webhook.")
def setup(token: bool) -> None:
    """Ask for what is missing, and connect GitHub. Run again, it puts right what is wrong."""
    file = SettingsFile()
    try:
        for name, question in _QUESTIONS.items():
            if not (file.has(name) or name in file.kept):
                file.put(**{name: _answer(file, name, question)})
        for name in ("SECRET_KEY", "GITHUB_WEBHOOK_SECRET"):
            if not file.has(name):
                file.put(**{name: secrets.token_urlsafe(48)})
        if token:
            _connect_token(file)
        to_do = [] if token else _connect_app(file)
    except OSError as error:
        stop(f"The settings could not be written: {error.strerror}. Set SETTINGS_FILE to a path that can be.")
    repository = Settings.load(file.environ).github_repositories[0]
    click.echo(f"Everything is in {file.path}; what the environment sets goes before it.")
    for line in (*to_do, *aws_problems()):
        click.echo(f"! {line}")
    lock = f"start the gate, lock the branches with qa-gate protect {repository}, see qa-gate doctor."
    click.echo("Then run qa-gate setup again." if to_do else f"Next: {lock}")
    sys.exit(1 if to_do else 0)


def _answer(file: SettingsFile, name: str, question: str) -> str:
    """Ask until the answer may be used."""

    def read(given: str) -> str:
        value = given.strip()
        if name == "AWS_DEFAULT_REGION" and not _REGION.fullmatch(value):
            raise click.UsageError("AWS_DEFAULT_REGION must be a region, such as eu-central-1.")
        try:
            Settings.load({**file.environ, name: value})
        except SettingsError as error:
            for problem in error.problems:
                if problem.startswith(f"{name} "):
                    raise click.UsageError(problem) from None
        return value

    default = "" if name == "OPERATOR" else None  # what may be empty
    return str(click.prompt(question, default, show_default=False, value_proc=read))


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
    to_do = []
    lacks = (github_side.lacking_permissions(about), github_side.unheard_events(about))
    if any(lacks):
        where = f"its settings at {site_of(settings.github_api_url)}, under Permissions & events"
        what = "; ".join(filter(None, lacks))
        to_do.append(f"Give the App what it lacks ({what}) in {where}, and accept it where it's installed.")
    if missing := _not_installed(app, settings):
        to_do.append(f"Install the App on {', '.join(missing)}: {about['html_url']}/installations/new")
    return to_do


def _not_installed(app: Api, settings: Settings) -> list[str]:
    return [name for name in settings.github_repositories if app.get(f"/repos/{name}/installation") is None]


def _register(file: SettingsFile) -> None:
    """Lead a person through registering and installing the App, and write down its key and settings."""
    settings = Settings.load({**file.environ, "GITHUB_TOKEN": "comes-later"})
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

    if is_gate(url):
        stop(f"A gate is running at {url}. Stop it first: setup needs its address for a moment.")
    with listen("LISTEN", *settings.listen) as listening, served(create_page(about), listening):
        click.echo(f"Open {url}/setup in a browser, and enter this code: {about.code}")
        _wait(about, file)
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
        return bool(Api(api_url).call("GET", f"/users/{owner}").data["type"] == "Organization")
    except GitHubError:
        return click.confirm(f"Is {owner} an organization?", default=True)


def _keep_app(file: SettingsFile, api_url: str, code: str) -> str:
    """Turn GitHub's code into the App, and write down key and settings at once; return where to install it.

    https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest
    """
    made = Api(api_url).call("POST", f"/app-manifests/{quote(code, safe='')}/conversions").data
    try:
        app_id, key, page = int(made["id"]), str(made["pem"]), str(made["html_url"])
        secret = str(made["webhook_secret"])
    except (KeyError, TypeError, ValueError):
        raise TryAgain("GitHub did not answer as it should: the App's key is missing.") from None
    path = file.path.with_name(f"github-app-{app_id}.pem")
    create(path, key)
    is_app = {"GITHUB_APP_ID": str(app_id), "GITHUB_APP_PRIVATE_KEY_FILE": str(path)}
    file.put("GITHUB_TOKEN", **is_app, GITHUB_WEBHOOK_SECRET=secret)
    return f"{page}/installations/new"


def _wait(about: Registration, file: SettingsFile) -> None:
    """Wait for the person at the page, an hour at most, until the App is installed everywhere."""
    end = time.monotonic() + MOST_WAIT
    while about.step in ("code", "register", "install"):
        if time.monotonic() > end:
            stop("An hour has passed, and the page is closed. Run qa-gate setup again.")
        time.sleep(ASK_EVERY)
        if about.step == "install":
            settings = Settings.load(file.environ)
            with suppress(GitHubError):  # its passing trouble: look again
                if not _not_installed(github_side.app_of(settings), settings):
                    about.step = "done"
    if about.step == "closed":
        stop("Five wrong codes: the page is closed. Run qa-gate setup again.")
    about.seen.wait(15)  # the page asks every 5 seconds
    if about.problem:
        stop(about.problem)


def _connect_token(file: SettingsFile) -> None:
    """Take a token, and make or put right each repository's webhook.

    https://docs.github.com/en/rest/repos/webhooks
    """
    if file.has("GITHUB_APP_ID"):
        stop("A GitHub App is set up already: take GITHUB_APP_ID and its key out of the settings first.")
    if not file.has("GITHUB_TOKEN"):
        click.echo(f"The token needs these rights in each repository. {github_side.TOKEN_RIGHTS}.")
        file.put(GITHUB_TOKEN=click.prompt("A token for the gate (not shown)", hide_input=True).strip())
    settings = Settings.load(file.environ)
    api = Api.with_token(settings.github_api_url, operators_token() or settings.github_token or "")
    webhook = _webhook(settings)
    wanted = {"active": True, "events": github_side.EVENTS, "config": webhook}
    for name in settings.github_repositories:
        found = github_side.hooks_to(api, name, webhook["url"])
        if found:
            api.call("PATCH", f"/repos/{name}/hooks/{found[0]['id']}", wanted)
        else:
            api.call("POST", f"/repos/{name}/hooks", {"name": "web", **wanted})
        click.echo(f"{name}: the webhook is {'right' if found else 'made'}.")
