"""Lay out plain text as a mail's text part shows it: margins of quotes and lists, empty lines between blocks. Pure.

Called by `markdown`, piece by piece. No line is wrapped: mail programs do that.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import NamedTuple

from markupsafe import escape

from app.text.gfm import followable, parse

_SPACE = re.compile(r"[ \t\n]+")


class PlainText:
    """Writes plain text: blocks apart, "> " before quotes, a bullet on the first line of an item only."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._margins: list[str] = []
        self._above: list[str] = []
        self._gap = 0
        self._breaks = 0  # line ends in code that nothing came after yet
        self.is_code = False

    def gap(self, lines: int) -> None:
        """Begin what comes next after so many line ends."""
        self._gap = max(self._gap, lines)
        self._breaks = 0

    def line_break(self) -> None:
        self._gap = min(self._gap + 1, 2)

    def enter(self, margin: str) -> None:
        self._margins.append(margin)

    def leave(self) -> None:
        self._margins.pop()

    def add(self, words: str) -> None:
        """Add words to the line, white space as HTML shows it; in code as it stands."""
        if self.is_code:
            self._add_code(words)
            return
        words = _SPACE.sub(" ", words)
        if self._gap or not self._line or self._line[-1].endswith(" "):
            words = words.lstrip(" ")
        if words:
            self._put(words)

    def _add_code(self, words: str) -> None:
        for number, line in enumerate(words.split("\n")):
            self._breaks += number > 0
            if line:
                while self._breaks and self._line and not self._gap:
                    self._breaks -= 1
                    self._end()
                    self._start()
                self._breaks = 0
                self._put(line)

    def _put(self, words: str) -> None:
        if self._line and self._gap:
            self._end()
            if self._gap > 1:
                pairs = zip(self._above, self._margins, strict=False)
                self._lines.append(
                    "".join(old for old, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)).rstrip()
                )
        if not self._line:
            self._start()
        self._gap = 0
        self._line.append(words)

    def _start(self) -> None:
        self._line = ["".join(self._margins), "    " * self.is_code]
        self._margins = [margin if margin == "> " else " " * len(margin) for margin in self._margins]
        self._above = list(self._margins)

    def _end(self) -> None:
        self._lines.append("".join(self._line).rstrip())
        self._line = []

    def text(self) -> str:
        if self._line:
            self._end()
        return "\n".join(self._lines).strip("\n")


# --- The pictures in a stranger's text: which there are, and how one that is kept here is shown.


TALLEST = 544  # CSS pixels that a picture takes at most, so that a tall one does not fill the page
MOVES = "A moving picture. This is how it begins."


class Shown(NamedTuple):
    """A picture that is kept here: its address in the text, where it is now, and its size; see `Picture`."""

    source: str
    url: str
    width: int
    height: int
    moves: bool = False


def pictures_in(source: str) -> tuple[str, ...]:
    """Return the addresses of a text's pictures, each once, in order."""
    found = (
        followable(token.attributes.get("src", ""))
        for token in parse(source)[0]
        if token.kind == "open" and token.name == "img"
    )
    return tuple(dict.fromkeys(address for address in found if address))


def image(one: Shown, alt: str, *, in_link: bool) -> str:
    """Return the HTML of a picture, which leads to all of it unless it stands in a link; loaded when it comes into view."""
    name, url = escape(alt or "Picture"), escape(one.url)
    smaller = min(1.0, TALLEST / one.height)
    shape = f'width="{round(one.width * smaller)}" height="{round(one.height * smaller)}"'
    written = f'<img src="{url}" {shape} alt="{name}" loading="lazy" decoding="async">'
    written = written if in_link else f'<a href="{url}">{written}</a>'
    return f"{written}<small>{MOVES}</small>" if one.moves else written
