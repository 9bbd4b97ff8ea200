"""Merging for real: merge commit, squash, rebase, and bringing a branch up to date.

Called by PUT .../merge and .../update-branch and by PretendGitHub.merge_as, under the lock. Refuses as GitHub
documents, in its words; what it does is done in git, so a conflict is a real one.
https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.github import events, pulls, rules
from demo.github.state import METHODS, AutoMerge, Person, Pull, Refusal, Repo
from demo.github.world import World

_SWITCHED_OFF = {
    "merge": "Merge commits are not allowed on this repository.",
    "squash": "Squash merges are not allowed on this repository.",
    "rebase": "Rebase merges are not allowed on this repository.",
}


def merge(
    world: World,
    pull: Pull,
    who: Person,
    *,
    method: str = "merge",
    sha: str | None = None,
    title: str | None = None,
    message: str | None = None,
    around: bool = False,
    workflows: bool = True,
) -> str:
    """Merge a pull request; return the new commit. around: as an admin, past the branch's protection."""
    _refuse_if_not_possible(pull, sha, method)
    if rules.protection_of(pull).queue and not around:
        raise Refusal(405, "Changes must be made through the merge queue")
    if not around or rules.protection_of(pull).enforce_admins:
        _refuse_if_protected(pull)
    if not workflows and any(one.path.startswith(".github/workflows/") for one in rules.files_of(pull)):
        raise Refusal(403, "Resource not accessible by integration")
    before = rules.base_tip(pull)
    after = _MAKE[method](_Wish(world, pull, who, title, message))
    if after is None:
        raise Refusal(405, "Pull Request is not mergeable")
    if method != "rebase":
        _sign(world, after)
    pulls.merged_into_base(world, pull, before, after, who)
    return after


def _sign(world: World, sha: str) -> None:
    """Sign a commit that GitHub has made itself; those of a rebase it signs not."""
    if world.signs:
        world.signed.add(sha)


def enable_auto_merge(world: World, pull: Pull, who: Person, method: str) -> None:
    """Let a pull request be merged by itself, in this person's name, once its base's rules are kept.

    https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/incorporating-changes-from-a-pull-request/automatically-merging-a-pull-request
    """
    if rules.mergeable_state(pull) == "clean":
        raise Refusal(422, "Pull request is in clean status")
    pull.auto_merge, pull.updated_at = AutoMerge(who, method), world.now()
    events.pull_request(world, pull, "auto_merge_enabled", who)


def merge_what_is_ready(world: World, repo: Repo) -> None:
    """Merge every pull request that was to be merged by itself, and now can be."""
    for pull in list(repo.pulls.values()):
        wish = pull.auto_merge
        if pull.open and wish and rules.mergeable_state(pull) in ("clean", "unstable"):
            merge(world, pull, wish.by, method=wish.method)


def _refuse_if_not_possible(pull: Pull, sha: str | None, method: str) -> None:
    if method not in METHODS:
        raise pulls.invalid("PullRequest", "merge_method")
    if not pull.open:
        raise Refusal(405, "Pull Request is not mergeable")
    if sha is not None and sha != pull.head_sha:
        raise Refusal(409, "Head branch was modified. Review and try the merge again.")
    if pull.draft:
        raise Refusal(405, "Pull Request is still a draft")
    if method not in pull.repo.methods:
        raise Refusal(405, _SWITCHED_OFF[method])
    if pull.repo.git.merge(rules.base_tip(pull), pull.head_sha) is None:
        raise Refusal(405, "Pull Request is not mergeable")


def _refuse_if_protected(pull: Pull) -> None:
    missing = rules.missing_checks(pull) or rules.missing_approvals(pull)
    if missing:
        raise Refusal(405, missing)
    if rules.protection_of(pull).strict and rules.is_behind(pull):
        raise Refusal(405, "Head branch is out of date")


def _join(title: str, message: str) -> str:
    return f"{title}\n\n{message}" if message else title


