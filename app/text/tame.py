"""Parse a stranger's Markdown and tame it: no raw HTML, no picture, only links whose target is shown.

Called by `markdown` alone, which writes the tokens as HTML or as plain text. It must never let a link
through that leads elsewhere than its words say, or markup that is not Markdown's own.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

LONGEST_URL = 2_000
DEEPEST = 40  # lists in lists take two each
SCHEMES = {"http", "https", "mailto"}

_ONLY_LINKS = nh3.Cleaner(tags={"a"}, attributes={"a": {"href"}}, url_schemes=SCHEMES, url_relative="deny")
_ONLY_PICTURES = nh3.Cleaner(tags={"img"}, attributes={"img": {"alt"}})
_PICTURE = re.compile(r'<img(?: alt="([^"]*)")?>')
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9._:-]+")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9.-]+")
_BARE_URL = re.compile(r"https?://[^\s<>\"'`]*[^\s<>\"'`.,:;!?()\[\]{}*_~]")


class Parser(MarkdownIt):
    """CommonMark with strikethrough, line ends kept as GitHub keeps them, every link let through to be tamed."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": True, "breaks": True, "maxNesting": DEEPEST})
        self.enable("strikethrough")
        # One long definition, used by thousands of short references, would make megabytes of HTML.
        self.disable("reference")
        self.add_render_rule("html_block", _html_block)

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - a refused one would be shown as source
        """Accept every link."""
        return True

    def tamed(self, source: str, name_of: Callable[[str], str]) -> list[Token]:
        """Return the tokens of a text; `name_of` says what stands in brackets after a link."""
        tokens = self.parse(source)
        _lower_headings(tokens)
        for token in tokens:
            if token.type == "inline":
                token.children = list(_links_named(_words(self, token.children or []), name_of))
            elif token.type == "html_block":
                token.content = _visible(token.content)
        return tokens


def host_of(url: str) -> str:
    """Return the host of a web address, or whom a mail would go to."""
    parts = urlsplit(url)
    return parts.hostname or parts.path


def _lower_headings(tokens: Sequence[Token]) -> None:
    """Begin with h3, since the page itself has h1 and h2, and leave no level out: a screen reader's map of the page."""
    above: list[str] = []
    for token in tokens:
        if token.type == "heading_open":
            above = [*(tag for tag in above if tag < token.tag), token.tag]
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(2 + len(above), 6)}"


def _html_block(_: Any, tokens: Sequence[Token], index: int, *__: Any) -> str:
    content = tokens[index].content.strip()
    return f"<p>{escape(content)}</p>\n" if content else ""


def _words(parser: Parser, tokens: Sequence[Token]) -> Iterator[Token]:
    """Give text for pictures and raw HTML, and a link for each bare address outside of one."""
    in_link = False
    for token in tokens:
        in_link = token.type == "link_open" or (in_link and token.type != "link_close")
        if token.type == "image":
            yield _text(_picture("".join(child.content or " " for child in token.children or [])))
        elif token.type == "html_inline":
            yield (
                Token("hardbreak", "br", 0)
                if _BREAK.fullmatch(token.content)
                else _text(_visible(token.content))
            )
        elif token.type == "text" and not in_link:
            yield from _bare_links(parser, token.content)
        else:
            yield token


def _bare_links(parser: Parser, content: str) -> Iterator[Token]:
    start = 0
    for found in _BARE_URL.finditer(content):
        yield _text(content[start : found.start()])
        href: dict[str, str | int | float] = {"href": parser.normalizeLink(found[0])}
        yield Token("link_open", "a", 1, attrs=href, markup="autolink")
        yield _text(found[0])
        yield Token("link_close", "a", -1)
        start = found.end()
    yield _text(content[start:])


def _links_named(tokens: Iterator[Token], name_of: Callable[[str], str]) -> Iterator[Token]:
    """Keep the links that a reader may follow, each with its target in words; of the others only the words."""
    url, words, is_address = "", "", False
    for token in tokens:
        words += token.content
        if token.type == "link_open":
            url, words, is_address = _followable(str(token.attrs["href"])), "", token.markup == "autolink"
            token.attrs = {"href": url}
        if token.type == "link_close" and url:
            # Other letters may look like the host's own: then the host is named as it really is.
            named = is_address and words.isascii()
            yield from _link_end(token, words, "" if named else name_of(url))
        elif url or token.type not in ("link_open", "link_close"):
            yield token


def _link_end(end: Token, words: str, name: str) -> Iterator[Token]:
    if words.strip():
        yield end
        yield _text(f" ({name})" if name else "")
    else:
        yield _text(name)
        yield end


def _followable(url: str) -> str:
    """Return the address if it leads where it says, as a browser reads it; '' for any other."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    if len(url) > LONGEST_URL or parts.scheme not in SCHEMES:
        return ""
    if parts.scheme == "mailto":
        return f"mailto:{parts.path}" if _MAILBOX.fullmatch(parts.path) else ""
    # A user name before the host is for looking like another host; nh3 refuses a host that no browser takes.
    if not _HOST.fullmatch(host) or "@" in parts.netloc:
        return ""
    return url if "href=" in _ONLY_LINKS.clean(Markup('<a href="{}">').format(url)) else ""


def _visible(raw: str) -> str:
    """Return the text that a browser would show of raw HTML; comments, scripts and styles have none."""
    kept = _ONLY_PICTURES.clean(raw)
    return html.unescape(_PICTURE.sub(lambda found: _picture(found[1] or ""), kept)).strip("\n")


def _picture(alt: str) -> str:
    words = " ".join(alt.split())
    return f"[picture: {words}]" if words else "[picture]"


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
