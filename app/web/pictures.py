"""Pictures on pages: `GET /pictures/<nonce>` gives one, whose address is known only to the pages that show it.

They were made anew here, so nothing of a stranger's file is served, and a page that shows one loads nothing from
elsewhere.
"""

from __future__ import annotations

from flask import Response, abort, url_for

from app.db.pictures import Kept
from app.domain.record import Review
from app.jobs.gate import Gate
from app.text.plain_text import Shown

# It never changes, and is forgotten one day: long enough for whoever looks at a change.
_CACHED = "private, max-age=86400"


def show(gate: Gate, nonce: str) -> Response:
    """Answer `GET /pictures/<nonce>`."""
    found = gate.store.pictures.file(nonce)
    if found is None:
        abort(404)
    kind, data = found
    response = Response(data, content_type=kind)
    response.headers["Cache-Control"] = _CACHED
    response.headers["Content-Disposition"] = "inline"
    return response


def shown_in(gate: Gate, row: Review) -> tuple[Shown, ...]:
    """Return the developers' pictures that are kept of the current round, as a text shows them."""
    return tuple(_shown(one) for one in gate.store.pictures.theirs(row.id, row.round))


def hers(gate: Gate, row: Review) -> dict[str, list[Kept]]:
    """Return what reviewers sent with the standing decision, and with the last question."""
    pictures, number = gate.store.pictures, row.decision.number if row.decision else 0
    asked = len(row.questions)
    return {
        "decision": pictures.sent_with(row.id, "decision", number) if number else [],
        "question": pictures.sent_with(row.id, "question", asked) if asked else [],
    }


def _shown(one: Kept) -> Shown:
    return Shown(one.source, address(one), one.width, one.height, one.moves)


def address(one: Kept) -> str:
    """Return where a picture is."""
    return url_for("pages.picture", nonce=one.nonce)
