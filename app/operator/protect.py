"""`qa-gate protect`: plan and make the lock on the gated branches, with the operator's own token.

Called by `commands`. It only ever adds: a ruleset of its own for each branch, or, where a GitHub has no rulesets, what
is missing of branch protection. Of what others set up nothing is taken away and nothing loosened.
https://docs.github.com/en/rest/repos/rules
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.github.api import Api
from app.operator.lock import Branch, Json, context_of, is_on, read_branch

# The least that the rule asks: a pull request, by whatever method. Of several such rules the strictest counts.
_PULL_REQUEST = {
    "dismiss_stale_reviews_on_push": False,
    "require_code_owner_review": False,
    "require_last_push_approval": False,
    "required_approving_review_count": 0,
    "required_review_thread_resolution": False,
}
_KEPT = ("name", "target", "enforcement", "conditions", "rules", "bypass_actors")
_SWITCHES = (
    "required_linear_history",
    "block_creations",
    "required_conversation_resolution",
    "lock_branch",
    "allow_fork_syncing",
)
WORDS = {
    "pull_request": "a pull request for every change",
    "non_fast_forward": "no forced pushes",
    "deletion": "no deletion",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for a branch: in words, and as one call; nothing when it is locked already."""

    branch: str
    adds: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    call: tuple[str, str, Json] | None = None


def plans(api: Api, repository: str, branches: tuple[str, ...], app_id: int | None) -> Iterator[Plan]:
    """Yield what each branch lacks; changes nothing. Raises NoPlan where the plan has no locks, else GitHubError."""
    about = api.call("GET", f"/repos/{repository}").data
    for name in branches:
        branch = read_branch(api, repository, name, admin=True)
        sets = [] if branch.rules is None else _rulesets(api, repository, branch)
        own = next((one for one in sets if one["name"] == _name(name)), None)
        plan = _plan(repository, branch, own, app_id)
        warned = [*_warnings(about, branch, app_id), *_bypasses(sets)]
        if _unseen_bypass(branch, sets):
            warned.append(
                "Some of its rules are set for the whole organization: look there who may bypass them."
            )
        yield Plan(name, plan.adds, (*branch.warnings, *warned), plan.call)


def carry_out(api: Api, plan: Plan) -> None:
    """Do what a plan says. Raises GitHubError."""
    if plan.call:
        method, path, body = plan.call
        api.call(method, path, body)


def _name(branch: str) -> str:
    return f"qa-gate: {branch}"


def _rulesets(api: Api, repository: str, branch: Branch) -> list[Json]:
    """Return the repository's own rulesets that this branch is under, and ours though it be switched off."""
    at = f"/repos/{repository}/rulesets"
    active = {one.get("ruleset_id") for one in branch.rules or ()}
    listed = api.all(f"{at}?includes_parents=false&targets=branch")
    wanted = [one["id"] for one in listed if one["id"] in active or one["name"] == _name(branch.name)]
    return [api.call("GET", f"{at}/{number}").data for number in wanted]


def _plan(repository: str, branch: Branch, own: Json | None, app_id: int | None) -> Plan:
    context = context_of(branch.name)
    missing = branch.lock.lacks(context, app_id)
    if own and any(check["context"] == context and not _fits(check, app_id) for check in _checks(own)):
        missing = [*missing, "required_status_checks"]
    if not missing:
        return Plan(branch.name)
    words = [WORDS[rule] for rule in missing if rule in WORDS]
    if "required_status_checks" in missing:
        words.append(f"the status {context}" + (f", from the App {app_id} only" if app_id else ""))
    if branch.rules is None:
        path = f"/repos/{repository}/branches/{quote(branch.name)}/protection"
        return Plan(
            branch.name, tuple(words), call=("PUT", path, protection(branch.protection, context, app_id))
        )
    method, path = ("PUT", f"/rulesets/{own['id']}") if own else ("POST", "/rulesets")
    body = ruleset(own, branch.name, app_id)
    return Plan(branch.name, tuple(words), call=(method, f"/repos/{repository}{path}", body))


