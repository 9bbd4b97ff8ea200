"""What GitHub requires of a gated branch, and what it should: rules of rulesets and of branch protection together.

`protect` and `doctor` ask. Only reads. Rules of several rulesets add up, the strictest counts.
https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/about-rulesets#about-rule-layering
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from app.github.api import Api

Json = dict[str, Any]
_PLAIN_RULES = {"pull_request": "pull request", "non_fast_forward": "force push", "deletion": "deletion"}


@dataclass(frozen=True, slots=True)
class Lock:
    """What is required of one branch; `checks` are (context in lower case, App id or None for anybody's)."""

    rules: frozenset[str] = frozenset()  # of _PLAIN_RULES
    checks: frozenset[tuple[str, int | None]] = frozenset()

    def lacks(self, context: str, app_id: int | None) -> list[str]:
        """Return what is missing, as GitHub's rules are called; without an App any check of the name will do."""
        missing = [rule for rule in _PLAIN_RULES if rule not in self.rules]
        return missing if self.holds(context, app_id) else [*missing, "required_status_checks"]

    def holds(self, context: str, app_id: int | None) -> bool:
        """Tell whether the check is required, and of this App where there is one."""
        return any(name == context.casefold() and app_id in (None, bound) for name, bound in self.checks)

    def strangers(self, context: str, app_id: int | None) -> set[int]:
        """Return the other Apps that the check is required from: ours can then never satisfy it."""
        bound = {app for name, app in self.checks if name == context.casefold()}
        return {app for app in bound if app is not None and app != app_id}


@dataclass(frozen=True, slots=True)
class Branch:
    """What was read of a branch."""

    name: str
    exists: bool
    lock: Lock
    rules: tuple[Json, ...] | None  # active ones of rulesets; None: this GitHub has no rulesets
    protection: Json | None = None  # as much of classic branch protection as the asker may see
    warnings: tuple[str, ...] = field(default=())


def context_of(branch: str) -> str:
    """Return the status that the gate sets for a branch."""
    return f"qa-gate/{branch}"


def read_branch(api: Api, repository: str, name: str, admin: bool) -> Branch:
    """Read what is required of a branch; `admin` may read all of classic protection. Raises GitHubError."""
    at, escaped = f"/repos/{repository}", quote(name)
    found = api.get(f"{at}/branches/{escaped}")
    rules = _rules(api, f"{at}/rules/branches/{escaped}")
    protection = api.get(f"{at}/branches/{escaped}/protection") if admin and found else None
    if not admin and found and found.get("protected"):
        protection = _as_seen_by_all(found.get("protection") or {})
    lock = Lock(
        frozenset(_PLAIN_RULES) & ({one["type"] for one in rules or ()} | _classic_rules(protection)),
        frozenset([*_checks_of(rules or ()), *_classic_checks(protection)]),
    )
    warned = (*_cautions_of(rules or ()), *_classic_cautions(protection))
    return Branch(name, bool(found), lock, rules, protection, warned)


def _rules(api: Api, path: str) -> tuple[Json, ...] | None:
    """Return the active rules, None where there are no rulesets at all (older Enterprise Servers)."""
    if api.call("GET", f"{path}?per_page=1", wanted=(200, 404)).status == 404:
        return None
    return tuple(api.all(path))


def _parameters(rules: Iterable[Json], kind: str) -> list[Json]:
    return [one.get("parameters") or {} for one in rules if one.get("type") == kind]


def _checks_of(rules: Iterable[Json]) -> Iterable[tuple[str, int | None]]:
    for parameters in _parameters(rules, "required_status_checks"):
        for check in parameters.get("required_status_checks", []):
            yield str(check["context"]).casefold(), check.get("integration_id")


def _cautions_of(rules: Iterable[Json]) -> Iterable[str]:
    rules = list(rules)
    asked = _parameters(rules, "pull_request")
    if any(_wants_people(parameters) for parameters in asked):
        yield REVIEWS
    if _parameters(rules, "merge_queue") or any(one["type"] == "merge_queue" for one in rules):
        yield QUEUE


def _wants_people(reviews: Mapping[str, Any]) -> bool:
    wishes = ("require_code_owner_review", "require_code_owner_reviews", "require_last_push_approval")
    return bool(reviews.get("required_approving_review_count") or any(reviews.get(wish) for wish in wishes))


REVIEWS = "It also requires people's reviews. The gate's own may not count: then each change needs a developer's, too."
QUEUE = "It has a merge queue, which the gate can't use: approvals would wait for ever. Switch the queue off."
ADMINS = "Administrators may go around its branch protection."


# --- Classic branch protection -------------------------------------------------------------------------------


def _as_seen_by_all(summary: Json) -> Json:
    """Return what a branch itself tells of its protection; force pushes and deletions are off unless allowed."""
    checks = summary.get("required_status_checks") or {}
    is_strict = checks.get("enforcement_level") == "everyone"
    return {"required_status_checks": checks, "partly": True, "enforce_admins": {"enabled": is_strict}}


def _classic_rules(protection: Json | None) -> set[str]:
    if protection is None:
        return set()
    if protection.get("partly"):
        return set(_PLAIN_RULES)
    found = {"pull_request"} if protection.get("required_pull_request_reviews") else set()
    for rule, name in (("non_fast_forward", "allow_force_pushes"), ("deletion", "allow_deletions")):
        found |= set() if is_on(protection, name) else {rule}
    return found


def is_on(protection: Json, name: str) -> bool:
    """Tell whether a switch of branch protection is on."""
    return bool((protection.get(name) or {}).get("enabled"))


def _classic_checks(protection: Json | None) -> Iterable[tuple[str, int | None]]:
    required = (protection or {}).get("required_status_checks") or {}
    for check in required.get("checks") or [{"context": name} for name in required.get("contexts", [])]:
        app = check.get("app_id")
        yield str(check["context"]).casefold(), app if app and app > 0 else None


def _classic_cautions(protection: Json | None) -> Iterable[str]:
    if protection is None:
        return
    if _wants_people(protection.get("required_pull_request_reviews") or {}):
        yield REVIEWS
    if not is_on(protection, "enforce_admins"):
        yield ADMINS
