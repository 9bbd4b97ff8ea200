"""`GET /`: what waits for the reviewer who is signed in, what waits for others, and how everything else stands.

The list leads straight into each decision, by a link that is made on the spot. It changes nothing, and shows
nothing to anybody who is not named in QA_REVIEWERS at this very moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as Redirect

from app.db.history import Asked
from app.db.reviews import DECISIONS, open_talk
from app.db.rows import HistoryRow
from app.domain.facts import Commit, State
from app.domain.policy import Reviewer
from app.domain.problems import effects_on
from app.domain.review import Review
from app.domain.rules import APPROVED
from app.jobs.away import first_back, first_there, who_is_away
from app.jobs.gate import Gate
from app.jobs.what_is_new import new_commits, why_again
from app.links import decide_link
from app.text.words import day
from app.web import frame
from app.web.sign_in import check_form, reviewer_here

# --- The cards of a list: what each change's chips say, from what was asked and what happened since.


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


def _card(row: Review, asked: Sequence[Asked], history: Sequence[HistoryRow], now: datetime) -> Card:
    """Return the card of a change that waits; `asked` are all its rounds and `history` its lines, oldest first."""
    current = next((one for one in asked if one.round == row.round), None)
    answers = [line.who for line in open_talk(history)[1:]]
    waited = now - row.asked_at if row.asked_at else timedelta(0)
    return Card(
        row,
        current,
        developer_name(row.author, asked),
        _again(row, asked, history),
        developer_name(answers[-1], asked) if answers else None,
        waited.days if waited >= LATE else None,
    )


def developer_name(login: str, asked: Sequence[Asked]) -> str:
    """Return what a developer is called: by name where that is known, else by login."""
    return asked[-1].names.get(login, login) if asked else login


def _again(row: Review, asked: Sequence[Asked], history: Sequence[HistoryRow]) -> str:
    decided = {line.round for line in history if line.what in DECISIONS.values()}
    known = [one for one in asked if one.round < row.round and (one.was_mailed or one.round in decided)]
    if not known:
        return ""
    last = known[-1]
    is_new = why_again(row, last.round, (last.base, last.head_sha), history).is_new_code
    return "version" if is_new else "same"


# --- `POST /away` and `POST /back`: a reviewer says until when others are asked, or that they are here again.


def begin_absence(gate: Gate) -> Response | Redirect:
    """Answer `POST /away` with `until`, the first day back as YYYY-MM-DD."""
    check_form()
    reviewer, until = frame.signed_in(gate), request.form.get("until", type=date.fromisoformat)
    if reviewer:
        first, last = days_back(gate.store.now().astimezone(gate.timezone).date())
        if until is None or not first <= until <= last:
            return show(gate, 422, is_mistaken=True)
        gate.store.absences.begin(reviewer, until)
    return redirect(url_for("pages.pending"), 303)


def end_absence(gate: Gate) -> Redirect:
    """Answer `POST /back`."""
    check_form()
    reviewer = frame.signed_in(gate)
    if reviewer:
        gate.store.absences.end(reviewer)
    return redirect(url_for("pages.pending"), 303)


# --- The page of what waits.


DEVELOPERS = (State.REJECTED, State.TO_ASK, State.DRAFT)
# Where a link leads to something that can be done, or seen.
_OPEN = (State.WAITING, *APPROVED, State.REJECTED)


# Nobody plans further ahead than this; a slip of the year is noticed.
LONGEST_AWAY = timedelta(days=365)


def show(gate: Gate, status: int = 200, *, is_mistaken: bool = False) -> Response:
    """Answer `GET /`; who is not signed in is led to the way in. `is_mistaken`: the day in the form for being away."""
    reviewer = reviewer_here(gate)
    rows, now = gate.store.reviews.pending(), gate.store.now()
    cards = _cards(gate, rows, now)
    waiting = _in(cards, (State.WAITING,))
    return frame.show(
        gate,
        "pending.html",
        now,
        status,
        reviewer=reviewer,
        waiting=[one for one in waiting if one.row.reviewer == reviewer.id],
        others=[one for one in waiting if one.row.reviewer != reviewer.id],
        approved=_in(cards, APPROVED),
        developers=_in(cards, DEVELOPERS),
        effects=effects_on(reviewer.id, gate.store.problems.begun()),
        is_told=bool(gate.operators),
        **_absence(gate, reviewer, now.astimezone(gate.timezone).date()),
        mistake=is_mistaken,
        links={row.id: decide_url(gate, row, reviewer, now) for row in rows},
        names={person.id: person.name for person in gate.policy.reviewers},
        is_release=gate.policy.is_release,
    )


def days_back(today: date) -> tuple[date, date]:
    """Return the first and the last day that may be somebody's first day back."""
    return today + timedelta(days=1), today + LONGEST_AWAY


def _absence(gate: Gate, reviewer: Reviewer, today: date) -> dict[str, Any]:
    """Return until when the reviewer is away, and who stands in."""
    away = who_is_away(gate)
    back = away.get(reviewer.id)
    stand_in = first_there(gate, {*away, reviewer.id})
    return {
        "away_until": day(back.astimezone(gate.timezone).date(), today) if back else None,
        "stand_in": stand_in.name if stand_in else None,
        "nobody_until": first_back(gate, away) if back and stand_in is None else "",
        "days": days_back(today),
    }


def decide_url(gate: Gate, row: Review, reviewer: Reviewer, now: datetime) -> str | None:
    """Return where this reviewer can decide the row, or see how its decision goes on; None when neither can be."""
    if row.state not in _OPEN:
        return None
    return gate.links.decide_url(decide_link(row, reviewer.id), now)


def _cards(gate: Gate, rows: list[Review], now: datetime) -> list[Card]:
    asked, history = gate.store.history.asked(rows), gate.store.history.of_each(rows)
    return [_card(row, asked[row.id], history[row.id], now) for row in rows]


def _in(cards: list[Card], states: tuple[State, ...]) -> list[Card]:
    """Return the cards in these states, in the order of the states, else as they come: the longest waiting first."""
    return [one for state in states for one in cards if one.row.state is state]


# --- Where an old link leads now: straight to the question for who is signed in, else to the email that has it.


def ways_on(gate: Gate, row: Review, round_: int, now: datetime) -> dict[str, Any]:
    """Return what a signpost about this link offers.

    `open_url` is where the reviewer who is signed in can go on, None where nobody is or nothing is to be seen;
    `author` is who wrote it, by name; `was_mailed` tells whether an email about the current round went out; `news` are the commits since the link's.
    """
    account = frame.signed_in(gate)
    asked = gate.store.history.asked([row])[row.id]
    return {
        "open_url": decide_url(gate, row, account, now) if account else None,
        "author": developer_name(row.author, asked),
        "was_mailed": any(one.was_mailed for one in asked if one.round == row.round),
        "news": _news(gate, row, round_),
    }


def _news(gate: Gate, row: Review, round_: int) -> tuple[Commit, ...]:
    reviews = gate.store.reviews
    then, asked = reviews.round(row.id, round_), reviews.round(row.id, row.round)
    return new_commits(then.snapshot, asked.snapshot) if then and asked and then.round < asked.round else ()
