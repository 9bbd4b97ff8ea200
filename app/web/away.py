"""`POST /away` and `POST /back`: a reviewer says until when others are asked, or that they are here again.

Only a signed-in reviewer's own form counts. It notes the absence and wakes rows; the worker hands over.
"""

from __future__ import annotations

from datetime import date

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as Redirect

from app.jobs.away import come_back, go_away
from app.jobs.gate import Gate
from app.web import frame, pending
from app.web.sign_in import check_form

NO_DAY = "Please choose the day you’re back. Nothing has changed."
WRONG_DAY = "Please choose a day from tomorrow on, at most a year from now. Nothing has changed."


def begin(gate: Gate) -> Response | Redirect:
    """Answer `POST /away` with `until`, the first day back as YYYY-MM-DD."""
    check_form()
    reviewer, until = frame.signed_in(gate), _day(request.form.get("until", ""))
    if reviewer:
        if until is None:
            return pending.show(gate, 422, NO_DAY)
        first, last = pending.days_back(gate.store.now().astimezone(gate.timezone).date())
        if not first <= until <= last:
            return pending.show(gate, 422, WRONG_DAY)
        go_away(gate, reviewer, until)
    return redirect(url_for("pages.pending"), 303)


def end(gate: Gate) -> Redirect:
    """Answer `POST /back`."""
    check_form()
    reviewer = frame.signed_in(gate)
    if reviewer:
        come_back(gate, reviewer)
    return redirect(url_for("pages.pending"), 303)


def _day(given: str) -> date | None:
    """Return the day that a browser's date field sends, or None where it is none."""
    try:
        return date.fromisoformat(given.strip())
    except ValueError:
        return None
