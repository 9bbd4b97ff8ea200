"""What went live with a release, as a list for customers: on the page, as a text to take away, and as a mail. Pure.

`jobs` calls it when a release is merged, `web` for the page. Titles and messages are others' words: plain text, one
line each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app import text
from app.domain import Release, Reviewer
from app.mail.compose import UNTITLED, Mail, mail_of, subject_of, thread_of, tidy
from app.mail.news import About
from app.mail.request import Chip
from app.mail.templates import render

LONGEST_TITLE, LONGEST_NOTE = 200, 1_000
# So many are in the mail; the page has them all.
MOST_ITEMS = (200, 50, 10)


@dataclass(frozen=True, slots=True)
class Item:
    """One change that went live: its title, and what the reviewer said of it."""

    title: str
    note: str = ""


def what_went_live(release: Release) -> list[Item]:
    """Return each change of a release, those that were approved first; commits from before the gate have no title."""
    approved = [
        Item(_line(one.title, LONGEST_TITLE), _line(one.note, LONGEST_NOTE)) for one in release.passed
    ]
    return [*approved, *(Item(_line(one.title, LONGEST_TITLE)) for one in release.unseen)]


def live_text(items: Sequence[Item], day: date) -> str:
    """Return the list as a text that can be pasted anywhere."""
    values = {"items": [_named(item) for item in items], "day": f"{text.day_of_month(day)} {day.year}"}
    return tidy(render("mail/went_live.txt", values))


def compose_live(reviewer: Reviewer, about: About, release: Release, when: str) -> Mail:
    """Return the mail that says that a release which the reviewer approved went out."""
    items = [_named(item) for item in what_went_live(release)]
    changes = text.count(len(items), "change")
    values: dict[str, Any] = {
        "subject": subject_of(about.row, about.title, about.place, is_release=True),
        "preheader": f"It’s live: {changes} went out {when}." if items else f"It went out {when}.",
        "chips": (Chip("good", "✓", "Live"),),
        "first": f"the release you approved went out {when}.",
        "name": reviewer.name,
        "title": "It’s live",
        "place": about.place,
        "url": about.url,
        "pending_url": about.pending_url,
        "others": f"{text.count(about.others, 'change is', 'changes are')} waiting for you."
        if about.others
        else "",
    }
    shorter = ({"items": items[:most], "more": len(items[most:])} for most in MOST_ITEMS)
    thread = thread_of(about.row.repository, about.row.number)
    return mail_of(reviewer, "live", values, thread, shorter=shorter)


def _named(item: Item) -> Item:
    return Item(item.title or UNTITLED, item.note)


def _line(words: str, most: int) -> str:
    return text.plain(words, most)
