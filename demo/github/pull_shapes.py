"""Pull requests and what is said about them, as GitHub's API writes them.

Called by the routes and by the webhooks, like `shapes`. A pull request read by number counts as a read of
`mergeable` (GitHub starts computing it then); in lists and webhooks it does not.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from demo.github import rules
from demo.github.shapes import (
    Json,
    avatar,
    integration,
    label,
    maybe_person,
    maybe_time,
    minimal_repository,
    named,
    node,
    person,
    repo_api,
    repo_html,
    repository,
    time,
    times,
)
from demo.github.state import (
    Check,
    CodeComment,
    Comment,
    Deployment,
    DeploymentStatus,
    IssueEvent,
    Person,
    Pull,
    Repo,
    Review,
    Status,
)
from demo.github.world import World


def _side(world: World, owner: Person, repo: Repo, ref: str, sha: str) -> Json:
    return {
        "label": f"{owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": person(world, owner),
        "repo": None if repo.deleted else repository(world, repo),
    }


def _pull_links(world: World, pull: Pull) -> dict[str, str]:
    api = repo_api(world, pull.repo)
    return {
        "self": f"{api}/pulls/{pull.number}",
        "html": f"{repo_html(world, pull.repo)}/pull/{pull.number}",
        "issue": f"{api}/issues/{pull.number}",
        "comments": f"{api}/issues/{pull.number}/comments",
        "review_comments": f"{api}/pulls/{pull.number}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{api}/pulls/{pull.number}/commits",
        "statuses": f"{api}/statuses/{pull.head_sha}",
    }


def pull_simple(world: World, pull: Pull) -> Json:
    """Write a "pull-request-simple", as lists carry it."""
    links = _pull_links(world, pull)
    return {
        **named("PullRequest", pull.id, links["self"]),
        "html_url": links["html"],
        "diff_url": f"{links['html']}.diff",
        "patch_url": f"{links['html']}.patch",
        **{f"{name}_url": url for name, url in links.items() if name not in ("self", "html")},
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": maybe_person(world, pull.user),
        "body": pull.body,
        **times(pull.created_at, pull.updated_at),
        "closed_at": maybe_time(pull.closed_at),
        "merged_at": maybe_time(pull.merged_at),
        "merge_commit_sha": _merge_commit(pull),
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [person(world, who) for who in pull.requested],
        "requested_teams": [],
        "labels": [label(world, pull, name) for name in pull.labels],
        "milestone": None,
        "draft": pull.draft,
        "head": _side(world, pull.head_owner, pull.head_repo, pull.head, pull.head_sha),
        "base": _side(world, pull.repo.owner, pull.repo, pull.base, pull.base_sha),
        "_links": {name: {"href": url} for name, url in links.items()},
        "author_association": pull.association,
        "auto_merge": _auto_merge(world, pull),
        "active_lock_reason": None,
    }


def _auto_merge(world: World, pull: Pull) -> Json | None:
    wish = pull.auto_merge
    if wish is None:
        return None
    named = {"commit_title": pull.title, "commit_message": pull.body or ""}
    return {"enabled_by": person(world, wish.by), "merge_method": wish.method, **named}


def _merge_commit(pull: Pull) -> str | None:
    """Return the merge, or as GitHub does before there is one, the last test merge."""
    tests = list(pull.test_merges.values())
    return pull.merge_commit_sha or (tests[-1] if tests else None)


def pull_request(world: World, pull: Pull, *, read: bool) -> Json:
    """Write a "pull-request"; read: this is GET pulls/{n}, which starts or tells `mergeable`."""
    can, state = rules.mergeable(world, pull) if read else rules.peek(world, pull)
    if can:
        rules.test_merge(world, pull)
    files = rules.files_of(pull)
    return {
        **pull_simple(world, pull),
        "merged": pull.merged,
        "mergeable": can,
        "rebaseable": can,
        "mergeable_state": state,
        "merged_by": maybe_person(world, pull.merged_by),
        "comments": sum(comment.number == pull.number for comment in pull.repo.comments.values()),
        "review_comments": 0,
        "maintainer_can_modify": pull.head_repo is not pull.repo and pull.maintainer_can_modify,
        "commits": len(rules.commits_of(pull)),
        "additions": sum(change.additions for change in files),
        "deletions": sum(change.deletions for change in files),
        "changed_files": len(files),
    }


def _status(world: World, repo: Repo, sha: str, status: Status) -> Json:
    return {
        "avatar_url": avatar(status.creator),
        **named("StatusContext", status.id, f"{repo_api(world, repo)}/statuses/{sha}"),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        **times(status.at),
    }


def status(world: World, repo: Repo, sha: str, one: Status) -> Json:
    """Write a "status"."""
    return {**_status(world, repo, sha, one), "creator": person(world, one.creator)}


def combined_status(world: World, repo: Repo, sha: str) -> Json:
    """Write a "combined-commit-status": the newest of each context, and one word for all.

    https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference
    """
    newest = {one.context.casefold(): one for one in repo.statuses.get(sha, [])}
    states = {one.state for one in newest.values()}
    word = "success" if states == {"success"} else "pending"
    word = "failure" if states & {"failure", "error"} else word
    api = f"{repo_api(world, repo)}/commits/{sha}"
    return {
        "state": word,
        "statuses": [_status(world, repo, sha, one) for one in newest.values()],
        "sha": sha,
        "total_count": len(newest),
        "repository": minimal_repository(world, repo),
        "commit_url": api,
        "url": f"{api}/status",
    }


def review(world: World, pull: Pull, one: Review) -> Json:
    """Write a "pull-request-review"."""
    links = _pull_links(world, pull)
    html = f"{links['html']}#pullrequestreview-{one.id}"
    return {
        "id": one.id,
        "node_id": node("PullRequestReview", one.id),
        "user": person(world, one.user),
        "body": one.body,
        "state": one.state,
        "html_url": html,
        "pull_request_url": links["self"],
        "author_association": one.user.association,
        "_links": {"html": {"href": html}, "pull_request": {"href": links["self"]}},
        "submitted_at": time(one.at),
        "commit_id": one.commit_id,
    }


def code_comment(world: World, pull: Pull, one: CodeComment) -> Json:
    """Write a "pull-request-review-comment"."""
    links = _pull_links(world, pull)
    html, api = (
        f"{links['html']}#discussion_r{one.id}",
        f"{repo_api(world, pull.repo)}/pulls/comments/{one.id}",
    )
    places = ("position", "original_position", "line", "original_line")
    return {
        **named("PullRequestReviewComment", one.id, api),
        "pull_request_review_id": one.review,
        "diff_hunk": "@@ -1 +1 @@",
        "path": one.path,
        **dict.fromkeys(places, 1),
        **dict.fromkeys(("start_line", "original_start_line", "start_side")),
        "side": "RIGHT",
        "subject_type": "line",
        "commit_id": one.commit_id,
        "original_commit_id": one.commit_id,
        "user": person(world, one.user),
        "body": one.body,
        **times(one.created_at, one.updated_at),
        "html_url": html,
        "pull_request_url": links["self"],
        "author_association": one.user.association,
        "_links": {
            "self": {"href": api},
            "html": {"href": html},
            "pull_request": {"href": links["self"]},
        },
        "reactions": reactions(one.id),
    }


def issue(world: World, pull: Pull) -> Json:
    """Write the "issue" that a webhook calls a pull request."""
    simple, api = pull_simple(world, pull), _pull_links(world, pull)["issue"]
    same = (
        "html_url number title user labels state locked assignee assignees milestone created_at updated_at closed_at "
        "author_association active_lock_reason draft body"
    ).split()
    links = ("html_url", "diff_url", "patch_url", "merged_at")
    return {
        **named("PullRequest", pull.id, api),
        **{name: simple[name] for name in same},
        "repository_url": repo_api(world, pull.repo),
        **{f"{name}_url": f"{api}/{name}" for name in ("comments", "events")},
        "labels_url": f"{api}/labels{{/name}}",
        "comments": sum(one.number == pull.number for one in pull.repo.comments.values()),
        "pull_request": {"url": simple["url"], **{name: simple[name] for name in links}},
        "reactions": reactions(pull.id),
    }


def reactions(number: int) -> Json:
    """Write that nobody reacted."""
    kinds = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    return {"url": f"https://api.github.com/reactions/{number}", "total_count": 0, **dict.fromkeys(kinds, 0)}


def comment(world: World, repo: Repo, one: Comment) -> Json:
    """Write an "issue-comment"."""
    api = repo_api(world, repo)
    return {
        "html_url": f"{repo_html(world, repo)}/pull/{one.number}#issuecomment-{one.id}",
        "issue_url": f"{api}/issues/{one.number}",
        **named("IssueComment", one.id, f"{api}/issues/comments/{one.id}"),
        "user": person(world, one.user),
        **times(one.created_at, one.updated_at),
        "body": one.body,
        "author_association": one.user.association,
        "performed_via_github_app": None,
    }


def issue_event(world: World, pull: Pull, one: IssueEvent) -> Json:
    """Write a "labeled-issue-event" or a "review-requested-issue-event"."""
    who = person(world, one.actor)
    about: Json = {"label": {"name": one.about, "color": "d73a4a"}}
    if isinstance(one.about, Person):
        about = {"review_requester": who, "requested_reviewer": person(world, one.about)}
    return {
        **named("IssueEvent", one.id, f"{repo_api(world, pull.repo)}/issues/events/{one.id}"),
        "actor": who,
        "event": one.event,
        "commit_id": None,
        "commit_url": None,
        "created_at": time(one.at),
        **about,
        "performed_via_github_app": None,
    }


def check_run(world: World, repo: Repo, check: Check) -> Json:
    """Write a "check-run"; of a fork's head it names no pull request, as on GitHub."""
    api = f"{repo_api(world, repo)}/check-runs/{check.id}"
    html = f"{repo_html(world, repo)}/runs/{check.id}"
    empty: dict[str, Any] = dict.fromkeys(["title", "summary", "text"])
    return {
        **named("CheckRun", check.id, api),
        "name": check.name,
        "head_sha": check.sha,
        "external_id": "",
        "html_url": html,
        "details_url": html,
        "status": check.status,
        "conclusion": check.conclusion,
        "started_at": time(check.started_at),
        "completed_at": maybe_time(check.completed_at),
        "output": {**empty, "annotations_count": 0, "annotations_url": f"{api}/annotations"},
        "check_suite": {"id": check.suite},
        "app": _checks_app(world, repo, check.app),
        "pull_requests": _pulls_of_check(world, repo, check.sha),
    }


