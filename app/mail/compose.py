"""Compose mails and comments: what a reviewer reads, and what a developer reads of her. Pure.

`jobs` calls it just before a mail goes out. The wording is in templates/. A title, a body, a branch or a path may be
hostile: nothing of it may become markup, a header or a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import formataddr
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.approval import Basis, Choice
from app.domain.blocked import Blocked
from app.domain.facts import PullRequest
from app.domain.policy import Reviewer
from app.domain.review import Review
from app.links import SIGN_IN_LASTS
from app.mail.question import Request, sender_of
from app.mail.release_text import brought
from app.mail.templates import next_step, render, render_mail, say, titled, why_for_developer
from app.text.clean import person, plain
from app.text.how_to_test import parted
from app.text.markdown import pictures_in
from app.text.plain_text import text_of
from app.text.words import count
from app.text.words import when as when_text

# Gmail hides what comes after 102 KB. https://developers.google.com/workspace/gmail/design/css
LARGEST_HTML = 90_000
# How much of the developer's own text a letter shows; a shorter try follows where Markdown makes too much of it.
TEXT_LENGTHS = (6_000, 1_500, 0)
# So many of each list of a release a letter shows, likewise; the page shows them all.
RELEASE_LENGTHS = (50, 20, 5)
# How to test it is short in any case; the page has all of it.
LONGEST_HOW = 1_500
# So much of her question and of each answer to it, likewise.
LINE_LENGTHS = (800, 300, 60)
MOST_ANSWERS = 3
LONGEST_TITLE, LONGEST_SUBJECT_TITLE = 256, 70


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to send. `to` is a formatted address; `thread` holds the mails of one pull request together.

    `sender` is in whose name it comes, None for the gate's own.
    """

    to: str
    subject: str
    text: str
    html: str
    thread: str | None
    sender: str | None = None


def compose_request(request: Request, now: datetime, timezone: ZoneInfo) -> Mail:
    """Return the mail that asks a reviewer; its HTML part stays under 90,000 bytes whatever the change holds."""
    pull = request.snapshot.pull
    values = _question(request, now, timezone)
    shorter = (
        {**_own_words(request, length), "most": most, "longest": longest}
        for length, most, longest in zip(TEXT_LENGTHS, RELEASE_LENGTHS, LINE_LENGTHS, strict=True)
    )
    thread = thread_of(pull.repository, pull.number)
    return mail_of(request.reviewer, "request", values, thread, sender_of(request), shorter)


def mail_of(
    reader: Reviewer,
    name: str,
    values: dict[str, Any],
    thread: str | None = None,
    sender: str | None = None,
    shorter: Iterable[dict[str, Any]] = ({},),
) -> Mail:
    """Return the mail that the template of this name makes of the values.

    `shorter` are more values, for one try after the other until it is small enough.
    """
    for more in shorter:
        subject, html = render_mail(name, {"name": reader.name, "place": "", **values, **more})
        if len(html.encode()) <= LARGEST_HTML:
            break
    return Mail(address_of(reader), subject, f"{text_of(html)}\n", html, thread, sender)


