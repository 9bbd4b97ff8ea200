"""Letters, from a row to SES: questions, lists of them, news, sign-in.

A letter's words and links are composed when it is sent, so that it never carries what is overtaken and no link
lies in the database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.db.epoch import RESTORED
from app.db.jobs import Claim, Service
from app.db.letters import A_DAY, LIST, MOST_UNKNOWN, Letter, outcome_letter
from app.db.reviews import Round
from app.domain.approval import Choice, Decision
from app.domain.cautions import Caution, cautions
from app.domain.facts import Commit, Snapshot, State
from app.domain.policy import Reviewer
from app.domain.problems import Cause, What
from app.domain.review import Happened, Review
from app.jobs.ask import where_to_try
from app.jobs.gate import Gate, Rest
from app.jobs.news import live_mail, restored_mail
from app.jobs.problems import problem_mail
from app.jobs.release import mail_about_push
from app.jobs.why_again import asked_again
from app.links import SignInLink, decide_link
from app.mail.compose import Mail, compose_request, compose_sign_in
from app.mail.news import About, DigestItem, Held, compose_bypass, compose_digest, compose_outcome
from app.mail.question import Line, Request
from app.mail.send import MailUnanswered
from app.text.plain_text import Shown

log = logging.getLogger("qa-gate.mail")

# How long a letter of which nobody knows whether it went out waits before it is tried again.
UNKNOWN_WAIT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Words:
    """A composed letter; a list says which letters it tells in their place, and which reviews it lists."""

    mail: Mail
    told: tuple[int, ...] = ()
    listed: tuple[int, ...] = ()


def send_letter(gate: Gate, claim: Claim) -> Rest:
    """Compose and send one letter, unless what it asks is overtaken or its reader is no reviewer any more."""
    letter = gate.store.letters.get(claim.id)
    reviewer = _reader(gate, letter) if letter else None
    if letter is None or letter.sent_at or reviewer is None:
        return Rest()
    early = letter.at - gate.store.now()
    if early > timedelta(0):
        return Rest(wait=early)
    with gate.store.reading():
        words = WRITERS[letter.kind](gate, letter, reviewer)
    if not isinstance(words, Words):
        return words or Rest()
    try:
        message_id = gate.mailer.send(words.mail)
    except MailUnanswered as error:
        return _unanswered(gate, letter, error)
    gate.store.letters.note_sent(letter.id, message_id, words.told, words.listed)
    row = gate.store.reviews.get(letter.review_id) if letter.review_id else None
    about = f"{row.repository}#{row.number}: " if row else ""
    log.info("%smailed %s to %s, SES id %s", about, letter.kind, reviewer.name, message_id)
    return Rest()


def _reader(gate: Gate, letter: Letter) -> Reviewer | None:
    """Return whose letter it is, None where they are not named any more; a few kinds go to the operator, too."""
    if letter.problem_id:
        return gate.operator(letter.reviewer)
    reviewer = gate.policy.reviewer(letter.reviewer)
    return reviewer or (gate.operator(letter.reviewer) if letter.kind == RESTORED else None)


def _unanswered(gate: Gate, letter: Letter, error: MailUnanswered) -> Rest:
    """Try again, minutes apart where the letter may have gone out: three copies at most, then a list names it."""
    if not error.may_be_sent:
        raise error
    times = gate.store.letters.note_unknown(letter.id)
    if times < MOST_UNKNOWN:
        return Rest(UNKNOWN_WAIT, error.reason, failed=True, failed_in=Service.MAIL, cause=Cause.MAIL)
    log.error("%s: %s It was tried %d times, and goes into the next list.", letter.key, error.reason, times)
    gate.store.problems.note(What.UNKNOWN, letter.reviewer)
    return Rest()


def cautions_of(asked: Round, row: Review, *, is_new: bool = False) -> list[Caution]:
    """Return what could fool a reviewer about a round; `is_new`: this very letter is the question."""
    return cautions(asked.snapshot, is_edited=asked.is_edited and not is_new, now=row.facts)


def _sign_in(gate: Gate, letter: Letter, reviewer: Reviewer) -> Words:
    url = gate.links.sign_in_url(SignInLink(letter.nonce, reviewer.id), gate.store.now())
    return Words(compose_sign_in(reviewer, url))


def _question(gate: Gate, letter: Letter, reviewer: Reviewer) -> Words | None:
    """Compose the question of a round, or None when that round is not waiting any more."""
    row = gate.store.reviews.get(letter.review_id or 0)
    asked = gate.store.reviews.round(row.id, row.round) if row else None
    if row is None or asked is None or (row.state, row.round) != (State.WAITING, letter.round):
        return None
    if letter.kind not in ("fresh", "answer") and letter.reviewer != row.reviewer:
        return None  # handed over
    now = gate.store.now()
    last = gate.store.reviews.last_decision(row.id)
    approve, reject = _both_links(gate, row, reviewer, now)
    request = Request(
        reviewer=reviewer,
        snapshot=replace(asked.now, checks=asked.last_checks(row)[0]),
        round=row.round,
        place=gate.policy.place(row),
        asked_at=asked.asked_at,
        approve_url=approve,
        reject_url=reject,
        pending_url=f"{gate.public_url}/",
        try_url=where_to_try(gate, row),
        cautions=tuple(cautions_of(asked, row, is_new=letter.kind == "ask")),
        others=gate.store.reviews.count_waiting(reviewer, besides=row),
        is_fresh=letter.kind == "fresh",
        **(_stands_in(gate, row) if letter.kind == "instead" else {}),
        previous_note=last.note if last and last.choice is Choice.REJECT else None,
        previous_by=last.by if last else "",
        previous_reviewer=last.reviewer if last else None,
        previous_at=last.at if last else None,
        skips_to=row.base if gate.policy.skips_release(row) else None,
        is_answer=letter.kind == "answer",
        talk=_talk(gate, row, asked.snapshot),
        shown=_shown(gate, row, f"{approve}#wrote"),
        **what_is_new(gate, row, asked.snapshot, reviewer, last),
    )
    return Words(compose_request(request, now, gate.timezone))


def _shown(gate: Gate, row: Review, url: str) -> tuple[Shown, ...]:
    """Return the pictures that the page at this address shows."""
    kept = gate.store.pictures.theirs(row.id, row.round)
    return tuple(Shown(one.source, url, one.width, one.height) for one in kept)


def _talk(gate: Gate, row: Review, snapshot: Snapshot) -> tuple[Line, ...]:
    """Return the question that was asked since the last decision, and what was answered."""
    return tuple(
        Line(line.reviewer, line.who, line.detail, is_question=True, at=line.at)
        if line.reviewer
        else Line(
            line.who, snapshot.names.get(line.who, line.who), line.detail, is_question=False, at=line.at
        )
        for line in gate.store.talk.last(row.id)
    )


def what_is_new(
    gate: Gate, row: Review, now: Snapshot, reviewer: Reviewer, last: Decision | None
) -> dict[str, Any]:
    """Return what is new since the last question, as `mail.Request` names it; `last` is the last decision.

    Empty where this is the first question.
    """
    earlier = gate.store.reviews.known_before(row.id, row.round)
    if earlier is None:
        return {}
    again, before = asked_again(gate, row, earlier.round), earlier.snapshot
    yes = (Choice.APPROVE, reviewer.id, earlier.round)
    news = {
        "old_base": again.old_base,
        "voided": last is not None and (last.choice, last.reviewer, last.round) == yes,
    }
    if not again.is_new_code:
        return {**news, "same_code_but": again.why}
    code = now.pull.url.rpartition("/pull/")[0]
    return {
        **news,
        "is_again": True,
        "new_commits": new_commits(before, now),
        "compare_url": f"{code}/compare/{before.pull.head_sha}...{now.pull.head_sha}",
    }


def _stands_in(gate: Gate, row: Review) -> dict[str, Any]:
    """Return whose question this was, if it was handed over, and whether because no mail reaches them."""
    asked = [
        line
        for line in gate.store.reviews.history(row.id)
        if line.what in (Happened.ASKED, Happened.HANDED_OVER)
    ]
    if not asked or asked[-1].what is not Happened.HANDED_OVER:
        return {}
    unreached = gate.store.problems.noted(What.SUPPRESSED)
    return {"instead_of": asked[-1].who, "is_unreached": asked[-1].reviewer in unreached}


def new_commits(before: Snapshot, now: Snapshot) -> tuple[Commit, ...]:
    """Return the commits that came; of a release what it holds more of, each as one."""
    if now.release and before.release:
        more = now.release.since(before.release)
        passed = (Commit("", f"{item.title} (#{item.number})", item.author) for item in more.passed)
        return (*(Commit(item.sha, item.title, item.author) for item in more.unseen), *passed)
    known = {commit.sha for commit in before.change.commits}
    return tuple(commit for commit in now.change.commits if commit.sha not in known)


def _list(gate: Gate, letter: Letter, reviewer: Reviewer) -> Words | None:
    """Compose a list of what came together, or on its own day of all that waits; None when nothing of it waits."""
    now = gate.store.now()
    told = gate.store.letters.to_be_told(reviewer.id)
    rows = list({row.id: row for _, row in told}.values())
    if letter.day:
        is_today = letter.day == now.astimezone(gate.timezone).date()
        rows = gate.store.reviews.waiting_for(reviewer.id) if is_today else []
    items = [item for row in rows if (item := _item(gate, row, reviewer, now))]
    if not items:
        return None
    words = compose_digest(reviewer, items, f"{gate.public_url}/", now, gate.timezone)
    return Words(words, tuple(id_ for id_, _ in told), tuple(row.id for row in rows))


def _item(gate: Gate, row: Review, reviewer: Reviewer, now: datetime) -> DigestItem | None:
    asked = gate.store.reviews.round(row.id, row.round)
    if asked is None:
        return None
    pull = asked.now.pull
    return DigestItem(
        title=pull.title,
        author=asked.now.author_name,
        author_is_bot=pull.author_is_bot,
        place=gate.policy.place(row),
        asked_at=asked.asked_at,
        additions=pull.additions,
        deletions=pull.deletions,
        changed_files=pull.changed_files,
        url=_both_links(gate, row, reviewer, now)[0],
        try_url=where_to_try(gate, row),
        is_again="is_again" in what_is_new(gate, row, asked.snapshot, reviewer, None),
        answered_by=_answered_by(gate, row, asked.snapshot),
        release=asked.snapshot.release,
    )


def _about(gate: Gate, row: Review, reviewer: Reviewer, url: str) -> About:
    """Return what a mail with news about a pull request needs of it."""
    return About(
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
    reviews = gate.store.reviews
    asked = reviews.round(row.id, row.round) or reviews.round_before(row.id, row.round)
    return asked.snapshot.names if asked else {}


def _answered_by(gate: Gate, row: Review, snapshot: Snapshot) -> str | None:
    """Return who had the last word after a question that was asked since the last decision."""
    lines = gate.store.talk.last(row.id)
    return (
        snapshot.names.get(lines[-1].who, lines[-1].who)
        if lines and lines[-1].what is Happened.ANSWERED
        else None
    )


def _bypass(gate: Gate, letter: Letter, reviewer: Reviewer) -> Words | None:
    """Compose the news that something was merged without the reviewers."""
    row = gate.store.reviews.get(letter.review_id or 0)
    if row is None:
        return None
    told = [line for line in gate.store.reviews.history(row.id) if line.what is Happened.BYPASSED]
    by = told[-1].who if told and told[-1].who != "GitHub" else ""
    about = _about(gate, row, reviewer, f"{gate.public_url}/reviews/{row.id}")
    return Words(compose_bypass(reviewer, about, _names(gate, row).get(by, by)))


def _push(gate: Gate, letter: Letter, reviewer: Reviewer) -> Words | None:
    """Compose the news that something was pushed past the reviewers."""
    found = mail_about_push(gate, letter.push_id, reviewer)
    return Words(found) if found else None


def _outcome(gate: Gate, letter: Letter, reviewer: Reviewer) -> Words | Rest | None:
    """Compose the news that a yes is held, once that does not end by itself, or after a day; None when it is over."""
    row = gate.store.reviews.get(letter.review_id or 0)
    if row is None or row.decision is None or not row.has_yes or row.state is State.MERGED:
        return None
    if letter.key != outcome_letter(row, row.decision).key:
        return None
    now = gate.store.now()
    early = letter.created_at + A_DAY - now
    if early > timedelta(0) and not row.is_stuck:
        return Rest(wait=early)
    held = Held(row.held, row.is_developer_told)
    url = gate.links.decide_url(decide_link(row, reviewer.id), now)
    return Words(compose_outcome(reviewer, _about(gate, row, reviewer, url), held))


def _both_links(gate: Gate, row: Review, reviewer: Reviewer, now: datetime) -> list[str]:
    """Return the addresses that approve and reject this round."""
    choices = (Choice.APPROVE, Choice.REJECT)
    return [gate.links.decide_url(decide_link(row, reviewer.id, choice), now) for choice in choices]


def _restored(gate: Gate, _letter: Letter, reader: Reviewer) -> Words | None:
    written = restored_mail(gate, reader)
    return Words(written) if written else None


def _problem(gate: Gate, letter: Letter, reader: Reviewer) -> Words | None:
    written = problem_mail(gate, letter, reader)
    return Words(written) if written else None


def _live(gate: Gate, letter: Letter, reviewer: Reviewer) -> Words | Rest | None:
    written = live_mail(gate, letter, reviewer)
    return Words(written) if isinstance(written, Mail) else written


WRITERS: dict[str, Callable[[Gate, Letter, Reviewer], Words | Rest | None]] = {
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
    "problem": _problem,
    "solved": _problem,
}
