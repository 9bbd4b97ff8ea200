"""What reached the development branch, and with whose yes: the account that every release gives.

The branch is followed from its last known head on, along first parents, which are what came onto it itself. A
commit had a yes only if it is a merge that the gate made; what else came is asked for at GitHub, once. It never
goes by a message, nor by a number in one. When in doubt, it was without a yes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.github_client import Step, Steps
from app.review import Release
from app.store import Landing
from app.workflow.gate import Gate

# So many unknown commits of one push are asked for one by one; of the rest it is only said that they came.
MOST_ASKED = 100


@dataclass(frozen=True, slots=True)
class Place:
    """The repository whose account is kept, and how the lease is renewed meanwhile."""

    gate: Gate
    repository: str
    repository_id: int
    renew: Callable[[], None]


def account(place: Place, ahead: Steps) -> bool:
    """Note what reached the development branch up to this head; False while a merge of our own is still out.

    No call where the last known head is among what is `ahead` of the release branch, or just below it.
    """
    landings, branch, head = place.gate.store.landings, place.gate.policy.development_branch, ahead.head
    known = landings.head(place.repository_id, branch)
    if known is None:
        landings.begin(place.repository_id, branch, head)
        return True
    if landings.is_merging(place.repository_id, branch):
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
    known = {step.sha: step for step in steps}
    path: list[Step] = []
    step = known.get(head)
    while step is not None:
        path.append(step)
        step = known.get(step.parents[0]) if step.parents else None
    return path[::-1]


def _came(place: Place, ahead: Steps, known: str) -> tuple[list[Step], bool]:
    """Return what came onto the branch since the head known before, and whether that one is gone from it."""
    path = first_parents(ahead.steps, ahead.head)
    put_on = [step.parents[:1] for step in path]
    if (known,) in put_on:
        return path[put_on.index((known,)) :], False
    since = place.gate.github.steps(place.repository, known, ahead.head, on_page=place.renew)
    place.renew()
    return first_parents(since.steps, ahead.head), since.merge_base != known


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
    landings, branch = place.gate.store.landings, place.gate.policy.development_branch
    for sha in landings.unknown(place.repository_id)[:MOST_ASKED]:
        brought = place.gate.github.brought_by(place.repository, sha, branch)
        place.renew()
        landings.note_brought(
            place.repository_id, sha, brought.number if brought else None, brought.title if brought else None
        )
    landings.ask_no_more(place.repository_id)
