"""The cards of a list: what each change's chips say, from what was asked and what happened since. Pure.

`pending` reads the facts for all of its cards at once; the words are in templates/pages/cards.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.db.lists import Asked
from app.db.reviews import DECISIONS
from app.db.rows import HistoryRow
from app.db.talk import open_talk
from app.domain.record import Review
from app.jobs.again import why_again

# What waits for so long is marked.
LATE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Card:
    """One change in a list.

    `asked` is what its round asked about, None before a question. `again` is "version" where the code is newer than
    what a reviewer last saw, "same" where it is not, "" for a first question. `author` and `answered_by`, who answered
    the open question last, are called by their names where those are known. `days` are those it has waited, None where that is not worth a mark.
    """

    row: Review
    asked: Asked | None
    author: str
    again: str = ""
    answered_by: str | None = None
    days: int | None = None

    @property
    def is_new(self) -> bool:
        """Tell whether nothing else is to be said of it."""
        return not (self.again or self.answered_by or self.days)


def card(row: Review, asked: Sequence[Asked], history: Sequence[HistoryRow], now: datetime) -> Card:
    """Return the card of a change that waits; `asked` are all its rounds and `history` its lines, oldest first."""
    current = next((one for one in asked if one.round == row.round), None)
    answers = [line.who for line in open_talk(history)[1:]]
    waited = now - row.asked_at if row.asked_at else timedelta(0)
    return Card(
        row,
        current,
        person(row.author, row, asked),
        _again(row, asked, history),
        person(answers[-1], row, asked) if answers else None,
        waited.days if waited >= LATE else None,
    )


def person(login: str, row: Review, asked: Sequence[Asked]) -> str:
    """Return what a developer is called: by name where that is known, else by login."""
    return people(row, asked).get(login, login)


def people(row: Review, asked: Sequence[Asked]) -> dict[str, str]:
    """Return the developers' names by login, as `Snapshot.names` does."""
    last = asked[-1] if asked else None
    return last.names if last and not (row.is_from_outside or last.author_is_bot) else {}


def _again(row: Review, asked: Sequence[Asked], history: Sequence[HistoryRow]) -> str:
    decided = {line.round for line in history if line.what in DECISIONS.values()}
    known = [one for one in asked if one.round < row.round and (one.was_mailed or one.round in decided)]
    if not known:
        return ""
    last = known[-1]
    is_new = why_again(row, last.round, (last.base, last.head_sha), history).is_new_code
    return "version" if is_new else "same"
