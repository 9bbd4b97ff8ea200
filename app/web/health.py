"""For machines: `GET /healthz` says that this process answers, `GET /readyz` that the gate does its work.

Load balancers and monitoring call them, without signing in. They name no change, no person and no secret.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, jsonify, make_response

from app import __version__
from app.db.database import Unavailable
from app.db.jobs import Service
from app.db.queue import A_WORKERS_SILENCE, OVERDUE
from app.jobs.away import first_there, who_is_away
from app.jobs.gate import Gate


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
        return _answer(False, database="away")
    is_alive = beat is not None and beat < A_WORKERS_SILENCE
    is_prompt = due is None or due <= OVERDUE
    return _answer(
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


def _answer(is_ready: bool, **facts: Any) -> Response:
    return make_response(jsonify(ready=is_ready, version=__version__, **facts), 200 if is_ready else 503)


def _seconds(span: timedelta | None) -> float | None:
    return round(span.total_seconds(), 1) if span is not None else None
