"""What all pages share: times in words, kind pages for errors, and who may send us a form.

Used by every module of this package. A page of an error never needs the database, and never shows what failed.

    DeadEnd   there is nothing to do on this page: carries its signpost
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import mimetypes
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, make_response, render_template, request, session, url_for
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from app import folder
from app.db.database import Unavailable
from app.db.history import Entry
from app.db.rows import HistoryRow
from app.domain.calendar import A_DAY, median_wait
from app.domain.policy import Reviewer
from app.domain.review import Review
from app.jobs.gate import Gate
from app.mail.compose import why_for_developer, why_for_reviewer
from app.text.clean import clean, person, plain
from app.text.gfm import host_of
from app.text.how_to_test import parted, steps_of
from app.text.markdown import rendered
from app.text.words import (
    NOT_NOW,
    ago,
    checks_words,
    count,
    day_heading,
    day_of_month,
    diff_blocks,
    size_in_short,
    size_words,
    span,
    span_words,
    when,
)
from app.web import pictures

# --- Styles, script and icon: read once, kept small, and named by their contents, so that a browser asks for each once.


# https://www.rfc-editor.org/rfc/rfc8246
_FOR_GOOD = "public, max-age=31536000, immutable"


def serve_files(pages: Blueprint) -> None:
    """Add the files to the blueprint, and `static(name)`, the address of one, to its templates."""
    files = {path.name: path.read_bytes() for path in (folder("templates") / "static").iterdir()}
    digests = {name: hashlib.sha256(data).hexdigest()[:12] for name, data in files.items()}
    packed = cache(lambda name: gzip.compress(files[name]))

    def asset(digest: str, name: str) -> Response:
        if name not in files:
            abort(404)
        kind = mimetypes.types_map.get(Path(name).suffix, "application/octet-stream")
        response = Response(files[name], content_type=f"{kind}; charset=utf-8")
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") > 0:
            response.data, response.content_encoding = packed(name), "gzip"
        # A page from before an update still gets a style, but nobody keeps it under the old name.
        response.headers["Cache-Control"] = _FOR_GOOD if digest == digests[name] else "no-cache"
        return response

    pages.add_url_rule("/assets/<digest>/<name>", "asset", asset)
    pages.add_app_template_global(
        lambda name: url_for("pages.asset", digest=digests[name], name=name), "static"
    )


# --- What all pages share.


log = logging.getLogger("qa-gate.pages")

# More than 4,000 characters need, however they are encoded.
LARGEST_FORM = 128 * 1024
LARGEST_ID = 2**63 - 1  # what a database's BIGINT holds
# So long somebody stays signed in who does not come back, and so long in all, however often they come.
SESSION_LASTS, RENEWED_FOR = timedelta(days=30), timedelta(days=150)

_KINDS = {404: "missing", 405: "wrong_way", 413: "too_large"}


class DeadEnd(Exception):
    """The request ends at a signpost: its kind in signpost.html, and its status."""

    def __init__(self, kind: str, status: int) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = status


def register(pages: Blueprint) -> None:
    """Give templates their filters, every error kind words, and refuse other sites' forms."""
    pages.before_request(_refuse_foreign_forms)
    for name, one in _FILTERS.items():
        pages.add_app_template_filter(one, name)
    for tool in _TOOLS:
        pages.add_app_template_global(tool)
    pages.register_error_handler(DeadEnd, _dead_end)
    for error, answer in ((HTTPException, _http_error), (Unavailable, _away), (Exception, _unexpected)):
        pages.app_errorhandler(error)(answer)


def show(
    gate: Gate, template: str, now: datetime, status: int = 200, *, zone: tzinfo | None = None, **facts: Any
) -> Response:
    """Render a page of templates/pages; in it, `when` and `ago` say a time in words, `account` is who is signed in.

    Times are in TIMEZONE unless `zone` is given. `several`: there are several repositories, so each is named.
    """
    account, zone = signed_in(gate), zone or gate.timezone
    if account:
        _keep_signed_in(now)
    words: dict[str, Any] = {
        "account": account,
        "waiting_count": gate.store.reviews.count_waiting(account) if account else 0,
        "policy": gate.policy,
        "several": len(gate.policy.repositories) > 1,
        "when": partial(when, timezone=zone, now=now),
        "clock": lambda moment: f"{moment.astimezone(zone):%H:%M}",
        "by_day": partial(_by_day, zone=zone, now=now),
        "ago": partial(ago, now=now),
    }
    return make_response(render_template(f"pages/{template}", **words, **facts), status)


