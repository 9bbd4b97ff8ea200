"""Letters: every mail is a row first, so that it survives a crash and one cause never makes two.

A letter names what it is about; its words and links are composed when it is sent. What people may ask for is
counted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, String, and_, cast, func, or_, select, tuple_, update

from app.db.columns import insert
from app.db.database import LETTERS_LOCK, StorePart, lock
from app.db.jobs import FURTHEST, Kind, wake
from app.db.rows import REVIEWS, new_nonce, review_from
from app.db.tables import jobs, letters, reviews, rounds
from app.domain.approval import Decision
from app.domain.calendar import A_DAY, AN_HOUR
from app.domain.facts import State
from app.domain.review import Review

# How many letters that somebody asked for one address may get, by kind: (in this time, at most so many).
ALLOWANCES: dict[str, tuple[tuple[timedelta, int], ...]] = {
    # Anybody may ask for these: the newest link must last as long as nothing more is sent (links.SIGN_IN_LASTS).
    "sign_in": ((AN_HOUR, 5),),
    "fresh": ((timedelta(minutes=1), 1), (AN_HOUR, 5)),
}


# The letters that ask a reader something, and how many of them one reader gets alone in an hour, of them about one
# author's changes. What comes beyond goes into one list, so long after its first item.
LIST = "list"
QUESTIONS = ("ask", "answer", "instead")
MOST_QUESTIONS, MOST_OF_ONE_AUTHOR = 10, 5
LIST_DELAY = timedelta(minutes=10)
# A letter of which nobody knows whether it went out is tried so often in all; then its review goes into a list.
MOST_UNKNOWN = 3
# Whatever holds an approval for so long, who gave it is told.
OUTCOME_AFTER = A_DAY


@dataclass(frozen=True, slots=True)
class NewLetter:
    """A letter to be sent. `key` says what it is for; a second one with the same key is the same letter.

    `back` is the page of ours that a sign-in leads on to, None for what is waiting. `is_listed`: it does not go out by
    itself, the reader's next list tells it. `day` is that of a daily list, which tells all that waits.
    """

    key: str
    kind: str
    reviewer: str
    review_id: int | None = None
    round: int | None = None
    delay: timedelta = timedelta(0)
    back: str | None = None
    push_id: int | None = None
    problem_id: int | None = None
    is_listed: bool = False
    day: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter(NewLetter):
    """A letter row."""

    id: int
    nonce: str
    created_at: datetime
    at: datetime
    sent_at: datetime | None
    used_at: datetime | None


class Letters(StorePart):
    """Letters by id, and the few that people may ask for."""

    def get(self, letter_id: int) -> Letter | None:
        """Return one letter."""
        return self._database.one(Letter, select(letters).where(letters.c.id == letter_id))

    def by_nonce(self, nonce: str) -> Letter | None:
        """Return the letter with this nonce."""
        return self._database.one(Letter, select(letters).where(letters.c.nonce == nonce))

    def request(self, letter: NewLetter, *, is_known: bool = True) -> bool:
        """Queue a letter that somebody asked for, unless that address had its share; tell whether it was queued.

        All is done, and undone, for an unknown address too, so that the time it takes tells nobody who is a reviewer.
        """
        with self._database.write() as connection:
            lock(connection, LETTERS_LOCK)  # else many at once would each count none
            now = self._database.now(connection)
            same = (letters.c.reviewer == letter.reviewer, letters.c.kind == letter.kind)
            lately = select(letters.c.created_at).where(*same, letters.c.created_at > now - AN_HOUR)
            asked = connection.scalars(lately).all()
            counts = [(sum(at > now - span for at in asked), most) for span, most in ALLOWANCES[letter.kind]]
            put_letter(connection, letter, now)
            if not is_known or any(count >= most for count, most in counts):
                gone = letters.delete().where(letters.c.key == letter.key).returning(letters.c.id)
                about = str(connection.execute(gone).scalar_one())
                connection.execute(jobs.delete().where(jobs.c.kind == Kind.MAIL, jobs.c.about == about))
                return False
            return True

    def note_sent(self, letter_id: int, told: Sequence[int] = (), listed: Sequence[int] = ()) -> None:
        """Remember that SES took the letter, which other letters it `told` in their place, and which reviews it `listed`."""
        with self._database.write_now() as (connection, now):
            which = letters.c.id.in_((letter_id, *told))
            connection.execute(update(letters).where(which).values(sent_at=now))
            letter = connection.execute(select(letters).where(letters.c.id == letter_id)).one()
            # Its own question was mailed, and of each review in a list the last one; in one statement, PostgreSQL would read all.
            mailed = update(rounds).values(was_mailed=True)
            own = (rounds.c.review_id == letter.review_id, rounds.c.round == letter.round)
            connection.execute(mailed.where(*own))
            if listed:
                key = (rounds.c.review_id, rounds.c.round)
                last = select(key[0], func.max(key[1])).where(key[0].in_(listed)).group_by(key[0])
                connection.execute(mailed.where(tuple_(*key).in_(last.correlate(None))))
            if letter.kind == LIST:
                _list_the_rest(connection, letter.reviewer, now)  # what came while this one was on its way

    def to_be_told(self, reviewer: str) -> list[tuple[int, Review]]:
        """Return which letters this reader's next list tells, each with its review, the longest waiting first.

        Only where the reader still holds the review, and it waits in the round that the letter is about.
        """
        return [(row.letter_id, review_from(row)) for row in self._database.all(_to_be_told(reviewer))]

    def queue(self, letters_: Sequence[NewLetter]) -> None:
        """Queue letters, in one transaction."""
        with self._database.write_now() as (connection, now):
            for letter in letters_:
                put_letter(connection, letter, now)

    def has_list(self, reviewer: str, since: datetime) -> bool:
        """Tell whether this reader got a list since then besides the daily ones, or is about to get one."""
        is_out = or_(letters.c.sent_at >= since, and_(letters.c.sent_at.is_(None), _queued()))
        lists = (letters.c.reviewer == reviewer, letters.c.kind == LIST, letters.c.day.is_(None), is_out)
        return self._database.first(select(letters.c.id).where(*lists).limit(1)) is not None

    def answer(self, reviewer: str, row: Review, delay: timedelta) -> NewLetter:
        """Return the letter about the next answer to a question; until it goes out, it is always the same one."""
        told = (letters.c.review_id == row.id, letters.c.kind == "answer")
        is_out = or_(letters.c.sent_at.is_not(None), ~_queued(jobs.c.lease.is_(None)))
        number = self._database.scalar(select(func.count()).where(*told, is_out))
        return NewLetter(f"answer {row.id} {number}", "answer", reviewer, row.id, row.round, delay=delay)

    def note_unknown(self, letter_id: int) -> int:
        """Count that nobody knows whether the letter went out, and return how often that is so by now.

        After the last try the reader's next list tells it instead.
        """
        with self._database.write_now() as (connection, now):
            unknowns = letters.c.unknowns + 1
            is_listed = letters.c.is_listed | and_(unknowns >= MOST_UNKNOWN, letters.c.review_id.is_not(None))
            counted = update(letters).where(letters.c.id == letter_id)
            counted = counted.values(unknowns=unknowns, is_listed=is_listed).returning(letters)
            letter = connection.execute(counted).one()
            if letter.is_listed:
                _list_the_rest(connection, letter.reviewer, now)
            return int(letter.unknowns)

    def use(self, nonce: str) -> bool:
        """Mark a letter's link as used; True only for the first time."""
        with self._database.write() as connection:
            unused = (letters.c.nonce == nonce, letters.c.used_at.is_(None))
            used = update(letters).where(*unused).values(used_at=self._database.now(connection))
            return connection.execute(used).rowcount == 1


