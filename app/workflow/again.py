"""Why a change is asked about again: its code changed, or something else did and the code is the same.

Called by `letters` and the pages, which say so to who was asked before. It reads the history and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from app.review import Review
from app.workflow.gate import Gate

# What the history calls the beginning of a new round.
NEW_CODE, SAME_CODE = "round", "again"


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
    then, history = gate.store.reviews.round(row.id, since), gate.store.reviews.history(row.id)
    begun = [line for line in history if line.round > since and line.what == SAME_CODE]
    heads = [*((line.round, line.head_sha) for line in history), (row.round, row.head_sha)]
    # Within a round the head moves only where the change stays the same.
    moved = any(old[1] != new[1] for old, new in pairwise(heads) if since <= old[0] < new[0])
    pull = then.snapshot.pull if then else None
    return Again(
        is_new_code=moved and not (pull and pull.head_sha == row.head_sha),
        why=begun[-1].detail if begun else "it was changed and changed back",
        old_base=pull.base if pull and pull.base != row.base else None,
    )
