"""The mails that are not one question: a list of several, a merge that came or did not, what went live. Pure.

`jobs` calls it just before such a mail goes out. What `compose` promises holds here too: nothing of a
stranger's becomes markup, a header or a link, and the HTML part stays under 90,000 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.blocked import Blocked
from app.domain.facts import Release, Snapshot
from app.domain.policy import Reviewer
from app.domain.review import Review
from app.mail.compose import (
    LONGEST_TITLE,
    Mail,
    mail_of,
    subject_of,
    thread_of,
    tidy,
    waiting_since,
)
from app.mail.templates import render, say, titled, why_for_reviewer
from app.text.clean import person, plain
from app.text.words import NOT_NOW, day_of_month

# So many are listed; fewer where long names make too much of them. The page has them all.
MOST_ITEMS = (30, 20, 10)
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class DigestItem:
    """One question in a list. `url` is the reader's own way to it.

    `is_again`: an earlier version was asked about before; `answered_by` is who answered the reviewer's question last.
    """

    snapshot: Snapshot
    place: str
    asked_at: datetime
    url: str
    try_url: str | None = None
    is_again: bool = False
    answered_by: str | None = None

    @property
    def is_new(self) -> bool:
        """Tell whether it is nothing but new."""
        return not (self.is_again or self.answered_by or self.snapshot.release)


@dataclass(frozen=True, slots=True)
class About:
    """What a mail about one pull request is about, and where its reader can go.

    `author` is what its author is called; `place` is its number, after the repository's name where there are several;
    `url` is the reader's own way to it; `others` counts what else waits for them.
    """

    row: Review
    author: str
    place: str
    url: str
    pending_url: str
    others: int = 0
    is_release: bool = False

    @property
    def title(self) -> str:
        """Return its title as one line."""
        return titled(self.row.title, LONGEST_TITLE)

    @property
    def helper(self) -> str:
        """Return who can be talked to about it; a release is nobody's own, and the gate may have opened it."""
        if self.is_release:
            return say("the_developers")
        is_program = self.row.author.endswith("[bot]")
        return ("" if is_program else person(self.author, LONGEST_NAME)) or say("a_developer")


def compose_digest(
    reviewer: Reviewer, items: Sequence[DigestItem], pending_url: str, now: datetime, timezone: ZoneInfo
) -> Mail:
    """Return the mail that lists what waits, the longest waiting first; at least one item is given."""
    values = {
        "all": sorted(items, key=lambda item: item.asked_at),
        "now": now,
        "when": partial(waiting_since, now=now, timezone=timezone),
        "pending_url": pending_url,
    }
    return mail_of(reviewer, "digest", values, shorter=({"most": most} for most in MOST_ITEMS))


def compose_bypass(reviewer: Reviewer, about: About, merged_by: str) -> Mail:
    """Return the mail that says that `merged_by` merged it without a reviewer's approval."""
    return _about(reviewer, "bypass", about, who=person(merged_by, LONGEST_NAME) or say("someone"))


def compose_outcome(
    reviewer: Reviewer, about: About, held: Blocked | None, *, is_developer_told: bool
) -> Mail:
    """Return the mail that says that what the reviewer approved is not merged yet, why, and what happens next.

    `held` is None where it is no more than a step that fails.
    """
    why = why_for_reviewer(held, about.row.base, about.helper) if held else NOT_NOW
    return _about(reviewer, "outcome", about, why=why, is_developer_told=is_developer_told)


def _about(
    reviewer: Reviewer, name: str, about: About, shorter: Iterable[dict[str, Any]] = ({},), **more: Any
) -> Mail:
    """Return a mail with news about one pull request."""
    subject = subject_of(about.row, about.title, about.place, is_release=about.is_release)
    values = {"subject": subject, "place": about.place, "about": about, **more}
    thread = thread_of(about.row.repository, about.row.number)
    return mail_of(reviewer, name, values, thread, shorter=shorter)


# --- What went live with a release, as a list for customers: on the page, as a text to take away, and as a mail.


LONGEST_LIVE_TITLE, LONGEST_LIVE_NOTE = 200, 1_000
# So many are in the mail; the page has them all.
MOST_LIVE = (200, 50, 10)


@dataclass(frozen=True, slots=True)
class Item:
    """One change that went live: its title, and what the reviewer said of it."""

    title: str
    note: str = ""


def what_went_live(release: Release) -> list[Item]:
    """Return each change of a release, those that were approved first."""
    passed = [
        Item(titled(one.title, LONGEST_LIVE_TITLE), plain(one.note, LONGEST_LIVE_NOTE))
        for one in release.passed
    ]
    return passed + [Item(titled(one.title, LONGEST_LIVE_TITLE)) for one in release.unseen]


def live_text(items: Sequence[Item], day: date) -> str:
    """Return the list as a text that can be pasted anywhere."""
    return tidy(render("mail/went_live.txt", {"items": items, "day": f"{day_of_month(day)} {day.year}"}))


def compose_live(reviewer: Reviewer, about: About, release: Release, when: str) -> Mail:
    """Return the mail that says that a release which the reviewer approved went out."""
    items = what_went_live(release)
    shorter = ({"items": items[:most]} for most in MOST_LIVE)
    return _about(reviewer, "live", about, shorter, total=len(items), when=when)
