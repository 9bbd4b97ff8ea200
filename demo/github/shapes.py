"""People, repositories and commits as GitHub's API writes them (`pull_shapes` has the rest).

Called by the routes and by the webhooks. Field names and types follow GitHub's published OpenAPI description;
tests/test_demo_github.py holds every answer against it. Reads the world, never changes it.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from urllib.parse import quote

from demo.github.git import CommitData, FileChange, Signature
from demo.github.state import Person, Pull, Repo
from demo.github.world import World

Json = dict[str, Any]

_PERSONS_LINKS = {
    **{name: name for name in ("followers", "repos", "received_events", "subscriptions")},
    "following": "following{/other_user}",
    "gists": "gists{/gist_id}",
    "starred": "starred{/owner}{/repo}",
    "organizations": "orgs",
    "events": "events{/privacy}",
}
_PLAIN_LINKS = (
    "contributors deployments downloads events forks hooks languages merges stargazers subscribers "
    "subscription tags teams"
).split()
_LINKS_WITH_MORE = {
    "archive_url": "{archive_format}{/ref}",
    "assignees_url": "assignees{/user}",
    "blobs_url": "git/blobs{/sha}",
    "branches_url": "branches{/branch}",
    "collaborators_url": "collaborators{/collaborator}",
    "comments_url": "comments{/number}",
    "commits_url": "commits{/sha}",
    "compare_url": "compare/{base}...{head}",
    "contents_url": "contents/{+path}",
    "git_commits_url": "git/commits{/sha}",
    "git_refs_url": "git/refs{/sha}",
    "git_tags_url": "git/tags{/sha}",
    "issue_comment_url": "issues/comments{/number}",
    "issue_events_url": "issues/events{/number}",
    "issues_url": "issues{/number}",
    "keys_url": "keys{/key_id}",
    "labels_url": "labels{/name}",
    "milestones_url": "milestones{/number}",
    "notifications_url": "notifications{?since,all,participating}",
    "pulls_url": "pulls{/number}",
    "releases_url": "releases{/id}",
    "statuses_url": "statuses/{sha}",
    "trees_url": "git/trees{/sha}",
}
_COUNTS = (
    "forks forks_count open_issues open_issues_count size stargazers_count watchers watchers_count".split()
)


def time(at: datetime) -> str:
    """Write a time as GitHub does: 2026-11-24T09:00:00Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe_time(at: datetime | None) -> str | None:
    return time(at) if at else None


def node(kind: str, number: object) -> str:
    """Return an opaque id, as GraphQL would."""
    return base64.b64encode(f"{kind}{number}".encode()).decode()


def named(kind: str, number: int, url: str) -> Json:
    """Write what names a thing: its number, its opaque id and where it is read."""
    return {"id": number, "node_id": node(kind, number), "url": url}


def times(made: datetime, changed: datetime | None = None) -> Json:
    """Write when a thing was made, and changed last."""
    return {"created_at": time(made), "updated_at": time(changed or made)}


def avatar(who: Person) -> str:
    return f"https://avatars.githubusercontent.com/u/{who.id}?v=4"


def person(world: World, who: Person) -> Json:
    """Write a "simple-user"."""
    api = f"{world.api}/users/{who.login}"
    return {
        **named("User", who.id, api),
        "login": who.login,
        "avatar_url": avatar(who),
        "gravatar_id": "",
        "html_url": f"{world.site}/{who.login}",
        **{f"{name}_url": f"{api}/{rest}" for name, rest in _PERSONS_LINKS.items()},
        "type": who.type,
        "site_admin": False,
    }


def permission(world: World, who: Person) -> Json:
    """Write a "repository-collaborator-permission".

    The old word knows four levels only: maintain counts as write, triage as read.
    https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
    """
    role = who.permission
    level = {"maintain": "write", "triage": "read"}.get(role, role)
    least = {"admin": 5, "maintain": 4, "write": 3, "triage": 2, "read": 1}
    may = {"admin": 5, "maintain": 4, "push": 3, "triage": 2, "pull": 1}
    given = {name: least.get(role, 0) >= needed for name, needed in may.items()}
    user = {**person(world, who), "permissions": given, "role_name": role, "user_view_type": "public"}
    return {"permission": level, "role_name": role, "user": user}


def maybe_person(world: World, who: Person | None) -> Json | None:
    return person(world, who) if who else None


def myself(world: World, who: Person) -> Json:
    """Write a "public-user", the answer to GET /user."""
    about = dict.fromkeys(["name", "company", "blog", "location", "email", "hireable", "bio"])
    counts = dict.fromkeys(["public_repos", "public_gists", "followers", "following"], 0)
    since = {"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z"}
    return {**person(world, who), **about, **counts, **since}


def repo_api(world: World, repo: Repo) -> str:
    return f"{world.api}/repos/{repo.full_name}"


def repo_html(world: World, repo: Repo) -> str:
    return f"{world.site}/{repo.full_name}"


def minimal_repository(world: World, repo: Repo) -> Json:
    """Write the part of a repository that every shape of it has."""
    api = repo_api(world, repo)
    return {
        **named("Repository", repo.id, api),
        "name": repo.name,
        "full_name": repo.full_name,
        "owner": person(world, repo.owner),
        "private": repo.private,
        "html_url": repo_html(world, repo),
        "description": None,
        "fork": repo.fork_of is not None,
        **{f"{name}_url": f"{api}/{name}" for name in _PLAIN_LINKS},
        **{name: f"{api}/{rest}" for name, rest in _LINKS_WITH_MORE.items()},
    }


