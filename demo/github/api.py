"""The REST calls about repositories, branches, commits and the App, as GitHub documents them.

`add_routes` hangs them, and those of `pull_api`, on the front. A route finds, checks the token's rights, asks
or changes the world under its lock, and gives back JSON; everything else is the front's.
https://docs.github.com/en/rest
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from demo.github import marks, merging, pull_shapes, rules, shapes
from demo.github.front import Front, find_repository, need
from demo.github.shapes import Json
from demo.github.state import Protection, Refusal, Repo

View = Callable[..., ResponseReturnValue]


class Routes:
    """Hangs functions on paths below a repository, each under both its names."""

    def __init__(self, front: Front) -> None:
        self.front, self.world = front, front.world

    def add(self, method: str, rule: str, view: Callable[..., Any], *rights: str) -> None:
        """Answer a path below a repository with view(repo, ...), for who has all the rights."""

        def answer(
            owner: str | None = None, name: str | None = None, repository_id: int | None = None, **rest: Any
        ) -> ResponseReturnValue:
            with self.world.lock:
                if g.kind == "app" and rule != "/installation":
                    raise Refusal(401, "A JSON web token could not be used here")
                repo = find_repository(self.world, owner, name, repository_id)
                for right in rights:
                    need(self.world, right)
                if repo.archived and method != "GET":
                    raise Refusal(403, "Repository was archived so is read-only.")
                answer = as_response(view(repo, **rest))
                if method != "GET":
                    merging.merge_what_is_ready(self.world, repo)
                return answer

        for start in ("/repos/<owner>/<name>", "/repositories/<int:repository_id>"):
            self.front.app.add_url_rule(start + rule, f"{method} {start}{rule}", answer, methods=[method])

    def add_plain(self, method: str, rule: str, view: Callable[..., Any], kind: str | None = None) -> None:
        """Answer a path outside any repository, for this kind of token."""

        def answer(**rest: Any) -> ResponseReturnValue:
            with self.world.lock:
                if kind is not None and g.kind != kind:
                    status = 401 if kind == "app" else 403
                    raise Refusal(status, "A JSON web token could not be decoded")
                return as_response(view(**rest))

        self.front.app.add_url_rule(rule, f"{method} {rule}", answer, methods=[method])


def as_response(answer: Any) -> ResponseReturnValue:
    """Turn what a view gave back into a response."""
    return answer if isinstance(answer, (Response, tuple)) else jsonify(answer)


def created(body: Json, location: str) -> ResponseReturnValue:
    return jsonify(body), 201, {"Location": location}


def given() -> Json:
    """Return the request's JSON object; refuse what is none."""
    if not request.data:
        return {}
    body = request.get_json(force=True, silent=True)
    if body is None:
        raise Refusal(400, "Problems parsing JSON")
    if not isinstance(body, dict):
        raise Refusal(400, "Body should be a JSON object")
    return body


def page(items: Sequence[Any], write: Callable[[Any], Json], wrap: str | None = None) -> Response:
    """Answer one page of a list, with the links to the others.

    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    size, number = _number("per_page", 30, 100), _number("page", 1, None)
    body: Any = [write(item) for item in items[(number - 1) * size : number * size]]
    answer = jsonify({"total_count": len(items), wrap: body} if wrap else body)
    answer.headers.update(_links(len(items), 30, 100))
    return answer


def _links(total: int, default: int, most: int) -> dict[str, str]:
    """Return the Link header of this page of a list, where there are other pages."""
    size, number = _number("per_page", default, most), _number("page", 1, None)
    last = max(-(-total // size), 1)
    pages = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    shown = {"prev", "first"} if number > 1 else set()
    shown |= {"next", "last"} if number < last else set()
    links = [f'<{_page_url(to)}>; rel="{name}"' for name, to in pages.items() if name in shown]
    return {"Link": ", ".join(links)} if links else {}


def _is_paged() -> bool:
    return bool({"page", "per_page"} & set(request.args))


def _compared_page(commits: Sequence[str]) -> tuple[Sequence[str], bool]:
    """Return the commits that a comparison shows, and whether it shows the files: the first page does.

    Without a paging parameter the last 250; else pages of 250, at most 1,000.
    https://docs.github.com/en/rest/commits/commits#compare-two-commits
    """
    if not _is_paged():
        return commits[-250:], True
    size, number = _number("per_page", 250, 1000), _number("page", 1, None)
    return commits[(number - 1) * size : number * size], number == 1


def _number(name: str, default: int, most: int | None) -> int:
    text = request.args.get(name, "")
    number = int(text) if text.isdigit() and int(text) > 0 else default
    return min(number, most) if most else number


def _page_url(number: int) -> str:
    return f"{request.base_url}?{urlencode({**request.args.to_dict(), 'page': str(number)})}"


def resolve(repo: Repo, ref: str) -> str:
    """Return the SHA of a branch or a commit; else GitHub's 422."""
    sha = repo.git.resolve(ref)
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {ref}")
    return sha


