"""`GET /`: what waits for the reviewer who is signed in, what waits for others, and how everything else stands.

The list leads straight into each decision, by a link that is made on the spot. It changes nothing, and shows
nothing to anybody who is not named in QA_REVIEWERS at this very moment.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from flask import Response
from werkzeug.wrappers import Response as Redirect

from app.domain.facts import State
from app.domain.policy import Reviewer
from app.domain.problems import effects_on
from app.domain.record import Review
from app.jobs.away import first_there, nobody_is_there, who_is_away
from app.jobs.gate import Gate
from app.links import decide_link
from app.text.words import day
from app.web import frame
from app.web.cards import Card, card
from app.web.sign_in import way_in

WAITING = (State.WAITING,)
APPROVED = (State.TO_MERGE, State.MERGING)
DEVELOPERS = (State.REJECTED, State.TO_ASK, State.DRAFT)
# Where a link leads to something that can be done, or seen.
_OPEN = (*WAITING, *APPROVED, State.REJECTED)


# Nobody plans further ahead than this; a slip of the year is noticed.
LONGEST_AWAY = timedelta(days=365)


def show(gate: Gate, status: int = 200, mistake: str | None = None) -> Response | Redirect:
    """Answer `GET /`; who is not signed in is led to the way in. `mistake` is in the form for being away."""
    reviewer = frame.signed_in(gate)
    if reviewer is None:
        return way_in()
    rows, now = gate.store.reviews.pending(), gate.store.now()
    cards = _cards(gate, rows, now)
    waiting = _in(cards, WAITING)
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
        mistake=mistake,
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
        "nobody": nobody_is_there(gate, away) if first_there(gate, away) is None else "",
        "days": days_back(today),
    }


def decide_url(gate: Gate, row: Review, reviewer: Reviewer, now: datetime) -> str | None:
    """Return where this reviewer can decide the row, or see how its decision goes on; None when neither can be."""
    if row.state not in _OPEN:
        return None
    return gate.links.decide_url(decide_link(row, reviewer.id), now)


def _cards(gate: Gate, rows: list[Review], now: datetime) -> list[Card]:
    asked, history = gate.store.lists.asked(rows), gate.store.lists.history(rows)
    return [card(row, asked[row.id], history[row.id], now) for row in rows]


def _in(cards: list[Card], states: tuple[State, ...]) -> list[Card]:
    """Return the cards in these states, in the order of the states, else as they come: the longest waiting first."""
    return [one for state in states for one in cards if one.row.state is state]
