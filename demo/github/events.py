"""What GitHub tells the outside when something happened: the payloads of its webhooks.

Called by `pulls`, `merging` and `marks` right after the change, under the lock; handed to World.notify, which
sends in the background. https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from typing import Any

from demo.github import pull_shapes, shapes
from demo.github.shapes import Json
from demo.github.state import (
    Check,
    CodeComment,
    Comment,
    Deployment,
    DeploymentStatus,
    Person,
    Pull,
    Repo,
    Review,
    Status,
)
from demo.github.world import World

NOTHING = "0" * 40


def _tell(
    world: World, event: str, action: str | None, repo: Repo, sender: Person | None, about: Json
) -> None:
    payload: Json = {} if action is None else {"action": action}
    payload |= about | {"repository": shapes.repository(world, repo)}
    if repo.owner.type == "Organization":
        payload["organization"] = _organization(world, repo.owner)
    if world.app_id is not None:
        number = world.installation_id
        payload["installation"] = {"id": number, "node_id": shapes.node("Integration", number)}
    payload["sender"] = shapes.person(world, sender or world.person("ghost"))
    world.notify(event, action, payload)


def _organization(world: World, who: Person) -> Json:
    api = f"{world.api}/orgs/{who.login}"
    links = {f"{name}_url": f"{api}/{name}" for name in ("repos", "events", "hooks", "issues")}
    return {
        **shapes.named("Organization", who.id, api),
        "login": who.login,
        **links,
        "members_url": f"{api}/members{{/member}}",
        "public_members_url": f"{api}/public_members{{/member}}",
        "avatar_url": shapes.avatar(who),
        "description": "",
    }


def pull_request(world: World, pull: Pull, action: str, sender: Person | None, **more: Any) -> None:
    """Tell of a pull request; more: `changes`, `before` and `after`, or `requested_reviewer`."""
    about = {"number": pull.number, "pull_request": pull_shapes.pull_request(world, pull, read=False), **more}
    _tell(world, "pull_request", action, pull.repo, sender, about)


def push(world: World, repo: Repo, branch: str, before: str | None, after: str | None, who: Person) -> None:
    """Tell that a branch moved; before None: it is new; after None: it was deleted."""
    new = _pushed(world, repo, before, after) if after else []
    html = shapes.repo_html(world, repo)
    about = {
        "ref": f"refs/heads/{branch}",
        "before": before or NOTHING,
        "after": after or NOTHING,
        "created": before is None,
        "deleted": after is None,
        "forced": bool(before and after and not repo.git.contains(after, before)),
        "base_ref": None,
        "compare": f"{html}/compare/{(before or NOTHING)[:12]}...{(after or NOTHING)[:12]}",
        "commits": new,
        "head_commit": _pushed_commit(world, repo, after) if after else None,
        "pusher": {"name": who.login, "email": who.email},
    }
    _tell(world, "push", None, repo, who, about)


def _pushed(world: World, repo: Repo, before: str | None, after: str) -> list[Json]:
    shas = repo.git.range(before, after) if before else (after,)
    return [_pushed_commit(world, repo, sha) for sha in shas[:20]]


def _pushed_commit(world: World, repo: Repo, sha: str) -> Json:
    data = repo.git.commit(sha)
    changes = repo.git.changes(data.parents[0], sha) if data.parents else ()
    people = {}
    for role in ("author", "committer"):
        signed = getattr(data, role)
        who = world.by_email(signed.email)
        people[role] = {"name": signed.name, "email": signed.email} | ({"username": who.login} if who else {})
    kinds = {"added": "added", "removed": "removed", "modified": "modified"}
    lists = {word: [one.path for one in changes if one.status == kind] for word, kind in kinds.items()}
    return {
        "id": sha,
        "tree_id": data.tree,
        "distinct": True,
        "message": data.message,
        "timestamp": shapes.time(data.committer.at),
        "url": f"{shapes.repo_html(world, repo)}/commit/{sha}",
        **people,
        **lists,
    }


def status(world: World, repo: Repo, sha: str, one: Status) -> None:
    """Tell that a commit status was set."""
    api = shapes.repo_api(world, repo)
    on = [name for name, tip in repo.git.branches.items() if tip == sha]
    about = {
        "id": one.id,
        "sha": sha,
        "name": repo.full_name,
        "target_url": one.target_url,
        "avatar_url": shapes.avatar(one.creator),
        "context": one.context,
        "description": one.description,
        "state": one.state,
        "commit": shapes.commit(world, repo, sha),
        "branches": [
            {
                "name": name,
                "commit": {"sha": sha, "url": f"{api}/commits/{sha}"},
                "protected": name in repo.protections,
            }
            for name in on
        ],
        **shapes.times(one.at),
    }
    _tell(world, "status", None, repo, one.creator, about)


def commented(world: World, pull: Pull, one: Comment, action: str, **more: Any) -> None:
    """Tell of a comment under a pull request, which GitHub calls an issue here; more: `changes`."""
    about = {
        "issue": pull_shapes.issue(world, pull),
        "comment": {**pull_shapes.comment(world, pull.repo, one), "reactions": pull_shapes.reactions(one.id)},
        **more,
    }
    _tell(world, "issue_comment", action, pull.repo, one.user, about)


def reviewed(world: World, pull: Pull, one: Review, action: str, **more: Any) -> None:
    """Tell of a review; more: `changes`."""
    written = pull_shapes.review(world, pull, one)
    about = {
        "pull_request": pull_shapes.pull_simple(world, pull),
        # An event writes the state small, and no text as null.
        "review": {**written, "state": one.state.lower(), "body": one.body or None},
        **more,
    }
    _tell(world, "pull_request_review", action, pull.repo, one.user, about)


def commented_on_code(world: World, pull: Pull, one: CodeComment, action: str, **more: Any) -> None:
    """Tell of a comment on a line of the change; more: `changes`."""
    about = {
        "pull_request": pull_shapes.pull_simple(world, pull),
        "comment": pull_shapes.code_comment(world, pull, one),
        **more,
    }
    _tell(world, "pull_request_review_comment", action, pull.repo, one.user, about)


def check(world: World, repo: Repo, one: Check, sender: Person) -> None:
    """Tell that a check run ended, and its suite too when it was the last one running."""
    run = pull_shapes.check_run(world, repo, one)
    if one.status != "completed":
        _tell(world, "check_run", "created", repo, sender, {"check_run": run})
        return
    _tell(world, "check_run", "completed", repo, sender, {"check_run": run})
    suite = pull_shapes.check_suite(world, repo, one.sha, one.suite)
    if suite["status"] == "completed":
        _tell(world, "check_suite", "completed", repo, sender, {"check_suite": suite})


def deployment_status(world: World, repo: Repo, one: Deployment, said: DeploymentStatus) -> None:
    """Tell how a deployment goes on; it was made by no workflow and no check."""
    about = {
        "deployment_status": pull_shapes.deployment_status(world, repo, one, said),
        "deployment": pull_shapes.deployment(world, repo, one),
        "check_run": None,
        "workflow": None,
        "workflow_run": None,
    }
    _tell(world, "deployment_status", "created", repo, said.creator, about)


def ping(world: World, repo: Repo, sender: Person) -> None:
    """Tell that the webhook was set up."""
    url = f"{shapes.repo_api(world, repo)}/hooks/1"
    hook = {
        "type": "Repository",
        "id": 1,
        "name": "web",
        "active": True,
        "events": ["*"],
        "config": {"content_type": "json", "insecure_ssl": "0", "url": "https://gate.example.com/webhook"},
        **shapes.times(world.now()),
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": {"code": None, "status": "unused", "message": None},
    }
    about = {"zen": "Keep it logically awesome.", "hook_id": 1, "hook": hook}
    _tell(world, "ping", None, repo, sender, about)