def _by_day(
    happened: Iterable[HistoryRow | Entry], zone: tzinfo, now: datetime
) -> Iterator[tuple[str, list[HistoryRow | Entry]]]:
    """Give the lines of each day under its heading, in their order."""
    today = now.astimezone(zone).date()
    for day, lines in groupby(happened, lambda line: line.at.astimezone(zone).date()):
        yield day_heading(day, today), list(lines)


def signpost(kind: str, status: int) -> Response:
    """Render a signpost that is about no change in particular; needs no database."""
    return make_response(render_template("pages/signpost.html", kind=kind), status)


def signed_in(gate: Gate) -> Reviewer | None:
    """Return who is signed in, if still named in QA_REVIEWERS; a restored backup ends every session."""
    is_in = "csrf" in session and session.get("epoch") == gate.store.epoch.nonce
    return gate.policy.reviewer(session.get("reviewer")) if is_in else None


def _keep_signed_in(now: datetime) -> None:
    """Renew the session's cookie once a day, so that who comes back stays signed in; not without an end.

    Else whoever has a copy of the cookie would stay signed in for as long as they come back.
    """
    moment = int(now.timestamp())
    is_young = moment - session.get("since", 0) < RENEWED_FOR.total_seconds()
    if is_young and moment - session.get("seen", moment) >= A_DAY.total_seconds():
        session["seen"] = moment


def _helper(login: str) -> str:
    """Return who can be talked to about a change: its author, unless a program made it."""
    return "a developer" if login.endswith("[bot]") else plain(login) or "a developer"


def _refuse_foreign_forms() -> Response | None:
    """Refuse what another site's page sends; old browsers do not say, and are believed.

    With our Referrer-Policy a browser's own form has `Origin: null`, so that the origin tells nothing.
    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    has_files = request.endpoint == "pages.decide" and request.mimetype == "multipart/form-data"
    request.max_content_length = pictures.LARGEST_UPLOAD if has_files else LARGEST_FORM
    is_ours = request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")
    if request.method == "POST" and not is_ours:
        log.warning("%s %s refused: elsewhere", request.method, request.endpoint)
        return signpost("elsewhere", 403)
    return None


def _dead_end(end: DeadEnd) -> Response:
    log.warning("%s %s refused: %s", request.method, request.endpoint, end.kind)
    return signpost(end.kind, end.status)


def _http_error(error: HTTPException) -> Response | HTTPException:
    """Answer 404, 405, 413 and the like; answers that others made stay as they are."""
    if request.blueprint not in (None, "pages"):
        return error
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        log.warning("%s %s refused: too_large", request.method, request.endpoint)
    response = signpost(_KINDS.get(status, "refused" if status < 500 else "failed"), status)
    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())
    return response


def _away(error: Unavailable) -> Response:
    log.error("%s: the database cannot be used right now. %s", request.endpoint, error.__cause__ or "")
    response = signpost("away", 503)
    response.headers["Retry-After"] = "60"
    return response


def _unexpected(error: Exception) -> Response:
    """Answer 500. Flask's own log line would show the path, and a path may be the authority to decide."""
    log.error("%s failed", request.endpoint, exc_info=error)
    return signpost("failed", 500)


def _why(row: Review, helper: str = "the developer") -> str:
    """Return for a reviewer why it does not go on; where only a run of the gate's failed, that there is a problem."""
    return why_for_reviewer(row.held, row.base, helper) if row.held else NOT_NOW


def _why_at_github(row: Review) -> str:
    """Return the same for a developer, "" where only a run of the gate's failed."""
    return why_for_developer(row.held, row.base) if row.held else ""


_TOOLS: tuple[Callable[..., Any], ...] = (
    *(checks_words, count, day_of_month, size_in_short, size_words, span, span_words),
    *(host_of, median_wait, parted, rendered, steps_of),
)
_FILTERS: dict[str, Callable[..., Any]] = {
    "blocks": diff_blocks,
    "line": plain,
    "lines": clean,
    "person": person,
    "helper": _helper,
    "why": _why,
    "why_at_github": _why_at_github,
}
