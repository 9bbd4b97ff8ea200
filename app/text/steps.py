"""Find the steps in a description of how to try a change, so that each can be ticked. Pure.

Called by pages. It reads only HTML that `markdown` made safe, and takes out whole elements of it, so that what it
returns is safe, too. Each point of a list that stands by itself is a step; what is in a step stays in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser

from markupsafe import Markup

from app.text.clean import plain

# More than that is no list of steps, and is shown as it was written.
MOST_STEPS = 40
_LISTS = ("ol", "ul")
_VOID = frozenset({"br", "hr", "img", "input"})
_BLOCKS = frozenset({"blockquote", "br", "div", "li", "ol", "p", "pre", "table", "td", "th", "tr", "ul"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step, or words between steps, whose `key` is "".

    `key` stays the same while the words of the step do. Those of one list have the same `place`.
    """

    key: str
    text: str
    html: Markup
    place: int


@lru_cache(maxsize=32)
def steps_of(html: Markup) -> tuple[Step, ...]:
    """Return the steps of a text and the words between them, in order."""
    reader = _Reader(html)
    if not 0 < len([step for step in reader.found if step.key]) <= MOST_STEPS:
        return (Step("", "", html, 0),)
    return tuple(reader.found)


class _Reader(HTMLParser):
    """Cuts HTML at the points of its outermost lists."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Step] = []
        self._html, self._depth, self._place = html, 0, 0
        self._start = self._item = 0  # where the words, and the open step, begin
        self._words: list[str] = []
        self._ends = _line_starts(html)
        self.feed(html)
        self.close()
        self._keep_words(len(html))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._part(tag)
        if tag in _VOID:
            return
        if self._depth == 0 and tag in _LISTS:
            self._keep_words(self._here())
            self._place += 1
        elif self._depth == 1 and tag == "li":
            self._item, self._words = self._here() + len(self.get_starttag_text() or ""), []
        # Outside a list nothing is counted: there each element is a block of words.
        if self._depth or tag in _LISTS:
            self._depth += 1

    def handle_endtag(self, tag: str) -> None:
        self._part(tag)
        if not self._depth or tag in _VOID:
            return
        self._depth -= 1
        if self._depth == 1 and tag == "li":
            self._keep_step(self._html[self._item : self._here()])
        elif self._depth == 0:
            self._start = self._here() + len(f"</{tag}>")
            self._place += 1

    def _part(self, tag: str) -> None:
        """Keep the words of two lines or blocks apart."""
        if tag in _BLOCKS:
            self._words.append(" ")

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    def _keep_step(self, html: str) -> None:
        text = plain("".join(self._words))
        if text:
            key = hashlib.blake2b(text.encode(), digest_size=5).hexdigest()
            self.found.append(Step(key, text, Markup(html.strip()), self._place))  # noqa: S704 - it is safe already

    def _keep_words(self, end: int) -> None:
        html = self._html[self._start : end].strip()
        if html:
            self.found.append(Step("", "", Markup(html), self._place))  # noqa: S704 - the same

    def _here(self) -> int:
        line, column = self.getpos()
        return self._ends[line - 1] + column


def _line_starts(html: str) -> list[int]:
    starts = [0]
    for line in html.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts
