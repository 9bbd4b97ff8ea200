"""What GitHub thinks of a pull request: can it be merged, and if not, in which words it says so.

Asked by the shapes (`mergeable`, `mergeable_state`) and by `merging`. Decides, never changes anything but
the count of reads of `mergeable`, and never merges.
https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-your-git-database
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from demo.github.git import FileChange
from demo.github.state import Protection, Pull, Repo, Review
from demo.github.world import World

_GOOD = {"success", "neutral", "skipped"}


def base_tip(pull: Pull) -> str:
    """Return where the base branch stands; for a finished pull request, where it stood."""
    return pull.repo.git.branches.get(pull.base, pull.base_sha) if pull.open else pull.base_sha


def commits_of(pull: Pull) -> tuple[str, ...]:
    """Return the SHAs of a pull request's commits, oldest first."""
    return pull.repo.git.range(base_tip(pull), pull.head_sha)


def landed_of(pull: Pull) -> tuple[str, ...]:
    """Return the SHAs that the merge of a pull request made: its merge commit, or all of a rebase."""
    if pull.merge_commit_sha is None:
        return ()
    came = pull.repo.git.range(pull.base_sha, pull.merge_commit_sha)
    return (pull.merge_commit_sha,) if pull.head_sha in came else (*came, pull.merge_commit_sha)


def files_of(pull: Pull) -> tuple[FileChange, ...]:
    """Return what a pull request changes: merge base to head."""
    base = pull.repo.git.base(base_tip(pull), pull.head_sha)
    return pull.repo.git.changes(base, pull.head_sha) if base else ()


def test_merge(world: World, pull: Pull) -> str | None:
    """Return GitHub's test merge commit (refs/pull/N/merge); None when the two clash.

    https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
    """
    tip, git = base_tip(pull), pull.repo.git
    tree = git.merge(tip, pull.head_sha)
    if tree is None:
        return None
    key = (tip, pull.head_sha)
    if key not in pull.test_merges:
        who = world.github_signature()
        message = f"Merge {pull.head_sha} into {tip}"
        pull.test_merges[key] = git.write(f"refs/pull/{pull.number}/merge", key, tree, message, who)
    return pull.test_merges[key]


def mergeable(world: World, pull: Pull) -> tuple[bool | None, str]:
    """Return `mergeable` and `mergeable_state` as the next read of the pull request tells them."""
    if not pull.open:
        return None, "unknown"
    about = (pull.base, base_tip(pull), pull.head_sha)
    if pull.asked_about != about:
        pull.asked_about = about
        if not world.instant:
            return None, "unknown"
    return pull.repo.git.merge(*about[1:]) is not None, mergeable_state(pull)


def peek(world: World, pull: Pull) -> tuple[bool | None, str]:
    """Return the same without counting as a read: what a webhook or a list tells."""
    about = (pull.base, base_tip(pull), pull.head_sha)
    return mergeable(world, pull) if pull.asked_about == about or world.instant else (None, "unknown")


def mergeable_state(pull: Pull) -> str:
    """Return one word; the first that fits. `blocked` comes before `behind`."""
    protection = protection_of(pull)
    if pull.repo.git.merge(base_tip(pull), pull.head_sha) is None:
        return "dirty"
    if pull.draft:
        return "draft"
    if missing_checks(pull) or missing_approvals(pull):
        return "blocked"
    if protection.strict and is_behind(pull):
        return "behind"
    return "clean" if all(mark in _GOOD for mark in marks_of(pull).values()) else "unstable"


def protection_of(pull: Pull) -> Protection:
    return required_of(pull.repo, pull.base)


def is_behind(pull: Pull) -> bool:
    return not pull.repo.git.contains(pull.head_sha, base_tip(pull))


def marks(repo: Repo, sha: str) -> dict[str, str]:
    """Return the newest word of each status and check of a commit, by casefolded context."""
    said = {status.context.casefold(): status.state for status in repo.statuses.get(sha, [])}
    for check in repo.checks.get(sha, []):
        running = "in progress" if check.status == "in_progress" else "pending"
        said[check.name.casefold()] = check.conclusion or running
    return said


