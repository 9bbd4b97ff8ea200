"""Rulesets: the calls that read them and set them up, and what GitHub refuses of them.

Hung on the front by PretendGitHub through `api.Routes`. Knows the rules that the gate and its tests need.
https://docs.github.com/en/rest/repos/rules
"""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue

from demo.github import rules, shapes
from demo.github.api import Routes, created, given, page
from demo.github.shapes import Json
from demo.github.state import Refusal, Repo

_RULES = {
    *("creation", "update", "deletion", "non_fast_forward", "required_linear_history", "required_signatures"),
    *("pull_request", "required_status_checks", "merge_queue"),
}
_PULL_REQUEST = {
    *("dismiss_stale_reviews_on_push", "require_code_owner_review", "require_last_push_approval"),
    *("required_approving_review_count", "required_review_thread_resolution"),
}
_UPGRADE = "Upgrade to GitHub Pro or make this repository public to enable this feature."


def need_plan(repo: Repo) -> None:
    """Refuse where the owner's plan has no locks: private repositories of the free plan."""
    if repo.private and repo.free_plan:
        raise Refusal(403, _UPGRADE)


class RulesetApi:
    def __init__(self, routes: Routes) -> None:
        self.world = routes.world
        add = routes.add
        add("GET", "/rulesets", self.listed, "metadata:read")
        add("POST", "/rulesets", self.create, "administration")
        add("GET", "/rulesets/<int:number>", self.one, "metadata:read")
        add("PUT", "/rulesets/<int:number>", self.change, "administration")
        add("GET", "/rules/branches/<path:branch>", self.of_branch, "metadata:read")

    def _ready(self, repo: Repo) -> None:
        if not self.world.has_rulesets:
            raise Refusal(404, "Not Found")
        need_plan(repo)

    def listed(self, repo: Repo) -> Response:
        self._ready(repo)
        brief = ("rules", "conditions", "bypass_actors")
        return page(
            list(repo.rulesets.values()),
            lambda one: {name: value for name, value in one.items() if name not in brief},
        )

    def of_branch(self, repo: Repo, branch: str) -> Response:
        self._ready(repo)
        return page(rules.active_rules(repo, branch), lambda rule: rule)

    def one(self, repo: Repo, number: int) -> Json:
        self._ready(repo)
        if number not in repo.rulesets:
            raise Refusal(404, "Not Found")
        return repo.rulesets[number]

    def create(self, repo: Repo) -> ResponseReturnValue:
        self._ready(repo)
        body, number = given(), next(self.world.ids)
        if any(one["name"] == body.get("name") for one in repo.rulesets.values()):
            raise Refusal(422, "Validation Failed", ["Name must be unique"])
        made = self._checked(repo, number, body)
        repo.rulesets[number] = made
        return created(made, made["_links"]["self"]["href"])

    def change(self, repo: Repo, number: int) -> Json:
        before = self.one(repo, number)
        repo.rulesets[number] = self._checked(repo, number, {**before, **given()})
        return repo.rulesets[number]

    def _checked(self, repo: Repo, number: int, body: Json) -> Json:
        try:
            _check(body, {self.world.app_id, *self.world.apps})
        except (KeyError, TypeError) as error:
            raise Refusal(422, "Validation Failed", [f"Invalid property {error}"]) from None
        now = shapes.time(self.world.now())
        return {
            "id": number,
            "name": body["name"],
            "target": body.get("target", "branch"),
            "source_type": "Repository",
            "source": repo.full_name,
            "enforcement": body["enforcement"],
            "bypass_actors": body.get("bypass_actors", []),
            "node_id": shapes.node("RepositoryRuleset", number),
            "_links": {"self": {"href": f"{shapes.repo_api(self.world, repo)}/rulesets/{number}"}},
            "created_at": body.get("created_at", now),
            "updated_at": now,
            "conditions": body.get("conditions", {"ref_name": {"include": [], "exclude": []}}),
            "rules": body.get("rules", []),
        }


def _check(body: Json, apps: set[int | None]) -> None:
    """Raise what GitHub answers with 422."""
    if body["enforcement"] not in ("active", "disabled", "evaluate") or not body["name"]:
        raise KeyError("enforcement")
    names = body["conditions"]["ref_name"]
    for ref in [*names["include"], *names["exclude"]]:
        if not ref.startswith(("refs/heads/", "~")):
            raise KeyError("conditions")
    for rule in body["rules"]:
        _check_rule(rule, apps)


def _check_rule(rule: dict[str, Any], apps: set[int | None]) -> None:
    if rule["type"] not in _RULES:
        raise KeyError("rules")
    if rule["type"] == "pull_request" and not rule["parameters"].keys() >= _PULL_REQUEST:
        raise KeyError("parameters")
    if rule["type"] == "required_status_checks":
        checks = rule["parameters"]["required_status_checks"]
        _ = rule["parameters"]["strict_required_status_checks_policy"]
        if len({check["context"] for check in checks}) < len(checks):
            raise KeyError("required_status_checks")
        if any(check.get("integration_id") not in (None, *apps) for check in checks):
            raise KeyError("integration_id")
