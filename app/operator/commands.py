"""The operator's commands as click sees them: what they take, what they print, how they end.

`cli` adds them to its own. Exit codes: 0 is well, 1 is not all well, 2 means that nothing could be done.
"""

from __future__ import annotations

import sys

import click

from app.github_client import Api, GitHubError, NoPlan
from app.operator.protect import carry_out, plans
from app.settings import Settings, operators_token

ADVISES = (
    "This plan has no rulesets and no branch protection for this repository, so the gate only advises: "
    "whoever may push can merge without QA. A paid plan or a public repository lifts that."
)


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


def stop(*lines: str) -> None:
    """End with sentences on standard error and exit code 2."""
    click.echo("\n".join(lines), err=True)
    sys.exit(2)


COMMANDS = (protect,)
