"""What the gate writes at GitHub: a reviewer's words, why a merge waits, and its own part of a release pull request. Pure.

A title in a list is a stranger's: it can close no issue, call nobody, and not end the gate's part.
"""

from __future__ import annotations

import re

from app.domain.approval import Basis, Choice
from app.domain.blocked import Blocked
from app.domain.facts import Release
from app.mail.compose import next_step, render, tidy, why_for_developer
from app.text.words import count


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
    `took_back` is what was taken back; `pictures` is a link to her pictures.
    """
    values = {"choice": choice, "name": reviewer_name, "note": note.strip(), "marker": marker}
    more = {"version": version, "took_back": took_back, "basis": basis, "pictures": pictures}
    return tidy(render("github/review.md", {**values, **more}))


def question(name: str, words: str, marker: str, pictures: str = "") -> str:
    """Return a reviewer's question as Markdown for GitHub, the hidden marker on the last line."""
    values = {"name": name, "words": words, "marker": marker, "pictures": pictures}
    return tidy(render("github/question.md", values))


def blocked_comment(blocked: Blocked | None, marker: str, base: str, *, is_merged: bool = False) -> str:
    """Return, as Markdown for GitHub, why an approval is not merged yet, with the hidden marker on the last line.

    `blocked` is None where nothing is in its way any more, or no approval is there.
    """
    words = {"why": why_for_developer(blocked, base), "next": next_step(blocked, base)} if blocked else {}
    values = {"marker": marker, "base": base, "is_merged": is_merged, "why": None, **words}
    return tidy(render("github/held.md", values))


# --- What a release holds, in the text of its pull request.


BEGIN, END = "<!-- qa-gate release -->", "<!-- /qa-gate release -->"
# Another beginning, which people quoted or whose end they cut, is theirs. Where the end was cut, the part's own last
# line ends it.
_LAST = r"^Merges into [^\n]*? your text around it is kept\."
_PART = re.compile(rf"{BEGIN}(?:(?!{BEGIN}).)*?(?:{_LAST}(?:\s*{END})?|{END})", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r"Release of (?:1 change|[0-9,]+ changes)")
# GitHub's most for a text is 65,536 characters: so many lines of each list, fewer where that is not enough.
LONGEST_BODY, MOST_LINES = 65_000, (300, 100, 20, 0)


def release_title(release: Release) -> str:
    """Return the title of a release pull request."""
    return f"Release of {count(release.size, 'change')}"


def is_release_title(title: str) -> bool:
    """Tell whether a title is the gate's own, and not one that people gave."""
    return _TITLE.fullmatch(title) is not None


def has_part(body: str) -> bool:
    """Tell whether a pull request's text has the gate's own part."""
    return _PART.search(body) is not None


def without_part(body: str) -> str:
    """Return what people wrote of a pull request's text."""
    return _PART.sub("", body)


def with_part(body: str, release: Release, head: str, base: str) -> str:
    """Return a pull request's text with the gate's own part brought up to date, or put below; the rest stays."""
    for most in MOST_LINES:
        values = {"release": release, "most": most, "head": head, "base": base}
        part = tidy(render("github/release.md", values)).strip()
        whole = _put(body, part)
        if len(whole) <= LONGEST_BODY:
            break
    return whole


def _put(body: str, part: str) -> str:
    if has_part(body):
        return _PART.sub(lambda _: part, body, count=1)
    return f"{body.rstrip()}\n\n{part}" if body.strip() else part
