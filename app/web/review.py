"""One change, to be read: `GET /reviews/<id>` for reviewers, `GET /status/<token>` for whoever holds its link.

The first is for who is signed in, and leads to where it can be decided. The second is what a status at GitHub leads
developers to: it needs no sign-in, decides nothing, and repeats no reviewer's words where the repository is public.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from flask import Response

from app.db.reviews import DECISIONS, Round, open_talk
from app.domain.review import Review
from app.jobs.ask import where_to_try
from app.jobs.gate import Gate
from app.jobs.mail_contents import cautions_of
from app.jobs.what_is_new import asked_again
from app.links import BadLink
from app.text.words import count
from app.web import frame
from app.web.pending import decide_url
from app.web.pictures import of_reviewers, shown_in
from app.web.sign_in import reviewer_here


def show(gate: Gate, review_id: int) -> Response:
    """Answer `GET /reviews/<id>`; who is not signed in is led to the way in, and then back here."""
    reviewer, now, row = reviewer_here(gate), gate.store.now(), gate.store.reviews.get(review_id)
    if row is None:
        raise frame.DeadEnd("unknown", 404)
    facts = _facts(gate, row)
    asked, is_open = facts["asked"], facts["is_current"] and row.open
    return frame.show(
        gate,
        "review.html",
        now,
        reviewer=reviewer,
        decide_url=decide_url(gate, row, reviewer, now),
        try_url=where_to_try(gate, row) if is_open else None,
        cautions=cautions_of(asked, row) if is_open else [],
        with_notes=True,
        **facts,
    )


def details(gate: Gate, token: str) -> Response:
    """Answer `GET /status/<token>`. Raises DeadEnd."""
    try:
        row = gate.store.reviews.by_nonce(gate.links.read_details(token))
    except BadLink:
        raise frame.DeadEnd("bad_details", 404) from None
    if row is None:
        raise frame.DeadEnd("unknown", 404)
    quiet = count(int(gate.policy.quiet.total_seconds()) // 60, "minute")
    facts = _facts(gate, row) | {"with_notes": row.facts.private, "quiet": quiet}
    return frame.show(gate, "status.html", gate.store.now(), zone=UTC, **facts)


def _facts(gate: Gate, row: Review) -> dict[str, Any]:
    """Return what both pages show; `asked` is the newest version that was asked about, None when there is none.

    `earlier` are the other versions: when each was asked about, and the last answer to it.
    """
    asked = gate.store.reviews.last_round(row)
    facts, reviewer = facts_of(gate, row, asked), gate.policy.reviewer(row.reviewer)
    is_current = asked is not None and asked.round == row.round
    answers = {line.round: line for line in facts["history"] if line.what in DECISIONS.values()}
    versions = gate.store.history.asked([row])[row.id]
    return facts | {
        "is_current": is_current,
        "is_new_code": asked and not is_current and asked_again(gate, row, asked.round).is_new_code,
        "asked_name": reviewer.name if reviewer else "QA",
        "author": facts["people"].get(row.author),
        "earlier": [(one.asked_at, answers.get(one.round)) for one in versions if one.round != row.round],
    }


def facts_of(gate: Gate, row: Review, asked: Round | None) -> dict[str, Any]:
    """Return what every page about one change shows of it and of a question about it."""
    history = gate.store.reviews.history(row.id)
    return {
        "row": row,
        "asked": asked,
        "release": asked.snapshot.release if asked else None,
        "people": asked.snapshot.names if asked else {},
        "history": history,
        "talk": open_talk(history),
        "shown": shown_in(gate, row),
        "hers": of_reviewers(gate, row),
    }
