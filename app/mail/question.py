"""One question to one reviewer: all that its mail is made of, what it goes out for, and in whose name it comes. Pure.

`jobs` fills it in just before the mail goes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.approval import Decision
from app.domain.cautions import Caution
from app.domain.facts import Commit, Snapshot
from app.domain.policy import Reviewer
from app.mail.compose import (
    LONGEST_TITLE,
    Mail,
    mail_of,
    phrase,
    subject_of,
    thread_of,
    titled,
    waiting_since,
)
from app.text.clean import person
from app.text.how_to_test import parted
from app.text.markdown import Shown, pictures_in

# How much of the developer's own text a letter shows; a shorter try follows where Markdown makes too much of it.
TEXT_LENGTHS = (6_000, 1_500, 0)
# So many of each list of a release a letter shows, likewise; the page shows them all.
RELEASE_LENGTHS = (50, 20, 5)
# How to test it is short in any case; the page has all of it.
LONGEST_HOW = 1_500
# So much of her question and of each answer to it, likewise.
LINE_LENGTHS = (800, 300, 60)
MOST_ANSWERS = 3


@dataclass(frozen=True, slots=True)
class TalkLine:
    """What somebody said about a change: a reviewer's question, or a developer's answer.

    `by` is the reviewer's id or the developer's login, `name` what they are called.
    """

    by: str
    name: str
    words: str
    is_question: bool
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A question to one reviewer about one round.

    `place` is its number, after the repository's name where there are several. `is_again`: an earlier version was
    asked about before; `same_code_but`: the very same code was, and what happened since; `old_base`: it was to go
    there then; `voided`: the reviewer had approved it. `is_fresh`: the reviewer asked for a new link. `instead_of`
    is who was asked first, and is away now or, with `is_unreached`, gets no mail. `skips_to` is the release branch,
    where the change goes there without a release. `rejection` is the last decision, if it was one; `new_commits`
    are those that came since an earlier version was asked about, and `compare_url` leads to just what they change.
    `talk` is the last question and its answers; `is_answer`: the mail goes out because of an answer. `others`
    counts what else waits for the reviewer. `shown` are the pictures that the page shows, each with the way there.
    """

    reviewer: Reviewer
    snapshot: Snapshot
    place: str
    asked_at: datetime
    approve_url: str
    reject_url: str
    pending_url: str
    try_url: str | None = None
    is_again: bool = False
    same_code_but: str = ""
    old_base: str | None = None
    voided: bool = False
    is_fresh: bool = False
    instead_of: str | None = None
    is_unreached: bool = False
    skips_to: str | None = None
    rejection: Decision | None = None
    new_commits: tuple[Commit, ...] = ()
    compare_url: str | None = None
    is_answer: bool = False
    talk: tuple[TalkLine, ...] = ()
    cautions: tuple[Caution, ...] = ()
    others: int = 0
    shown: tuple[Shown, ...] = ()

    @property
    def answers(self) -> tuple[TalkLine, ...]:
        """Return the answers that the mail goes out for; none in any other mail."""
        return tuple(line for line in self.talk if not line.is_question) if self.is_answer else ()

    @property
    def answered_by(self) -> str | None:
        """Return who answered the reviewer's question last."""
        last = self.talk[-1] if self.talk else None
        return last.name if last and not last.is_question else None

    @property
    def is_new(self) -> bool:
        """Tell whether it is nothing but new."""
        return not (self.is_again or self.answered_by or self.snapshot.release)

    @property
    def kind(self) -> str:
        """Return what the mail goes out for, as templates/mail/opening.html names it."""
        if self.answers:
            return "answered"
        if self.is_fresh:
            return "fresh"
        if self.instead_of:
            return "instead"
        if self.is_again:
            return "again"
        return "same" if self.same_code_but else "new"


def compose_request(request: Request, now: datetime, timezone: ZoneInfo) -> Mail:
    """Return the mail that asks a reviewer; its HTML part stays under 90,000 bytes whatever the change holds."""
    pull = request.snapshot.pull
    values = _values(request, now, timezone)
    shorter = (
        {**_own_words(request, length), "most": most, "longest": longest}
        for length, most, longest in zip(TEXT_LENGTHS, RELEASE_LENGTHS, LINE_LENGTHS, strict=True)
    )
    thread = thread_of(pull.repository, pull.number)
    return mail_of(request.reviewer, "request", values, thread, sender_of(request), shorter)


def _values(request: Request, now: datetime, timezone: ZoneInfo) -> dict[str, Any]:
    """Return what the template of a question needs, but for the developer's own text."""
    pull, release = request.snapshot.pull, request.snapshot.release
    title = titled(pull.title, LONGEST_TITLE)
    by_nobody = pull.author_is_bot or release
    return {
        "request": request,
        "pull": pull,
        "release": release,
        "checks": request.snapshot.checks,
        "when": partial(waiting_since, now=now, timezone=timezone),
        "place": request.place,
        "title": title,
        "subject": subject_of(pull, title, request.place, is_release=release is not None),
        "kind": request.kind,
        "helper": phrase("a_developer") if by_nobody else person(request.snapshot.author_name),
        "talk": (*request.talk[:1], *request.talk[1:][-MOST_ANSWERS:]),
        "answers": request.answers[-MOST_ANSWERS:],
    }


def _own_words(request: Request, length: int) -> dict[str, Any]:
    """Return the developer's own text, at most so many characters of it."""
    body, shown = request.snapshot.pull.body, request.shown
    how, rest = parted(body, min(length, LONGEST_HOW), length, shown)
    seen = {one.source for one in shown} & set(pictures_in(body))
    return {"pictures": len(seen), "words_html": rest.mail, "how_html": how.mail}


def sender_of(request: Request) -> str | None:
    """Return in whose name the mail comes; None: in the gate's own.

    Nobody from outside the team gets a name into the sender's field, nor does a program; a release is nobody's.
    """
    pull = request.snapshot.pull
    by, name = pull.author, request.snapshot.author_name
    if request.answers:
        by, name = request.answers[-1].by, request.answers[-1].name
    is_author = by == pull.author
    if request.snapshot.release or (is_author and (pull.author_is_bot or pull.is_from_outside)):
        return None
    return person(name)
