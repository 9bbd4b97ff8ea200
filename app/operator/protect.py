"""`qa-gate protect`: plan and make the lock on the gated branches, with the operator's own token; `doctor` reads it, too.

It only ever adds: a ruleset of its own for each branch, or, where a GitHub has no rulesets, what is missing of branch
protection. Of what others set up nothing is taken away and nothing loosened. Rules of several rulesets add up.
https://docs.github.com/en/rest/repos/rules
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click

from app import stop
from app.domain.statuses import context_of
from app.github.answers import GitHubError, NoPlan, Refused, Unauthorized
from app.github.api import Api
from app.github.commits import is_own
from app.settings import Settings, operators_token
from app.settings.file import WHERE

Json = dict[str, Any]
CHECKS = "required_status_checks"
# The rules of the lock beside its status, as GitHub calls them, and what each brings.
_RULES = {
    "pull_request": "a pull request for every change",
    "non_fast_forward": "no forced pushes",
    "deletion": "no deletion",
}
# The least that a rule asks: a pull request, by whatever method. Of several such rules the strictest counts.
_PULL_REQUEST = {
    "dismiss_stale_reviews_on_push": False,
    "require_code_owner_review": False,
    "require_last_push_approval": False,
    "required_approving_review_count": 0,
    "required_review_thread_resolution": False,
}
_SWITCHES = (
    "required_linear_history block_creations required_conversation_resolution lock_branch allow_fork_syncing "
    "enforce_admins"
).split()
# What of a rule for pull requests asks for people's reviews, in rulesets and in branch protection.
_WISHES = (
    "required_approving_review_count require_code_owner_review require_code_owner_reviews require_last_push_approval"
).split()


@click.command()
@click.argument("repository")
@click.option("--yes", is_flag=True, help="Do it; otherwise only the plan is shown.")
def protect(repository: str, yes: bool) -> None:
    """Lock the gated branches of OWNER/REPO. Then nothing gets in without QA's approval.

    Uses your own token, GH_TOKEN, which needs the right to administer the repository and is not kept.
    """
    settings, token = Settings.load(), operators_token()
    if not token:
        stop("Set GH_TOKEN to a token of yours that may administer the repository. It isn't kept.")
    if repository.casefold() not in {name.casefold() for name in settings.github_repositories}:
        stop(f"{repository} isn't in GITHUB_REPOSITORIES, so the gate would never set its status there.")
    api = Api.with_token(settings.github_api_url, token)
    try:
        about = api.call("GET", f"/repos/{repository}").data
        branches = {name: read_branch(api, repository, name, admin=True) for name in settings.branches}
        plans = [_plan(api, about, branch, settings) for branch in branches.values() if branch]
        if yes:
            for plan in plans:
                if plan:
                    api.call(*plan)
    except GitHubError as error:
        is_about_rights = isinstance(error, Refused) and not isinstance(error, NoPlan)
        needs = f" Has GH_TOKEN Administration: read and write on {repository}?"
        says = "GitHub does not accept GH_TOKEN." if isinstance(error, Unauthorized) else error.reason
        click.echo(says + (needs if is_about_rights else ""), err=True)
        sys.exit(1)
    absent = [name for name, branch in branches.items() if not branch]
    if any(plans) and not yes:
        click.echo("Nothing has been changed. To do this, run it again with --yes.")
    elif not absent:
        click.echo("Done." if any(plans) else "Nothing to do.")
    for name in absent:
        click.echo(f"! {no_branch(settings, repository, name)}")
    sys.exit(1 if absent else 0)


def _plan(api: Api, about: Json, branch: Branch, settings: Settings) -> tuple[str, str, Json] | None:
    """Show what a branch lacks; return the call that adds it, if any. Raises GitHubError."""
    at, app_id = f"/repos/{about['full_name']}", settings.github_app_id
    rulesets = _rulesets(api, at, branch) if branch.has_rulesets else []
    to_add = branch.missing(app_id)
    click.echo(f"{about['full_name']}, branch {branch.name}:" + ("" if to_add else " locked already"))
    for rule in to_add:
        click.echo(f"  + {rule}")
    for line in (*branch.blocking(app_id), *branch.warnings(), *_warnings(about, branch, rulesets, app_id)):
        click.echo(f"  ! {line}")
    if not to_add:
        return None
    if not branch.has_rulesets:
        body = protection(branch.protection, branch.context, app_id)
        return "PUT", f"{at}/branches/{quote(branch.name)}/protection", body
    own = next((one for one in rulesets if one["name"] == branch.ruleset), None)
    body = _ruleset(own or {}, branch, app_id)
    return ("PUT", f"{at}/rulesets/{own['id']}", body) if own else ("POST", f"{at}/rulesets", body)


def no_branch(settings: Settings, repository: str, branch: str) -> str:
    """Say what to do where a gated branch isn't at GitHub."""
    is_release = branch == settings.release_branch
    name = "RELEASE_BRANCH (empty for no release gate)" if is_release else "DEVELOPMENT_BRANCH"
    return f"{repository} has no branch {branch}: make it, or change {name}, in {WHERE}."


