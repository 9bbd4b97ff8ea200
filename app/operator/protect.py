"""`qa-gate protect`: plan and make the lock on the gated branches, with the operator's own token; `doctor` reads it, too.

It only ever adds: a ruleset of its own for each branch, or, where a GitHub has no rulesets, what is missing of branch
protection. Of what others set up nothing is taken away and nothing loosened. Rules of several rulesets add up.
https://docs.github.com/en/rest/repos/rules
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import click

from app.domain.blocked import Why
from app.github.answers import GitHubError, Refused, Unauthorized
from app.github.api import Api, NoPlan
from app.operator import stop
from app.settings import Settings, operators_token
from app.settings.file import WHERE

Json = dict[str, Any]
Call = tuple[str, str, Json]
ADVISES = (
    "This plan has no rulesets and no branch protection for this repository, so the gate only advises: "
    "whoever may push can merge without QA. A paid plan or a public repository lifts that."
)
CHECKS = "required_status_checks"
_OURS = "qa-gate: "  # so begin the names of our rulesets
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


class Rule(NamedTuple):
    """A rule of the lock as GitHub calls it, what it brings, and what is wrong without it."""

    kind: str
    brings: str
    problem: str


_RULES = (
    Rule("pull_request", "a pull request for every change", "a pull request is not required"),
    Rule("non_fast_forward", "no forced pushes", "forced pushes are allowed"),
    Rule("deletion", "no deletion", "it may be deleted"),
)


@click.command()
@click.argument("repository")
@click.option("--yes", is_flag=True, help="Do it; otherwise only the plan is shown.")
def protect(repository: str, yes: bool) -> None:
    """Lock the gated branches of OWNER/REPO: nothing gets in without QA's approval.

    Uses your own token, GH_TOKEN, which needs the right to administer the repository and is not kept.
    """
    settings, token = Settings.load(), operators_token()
    if not token:
        stop("Set GH_TOKEN to a token of yours that may administer the repository. It isn't kept.")
    if repository.casefold() not in {name.casefold() for name in settings.github_repositories}:
        stop(f"{repository} isn't in GITHUB_REPOSITORIES, so the gate would never set its status there.")
    api, locked = Api.with_token(settings.github_api_url, token), list[str]()
    try:
        plans = list(_plan(api, repository, settings))
        for branch, change in plans:
            if yes and change:
                api.call(*change)
                locked.append(branch.name)
    except NoPlan:
        click.echo(ADVISES)
        sys.exit(1)
    except GitHubError as error:
        kept = f"Only {', '.join(locked)} was locked." if locked else "Nothing was changed."
        click.echo(f"{_why(error, repository)} {kept}", err=True)
        sys.exit(1)
    absent = [branch.name for branch, _ in plans if not branch.exists]
    if not yes and any(change for _, change in plans):
        click.echo("Nothing has been changed. To do this, run it again with --yes.")
    elif absent:
        click.echo(f"Not locked: {', '.join(absent)}. Once that's put right, run it again.")
    else:
        click.echo("Done." if locked else "Nothing to do.")
    sys.exit(1 if absent else 0)


def _why(error: GitHubError, repository: str) -> str:
    """Say what is wrong with the operator's own token, which no sentence of the gate's is about."""
    if isinstance(error, Unauthorized):
        return f"GitHub doesn't accept GH_TOKEN{f': {error.words}' if error.words else ''}."
    kind = error.kind if isinstance(error, Refused) else ""
    if kind == Why.GONE:
        return f"GH_TOKEN finds no {repository}: is the name right, and may the token use it?"
    if kind == Why.RIGHTS:
        return f"GH_TOKEN needs Administration: read and write on {repository}."
    return error.reason


def _plan(api: Api, repository: str, settings: Settings) -> Iterator[tuple[Branch, Call | None]]:
    """Show of each gated branch what it lacks; yield it with the call that adds it, if any. Raises GitHubError."""
    at, app_id = f"/repos/{repository}", settings.github_app_id
    about = api.call("GET", at).data
    for name in settings.branches:
        branch = read_branch(api, repository, name, admin=True)
        click.echo(f"{repository}, branch {name}:")
        if not branch.exists:
            click.echo(f"  ! {to_set(settings, name, about)}")
            yield branch, None
            continue
        rulesets = _rulesets(api, repository, branch) if branch.has_rulesets else []
        own = next((one for one in rulesets if one["name"] == branch.ruleset), None)
        to_add = branch.missing(app_id)
        if not to_add and own and any(not _fits(check, app_id) for check in _checks(own["rules"], branch)):
            to_add = [_status_rule(branch, app_id)]
        for rule in to_add:
            click.echo(f"  + {rule.brings}")
        if not to_add:
            click.echo("  locked already")
        wrong = (*branch.blocking(app_id), *branch.warnings(), *_warnings(about, branch, rulesets, app_id))
        for line in wrong:
            click.echo(f"  ! {line}")
        if not branch.has_rulesets:
            body = protection(branch.protection, branch.context, app_id)
            call = ("PUT", f"{at}/branches/{quote(name)}/protection", body)
        else:
            method, place = ("PUT", f"/{own['id']}") if own else ("POST", "")
            call = (method, f"{at}/rulesets{place}", _ruleset(own or {}, branch, app_id))
        yield branch, call if to_add else None
    for line in left_over(api, about, settings.branches):
        click.echo(f"! {line}")


def to_set(settings: Settings, branch: str, about: Json) -> str:
    """Say what to set where a gated branch isn't at GitHub; `about` is the repository."""
    default, none = about.get("default_branch"), "RELEASE_BRANCH= for no release gate"
    if branch == settings.release_branch:
        to = f"RELEASE_BRANCH to its name, or {none}"
    elif default == settings.release_branch:
        to = f"DEVELOPMENT_BRANCH={default} and {none}"
    else:
        to = "DEVELOPMENT_BRANCH to its name" if default == branch else f"DEVELOPMENT_BRANCH={default}"
    return f"{about.get('full_name')} has no branch {branch}: make it, or set {to}, in {WHERE}."