def repository(world: World, repo: Repo) -> Json:
    """Write a "repository", as pull requests and webhooks carry it."""
    html = repo_html(world, repo)
    has = "has_issues has_projects has_downloads has_wiki".split()
    lacks = "has_pages has_discussions disabled is_template web_commit_signoff_required".split()
    open_pulls = sum(pull.open for pull in repo.pulls.values())
    return {
        **minimal_repository(world, repo),
        "git_url": f"git://{html.partition('://')[2]}.git",
        "ssh_url": f"git@github.com:{repo.full_name}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        **dict.fromkeys(["homepage", "language", "mirror_url", "license"]),
        **dict.fromkeys(_COUNTS, 0),
        **dict.fromkeys(["open_issues", "open_issues_count"], open_pulls),
        **dict.fromkeys(has, True),
        **dict.fromkeys(lacks, False),
        "archived": repo.archived,
        "topics": [],
        "visibility": "private" if repo.private else "public",
        "default_branch": repo.default_branch,
        **times(repo.created_at, repo.updated_at),
        "pushed_at": time(repo.pushed_at),
    }


def full_repository(world: World, repo: Repo, rights: set[str]) -> Json:
    """Write a "full-repository", the answer to GET /repos/{owner}/{repo}."""
    may_push = "contents" in rights
    levels = {"admin": "administration" in rights, "maintain": False, "push": may_push}
    parents = {}
    if repo.fork_of is not None:
        parents = dict.fromkeys(["parent", "source"], repository(world, repo.fork_of))
    return {
        **repository(world, repo),
        "permissions": {**levels, "triage": may_push, "pull": True},
        "allow_merge_commit": "merge" in repo.methods,
        "allow_squash_merge": "squash" in repo.methods,
        "allow_rebase_merge": "rebase" in repo.methods,
        "delete_branch_on_merge": repo.delete_branch_on_merge,
        "network_count": 0,
        "subscribers_count": 0,
        **parents,
    }


def _git_user(who: Signature) -> Json:
    return {"name": who.name, "email": who.email, "date": time(who.at)}


def _verification(world: World, sha: str, data: CommitData) -> Json:
    if sha not in world.signed:
        return {
            "verified": False,
            "reason": "unsigned",
            **dict.fromkeys(["signature", "payload", "verified_at"]),
        }
    return {
        "verified": True,
        "reason": "valid",
        "signature": "-----BEGIN PGP SIGNATURE-----\n\nwsFc\n-----END PGP SIGNATURE-----\n",
        "payload": f"tree {data.tree}\n",
        "verified_at": time(data.committer.at),
    }


def _parents(world: World, repo: Repo, data: CommitData, kind: str) -> list[Json]:
    api, html = repo_api(world, repo), repo_html(world, repo)
    return [
        {"sha": one, "url": f"{api}/{kind}/{one}", "html_url": f"{html}/commit/{one}"} for one in data.parents
    ]


def git_commit(world: World, repo: Repo, sha: str) -> Json:
    """Write a "git-commit", the answer to GET .../git/commits/{sha}."""
    data, api = repo.git.commit(sha), repo_api(world, repo)
    return {
        "sha": sha,
        "node_id": node("Commit", sha),
        "url": f"{api}/git/commits/{sha}",
        "html_url": f"{repo_html(world, repo)}/commit/{sha}",
        "author": _git_user(data.author),
        "committer": _git_user(data.committer),
        "message": data.message,
        "tree": {"sha": data.tree, "url": f"{api}/git/trees/{data.tree}"},
        "parents": _parents(world, repo, data, "git/commits"),
        "verification": _verification(world, sha, data),
    }


def commit(world: World, repo: Repo, sha: str) -> Json:
    """Write a "commit" without its files."""
    data, api = repo.git.commit(sha), repo_api(world, repo)
    inner = git_commit(world, repo, sha)
    return {
        "sha": sha,
        "node_id": inner["node_id"],
        "commit": {
            **{name: inner[name] for name in ("author", "committer", "message", "tree", "verification")},
            "url": inner["url"],
            "comment_count": 0,
        },
        "url": f"{api}/commits/{sha}",
        "html_url": inner["html_url"],
        "comments_url": f"{api}/commits/{sha}/comments",
        "author": maybe_person(world, world.by_email(data.author.email)),
        "committer": maybe_person(world, world.by_email(data.committer.email)),
        "parents": _parents(world, repo, data, "commits"),
    }


def file(world: World, repo: Repo, sha: str, change: FileChange) -> Json:
    """Write a "diff-entry"."""
    path, html = quote(change.path), repo_html(world, repo)
    answer = {
        "sha": change.blob,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": f"{html}/blob/{sha}/{path}",
        "raw_url": f"{html}/raw/{sha}/{path}",
        "contents_url": f"{repo_api(world, repo)}/contents/{path}?ref={sha}",
    }
    if change.patch is not None:
        answer["patch"] = change.patch
    if change.previous is not None:
        answer["previous_filename"] = change.previous
    return answer


def label(world: World, pull: Pull, name: str) -> Json:
    """Write a "label" of a pull request."""
    number = pull.labels.index(name) + 1
    url = f"{repo_api(world, pull.repo)}/labels/{quote(name)}"
    more = {"name": name, "color": "d73a4a", "default": False, "description": ""}
    return {**named("Label", number, url), **more}


def integration(world: World, number: int, slug: str, owner: Person, rights: dict[str, str]) -> Json:
    """Write an "integration": a GitHub App, our own or the one whose checks these are."""
    return {
        "id": number,
        "slug": slug,
        "client_id": f"Iv1.{number}",
        "node_id": node("Integration", number),
        "owner": person(world, owner),
        "name": slug,
        "description": "",
        "external_url": f"https://{slug}.example.com",
        "html_url": f"{world.site}/apps/{slug}",
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
        "permissions": rights,
        "events": ["check_run", "check_suite", "pull_request", "push", "status"],
    }