def _checks_app(world: World, repo: Repo, slug: str) -> Json:
    number = 15368 if slug == "github-actions" else crc32(slug.encode())
    return integration(world, number, slug, repo.owner, {"checks": "write", "metadata": "read"})


def check_suite(world: World, repo: Repo, sha: str, number: int) -> Json:
    """Write one "check-suite" of a commit: the checks that one app ran together."""
    checks = [one for one in repo.checks[sha] if one.suite == number]
    done = all(check.status == "completed" for check in checks)
    bad = [check.conclusion for check in checks if check.conclusion not in ("success", "neutral", "skipped")]
    data, api = repo.git.commit(sha), repo_api(world, repo)
    heads = [pull.head for pull in repo.pulls.values() if pull.head_sha == sha]
    people = {
        who: {"name": getattr(data, who).name, "email": getattr(data, who).email}
        for who in ("author", "committer")
    }
    return {
        **named("CheckSuite", number, f"{api}/check-suites/{number}"),
        "head_branch": heads[0] if heads else None,
        "head_sha": sha,
        "status": "completed" if done else "in_progress",
        "conclusion": (bad[0] if bad else "success") if done else None,
        "before": None,
        "after": sha,
        "pull_requests": _pulls_of_check(world, repo, sha),
        "app": _checks_app(world, repo, checks[0].app),
        **times(checks[0].started_at, checks[-1].completed_at or checks[-1].started_at),
        "latest_check_runs_count": len(checks),
        "check_runs_url": f"{api}/check-suites/{number}/check-runs",
        "head_commit": {
            "id": sha,
            "tree_id": data.tree,
            "message": data.message,
            "timestamp": time(data.committer.at),
            **people,
        },
        "repository": minimal_repository(world, repo),
    }


