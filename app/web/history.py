"""`GET /history`: everything that ever happened, to be searched and taken away as CSV.

A GET form, so that a search can be kept as a bookmark and needs no script. For reviewers who are signed in only.
Days are days in the reader's time zone, both ends included.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, make_response, request

from app.db.history import Search
from app.domain.calendar import Week, by_week, day_begins, first_week
from app.jobs.gate import Gate
from app.text.clean import plain
from app.text.words import BOM, csv_line
from app.web import frame
from app.web.sign_in import reviewer_here

LONGEST_WORDS = 200
FIELDS = ("text", "person", "repository", "branch", "from", "until")
# Where a day of any time zone can be told in UTC, too; years that nobody means are mistyped ones.
FIRST_YEAR, LAST_YEAR = 1970, 2999
HEADINGS = "who what repository number title author branch into commit version words".split()


def show(gate: Gate) -> Response:
    """Answer `GET /history`, with `format=csv` as a file of all that was found."""
    reviewer = reviewer_here(gate)
    asked = {name: plain(request.args.get(name, ""), LONGEST_WORDS) for name in FIELDS}
    days = {name: request.args.get(name, type=_day) for name in ("from", "until")}
    wrong = [name for name, day in days.items() if asked[name] and day is None]
    search = _search(asked, days, gate.timezone)
    if request.args.get("format") == "csv" and not wrong:
        return _csv(gate, search)
    now, policy = gate.store.now(), gate.policy
    page = None if wrong else gate.store.history.page(search)
    entries = page.entries if page else []
    # In the lines of these a developer is named.
    answered = {one.review for one in entries if one.review and one.line.what == "answered"}
    facts: dict[str, Any] = {
        "reviewer": reviewer,
        "asked": asked,
        "given": {name: value for name, value in asked.items() if value},
        "wrong": wrong,
        "page": page,
        "people": gate.store.history.names(answered),
        "weeks": None if request.args else _twelve_weeks(gate, now),
        "repositories": _offered(policy.repositories, asked["repository"]),
        "branches": _offered((policy.development_branch, policy.release_branch), asked["branch"]),
    }
    return frame.show(gate, "history.html", now, 422 if wrong else 200, **facts)


def _twelve_weeks(gate: Gate, now: datetime) -> list[Week] | None:
    """Return what was decided in each of the last twelve weeks; None where nothing was."""
    first = first_week(now.astimezone(gate.timezone).date())
    decisions = gate.store.history.decisions_since(day_begins(first, gate.timezone))
    weeks = by_week(decisions, first, gate.timezone)
    return weeks if any(week.count for week in weeks) else None


def _search(asked: dict[str, str], days: dict[str, date | None], timezone: ZoneInfo) -> Search:
    since, until, after = days["from"], days["until"], _id("after")
    return Search(
        text=asked["text"],
        person=asked["person"],
        repository=asked["repository"],
        base=asked["branch"],
        since=day_begins(since, timezone) if since else None,
        until=day_begins(until + timedelta(days=1), timezone) if until else None,
        before=None if after is not None else _id("before"),
        after=after,
    )


def _day(words: str) -> date:
    """Return the day. Raises ValueError."""
    day = date.fromisoformat(words)
    if not FIRST_YEAR < day.year <= LAST_YEAR:
        raise ValueError("nobody means this year")
    return day


def _id(name: str) -> int | None:
    given = request.args.get(name, type=int)
    return given if given is not None and 0 < given <= frame.LARGEST_ID else None


def _offered(known: tuple[str, ...], given: str) -> list[str]:
    """Return what the form offers: what is configured now, and what was asked for besides."""
    others = [given] if given.casefold() not in [name.casefold() for name in known] else []
    return [name for name in (*known, *others) if name]


def _csv(gate: Gate, search: Search) -> Response:
    """Stream everything that was found, however much: it is read batch by batch, and never all in memory."""
    today = gate.store.now().astimezone(gate.timezone).date()
    response = make_response(_lines(gate, search))
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="qa-gate-history-{today}.csv"'
    return response


def _lines(gate: Gate, search: Search) -> Iterator[str]:
    yield BOM + csv_line([f"when ({gate.timezone.key})", *HEADINGS])
    for entry in gate.store.history.all(search):
        line = entry.line
        at = f"{line.at.astimezone(gate.timezone):%Y-%m-%d %H:%M:%S}"
        event = (at, line.who, line.what.replace("_", " "))
        about = (entry.repository, str(entry.number or ""), entry.title, entry.author, entry.head)
        yield csv_line([*event, *about, line.base, line.head_sha, str(line.round), line.detail])
