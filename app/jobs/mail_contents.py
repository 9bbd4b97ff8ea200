"""What each kind of letter says: questions, lists of them, news, sign-in.

Composed when it is sent, so that it never carries what is overtaken and no link lies in the database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.db.epoch import RESTORED
from app.db.jobs import Rest
from app.db.letters import LIST, OUTCOME_AFTER, Letter, outcome_letter
from app.db.reviews import Round, open_talk
from app.domain.approval import Choice, Decision
from app.domain.calendar import time_left
from app.domain.cautions import Caution, cautions
from app.domain.facts import Snapshot, State
from app.domain.policy import Reviewer
from app.domain.problems import What
from app.domain.review import Happened, Review
from app.jobs.ask import where_to_try
from app.jobs.gate import Gate
from app.jobs.problems import problem_mail
from app.jobs.what_is_new import what_is_new
from app.links import SignInLink, decide_link
from app.mail import news
from app.mail.compose import Mail, waiting_since
from app.mail.question import Request, TalkLine, compose_request
from app.text.markdown import Shown

# What a release held may be known only after its merge; so often, and so long, it is waited for.
RELEASE_READ_EVERY, RELEASE_AWAITED = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail ready to send; a list says which letters it tells in their place, and which reviews it lists."""

    mail: Mail
    told: tuple[int, ...] = ()
    listed: tuple[int, ...] = ()


def cautions_of(asked: Round, row: Review, *, is_new: bool = False) -> list[Caution]:
    """Return what could fool a reviewer about a round; `is_new`: this very letter is the question."""
    return cautions(asked.snapshot, is_edited=asked.is_edited and not is_new, now=row.facts)


def _sign_in(gate: Gate, letter: Letter, reviewer: Reviewer) -> Mail:
    url = gate.links.sign_in_url(SignInLink(letter.nonce, reviewer.id), gate.store.now())
    return news.compose_sign_in(reviewer, url)


def _question(gate: Gate, letter: Letter, reviewer: Reviewer) -> Mail | None:
    """Compose the question of a round, or None when that round is not waiting any more."""
    row = gate.store.reviews.get(letter.review_id or 0)
    asked = gate.store.reviews.round(row.id, row.round) if row else None
    if row is None or asked is None or (row.state, row.round) != (State.WAITING, letter.round):
        return None
    if letter.kind not in ("fresh", "answer") and letter.reviewer != row.reviewer:
        return None  # handed over
    now = gate.store.now()
    last = gate.store.reviews.last_decision(row.id)
    request = _request(gate, row, asked, reviewer, now, last)
    request = replace(
        request,
        snapshot=replace(request.snapshot, checks=asked.last_checks(row)[0]),
        cautions=tuple(cautions_of(asked, row, is_new=letter.kind == "ask")),
        others=gate.store.reviews.count_waiting(reviewer, besides=row),
        is_fresh=letter.kind == "fresh",
        **(_stands_in(gate, row) if letter.kind == "instead" else {}),
        rejection=last if last and last.choice is Choice.REJECT else None,
        skips_to=row.base if gate.policy.skips_release(row) else None,
        is_answer=letter.kind == "answer",
        shown=_shown(gate, row, f"{request.approve_url}#wrote"),
    )
    return compose_request(request, now, gate.timezone)


def _request(
    gate: Gate, row: Review, asked: Round, reviewer: Reviewer, now: datetime, last: Decision | None = None
) -> Request:
    """Return a question as a list of several shows it; `last` is the last decision on the change."""
    choices = (Choice.APPROVE, Choice.REJECT)
    approve, reject = (gate.links.decide_url(decide_link(row, reviewer.id, one), now) for one in choices)
    return Request(
        reviewer=reviewer,
        snapshot=asked.now,
        place=gate.policy.place(row),
        asked_at=asked.asked_at,
        approve_url=approve,
        reject_url=reject,
        pending_url=f"{gate.public_url}/",
        try_url=where_to_try(gate, row),
        talk=_talk(gate, row, asked.snapshot),
        **what_is_new(gate, row, asked.snapshot, reviewer, last),
    )


def _shown(gate: Gate, row: Review, url: str) -> tuple[Shown, ...]:
    """Return the pictures that the page at this address shows."""
    kept = gate.store.pictures.of_developers(row.id, row.round)
    return tuple(Shown(one.source, url, one.width, one.height) for one in kept)


def _talk(gate: Gate, row: Review, snapshot: Snapshot) -> tuple[TalkLine, ...]:
    """Return the question that was asked since the last decision, and what was answered."""
    return tuple(
        TalkLine(line.reviewer, line.who, line.detail, is_question=True, at=line.at)
        if line.reviewer
        else TalkLine(
            line.who, snapshot.names.get(line.who, line.who), line.detail, is_question=False, at=line.at
        )
        for line in open_talk(gate.store.reviews.history(row.id))
    )


def _stands_in(gate: Gate, row: Review) -> dict[str, Any]:
    """Return whose question this was, if it was handed over, and whether because no mail reaches them."""
    history = reversed(gate.store.reviews.history(row.id))
    last = next((line for line in history if line.what in (Happened.ASKED, Happened.HANDED_OVER)), None)
    if last is None or last.what is not Happened.HANDED_OVER:
        return {}
    return {
        "instead_of": last.who,
        "is_unreached": last.reviewer in gate.store.problems.noted(What.SUPPRESSED),
    }


