"""The desk: what the demo's tour page does to the pretend GitHub, over HTTP under /_desk/.

POST /_desk/<action> with a JSON object calls the PretendGitHub method of that name with these arguments and
answers {"result": ...}; GET /_desk/ tells all there is. Needs no token: it serves loopback, and only JSON sent
as JSON, which no foreign page can. Nothing here that the Python API could not do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue

from demo.github import pull_shapes, rules, shapes
from demo.github.state import Pull, Refusal, Repo

if TYPE_CHECKING:
    from demo.github import PretendGitHub

ACTIONS = frozenset(
    "add_person close commit convert_to_draft create_repository edit force_push hold merge_as open_pull_request "
    "ping protect ready redeliver release rename reopen request_review retarget set_check set_status".split()
)


def add_routes(github: PretendGitHub) -> None:
    """Hang the desk on the server of the stand-in."""
    app = github.front.app

    def overview() -> Response:
        with github.world.lock:
            return jsonify(state(github))

    def act(action: str) -> ResponseReturnValue:
        arguments = request.get_json(silent=True)
        if action not in ACTIONS or not isinstance(arguments, dict):
            return jsonify({"error": "no such action, or its arguments are no JSON object"}), 404
        try:
            return jsonify({"result": _plain(getattr(github, action)(**arguments))})
        except (Refusal, TypeError, KeyError, StopIteration) as problem:
            return jsonify({"error": str(problem) or type(problem).__name__}), 422

    app.add_url_rule("/_desk/", "desk", overview, methods=["GET"])
    app.add_url_rule("/_desk/<action>", "desk action", act, methods=["POST"])


def _plain(result: Any) -> Any:
    if isinstance(result, Repo):
        return result.full_name
    return result if isinstance(result, (str, int, type(None))) else str(result)


def state(github: PretendGitHub) -> dict[str, Any]:
    """Return all that the tour page shows: repositories with their pull requests, deliveries, calls."""
    return {
        "repositories": [_repository(github, repo) for repo in github.world.repos.values()],
        "deliveries": [
            {
                "id": one.id,
                "event": one.event,
                "action": one.action,
                "status": one.status,
                "error": one.error,
                "sent": one.sent,
            }
            for one in github.deliveries
        ],
        "calls": [
            {"method": one.method, "path": one.path, "status": one.status, "at": shapes.time(one.at)}
            for one in github.calls
        ],
    }


def _repository(github: PretendGitHub, repo: Repo) -> dict[str, Any]:
    return {
        "id": repo.id,
        "full_name": repo.full_name,
        "branches": dict(repo.git.branches),
        "protected": {branch: list(one.checks) for branch, one in repo.protections.items()},
        "pulls": [_pull(github, pull) for pull in repo.pulls.values()],
    }


def _pull(github: PretendGitHub, pull: Pull) -> dict[str, Any]:
    world, repo = github.world, pull.repo
    simple = pull_shapes.pull_simple(world, pull)
    names = "number title body state draft html_url created_at updated_at merged_at merge_commit_sha".split()
    return {
        **{name: simple[name] for name in names},
        "author": pull.user.login if pull.user else None,
        "base": pull.base,
        "head": pull.head,
        "head_sha": pull.head_sha,
        "merged_by": pull.merged_by.login if pull.merged_by else None,
        "mergeable_state": rules.peek(world, pull)[1],
        "status": pull_shapes.combined_status(world, repo, pull.head_sha)["statuses"],
        "reviews": [
            {"user": one.user.login, "state": one.state, "body": one.body, "at": shapes.time(one.at)}
            for one in pull.reviews
        ],
        "comments": [
            {"user": one.user.login, "body": one.body, "at": shapes.time(one.created_at)}
            for one in repo.comments.values()
            if one.number == pull.number
        ],
    }
