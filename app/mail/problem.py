"""The mails about what is wrong, or past the gate: problems, pushes past the reviewers, a restored backup, a test. Pure.

The sentences of a problem, in templates/problem.txt, are those of the log and of `qa-gate doctor`, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from app.domain.facts import Unseen
from app.domain.policy import Reviewer
from app.domain.problems import Problem, Trouble
from app.mail.compose import Mail, mail_of, waiting_since
from app.mail.templates import render
from app.text.clean import plain, shortened
from app.text.words import span_words

# So many of what was said are mailed and logged, each in so many characters.
MOST_REASONS, LONGEST_REASON = 3, 300


@dataclass(frozen=True, slots=True)
class Told:
    """A problem in words; `todo` and `reasons` are for as long as it lasts."""

    title: str
    todo: str
    reasons: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Return what is wrong and what to do, in one line."""
        return f"{self.title}. {self.todo}"


def tell(
    problem: Problem | Trouble,
    people: Sequence[Reviewer],
    branches: Sequence[str],
    troubles: Sequence[Trouble],
) -> Told:
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
    return Told(title, todo, tuple(reasons_of(there, people)[:MOST_REASONS]))


def reasons_of(troubles: Sequence[Trouble], people: Sequence[Reviewer]) -> list[str]:
    """Return all that was said and about what, each once."""
    known = {person.id: person.name for person in people}
    said = [_said(known.get(one.about, one.about), one.reason) for one in troubles if one.reason]
    return list(dict.fromkeys(shortened(plain(one), LONGEST_REASON) for one in said))


def _said(about: str, reason: str) -> str:
    return reason if reason.startswith(about) else f"{about}: {reason}"


def compose_problem(
    reader: Reviewer, problem: Problem, told: Told, public_url: str, timezone: ZoneInfo
) -> Mail:
    """Return the mail that says that a problem began, or that it is over."""
    is_over, until = problem.ended_at is not None, problem.ended_at or problem.since
    since, took = waiting_since(problem.since, until, timezone), span_words(until - problem.since)
    values = {"told": told, "is_over": is_over, "since": since, "took": took, "url": public_url}
    return mail_of(reader, "problem", values)


# --- The mail that tells what was pushed past the reviewers, where no release will name it.


# So many are listed.
MOST_ITEMS = 30


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push brought, and what it took away; `place` is the repository, "" where there is only one.

    `gone` are the titles of approved changes that are not in the branch any more.
    """

    branch: str
    place: str
    items: tuple[Unseen, ...]
    gone: tuple[str, ...] = ()
    is_rewritten: bool = False


def compose_push(reviewer: Reviewer, pushed: Pushed, pending_url: str) -> Mail:
    """Return the mail about a push that nobody asked a reviewer about."""
    values = {"place": pushed.place, "pushed": pushed, "most": MOST_ITEMS, "pending_url": pending_url}
    return mail_of(reviewer, "push", values)


# --- The mail that says that a backup was restored, to who decides and to who runs the gate.


@dataclass(frozen=True, slots=True)
class Restored:
    """What happened from `since` to `until` is lost. Who `decides` is asked again, who `operates` can look further."""

    since: datetime
    until: datetime
    decides: bool
    operates: bool


def compose_restored(
    reader: Reviewer, restored: Restored, public_url: str, now: datetime, timezone: ZoneInfo
) -> Mail:
    """Return the mail; its one link leads to the list and decides nothing."""
    since, until = (waiting_since(moment, now, timezone) for moment in (restored.since, restored.until))
    values = {"since": since, "until": until, "restored": restored, "url": f"{public_url}/"}
    return mail_of(reader, "restored", values)


# --- The test mail of `qa-gate doctor --mail`: it shows a reviewer, and the operator, that mails arrive.


def compose_trial(name: str, address: str, public_url: str) -> Mail:
    """Return the mail; its one link leads to the sign-in page and decides nothing."""
    return mail_of(Reviewer(name, address), "trial", {"url": f"{public_url}/"})
