"""Find the "How to test" part of a description, so that it can stand where a reader needs it. Pure.

Called by mail and pages. Told from markdown-it's tokens: what stands in a code block, a quote or a list is no heading.
It must never lose a line: what is not in the one part is in the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from markdown_it.token import Token

from app.text.clean import clean
from app.text.markdown import beginning, markdown_text
from app.text.tame import Parser

_DO = r"(?:test|try|verify|check|qa|review)"
_THIS = r"(?: (?:it|this|that|(?:the|this) (?:pr|pull request|change|changes|feature|branch|fix))(?: out)?)?"
_TITLE = re.compile(
    rf"how (?:to|do i|can i|you can) {_DO}{_THIS}|steps (?:to|for) (?:{_DO}|testing|reproduce)(?: (?:and|or) {_DO})?{_THIS}"
    r"|(?:manual )?testing(?: (?:steps|instructions|notes|plan|guide))?"
    r"|(?:test|qa|verification|try it)(?: (?:plan|steps|instructions|notes|guide))|qa|try it(?: out)?"
)
# What a template leaves behind when nobody filled it in.
_LEFT = frozenset("n a na none nothing todo tbd x step steps".split())
_SIGNS = re.compile(r"[\W_]+")
# How strong a mark is: a heading as many as its signs; a bold line or a rule; a paragraph.
_LINE, _PARAGRAPH = 7, 8


@dataclass(frozen=True, slots=True)
class _Mark:
    """What may begin or end a part: its line, the line where what it heads begins, how strong it is, its words."""

    line: int
    after: int
    level: int
    title: str


@lru_cache(maxsize=32)
def parted(source: str) -> tuple[str, str]:
    """Return the "How to test" part of a Markdown text, without its heading, and all the rest; '' where there is none.

    The part of a heading goes on to the next one that is not below it, that of a bold line or of "How to test:" to
    the next heading or bold line. A part without a word counts as none.
    """
    text = clean(source)
    lines = text.split("\n")
    marks = list(_marks(Parser().parse(beginning(text))))
    for place, mark in enumerate(marks):
        if _TITLE.fullmatch(mark.title):
            later = (other.line for other in marks[place + 1 :] if other.level <= mark.level)
            end = next(later, len(lines))
            part = "\n".join(lines[mark.after : end]).strip("\n")
            if _says_something(part):
                return part, "\n".join([*lines[: mark.line], "", *lines[end:]]).strip("\n")
    return "", source


def _marks(tokens: Sequence[Token]) -> Iterator[_Mark]:
    for token, inline in zip(tokens, [*tokens[1:], None], strict=False):
        if token.level or token.map is None:
            continue
        start, end = token.map
        if token.type == "hr":
            yield _Mark(start, end, _LINE, "")
        elif token.type == "heading_open" and inline:
            yield _Mark(start, end, int(token.tag[1]), _title(inline.children or []))
        elif token.type == "paragraph_open" and inline:
            yield _paragraph(start, inline.children or [])


def _paragraph(start: int, words: Sequence[Token]) -> _Mark:
    """Return a bold first line, "How to test:" on a line of its own, "How to test: like this", or any other text."""
    first = list(takewhile(lambda word: word.type not in ("softbreak", "hardbreak"), words))
    bold = [number for number, word in enumerate(first) if word.type in ("strong_close", "em_close")]
    is_bold = bool(bold) and not first[0].content and first[-1].content.strip() in ("", ":")
    if is_bold and len(bold) == 1:
        return _Mark(start, start + 1, _LINE, _title(first))
    label, colon, rest = "".join(word.content for word in first).partition(":")
    title = _plain(label) if colon else ""
    if title and not rest.strip():
        return _Mark(start, start + 1, _LINE if _TITLE.fullmatch(title) else _PARAGRAPH, title)
    return _Mark(start, start, _PARAGRAPH, title)


def _title(words: Sequence[Token]) -> str:
    return _plain("".join(word.content for word in words))


def _plain(words: str) -> str:
    return _SIGNS.sub(" ", words.casefold()).strip()


def _says_something(part: str) -> bool:
    return not all(word in _LEFT or word.isdigit() for word in _plain(markdown_text(part)).split())
