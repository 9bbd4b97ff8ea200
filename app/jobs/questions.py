"""A reviewer's question to the developers, and their answer: a comment each way.

The question is told once; whatever the author or who may write here says after it, as a comment, a review or a comment
on a line, or edits into one, is an answer, and goes into the next letter. It decides nothing: the change keeps waiting
for its reviewer.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import timedelta

from app.db.rows import Happening
from app.domain.facts import Person, Remark
from app.domain.known import Action
from app.domain.policy import Reviewer
from app.domain.review import DROPPED, Happened, Post
from app.github.answers import Refused
from app.jobs.away import who_is_away
from app.jobs.gate import Work
from app.jobs.pictures import pictures_link, read_answers_pictures
from app.mail.comments import question
from app.text.clean import shortened

# Every comment of the gate's own ends with a marker that begins so.
OWN = "<!-- qa-gate "
_MARKER = re.compile(rf"{OWN}[^\n]*?-->")
# Two comments in a row make one letter.
TOGETHER = timedelta(minutes=1)
LONGEST_ANSWER = 4_000
# So often a courtesy may be refused before it is dropped.
MOST_TRIES = 3


def say_question(work: Work, post: Post) -> None:
    """Write a question as a comment; its marker is looked for first."""
    row, github, number = work.row, work.gate.github, post.number
    line = work.gate.store.reviews.questions(row.id)[number - 1]
    # With its words: another one may have had that number before an older backup was restored.
    words = hashlib.blake2b(line.detail.encode(), digest_size=8).hexdigest()
    markers = work.gate.links.markers(f"{row.nonce} question {number} {words}")
    try:
        found = github.find_comment(row.repository, row.number, *markers)
        work.keep(posts=[replace(post, tries=post.tries + 1)])
        work.is_heard = found is None  # whatever comes after it wakes the row
        if found is None:
            take_stock(work, number)
            pictures = pictures_link(work, "question", number)
            body = question(line.who, line.detail, markers[0], pictures)
            found = github.say_comment(row.repository, row.number, body)
    except Refused as refusal:
        give_up(work, post, refusal)
    else:
        work.keep(posts=[replace(post, said="said", remote_id=found)])


def give_up(work: Work, post: Post, refusal: Refused) -> None:
    """Drop a courtesy that was refused so often; raises the refusal before that."""
    if post.tries + 1 < MOST_TRIES:
        raise refusal
    dropped = replace(post, said=DROPPED)
    work.keep(posts=[dropped], happened=[Happening(Happened.UNSAID, "GitHub", refusal.reason)])


def take_stock(work: Work, number: int) -> None:
    """Remember what was written before a question, which is no answer to it; to an earlier one that stands it may be."""
    if any(post.number < number for post in work.row.open_questions):
        return hear(work)
    return work.keep(heard=_unheard(work))


def hear(work: Work, _action: Action | None = None) -> None:
    """Keep what was answered since the question, or edited, each text once; and mail it to who asked."""
    row = work.row
    work.is_heard = True
    told = {remark: _is_answer(work, remark) for remark in _unheard(work)}
    answers = [remark for remark, is_answer in told.items() if is_answer]
    read_answers_pictures(work, answers)
    said = [
        Happening(
            Happened.ANSWERED,
            remark.by.login if remark.by else "ghost",
            shortened(_words(remark), LONGEST_ANSWER),
        )
        for remark in answers
    ]
    work.keep(
        heard=[remark for remark, is_answer in told.items() if is_answer is not None],
        happened=said,
        news=[work.gate.store.letters.answer(_reader(work).id, row, TOGETHER)] if answers else [],
    )


def _unheard(work: Work) -> list[Remark]:
    """Return what was not looked at yet as it reads now."""
    known = work.gate.store.reviews.heard(work.row.id)
    remarks = work.gate.github.remarks(work.row.repository, work.row.number)
    return [remark for remark in remarks if known.get((remark.place, remark.id)) != remark.digest]


def _words(remark: Remark) -> str:
    """Return what somebody wrote, without our markers, which come with a quotation of ours."""
    return _MARKER.sub("", remark.body).strip()


def _is_answer(work: Work, remark: Remark) -> bool | None:
    """Tell whether it is an answer: by the author or by who may write here; None where GitHub does not say that."""
    by = remark.by
    if by is None or by.is_bot or not _words(remark) or _is_ours(work, remark, by):
        return False
    return by.id == work.row.facts.author_id or (None if work.unanswered else work.belongs(by))


def _is_ours(work: Work, remark: Remark, by: Person) -> bool:
    """Tell whether the gate wrote it: by its account, which a person may share, and with its marker on the last line."""
    if remark.place == "comment" and remark.id in {post.remote_id for post in work.row.questions}:
        return True
    if not remark.body.rstrip().rpartition("\n")[2].startswith(OWN):
        return False
    own = work.gate.github.own_account(work.row.repository)
    return own is None or own.id == by.id


def _reader(work: Work) -> Reviewer:
    """Return who asked the last question, if still a reviewer and there, else who is asked about the change."""
    people, away = work.gate.policy.reviewers, who_is_away(work.gate)
    asked_by = work.gate.store.reviews.questions(work.row.id)[-1].reviewer
    asker = next((person for person in people if person.id == asked_by and person.id not in away), None)
    return asker or work.gate.policy.reviewer(work.row.reviewer) or people[0]
