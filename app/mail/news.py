"""The letters that are not one question: the list of several, and news of a merge that came or did not. Pure.

The workflow calls it just before such a letter goes out. What `compose` promises holds here too: nothing of a
stranger's becomes markup, a header or a link, and the HTML part stays under 90,000 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app import text
from app.mail.compose import (
    LARGEST_HTML,
    LONGEST_TITLE,
    UNTITLED,
    Mail,
    address_of,
    subject_of,
    thread_of,
    tidy,
    waiting_since,
)
from app.mail.templates import render
from app.review import Review, Reviewer

# So many are listed; fewer where long names make too much of them. The page has them all.
MOST_ITEMS = (50, 40, 30, 20, 10)
LONGEST_LISTED_TITLE, LONGEST_NAME = 120, 80
LISTED_EARLY = 3


@dataclass(frozen=True, slots=True)
class DigestItem:
    """One question in a list. `approve_url` and `reject_url` are the reader's own; the counts are GitHub's."""

    title: str
    author: str
    author_is_bot: bool
    repository: str
    number: int
    url: str
    asked_at: datetime
    additions: int
    deletions: int
    changed_files: int
    approve_url: str
    reject_url: str
    answered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What keeps an approved change from being merged, None where it is no more than a step that fails.

    `url` is the reader's own way to it, and to taking back.
    """

    why: str | None
    is_developer_told: bool
    url: str


def compose_digest(
    reviewer: Reviewer, items: Sequence[DigestItem], pending_url: str, now: datetime, timezone: ZoneInfo
) -> Mail:
    """Return the letter that lists what waits, the longest waiting first; at least one item is given."""
    lines = [_line(item, now, timezone) for item in sorted(items, key=lambda item: item.asked_at)]
    values: dict[str, Any] = {
        "subject": f"{text.count(len(lines), 'change waits', 'changes wait')} for you",
        "preheader": ", ".join(line["title"] for line in lines[:LISTED_EARLY]),
        "name": reviewer.name,
        "pending_url": pending_url,
    }
    for most in MOST_ITEMS:
        values |= {"items": lines[:most], "more": len(lines[most:])}
        mail = _letter(reviewer, "digest", values, None)
        if len(mail.html.encode()) <= LARGEST_HTML:
            break
    return mail


def compose_bypass(
    reviewer: Reviewer, row: Review, merged_by: str, pending_url: str, *, is_release: bool = False
) -> Mail:
    """Return the letter that says that `merged_by` (a login) merged it without a reviewer's yes."""
    title = text.plain(row.title, LONGEST_TITLE) or UNTITLED
    somebody = text.person(merged_by, LONGEST_NAME) or "Somebody"
    values: dict[str, Any] = {
        "subject": subject_of(row, title),
        "preheader": f"Merged without your yes: {somebody} merged it past this gate.",
        "name": reviewer.name,
        "title": title,
        "place": f"{row.repository} #{row.number}",
        "helper": _helper(row, is_release),
        "merged_by": somebody,
        "base": row.base,
        "code_url": row.url,
        "pending_url": pending_url,
    }
    return _letter(reviewer, "bypass", values, thread_of(row.repository, row.number))


def compose_outcome(reviewer: Reviewer, row: Review, held: Held, *, is_release: bool = False) -> Mail:
    """Return the letter that says that what the reviewer approved is not merged yet, and who knows."""
    title = text.plain(row.title, LONGEST_TITLE) or UNTITLED
    values: dict[str, Any] = {
        "subject": subject_of(row, title),
        "preheader": "Not merged yet. You approved it, and need not do anything.",
        "name": reviewer.name,
        "title": title,
        "place": f"{row.repository} #{row.number}",
        "why": text.why_not(held.why),
        "told": _helper(row, is_release) if held.is_developer_told else None,
        "url": held.url,
        "code_url": row.url,
    }
    return _letter(reviewer, "outcome", values, thread_of(row.repository, row.number))


def _helper(row: Review, is_release: bool) -> str:
    """Return who can be talked to about a change; a release is nobody's own, and the gate may have opened it."""
    if is_release:
        return "the developers"
    return (
        "a developer"
        if row.author.endswith("[bot]")
        else text.person(row.author, LONGEST_NAME) or "a developer"
    )


def _letter(reviewer: Reviewer, name: str, values: dict[str, Any], thread: str | None) -> Mail:
    return Mail(
        to=address_of(reviewer),
        subject=values["subject"],
        text=tidy(render(f"mail/{name}.txt", values)),
        html=render(f"mail/{name}.html", values),
        thread=thread,
    )


def _line(item: DigestItem, now: datetime, timezone: ZoneInfo) -> dict[str, str]:
    """Return what the list says about one question."""
    author = text.person(item.author, LONGEST_NAME)
    return {
        "title": text.plain(item.title, LONGEST_LISTED_TITLE) or UNTITLED,
        "by": f"a program, {author}" if item.author_is_bot else author,
        "place": f"{text.plain(item.repository, LONGEST_NAME)} #{item.number}",
        "answered_by": text.person(item.answered_by, LONGEST_NAME) if item.answered_by else "",
        "since": waiting_since(item.asked_at, now, timezone),
        "size": text.size_words(
            additions=item.additions, deletions=item.deletions, changed_files=item.changed_files
        ),
        "approve_url": item.approve_url,
        "reject_url": item.reject_url,
        "code_url": item.url,
    }