def put_letter(connection: Connection, letter: NewLetter, now: datetime) -> None:
    """Queue a letter inside the transaction that makes it necessary.

    The same key again is the same letter: it goes out at the earlier time, and never twice. One that is listed goes out
    with its reader's next list.
    """
    at = now + letter.delay
    values = {**asdict(letter), "nonce": new_nonce(), "created_at": now, "at": at}
    del values["delay"]
    new = insert(letters).values(values).on_conflict_do_nothing(index_elements=["key"])
    added = connection.scalar(new.returning(letters.c.id))
    if letter.is_listed or (added is None and _waits_for_a_list(connection, letter.key)):
        put_letter(connection, list_letter(connection, letter.reviewer), now)
        return
    if added is None:
        # Not one that is just being sent, nor one that is over.
        is_later = (letters.c.key == letter.key, letters.c.at > at, _queued(jobs.c.lease.is_(None)))
        added = connection.scalar(update(letters).where(*is_later).values(at=at).returning(letters.c.id))
    if added is not None:
        wake(connection, Kind.MAIL, str(added), min(at, now + FURTHEST))


def _list_the_rest(connection: Connection, reviewer: str, now: datetime) -> None:
    """Queue a reader's next list where there is something that it tells."""
    if connection.execute(_to_be_told(reviewer).limit(1)).first():
        put_letter(connection, list_letter(connection, reviewer), now)