def left_over(api: Api, about: Json, branches: tuple[str, ...]) -> Iterator[str]:
    """Yield which rulesets of ours are there still, though their branch isn't gated any more."""
    path = f"/repos/{about['full_name']}/rulesets?includes_parents=false"
    listed = api.all(f"{path}&targets=branch") if api.get(f"{path}&per_page=1") is not None else []
    for name in (str(one["name"]) for one in listed):
        branch = name.removeprefix(_OURS)
        if branch != name and branch not in branches:
            why = f"{branch} isn't gated any more, and nothing can be merged there"
            yield f'The ruleset "{name}" is still there: {why}. Delete it at {about["html_url"]}/settings/rules.'


@dataclass(frozen=True, slots=True)
class Branch:
    """What was read of a branch: active rules, those of branch protection in the words of rulesets."""

    name: str
    exists: bool
    rules: tuple[Json, ...]
    has_rulesets: bool  # older Enterprise Servers have none
    protection: Json | None  # as much of branch protection as the asker may see

    @property
    def context(self) -> str:
        return f"qa-gate/{self.name}"

    @property
    def ruleset(self) -> str:
        return _OURS + self.name

    def missing(self, app_id: int | None) -> list[Rule]:
        """Return the rules that are missing; without an App, anybody's status of the name will do."""
        there = {rule["type"] for rule in self.rules}
        found = [rule for rule in _RULES if rule.kind not in there]
        if not any(_fits(check, app_id) for check in _checks(self.rules, self)):
            found.append(_status_rule(self, app_id))
        return found

    def blocking(self, app_id: int | None) -> Iterator[str]:
        """Yield what is required that can never come."""
        gone = "nothing can merge until that rule is gone."
        bound = {check.get("integration_id") or app_id for check in _checks(self.rules, self)}
        for other in sorted(app for app in bound if app and app_id and app != app_id):
            yield f"{self.context} is required from another App ({other}): {gone}"
        for name in sorted({check["context"].casefold() for check in _checks(self.rules)}):
            if name.startswith("qa-gate/") and name != self.context.casefold():
                yield f"{name} is required, which the gate never sets there: {gone}"

    def warnings(self) -> Iterator[str]:
        """Yield what else of its rules touches the gate."""
        wishes = "required_approving_review_count require_code_owner_review require_code_owner_reviews"
        asked = [rule.get("parameters") or {} for rule in self.rules if rule["type"] == "pull_request"]
        if any(
            parameters.get(wish)
            for parameters in asked
            for wish in (*wishes.split(), "require_last_push_approval")
        ):
            yield "It also requires people's reviews, and the gate's own may not count: then each change needs a developer's."
        if any(rule["type"] == "merge_queue" for rule in self.rules):
            yield "It has a merge queue, which the gate can't use: approvals would wait for ever. Switch the queue off."
        if self.protection and not _is_on(self.protection, "enforce_admins"):
            yield "Administrators may go around its branch protection."