def compose_sign_in(reviewer: Reviewer, url: str) -> Mail:
    """Return the mail with a reviewer's sign-in link."""
    return mail_of(reviewer, "sign_in", {"url": url, "minutes": SIGN_IN_LASTS // timedelta(minutes=1)})


def comment(
    choice: Choice,
    reviewer_name: str,
    note: str,
    marker: str,
    version: str | None = None,
    took_back: Choice | None = None,
    basis: Basis | None = None,
    pictures: str = "",
) -> str:
    """Return a reviewer's word as Markdown for GitHub, her note quoted, the hidden marker on the last line.

    `version` names the commit that it is about; without `basis`, what it was decided on, it does not stand any more.
    `took_back` is what was taken back; `pictures` is a link to her pictures, see `pictures_link`.
    """
    values = {"choice": choice, "name": reviewer_name, "note": note.strip(), "marker": marker}
    more = {"version": version, "took_back": took_back, "basis": basis, "pictures": pictures}
    return tidy(render("github/review.md", {**values, **more}))


def question(name: str, words: str, marker: str, pictures: str = "") -> str:
    """Return a reviewer's question as Markdown for GitHub, the hidden marker on the last line."""
    values = {"name": name, "words": words, "marker": marker, "pictures": pictures}
    return tidy(render("github/question.md", values))


def pictures_link(many: int, details_url: str) -> str:
    """Return a Markdown link to so many pictures on the page Details; "" for none.

    Embedded, they would go through GitHub's public cache of images.
    """
    return f"[See {count(many, 'picture')}]({details_url}#pictures)" if many else ""


def held(blocked: Blocked | None, marker: str, base: str, *, is_merged: bool = False) -> str:
    """Return, as Markdown for GitHub, why an approval is not merged yet, with the hidden marker on the last line.

    `blocked` is None where nothing is in its way any more, or no approval is there.
    """
    words = {"why": why_for_developer(blocked, base), "next": next_step(blocked, base)} if blocked else {}
    values = {"marker": marker, "base": base, "is_merged": is_merged, "why": None, **words}
    return tidy(render("github/held.md", values))


def _question(request: Request, now: datetime, timezone: ZoneInfo) -> dict[str, Any]:
    """Return what the template of a question needs, but for the developer's own text."""
    pull, release = request.snapshot.pull, request.snapshot.release
    title = titled(pull.title, LONGEST_TITLE)
    by_nobody = pull.author_is_bot or release
    return {
        "request": request,
        "pull": pull,
        "release": release,
        "checks": request.snapshot.checks,
        "brought": brought,
        "when": partial(waiting_since, now=now, timezone=timezone),
        "place": request.place,
        "title": title,
        "subject": subject_of(pull, title, request.place, is_release=release is not None),
        "kind": request.kind,
        "helper": say("a_developer") if by_nobody else person(request.snapshot.author_name),
        "talk": (*request.talk[:1], *request.talk[1:][-MOST_ANSWERS:]),
        "answers": request.answers[-MOST_ANSWERS:],
    }


def _own_words(request: Request, length: int) -> dict[str, Any]:
    """Return the developer's own text, at most so many characters of it."""
    body, shown = request.snapshot.pull.body, request.shown
    how, rest = parted(body, min(length, LONGEST_HOW), length, shown)
    seen = {one.source for one in shown} & set(pictures_in(body))
    return {"pictures": len(seen), "words_html": rest.mail, "how_html": how.mail}


def subject_of(about: PullRequest | Review, title: str, place: str, *, is_release: bool) -> str:
    """Return the subject of every mail about a pull request: Gmail puts only equal ones into one conversation.

    The matter is in its first 40 characters; what the mail wants is in the preview. How much a release holds
    changes from mail to mail, so that is not in it.
    """
    matter = say("release_into", base=about.base) if is_release else title
    return f"{plain(matter, LONGEST_SUBJECT_TITLE)} ({plain(place)})"


def waiting_since(asked_at: datetime, now: datetime, timezone: ZoneInfo) -> str:
    """Return a moment as a date: a mail is read later than it is sent, so it never says "today"."""
    return when_text(asked_at, timezone, now + timedelta(days=3))


def thread_of(repository: str, number: int) -> str:
    """Return the made-up message id, without its domain, that all mails of a pull request refer to. ASCII."""
    return re.sub(r"[^a-z0-9]+", "-", f"{repository}-{number}".lower())[:200].strip("-")


def address_of(reviewer: Reviewer) -> str:
    """Return the reviewer's address with the name as SES takes it: ASCII, other letters as an encoded word.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html
    """
    return formataddr((plain(reviewer.name), reviewer.address))


def tidy(words: str) -> str:
    """Return text with at most one empty line at a time, ending with one line end."""
    return re.sub(r"\n{3,}", "\n\n", words).strip() + "\n"