def _list(gate: Gate, letter: Letter, reviewer: Reviewer) -> Composed | None:
    """Compose a list of what came together, or on its own day of all that waits; None when nothing of it waits."""
    now = gate.store.now()
    told = gate.store.letters.to_be_told(reviewer.id)
    rows = list({row.id: row for _, row in told}.values())
    if letter.day:
        is_today = letter.day == now.astimezone(gate.timezone).date()
        rows = gate.store.reviews.waiting_for(reviewer.id) if is_today else []
    rounds = ((row, gate.store.reviews.round(row.id, row.round)) for row in rows)
    items = [_request(gate, row, asked, reviewer, now) for row, asked in rounds if asked]
    if not items:
        return None
    mail = news.compose_digest(reviewer, items, f"{gate.public_url}/", now, gate.timezone)
    return Composed(mail, tuple(id_ for id_, _ in told), tuple(row.id for row in rows))


def _about(gate: Gate, row: Review, reviewer: Reviewer, url: str) -> news.About:
    """Return what a mail with news about a pull request needs of it."""
    return news.About(
        row,
        _names(gate, row).get(row.author, row.author),
        gate.policy.place(row),
        url,
        f"{gate.public_url}/",
        gate.store.reviews.count_waiting(reviewer, besides=row),
        gate.policy.is_release(row),
    )


def _names(gate: Gate, row: Review) -> dict[str, str]:
    """Return what people are called, by login, as far as the last question about a change says."""
    asked = gate.store.reviews.last_round(row)
    return asked.snapshot.names if asked else {}


def _bypass(gate: Gate, letter: Letter, reviewer: Reviewer) -> Mail | None:
    """Compose the news that something was merged without the reviewers."""
    row = gate.store.reviews.get(letter.review_id or 0)
    if row is None:
        return None
    told = [line for line in gate.store.reviews.history(row.id) if line.what is Happened.BYPASSED]
    by = told[-1].who if told and told[-1].who != "GitHub" else ""
    about = _about(gate, row, reviewer, f"{gate.public_url}/reviews/{row.id}")
    return news.compose_bypass(reviewer, about, _names(gate, row).get(by, by))


def _outcome(gate: Gate, letter: Letter, reviewer: Reviewer) -> Mail | Rest | None:
    """Compose the news that an approval is held, once that does not end by itself, or after a day; None when it is over."""
    row = gate.store.reviews.get(letter.review_id or 0)
    if row is None or row.decision is None or not row.is_approved or row.state is State.MERGED:
        return None
    if letter.key != outcome_letter(row, row.decision).key:
        return None
    now = gate.store.now()
    early = time_left(letter.created_at + OUTCOME_AFTER, OUTCOME_AFTER, now)
    if early and not row.is_stuck:
        return Rest(wait=early)
    url = gate.links.decide_url(decide_link(row, reviewer.id), now)
    about = _about(gate, row, reviewer, url)
    return news.compose_outcome(reviewer, about, row.held, is_developer_told=row.is_developer_told)


def _live(gate: Gate, letter: Letter, reviewer: Reviewer) -> Mail | Rest | None:
    """Compose the news that a release went live; None where it is not merged as it was approved."""
    row = gate.store.reviews.get(letter.review_id or 0)
    if row is None or row.state is not State.MERGED or row.bypassed:
        return None
    now, asked = gate.store.now(), gate.store.reviews.round(row.id, row.round)
    release = asked.snapshot.release if asked else None
    if release is None:
        return Rest(wait=RELEASE_READ_EVERY) if now < letter.created_at + RELEASE_AWAITED else None
    url = gate.links.decide_url(decide_link(row, reviewer.id), now)
    when = waiting_since(letter.created_at, now, gate.timezone)
    return news.compose_live(reviewer, _about(gate, row, reviewer, url), release, f"on {when}")


def _push(gate: Gate, letter: Letter, reviewer: Reviewer) -> Mail | None:
    """Compose the news that something was pushed past the reviewers."""
    push = gate.store.releases.push(letter.push_id or 0)
    if push is None:
        return None
    gone = gate.store.releases.merged(push.repository_id, push.branch, push.gone)
    place = push.repository if len(gate.policy.repositories) > 1 else ""
    return news.compose_push(
        reviewer,
        push.branch,
        push.unseen,
        f"{gate.public_url}/",
        gone=[row.title for row in gone],
        place=place,
        is_rewritten=push.is_forced,
    )


def _restored(gate: Gate, _letter: Letter, reader: Reviewer) -> Mail | None:
    """Compose the news that a backup was restored, in the words of who decides, or runs the gate, or both."""
    epoch = gate.store.epoch
    if epoch.lost_since is None:
        return None
    now = gate.store.now()
    since, until = (waiting_since(one, now, gate.timezone) for one in (epoch.lost_since, epoch.began_at))
    decides, operates = gate.policy.reviewer(reader.id) is not None, gate.operator(reader.id) is not None
    return news.compose_restored(reader, since, until, gate.public_url, decides=decides, operates=operates)


WRITERS: dict[str, Callable[[Gate, Letter, Reviewer], Mail | Composed | Rest | None]] = {
    "ask": _question,
    "fresh": _question,
    "answer": _question,
    "instead": _question,
    LIST: _list,
    "bypass": _bypass,
    "outcome": _outcome,
    "push": _push,
    "live": _live,
    "sign_in": _sign_in,
    RESTORED: _restored,
    "problem": problem_mail,
    "solved": problem_mail,
}
