"""A stranger's Markdown for a page and for a mail, both written in one walk over its safe tokens. Pure.

Called by mail and pages. It must never let a reader's browser or mail program load anything from elsewhere, nor hide
where a link leads: a picture that is not kept here becomes a link, and the host stands after each link.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from markupsafe import Markup, escape

from app.text.clean import cut
from app.text.gfm import LIMIT, Token, Tokens, followable, host_of, parse
from app.text.plain_text import text_of

_CUT = "\n<p><em>The text goes on; only its beginning is shown here.</em></p>"

_REL = 'rel="nofollow noreferrer noopener"'
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
# Where a mail program takes no style sheet. Colours of dark mode are the letter's own.
_BELOW = "margin:0 0 12px;"
_CELL = "padding:4px 10px;border:1px solid #dbe3e4;text-align:left;vertical-align:top;"
_MONO = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:15px;"
_STYLES = {
    **dict.fromkeys(["h3", "h4", "h5", "h6"], "font-size:17px;line-height:1.4;margin:18px 0 6px;"),
    **dict.fromkeys(["ul", "ol"], f"{_BELOW}padding-left:24px;"),
    **dict.fromkeys(["td", "th"], _CELL),
    "p": _BELOW,
    "table": f"{_BELOW}border-collapse:collapse;",
    "blockquote": f"{_BELOW}padding-left:12px;border-left:3px solid #dbe3e4;",
    "code": _MONO,
    "pre": f"{_BELOW}{_MONO}white-space:pre-wrap;padding:10px 12px;background-color:#f3f6f6;border-radius:6px;",
    "hr": "border:0;border-top:1px solid #dbe3e4;",
    "a": "color:#0b5c6b;",
}
# How a tag begins, and how it does in a mail. Mail programs do not fold: a summary is a line above what it would show.
_IN_MAIL = {f"<{name}": f'<{name} style="{style}"' for name, style in _STYLES.items()} | {
    "<details": "<div",
    "</details": "</div",
    "<summary": "<p><strong",
    "</summary": "</strong></p",
}
_TAG_BEGINS = re.compile(r"</?[a-z1-6]+")
_ALERT = re.compile(r"\s*\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*", re.IGNORECASE)
_SHORTCODE = re.compile(r":[a-z0-9_+-]{1,40}:")


@dataclass(frozen=True, slots=True)
class Rendered:
    """One text twice: safe HTML for a page, and the same with inline styles for a mail."""

    html: Markup
    mail: Markup

    @property
    def text(self) -> str:
        """Return it as plain text."""
        return text_of(self.mail)


@lru_cache(maxsize=32)  # a page asks for the same text again and again, and anybody may ask for a page
def rendered(source: str, limit: int = LIMIT, shown: tuple[Shown, ...] = ()) -> Rendered:
    """Return a Markdown text as GitHub shows it, at most so many characters of it; headings from h3 down.

    `shown` are the pictures that the page shows in their places, and to which the mail leads.
    """
    tokens, is_cut = parse(source)
    return write(tokens, limit, shown, is_cut=is_cut)


def write(
    tokens: Tokens, limit: int = LIMIT, shown: tuple[Shown, ...] = (), *, is_cut: bool = False
) -> Rendered:
    """Return balanced tokens as HTML, at most so many characters; `is_cut`: more followed already."""
    writer = _Writer(limit, {one.source: one for one in shown})
    for place, token in enumerate(tokens):
        if token.kind == "text":
            writer.words(token.text, tokens[place + 1 : place + 2])
        elif token.kind == "open":
            writer.open(token)
        else:
            writer.close(token.name)
    is_cut = is_cut or writer.is_full
    page, mail = (f"{''.join(parts).strip()}{_CUT if is_cut else ''}" for parts in (writer.page, writer.mail))
    mail = _TAG_BEGINS.sub(lambda found: _IN_MAIL.get(found[0], found[0]), mail)
    return Rendered(Markup(page), Markup(mail))  # noqa: S704 - only known tags and escaped text were written


class _Writer:
    """Writes the page's HTML and the mail's side by side."""

    def __init__(self, limit: int, shown: dict[str, Shown]) -> None:
        self._shown = shown
        self.page: list[str] = []
        self.mail: list[str] = []
        self.is_full = False
        self._left = limit
        self._elements_left = limit // 8 + 20  # without a word, elements still make a mail long
        self._unopened = 0
        self._path: list[str] = []  # the names of open elements, as the page has them
        self._above: list[int] = []  # the levels of the headings that this one is below
        self._link: str | None = None  # where the open link leads, "" where nobody may follow it
        self._is_hidden = False  # in the arrow that leads back from a footnote
        self._link_words: list[str] = []

    def words(self, words: str, after: Tokens) -> None:
        """Write text; `after` is what comes next."""
        if self.is_full or self._is_hidden:
            return
        if kind := self._alert(words, after):
            self._both(f"<strong>{kind}</strong>")
            return
        if "code" not in self._path and "pre" not in self._path:
            words = _emoji(words)
        if words.strip() and len(words) > self._left:
            words, self.is_full = cut(words, self._left), True
        self._write(words)

    def _write(self, words: str) -> None:
        self._left -= len(words.strip())
        self._link_words.append(words)
        self._both(escape(words))

    def _both(self, page: str, mail: str | None = None) -> None:
        self.page.append(page)
        self.mail.append(page if mail is None else mail)

    def _alert(self, words: str, after: Tokens) -> str:
        """Return what kind of alert a quote begins with, "Note", where its mark is alone on its line; '' for none.

        https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#alerts
        """
        begins = self._path[-2:] == ["blockquote", "p"] and self.page[-1] == "<p>"
        found = _ALERT.fullmatch(words) if begins and after and after[0].name in ("br", "p") else None
        return found[1].capitalize() if found else ""

    def open(self, token: Token) -> None:
        self._elements_left -= 1
        self.is_full = self.is_full or self._elements_left < 0
        if self.is_full:
            self._unopened += token.name not in ("br", "hr", "img", "input")
            return
        name, values = token.name, token.attributes
        match name:
            case "br":
                self._both("<br>")
            case "hr":
                self._both("<hr>\n")
            case "img":
                self._picture(values)
            case "input":
                if values.get("type") == "checkbox":
                    self._both("☑" if "checked" in values else "☐")
            case "a":
                self._open_link(values)
            case _:
                self._element(name, values)

    def _element(self, name: str, values: dict[str, str]) -> None:
        if name == "section" and "data-footnotes" in values:
            self._both("<hr>\n")
        if name in _HEADINGS:
            name = self._heading(name)
        self._path.append(name)
        start = values.get("start", "")
        number = int(start) if start.isdigit() and len(start) < 10 else 1
        more = f' start="{number}"' if name == "ol" and number != 1 else ""
        self._both(f"<{name}{more}>")

    def close(self, name: str) -> None:
        if self._unopened:
            self._unopened -= 1
            return
        if name == "a":
            self._close_link()
            return
        name = self._path.pop()
        if name == "p" and self.page[-1] == "<p>":
            self.page.pop()
            self.mail.pop()
        else:
            self._both(f"</{name}>")

    def _heading(self, name: str) -> str:
        """Return h3 or below, since a page itself has h1 and h2, and leave no level out: it is a screen reader's map."""
        level = int(name[1])
        self._above = [*(above for above in self._above if above < level), level]
        return f"h{min(2 + len(self._above), 6)}"

    def _picture(self, values: dict[str, str]) -> None:
        """Show a picture that is kept here on the page, and lead to it in the mail; of another, write a link."""
        alt = " ".join(values.get("alt", "").split())
        words = f"[picture: {alt}]" if alt else "[picture]"
        url, in_link = followable(values.get("src", "")), self._link is not None
        if one := self._shown.get(url):
            mail = escape(words) if in_link else f'<a href="{escape(one.url)}">{escape(words)}</a>'
            self._link_words.append(words)
            self._both(image(one, alt, in_link=in_link), mail)
            self._left -= len(words)
        elif url and not in_link:
            self._open_link({"href": url})
            self._write(words)
            self._close_link()
        else:
            self._write(words)

    def _open_link(self, values: dict[str, str]) -> None:
        self._is_hidden = "data-footnote-backref" in values
        self._link = followable(values.get("href", ""))
        self._link_words = []
        if self._link:
            self._both(f'<a href="{escape(self._link)}" {_REL}>')

    def _close_link(self) -> None:
        """End a link with the host that it leads to, unless its words say that themselves."""
        url, words = self._link, "".join(self._link_words).strip()
        self._link, self._is_hidden = None, False
        if not url:
            return
        address, host = url.removeprefix("mailto:"), escape(host_of(url))
        if not words:
            self._both(f"{host}</a>")
        # Other letters may look like the host's own: then the host is named as it really is.
        elif words.isascii() and words in (address, address.removeprefix("http://")):
            self._both("</a>")
        else:
            self._both(f"</a> ({host})", f'</a><span class="look"> ({host})</span>')


def _emoji(words: str) -> str:
    return _SHORTCODE.sub(lambda found: _emoji_of(found[0]), words) if ":" in words else words


@lru_cache(maxsize=256)
def _emoji_of(shortcode: str) -> str:
    import emoji  # noqa: PLC0415 - its table takes 8 MB, and few texts need it

    return emoji.emojize(shortcode, language="alias")


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
