"""The pages that people see: deciding, what waits, one change, the history, signing in; and two about health.

`create_app` registers the blueprint. A GET never changes anything, so that scanners may open every link; only a
POST made by a person's click does. Nothing here ever calls GitHub or sends a mail: that is the worker's.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, cast

from flask import Blueprint, Flask, Response, jsonify, make_response

from app import __version__
from app.db.database import Unavailable
from app.db.jobs import Service
from app.db.queue import A_WORKERS_SILENCE, OVERDUE
from app.jobs.away import first_there, who_is_away
from app.jobs.gate import Gate
from app.web import decide, frame, history, pending, pictures, review, sign_in
from app.web.headers import Guard

# --- For machines: load balancers and monitoring, which do not sign in. They are told no change, no person and no secret.


def healthz(_gate: Gate) -> Response:
    """Answer 200 "ok" without looking at anything."""
    return make_response("ok\n", 200, {"Content-Type": "text/plain; charset=utf-8"})


def readyz(gate: Gate) -> Response:
    """Answer 200 when the database is there, a worker lives and no work is overdue; else 503. Times in seconds.

    What is wrong outside, or lasts, is a fact beside it: the gate itself works.
    """
    try:
        now, beat, due = gate.store.now(), gate.store.queue.last_beat(), gate.store.queue.oldest_due()
        asked, health = first_there(gate, who_is_away(gate)), gate.store.problems.health()
        problems = gate.store.problems.begun()
    except Unavailable:
        return _told(False, database="away")
    is_alive = beat is not None and beat < A_WORKERS_SILENCE
    is_prompt = due is None or due <= OVERDUE
    return _told(
        is_alive and is_prompt,
        database="ok",
        worker="alive" if is_alive else "silent",
        worker_seen_ago=_seconds(beat),
        oldest_due_for=_seconds(due),
        reviewers="there" if asked else "all away",
        github=health[Service.GITHUB],
        mail=health[Service.MAIL],
        problems=[{"what": one.what, "for": _seconds(now - one.since)} for one in problems],
    )


def _told(is_ready: bool, **facts: Any) -> Response:
    return make_response(jsonify(ready=is_ready, version=__version__, **facts), 200 if is_ready else 503)


def _seconds(span: timedelta | None) -> float | None:
    return round(span.total_seconds(), 1) if span is not None else None


# --- Every page by its address.


_ROUTES = (
    ("GET", "/", "pending", pending.show),
    ("POST", "/away", "go_away", pending.begin_absence),
    ("POST", "/back", "come_back", pending.end_absence),
    ("GET", "/decide/<token>", "question", decide.show),
    ("POST", "/decide/<token>", "decide", decide.decide),
    ("GET", "/decide/<token>/fresh", "sent", decide.sent),
    ("POST", "/decide/<token>/fresh", "fresh", decide.fresh),
    ("GET", f"/reviews/<int(max={frame.LARGEST_ID}):review_id>", "review", review.show),
    ("GET", "/pictures/<nonce>", "picture", pictures.show),
    ("GET", "/history", "history", history.show),
    ("GET", "/status/<token>", "details", review.details),
    ("GET", "/sign-in", "sign_in", sign_in.ask),
    ("POST", "/sign-in", "send_way_in", sign_in.send),
    ("GET", "/sign-in/sent", "way_in_sent", sign_in.sent),
    ("GET", "/sign-in/<token>", "way_in", sign_in.show),
    ("POST", "/sign-in/<token>", "enter", sign_in.enter),
    ("POST", "/sign-out", "sign_out", sign_in.leave),
    ("GET", "/healthz", "healthz", healthz),
    ("GET", "/readyz", "readyz", readyz),
)


def blueprint(gate: Gate) -> Blueprint:
    """Return the blueprint "pages". It also guards the whole application, and dresses its errors."""
    pages = Blueprint("pages", __name__)
    for method, rule, name, view in _ROUTES:
        pages.add_url_rule(rule, name, partial(view, gate), methods=[method])
    frame.serve_files(pages)
    frame.register(pages)
    pages.record_once(lambda state: _guard(cast(Flask, state.app), gate))
    return pages


def _guard(app: Flask, gate: Gate) -> None:
    bare = app.jinja_env.get_template("pages/bare.html")
    answers = {status: bare.render(status=status) for status in (400, 500)}
    is_https = gate.public_url.startswith("https://")
    app.wsgi_app = Guard(app.wsgi_app, answers, is_https=is_https)  # type: ignore[method-assign]
