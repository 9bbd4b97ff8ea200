"""Pictures, kept with the round that they belong to: those that developers show, and those that reviewers send.

Called by `jobs` and `web`. A reviewer's is a draft until it goes out with a decision or a question. All of a
review's are forgotten 90 days after it ended, a draft after a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from app.db.columns import Id, UtcTime, insert, metadata
from app.db.database import StorePart
from app.db.rows import new_nonce
from app.db.tables import history, reviews
from app.domain.facts import State
from app.pictures import Picture

MOST_BYTES = 20_000_000  # of a round, theirs and hers each
LASTS, DRAFT_LASTS = timedelta(days=90), timedelta(days=1)
# So often a developer's is tried, and not sooner than after this time.
MOST_FETCHES, FETCH_AGAIN_AFTER = 3, timedelta(seconds=50)

# `source` is the address in a developer's text, which is at `path` in GitHub's API; a reviewer's own has the nonce there. `said` is with what a reviewer
# sent it, "" for a developer's. Without `data` it could not be had so far, in `tries`; `may_come`: it is to be tried again.
pictures = Table(
    "pictures",
    metadata,
    Column("id", Id, primary_key=True),
    Column("review_id", Id, ForeignKey("reviews.id"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("nonce", String(24), nullable=False, unique=True),
    Column("path", Text, nullable=False, default=""),
    Column("reviewer", String(16)),
    Column("said", String(16), nullable=False, default=""),
    Column("number", Integer, nullable=False, default=0),
    Column("at", UtcTime, nullable=False),
    Column("type", String(16), nullable=False, default=""),
    Column("width", Integer, nullable=False, default=0),
    Column("height", Integer, nullable=False, default=0),
    Column("moves", Boolean, nullable=False, default=False),
    Column("size", Integer, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),
    Column("may_come", Boolean, nullable=False, default=False),
    Column("data", LargeBinary),
    UniqueConstraint("review_id", "round", "source"),
    Index("pictures_at", "at"),
)

SentWith = Literal["decision", "question"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture without its bytes; `nonce` is its address, which nobody guesses."""

    nonce: str
    source: str
    width: int
    height: int
    moves: bool


class Pictures(StorePart):
    """The pictures of all reviews."""

    def of_developers(self, review_id: int, round_: int) -> list[Kept]:
        """Return what developers show in a round, as far as it could be had."""
        return self._found(_of(review_id, round_), pictures.c.said == "", pictures.c.size > 0)

    def known_sources(self, review_id: int, round_: int) -> set[str]:
        """Return the addresses that were looked for in a round, had or not."""
        return {one.source for one in self._found(_of(review_id, round_), pictures.c.said == "")}

    def due(self, review_id: int, round_: int) -> list[tuple[str, str, bool]]:
        """Return what may still come: the path of the text that shows it, its address, and whether it is time to try again."""
        may_come = (_of(review_id, round_), pictures.c.may_come, pictures.c.tries < MOST_FETCHES)
        found = select(pictures.c.path, pictures.c.source, pictures.c.at).where(*may_come)
        since = self._database.now() - FETCH_AGAIN_AFTER
        return [(row.path, row.source, row.at <= since) for row in self._database.all(found)]

    def put(
        self, review_id: int, round_: int, source: str, path: str, picture: Picture | None, *, may_come: bool
    ) -> None:
        """Keep a developer's picture, or that it could not be had; where there is no room, that it never can."""
        with self._database.write_now() as (connection, now):
            if picture and not _has_room(connection, picture, review_id, round_, pictures.c.said == ""):
                picture, may_come = None, False
            key = {"review_id": review_id, "round": round_, "source": source}
            values = {**_values(picture), "may_come": may_come, "at": now}
            put = insert(pictures).values(**key, **values, path=path, nonce=new_nonce(), tries=1)
            again = {**values, "tries": pictures.c.tries + 1}
            connection.execute(put.on_conflict_do_update(index_elements=list(key), set_=again))

    def add(self, review_id: int, round_: int, reviewer: str, picture: Picture) -> Kept | None:
        """Keep a reviewer's picture as a draft; None where the round has no room for it."""
        nonce = new_nonce()
        with self._database.write_now() as (connection, now):
            if not _has_room(connection, picture, review_id, round_, pictures.c.said != ""):
                return None
            place = {"review_id": review_id, "round": round_, "nonce": nonce, "source": nonce}
            draft = {"reviewer": reviewer, "said": "draft", "at": now, **_values(picture)}
            connection.execute(insert(pictures).values(**place, **draft))
        return self._found(pictures.c.nonce == nonce)[0]

    def drafts(self, review_id: int, round_: int, reviewer: str, nonces: Sequence[str]) -> list[Kept]:
        """Return those of these that are this reviewer's drafts, in order."""
        mine = (pictures.c.said == "draft", pictures.c.reviewer == reviewer, pictures.c.nonce.in_(nonces))
        return self._found(_of(review_id, round_), *mine) if nonces else []

    def sent_with(self, review_id: int, with_what: SentWith, number: int) -> list[Kept]:
        """Return what went out with a decision or a question; 0 is none."""
        mine = (pictures.c.said == with_what, pictures.c.number == number)
        return self._found(pictures.c.review_id == review_id, *mine) if number else []

    def file(self, nonce: str) -> tuple[str, bytes] | None:
        """Return a picture's type and bytes."""
        this = (pictures.c.nonce == nonce, pictures.c.size > 0)
        found = self._database.first(select(pictures.c.type, pictures.c.data).where(*this))
        return (found.type, found.data) if found else None

    def forget(self) -> None:
        """Forget what is kept no longer."""
        with self._database.write_now() as (connection, now):
            lately = exists().where(history.c.review_id == reviews.c.id, history.c.at > now - LASTS)
            ended = select(reviews.c.id).where(reviews.c.state.in_((State.MERGED, State.CLOSED)), ~lately)
            is_unsent = and_(pictures.c.said == "draft", pictures.c.at < now - DRAFT_LASTS)
            is_over = and_(pictures.c.at < now - LASTS, pictures.c.review_id.in_(ended))
            connection.execute(delete(pictures).where(or_(is_unsent, is_over)))

    def _found(self, *which: Any) -> list[Kept]:
        return self._database.many(Kept, _KEPT.where(*which).order_by(pictures.c.id))


_KEPT = select(*(pictures.c[name] for name in Kept.__slots__))


def send_with(connection: Connection, nonces: Sequence[str], with_what: SentWith, number: int) -> None:
    """Note with what a reviewer's pictures go out, in its own transaction; `number` is the decision's or the question's."""
    if nonces:
        sent = {"said": with_what, "number": number}
        connection.execute(update(pictures).where(pictures.c.nonce.in_(nonces)).values(sent))


def _of(review_id: int, round_: int) -> Any:
    return and_(pictures.c.review_id == review_id, pictures.c.round == round_)


def _has_room(connection: Connection, picture: Picture, review_id: int, round_: int, whose: Any) -> bool:
    taken = select(func.sum(pictures.c.size)).where(_of(review_id, round_), whose)
    return (connection.scalar(taken) or 0) + len(picture.data) <= MOST_BYTES


def _values(picture: Picture | None) -> dict[str, Any]:
    return {**asdict(picture), "size": len(picture.data)} if picture else {}
