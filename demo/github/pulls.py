"""What happens to pull requests and branches: opened, edited, pushed to, closed.

Called by the routes (`api`) and by PretendGitHub's own methods, under the lock. Changes the world, then tells
it (`events`). Refuses with GitHub's status codes and words. Never merges: that is `merging`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from demo.github import events, rules, shapes
from demo.github.git import Content
from demo.github.state import IssueEvent, Person, Pull, Refusal, Repo
from demo.github.world import World

MOST_TITLE, MOST_BODY = 256, 65_536


def invalid(resource: str, field: str, code: str = "invalid", message: str | None = None) -> Refusal:
    """Return GitHub's 422 about one field."""
    error: dict[str, Any] = {"resource": resource, "field": field, "code": code}
    return Refusal(422, "Validation Failed", [error | ({"message": message} if message else {})])


def _custom(message: str) -> Refusal:
    return Refusal(
        422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}]
    )


def _check_words(title: str | None, body: str | None) -> None:
    """Refuse a title or text that is longer than GitHub takes."""
    for field, words, most in (("title", title, MOST_TITLE), ("body", body, MOST_BODY)):
        if len(words or "") > most:
            raise _custom(f"{field} is too long (maximum is {most} characters)")


def find(repo: Repo, number: int) -> Pull:
    """Return a pull request by number; else 404."""
    if number not in repo.pulls:
        raise Refusal(404, "Not Found")
    return repo.pulls[number]


def open_pull(
    world: World,
    repo: Repo,
    head_repo: Repo,
    head: str,
    base: str,
    title: str,
    body: str | None,
    author: Person | None,
    draft: bool = False,
) -> Pull:
    """Open a pull request from a branch of this repository or of a fork."""
    _check_words(title, body)
    sha, tip = head_repo.git.branches.get(head), repo.git.branches.get(base)
    if tip is None:
        raise invalid("PullRequest", "base")
    if sha is None:
        raise invalid("PullRequest", "head")
    if repo.git.contains(tip, sha):
        raise _custom(f"No commits between {base} and {head}")
    if repo.git.base(tip, sha) is None:
        raise _custom(f"The {head} branch has no history in common with {base}")
    _refuse_second(repo, head_repo, head, base)
    number, repo.next_number = repo.next_number, repo.next_number + 1
    now, owner = world.now(), head_repo.owner
    pull = Pull(
        next(world.ids),
        number,
        repo,
        title,
        body,
        author,
        base,
        tip,
        owner,
        head_repo,
        head,
        sha,
        draft,
        now,
        now,
    )
    repo.pulls[number] = pull
    events.pull_request(world, pull, "opened", author)
    return pull


def _refuse_second(repo: Repo, head_repo: Repo, head: str, base: str) -> None:
    for other in repo.pulls.values():
        if other.open and (other.head_repo, other.head, other.base) == (head_repo, head, base):
            raise _custom(f"A pull request already exists for {head_repo.owner.login}:{head}.")


def edit(
    world: World, pull: Pull, sender: Person | None, title: str | None = None, body: str | None = None
) -> None:
    """Change title or body; None leaves it as it is."""
    _check_words(title, body)
    changes = {}
    if title is not None and title != pull.title:
        changes["title"], pull.title = {"from": pull.title}, title
    if body is not None and body != pull.body:
        changes["body"], pull.body = {"from": pull.body or ""}, body
    if changes:
        pull.updated_at = world.now()
        events.pull_request(world, pull, "edited", sender, changes=changes)


def label(world: World, pull: Pull, sender: Person | None, name: str) -> None:
    """Put a label on a pull request."""
    if name not in pull.labels:
        pull.labels.append(name)
        _note(world, pull, "labeled", sender, name)
        events.pull_request(world, pull, "labeled", sender, label=shapes.label(world, pull, name))


def retarget(world: World, pull: Pull, base: str, sender: Person | None) -> None:
    """Point a pull request at another base branch; its head stays the same."""
    if base == pull.base:
        return
    tip = pull.repo.git.branches.get(base)
    if tip is None:
        raise invalid("PullRequest", "base")
    if not pull.open:
        raise _custom("Cannot change the base branch of a closed pull request.")
    if pull.repo.git.contains(tip, pull.head_sha):
        raise _custom(f"There are no new commits between base branch '{base}' and head branch '{pull.head}'")
    _refuse_second(pull.repo, pull.head_repo, pull.head, base)
    changes = {"base": {"ref": {"from": pull.base}, "sha": {"from": pull.base_sha}}}
    pull.base, pull.base_sha, pull.updated_at = base, tip, world.now()
    events.pull_request(world, pull, "edited", sender, changes=changes)


def close(world: World, pull: Pull, sender: Person | None) -> None:
    """Close a pull request without merging it."""
    if pull.open:
        finish(world, pull)
        events.pull_request(world, pull, "closed", sender)


def finish(world: World, pull: Pull) -> None:
    """Note the end of a pull request: its base is followed no more."""
    pull.base_sha = rules.base_tip(pull)
    pull.state, pull.closed_at, pull.updated_at = "closed", world.now(), world.now()


def reopen(world: World, pull: Pull, sender: Person | None) -> None:
    """Open a closed pull request again; a merged one stays merged."""
    if pull.open:
        return
    tip = pull.head_repo.git.branches.get(pull.head)
    if pull.merged or pull.head_repo.deleted or tip is None or pull.base not in pull.repo.git.branches:
        raise invalid(
            "PullRequest", "state", message="state cannot be changed. The pull request cannot be reopened."
        )
    _refuse_second(pull.repo, pull.head_repo, pull.head, pull.base)
    pull.state, pull.closed_at, pull.updated_at = "open", None, world.now()
    pull.head_sha, pull.base_sha = tip, pull.repo.git.branches[pull.base]
    events.pull_request(world, pull, "reopened", sender)