def marks_of(pull: Pull) -> dict[str, str]:
    """Return the marks of the head, overridden by those of the test merge commit."""
    test = pull.test_merges.get((base_tip(pull), pull.head_sha), "")
    return {**marks(pull.repo, pull.head_sha), **marks(pull.repo, test)}


def missing_checks(pull: Pull) -> str | None:
    """Return GitHub's sentence about the required checks that are not green, None when all are.

    A check bound to an App counts only when that App set it.
    """
    required, said = protection_of(pull).checks, marks_of(pull)
    words = []
    for context, app_id in required.items():
        word = said.get(context.casefold(), "expected")
        if word in _GOOD and (app_id is None or _set_by(pull, context, app_id)):
            continue
        words.append((context, _word(word)))
    if not words:
        return None
    if len(words) == 1:
        return f'Required status check "{words[0][0]}" is {words[0][1]}.'
    counts = Counter(word for _, word in words)
    of = f"{len(words)} of {len(required)} required status checks"
    if len(counts) == 1:
        return f"{of} are {words[0][1]}."
    return f"{of} have not succeeded: {' and '.join(f'{n} {word}' for word, n in sorted(counts.items()))}."


def _word(mark: str) -> str:
    if mark in _GOOD:
        return "expected"  # green, but set by somebody else than the App it is bound to
    return mark if mark in ("expected", "pending", "in progress") else "failing"


def _set_by(pull: Pull, context: str, app_id: int) -> bool:
    said = [
        one
        for one in pull.repo.statuses.get(pull.head_sha, [])
        if one.context.casefold() == context.casefold()
    ]
    return bool(said) and said[-1].app_id == app_id


def approvals(pull: Pull) -> list[Review]:
    """Return the last approving or rejecting review of each person."""
    newest = {one.user.id: one for one in pull.reviews if one.state in ("APPROVED", "CHANGES_REQUESTED")}
    return list(newest.values())


def missing_approvals(pull: Pull) -> str | None:
    """Return GitHub's sentence about required reviews, None when there are enough."""
    needed, said = protection_of(pull).approvals, approvals(pull)
    if not needed:
        return None
    if any(one.state == "CHANGES_REQUESTED" for one in said):
        return "Changes have been requested."
    if sum(one.state == "APPROVED" for one in said) >= needed:
        return None
    many = "review is" if needed == 1 else "reviews are"
    return f"At least {needed} approving {many} required by reviewers with write access."


# --- What is required of a branch ---------------------------------------------------------------------------


def active_rules(repo: Repo, branch: str) -> list[dict[str, Any]]:
    """Return the rules that hold for a branch, each with the ruleset that it comes from."""
    return [
        {
            **rule,
            "ruleset_source_type": "Repository",
            "ruleset_source": repo.full_name,
            "ruleset_id": one["id"],
        }
        for one in repo.rulesets.values()
        if one["enforcement"] == "active" and _covers(one, branch, repo)
        for rule in one["rules"]
    ]


def _covers(ruleset: dict[str, Any], branch: str, repo: Repo) -> bool:
    names = ruleset["conditions"]["ref_name"]
    own = {f"refs/heads/{branch}", "~ALL", *(["~DEFAULT_BRANCH"] if branch == repo.default_branch else [])}
    return bool(own & set(names["include"])) and not own & set(names["exclude"])


def required_of(repo: Repo, branch: str) -> Protection:
    """Return all that is required of a branch: the strictest of its protection and its rulesets."""
    classic, rules = repo.protections.get(branch, Protection()), active_rules(repo, branch)
    if not rules:
        return classic
    free = {number for number, one in repo.rulesets.items() if not one["bypass_actors"]}
    made = Protection(
        dict(classic.checks), classic.strict, classic.approvals, classic.enforce_admins, classic.queue
    )
    for rule in rules:
        parameters = rule.get("parameters", {})
        made.enforce_admins |= rule["ruleset_id"] in free
        made.queue |= rule["type"] == "merge_queue"
        made.strict |= bool(parameters.get("strict_required_status_checks_policy"))
        made.approvals = max(made.approvals, parameters.get("required_approving_review_count", 0))
        for check in parameters.get("required_status_checks", []):
            bound = check.get("integration_id") or made.checks.get(check["context"])
            made.checks[check["context"]] = bound
    return made