@dataclass(frozen=True, slots=True)
class _Wish:
    """One merge that may be made; title and message None: GitHub's own."""

    world: World
    pull: Pull
    who: Person
    title: str | None
    message: str | None


def _merge(wish: _Wish) -> str | None:
    world, pull = wish.world, wish.pull
    git, tip = pull.repo.git, rules.base_tip(pull)
    tree = git.merge(tip, pull.head_sha)
    text = _join(
        wish.title or f"Merge pull request #{pull.number} from {pull.head_owner.login}/{pull.head}",
        pull.title if wish.message is None else wish.message,
    )
    author = world.signature(wish.who)
    ref = f"refs/heads/{pull.base}"
    return tree and git.write(ref, (tip, pull.head_sha), tree, text, author, world.github_signature())


def _squash(wish: _Wish) -> str | None:
    world, pull = wish.world, wish.pull
    git, tip = pull.repo.git, rules.base_tip(pull)
    tree, shas = git.merge(tip, pull.head_sha), rules.commits_of(pull)
    first, _, rest = git.commit(shas[-1]).message.partition("\n")
    lines = "\n\n".join(f"* {git.commit(sha).message}" for sha in shas)
    name, body = (first, rest.strip()) if len(shas) == 1 else (pull.title, lines)
    text = _join(wish.title or f"{name} (#{pull.number})", body if wish.message is None else wish.message)
    author = world.signature(pull.user)
    return tree and git.write(f"refs/heads/{pull.base}", (tip,), tree, text, author, world.github_signature())


def _rebase(wish: _Wish) -> str | None:
    """Put each commit anew onto the base; merge commits among them are left out, as git rebase does."""
    world, pull = wish.world, wish.pull
    git, tip = pull.repo.git, rules.base_tip(pull)
    for sha in rules.commits_of(pull):
        data = git.commit(sha)
        if len(data.parents) > 1:
            continue
        tree = _picked(world, pull, tip, sha)
        if tree is None:
            return None
        committer = world.signature(wish.who)
        tip = git.write("refs/rebase", (tip,), tree, data.message, data.author, committer)
    git.move(pull.base, tip)
    return tip


def _picked(world: World, pull: Pull, tip: str, sha: str) -> str | None:
    """Return the tree of the tip with one commit's change put onto it; None when they clash.

    git merge-tree finds the merge base itself, so the tip's tree is given the commit's parent as its own.
    """
    git, parent = pull.repo.git, pull.repo.git.commit(sha).parents
    stand_in = git.write("refs/picking", parent, git.commit(tip).tree, "tip", world.github_signature())
    return git.merge(stand_in, sha)


_MAKE = {"merge": _merge, "squash": _squash, "rebase": _rebase}


def update_branch(world: World, pull: Pull, expected: str | None, who: Person) -> None:
    """Merge the base into the head branch.

    https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request-branch
    """
    if expected is not None and expected != pull.head_sha:
        raise Refusal(422, "expected_head_sha does not match")
    if not pull.open:
        raise Refusal(422, "Validation Failed", ["pull request is closed"])
    git, tip = pull.head_repo.git, rules.base_tip(pull)
    if git.contains(pull.head_sha, tip):
        raise Refusal(422, "There are no new commits on the base branch.")
    if pull.head_repo is not pull.repo and not pull.maintainer_can_modify:
        raise Refusal(403, "Resource not accessible by personal access token")
    tree = git.merge(pull.head_sha, tip)
    if tree is None:
        raise Refusal(422, "merge conflict between base and head")
    before, text = pull.head_sha, f"Merge branch '{pull.base}' into {pull.head}"
    parents = (before, tip)
    after = git.write(
        f"refs/heads/{pull.head}", parents, tree, text, world.signature(who), world.github_signature()
    )
    _sign(world, after)
    pulls.moved(world, pull.head_repo, pull.head, before, after, who)
