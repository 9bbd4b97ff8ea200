"""What a release holds, and with whose approval: every commit of the comparison, told apart by set difference.

`app.domain.release` decides; here it is fetched what that needs. A forced push is noticed where the branch does not
hold any more where it stood at the last look.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.db.releases import Known, Push
from app.domain.blocked import Why
from app.domain.facts import Release, Unseen
from app.domain.release import Account, Merge, Origin, account, is_approved_merge, lacks_commits
from app.domain.review import Review
from app.github.answers import GitHubError, Limited, Refused
from app.github.commits import Steps
from app.jobs.gate import SOON, Gate

# So many unknown commits are asked for in one step; of the rest it is said that nobody looked.
MOST_ASKED = 100


@dataclass(frozen=True, slots=True)
class Place:
    """The repository whose account is given, and how the lease is renewed meanwhile."""

    gate: Gate
    repository: str
    repository_id: int
    renew: Callable[[], None]

    @property
    def branch(self) -> str:
        """Return the development branch."""
        return self.gate.policy.development_branch

    @property
    def known(self) -> Known | None:
        """Return how far the branch is known, None before the first look."""
        return self.gate.store.releases.known(self.repository_id, self.branch)


def compared(place: Place, base: str, head: str, etag: str | None = None) -> Steps | None:
    """Read what `head` has and `base` has not, branches or commits; None where one is not there, or they share nothing.

    One GET, free where nothing came and `etag` is that of the last answer; more past 250 commits.
    """
    try:
        found = place.gate.github.steps(place.repository, base, head, etag=etag, on_page=place.renew)
    except Refused as refusal:
        if refusal.kind is not Why.GONE:
            raise
        return None
    place.renew()
    return found


def merge_is_out(place: Place) -> bool:
    """Tell whether a merge of our own is out whose commit is not known yet; until it is, no account can be given."""
    return place.gate.store.releases.is_merging(place.repository_id, place.branch)


def look_again_after(gate: Gate) -> timedelta:
    """Return when to look again where a merge of ours is out, or a branch moved while the gate looked."""
    return max(SOON, gate.policy.settling)


def account_of(place: Place, ahead: Steps) -> Release | None:
    """Return what a release of just these commits holds; None while a merge of our own is still out.

    The first account is day one's. Where the branch stands is not noted: `ahead` may be behind it; see `note_head`.
    """
    releases, known = place.gate.store.releases, place.known
    if known is None:
        day_one = tuple(step.sha for step in ahead.steps)
        releases.begin(place.repository_id, place.branch, ahead.head, day_one)
    else:
        day_one = _day_one(place, known, ahead)
    if merge_is_out(place):
        return None
    sorted_ = sort(place, ahead, day_one)
    forced = [
        push
        for push in releases.forced(place.repository_id, place.branch)
        if push.head in sorted_.steps or (push.is_level and push.head == ahead.merge_base)
    ]
    gone = [sha for push in forced for sha in push.gone if sha not in sorted_.steps]
    return sorted_.release(origins_of(place, sorted_), approved(place, gone), is_rewritten=bool(forced))


def new_merges(place: Place) -> list[Review]:
    """Return what was merged with an approval since the last look, and has to be in the branch."""
    known, releases = place.known, place.gate.store.releases
    merged = releases.merged_since(place.repository_id, place.branch, known.at) if known else []
    return [review for review in merged if is_approved_merge(review, place.branch)]


def note_head(
    place: Place,
    came: Steps,
    merged: Sequence[Review],
    began: datetime,
    unseen: tuple[Unseen, ...] = (),
    readers: Collection[str] = (),
) -> None:
    """Note where the branch stands by now, and whether its history was changed since the last look.

    `came` are the commits that it has and the release branch has not, or that it had not at the last look. `merged` are
    the new merges, `began` is when this look did. `readers` are told of what was changed, and of what is `unseen`.
    No call where what was known is among what came, or just below it.
    """
    known = place.known
    if known is None or (known.head == came.head and not merged):
        return
    shas = {step.sha for step in came.steps}
    below = {parent for step in came.steps for parent in step.parents}
    is_below = known.head in {came.head, came.merge_base, *below}
    dropped = None if is_below else dropped_by(place, known.head, came.head)
    gone = [review.merge_commit or "" for review in dropped or ()]
    for sha in (review.merge_commit or "" for review in merged):
        # It may have come and gone between two looks.
        if sha not in (*shas, *gone) and dropped_by(place, sha, came.head) is not None:
            gone.append(sha)
    push = Push(
        place.repository_id,
        place.repository,
        place.branch,
        came.head,
        is_forced=dropped is not None or bool(gone),
        is_level=not came.steps,
        gone=tuple(gone),
        unseen=unseen,
    )
    place.gate.store.releases.move(known.head, push, began, readers)


def dropped_by(place: Place, before: str, now: str) -> list[Review] | None:
    """Return which approved merges the branch does not hold any more, None where it still holds what was known.

    One GET, more past 250 commits. Where the two have nothing in common, or GitHub does not know the one before, all.
    """
    lost = compared(place, now, before)
    if lost is None:
        return approved(place, None)
    return approved(place, [step.sha for step in lost.steps]) if lost.steps else None


def approved(place: Place, shas: list[str] | None) -> list[Review]:
    """Return what was merged with an approval as one of these commits, None for any."""
    merged = place.gate.store.releases.merged(place.repository_id, place.branch, shas)
    return [review for review in merged if is_approved_merge(review, place.branch)]


def sort(place: Place, ahead: Steps, day_one: Collection[str] = ()) -> Account:
    """Sort these commits into what was approved, what was there on day one, and what came past the reviewers."""
    steps = {step.sha: step for step in ahead.steps}
    merges = place.gate.store.releases.merges(place.repository_id, list(steps))
    for number, merge in enumerate(merges):
        ends = lacks_commits(merge, steps)
        if ends:
            merges[number] = _read_later(place, merge, *ends)
    return account(ahead.steps, merges, place.branch, frozenset(day_one))


def origins_of(place: Place, sorted_: Account) -> dict[str, Origin]:
    """Return what GitHub says of the commits that no pull request of ours is known to have brought, each asked once."""
    releases = place.gate.store.releases
    known = releases.origins(place.repository_id, sorted_.rest)
    unknown = [sha for sha in reversed(sorted_.rest) if sha not in known]
    for sha in unknown[:MOST_ASKED]:
        known[sha] = _origin(place, sha)
        place.renew()
        releases.keep_origin(place.repository_id, sha, known[sha])
    return known


def _read_later(place: Place, merge: Merge, onto: str, head: str) -> Merge:
    """Read which commits a merge took in that could not be compared when it was asked about, or that nobody was."""
    try:
        took = place.gate.github.steps(place.repository, onto, head, on_page=place.renew).steps
    except Limited:
        raise
    except GitHubError:
        return merge
    place.renew()
    shas, merges = tuple(step.sha for step in took), sum(len(step.parents) > 1 for step in took)
    place.gate.store.releases.keep_compared(merge.review, shas, merges)
    return Merge(merge.review, shas, merges)


def _day_one(place: Place, known: Known, ahead: Steps) -> tuple[str, ...]:
    """Return what was ahead of the release branch on day one; read now where that was not told then."""
    if known.ahead is not None:
        return known.ahead
    then = compared(place, ahead.base, known.day_one) or Steps()  # or nothing is left of it
    shas = tuple(step.sha for step in then.steps)
    place.gate.store.releases.keep_ahead(place.repository_id, place.branch, shas)
    return shas


def _origin(place: Place, sha: str) -> Origin:
    try:
        pull = place.gate.github.brought_by(place.repository, sha, place.branch)
    except Refused as refusal:
        if refusal.kind not in (Why.GONE, "invalid"):
            raise
        return Origin(None)  # the commit itself is gone
    return Origin(pull.number, pull.title, pull.author) if pull else Origin(None)
