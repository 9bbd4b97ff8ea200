"""A reviewer's question to the developers, and their answer: a comment each way.

The question is told once; whatever insiders or the author comment after it is an answer, and goes into the next
letter. It decides nothing: the change keeps waiting for its reviewer.
"""

from __future__ import annotations

from datetime import timedelta

from app import mail
from app.github_client import Refused
from app.review import Comment, Reviewer, State
from app.store import Happening
from app.workflow.away import who_is_away
from app.workflow.gate import Work

# Every comment of the gate's own ends with a marker that begins so.
OWN = "<!-- qa-gate "
# Two comments in a row make one letter.
TOGETHER = timedelta(minutes=1)
LONGEST_ANSWER = 4_000


def talk(work: Work) -> None:
    """Tell GitHub what was asked; then take in what was answered."""
    if work.row.said_question < work.row.questions:
        say_questions(work)
    elif work.row.heard and work.row.state is State.WAITING and work.gate.store.talk.last(work.row.id):
        hear(work)


def say_questions(work: Work) -> None:
    """Write each question that GitHub was not told yet as a comment; its marker is looked for first."""
    row, github = work.row, work.gate.github
    asked = work.gate.store.talk.questions(row.id)
    for number in range(row.said_question + 1, len(asked) + 1):
        line = asked[number - 1]
        markers = work.gate.links.markers(f"{row.id} question {number}")
        happened = []
        heard = row.heard
        try:
            found = github.find_comment(row.repository, row.number, *markers)
            work.keep()
            body = mail.question(line.who, line.detail, markers[0])
            heard = found or github.say_comment(row.repository, row.number, body)
        except Refused as refusal:
            happened = [Happening("unsaid", "GitHub", refusal.reason)]
        work.keep(said_question=number, heard=heard, happened=happened)


def hear(work: Work) -> None:
    """Keep what was answered since the question, and mail it to who asked."""
    row = work.row
    comments = work.gate.github.comments_after(row.repository, row.number, row.heard)
    answers = [said for said in comments if _is_answer(said, row.author)]
    work.keep(
        heard=comments[-1].id if comments else row.heard,
        happened=[Happening("answered", said.author, _shortened(said.body)) for said in answers],
        news=[work.gate.store.letters.answer(_reader(work).id, row, TOGETHER)] if answers else [],
    )


def _shortened(words: str) -> str:
    return words if len(words) <= LONGEST_ANSWER else f"{words[: LONGEST_ANSWER - 1]}…"


def _is_answer(said: Comment, author: str) -> bool:
    return not said.is_bot and OWN not in said.body and (said.is_insider or said.author == author)


def _reader(work: Work) -> Reviewer:
    """Return who asked the last question, if still a reviewer and there, else who is asked about the change."""
    people, away = work.gate.policy.reviewers, who_is_away(work.gate)
    name = work.gate.store.talk.questions(work.row.id)[-1].who
    asker = next((person for person in people if person.name == name and person.id not in away), None)
    return asker or work.gate.policy.reviewer(work.row.reviewer) or people[0]