def _pulls_of_check(world: World, repo: Repo, sha: str) -> list[Json]:
    api = repo_api(world, repo)
    inner = {"id": repo.id, "url": api, "name": repo.name}
    return [
        {
            "id": pull.id,
            "number": pull.number,
            "url": f"{api}/pulls/{pull.number}",
            "head": {"ref": pull.head, "sha": pull.head_sha, "repo": inner},
            "base": {"ref": pull.base, "sha": pull.base_sha, "repo": inner},
        }
        for pull in repo.pulls.values()
        if pull.open and pull.head_sha == sha and pull.head_repo is repo
    ]


def deployment(world: World, repo: Repo, one: Deployment) -> Json:
    """Write a "deployment"."""
    api = repo_api(world, repo)
    return {
        **named("Deployment", one.id, f"{api}/deployments/{one.id}"),
        "sha": one.sha,
        "ref": one.ref,
        "task": "deploy",
        "payload": {},
        "original_environment": one.environment,
        "environment": one.environment,
        "description": None,
        "creator": person(world, one.creator),
        **times(one.at),
        "statuses_url": f"{api}/deployments/{one.id}/statuses",
        "repository_url": api,
        "transient_environment": True,
        "production_environment": False,
    }


def deployment_status(world: World, repo: Repo, one: Deployment, said: DeploymentStatus) -> Json:
    """Write a "deployment-status"."""
    api = f"{repo_api(world, repo)}/deployments/{one.id}"
    return {
        **named("DeploymentStatus", said.id, f"{api}/statuses/{said.id}"),
        "state": said.state,
        "creator": person(world, said.creator),
        "description": "",
        "environment": one.environment,
        "target_url": said.environment_url,
        "environment_url": said.environment_url,
        "log_url": said.environment_url,
        **times(said.at),
        "deployment_url": api,
        "repository_url": repo_api(world, repo),
    }
