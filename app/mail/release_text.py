"""What a release holds, in words: the gate's own part of a release pull request. Pure.

`jobs` keeps the pull request by it. A title in a list is a stranger's:
it can close no issue, call nobody, and not end the gate's part.
"""

from __future__ import annotations

import re

from app.domain.facts import Release, Unseen
from app.mail.templates import render, say
from app.text.words import count

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
        values = {"release": release, "most": most, "brought": brought, "head": head, "base": base}
        part = re.sub(r"\n{3,}", "\n\n", render("github/release.md", values)).strip()
        whole = _put(body, part)
        if len(whole) <= LONGEST_BODY:
            break
    return whole


def _put(body: str, part: str) -> str:
    if has_part(body):
        return _PART.sub(lambda _: part, body, count=1)
    return f"{body.rstrip()}\n\n{part}" if body.strip() else part


def brought(item: Unseen, asking: str = "QA") -> str:
    """Return how a commit came past the reviewers; `asking` names them to the reader."""
    if item.is_beside:
        return say("came_beside", pull=item.pull)
    if item.pull:
        return say("merged_without", pull=item.pull, asking=asking)
    return say("pushed_directly" if item.was_asked else "nobody_knows")
