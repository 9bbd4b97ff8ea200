"""What reached the development branch, and with whose yes: the account that every release gives.

The branch is followed from its last known head on, along first parents, which are what came onto it itself. A
commit had a yes only if it is a merge that the gate made; what else came is asked for at GitHub, once. It never
goes by a message, nor by a number in one. When in doubt, it was without a yes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.github_client import Pull, Refused, Step, Steps
from app.review import Release
from app.store import Landing
from app.workflow.gate import SOON, Gate

# So many unknown commits are asked for in one step; of the rest it is said that nobody looked.
MOST_ASKED = 100


@dataclass(frozen=True, slots=True)
class Place:
    """The repository whose account is kept, and how the lease is renewed meanwhile."""

    gate: Gate
    repository: str
    repository_id: int
    renew: Callable[[], None]


def merge_is_out(place: Place) -> bool:
    """Tell whether a merge of our own is out whose commit is not known yet; until it is, no account can be given."""
    branch = place.gate.policy.development_branch
    return place.gate.store.landings.is_merging(place.repository_id, branch)


def again(gate: Gate) -> timedelta:
    """Return when to look again where a merge of ours is out, or a branch moved while the gate looked."""
    return max(SOON, gate.policy.settling)


def account(place: Place, ahead: Steps) -> bool:
    """Note what reached the development branch up to this head; False while a merge of our own is still out.

    No call where the last known head is among what is `ahead` of the release branch, or just below it.
    """
    landings, branch, head = place.gate.store.landings, place.gate.policy.development_branch, ahead.head
    known = landings.head(place.repository_id, branch)
    if known is None:
        landings.begin(place.repository_id, branch, head)
        return True
    if merge_is_out(place):
        return False
    if known != head:
        came, is_rewritten = _came(place, ahead, known)
        if came:
            landed = _landings(place, came)
            landings.land(
                place.repository_id, branch, before=known, head=head, came=landed, is_rewritten=is_rewritten
            )
    _ask_who_brought(place)
    return True


def release_of(place: Place, ahead: Steps) -> Release:
    """Return what a release of these commits holds."""
    shas = {step.sha for step in ahead.steps}
    path = {step.sha for step in first_parents(ahead.steps, ahead.head)}
    return place.gate.store.landings.release(place.repository_id, shas, path)


def first_parents(steps: Sequence[Step], head: str) -> list[Step]:
    """Return the steps that lead from one commit to the next along first parents up to the head, the oldest first."""
    return _line({step.sha: step for step in steps}, head, ())


def _came(place: Place, ahead: Steps, known: str) -> tuple[list[Step], bool]:
    """Return what came onto the branch since the head known before, and whether that one is gone from it."""
    path = first_parents(ahead.steps, ahead.head)
    put_on = [step.parents[:1] for step in path]
    if (known,) in put_on:
        came = path[put_on.index((known,)) :]
        return _swapped(place, ahead, came, known) + came, False
    try:
        since = place.gate.github.steps(place.repository, known, ahead.head, on_page=place.renew)
    except Refused as refusal:
        if refusal.kind != "missing":
            raise
        # Nothing is left of the history that was known, or nothing that the two have in common.
        return _swapped(place, ahead, path, known) + path, True
    place.renew()
    came = first_parents(since.steps, ahead.head)
    return _swapped(place, since, came, known) + came, since.merge_base != known


def _swapped(place: Place, since: Steps, came: list[Step], known: str) -> list[Step]:
    """Return what was the branch's own line before a merge made another its first parent, the oldest first.

    It shows by the merges that the history knows, or, where the first parents pass it by, by the head known before.
    """
    steps, on = {step.sha: step for step in since.steps}, {step.sha for step in came}
    before = [known]  # what that one holds came earlier, and is accounted for
    while before:
        step = steps.pop(before.pop(), None)
        before += step.parents if step else ()
    sides = [sha for sha in steps if sha not in on]
    landings, branch = place.gate.store.landings, place.gate.policy.development_branch
    ours = landings.merges(place.repository_id, branch, sides)
    ends = ours if (known,) in [step.parents[:1] for step in came] else ours | {known}
    below: list[Step] = []
    merges = list(came)
    while merges:
        for parent in merges.pop().parents[1:]:
            line = _line(steps, parent, on)
            if ends & {sha for step in line for sha in (step.sha, *step.parents[:1])}:
                below, on = line + below, on | {step.sha for step in line}
                merges += line
    return below


def _line(steps: Mapping[str, Step], head: str, stop: Collection[str]) -> list[Step]:
    """Return the steps that lead along first parents up to the head, the oldest first, as far as they are known."""
    line: list[Step] = []
    step = steps.get(head)
    while step is not None and step.sha not in stop:
        line.append(step)
        step = steps.get(step.parents[0]) if step.parents else None
    return line[::-1]


def _landings(place: Place, path: list[Step]) -> list[Landing]:
    merged_as = _rebased(place, path)
    return [Landing(step.sha, merged_as.get(step.sha, step.sha), step.message, step.author) for step in path]


def _rebased(place: Place, path: list[Step]) -> dict[str, str]:
    """Return, for each commit that a rebase of ours put there, the last one, which GitHub named as the merge.

    They lie between where the base stood before the merge and that last one. If those are not just as many as were
    asked about, something else came in the same instant, or GitHub left one out: then only the last is certain.
    """
    shas = [step.sha for step in path]
    parts: dict[str, str] = {}
    for merge, (onto, number) in place.gate.store.landings.rebased(place.repository_id, shas).items():
        end = shas.index(merge) + 1
        first = end - number
        if first >= 0 and path[first].parents[:1] == (onto,):
            parts |= dict.fromkeys(shas[first:end], merge)
    return parts


def _ask_who_brought(place: Place) -> None:
    """Ask GitHub which pull requests brought what no merge of ours did, each commit once."""
    landings = place.gate.store.landings
    for sha in landings.unknown(place.repository_id)[:MOST_ASKED]:
        brought = _brought(place, sha)
        place.renew()
        landings.note_brought(
            place.repository_id, sha, brought.number if brought else None, brought.title if brought else None
        )


def _brought(place: Place, sha: str) -> Pull | None:
    try:
        return place.gate.github.brought_by(place.repository, sha, place.gate.policy.development_branch)
    except Refused as refusal:
        if refusal.kind not in ("missing", "invalid"):
            raise
        return None  # the commit itself is gone
