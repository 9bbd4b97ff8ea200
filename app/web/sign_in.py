"""Signing in without a password: an address, a mail with a link, a button on the page it leads to.

A session holds the reviewer's id and a random word for its forms; who it is, and whether they are still a reviewer,
is asked at every request. Whether an address is known is never told, neither by words nor by waiting for a mail.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from datetime import datetime

from flask import Response, abort, redirect, request, session, url_for
from werkzeug.wrappers import Response as Redirect

from app.db.letters import Letter
from app.domain.policy import Reviewer
from app.jobs.gate import Gate
from app.jobs.letters import request_sign_in
from app.links import BadLink, ExpiredLink
from app.web import frame

log = logging.getLogger("qa-gate.pages")

LONGEST_QUERY = 1_000  # a browser keeps no cookie over 4,096 bytes
LONGEST_ADDRESS = 254  # https://www.rfc-editor.org/errata/eid1690


def reviewer_here(gate: Gate) -> Reviewer:
    """Return who is signed in; else lead to the way in, and after that back to the page that was asked for, with its search."""
    reviewer = frame.signed_in(gate)
    if reviewer is None:
        query = request.query_string.decode("utf-8", "replace")
        page = url_for(str(request.endpoint), **(request.view_args or {}))
        session["back"] = f"{page}?{query}" if 0 < len(query) <= LONGEST_QUERY else page
        session.pop("left", None)
        abort(redirect(url_for("pages.sign_in"), 303))
    return reviewer


def ask(gate: Gate) -> Response | Redirect:
    """Answer `GET /sign-in`: the form for an address."""
    if frame.signed_in(gate):
        return redirect(url_for("pages.pending"), 303)
    return frame.show(gate, "sign_in.html", gate.store.now())


def send(gate: Gate) -> Redirect:
    """Answer `POST /sign-in` with `address`: queue a mail if it is a reviewer's, and say the same either way."""
    request_sign_in(gate, request.form.get("address", "")[:LONGEST_ADDRESS], session.get("back"))
    return redirect(url_for("pages.way_in_sent"), 303)


def sent(_gate: Gate) -> Response:
    """Answer `GET /sign-in/sent`."""
    return frame.signpost("sign_in_sent", 200)


def show(gate: Gate, token: str) -> Response:
    """Answer `GET /sign-in/<token>`: a button only, since scanners open every link."""
    now = gate.store.now()
    _, reviewer = _read(gate, token, now)
    return frame.show(gate, "sign_in_here.html", now, reviewer=reviewer, token=token)


def enter(gate: Gate, token: str) -> Redirect:
    """Answer `POST /sign-in/<token>`: sign in, once for a link."""
    now = gate.store.now()
    letter, reviewer = _read(gate, token, now)
    if not gate.store.letters.use(letter.nonce):
        raise frame.DeadEnd("sign_in_used", 410)
    # A mail program may open the link in a browser of its own, which does not know what she wanted to see.
    back = letter.back or session.get("back")
    session.clear()  # nothing that somebody put into it before may go on
    session.permanent = True
    session["reviewer"] = reviewer.id
    session["epoch"] = gate.store.epoch.nonce
    session["csrf"] = secrets.token_urlsafe(16)
    session["since"] = session["seen"] = int(now.timestamp())
    log.info("%s signed in.", reviewer.name)
    return redirect(back or url_for("pages.pending"), 303)


def leave(gate: Gate) -> Redirect:
    """Answer `POST /sign-out`: end the session of this device."""
    check_form()
    reviewer = frame.signed_in(gate)
    session.clear()
    log.info("%s signed out.", reviewer.name if reviewer else "Someone who is no longer a reviewer")
    session["left"] = True  # so that the page says so
    return redirect(url_for("pages.sign_in"), 303)


def check_form() -> None:
    """Let only forms of this very session pass. Raises DeadEnd."""
    expected, given = session.get("csrf", ""), request.form.get("csrf", "")
    if not expected:
        raise frame.DeadEnd("signed_out", 403)
    # Bytes: a string that is not ASCII cannot be compared in constant time.
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise frame.DeadEnd("stale", 403)


def _read(gate: Gate, token: str, now: datetime) -> tuple[Letter, Reviewer]:
    """Return the letter that carried the link, and whom it is for. Raises DeadEnd."""
    try:
        link = gate.links.read_sign_in(token, now)
    except ExpiredLink:
        raise frame.DeadEnd("sign_in_expired", 410) from None
    except BadLink:
        raise frame.DeadEnd("bad_link", 404) from None
    reviewer = gate.policy.reviewer(link.reviewer)
    if reviewer is None:
        raise frame.DeadEnd("not_reviewer", 403)
    letter = gate.store.letters.by_nonce(link.nonce)
    if letter is None or letter.used_at:
        raise frame.DeadEnd("sign_in_used", 410)
    return letter, reviewer