def set_draft(world: World, pull: Pull, draft: bool, sender: Person | None) -> None:
    """Make an open pull request a draft, or ready for review."""
    if pull.open and pull.draft != draft:
        pull.draft, pull.updated_at = draft, world.now()
        events.pull_request(world, pull, "converted_to_draft" if draft else "ready_for_review", sender)


def request_review(world: World, pull: Pull, reviewer: Person, sender: Person | None) -> None:
    """Ask a person for a review."""
    if reviewer not in pull.requested:
        pull.requested.append(reviewer)
    _note(world, pull, "review_requested", sender, reviewer)
    who = shapes.person(world, reviewer)
    events.pull_request(world, pull, "review_requested", sender, requested_reviewer=who)


def _note(world: World, pull: Pull, event: str, sender: Person | None, about: Person | str) -> None:
    pull.updated_at, who = world.now(), sender or world.person("ghost")
    pull.events.append(IssueEvent(next(world.ids), event, who, world.now(), about))


def commit(
    world: World,
    repo: Repo,
    branch: str,
    changes: dict[str, Content],
    message: str,
    author: Person,
    start_from: str,
) -> str:
    """Commit onto a branch, made from another when it is new; tell of the push and what follows of it."""
    return commits(world, repo, branch, [(changes, message)], author, start_from)[0]


def commits(
    world: World,
    repo: Repo,
    branch: str,
    steps: Sequence[tuple[dict[str, Content], str]],
    author: Person,
    start_from: str,
) -> list[str]:
    """The same with several commits, each with its message, in one push."""
    before = repo.git.branches.get(branch)
    start = before or repo.git.resolve(start_from) or (repo.fork_of and repo.fork_of.git.resolve(start_from))
    parents = (start,) if start else ()
    shas = repo.git.write_each(f"refs/heads/{branch}", parents, steps, world.signature(author))
    moved(world, repo, branch, before, shas[-1], author)
    return shas


def force(world: World, repo: Repo, branch: str, sha: str | None, who: Person) -> None:
    """Move a branch to any commit, or delete it (sha None)."""
    before = repo.git.branches.get(branch)
    if before != sha:
        repo.git.move(branch, sha)
        moved(world, repo, branch, before, sha, who)


def moved(world: World, repo: Repo, branch: str, before: str | None, after: str | None, who: Person) -> None:
    """Do what GitHub does when a branch has moved: push, synchronize, and closing what it settles."""
    repo.pushed_at = repo.updated_at = world.now()
    if repo.fork_of is None:  # the webhook hangs on the repository, not on its forks
        events.push(world, repo, branch, before, after, who)
    for home in list(world.repos.values()):
        for pull in list(home.pulls.values()):
            if pull.open and pull.head_repo is repo and pull.head == branch:
                _head_moved(world, pull, after, who)
            if pull.open and pull.repo is repo and pull.base == branch:
                _base_moved(world, pull, before, after, who)


def _head_moved(world: World, pull: Pull, after: str | None, who: Person) -> None:
    if after is None or pull.repo.git.contains(rules.base_tip(pull), after):
        close(world, pull, who)  # GitHub closes what has no commits left
        return
    before, pull.head_sha = pull.head_sha, after
    pull.base_sha, pull.updated_at = rules.base_tip(pull), world.now()
    events.pull_request(world, pull, "synchronize", who, before=before, after=after)


def _base_moved(world: World, pull: Pull, before: str | None, after: str | None, who: Person) -> None:
    if after is None:
        _base_deleted(world, pull, who)
    elif pull.repo.git.contains(after, pull.head_sha):
        merged(
            world, pull, after, before or pull.base_sha, who
        )  # its commits are in the base now, by whatever way


def _base_deleted(world: World, pull: Pull, who: Person) -> None:
    """Retarget what was based on a branch that was merged and then deleted, to where that went; close what cannot be.

    https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/proposing-changes-to-your-work-with-pull-requests/about-branches#working-with-branches
    """
    ways = [
        other
        for other in pull.repo.pulls.values()
        if other.merged and other.head_repo is pull.repo and other.head == pull.base
    ]
    try:
        retarget(world, pull, ways[-1].base if ways else "", who)
    except Refusal:
        close(world, pull, who)


def merged(world: World, pull: Pull, sha: str, base_before: str, who: Person) -> None:
    """Note that a pull request was merged as this commit, and tell."""
    finish(world, pull)
    pull.base_sha, pull.merge_commit_sha = base_before, sha
    pull.merged_at, pull.merged_by, pull.draft = pull.closed_at, who, False
    events.pull_request(world, pull, "closed", who)


def merged_into_base(world: World, pull: Pull, before: str, after: str, who: Person) -> None:
    """Do what follows of a merge that has moved the base in git already."""
    merged(world, pull, after, before, who)
    moved(world, pull.repo, pull.base, before, after, who)
    if pull.repo.delete_branch_on_merge and pull.head_repo is pull.repo and _may_be_deleted(pull):
        force(world, pull.repo, pull.head, None, who)


def _may_be_deleted(pull: Pull) -> bool:
    """Tell whether GitHub deletes the head branch after a merge: neither the default branch nor a protected one."""
    return pull.head != pull.repo.default_branch and pull.head not in pull.repo.protections
