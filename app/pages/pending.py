"""`GET /`: what waits for the reviewer who is signed in, and how everything else stands.

The list leads straight into each decision, by a link that is made on the spot. It changes nothing, and shows
nothing to anybody who is not named in QA_REVIEWERS at this very moment.
"""

from __future__ import annotations

from flask import Response, redirect, session, url_for
from werkzeug.wrappers import Response as Redirect

from app.links import DecideLink
from app.pages import frame
from app.pages.sign_in import signed_in
from app.review import Choice, Review, Reviewer, State
from app.workflow import Gate

WAITING = (State.WAITING,)
APPROVED = (State.TO_MERGE, State.MERGING)
DEVELOPERS = (State.REJECTED, State.TO_ASK, State.DRAFT)
# Where a link leads to something that can be done, or seen.
_OPEN = (*WAITING, *APPROVED, State.REJECTED)


def show(gate: Gate) -> Response | Redirect:
    """Answer `GET /`; who is not signed in is led to the way in."""
    reviewer = signed_in(gate)
    if reviewer is None:
        return redirect(url_for("pages.sign_in"), 303)
    rows, now = gate.store.reviews.pending(), gate.store.now()
    return frame.show(
        gate,
        "pending.html",
        now,
        reviewer=reviewer,
        waiting=_in(rows, WAITING),
        approved=_in(rows, APPROVED),
        developers=_in(rows, DEVELOPERS),
        problems=gate.store.arrivals.problems(),
        links={row.id: gate.links.decide_url(_link(row, reviewer), now) for row in _in(rows, _OPEN)},
        names={person.id: person.name for person in gate.policy.reviewers},
        csrf=session["csrf"],
    )


def _in(rows: list[Review], states: tuple[State, ...]) -> list[Review]:
    """Return the rows in these states, in the order of the states, else as they come: the longest waiting first."""
    return [row for state in states for row in rows if row.state is state]


def _link(row: Review, reviewer: Reviewer) -> DecideLink:
    return DecideLink(row.id, row.round, reviewer.id, Choice.APPROVE)
