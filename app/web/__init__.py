"""The pages that people see: deciding, what waits, one change, the history, signing in; and two about health.

`create_app` registers the blueprint. A GET never changes anything, so that scanners may open every link; only a
POST made by a person's click does. Nothing here ever calls GitHub or sends a mail: that is the worker's.
"""

from __future__ import annotations

from functools import partial
from typing import cast

from flask import Blueprint, Flask

from app.jobs.gate import Gate
from app.web import decide, frame, health, history, pending, pictures, review, sign_in
from app.web.headers import Guard

_LARGEST_ID = 2**63 - 1  # what a database's BIGINT holds

_ROUTES = (
    ("GET", "/", "pending", pending.show),
    ("POST", "/away", "go_away", pending.begin_absence),
    ("POST", "/back", "come_back", pending.end_absence),
    ("GET", "/decide/<token>", "question", decide.show),
    ("POST", "/decide/<token>", "decide", decide.decide),
    ("GET", "/decide/<token>/fresh", "sent", decide.sent),
    ("POST", "/decide/<token>/fresh", "fresh", decide.fresh),
    ("GET", f"/reviews/<int(max={_LARGEST_ID}):review_id>", "review", review.show),
    ("GET", "/pictures/<nonce>", "picture", pictures.show),
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
    """Return the blueprint "pages". It also guards the whole application, and dresses its errors."""
    pages = Blueprint("pages", __name__)
    for method, rule, name, view in _ROUTES:
        pages.add_url_rule(rule, name, partial(view, gate), methods=[method])
    frame.serve(pages)
    frame.register(pages)
    pages.record_once(lambda state: _guard(cast(Flask, state.app), gate))
    return pages


def _guard(app: Flask, gate: Gate) -> None:
    bare = app.jinja_env.get_template("pages/bare.html")
    answers = {status: bare.render(status=status) for status in (400, 500)}
    is_https = gate.public_url.startswith("https://")
    app.wsgi_app = Guard(app.wsgi_app, answers, is_https=is_https)  # type: ignore[method-assign]