def ruleset(own: Json | None, branch: str, app_id: int | None) -> Json:
    """Return our ruleset for a branch, made from what it is today: what somebody added to it stays."""
    made: Json = {name: own[name] for name in _KEPT if own and own.get(name) is not None}
    made |= {"name": _name(branch), "target": "branch", "enforcement": "active"}
    made.setdefault("bypass_actors", [])
    ref, names = f"refs/heads/{branch}", (made.get("conditions") or {}).get("ref_name") or {}
    included, excluded = names.get("include", []), names.get("exclude", [])
    include = included if ref in included else [*included, ref]
    made["conditions"] = {
        "ref_name": {"include": include, "exclude": [one for one in excluded if one != ref]}
    }
    rules = {one["type"]: one for one in made.get("rules", [])}
    rules.setdefault("pull_request", {"type": "pull_request", "parameters": _PULL_REQUEST})
    rules.setdefault("non_fast_forward", {"type": "non_fast_forward"})
    rules.setdefault("deletion", {"type": "deletion"})
    rules["required_status_checks"] = _with_our_check(rules.get("required_status_checks"), branch, app_id)
    made["rules"] = list(rules.values())
    return made


def _with_our_check(rule: Json | None, branch: str, app_id: int | None) -> Json:
    context = context_of(branch)
    parameters = (rule or {}).get("parameters") or {"strict_required_status_checks_policy": False}
    others = [one for one in parameters.get("required_status_checks", []) if one["context"] != context]
    ours = {"context": context} | ({"integration_id": app_id} if app_id else {})
    checks = {"required_status_checks": [*others, ours]}
    return {"type": "required_status_checks", "parameters": {**parameters, **checks}}


def _checks(own: Json) -> list[Json]:
    rules = [one for one in own.get("rules", []) if one["type"] == "required_status_checks"]
    return [check for one in rules for check in one["parameters"]["required_status_checks"]]


def _fits(check: Json, app_id: int | None) -> bool:
    return app_id is None or check.get("integration_id") == app_id


# --- Warnings ------------------------------------------------------------------------------------------------


def _warnings(about: Json, branch: Branch, app_id: int | None) -> Iterator[str]:
    if not branch.exists:
        yield f"There is no branch {branch.name} yet."
    for other in sorted(branch.lock.strangers(context_of(branch.name), app_id) if app_id else ()):
        yield f"Its status is also required from another App ({other}). Nothing can merge until that rule is gone."
    if app_id is None:
        yield "The gate acts with a token: whoever may push can set its status by hand. A GitHub App prevents that."
    if about.get("delete_branch_on_merge"):
        yield "GitHub deletes head branches after a merge here: only the rule against deletion keeps this one."


def _bypasses(sets: list[Json]) -> Iterator[str]:
    for one in sets:
        if many := len(one.get("bypass_actors") or []):
            who = "1 role, team or App" if many == 1 else f"{many} roles, teams or Apps"
            yield f'{who} may bypass the ruleset "{one["name"]}", and so merge around QA.'


def _unseen_bypass(branch: Branch, sets: list[Json]) -> bool:
    return bool({one.get("ruleset_id") for one in branch.rules or ()} - {one["id"] for one in sets})


# --- Branch protection, where there are no rulesets ----------------------------------------------------------


def protection(old: Json | None, context: str, app_id: int | None) -> Json:
    """Return branch protection with ours added; the call replaces all of it, so the rest is said again as it is.

    https://docs.github.com/en/rest/branches/branch-protection#update-branch-protection
    """
    now = old or {"enforce_admins": {"enabled": True}}
    required = now.get("required_status_checks") or {}
    checks = [
        # -1: from anybody; left out, GitHub would choose an App by itself.
        {"context": one["context"], "app_id": one.get("app_id") or -1}
        for one in required.get("checks") or []
        if one["context"] != context
    ]
    ours = {"context": context, "app_id": app_id or -1}
    return {
        "required_status_checks": {"strict": bool(required.get("strict")), "checks": [*checks, ours]},
        "enforce_admins": is_on(now, "enforce_admins"),
        "required_pull_request_reviews": _reviews(now.get("required_pull_request_reviews") or {}),
        "restrictions": _people(now["restrictions"]) if now.get("restrictions") else None,
        **{name: is_on(now, name) for name in _SWITCHES},
        "allow_force_pushes": False,
        "allow_deletions": False,
    }


def _reviews(old: Json) -> Json:
    kept = ("dismiss_stale_reviews", "require_code_owner_reviews", "require_last_push_approval")
    made: Json = {name: bool(old.get(name)) for name in kept}
    made["required_approving_review_count"] = old.get("required_approving_review_count", 0)
    for name in ("dismissal_restrictions", "bypass_pull_request_allowances"):
        if old.get(name):
            made[name] = _people(old[name])
    return made


def _people(named: dict[str, Any]) -> Json:
    """Return people, teams and Apps by name, as the call takes them."""
    keys = {"users": "login", "teams": "slug", "apps": "slug"}
    return {kind: [one[key] for one in named.get(kind, [])] for kind, key in keys.items()}