@dataclass(frozen=True, slots=True)
class Branch:
    """What was read of a branch: active rules, those of branch protection in the words of rulesets."""

    name: str
    rules: tuple[Json, ...]
    has_rulesets: bool  # older Enterprise Servers have none
    protection: Json | None  # as much of branch protection as the asker may see

    @property
    def context(self) -> str:
        return context_of(self.name)

    @property
    def ruleset(self) -> str:
        return f"qa-gate: {self.name}"

    def missing(self, app_id: int | None) -> list[str]:
        """Return what the lock lacks; without an App, anybody's status of the name will do."""
        there = {rule["type"] for rule in self.rules}
        found = [brings for kind, brings in _RULES.items() if kind not in there]
        fits = (app_id is None or check.get("integration_id") == app_id for check in self.own_checks())
        if not any(fits):
            found.append(f"the status {self.context}" + (f", from the App {app_id} only" if app_id else ""))
        return found

    def own_checks(self) -> list[Json]:
        """Return what is required under the name of the gate's status for this branch."""
        return [one for one in _checks(self.rules) if one["context"].casefold() == self.context.casefold()]

    def blocking(self, app_id: int | None) -> Iterator[str]:
        """Yield what is required that can never come."""
        gone = "nothing can merge until that rule is gone."
        bound = {check.get("integration_id") or app_id for check in self.own_checks()}
        for other in sorted(app for app in bound if app and app_id and app != app_id):
            yield f"{self.context} is required from another App ({other}): {gone}"
        for name in sorted({check["context"].casefold() for check in _checks(self.rules)}):
            if is_own(name) and name != self.context.casefold():
                yield f"{name} is required, which the gate never sets there: {gone}"

    def warnings(self) -> Iterator[str]:
        """Yield what else of its rules touches the gate."""
        asked = [rule.get("parameters") or {} for rule in self.rules if rule["type"] == "pull_request"]
        if any(parameters.get(wish) for parameters in asked for wish in _WISHES):
            yield "It also requires people's reviews, and the gate's own may not count: then each change needs a developer's."
        if any(rule["type"] == "merge_queue" for rule in self.rules):
            yield "It has a merge queue, which the gate can't use: approvals would wait for ever. Switch the queue off."
        if self.protection and not _is_on(self.protection, "enforce_admins"):
            yield "Administrators may go around its branch protection."


def read_branch(api: Api, repository: str, name: str, admin: bool) -> Branch | None:
    """Read what is required of a branch, if it's there; `admin` may read all of its protection. Raises GitHubError."""
    at, escaped = f"/repos/{repository}", quote(name)
    found = api.get(f"{at}/branches/{escaped}")
    if found is None:
        return None
    protection = None
    if admin:
        protection = api.get(f"{at}/branches/{escaped}/protection")
    elif found.get("protected"):
        protection = _as_seen_by_all(found.get("protection") or {})
    path = f"{at}/rules/branches/{escaped}"
    has_rulesets = api.get(f"{path}?per_page=1") is not None
    rules = (*(api.all(path) if has_rulesets else ()), *_as_rules(protection))
    return Branch(name, rules, has_rulesets, protection)


def _checks(rules: Iterable[Json]) -> list[Json]:
    """Return the statuses that rules require."""
    found = [rule.get("parameters") or {} for rule in rules if rule["type"] == CHECKS]
    return [check for parameters in found for check in parameters.get(CHECKS, [])]


def _as_seen_by_all(summary: Json) -> Json:
    """Return what a branch itself tells of its protection; force pushes and deletions are off unless allowed."""
    checks = summary.get(CHECKS) or {}
    is_strict = {"enabled": checks.get("enforcement_level") == "everyone"}
    reviews = {"required_approving_review_count": 0}  # that there are such rules is not told
    return {CHECKS: checks, "required_pull_request_reviews": reviews, "enforce_admins": is_strict}


def _as_rules(protection: Json | None) -> Iterator[Json]:
    """Yield branch protection as the rules of a ruleset would say it."""
    if protection is None:
        return
    if reviews := protection.get("required_pull_request_reviews"):
        yield {"type": "pull_request", "parameters": reviews}
    for kind, name in (("non_fast_forward", "allow_force_pushes"), ("deletion", "allow_deletions")):
        if not _is_on(protection, name):
            yield {"type": kind}
    required = protection.get(CHECKS) or {}
    checks = required.get("checks") or [{"context": name} for name in required.get("contexts", [])]
    apps = [(one["context"], one.get("app_id") or -1) for one in checks]  # -1: from anybody
    bound = [{"context": name, "integration_id": app if app > 0 else None} for name, app in apps]
    yield {"type": CHECKS, "parameters": {CHECKS: bound}}


