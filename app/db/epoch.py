"""Epochs: a new one begins when a backup is restored, for what happened since it was made is lost.

What GitHub and people were told in the lost hours is not known, so nothing counts as said, and no number that was given
then is given again. Each database has an epoch from its making on; the last row counts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, cast, delete, or_, select, update

from app.db.database import Database
from app.db.jobs import Kind, wake_reviews
from app.db.letters import NewLetter, put_letter
from app.db.rows import REVIEWS, Happening, complete, new_nonce, note_history, put_post
from app.db.tables import epochs, jobs, letters, problems, reviews, rounds, services, timers, workers
from app.domain.facts import State
from app.domain.review import Happened, Post, Review
from app.domain.rules import LIVING
from app.domain.statuses import head_key

RESTORED = "restored"  # the kind of letter that tells of it
# What the history says of a question that is asked again: the end of a sentence.
WHY_AGAIN = "QA gate was restored from a backup"
# More decisions than anybody makes on one change in the lost hours.
LOST_NUMBERS = 1_000


@dataclass(frozen=True, slots=True)
class Epoch:
    """`nonce` ends the sessions of the one before. What happened from `lost_since` to `began_at` is lost, if it is not None."""

    nonce: str
    began_at: datetime
    lost_since: datetime | None


def current_epoch(database: Database) -> Epoch:
    """Return the epoch that counts. Raises Unavailable."""
    return database.many(Epoch, select(epochs).order_by(epochs.c.id.desc()))[0]


def begin_epoch(
    connection: Connection, lost_since: datetime, database: Database, readers: Collection[str]
) -> None:
    """Begin a new epoch in the transaction that restores a backup, and tell these readers of it, by their ids."""
    now = database.now(connection)
    connection.execute(epochs.insert().values(nonce=new_nonce(), began_at=now, lost_since=lost_since))
    _let_go(connection, now)
    asked = reviews.c.id.in_(select(cast(jobs.c.about, reviews.c.id.type)).where(jobs.c.kind == Kind.REVIEW))
    living = reviews.c.state.in_(LIVING)
    rows = connection.execute(REVIEWS.where(or_(living, asked))).all()
    wake_reviews(connection, now, living)
    for row in rows:
        _begin_again(connection, complete(connection, row), now)
    for reader in readers:
        put_letter(connection, NewLetter(f"{RESTORED} {now.isoformat()} {reader}", RESTORED, reader), now)


def _let_go(connection: Connection, now: datetime) -> None:
    """Drop unsent mail, end sign-in links, and forget who worked on what and what the services said."""
    connection.execute(delete(letters).where(letters.c.sent_at.is_(None)))
    unused = (letters.c.kind == "sign_in", letters.c.used_at.is_(None))
    connection.execute(update(letters).where(*unused).values(used_at=now))
    connection.execute(delete(jobs).where(jobs.c.kind == Kind.MAIL))
    afresh = {"lease": None, "due_at": now, "attempts": 0, "problem": None, "cause": None, "failed_in": None}
    connection.execute(update(jobs).values(afresh))
    connection.execute(update(timers).values(etag=None))
    # The email about one that lasts may be among those that were dropped: what is still wrong is a new one.
    is_open, place = problems.c.ended_at.is_(None), (problems.c.what, problems.c.place)
    noted = connection.execute(select(*place).where(is_open, problems.c.is_noted)).all()
    connection.execute(update(problems).where(is_open).values(ended_at=now))
    for what, where in noted:
        anew = {"what": what, "place": where, "since": now, "seen_at": now, "is_noted": True}
        connection.execute(problems.insert().values(anew))
    connection.execute(delete(services))
    connection.execute(delete(workers))


def _begin_again(connection: Connection, row: Review, now: datetime) -> None:
    """Let a review be read, asked about in the one list where it must be, and said anew."""
    # Void is an approval that is not recorded with a merge.
    is_void = row.is_approved and row.state is not State.MERGED
    changes = {"rev": row.rev + 1, **(_again(row, now) if is_void else {})}  # so that it is read
    if is_void or not row.decision:  # no number that was given in the lost hours is given again
        changes["decisions"] = row.decisions + LOST_NUMBERS
    is_asked = select(rounds.c.nonce).where(rounds.c.review_id == row.id, rounds.c.round == row.round)
    if not is_void and connection.execute(is_asked).first() is None:
        changes["round_nonce"] = new_nonce()  # somebody may have been asked by that one in the lost hours
    connection.execute(update(reviews).where(reviews.c.id == row.id).values(changes))
    for post in _unsaid(row):
        put_post(connection, row.id, post)
    fresh = replace(row, round=row.round + is_void)
    if is_void:
        note_history(connection, now, fresh, [Happening(Happened.SAME_CODE, "qa-gate", WHY_AGAIN)])
    if row.reviewer and (is_void or row.state is State.WAITING):
        key = f"ask {row.id} {fresh.round} {row.reviewer}" + ("" if is_void else f" {now.isoformat()}")
        put_letter(connection, NewLetter(key, "ask", row.reviewer, row.id, fresh.round, is_listed=True), now)


def _again(row: Review, now: datetime) -> dict[str, Any]:
    """Return what voids an approval, and lets it be asked again in the one list, as on day one."""
    return {
        "state": State.TO_ASK,
        "round": row.round + 1,
        "round_nonce": new_nonce(),
        "decision_id": None,
        "blocked": None,
        "merge_base": None,
        "asked_at": None,
        "restless_since": now,
    }


def _unsaid(row: Review) -> list[Post]:
    """Return what counts as said: nothing of a status and of what is in the way; of the words what the backup knows.

    Words that may have been said in the lost hours are looked for at GitHub first, and success may stand on the head.
    """
    if not row.was_read:
        return []
    here = head_key(row)
    posts = {
        **row.posts,
        here: row.posts.get(here, Post(here)),
        "blocked": row.posts.get("blocked", Post("blocked")),
    }
    return [_forgotten(post, is_head=post.key == here) for post in posts.values()]


def _forgotten(post: Post, *, is_head: bool) -> Post:
    match post.kind:
        case "status":
            return replace(post, said=None, is_success=post.is_success or is_head)
        case "blocked":
            return replace(post, said="")
        case _:
            return replace(post, tries=max(1, post.tries))
