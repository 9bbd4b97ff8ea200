"""What is new since a change was asked about before: its code, or something else did change and the code is the same.

Mails and pages say so to who was asked before. It reads the history and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from app.db.rows import HistoryRow
from app.domain.approval import Choice, Decision
from app.domain.facts import Commit, Snapshot
from app.domain.policy import Reviewer
from app.domain.review import Happened, Review
from app.jobs.gate import Gate


@dataclass(frozen=True, slots=True)
class Again:
    """What happened since a round was asked about.

    `why` is the end of a sentence ("it is ready again"); `old_base` is where it was to go then, if that is another.
    """

    is_new_code: bool
    why: str
    old_base: str | None


def asked_again(gate: Gate, row: Review, since: int) -> Again:
    """Return why the row's round is another than this earlier one."""
    then = gate.store.reviews.round(row.id, since)
    pull = then.snapshot.pull if then else None
    asked = (pull.base, pull.head_sha) if pull else (row.base, "")
    return why_again(row, since, asked, gate.store.reviews.history(row.id))


def why_again(row: Review, since: int, asked: tuple[str, str], history: Sequence[HistoryRow]) -> Again:
    """Return the same from the row's history, oldest first; `asked` are base and head that the earlier round had."""
    base, head = asked
    begun = [line for line in history if line.round > since and line.what is Happened.SAME_CODE]
    heads = [*((line.round, line.head_sha) for line in history), (row.round, row.head_sha)]
    # Within a round the head moves only where the change stays the same.
    moved = any(old[1] != new[1] for old, new in pairwise(heads) if since <= old[0] < new[0])
    return Again(
        is_new_code=moved and head != row.head_sha,
        why=begun[-1].detail if begun else "it was changed and changed back",
        old_base=base if base != row.base else None,
    )


def what_is_new(
    gate: Gate, row: Review, now: Snapshot, reviewer: Reviewer, last: Decision | None
) -> dict[str, Any]:
    """Return what is new since the last question, as `mail.Request` names it; `last` is the last decision.

    Empty where this is the first question.
    """
    earlier = gate.store.reviews.known_before(row.id, row.round)
    if earlier is None:
        return {}
    before, history = earlier.snapshot, gate.store.reviews.history(row.id)
    again = why_again(row, earlier.round, (before.pull.base, before.pull.head_sha), history)
    approval = (Choice.APPROVE, reviewer.id, earlier.round)
    news = {
        "old_base": again.old_base,
        "voided": last is not None and (last.choice, last.reviewer, last.round) == approval,
    }
    if not again.is_new_code:
        return {**news, "same_code_but": again.why}
    code = now.pull.url.rpartition("/pull/")[0]
    return {
        **news,
        "is_again": True,
        "new_commits": new_commits(before, now),
        "compare_url": f"{code}/compare/{before.pull.head_sha}...{now.pull.head_sha}",
    }


def new_commits(before: Snapshot, now: Snapshot) -> tuple[Commit, ...]:
    """Return the commits that came; of a release what it holds more of, each as one."""
    if now.release and before.release:
        more = now.release.since(before.release)
        passed = (Commit("", f"{item.title} (#{item.number})", item.author) for item in more.passed)
        return (*(Commit(item.sha, item.title, item.author) for item in more.unseen), *passed)
    known = {commit.sha for commit in before.change.commits}
    return tuple(commit for commit in now.change.commits if commit.sha not in known)
