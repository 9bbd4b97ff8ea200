"""Which commits of a release were approved: told by set difference, from SHAs alone. Pure.

A commit is accounted for exactly if it is the merge commit of an approved merge, or was among the commits of the
comparison that was approved there. Never by a message, a number or where it hangs in the history: everything else
is not approved. A rebase makes new commits; they are known where they are as many as were approved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.domain.approval import Merged
from app.domain.facts import Commit, Passed, Release, Unseen
from app.domain.review import Review

# Merges that an approval covers by itself; what another approved merge brought is that one's.
_APPROVED = frozenset({Merged.BY_GATE, Merged.BY_GITHUB, Merged.UNCHECKED})


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


UNPLACED = Origin(None)


@dataclass(frozen=True, slots=True)
class SortedCommits:
    """A release, sorted: what was `approved`, and the commits that were not, each with the pull request of ours that brought it.

    `earlier` counts the changes that were ahead on day one.
    """

    steps: Mapping[str, Commit]
    approved: Sequence[Review]
    past: Mapping[str, Review | None]
    earlier: int

    @property
    def rest(self) -> list[str]:
        """Return the commits of which only GitHub can tell the origin."""
        return [sha for sha, review in self.past.items() if review is None]

    def release(
        self, origins: Mapping[str, Origin], gone: Iterable[Review] = (), *, is_rewritten: bool = False
    ) -> Release:
        """Return what the release holds; `origins` are those of the rest, as far as they are known."""
        unseen = tuple(self._unseen(origins))
        return Release(_passed(self.approved), unseen, self.earlier, is_rewritten, _passed(gone))

    def _unseen(self, origins: Mapping[str, Origin]) -> Iterable[Unseen]:
        groups: dict[int | str, list[str]] = {}
        for sha, review in self.past.items():
            pull = review.number if review else origins.get(sha, UNPLACED).pull
            groups.setdefault(pull or sha, []).append(sha)
        approved = {review.number for review in self.approved}
        for key, shas in groups.items():
            sha, pull = shas[-1], key if isinstance(key, int) else None
            brought_by = next((review for review in map(self.past.get, shas) if review), None)
            about, step = brought_by or origins.get(sha, UNPLACED), self.steps[sha]
            yield Unseen(
                sha,
                about.title or step.message,
                about.author or step.author,
                pull,
                was_asked=pull is not None or sha in origins,
                commits=tuple(shas) if len(shas) > 1 else (),
                is_beside=pull in approved,
            )


def sort_commits(
    steps: Sequence[Commit], merges: Sequence[Merge], branch: str, day_one: Collection[str] = ()
) -> SortedCommits:
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
    place = {sha: number for number, sha in enumerate(by_sha)}
    return SortedCommits(
        by_sha,
        sorted((merge.review for merge in approved), key=lambda one: place.get(one.merge_commit or "", 0)),
        {sha: around.get(sha) for sha in left if sha not in day_one},
        _changes_of([by_sha[sha] for sha in left if sha in day_one]),
    )


def _changes_of(steps: Sequence[Commit]) -> int:
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
    return review.merged_how in _APPROVED and review.is_approved and review.base == branch


def brought(merge: Merge, steps: Mapping[str, Commit]) -> set[str]:
    """Return the commits that a merge brought; none where its merge commit is not among the steps."""
    last = steps.get(merge.review.merge_commit or "")
    if last is None:
        return set()
    took = (merge.commits or ()) if _took_in_head(merge, steps) else _rebased(merge, last, steps)
    return {last.sha, *took}


def lacks_commits(merge: Merge, steps: Mapping[str, Commit]) -> tuple[str, str] | None:
    """Return which two commits to compare where nobody knows yet what a merge took in, else None."""
    if merge.commits is None and _took_in_head(merge, steps):
        return steps[merge.review.merge_commit or ""].parents[0], merge.review.head_sha
    return None


def _took_in_head(merge: Merge, steps: Mapping[str, Commit]) -> bool:
    """Tell whether the merge commit has the head as its second parent; that of a squash or a rebase has not."""
    last = steps.get(merge.review.merge_commit or "")
    return last is not None and last.parents[1:] == (merge.review.head_sha,)


def _rebased(merge: Merge, last: Commit, steps: Mapping[str, Commit]) -> Sequence[str]:
    """Return the commits that a rebase put there: those between where the base stood just before, and the last.

    If those are not just as many as were approved, something else came in the same instant, or GitHub left one out:
    then only the last, which GitHub named, is certain. A rebase leaves merges out.
    https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/incorporating-changes-from-a-pull-request/about-pull-request-merges#rebase-and-merge-your-commits
    """
    number, shas = len(merge.commits or ()) - merge.merges, list[str]()
    step: Commit | None = last
    while step is not None and len(shas) < number and len(step.parents) == 1:
        shas.append(step.sha)
        if step.parents[0] == merge.review.merged_onto:
            return shas if len(shas) == number else ()
        step = steps.get(step.parents[0])
    return ()


def _passed(reviews: Iterable[Review]) -> tuple[Passed, ...]:
    return tuple(
        Passed(
            *(review.number, review.title, review.author, said.by, said.at, said.note),
            is_unchecked=review.merged_how is Merged.UNCHECKED,
        )
        for review in reviews
        if (said := review.decision)
    )
