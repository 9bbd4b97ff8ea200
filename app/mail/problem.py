"""What whoever runs the gate reads of a problem: its two sentences, and the mails when it begins and ends. Pure.

The sentences, in templates/problem.txt, are those of the log and of `qa-gate doctor`, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from app import text
from app.domain import Reviewer
from app.domain.problems import Problem, Trouble
from app.mail.compose import Mail, mail_of, waiting_since
from app.mail.request import Chip
from app.mail.templates import render, say

# So many of what was said are shown, each in so many characters.
MOST_REASONS, LONGEST_REASON = 3, 300
NEW, OVER = Chip("warn", "▲", "Problem"), Chip("acc", "✓", "Solved")


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
    said = [_said(known.get(one.about, one.about), one.reason) for one in there if one.reason]
    shown = dict.fromkeys(text.shortened(text.plain(one), LONGEST_REASON) for one in said)
    return Told(title, todo, tuple(shown)[:MOST_REASONS])


def _said(about: str, reason: str) -> str:
    return reason if reason.startswith(about) else f"{about}: {reason}"


def compose_problem(
    reader: Reviewer, problem: Problem, told: Told, public_url: str, timezone: ZoneInfo
) -> Mail:
    """Return the mail that says that a problem began, or that it is over."""
    is_over = problem.ended_at is not None
    since = waiting_since(problem.since, problem.ended_at or problem.since, timezone)
    if problem.ended_at:
        took = text.span_words(problem.ended_at - problem.since)
        first = say("problem_last", since=since, took=took)
    else:
        first = say("problem_first", since=since)
    values: dict[str, Any] = {
        "subject": say("problem_subject", title=told.title, is_over=is_over),
        "preheader": say("problem_over") if is_over else told.todo,
        "place": "",
        "title": told.title,
        "chips": (OVER if is_over else NEW,),
        "name": reader.name,
        "first": first,
        "todo": told.todo,
        "reasons": told.reasons,
        "is_over": is_over,
        "url": public_url,
    }
    return replace(mail_of(reader, "problem", values), subject=text.plain(values["subject"], 200))
