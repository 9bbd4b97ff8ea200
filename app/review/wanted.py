"""What GitHub should show for a review: its commit statuses and its review comment.

The status is the lock that branch protection asks for; the review is a courtesy. `workflow` makes the first
difference between wanted and said true. Descriptions are for developers, at most 140 characters.
"""

from __future__ import annotations

from datetime import UTC

from app.review.decisions import Choice
from app.review.facts import State, Status
from app.review.policy import Policy
from app.review.record import Review

LONGEST_DESCRIPTION = 140  # https://docs.github.com/en/rest/commits/statuses#create-a-commit-status


def context_of(base: str) -> str:
    """Return the status context that protects a branch: a yes for one branch never unlocks another."""
    return f"qa-gate/{base}"


def success_key(status: Status) -> str:
    """Return how `Review.success_on` names where a success stands."""
    return f"{status.sha} {status.context}"


def mark_of(row: Review) -> str:
    """Return what the hidden marker at GitHub calls the standing decision of this row."""
    number = row.decision.number if row.decision else 0
    return f"{row.nonce}.{row.round}.{number}"


def statuses_to_say(row: Review, policy: Policy, why: str = "") -> list[Status]:
    """Return the statuses that GitHub should be told, in order; empty when all is said. `why` says what is in the way.

    First every success that outlived its yes is written back, whichever commit or branch it stands on.
    """
    if not row.was_read:
        return []
    wanted = _wanted(row, policy, why)
    withdrawn = [
        Status("pending", "Not approved any more: QA has to approve the latest version.", sha, context)
        for sha, context in stale_successes(row, policy)
    ]
    if wanted is None or _is_said(wanted, row):
        return withdrawn
    # One call is enough where the success stands just where the new word goes.
    return [status for status in withdrawn if success_key(status) != success_key(wanted)] + [wanted]


def stale_successes(row: Review, policy: Policy) -> list[tuple[str, str]]:
    """Return (SHA, status context) of each success that may stand at GitHub though no yes stands for it any more."""
    wanted = _wanted(row, policy)
    kept = success_key(wanted) if wanted and wanted.state == "success" else _kept_by_merge(row, policy)
    places = (key.split(" ", 1) for key in row.success_on if key != kept)
    return [(sha, context) for sha, context in places]


def said(status: Status) -> str:
    """Return how `Said.status` remembers a status."""
    return f"{status.sha} {status.context} {status.state} {status.description}"


def wants_review(row: Review) -> bool:
    """Tell whether GitHub should still be told the standing decision as a review."""
    return row.decision is not None and row.said.review < row.decision.number


def _is_said(status: Status, row: Review) -> bool:
    # What was said last may have been written over by a success that nobody could note.
    is_written_over = status.state != "success" and success_key(status) in row.success_on
    return said(status) == row.said.status and not is_written_over


def _kept_by_merge(row: Review, policy: Policy) -> str | None:
    """Return the success that may stay: a merge commit takes the very commit in; a squash does not.

    How somebody else merged it is not known.
    """
    if row.merged_by_gate and not row.bypassed and policy.method_for(row) == "merge":
        return f"{row.head_sha} {context_of(row.base)}"
    return None


def _wanted(row: Review, policy: Policy, why: str = "") -> Status | None:
    """Return the status that the head should show, or None where nothing needs to be said."""
    is_over = row.state is State.CLOSED or (row.state is State.MERGED and row.bypassed)
    is_merged = row.state is State.MERGED and not row.bypassed
    # What was in the way of a merge is not any more, so it is said without that.
    if (is_merged and not _kept_by_merge(row, policy)) or (is_over and not row.said.status):
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
