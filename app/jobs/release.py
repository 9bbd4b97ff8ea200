"""The release pull request: there is one while development holds what master does not, and it says what that is.

A push wakes a timer, the timer makes it so; so does the regular look. From there on it is a pull request like any
other. The gate writes its own part of the text only, and a title that is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.db.jobs import Claim, Rest, Timer
from app.db.releases import Push, SeenBranch
from app.domain.blocked import Why
from app.domain.facts import Release, Unseen
from app.domain.problems import What
from app.domain.release import Merge, Origin, SortedCommits, is_approved_merge, lacks_commits, sort_commits
from app.domain.review import Review
from app.github.answers import GitHubError, Limited, PutOff, Refused
from app.github.commits import Steps
from app.jobs.gate import OTHER_REPOSITORY, SOON, Gate
from app.jobs.poll import check_repository
from app.mail.comments import has_part, is_release_title, release_title, with_part

NO_BRANCH = (
    "{0} has no branch {1}, or no branch {2}, or they share no history. "
    "If {0} is not released so, leave RELEASE_BRANCH empty."
)
NO_DEVELOPMENT = "{0} has no branch {1}."


def keep_release(gate: Gate, claim: Claim, timer: Timer) -> Rest:
    """Open, edit or close a repository's release pull request, if something changed since the last time.

    Without a release branch, tell what was pushed past the gate.
    """
    wanted, policy, repositories = timer.name.partition(" ")[2], gate.policy, gate.store.repositories
    name = next((name for name in policy.repositories if name.casefold() == wanted), None)
    if name is None:
        return Rest()
    number = repositories.id_of(name) or check_repository(gate, name)
    branch = DevelopmentBranch(
        gate, repositories.full_name(name), number, lambda: gate.store.queue.renew(claim)
    )
    if merge_is_out(branch):
        return Rest(wait=look_again_after(gate))
    if not policy.release_branch:
        return _watch(branch, name, timer)
    began, merged = gate.store.now(), new_merges(branch)
    # What is missing shows in no change of the branch: with a new merge it is read in any case.
    ahead = read_steps(branch, policy.release_branch, branch.name, None if merged else timer.etag)
    if ahead is None:
        with suppress(Refused):
            _watch(branch, name, timer)
        words = NO_BRANCH.format(branch.repository, policy.release_branch, branch.name)
        return Rest(problem=words, refused=True, cause=What.BRANCH)
    if not ahead.is_unchanged:
        _require_same(branch, name)
        note_head(branch, ahead, merged, began)
        release = release_of(branch, ahead)
        if release is None:
            return Rest(wait=look_again_after(gate))
        _make_so(branch, ahead, release)
        gate.store.timers.note(timer.id, None, ahead.etag)
    return Rest(wait=policy.look)


def _require_same(branch: DevelopmentBranch, name: str) -> None:
    """Make sure that what was read is this repository, under today's name, before anything is kept or written.

    Raises Refused when it is another one's by now, PutOff when it was renamed.
    """
    number, today = branch.gate.github.identity(branch.repository)
    if number != branch.repository_id:
        raise Refused(OTHER_REPOSITORY.format(branch.repository), Why.GONE)
    if today.casefold() != branch.repository.casefold():
        check_repository(branch.gate, name)
        raise PutOff(f"{branch.repository} is {today} now.", SOON)


def _watch(branch: DevelopmentBranch, name: str, timer: Timer) -> Rest:
    """Note where the branch stands, and let every reviewer be told by mail, once, of what was pushed past the gate."""
    gate, seen, releases = branch.gate, branch.seen, branch.gate.store.releases
    # In this order: what is merged meanwhile is new to the next look.
    began, merged = gate.store.now(), new_merges(branch)
    etag = None if merged else timer.etag
    came = read_steps(branch, seen.head, branch.name, etag) if seen else None
    try:
        # At the first look, and where nothing is left of what was known, only where it stands.
        came = came or Steps(head=gate.github.branch_head(branch.repository, branch.name))
    except Refused as refusal:
        if refusal.kind is not Why.GONE:
            raise
        words = NO_DEVELOPMENT.format(branch.repository, branch.name)
        return Rest(problem=words, refused=True, cause=What.BRANCH)
    if came.is_unchanged:
        return Rest(wait=gate.policy.look)
    _require_same(branch, name)
    if seen is None:
        releases.begin(branch.repository_id, branch.name, came.head)
    else:
        sorted_ = sort(branch, came)
        origins = origins_of(branch, sorted_)
        if not origins.keys() >= set(sorted_.rest):
            return Rest(wait=look_again_after(gate))  # GitHub was not asked about all of it yet
        pushed = tuple(item for item in sorted_.release(origins).unseen if item.pull is None)
        readers = [person.id for person in gate.policy.reviewers]
        note_head(branch, came, merged, began, pushed, readers)
    gate.store.timers.note(timer.id, None, came.etag)
    return Rest(wait=gate.policy.look)


def _make_so(branch: DevelopmentBranch, ahead: Steps, release: Release) -> None:
    """Make the pull request what it should be. Raises Refused where it became another meanwhile: it is looked at again."""
    github, policy = branch.gate.github, branch.gate.policy
    branches, title = (policy.development_branch, policy.release_branch), release_title(release)
    standing = github.find_pull(branch.repository, *branches)
    branch.renew()
    is_empty = not ahead.steps or ahead.is_empty
    if standing is None:
        if not is_empty:
            github.open_pull(branch.repository, *branches, title, with_part("", release, *branches))
        return
    changes: dict[str, str] = {}
    if is_empty:
        changes |= {"state": "closed"} if has_part(standing.body) else {}
    else:
        body = with_part(standing.body, release, *branches)
        if is_release_title(standing.title) and standing.title != title:  # one that people gave it stays
            changes["title"] = title
        # GitHub's own editor changes how lines end, and what is empty around a text.
        if standing.body.split() != body.split():
            changes["body"] = body
    if changes:
        github.edit_pull(branch.repository, standing.number, **changes)


# --- What a release holds, and with whose approval: every commit of the comparison, told apart by set difference.
# `app.domain.release` decides; here it is fetched what that needs. A forced push is noticed where the branch does not
# hold any more where it stood at the last look.


# So many unknown commits are asked for in one step; of the rest it is said that nobody looked.
MOST_ASKED = 100


@dataclass(frozen=True, slots=True)
class DevelopmentBranch:
    """The development branch of a repository, as a job reads it; `renew` keeps the lease meanwhile."""

    gate: Gate
    repository: str
    repository_id: int
    renew: Callable[[], None]

    @property
    def name(self) -> str:
        """Return its name."""
        return self.gate.policy.development_branch

    @property
    def seen(self) -> SeenBranch | None:
        """Return how far it is known, None before the first look."""
        return self.gate.store.releases.seen(self.repository_id, self.name)


def read_steps(branch: DevelopmentBranch, base: str, head: str, etag: str | None = None) -> Steps | None:
    """Read what `head` has and `base` has not, branches or commits; None where one is not there, or they share nothing.

    One GET, free where nothing came and `etag` is that of the last answer; more past 250 commits.
    """
    try:
        found = branch.gate.github.steps(branch.repository, base, head, etag=etag, on_page=branch.renew)
    except Refused as refusal:
        if refusal.kind is not Why.GONE:
            raise
        return None
    branch.renew()
    return found


def merge_is_out(branch: DevelopmentBranch) -> bool:
    """Tell whether a merge of our own is out whose commit is not known yet; until it is, no release can be told."""
    return branch.gate.store.releases.is_merging(branch.repository_id, branch.name)


def look_again_after(gate: Gate) -> timedelta:
    """Return when to look again where a merge of ours is out, or a branch moved while the gate looked."""
    return max(SOON, gate.policy.settling)


def release_of(branch: DevelopmentBranch, ahead: Steps) -> Release | None:
    """Return what a release of just these commits holds; None while a merge of our own is still out.

    The first one is day one's. Where the branch stands is not noted: `ahead` may be behind it; see `note_head`.
    """
    releases, seen = branch.gate.store.releases, branch.seen
    if seen is None:
        day_one = tuple(step.sha for step in ahead.steps)
        releases.begin(branch.repository_id, branch.name, ahead.head, day_one)
    else:
        day_one = _day_one(branch, seen, ahead)
    if merge_is_out(branch):
        return None
    sorted_ = sort(branch, ahead, day_one)
    forced = [
        push
        for push in releases.forced(branch.repository_id, branch.name)
        if push.head in sorted_.steps or (push.is_level and push.head == ahead.merge_base)
    ]
    gone = [sha for push in forced for sha in push.gone if sha not in sorted_.steps]
    return sorted_.release(origins_of(branch, sorted_), approved(branch, gone), is_rewritten=bool(forced))


def new_merges(branch: DevelopmentBranch) -> list[Review]:
    """Return what was merged with an approval since the last look, and has to be in the branch."""
    seen, releases = branch.seen, branch.gate.store.releases
    merged = releases.merged_since(branch.repository_id, branch.name, seen.at) if seen else []
    return [review for review in merged if is_approved_merge(review, branch.name)]


def note_head(
    branch: DevelopmentBranch,
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
    seen = branch.seen
    if seen is None or (seen.head == came.head and not merged):
        return
    shas = {step.sha for step in came.steps}
    below = {parent for step in came.steps for parent in step.parents}
    is_below = seen.head in {came.head, came.merge_base, *below}
    dropped = None if is_below else dropped_by(branch, seen.head, came.head)
    gone = [review.merge_commit or "" for review in dropped or ()]
    for sha in (review.merge_commit or "" for review in merged):
        # It may have come and gone between two looks.
        if sha not in (*shas, *gone) and dropped_by(branch, sha, came.head) is not None:
            gone.append(sha)
    push = Push(
        branch.repository_id,
        branch.repository,
        branch.name,
        came.head,
        is_forced=dropped is not None or bool(gone),
        is_level=not came.steps,
        gone=tuple(gone),
        unseen=unseen,
    )
    branch.gate.store.releases.note_head(seen.head, push, began, readers)


def dropped_by(branch: DevelopmentBranch, before: str, now: str) -> list[Review] | None:
    """Return which approved merges the branch does not hold any more, None where it still holds what was known.

    One GET, more past 250 commits. Where the two have nothing in common, or GitHub does not know the one before, all.
    """
    lost = read_steps(branch, now, before)
    if lost is None:
        return approved(branch, None)
    return approved(branch, [step.sha for step in lost.steps]) if lost.steps else None


def approved(branch: DevelopmentBranch, shas: list[str] | None) -> list[Review]:
    """Return what was merged with an approval as one of these commits, None for any."""
    merged = branch.gate.store.releases.merged(branch.repository_id, branch.name, shas)
    return [review for review in merged if is_approved_merge(review, branch.name)]


def sort(branch: DevelopmentBranch, ahead: Steps, day_one: Collection[str] = ()) -> SortedCommits:
    """Sort these commits into what was approved, what was there on day one, and what came past the reviewers."""
    steps = {step.sha: step for step in ahead.steps}
    merges = branch.gate.store.releases.merges(branch.repository_id, list(steps))
    for number, merge in enumerate(merges):
        ends = lacks_commits(merge, steps)
        if ends:
            merges[number] = _read_later(branch, merge, *ends)
    return sort_commits(ahead.steps, merges, branch.name, frozenset(day_one))


def origins_of(branch: DevelopmentBranch, sorted_: SortedCommits) -> dict[str, Origin]:
    """Return what GitHub says of the commits that no pull request of ours is known to have brought, each asked once."""
    releases = branch.gate.store.releases
    known = releases.origins(branch.repository_id, sorted_.rest)
    unknown = [sha for sha in reversed(sorted_.rest) if sha not in known]
    for sha in unknown[:MOST_ASKED]:
        known[sha] = _origin(branch, sha)
        branch.renew()
        releases.keep_origin(branch.repository_id, sha, known[sha])
    return known


def _read_later(branch: DevelopmentBranch, merge: Merge, onto: str, head: str) -> Merge:
    """Read which commits a merge took in that could not be compared when it was asked about, or that nobody was."""
    try:
        took = branch.gate.github.steps(branch.repository, onto, head, on_page=branch.renew).steps
    except Limited:
        raise
    except GitHubError:
        return merge
    branch.renew()
    shas, merges = tuple(step.sha for step in took), sum(len(step.parents) > 1 for step in took)
    branch.gate.store.releases.keep_compared(merge.review, shas, merges)
    return Merge(merge.review, shas, merges)


def _day_one(branch: DevelopmentBranch, seen: SeenBranch, ahead: Steps) -> tuple[str, ...]:
    """Return what was ahead of the release branch on day one; read now where that was not told then."""
    if seen.ahead is not None:
        return seen.ahead
    then = read_steps(branch, ahead.base, seen.day_one) or Steps()  # or nothing is left of it
    shas = tuple(step.sha for step in then.steps)
    branch.gate.store.releases.keep_ahead(branch.repository_id, branch.name, shas)
    return shas


def _origin(branch: DevelopmentBranch, sha: str) -> Origin:
    try:
        pull = branch.gate.github.brought_by(branch.repository, sha, branch.name)
    except Refused as refusal:
        if refusal.kind not in (Why.GONE, "invalid"):
            raise
        return Origin(None)  # the commit itself is gone
    return Origin(pull.number, pull.title, pull.author) if pull else Origin(None)