# --- Repositories and commits -------------------------------------------------------------------------------


class RepositoryApi:
    def __init__(self, routes: Routes) -> None:
        self.world = routes.world
        add = routes.add
        add("GET", "", self.repository)
        add("GET", "/branches/<path:branch>", self.branch, "contents:read")
        add("GET", "/compare/<path:basehead>", self.compare, "contents:read")
        add("GET", "/git/commits/<sha>", self.git_commit, "contents:read")
        add("GET", "/git/trees/<path:sha>", self.tree, "contents:read")
        add("POST", "/statuses/<path:sha>", self.set_status, "statuses")
        add("GET", "/commits/<path:ref>/status", self.combined_status, "statuses:read")
        add("GET", "/commits/<path:ref>/check-runs", self.check_runs, "checks:read")
        add("GET", "/commits/<path:ref>/pulls", self.pulls_of_commit, "pull_requests:read")
        add("GET", "/deployments", self.deployments, "deployments:read")
        add("GET", "/deployments/<int:number>/statuses", self.deployment_statuses, "deployments:read")

    def repository(self, repo: Repo) -> Json:
        return shapes.full_repository(self.world, repo, g.get("rights", self.world.rights))

    def branch(self, repo: Repo, branch: str) -> Json:
        if branch not in repo.git.branches:
            raise Refusal(404, "Branch not found")
        api = f"{shapes.repo_api(self.world, repo)}/branches/{branch}"
        protection = repo.protections.get(branch)
        return {
            "name": branch,
            "commit": shapes.commit(self.world, repo, repo.git.branches[branch]),
            "_links": {"self": api, "html": f"{shapes.repo_html(self.world, repo)}/tree/{branch}"},
            "protected": protection is not None,
            "protection": {
                "enabled": protection is not None,
                "required_status_checks": {
                    "enforcement_level": "non_admins" if protection else "off",
                    "contexts": list(protection.checks) if protection else [],
                    "checks": checks_of(protection) if protection else [],
                },
            },
            "protection_url": f"{api}/protection",
        }

    def compare(self, repo: Repo, basehead: str) -> ResponseReturnValue:
        names = basehead.split("...")
        if len(names) != 2:
            raise Refusal(404, "Not Found")
        base, head = (self._compared(repo, name) for name in names)
        ancestor = repo.git.base(base, head)
        if ancestor is None:
            raise Refusal(404, f"No common ancestor between {names[0]} and {names[1]}.")
        ahead, behind = repo.git.range(base, head), repo.git.range(head, base)
        status = ("diverged" if behind else "ahead") if ahead else ("behind" if behind else "identical")
        shown, first = _compared_page(ahead)
        files = repo.git.changes(ancestor, head)[:300] if first else ()
        answer = {
            **self._compare_links(repo, base, head, basehead),
            "base_commit": shapes.commit(self.world, repo, base),
            "merge_base_commit": shapes.commit(self.world, repo, ancestor),
            "status": status,
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "commits": [shapes.commit(self.world, repo, sha) for sha in shown],
            "files": [shapes.file(self.world, repo, head, one) for one in files],
        }
        links = _links(len(ahead), 250, 1000) if _is_paged() else {}
        return jsonify(answer), 200, links

    def _compared(self, repo: Repo, name: str) -> str:
        owner, _, branch = name.rpartition(":")
        homes = [one for one in self.world.repos.values() if one is repo or one.fork_of is repo]
        for home in homes:
            if (not owner and home is repo) or home.owner.login.casefold() == owner.casefold():
                sha = home.git.resolve(branch)
                if sha is not None:
                    return sha
        raise Refusal(404, "Not Found")

    def _compare_links(self, repo: Repo, base: str, head: str, basehead: str) -> Json:
        html, login = shapes.repo_html(self.world, repo), repo.owner.login
        return {
            "url": f"{shapes.repo_api(self.world, repo)}/compare/{basehead}",
            "html_url": f"{html}/compare/{basehead}",
            "permalink_url": f"{html}/compare/{login}:{base[:7]}...{login}:{head[:7]}",
            "diff_url": f"{html}/compare/{basehead}.diff",
            "patch_url": f"{html}/compare/{basehead}.patch",
        }

    def git_commit(self, repo: Repo, sha: str) -> Json:
        if repo.git.resolve_object(sha) != "commit":
            raise Refusal(404, "Not Found")
        return shapes.git_commit(self.world, repo, sha)

    def tree(self, repo: Repo, sha: str) -> Json:
        found = repo.git.resolve(sha) or sha
        try:
            entries = repo.git.tree(found, recursive="recursive" in request.args)
        except KeyError:
            raise Refusal(404, "Not Found") from None
        api = f"{shapes.repo_api(self.world, repo)}/git"
        tree = repo.git.tree_sha(found)
        return {
            "sha": tree,
            "url": f"{api}/trees/{tree}",
            "tree": [
                {
                    "path": entry.path,
                    "mode": entry.mode,
                    "type": entry.kind,
                    "sha": entry.sha,
                    **({} if entry.size is None else {"size": entry.size}),
                    "url": f"{api}/{entry.kind}s/{entry.sha}",
                }
                for entry in entries[: repo.tree_limit]
            ],
            "truncated": len(entries) > repo.tree_limit,
        }

    def set_status(self, repo: Repo, sha: str) -> ResponseReturnValue:
        app_id = self.world.app_id if g.kind == "installation" else None
        status = marks.set_status(self.world, repo, sha, given(), g.actor, app_id)
        body = pull_shapes.status(self.world, repo, sha, status)
        return created(body, body["url"])

    def combined_status(self, repo: Repo, ref: str) -> Json:
        return pull_shapes.combined_status(self.world, repo, resolve(repo, ref))

    def check_runs(self, repo: Repo, ref: str) -> Response:
        newest_first = repo.checks.get(resolve(repo, ref), [])[::-1]
        return page(newest_first, lambda one: pull_shapes.check_run(self.world, repo, one), "check_runs")

    def pulls_of_commit(self, repo: Repo, ref: str) -> Response:
        sha = resolve(repo, ref)
        found = [
            pull for pull in repo.pulls.values() if sha in (*rules.commits_of(pull), *rules.landed_of(pull))
        ]
        return page(found, lambda pull: pull_shapes.pull_simple(self.world, pull))

    def deployments(self, repo: Repo) -> Response:
        wanted = {name: request.args[name] for name in ("sha", "ref", "environment") if name in request.args}
        found = [one for one in repo.deployments if all(getattr(one, k) == v for k, v in wanted.items())]
        return page(found[::-1], lambda one: pull_shapes.deployment(self.world, repo, one))

    def deployment_statuses(self, repo: Repo, number: int) -> Response:
        found = [one for one in repo.deployments if one.id == number]
        if not found:
            raise Refusal(404, "Not Found")
        newest_first = found[0].statuses[::-1]
        return page(
            newest_first, lambda said: pull_shapes.deployment_status(self.world, repo, found[0], said)
        )


def checks_of(protection: Protection) -> list[Json]:
    """Write the checks that a branch requires."""
    return [{"context": context, "app_id": app_id} for context, app_id in protection.checks.items()]
