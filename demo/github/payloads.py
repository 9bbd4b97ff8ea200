"""Makes the pull request of a real example payload of GitHub's (npm: @octokit/webhooks-examples).

Called by PretendGitHub.load_payload. Names, ids and numbers are the payload's; the commits are our own, so the
payload is handed back with the SHAs of our git in the places of its own. Sends no webhook.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from demo.github import merging, pulls
from demo.github.state import Person, Pull, Repo
from demo.github.world import World


def load(world: World, payload: dict[str, Any], base: str | None) -> tuple[int, dict[str, Any]]:
    """Make the repository, people, branches and pull request of a payload; see PretendGitHub.load_payload."""
    quiet, world.notify = world.notify, lambda *_: None
    try:
        pull, before = _make(world, payload, base)
    finally:
        world.notify = quiet
    return pull.number, _rewritten(payload, pull, before)


def _rewritten(payload: dict[str, Any], pull: Pull, before: str) -> dict[str, Any]:
    """Return the payload with the SHAs of our git, and the base that was asked for."""
    ours: dict[str, Any] = json.loads(
        json.dumps(payload).replace(payload["pull_request"]["head"]["sha"], pull.head_sha)
    )
    told = ours["pull_request"]
    told["base"] |= {"sha": pull.base_sha, "ref": pull.base, "label": f"{pull.repo.owner.login}:{pull.base}"}
    told["merge_commit_sha"] = pull.merge_commit_sha
    if "before" in ours:
        ours["before"] = before
    return ours


def _make(world: World, payload: dict[str, Any], base: str | None) -> tuple[Pull, str]:
    told = payload["pull_request"]
    author = _person(world, told["user"], told["author_association"])
    repo = _repository(world, payload["repository"])
    target, head = base or told["base"]["ref"], told["head"]["ref"]
    for branch in {target, repo.default_branch}:
        _first_commit(world, repo, branch)
    home = repo
    if not told["head"]["repo"] or told["head"]["repo"]["id"] != repo.id:
        home = _fork(world, repo, told["head"])
    who = author or world.person("ghost")
    path = f"changes-{told['number']}.md"
    before = pulls.commit(world, home, head, {path: "A line.\n"}, "Begin", who, repo.git.branches[target])
    if "before" in payload:
        pulls.commit(world, home, head, {path: "A line.\nAnother.\n"}, "Go on", who, target)
    pull = pulls.open_pull(
        world, repo, home, head, target, told["title"], told["body"], author, told["draft"], told["number"]
    )
    pull.id = told["id"]
    home.deleted = told["head"]["repo"] is None
    _finish(world, pull, told)
    pull.created_at, pull.updated_at = (_time(told[name]) for name in ("created_at", "updated_at"))
    return pull, before


def _finish(world: World, pull: Pull, told: dict[str, Any]) -> None:
    """Close or merge what the payload tells as closed or merged."""
    who = _person(world, told.get("merged_by"), "MEMBER") or world.person("ghost")
    if told.get("merged"):
        merging.merge(world, pull, who, around=True)
    elif told["state"] == "closed":
        pulls.close(world, pull, who)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _person(world: World, told: dict[str, Any] | None, association: str) -> Person | None:
    return world.add_person(told["login"], told["type"], association, told["id"]) if told else None


def _repository(world: World, told: dict[str, Any]) -> Repo:
    known = world.repos.get(told["id"])
    if known:
        return known
    owner = told["owner"]
    if owner["login"].casefold() not in world.people:
        world.add_person(owner["login"], owner["type"], "OWNER", owner["id"])
    repo = world.add_repository(told["full_name"], told["private"], told["id"])
    repo.default_branch = told["default_branch"]
    return repo


def _first_commit(world: World, repo: Repo, branch: str) -> None:
    if branch in repo.git.branches:
        return
    if repo.git.branches:
        repo.git.move(branch, next(iter(repo.git.branches.values())))
        return
    who = world.signature(repo.owner)
    repo.git.write(f"refs/heads/{branch}", (), {"README.md": "Hello.\n"}, "First commit", who)


def _fork(world: World, repo: Repo, head: dict[str, Any]) -> Repo:
    told = head["repo"] or {"full_name": f"{head['user']['login']}/{repo.name}", "private": False, "id": None}
    if told["id"] in world.repos:
        return world.repos[told["id"]]
    _person(world, head["user"], "NONE")
    return world.add_repository(told["full_name"], told["private"], told["id"], fork_of=repo)
