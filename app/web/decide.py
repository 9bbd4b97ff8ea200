"""One question, one form, one click: `GET` shows a round and how it stands, `POST` decides it.

A link speaks for its own round and its own reader; whatever else it meets, it says what happened and where to go
now. A GET writes nothing. The rules decide, in the store's transaction; here the words are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from flask import Response, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as Redirect

from app.db.reviews import DECISIONS, Round
from app.db.rows import HistoryRow
from app.domain.approval import Basis, Choice
from app.domain.facts import Release, State
from app.domain.policy import Reviewer
from app.domain.review import Review
from app.domain.rules import APPROVED, Signpost
from app.domain.statuses import stale_successes
from app.jobs.ask import where_to_try
from app.jobs.gate import Gate
from app.jobs.letters import request_fresh_link
from app.jobs.mail_contents import cautions_of
from app.jobs.what_is_new import asked_again, what_is_new
from app.links import BadLink, ExpiredLink
from app.mail.news import live_text, what_went_live
from app.text.clean import clean, person, shortened
from app.text.how_to_test import parted, steps_of
from app.text.words import device_words
from app.web import frame, pictures
from app.web.pending import decide_url, ways_on
from app.web.pictures import shown_in
from app.web.review import facts_of

LONGEST_NOTE = 4000
QUESTION = "question"  # what the form calls a question, which decides nothing
# What is over within this time is no delay that anybody has to hear of.
SHORT = timedelta(seconds=30)
FIRST = (Choice.APPROVE.value, Choice.REJECT.value, QUESTION)
_NEEDS: dict[str, str] = {Signpost.NEEDS_REASON: Choice.REJECT.value, Signpost.NEEDS_QUESTION: QUESTION}
# What was done just now is said first, unless it decided: then the page is about that. As the history calls it.
_DONE = {QUESTION: "question", Choice.TAKE_BACK.value: DECISIONS[Choice.TAKE_BACK]}
LONGEST_AUTHOR, LONGEST_STEP = 60, 200


@dataclass(frozen=True, slots=True)
class Case:
    """A link that was verified, whom it was made for, and how its change stands now."""

    token: str
    round: int
    choice: Choice
    is_expired: bool
    reviewer: Reviewer
    row: Review
    now: datetime


def show(gate: Gate, token: str) -> Response:
    """Answer `GET /decide/<token>`: the question, or how it was answered, or where to go now."""
    return _answer(gate, _case(gate, token))


# No CSRF token: no session is used here, the token in the address is the authority, and no other site knows it.
def decide(gate: Gate, token: str) -> Response | Redirect:
    """Answer `POST /decide/<token>` with `choice`, `note` and `seen`: record the choice, then lead back to the page."""
    case = _case(gate, token)
    said, note = request.form.get("choice", ""), clean(request.form.get("note", "")).strip()
    if case.is_expired:
        return _answer(gate, case, note=note)
    taken = pictures.take(gate, case.row, case.reviewer) if _dead_end(case) is None else pictures.Taken()
    if taken.wrong:
        return _answer(gate, case, 422, "bad_picture", note, taken)
    if len(note) > LONGEST_NOTE:
        return _answer(gate, case, 422, "too_long", note, taken)
    about = (case.row.id, case.round)
    if said == QUESTION:
        refused = gate.store.reviews.ask(*about, note, case.reviewer, taken.nonces)
    elif said in tuple(Choice):
        seen, basis = request.form.get("seen", type=int), _basis(gate, case)
        choice, sent = Choice(said), taken.nonces
        refused = gate.store.reviews.decide(*about, choice, note, case.reviewer, seen, basis, sent)
    else:
        return _answer(gate, case, 422, "no_choice", note, taken)
    if refused:
        case = _case(gate, token)
    if refused is None or _is_so_already(case, said, note, refused):
        done = said if refused is None and said in _DONE else None
        return redirect(url_for("pages.question", token=token, done=done), 303)
    return _answer(gate, case, 422 if refused in _NEEDS else 409, refused, note, taken)


def fresh(gate: Gate, token: str) -> Redirect:
    """Answer `POST /decide/<token>/fresh`: mail the current question to the address the link was made for."""
    case = _case(gate, token)
    request_fresh_link(gate, case.row.id, case.reviewer)
    return redirect(url_for("pages.sent", token=token), 303)


def sent(gate: Gate, token: str) -> Response:
    """Answer `GET /decide/<token>/fresh`: say where the fresh link goes."""
    return _signpost(gate, _case(gate, token), "sent")


def _case(gate: Gate, token: str) -> Case:
    """Read a link and look up what it is about. Raises DeadEnd."""
    now, is_expired = gate.store.now(), False
    try:
        link = gate.links.read_decide(token, now)
    except ExpiredLink as expired:
        link, is_expired = expired.link, True
    except BadLink:
        raise frame.DeadEnd("bad_link", 404) from None
    reviewer = gate.policy.reviewer(link.reviewer)
    if reviewer is None:
        raise frame.DeadEnd("not_reviewer", 403)
    found = gate.store.reviews.by_round(link.nonce, link.repository_id, link.number)
    if found is None:
        raise frame.DeadEnd("unknown", 404)
    row, round_ = found
    if row.state is not State.MERGED and gate.is_gated(row) is False:
        raise frame.DeadEnd("let_go", 410)
    return Case(token, round_, link.choice, is_expired, reviewer, row, now)


def _is_so_already(case: Case, said: str, note: str, why: Signpost) -> bool:
    """Tell whether a click changed nothing because it came twice: then the page that it leads to is right."""
    if said == Choice.TAKE_BACK:
        return why is Signpost.UNDECIDED
    stands = case.row.decision if case.row.round == case.round else None
    mine = (said, case.reviewer.id, note)
    return stands is not None and (stands.choice, stands.reviewer, stands.note) == mine


def _basis(gate: Gate, case: Case) -> Basis:
    """Return what this click says of how the change was tried, as far as its steps still read so."""
    asked = gate.store.reviews.round(case.row.id, case.round)
    how = parted(asked.now.pull.body, shown=shown_in(gate, case.row))[0].html if asked else Markup()
    steps = {step.key: shortened(step.text, LONGEST_STEP) for step in steps_of(how) if step.key}
    ticked = steps.keys() & set(request.form.getlist("works"))
    return Basis(
        works=tuple(words for key, words in steps.items() if key in ticked),
        unticked=tuple(words for key, words in steps.items() if ticked and key not in ticked),
        device=device_words(request.headers.get("User-Agent", "")),
    )


def _answer(
    gate: Gate,
    case: Case,
    status: int = 200,
    why: str | None = None,
    note: str = "",
    taken: pictures.Taken | None = None,
) -> Response:
    """Show how things stand for this link; `why`, `note` and `taken` are of a click that changed nothing."""
    kind = _dead_end(case)
    if kind:
        return _signpost(gate, case, kind, status, note)
    row = case.row
    asked = gate.store.reviews.round(row.id, row.round)
    is_question = row.state in (State.TO_ASK, State.WAITING)
    if asked is None and is_question:
        return _signpost(gate, case, "preparing", status, note)
    facts = facts_of(gate, row, asked)
    history = facts["history"]
    facts |= {
        "is_live": row.state in APPROVED
        or (row.state is State.REJECTED and not row.is_decision_said)
        or bool(stale_successes(row, gate.policy)),
        "is_late": bool(history) and case.now - history[-1].at >= SHORT,
        "taken": taken or pictures.Taken(),
        "why": why,
        "note": note,
        **_names(row, asked),
    }
    done = _done(case, history) if is_question and status == HTTPStatus.OK else None
    is_again = row.state is State.REJECTED and "again" in request.args and status == HTTPStatus.OK
    if asked and (is_again or (is_question and not done)):
        facts |= _question(gate, case, asked, why) | {"is_again": is_again}
        return _page(gate, case, "question.html", status, facts)
    facts |= {"done": done, "went_live": _went_live(gate, case, facts["release"], history)}
    return _page(gate, case, "outcome.html", status, facts | _onward(gate, case))


def _went_live(gate: Gate, case: Case, release: Release | None, history: list[HistoryRow]) -> str:
    """Return what went live with a release, as a text; "" before it is merged, or where it was not asked about."""
    if case.row.state is not State.MERGED or release is None:
        return ""
    ends = [line.at for line in history if line.what in ("merged", "bypassed")] or [case.now]
    items = what_went_live(release)
    return live_text(items, ends[-1].astimezone(gate.timezone).date()) if items else ""


def _done(case: Case, history: list[HistoryRow]) -> str | None:
    """Return what the page is to say that was done just now, if it was, and nothing came after it."""
    done = request.args.get("done")
    said = [line for line in history if line.what in ("question", "answered", *DECISIONS.values())]
    is_last = said and (said[-1].what, said[-1].reviewer) == (_DONE.get(done or ""), case.reviewer.id)
    return done if is_last else None


def _question(gate: Gate, case: Case, asked: Round, why: str | None) -> dict[str, Any]:
    """Return what only the page that asks shows: what was tapped comes first, and what was typed is kept."""
    reviews, row = gate.store.reviews, case.row
    last = reviews.last_decision(row.id)
    before = last if last and last.choice is Choice.REJECT and last.round < row.round else None
    page, tapped = request.form.get("page", case.choice.value), _NEEDS.get(why or "")
    first = tapped or page
    # Who taps Reject or Ask before there is a message has made no mistake: the message is what comes next.
    is_step = tapped is not None and request.form.get("page", tapped) != tapped
    return {
        "first": first if first in FIRST and row.state is not State.REJECTED else FIRST[0],
        "why": None if is_step else why,
        "ticked": set(request.form.getlist("works")),
        "try_url": where_to_try(gate, row),
        "cautions": cautions_of(asked, row),
        "before": before,  # the rejection that this version answers
        "hers_before": gate.store.pictures.sent_with(row.id, "decision", before.number) if before else [],
        "news": what_is_new(gate, row, asked.snapshot, case.reviewer, last),
        "again": asked_again(gate, row, before.round) if before else None,
    }


def _names(row: Review, asked: Round | None) -> dict[str, str]:
    """Return who wrote it, and who can be asked about it."""
    login = asked.snapshot.author_name if asked else row.author
    author = person(login, LONGEST_AUTHOR) or "a developer"
    is_bot = asked.snapshot.pull.author_is_bot if asked else row.author.endswith("[bot]")
    return {"author": author, "helper": "a developer" if is_bot else author}


def _onward(gate: Gate, case: Case) -> dict[str, Any]:
    """Return what is next for who is signed in; a link from a mail alone leads to no other change."""
    account = frame.signed_in(gate)
    waiting = gate.store.reviews.waiting_for(account.id) if account else []
    others = [row for row in waiting if row.id != case.row.id]
    url = decide_url(gate, others[0], account, case.now) if others and account else None
    return {"next_one": others[0] if url else None, "next_url": url, "more": len(others) - 1}


def _dead_end(case: Case) -> str | None:
    """Return the signpost at which this link ends, or None where its round is the current one, or merged."""
    if case.is_expired:
        return "expired"
    if case.row.state is State.CLOSED:
        return "closed"
    if case.row.state is State.MERGED:
        return None
    if case.round != case.row.round:
        return "old_round"
    return "draft" if case.row.state is State.DRAFT else None


def _signpost(gate: Gate, case: Case, kind: str, status: int = 200, note: str = "") -> Response:
    if case.is_expired:
        frame.log.warning("%s %s refused: expired", request.method, request.endpoint)
    facts = {
        "kind": kind,
        "note": note,
        "again": asked_again(gate, case.row, case.round) if kind == "old_round" else None,
        **ways_on(gate, case.row, case.round, case.now),
    }
    return _page(gate, case, "signpost.html", 410 if case.is_expired else status, facts)


def _page(gate: Gate, case: Case, template: str, status: int, facts: dict[str, Any]) -> Response:
    known: dict[str, Any] = {
        "row": case.row,
        "reviewer": case.reviewer,
        "holder": gate.policy.reviewer(case.row.reviewer),  # who was asked to decide
        "token": case.token,
        "is_withdrawing": bool(stale_successes(case.row, gate.policy)),
        "is_late": case.now - case.row.changed_at >= SHORT,
        "is_release": gate.policy.is_release(case.row),
    }
    return frame.show(gate, template, case.now, status, **{**known, **facts})
