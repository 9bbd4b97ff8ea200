"""Questions that a reviewer asks without deciding, and what the developers answer.

Called by `web` and `jobs`. Both are lines of the history; a question is a post besides, so that the worker sees which
GitHub was not told yet. A question never changes whose turn it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from app.db.columns import put
from app.db.database import StorePart
from app.db.jobs import wake_reviews
from app.db.pictures import send_with
from app.db.reviews import DECISIONS
from app.db.rows import Happening, HistoryRow, load, note_history, put_post
from app.db.tables import heard, history, reviews
from app.domain.facts import Remark
from app.domain.policy import Reviewer
from app.domain.review import Happened, Post
from app.domain.rules import Signpost, may_ask

QUESTION, ANSWER = Happened.QUESTION, Happened.ANSWERED


class Talk(StorePart):
    """Questions and answers by review."""

    def ask(
        self, review_id: int, round_: int, words: str, reviewer: Reviewer, pictures: Sequence[str] = ()
    ) -> Signpost | None:
        """Keep a reviewer's question about one round, if the rules allow it; return why not, or None.

        `pictures` are the drafts that go along with it.

        The very question that was asked last is the same question. Raises LookupError when there is no such review.
        """
        with self._database.write_now() as (connection, now):
            row = load(connection, review_id, lock=True)
            refused = may_ask(row, round_, words)
            if refused:
                return refused
            told = connection.execute(_lines(review_id).order_by(history.c.id.desc()).limit(1)).first()
            if told and (told.what, told.reviewer, told.detail) == (QUESTION, reviewer.id, words.strip()):
                return None
            number = len(row.questions) + 1
            put_post(connection, review_id, Post(f"question {number}", after=row.decisions))
            wake_reviews(connection, now, reviews.c.id == review_id)
            send_with(connection, pictures, "question", number)
            asked = Happening(QUESTION, reviewer.name, words.strip(), reviewer.id)
            note_history(connection, now, row, [asked])
        self._database.work_made.ring()
        return None

    def questions(self, review_id: int) -> list[HistoryRow]:
        """Return every question about a review, oldest first."""
        asked = _lines(review_id).where(history.c.what == QUESTION).order_by(history.c.id)
        return self._database.many(HistoryRow, asked)

    def heard(self, review_id: int) -> dict[tuple[str, int], str]:
        """Return the digest of each remark that was looked at, by its place and id."""
        found = self._database.all(select(heard).where(heard.c.review_id == review_id))
        return {(row.place, row.id): row.digest for row in found}


def open_talk(lines: Sequence[HistoryRow]) -> list[HistoryRow]:
    """Return the last question of a timeline and its answers; empty when nobody asked, or somebody decided since."""
    said = [line for line in lines if line.what in (QUESTION, ANSWER, *DECISIONS.values())]
    starts = [number for number, line in enumerate(said) if line.what != ANSWER]
    is_open = bool(starts) and said[starts[-1]].what == QUESTION
    return said[starts[-1] :] if is_open else []


def note_heard(connection: Connection, review_id: int, remark: Remark) -> None:
    """Remember a remark as it reads now, inside the transaction that takes it in."""
    key = {"review_id": review_id, "place": remark.place, "id": remark.id}
    connection.execute(put(heard, key, {"digest": remark.digest}))


def _lines(review_id: int) -> Select[Any]:
    return select(history).where(history.c.review_id == review_id, history.c.what.in_((QUESTION, ANSWER)))
