"""What GitHub should show for a review: its commit statuses and its review comment.

The status is the lock that branch protection asks for; the review is a courtesy. `jobs` makes the first
difference between wanted and said true. Descriptions are for developers, at most 140 characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from app.domain.approval import Choice
from app.domain.facts import State, Status
from app.domain.policy import Policy
from app.domain.review import Post, Review

# What is said in words, each once.
_WORDS = ("decision", "question")
LONGEST_DESCRIPTION = 140  # https://docs.github.com/en/rest/commits/statuses#create-a-commit-status


def context_of(base: str) -> str:
    """Return the status context that protects a branch: a yes for one branch never unlocks another."""
    return f"qa-gate/{base}"


def status_key(sha: str, context: str) -> str:
    """Return the key of the post that is a status at this place."""
    return f"status {sha} {context}"


def head_key(row: Review) -> str:
    """Return the key of the status on the head of a pull request."""
    return status_key(row.head_sha, context_of(row.base))


def place_of(status: Status) -> str:
    """Return the key of the post that is this status."""
    return status_key(status.sha, status.context)


def mark_of(row: Review, number: int, round_: int) -> str:
    """Return what the hidden marker at GitHub calls a decision of this row."""
    return f"{row.nonce}.{round_}.{number}"


def said(status: Status) -> str:
    """Return how `Post.said` remembers a status."""
    return f"{status.state} {status.description}"


def statuses_to_say(row: Review, policy: Policy, why: str = "", twins: Sequence[Review] = ()) -> list[Status]:
    """Return the statuses that GitHub should be told, in order; empty when all is said. `why` says what is in the way.

    First every success that outlived its approval is written back, whichever commit or branch it stands on. What shows on
    the head is one status for all pull requests with this head and base, the `twins`: see `speaker`.
    """
    if not row.was_read:
        return []
    speaks = speaker(row, twins)
    wanted = wanted_status(speaks, policy, why if speaks is row else "")
    here = head_key(row)
    owed = [
        Status("pending", "Not approved any more: QA has to approve the latest version.", sha, context)
        for sha, context in stale_successes(row, policy, twins)
        if wanted is None or status_key(sha, context) != here
    ]
    post = row.posts.get(here)
    if wanted is None:
        return owed
    if speaks is row:
        return owed if post and post.said == said(wanted) else [*owed, wanted]
    # The other's own run says it; only a success of this one's must not outlive that.
    return [*owed, wanted] if post and post.is_success and wanted.state != "success" else owed


def stale_successes(row: Review, policy: Policy, twins: Sequence[Review] = ()) -> list[tuple[str, str]]:
    """Return (SHA, status context) of each success that may stand at GitHub though no approval stands for it any more."""
    wanted = wanted_status(speaker(row, twins), policy)
    kept = place_of(wanted) if wanted and wanted.state == "success" else None
    places = (
        post.key.split(" ", 2)[1:] for post in row.posts.values() if post.is_success and post.key != kept
    )
    return [(sha, context) for sha, context in places]


# Of several pull requests with one head and base, the first of these shows on it: a rejection wins.
_LOUDEST = (
    State.REJECTED,
    State.TO_MERGE,
    State.MERGING,
    State.WAITING,
    State.TO_ASK,
    State.DRAFT,
    State.MERGED,
    State.CLOSED,
)


def speaker(row: Review, twins: Sequence[Review]) -> Review:
    """Return the pull request whose status shows on the head; one that waits for somebody to vouch for it never does."""
    others = [twin for twin in twins if not twin.is_strangers]
    if row.is_strangers and others:
        return min(others, key=_loudness)
    return min((row, *others), key=_loudness)


def _loudness(row: Review) -> tuple[int, int]:
    return _LOUDEST.index(row.state), row.number


def unsaid_words(row: Review) -> list[Post]:
    """Return the decisions and questions that GitHub was not told yet, each kind in the order in which they were made."""
    words = (post for post in row.posts.values() if post.said is None and post.kind in _WORDS)
    return sorted(words, key=lambda post: (post.kind, post.number))


def _is_kept_by_merge(row: Review, policy: Policy) -> bool:
    """Tell whether a success may stay: a merge commit takes the very commit in; a squash does not.

    How somebody else merged it is not known.
    """
    return row.merged_by_gate and policy.method_for(row) == "merge"


def wanted_status(row: Review, policy: Policy, why: str = "") -> Status | None:
    """Return the status that the head of this pull request alone should show, or None where nothing needs to be said."""
    is_merged = row.state is State.MERGED
    was_said = any(post.kind == "status" and row.head_sha in post.key for post in row.posts.values())
    is_over = row.state is State.CLOSED or (is_merged and row.bypassed)
    # What was in the way of a merge is not any more, so it is said without that.
    if (is_merged and not row.bypassed and not _is_kept_by_merge(row, policy)) or (is_over and not was_said):
        return None
    if not policy.gates(row.base):
        return None
    state, words = _words(row, policy, why)
    return Status(state, _cut(words), row.head_sha, context_of(row.base))


def _words(row: Review, policy: Policy, why: str) -> tuple[str, str]:
    reviewer = policy.reviewer(row.reviewer)
    name = reviewer.name if reviewer else "QA"
    trouble = f" {why}" if why else ""
    match row.state:
        case State.DRAFT:
            return "pending", "Draft: QA is asked once it’s marked ready for review."
        case State.TO_ASK:
            return "pending", why or "QA will be asked soon."
        case State.WAITING:
            return "pending", f"Waiting for {name}’s approval (asked {_since(row)})"
        case State.REJECTED:
            return "failure", f"Changes requested by {_decider(row)}: {_note(row)}"
        case State.CLOSED:
            is_let_go = row.open
            return (
                "pending",
                "QA no longer reviews this repository." if is_let_go else "Closed. Reopen it to ask QA.",
            )
        case State.MERGED if row.bypassed:
            return "pending", "Merged without QA’s approval."
        case _ if not row.has_yes:
            return "pending", "Not approved yet. QA will be asked."
        case _:
            return "success", f"Approved by {_decider(row)}.{trouble}"


def _since(row: Review) -> str:
    if row.asked_at is None:
        return "just now"
    asked = row.asked_at.astimezone(UTC)
    return f"{asked.day} {asked:%b, %H:%M} UTC"


def _decider(row: Review) -> str:
    return row.decision.by if row.decision else "QA"


def _note(row: Review) -> str:
    if row.decision is None or row.decision.choice is not Choice.REJECT:
        return "see the comments"
    return " ".join(row.decision.note.split())


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_DESCRIPTION else words[: LONGEST_DESCRIPTION - 1] + "…"
