"""The operator's commands as click sees them: what they take, what they print, how they end.

`cli` adds them to its own. Exit codes: 0 is well, 1 is not all well, 2 means that nothing could be done.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import NoReturn

import click

from app.github.answers import GitHubError
from app.github.api import Api, NoPlan
from app.mail.problem import compose_trial
from app.mail.send import Mailer
from app.operator.backups import backup, restore
from app.operator.doctor import examine, of_problems
from app.operator.findings import ADVISES, Finding, looked, ok, worst
from app.operator.protect import carry_out, plans
from app.operator.setup import Stopped, ask, connect_app, connect_token
from app.settings import Settings, SettingsError, operators_token
from app.settings.draft import Draft


@click.command()
@click.argument("repository")
@click.option("--yes", is_flag=True, help="Do it; otherwise only the plan is shown.")
def protect(repository: str, yes: bool) -> None:
    """Lock the gated branches of OWNER/REPO: nothing gets in without QA's approval.

    Uses your own token, GH_TOKEN, which needs the right to administer the repository and is not kept.
    """
    settings = Settings.load()
    token = operators_token()
    if not token:
        stop("Set GH_TOKEN to a token of yours that may administer the repository. It isn't kept.")
    if repository.casefold() not in {name.casefold() for name in settings.github_repositories}:
        stop(f"{repository} isn't in GITHUB_REPOSITORIES, so the gate would never set its status there.")
    branches = tuple(name for name in (settings.development_branch, settings.release_branch) if name)
    api = Api.with_token(settings.github_api_url, token)
    try:
        found = list(plans(api, repository, branches, settings.github_app_id))
        for plan in found:
            click.echo(f"{repository}, branch {plan.branch}:")
            for line in plan.adds:
                click.echo(f"  + {line}")
            if not plan.adds:
                click.echo("  locked already")
            for line in plan.warnings:
                click.echo(f"  ! {line}")
            if yes:
                carry_out(api, plan)
    except NoPlan:
        click.echo(ADVISES)
        sys.exit(1)
    except GitHubError as error:
        click.echo(f"{error.reason} Nothing more was changed.", err=True)
        sys.exit(1)
    if any(plan.call for plan in found):
        click.echo("Done." if yes else "Nothing has been changed. To do this, run it again with --yes.")
    else:
        click.echo("Nothing to do.")


@click.command()
@click.option("--token", is_flag=True, help="Act with a token instead of a GitHub App, and make the webhook.")
def setup(token: bool) -> None:
    """Ask for what is missing, connect GitHub, and write the settings; run again, it puts right what is wrong."""
    try:
        draft = Draft()
        ask(draft)
        left = connect_token(draft) if token else connect_app(draft)
    except GitHubError as error:
        stop(f"GitHub: {error.reason}")
    except Stopped as error:
        stop(str(error))
    except OSError as error:
        stop(f"The settings could not be written: {error.strerror}. Set SETTINGS_FILE to a path that can be.")
    draft.settings()
    click.echo(f"Everything is in {draft.path}; what the environment sets goes before it.")
    for line in left:
        click.echo(f"! {line}")
    repository = draft.settings().github_repositories[0]
    click.echo(
        f"Next: start the gate, lock the branches with qa-gate protect {repository}, see qa-gate doctor."
    )
    sys.exit(1 if left else 0)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.option("--mail", is_flag=True, help="Also send the first reviewer a test email.")
def doctor(as_json: bool, mail: bool) -> None:
    """Look at everything that the gate needs, and say what to do; exit code 1 with warnings, 2 with failures."""
    try:
        settings = Settings.load()
        found = list(examine(settings))
        if mail:
            found += looked("test email", lambda: [_send_trial(settings)])
    except SettingsError as error:
        found = list(of_problems(error))
    if as_json:
        click.echo(json.dumps({"checks": [asdict(one) for one in found]}, indent=2))
    else:
        width = max(len(one.check) for one in found)
        for one in found:
            click.echo(f"{one.verdict:<8} {one.check:<{width}}  {one.says}")
    sys.exit(worst(found))


def _send_trial(settings: Settings) -> Finding:
    name, address = settings.qa_reviewers[0]
    Mailer(settings.mail_from, settings.ses_configuration_set).send(
        compose_trial(name, address, settings.public_url)
    )
    return ok("test email", f"Sent to {address}: ask whether it came, and not as spam.")


def stop(*lines: str) -> NoReturn:
    """End with sentences on standard error and exit code 2."""
    click.echo("\n".join(lines), err=True)
    sys.exit(2)


COMMANDS = (setup, protect, doctor, backup, restore)
