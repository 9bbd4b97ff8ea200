"""Whether a new head is the same change on a newer base, and an old one still meets its base where it did.

A developer who updates a branch, or the gate who does it, moves the head and changes nothing that Lily looked at.
Told from the git trees of merge base and head: the list of changed files is not enough, for it shows no modes,
and a merge that quietly undoes a fix on the base looks the same in it. Nor do the trees tell where head and base
meet in more than one place: what the head undoes of the other place is not in its difference to the one.
"""

from __future__ import annotations

from app.domain.change import Change, Tree
from app.domain.facts import PullRequest, Since, Snapshot
from app.domain.rules import delta, may_be_carried
from app.github.answers import GitHubError, Limited
from app.jobs.gate import Work


def same_change(work: Work, facts: PullRequest, since: Since) -> Change | None:
    """Return the comparison of a new head that holds just what the reviewer was asked about in this round, else None.

    One read of the comparison, and only if that agrees, at most four of trees. What GitHub cuts short, or does not
    give when asked twice, counts as different.
    """
    row, gate = work.row, work.gate
    asked = gate.store.reviews.round(row.id, row.round)
    if asked is None or not asked.snapshot.change.is_known:
        return None
    if not may_be_carried(row, facts, gate.policy, since):
        return None
    for _ in range(2):
        try:
            now = gate.github.change(facts.repository, facts.base, facts.head_sha)
            work.keep()
            is_like = now.is_unique and _outline(asked.snapshot.change) == _outline(now)
            return now if is_like and _same_trees(work, asked.snapshot, now, facts) else None
        except Limited:
            raise
        except GitHubError:
            continue
    return None


def is_base_rewritten(work: Work, facts: PullRequest) -> bool:
    """Tell whether the head meets its base elsewhere than when it was asked about, and not just further on.

    Then history was dropped from the base, and a merge would bring back what the reviewer was not shown. Further on is
    fine: less of what she saw is still to come. One GET, and another where the place is not the same.
    """
    known = work.row.merge_base
    if known is None:
        return False
    now = work.gate.github.merge_base(facts.repository, facts.base, facts.head_sha)
    work.keep()
    if now == known:
        return False
    before = work.gate.github.merge_base(facts.repository, known, now)
    work.keep()
    return before != known


def may_carry(work: Work) -> bool:
    """Tell whether an approval could be carried over to this head brought up to date: all of its trees can be read.

    At most two reads of trees. A release is never carried over, nor what could not be compared when it was asked about.
    """
    row, gate = work.row, work.gate
    asked = gate.store.reviews.round(row.id, row.round)
    if asked is None or not asked.snapshot.change.is_known or gate.policy.is_release(row):
        return False
    for sha in (asked.snapshot.change.merge_base, row.head_sha):
        tree = gate.github.tree(row.repository, sha)
        work.keep()
        if tree is None:
            return False
    return asked.snapshot.change.is_unique


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
