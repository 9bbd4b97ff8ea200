"""The pages that people see: deciding, what waits, one change, the history, signing in; and two about health.

`create_app` registers the blueprint. A GET never changes anything, so that scanners may open every link; only a
POST made by a person's click does. Nothing here ever calls GitHub or sends a mail: that is the worker's.
"""

from __future__ import annotations

from functools import partial

from flask import Blueprint

from app.pages import assets, away, decide, frame, health, history, pending, review, sign_in
from app.workflow import Gate

_LARGEST_ID = 2**63 - 1  # what a database's BIGINT holds

_ROUTES = (
    ("GET", "/", "pending", pending.show),
    ("POST", "/away", "go_away", away.begin),
    ("POST", "/back", "come_back", away.end),
    ("GET", "/decide/<token>", "question", decide.show),
    ("POST", "/decide/<token>", "decide", decide.decide),
    ("GET", "/decide/<token>/fresh", "sent", decide.sent),
    ("POST", "/decide/<token>/fresh", "fresh", decide.fresh),
    ("GET", f"/reviews/<int(max={_LARGEST_ID}):review_id>", "review", review.show),
    ("GET", "/history", "history", history.show),
    ("GET", "/status/<token>", "details", review.details),
    ("GET", "/sign-in", "sign_in", sign_in.ask),
    ("POST", "/sign-in", "send_way_in", sign_in.send),
    ("GET", "/sign-in/sent", "way_in_sent", sign_in.sent),
    ("GET", "/sign-in/<token>", "way_in", sign_in.show),
    ("POST", "/sign-in/<token>", "enter", sign_in.enter),
    ("POST", "/sign-out", "sign_out", sign_in.leave),
    ("GET", "/healthz", "healthz", health.healthz),
    ("GET", "/readyz", "readyz", health.readyz),
)


def blueprint(gate: Gate) -> Blueprint:
    """Return the blueprint "pages". It also dresses every answer and every error of the whole application."""
    pages = Blueprint("pages", __name__)
    for method, rule, name, view in _ROUTES:
        pages.add_url_rule(rule, name, partial(view, gate), methods=[method])
    assets.serve(pages)
    frame.dress(pages)
    return pages
