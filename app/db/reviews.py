"""Reviews: what people do to a row, and what pages read of it.

Called by `web` and `jobs`. A decision is one transaction: the row and its history, compare-and-set on state and round.
It decides nothing itself; the rules do. A question that a reviewer asks without deciding, and what the developers answer,
are lines of the history; a question is a post besides, so that the worker sees which GitHub was not told yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select, update

from app.db.database import StorePart, row_as
from app.db.jobs import Kind, wake, wake_reviews
from app.db.letters import outcome_letter, put_letter
from app.db.pictures import send_with
from app.db.releases import WITH_COMPARED
from app.db.rows import (
    REVIEWS,
    WITH_PROBLEM,
    Happening,
    HistoryRow,
    complete,
    load,
    log_happened,
    note_history,
    put_decision,
    put_post,
    review_from,
)
from app.db.tables import decisions, heard, history, reviews, rounds
from app.domain.approval import Basis, Choice, Decision
from app.domain.facts import Checks, PullRequest, Snapshot, State, words_digest
from app.domain.policy import Reviewer
from app.domain.review import Happened, Post, Review
from app.domain.rules import LIVING, Signpost, consequences, decide, may_ask

NO_BASIS = Basis()
_TWINS = REVIEWS.where(
    ~reviews.c.is_from_outside | reviews.c.vouched,
    reviews.c.repository_id == bindparam("repository_id"),
    reviews.c.head_sha == bindparam("head_sha"),
    reviews.c.base == bindparam("base"),
    reviews.c.number != bindparam("number"),
).order_by(reviews.c.number)
_ASKED = select(rounds.c.review_id).where(rounds.c.nonce == bindparam("nonce"))
# Not by `or_`, for which PostgreSQL would read every review.
_ASKED_OR_NEXT = select(reviews.c.id).where(reviews.c.round_nonce == bindparam("nonce")).union(_ASKED)
_ROUND = select(rounds).where(rounds.c.review_id == bindparam("review"), rounds.c.round == bindparam("round"))
_OF_ROUND = WITH_PROBLEM.where(reviews.c.id.in_(_ASKED_OR_NEXT))
QUESTION, ANSWER = Happened.QUESTION, Happened.ANSWERED
# What the history calls a choice.
DECISIONS = {
    Choice.APPROVE: Happened.APPROVED,
    Choice.REJECT: Happened.REJECTED,
    Choice.TAKE_BACK: Happened.TAKEN_BACK,
}


@dataclass(frozen=True, slots=True)
class Round:
    """What a reviewer was asked about, and when; `edited` are its title and text now, where they are others."""

    round: int
    asked_at: datetime
    snapshot: Snapshot
    edited: tuple[str, str] | None = None

    @property
    def is_edited(self) -> bool:
        """Tell whether title or text were edited after the question."""
        return self.edited is not None and words_digest(*self.edited) != self.snapshot.pull.words

    @property
    def now(self) -> Snapshot:
        """Return what was asked about, with the title and text that it has now."""
        if self.edited is None:
            return self.snapshot
        title, body = self.edited
        return replace(self.snapshot, pull=replace(self.snapshot.pull, title=title, body=body))

    def last_checks(self, row: Review) -> tuple[Checks | None, datetime | None]:
        """Return what its automatic checks said last, and when, where that was read after the question."""
        facts = row.facts
        is_newer = facts.checks_read_at is not None and facts.checks_read_at > self.asked_at
        is_read_later = row.round == self.round and facts.checks is not None and is_newer
        return (facts.checks, facts.checks_read_at) if is_read_later else (self.snapshot.checks, None)


class Reviews(StorePart):
    """Everything about reviews that is not the queue."""

    def decide(
        self,
        review_id: int,
        round_: int,
        choice: Choice,
        note: str,
        reviewer: Reviewer,
        seen: int | None = None,
        basis: Basis = NO_BASIS,
        pictures: Sequence[str] = (),
    ) -> Signpost | None:
        """Record a reviewer's choice if the rules allow it; compare-and-set on state, round and `seen` (see rules).

        `pictures` are the drafts that go along with it.
        Returns None where it is recorded, else why not. Raises LookupError when there is no such review.
        """
        with self._database.write() as connection:
            row = load(connection, review_id, lock=True)
            move = decide(row, round_, choice, note, seen)
            if isinstance(move, Signpost):
                return move
            now, words = self._database.now(connection), note.strip()
            decision = Decision(row.decisions + 1, choice, reviewer.name, reviewer.id, now, words, basis)
            made = put_decision(connection, row, decision)
            send_with(connection, pictures, "decision", decision.number)
            changes = {"decisions": decision.number, "decision_id": made, **consequences(row, move, now)}
            connection.execute(update(reviews).where(reviews.c.id == row.id).values(changes))
            # A rejection is shown on the head of every pull request that has it.
            same = (reviews.c.repository_id == row.repository_id, reviews.c.head_sha == row.head_sha)
            wake_reviews(connection, now, *same, reviews.c.open)  # in one order, this one's among them
            wake(connection, Kind.REVIEW, str(row.id), now, afresh=True)
            happened = Happening(DECISIONS[choice], reviewer.name, words, reviewer.id)
            note_history(connection, now, row, [happened])
            if choice is Choice.APPROVE:
                put_letter(connection, outcome_letter(row, decision), now)
        log_happened(row, [happened])
        self._database.work_made.ring(Kind.REVIEW)
        return None

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
            said = select(history).where(
                history.c.review_id == review_id, history.c.what.in_((QUESTION, ANSWER))
            )
            told = connection.execute(said.order_by(history.c.id.desc()).limit(1)).first()
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
        return [line for line in self.history(review_id) if line.what is QUESTION]

    def heard(self, review_id: int) -> dict[tuple[str, int], str]:
        """Return the digest of each remark that was looked at, by its place and id."""
        found = self._database.all(select(heard).where(heard.c.review_id == review_id))
        return {(row.place, row.id): row.digest for row in found}

    def get(self, review_id: int) -> Review | None:
        """Return one review."""
        return self._whole(reviews.c.id == review_id)

    def by_nonce(self, nonce: str) -> Review | None:
        """Return the review with this nonce."""
        return self._whole(reviews.c.nonce == nonce)

    def _whole(self, which: Any) -> Review | None:
        with self._database.read() as connection:
            row = connection.execute(WITH_PROBLEM.where(which)).first()
            return complete(connection, row) if row else None

    def by_round(self, nonce: str, repository_id: int, number: int) -> tuple[Review, int] | None:
        """Return the review that has a round with this nonce, and which round that is.

        Round 0 of the pull request where nobody knows the nonce: it can decide nothing there. None: that is unknown, too.
        """
        place = (reviews.c.repository_id == repository_id, reviews.c.number == number)
        with self._database.read() as connection:
            row = connection.execute(_OF_ROUND, {"nonce": nonce}).first()
            row = row or connection.execute(WITH_PROBLEM.where(*place)).first()
            if row is None:
                return None
            asked = select(rounds.c.round).where(rounds.c.nonce == nonce)
            round_ = row.round if row.round_nonce == nonce else connection.scalar(asked) or 0
            return complete(connection, row), round_

    def round(self, review_id: int, round_: int) -> Round | None:
        """Return what was asked in one round, or None when it was never asked."""
        return self._database.one(Round, _ROUND, {"review": review_id, "round": round_})

    def last_round(self, row: Review) -> Round | None:
        """Return the last question about a review, of its own round or an earlier one."""
        return self.round_before(row.id, row.round + 1)

    def round_before(self, review_id: int, round_: int, *which: Any) -> Round | None:
        """Return what was asked last before this round, or None when this is the first question."""
        earlier = select(rounds).where(rounds.c.review_id == review_id, rounds.c.round < round_, *which)
        return self._database.one(Round, earlier.order_by(rounds.c.round.desc()).limit(1))

    def known_before(self, review_id: int, round_: int) -> Round | None:
        """Return the last question before this round that anybody was mailed or decided on, None where there is none."""
        decided = select(decisions.c.id).where(
            decisions.c.review_id == review_id, decisions.c.round == rounds.c.round
        )
        return self.round_before(review_id, round_, or_(rounds.c.was_mailed, decided.exists()))

    def last_decision(self, review_id: int, before: int | None = None) -> Decision | None:
        """Return the latest decision on a review, or the latest of those before the one with this number."""
        made = select(decisions).where(decisions.c.review_id == review_id)
        if before is not None:
            made = made.where(decisions.c.number < before)
        return self._database.one(Decision, made.order_by(decisions.c.number.desc()).limit(1))

    def count_waiting(self, reviewer: Reviewer, besides: Review | None = None) -> int:
        """Count the reviews that wait for this reviewer, besides one of them."""
        waits = [reviews.c.state == State.WAITING, reviews.c.reviewer == reviewer.id]
        if besides:
            waits.append(reviews.c.id != besides.id)
        return int(self._database.scalar(select(func.count()).where(*waits)))

    def pending(self) -> list[Review]:
        """Return every review that is not merged or closed, the longest waiting first."""
        found = WITH_PROBLEM.where(reviews.c.state.in_(LIVING))
        found = found.order_by(reviews.c.asked_at.nulls_last(), reviews.c.id)
        return [review_from(row) for row in self._database.all(found)]

    def twins(self, pull: Review | PullRequest) -> list[Review]:
        """Return the other pull requests with the same head and base, ended ones too: they share a status.

        Anybody can open one from outside; until somebody vouches for it, it stands in nobody's way.
        """
        place = {name: getattr(pull, name) for name in ("repository_id", "head_sha", "base", "number")}
        return [review_from(row) for row in self._database.all(_TWINS, place)]

    def approved_as(self, pull: PullRequest) -> list[tuple[Review, tuple[str, ...]]]:
        """Return the other approved pull requests that were merged as this one's merge commit, or are just being merged.

        Into the same base, and each with the commits that its approval rested on.
        """
        others = WITH_COMPARED.where(
            reviews.c.repository_id == pull.repository_id,
            reviews.c.base == pull.base,
            reviews.c.number != pull.number,
            reviews.c.decision_id.is_not(None),
            or_(reviews.c.merge_commit == pull.merge_commit, reviews.c.state == State.MERGING),
        )
        found = [(review_from(row), row.shas or ()) for row in self._database.all(others)]
        return [(row, shas) for row, shas in found if row.is_approved and not row.bypassed]

    def history(self, review_id: int) -> list[HistoryRow]:
        """Return the timeline of one review, oldest first."""
        lines = select(history).where(history.c.review_id == review_id)
        return self._database.many(HistoryRow, lines.order_by(history.c.id))

    def happened_since(self, moment: datetime) -> list[tuple[str, HistoryRow]]:
        """Return what happened since then, oldest first, each with "owner/repo#12"."""
        both = select(history, reviews.c.repository, reviews.c.number).join_from(history, reviews)
        found = self._database.all(both.where(history.c.at >= moment).order_by(history.c.id))
        return [(f"{row.repository}#{row.number}", row_as(HistoryRow, row)) for row in found]

    def waiting_for(self, reviewer: str) -> list[Review]:
        """Return what waits for this reviewer, the longest waiting first."""
        hers = REVIEWS.where(reviews.c.reviewer == reviewer, reviews.c.state == State.WAITING)
        found = self._database.all(hers.order_by(reviews.c.asked_at, reviews.c.id))
        return [review_from(row) for row in found]

    def wake_unheld(self, reviewers: Sequence[str]) -> None:
        """Wake what waits for somebody who is not among these reviewers, or for anybody at all."""
        unheld = or_(
            reviews.c.state == State.TO_ASK,
            and_(reviews.c.state == State.WAITING, reviews.c.reviewer.not_in(reviewers)),
        )
        with self._database.write() as connection:
            wake_reviews(connection, self._database.now(connection), unheld)


def open_talk(lines: Sequence[HistoryRow]) -> list[HistoryRow]:
    """Return the last question of a timeline and its answers; empty when nobody asked, or somebody decided since."""
    said = [line for line in lines if line.what in (QUESTION, ANSWER, *DECISIONS.values())]
    starts = [number for number, line in enumerate(said) if line.what != ANSWER]
    is_open = bool(starts) and said[starts[-1]].what == QUESTION
    return said[starts[-1] :] if is_open else []
