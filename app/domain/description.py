"""What people wrote of a description: without a program's summary, and whatever box is ticked. Pure.

Called by `facts`, so that only what people change counts as an edit. Programs put their part between two hidden
comments (`<!-- CURSOR_SUMMARY -->` and `<!-- /CURSOR_SUMMARY -->`), or below a heading with their name ("## Summary by
Sourcery"). Examples: https://docs.coderabbit.ai, https://docs.sourcery.ai, https://docs.cursor.com/bugbot.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator

_OPEN, _CLOSE = "<!--", "-->"
_WORD = re.compile(r"[a-z0-9]+")
_ENDS = frozenset({"end", "stop", "finish"})
_FILLERS = frozenset("this is an a the of begin start".split()) | _ENDS
# Both marks of such a pair are alike; a template's hint to people is a sentence.
_NAME = re.compile(r"[\w.:/-]*[_:./-][\w.:/-]*")
_LONGEST_MARK = 200
_BOX = re.compile(r"^(\s*(?:[-*+]|\d{1,9}[.)])\s+)\[[ xX]\](?=\s)")
_HEADING = re.compile(
    r"(#{1,6}) .{0,80}?\b(?:summary|overview|walkthrough|description) (?:generated )?by \W{0,3}\w.{0,80}",
    re.IGNORECASE,
)
_ANY_HEADING = re.compile(r"(#{1,6}) ")
_RULE = re.compile(r"\s{0,3}(?:-{3,}|\*{3,}|_{3,})\s*")
_SIGNED = re.compile(
    r"[^\w]{0,9}(?:this .{0,60}?)?(?:was |has been )?(?:automatically |auto-?)?generated (?:by|with|using|for) .{0,300}",
    re.IGNORECASE,
)


def by_people(body: str) -> list[str]:
    """Return the lines that people wrote, each without white space at its ends and with every box empty.

    The gate's own part of a release is kept: whoever removes it, the gate writes it anew.
    """
    return list(_kept(_outside_of_marks(body)))


def _kept(text: str) -> Iterator[str]:
    """Give the lines but those below a program's heading, up to the next heading that is not below it or a rule."""
    level = 0
    for line in text.splitlines():
        found = _ANY_HEADING.match(line)
        if level and ((found and len(found[1]) <= level) or _RULE.fullmatch(line)):
            level = 0
        if found and _HEADING.fullmatch(line[:400].rstrip()):
            level = len(found[1])
        # An empty line or a rule is what programs keep their part apart with.
        if level or not line.strip() or _RULE.fullmatch(line) or _SIGNED.fullmatch(line[:500].strip()):
            continue
        yield _BOX.sub(r"\1[ ]", line).strip()


def _outside_of_marks(body: str) -> str:
    """Return the text without what stands between two hidden comments that begin and end one part."""
    kept: list[str] = []
    place, marks = 0, list(_marks(body))
    ends: dict[str, list[int]] = defaultdict(list)
    for number, (_, _, words) in enumerate(marks):
        if _is_end(words) or _NAME.fullmatch(words):
            ends[_key(words)].append(number)
    for number, (start, _, words) in enumerate(marks):
        key = _key(words)
        if start < place or not key or "qa-gate" in words or (_is_end(words) and not _NAME.fullmatch(words)):
            continue
        later = bisect(ends[key], number)
        if later < len(ends[key]):
            kept.append(body[place:start])
            place = marks[ends[key][later]][1]
    return "".join((*kept, body[place:]))


def _marks(body: str) -> Iterator[tuple[int, int, str]]:
    """Give where each hidden comment starts and ends, and its words."""
    place = body.find(_OPEN)
    while place >= 0:
        end = body.find(_CLOSE, place)
        if end < 0:
            return
        words = body[place + len(_OPEN) : min(end, place + _LONGEST_MARK)].strip()
        yield place, end + len(_CLOSE), words
        place = body.find(_OPEN, end)


def _is_end(words: str) -> bool:
    return words.startswith("/") or not _ENDS.isdisjoint(_WORD.findall(words.lower()))


def _key(words: str) -> str:
    """Return what both marks of a part have in common."""
    return " ".join(word for word in _WORD.findall(words.lower()) if word not in _FILLERS)
