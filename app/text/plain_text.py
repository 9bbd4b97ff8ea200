"""The text part of a mail, made from its HTML part: what is there to be read, and every way on by its whole address. Pure.

Called by `markdown` and by who composes mails. It reads only HTML that the gate wrote itself. What people wrote stands
in quotes and in points of lists: it must never look like a line of the gate's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import chain, repeat
from typing import NamedTuple

_SPACE = re.compile(r"[ \t\n\xa0]+")
_VOID = frozenset({"br", "hr", "meta"})
# An empty line is before and after each of these.
_APART = frozenset("div h1 h2 h3 h4 h5 h6 p section".split())
# What comes before and after the words of others.
_MARKS = {"td": ("", " "), "del": ("~~", "~~"), "s": ("~~", "~~"), "sup": ("^", "")}
# In a table of somebody's these only part words: a row is one line.
_IN_CELLS = _APART | frozenset("blockquote li ol pre table td th tr ul".split())


def text_of(html: str) -> str:
    """Return the text of a mail, or of a part of one. No line is wrapped: mail programs do that.

    A link with a class is the gate's own: its words and its address are lines of their own. The address of one with
    `rel`, which is somebody else's, stands behind its words. Tables with `role="presentation"` are only look, and so
    is whatever has the class `look`: that is left out. The class `words` makes a quote, `point` a point of a list.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Block(NamedTuple):
    """The lines of a quote, of a point or of code; `margin` is before its first line, `gap` so many empty ones."""

    margin: str
    gap: int
    lines: list[str]


class _Reader(HTMLParser):
    """Reads HTML into lines. What writes an element goes on where it stopped when the element ends."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks = [_Block("", 0, [])]
        self._line = ""
        self._gap = 0  # how many empty lines come before the next one
        self._open: list[Iterator[None]] = []
        self._hidden = 0  # how many elements are open in what is left out
        self._numbers: list[int | None] = []  # the next number of each open list
        self._tables = 0  # how many of somebody's tables are open
        self._is_row_begun = False
        self._is_code = False
        self._label: list[str] = []  # the words since a link began

    def text(self) -> str:
        self._end_line()
        return "\n".join(self._blocks[0].lines)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        classes = values.get("class", "").split()
        if self._hidden or tag == "head" or "look" in classes:
            self._hidden += tag not in _VOID
        elif tag == "br":
            self._part(0 if self._line.strip() else 1)
        elif tag == "hr":
            self._part()
            self._add("---")
            self._part()
        elif tag not in _VOID:
            self._open.append(self._element(tag, values, classes))
            next(self._open[-1])

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - each is closed, and in order
        if self._hidden:
            self._hidden -= 1
        else:
            next(self._open.pop(), None)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        self._label.append(data)
        if self._is_code:
            *lines, self._line = f"{self._line}{data}".split("\n")
            self._blocks[-1].lines.extend(lines)
        else:
            self._add(data)

    def _add(self, words: str) -> None:
        """Add words to the line, white space as HTML shows it."""
        words = _SPACE.sub(" ", words)
        self._line += words.lstrip(" ") if self._line[-1:] in ("", " ") else words

    def _part(self, gap: int = 1) -> None:
        """End the line; at least so many empty ones come before the next. A row of somebody's table goes on."""
        if self._tables:
            self._add(" ")
        else:
            self._end_line(gap)

    def _end_line(self, gap: int = 0) -> None:
        line, self._line = self._line.rstrip(), ""
        if line:
            lines = self._blocks[-1].lines
            lines += [*[""] * (self._gap if lines else 0), line]
            self._gap = 0
        self._gap = max(self._gap, gap)

    def _element(self, tag: str, values: dict[str, str], classes: list[str]) -> Iterator[None]:
        """Write what comes before the inside of an element, and then what comes after it."""
        if self._tables and tag in _IN_CELLS:
            yield from self._in_table(tag)
        elif "words" in classes or tag == "blockquote":
            yield from self._block("> ")
        elif "point" in classes or tag == "li":
            yield from self._block(self._bullet(), 0)
        elif tag == "pre":
            self._is_code = True
            yield from self._block("    ")
            self._is_code = False
        elif tag in ("ul", "ol"):
            yield from self._list(int(values.get("start", "1")) if tag == "ol" else None)
        elif tag == "a":
            yield from self._link(values)
        elif tag == "table" and values.get("role") != "presentation":
            self._part()
            self._tables += 1
            yield
            self._tables -= 1
            self._part()
        elif tag in _APART:
            self._end_line(1)
            yield
            if tag == "h2":
                length = len(self._line.rstrip())
                self._end_line()
                self._line = "-" * length
            self._end_line(1)
        elif tag in ("table", "tr"):
            self._end_line()
            yield
            self._end_line()
        else:
            before, after = _MARKS.get(tag, ("", ""))
            self._add(before)
            yield
            self._add(after)

    def _block(self, margin: str, gap: int = 1) -> Iterator[None]:
        """Write lines with a margin, and so many empty ones before and after them at least."""
        self._end_line(gap)
        self._blocks.append(_Block(margin, self._gap, []))
        self._gap = 0
        yield
        self._end_line()
        _, before, lines = self._blocks.pop()
        while lines and not lines[-1]:  # of code
            lines.pop()
        if lines:
            outer = self._blocks[-1].lines
            margins = chain([margin], repeat(margin if margin == "> " else " " * len(margin)))
            outer += [""] * (before if outer else 0)
            outer += [f"{margin}{line}".rstrip() for margin, line in zip(margins, lines, strict=False)]
        self._gap = max(self._gap, gap if lines else before)

    def _list(self, number: int | None) -> Iterator[None]:
        """Write a list, which stands apart unless it is in a point of another."""
        gap = 0 if self._numbers else 1
        self._end_line(gap)
        self._numbers.append(number)
        yield
        self._numbers.pop()
        self._end_line(gap)

    def _bullet(self) -> str:
        number = self._numbers[-1] if self._numbers else None
        if number is None:
            return "- "
        self._numbers[-1] = number + 1
        return f"{number}. "

    def _in_table(self, tag: str) -> Iterator[None]:
        if tag == "tr":
            self._end_line()
        self._add(" | " if tag in ("td", "th") and self._is_row_begun else " ")
        self._is_row_begun = tag != "tr"
        yield
        self._add(" ")

    def _link(self, values: dict[str, str]) -> Iterator[None]:
        self._label = []
        url, is_own = values["href"].removeprefix("mailto:"), "class" in values
        if is_own:
            self._end_line(1)
        yield
        if is_own:
            self._line = f"{self._line.rstrip()}:"
            self._end_line()
            self._line = url
            self._end_line(1)
        elif "rel" in values:
            words = "".join(self._label).strip()
            # Other letters may look like the address's own.
            is_said = words.isascii() and words in (url, url.removeprefix("http://"))
            self._add("" if is_said else f" ({url})")
