"""What GitHub should show for a review: its commit statuses and its review comment.

The status is the lock that branch protection asks for; the review is a courtesy. `jobs` makes the first
difference between wanted and said true. Descriptions are for developers, at most 140 characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from app.domain.approval import Merged
from app.domain.facts import State, Status
from app.domain.policy import Policy
from app.domain.review import Post, Review
from app.domain.rules import ENDED

# What is said in words, each once.
_WORDS = ("decision", "question")
TAKEN_BACK = "Not approved any more: QA has to approve the latest version."
LONGEST_DESCRIPTION = 140  # https://docs.github.com/en/rest/commits/statuses#create-a-commit-status


def context_of(base: str) -> str:
    """Return the status context that protects a branch: an approval for one branch never unlocks another."""
    return f"qa-gate/{base}"


def head_key(row: Review) -> str:
    """Return the key of the status on the head of a pull request."""
    return f"status {row.head_sha} {context_of(row.base)}"


def statuses_to_say(row: Review, policy: Policy, why: str = "", twins: Sequence[Review] = ()) -> list[Status]:
    """Return the statuses that GitHub should be told, in order; empty when all is said. `why` says what is in the way.

    First every success that outlived its approval is written back, whichever commit or branch it stands on. What shows on
    the head is one status for all pull requests with this head and base, the `twins`: see `speaker`.
    """
    if not row.was_read:
        return []
    speaks = speaker(row, twins)
    wanted = wanted_status(speaks, policy, why if speaks is row else "")
    stale = stale_successes(row, policy, twins)
    if wanted is None:
        return stale
    owed = [status for status in stale if status.key != wanted.key]
    post = row.posts.get(wanted.key)
    if speaks is row:
        return owed if post and post.said == wanted.said else [*owed, wanted]
    # The other's own run says it; only a success of this one's must not outlive that.
    return [*owed, wanted] if post and post.is_success and wanted.state != "success" else owed


def stale_successes(row: Review, policy: Policy, twins: Sequence[Review] = ()) -> list[Status]:
    """Return what takes back each success that may stand at GitHub though no approval stands for it any more."""
    wanted = wanted_status(speaker(row, twins), policy)
    kept = wanted.key if wanted and wanted.state == "success" else None
    places = [
        post.key.split(" ", 2)[1:] for post in row.posts.values() if post.is_success and post.key != kept
    ]
    return [Status("pending", TAKEN_BACK, sha, context) for sha, context in places]


# Of several pull requests with one head and base, the first of these shows on it: a rejection wins.
_LOUDEST = "rejected to_merge merging waiting to_ask draft merged closed".split()


def speaker(row: Review, twins: Sequence[Review]) -> Review:
    """Return the pull request whose status shows on the head; one that waits for somebody to vouch for it never does."""
    others = [twin for twin in twins if not twin.needs_voucher]
    if row.needs_voucher and others:
        return min(others, key=_loudness)
    return min((row, *others), key=_loudness)


def _loudness(row: Review) -> tuple[int, int]:
    return _LOUDEST.index(row.state), row.number


def unsaid_words(row: Review) -> list[Post]:
    """Return the decisions and questions that GitHub was not told yet, each kind in the order in which they were made."""
    words = (post for post in row.posts.values() if post.said is None and post.kind in _WORDS)
    return sorted(words, key=lambda post: (post.kind, post.number))


def wanted_status(row: Review, policy: Policy, why: str = "") -> Status | None:
    """Return the status that the head of this pull request alone should show, or None where nothing needs to be said.

    A success may stay where a merge commit takes the very commit in; a squash does not. How somebody else merged it is
    not known.
    """
    if not policy.gates(row.base):
        return None
    if row.state is State.MERGED and not row.bypassed:
        # What was in the way of a merge is not any more, so it is said without that.
        if row.merged_how is not Merged.BY_GATE or policy.method_for(row) != "merge":
            return None
    elif row.state in ENDED:
        was_said = any(post.kind == "status" and row.head_sha in post.key for post in row.posts.values())
        if not was_said:
            return None
    state, words = _words(row, policy, why)
    is_short = len(words) <= LONGEST_DESCRIPTION
    words = words if is_short else words[: LONGEST_DESCRIPTION - 1] + "…"
    return Status(state, words, row.head_sha, context_of(row.base))


def _words(row: Review, policy: Policy, why: str) -> tuple[str, str]:
    decision = row.decision
    match row.state:
        case State.DRAFT:
            return "pending", "Draft: QA is asked once it’s marked ready for review."
        case State.TO_ASK:
            return "pending", why or "QA will be asked soon."
        case State.WAITING:
            reviewer = policy.reviewer(row.reviewer)
            asked = row.asked_at.astimezone(UTC) if row.asked_at else None
            since = f" (asked {asked.day} {asked:%b, %H:%M} UTC)" if asked else ""
            return "pending", f"Waiting for {reviewer.name if reviewer else 'QA'}’s approval{since}"
        case State.REJECTED if decision:
            return "failure", f"Changes requested by {decision.by}: {' '.join(decision.note.split())}"
        case State.CLOSED if row.open:
            return "pending", "QA no longer reviews this repository."
        case State.CLOSED:
            return "pending", "Closed. Reopen it to ask QA."
        case State.MERGED if row.bypassed:
            return "pending", "Merged without QA’s approval."
        case _ if decision and row.is_approved:
            return "success", f"Approved by {decision.by}.{f' {why}' if why else ''}"
        case _:
            return "pending", "Not approved yet. QA will be asked."