def read_branch(api: Api, repository: str, name: str, admin: bool) -> Branch:
    """Read what is required of a branch; `admin` may read all of branch protection. Raises GitHubError."""
    at, escaped = f"/repos/{repository}", quote(name)
    found = api.get(f"{at}/branches/{escaped}")
    path, protection = f"{at}/rules/branches/{escaped}", None
    has_rulesets = api.get(f"{path}?per_page=1") is not None
    if found and admin:
        protection = api.get(f"{at}/branches/{escaped}/protection")
    elif found and found.get("protected"):
        protection = _as_seen_by_all(found.get("protection") or {})
    rules = [*(api.all(path) if has_rulesets else ()), *_as_rules(protection)]
    return Branch(name, bool(found), tuple(rules), has_rulesets, protection)


def _status_rule(branch: Branch, app_id: int | None) -> Rule:
    brings = f"the status {branch.context}" + (f", from the App {app_id} only" if app_id else "")
    problem = f"{branch.context} is not required" + (" from the App" if app_id else "")
    return Rule(CHECKS, brings, problem)


def _checks(rules: Iterable[Json], branch: Branch | None = None) -> list[Json]:
    """Return the statuses that rules require: all, or those called as the gate's for a branch."""
    found = [rule.get("parameters") or {} for rule in rules if rule["type"] == CHECKS]
    checks = [check for parameters in found for check in parameters.get(CHECKS, [])]
    return [one for one in checks if not branch or one["context"].casefold() == branch.context.casefold()]


def _fits(check: Json, app_id: int | None) -> bool:
    return app_id is None or check.get("integration_id") == app_id


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


def _rulesets(api: Api, repository: str, branch: Branch) -> list[Json]:
    """Return the repository's own rulesets that this branch is under, and ours though it be switched off."""
    at = f"/repos/{repository}/rulesets"
    active = {rule.get("ruleset_id") for rule in branch.rules}
    listed = api.all(f"{at}?includes_parents=false&targets=branch")
    wanted = [one["id"] for one in listed if one["id"] in active or one["name"] == branch.ruleset]
    return [api.call("GET", f"{at}/{number}").data for number in wanted]


def _warnings(about: Json, branch: Branch, rulesets: list[Json], app_id: int | None) -> Iterator[str]:
    if app_id is None:
        yield "The gate acts with a token: whoever may push can set its status by hand. A GitHub App prevents that."
    if about.get("delete_branch_on_merge"):
        yield "GitHub deletes head branches after a merge here: only the rule against deletion keeps this one."
    for one in rulesets:
        if many := len(one.get("bypass_actors") or []):
            who = "1 role, team or App" if many == 1 else f"{many} roles, teams or Apps"
            yield f'{who} may bypass the ruleset "{one["name"]}", and so merge around QA.'
    if {rule.get("ruleset_id") for rule in branch.rules} - {None, *(one["id"] for one in rulesets)}:
        yield "Some of its rules are set for the whole organization: look there who may bypass them."


def _ruleset(own: Json, branch: Branch, app_id: int | None) -> Json:
    """Return our ruleset for a branch, made from what it is today: what somebody added to it stays."""
    ref, names = f"refs/heads/{branch.name}", (own.get("conditions") or {}).get("ref_name") or {}
    included = [one for one in names.get("include", []) if one != ref]
    excluded = [one for one in names.get("exclude", []) if one != ref]
    rules: dict[str, Json] = {rule.kind: {"type": rule.kind} for rule in _RULES}
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
