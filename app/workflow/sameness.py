"""Whether a new head is the same change on a newer base, so that Lily need not be asked again.

A developer who updates a branch, or the gate who does it, moves the head and changes nothing that Lily looked at.
Told from the git trees of merge base and head: the list of changed files is not enough, for it shows no modes,
and a merge that quietly undoes a fix on the base looks the same in it.
"""

from __future__ import annotations

from app.review import Change, PullRequest, Snapshot, Tree, delta, may_be_carried
from app.workflow.gate import Work


def is_same_change(work: Work, facts: PullRequest) -> bool:
    """Tell whether the new head holds just what the reviewer was asked about in this round.

    One read of the comparison, and only if that agrees, at most four of trees; a tree that GitHub cuts short counts as
    different.
    """
    row, gate = work.row, work.gate
    asked = gate.store.reviews.round(row.id, row.round)
    if asked is None or not may_be_carried(row, facts, gate.policy):
        return False
    now = gate.github.change(row.repository, facts.base_sha, facts.head_sha)
    work.keep()
    return _outline(asked.snapshot.change) == _outline(now) and _same_trees(work, asked.snapshot, now, facts)


def _same_trees(work: Work, asked: Snapshot, now: Change, facts: PullRequest) -> bool:
    before = (asked.change.merge_base, asked.pull.head_sha)
    after = (now.merge_base, facts.head_sha)
    trees: dict[str, Tree] = {}
    for sha in {*before, *after}:
        tree = work.gate.github.tree(work.row.repository, sha)
        work.keep()
        if tree is None:
            return False
        trees[sha] = tree
    return delta(trees[before[0]], trees[before[1]]) == delta(trees[after[0]], trees[after[1]])


def _outline(change: Change) -> set[tuple[str, str, int, int, str | None]]:
    return {
        (file.path, file.status, file.additions, file.deletions, file.previous_path) for file in change.files
    }
