"""The REST calls about the asker itself, who may do what, the GitHub App, and the protection of branches.

Hung on the front by PretendGitHub through `api.Routes`.
https://docs.github.com/en/rest/apps/apps and https://docs.github.com/en/rest/branches/branch-protection
"""

from __future__ import annotations

from flask import g, jsonify
from flask.typing import ResponseReturnValue

from demo.github import shapes
from demo.github.api import Routes, checks_of, given
from demo.github.rulesets import need_plan
from demo.github.shapes import Json
from demo.github.state import Protection, Refusal, Repo

_CREATED = {"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z"}
_EVENTS = [
    *("check_run", "check_suite", "deployment_status", "issue_comment", "pull_request"),
    *("pull_request_review", "pull_request_review_comment", "push", "status"),
]


class AppApi:
    def __init__(self, routes: Routes) -> None:
        self.world, self.front = routes.world, routes.front
        routes.add_plain("GET", "/user", self.user)
        routes.add_plain("GET", "/app", self.app, "app")
        routes.add_plain("POST", "/app/installations/<int:number>/access_tokens", self.new_token, "app")
        routes.add("GET", "/installation", self.installation_of)
        routes.add("GET", "/collaborators/<login>/permission", self.permission, "metadata:read")
        routes.add("GET", "/branches/<path:branch>/protection", self.protection, "administration:read")
        routes.add("PUT", "/branches/<path:branch>/protection", self.protect, "administration")

    def user(self) -> Json:
        if g.kind != "user":
            raise Refusal(403, "Resource not accessible by integration")
        return shapes.myself(self.world, g.actor)

    def permission(self, repo: Repo, login: str) -> Json:
        """Answer for anybody who has an account; in a private repository a stranger's is "none"."""
        who = self.world.people.get(login.casefold())
        if who is None:
            raise Refusal(404, f"{login} is not a user")
        answer = shapes.permission(self.world, who)
        if repo.private and who.permission == "read" and who.given is None:
            answer |= {"permission": "none", "role_name": "none"}
        return answer

    # --- The App ---------------------------------------------------------------------------------------------

    def _permissions(self) -> dict[str, str]:
        rights = self.world.rights if self.world.app_rights is None else self.world.app_rights
        return {right.partition(":")[0]: right.partition(":")[2] or "write" for right in sorted(rights)}

    def _events(self) -> list[str]:
        return _EVENTS if self.world.app_events is None else self.world.app_events

    def app(self) -> Json:
        owner = self.world.app_owner or next(iter(self.world.repos.values())).owner
        number, slug = self.world.app_id or 0, self.world.app_slug
        made = shapes.integration(self.world, number, slug, owner, self._permissions())
        return {**made, "events": self._events(), "installations_count": int(self.world.app_installed)}

    def _installation(self) -> Json:
        account, number = next(iter(self.world.repos.values())).owner, self.world.installation_id
        return {
            "id": number,
            "account": shapes.person(self.world, account),
            "repository_selection": "selected",
            "access_tokens_url": f"{self.world.api}/app/installations/{number}/access_tokens",
            "repositories_url": f"{self.world.api}/installation/repositories",
            "html_url": f"{self.world.site}/settings/installations/{number}",
            "app_id": self.world.app_id,
            "app_slug": self.world.app_slug,
            "target_id": account.id,
            "target_type": account.type,
            "permissions": self._permissions(),
            "events": self._events(),
            **_CREATED,
            "single_file_name": None,
            "suspended_by": None,
            "suspended_at": _CREATED["created_at"] if self.world.app_suspended else None,
        }

    def installation_of(self, repo: Repo) -> Json:
        if g.kind != "app" or repo.fork_of is not None:
            raise Refusal(401, "A JSON web token could not be decoded")
        if not self.world.app_installed:
            raise Refusal(404, "Not Found")
        return self._installation()

    def new_token(self, number: int) -> ResponseReturnValue:
        if number != self.world.installation_id:
            raise Refusal(404, "Not Found")
        token, until = self.front.new_installation_token()
        body = {
            "token": token,
            "expires_at": shapes.time(until),
            "permissions": self._permissions(),
            "repository_selection": "selected",
        }
        return jsonify(body), 201

    # --- Protection ------------------------------------------------------------------------------------------

    def protection(self, repo: Repo, branch: str) -> Json:
        need_plan(repo)
        if branch not in repo.git.branches:
            raise Refusal(404, "Branch not found")
        protection = repo.protections.get(branch)
        if protection is None:
            raise Refusal(404, "Branch not protected")
        api = f"{shapes.repo_api(self.world, repo)}/branches/{branch}/protection"
        off = "required_linear_history block_creations lock_branch".split()
        answer: Json = {
            "url": api,
            "enforce_admins": {"url": f"{api}/enforce_admins", "enabled": protection.enforce_admins},
            "allow_force_pushes": {"enabled": protection.force_pushes},
            "allow_deletions": {"enabled": protection.deletions},
            **{name: {"enabled": False} for name in off},
        }
        if protection.checks:
            url = f"{api}/required_status_checks"
            answer["required_status_checks"] = {
                "url": url,
                "strict": protection.strict,
                "contexts": list(protection.checks),
                "contexts_url": f"{url}/contexts",
                "checks": checks_of(protection),
            }
        if protection.approvals or protection.pull_request:
            answer["required_pull_request_reviews"] = {
                "url": f"{api}/required_pull_request_reviews",
                "dismiss_stale_reviews": False,
                "require_code_owner_reviews": False,
                "required_approving_review_count": protection.approvals,
            }
            if protection.bypass:
                named = self._named(protection.bypass)
                answer["required_pull_request_reviews"]["bypass_pull_request_allowances"] = named
        if protection.restrictions:
            links = {f"{name}_url": f"{api}/restrictions/{name}" for name in ("users", "teams", "apps")}
            answer["restrictions"] = {
                "url": f"{api}/restrictions",
                **links,
                **self._named(protection.restrictions),
            }
        return answer

    def _named(self, names: dict[str, list[str]]) -> Json:
        return {
            "users": [shapes.person(self.world, self.world.person(one)) for one in names.get("users", [])],
            "teams": [{"slug": one} for one in names.get("teams", [])],
            "apps": [{"slug": one} for one in names.get("apps", [])],
        }

    def protect(self, repo: Repo, branch: str) -> Json:
        """Replace all of a branch's protection: what is left out or null is off.

        https://docs.github.com/en/rest/branches/branch-protection#update-branch-protection
        """
        need_plan(repo)
        if branch not in repo.git.branches:
            raise Refusal(404, "Branch not found")
        body = given()
        needed = {
            *("required_status_checks", "enforce_admins", "required_pull_request_reviews", "restrictions"),
        }
        if not needed <= body.keys():
            raise Refusal(422, "Invalid request.", [f"{needed - body.keys()} weren't supplied."])
        checks, reviews = body["required_status_checks"] or {}, body["required_pull_request_reviews"]
        repo.protections[branch] = Protection(
            checks={
                one["context"]: None if one.get("app_id") == -1 else one["app_id"]
                for one in checks.get("checks", [])
            },
            strict=bool(checks.get("strict")),
            approvals=(reviews or {}).get("required_approving_review_count", 0),
            enforce_admins=bool(body["enforce_admins"]),
            pull_request=reviews is not None,
            force_pushes=bool(body.get("allow_force_pushes")),
            deletions=bool(body.get("allow_deletions")),
            restrictions=body["restrictions"],
            bypass=(reviews or {}).get("bypass_pull_request_allowances"),
        )
        return self.protection(repo, branch)
