"""Which commits of a release were approved: told by set difference, from SHAs alone. Pure.

A commit is accounted for exactly if it is the merge commit of an approved merge, or was among the commits of the
comparison that was approved there. Never by a message, a number or where it hangs in the history: everything else
is not approved. A rebase makes new commits; they are known where they are as many as were approved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.domain.approval import Merged
from app.domain.facts import Passed, Release, Step, Unseen
from app.domain.review import Review

# Merges that an approval covers by itself; what another approved merge brought is that one's.
APPROVED = frozenset({Merged.BY_GATE, Merged.BY_GITHUB, Merged.UNCHECKED})


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged pull request. `commits` are those of the comparison that its question or approval rested on.

    `merges` counts those of them that are merges themselves. None: that comparison is not known.
    """

    review: Review
    commits: tuple[str, ...] | None = None
    merges: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """What GitHub says of a commit that we cannot place: the pull request that brought it, None where it was pushed."""

    pull: int | None
    title: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A release, sorted: `approved` merges, the pull requests of ours that brought what was not approved, and the `rest`.

    `rest` is what only GitHub can tell the origin of; `earlier` counts the changes that were ahead on day one.
    """

    steps: Mapping[str, Step]
    approved: Sequence[Merge]
    around: Mapping[str, Review]
    rest: Sequence[str]
    earlier: int

    def release(
        self, origins: Mapping[str, Origin], gone: Iterable[Review] = (), *, is_rewritten: bool = False
    ) -> Release:
        """Return what the release holds; `origins` are those of the rest, as far as they are known."""
        passed = tuple(found for merge in self.approved if (found := _passed(merge.review)))
        return Release(
            passed,
            tuple(self._unseen(origins)),
            self.earlier,
            is_rewritten,
            tuple(found for review in gone if (found := _passed(review))),
        )

    def _unseen(self, origins: Mapping[str, Origin]) -> Iterable[Unseen]:
        groups: dict[int | str, list[str]] = {}
        rest = set(self.rest)
        for sha in self.steps:
            if sha in rest or sha in self.around:
                groups.setdefault(self._pull(sha, origins) or sha, []).append(sha)
        approved = {merge.review.number for merge in self.approved}
        known = {review.number: review for review in self.around.values()}
        for key, shas in groups.items():
            pull = key if isinstance(key, int) else None
            sha = shas[-1]
            step, origin = self.steps[sha], origins.get(sha, Origin(None))
            ours = known.get(pull) if pull else None
            yield Unseen(
                sha,
                ours.title if ours else origin.title or step.message,
                ours.author if ours else origin.author or step.author,
                pull,
                was_asked=pull is not None or sha in origins,
                commits=tuple(shas) if len(shas) > 1 else (),
                is_beside=pull in approved,
            )

    def _pull(self, sha: str, origins: Mapping[str, Origin]) -> int | None:
        if sha in self.around:
            return self.around[sha].number
        return origins[sha].pull if sha in origins else None


def account(
    steps: Sequence[Step], merges: Sequence[Merge], branch: str, day_one: Collection[str] = ()
) -> Account:
    """Sort the commits that go into a release; `merges` are those whose merge commit is among them.

    `branch` is where they were approved for, `day_one` what was ahead of the release branch when the gate came.
    """
    by_sha = {step.sha: step for step in steps}
    approved = [merge for merge in merges if is_approved_merge(merge.review, branch)]
    accounted = {sha for merge in approved for sha in brought(merge, by_sha)}
    # One merge may settle several pull requests: it is the one's whose head it took in.
    others = sorted(
        (merge for merge in merges if merge not in approved), key=lambda one: _took_in_head(one, by_sha)
    )
    around = {sha: merge.review for merge in others for sha in brought(merge, by_sha)}
    left = [sha for sha in by_sha if sha not in accounted]
    past = [sha for sha in left if sha not in day_one]
    place = {sha: number for number, sha in enumerate(by_sha)}
    return Account(
        by_sha,
        sorted(approved, key=lambda merge: place.get(merge.review.merge_commit or "", 0)),
        {sha: around[sha] for sha in past if sha in around},
        [sha for sha in past if sha not in around],
        _changes_of([by_sha[sha] for sha in left if sha in day_one]),
    )


def _changes_of(steps: Sequence[Step]) -> int:
    """Count commits as a person does: a merge with all that it brought is one change.

    So those count that first parents lead to; this counts only, and says nothing of what was approved.
    """
    by_sha, parents = {step.sha: step for step in steps}, {sha for step in steps for sha in step.parents}
    found = set[str]()
    for head in by_sha.keys() - parents:
        sha = head
        while sha in by_sha and sha not in found:
            found.add(sha)
            sha = next(iter(by_sha[sha].parents), "")
    return len(found)


def is_approved_merge(review: Review, branch: str) -> bool:
    """Tell whether this was merged into the branch with a standing approval of just that: the one place that says so."""
    return review.merged_how in APPROVED and review.has_yes and review.base == branch


def brought(merge: Merge, steps: Mapping[str, Step]) -> set[str]:
    """Return the commits that a merge brought; none where its merge commit is not among the steps."""
    last = steps.get(merge.review.merge_commit or "")
    if last is None:
        return set()
    if _took_in_head(merge, steps):
        return {last.sha, *(merge.commits or ())}
    return {last.sha, *_rebased(merge, last, steps)}


def lacks_commits(merge: Merge, steps: Mapping[str, Step]) -> tuple[str, str] | None:
    """Return which two commits to compare where nobody knows yet what a merge took in, else None."""
    if merge.commits is None and _took_in_head(merge, steps):
        return steps[merge.review.merge_commit or ""].parents[0], merge.review.head_sha
    return None


def _took_in_head(merge: Merge, steps: Mapping[str, Step]) -> bool:
    """Tell whether the merge commit has the head as its second parent; that of a squash or a rebase has not."""
    last = steps.get(merge.review.merge_commit or "")
    return last is not None and last.parents[1:] == (merge.review.head_sha,)


def _rebased(merge: Merge, last: Step, steps: Mapping[str, Step]) -> Sequence[str]:
    """Return the commits that a rebase put there: those between where the base stood just before, and the last.

    If those are not just as many as were approved, something else came in the same instant, or GitHub left one out:
    then only the last, which GitHub named, is certain. A rebase leaves merges out.
    https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/incorporating-changes-from-a-pull-request/about-pull-request-merges#rebase-and-merge-your-commits
    """
    number, shas = len(merge.commits or ()) - merge.merges, list[str]()
    step: Step | None = last
    while step is not None and len(shas) < number and len(step.parents) == 1:
        shas.append(step.sha)
        if step.parents[0] == merge.review.merged_onto:
            return shas if len(shas) == number else ()
        step = steps.get(step.parents[0])
    return ()


def _passed(review: Review) -> Passed | None:
    decision = review.decision
    if decision is None:
        return None
    unchecked = review.merged_how is Merged.UNCHECKED
    return Passed(
        review.number,
        review.title,
        review.author,
        decision.by,
        decision.at,
        decision.note,
        is_unchecked=unchecked,
    )
