"""The mails that are not one question: lists, what became of a change, problems, pushes past the gate, signing in. Pure.

`jobs` calls these just before such a mail goes out. The sentences of a problem, in templates/problem.txt, are those of the
log and of `qa-gate doctor`, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.blocked import Blocked
from app.domain.facts import Release, Unseen
from app.domain.policy import Reviewer
from app.domain.problems import Problem, Trouble
from app.domain.review import Review
from app.links import SIGN_IN_LASTS
from app.mail.compose import (
    LONGEST_TITLE,
    Mail,
    mail_of,
    phrase,
    render,
    subject_of,
    thread_of,
    tidy,
    titled,
    waiting_since,
    why_for_reviewer,
)
from app.mail.question import Request
from app.text.clean import person, plain, shortened
from app.text.words import NOT_NOW, day_of_month, span_words

# So many are listed; fewer where long names make too much of them. The page has them all.
MOST_ITEMS = (30, 20, 10)
LONGEST_NAME = 80


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
            return phrase("the_developers")
        is_program = self.row.author.endswith("[bot]")
        return ("" if is_program else person(self.author, LONGEST_NAME)) or phrase("a_developer")


def compose_digest(
    reviewer: Reviewer, items: Sequence[Request], pending_url: str, now: datetime, timezone: ZoneInfo
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
    return _about(reviewer, "bypass", about, who=person(merged_by, LONGEST_NAME) or phrase("someone"))


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


# --- What is wrong, in words, and the mail about it.


# So many of what was said are mailed and logged, each in so many characters.
MOST_REASONS, LONGEST_REASON = 3, 300


@dataclass(frozen=True, slots=True)
class ProblemWords:
    """A problem in words; `todo` and `reasons` are for as long as it lasts."""

    title: str
    todo: str
    reasons: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Return what is wrong and what to do, in one line."""
        return f"{self.title}. {self.todo}"


def problem_words(
    problem: Problem | Trouble,
    people: Sequence[Reviewer],
    branches: Sequence[str],
    troubles: Sequence[Trouble],
) -> ProblemWords:
    """Say a problem in words; `troubles` are those of right now, `branches` the gated ones."""
    there = [one for one in troubles if (one.what, one.place) == (problem.what, problem.place)]
    known = {person.id: person.name for person in people}
    values = {
        "what": problem.what.value,
        "place": known.get(problem.place, problem.place),
        "branches": branches,
        "today": next((one.about for one in there), problem.place),
    }
    title, _, todo = render("problem.txt", values).strip().partition("\n")
    return ProblemWords(title, todo, tuple(reasons_of(there, people)[:MOST_REASONS]))


def reasons_of(troubles: Sequence[Trouble], people: Sequence[Reviewer]) -> list[str]:
    """Return all that was said and about what, each once."""
    known = {person.id: person.name for person in people}
    said = [_said(known.get(one.about, one.about), one.reason) for one in troubles if one.reason]
    return list(dict.fromkeys(shortened(plain(one), LONGEST_REASON) for one in said))


def _said(about: str, reason: str) -> str:
    return reason if reason.startswith(about) else f"{about}: {reason}"


def compose_problem(
    reader: Reviewer, problem: Problem, told: ProblemWords, public_url: str, timezone: ZoneInfo
) -> Mail:
    """Return the mail that says that a problem began, or that it is over."""
    is_over, until = problem.ended_at is not None, problem.ended_at or problem.since
    since, took = waiting_since(problem.since, until, timezone), span_words(until - problem.since)
    values = {"told": told, "is_over": is_over, "since": since, "took": took, "url": public_url}
    return mail_of(reader, "problem", values)


# --- The other mails of one kind each: of a push past the reviewers, a restored backup, signing in, and a test.


# So many of what was pushed are listed.
MOST_PUSHED = 30


def compose_push(
    reviewer: Reviewer,
    branch: str,
    items: Sequence[Unseen],
    pending_url: str,
    *,
    gone: Sequence[str] = (),
    place: str = "",
    is_rewritten: bool = False,
) -> Mail:
    """Return the mail about a push that nobody asked a reviewer about, where no release will name it.

    `gone` are the titles of approved changes that are not in the branch any more; `place` is the repository, "" where
    there is only one.
    """
    pushed = {"branch": branch, "items": items, "gone": gone, "is_rewritten": is_rewritten}
    return mail_of(
        reviewer, "push", {**pushed, "place": place, "most": MOST_PUSHED, "pending_url": pending_url}
    )


def compose_restored(
    reader: Reviewer, since: str, until: str, public_url: str, *, decides: bool, operates: bool
) -> Mail:
    """Return the mail that says that what happened from `since` to `until` is lost, as a backup was restored.

    Who `decides` is asked again, who `operates` can look further. Its one link leads to the list and decides nothing.
    """
    values = {"since": since, "until": until, "decides": decides, "operates": operates}
    return mail_of(reader, "restored", {**values, "url": f"{public_url}/"})


def compose_sign_in(reviewer: Reviewer, url: str) -> Mail:
    """Return the mail with a reviewer's sign-in link."""
    return mail_of(reviewer, "sign_in", {"url": url, "minutes": SIGN_IN_LASTS // timedelta(minutes=1)})


def compose_trial(name: str, address: str, public_url: str) -> Mail:
    """Return the test mail of `qa-gate doctor --mail`; its one link leads to the sign-in page and decides nothing."""
    return mail_of(Reviewer(name, address), "trial", {"url": f"{public_url}/"})
