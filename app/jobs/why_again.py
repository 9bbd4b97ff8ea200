"""Why a change is asked about again: its code changed, or something else did and the code is the same.

Called by `letters` and the pages, which say so to who was asked before. It reads the history and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.db.rows import HistoryRow
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