def _is_on(protection: Json, name: str) -> bool:
    return bool((protection.get(name) or {}).get("enabled"))


def _rulesets(api: Api, at: str, branch: Branch) -> list[Json]:
    """Return the repository's own rulesets that this branch is under, and ours though it be switched off."""
    active = {rule.get("ruleset_id") for rule in branch.rules}
    listed = api.all(f"{at}/rulesets?includes_parents=false&targets=branch")
    wanted = [one["id"] for one in listed if one["id"] in active or one["name"] == branch.ruleset]
    return [api.call("GET", f"{at}/rulesets/{number}").data for number in wanted]


def _warnings(about: Json, branch: Branch, rulesets: list[Json], app_id: int | None) -> Iterator[str]:
    if app_id is None:
        yield "The gate acts with a token: whoever may push can set its status by hand. A GitHub App prevents that."
    if about.get("delete_branch_on_merge"):
        yield "GitHub deletes head branches after a merge here: only the rule against deletion keeps this one."
    for one in rulesets:
        if many := len(one.get("bypass_actors") or []):
            yield f'Roles, teams or Apps ({many}) may bypass the ruleset "{one["name"]}", and so merge around QA.'
    if {rule.get("ruleset_id") for rule in branch.rules} - {None, *(one["id"] for one in rulesets)}:
        yield "Some of its rules are set for the whole organization: look there who may bypass them."


def _ruleset(own: Json, branch: Branch, app_id: int | None) -> Json:
    """Return our ruleset for a branch, made from what it is today: what somebody added to it stays."""
    ref, names = f"refs/heads/{branch.name}", (own.get("conditions") or {}).get("ref_name") or {}
    included = [one for one in names.get("include", []) if one != ref]
    excluded = [one for one in names.get("exclude", []) if one != ref]
    rules: dict[str, Json] = {kind: {"type": kind} for kind in _RULES}
    rules["pull_request"]["parameters"] = _PULL_REQUEST
    rules |= {one["type"]: one for one in own.get("rules", [])}
    parameters = rules.get(CHECKS, {}).get("parameters") or {"strict_required_status_checks_policy": False}
    others = [one for one in parameters.get(CHECKS, []) if one["context"] != branch.context]
    ours = {"context": branch.context} | ({"integration_id": app_id} if app_id else {})
    rules[CHECKS] = {"type": CHECKS, "parameters": {**parameters, CHECKS: [*others, ours]}}
    return {
        "name": branch.ruleset,
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": own.get("bypass_actors") or [],
        "conditions": {"ref_name": {"include": [*included, ref], "exclude": excluded}},
        "rules": list(rules.values()),
    }


def protection(old: Json | None, context: str, app_id: int | None) -> Json:
    """Return branch protection with ours added; the call replaces all of it, so the rest is said again as it is.

    https://docs.github.com/en/rest/branches/branch-protection#update-branch-protection
    """
    now = old or {"enforce_admins": {"enabled": True}}
    required, reviews = now.get(CHECKS) or {}, now.get("required_pull_request_reviews") or {}
    # -1: from anybody; left out, GitHub would choose an App by itself.
    checks = {one["context"]: one.get("app_id") or -1 for one in required.get("checks") or []}
    checks[context] = app_id or -1
    kept = ("dismiss_stale_reviews", "require_code_owner_reviews", "require_last_push_approval")
    people = ("dismissal_restrictions", "bypass_pull_request_allowances")
    return {
        CHECKS: {
            "strict": bool(required.get("strict")),
            "checks": [{"context": name, "app_id": app} for name, app in checks.items()],
        },
        "required_pull_request_reviews": {
            **{name: bool(reviews.get(name)) for name in kept},
            "required_approving_review_count": reviews.get("required_approving_review_count", 0),
            **{name: _people(reviews[name]) for name in people if reviews.get(name)},
        },
        "restrictions": _people(now["restrictions"]) if now.get("restrictions") else None,
        **{name: _is_on(now, name) for name in _SWITCHES},
        "allow_force_pushes": False,
        "allow_deletions": False,
    }


def _people(named: Json) -> Json:
    """Return people, teams and Apps by name, as the call takes them."""
    keys = {"users": "login", "teams": "slug", "apps": "slug"}
    return {kind: [one[key] for one in named.get(kind, [])] for kind, key in keys.items()}