def _waits_for_a_list(connection: Connection, key: str) -> bool:
    listed = (letters.c.key == key, letters.c.is_listed, letters.c.sent_at.is_(None))
    return connection.execute(select(letters.c.id).where(*listed)).first() is not None


def _queued(*which: Any) -> Any:
    """Tell whether a letter is still to be sent."""
    job = (jobs.c.kind == Kind.MAIL, jobs.c.about == cast(letters.c.id, String), *which)
    return select(jobs.c.id).where(*job).exists()


def goes_alone(authors: Sequence[str], author: str) -> bool:
    """Tell whether one more question about this author's change goes alone; `authors` are those of the last hour's."""
    return len(authors) < MOST_QUESTIONS and authors.count(author) < MOST_OF_ONE_AUTHOR


def listed_if_too_many(connection: Connection, letter: NewLetter, row: Review, now: datetime) -> NewLetter:
    """Return the letter about this review, for the next list where its reader had their share of questions.

    An answer is then listed for who holds the review.
    """
    if letter.kind not in QUESTIONS or letter.is_listed:
        return letter
    lock(connection, LETTERS_LOCK)  # else many at once would each count none
    if connection.execute(select(letters.c.id).where(letters.c.key == letter.key)).first():
        return letter
    if goes_alone(_asked_about(connection, letter.reviewer, now - AN_HOUR), row.author):
        return letter
    holder = row.reviewer if letter.kind == "answer" else None
    return replace(letter, reviewer=holder or letter.reviewer, is_listed=True)


def _asked_about(connection: Connection, reviewer: str, since: datetime) -> list[str]:
    """Return the author of each question that this reader was sent since then, or is about to be sent."""
    is_out = or_(letters.c.sent_at > since, and_(letters.c.sent_at.is_(None), _queued()))
    asked = select(reviews.c.author).where(
        letters.c.review_id == reviews.c.id,
        letters.c.reviewer == reviewer,
        letters.c.kind.in_((*QUESTIONS, "fresh")),
        ~letters.c.is_listed,
        letters.c.created_at > since - A_DAY,  # what the index finds; none waits longer
        is_out,
    )
    return list(connection.scalars(asked))


def outcome_letter(row: Review, decision: Decision, delay: timedelta = OUTCOME_AFTER) -> NewLetter:
    """Return the one letter that may tell who approved that it is not merged yet."""
    key = f"outcome {row.id} {decision.number}"
    return NewLetter(key, "outcome", decision.reviewer, row.id, row.round, delay)


def list_letter(connection: Connection, reviewer: str) -> NewLetter:
    """Return the list that this reader gets next; until it is sent, it is always the same one."""
    # One that had nothing to say any more was never sent, and is over as well.
    is_over = or_(letters.c.sent_at.is_not(None), ~_queued())
    sent = (letters.c.reviewer == reviewer, letters.c.kind == LIST, letters.c.day.is_(None), is_over)
    number = connection.execute(select(func.count()).where(*sent)).scalar_one()
    return NewLetter(f"list {reviewer} {number}", LIST, reviewer, delay=LIST_DELAY)


def _to_be_told(reviewer: str) -> Select[Any]:
    return (
        REVIEWS.add_columns(letters.c.id.label("letter_id"))
        .join(letters, letters.c.review_id == reviews.c.id)
        .where(
            letters.c.reviewer == reviewer,
            letters.c.is_listed,
            letters.c.sent_at.is_(None),
            letters.c.round == reviews.c.round,
            reviews.c.reviewer == reviewer,
            reviews.c.state == State.WAITING,
        )
        .order_by(reviews.c.asked_at, reviews.c.id)
    )
