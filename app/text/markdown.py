"""A stranger's Markdown as safe HTML, and the same as plain text for the text part of a mail.

Called by mail and pages. The tokens come tamed; nh3 has the last word on the HTML. It must never let a
reader's browser or mail program load anything, nor hide where a link leads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import nh3
from markdown_it.token import Token
from markupsafe import Markup

from app.text.clean import clean, cut, unseen_dropped
from app.text.tame import SCHEMES, Parser, host_of

LIMIT = 20_000  # characters: 64 KB of "- a" keep the parser busy for seconds, these for a fifth of one
# Each "[" is looked for its end: 10,000 of them keep it busy for a second, these for a sixteenth of one.
MOST_BRACKETS = 1_000
CUT = "The text goes on; only its beginning is shown here."

_SANITIZER = nh3.Cleaner(
    tags={*"p br hr h3 h4 h5 h6 ul ol li blockquote pre code em strong s a".split()},
    attributes={"a": {"href"}, "ol": {"start"}},
    url_schemes=SCHEMES,
    url_relative="deny",
    link_rel="nofollow noreferrer noopener",
)


@lru_cache(maxsize=32)  # a page asks for the same text again and again, and anybody may ask for a page
def markdown_html(source: str, limit: int = LIMIT) -> Markup:
    """Return safe HTML: headings from h3 down, the host after each link, "[picture: ...]" for images."""
    parser = Parser()
    start = beginning(source, limit)
    tokens = parser.tamed(clean(start), host_of)
    rough = parser.renderer.render(tokens, parser.options, {})
    # Again: "&#x202e;" is a harmless word until the parser has read it.
    safe = unseen_dropped(_SANITIZER.clean(rough)).strip()
    more = f"\n<p><em>{CUT}</em></p>" if len(start) < len(source) else ""
    return Markup(safe + more)  # noqa: S704 - nh3 made it safe


def markdown_text(source: str, limit: int = LIMIT) -> str:
    """Return the same as plain text: "words (url)" for links, "> " before quotes; no line is wrapped."""
    start = beginning(source, limit)
    tokens = Parser().tamed(clean(start), lambda url: url.removeprefix("mailto:"))
    words = unseen_dropped("".join(_blocks(tokens))).strip("\n")
    return f"{words}\n\n{CUT}" if len(start) < len(source) else words


def beginning(source: str, limit: int = LIMIT) -> str:
    """Return as much of a Markdown text as is parsed."""
    start = cut(source, limit)
    brackets = start.split("[", MOST_BRACKETS + 1)
    return "[".join(brackets[:-1]) if len(brackets) > MOST_BRACKETS + 1 else start


def _blocks(tokens: Sequence[Token]) -> Iterator[str]:
    """Give each block with its margin: quote marks, and a bullet on the first line of an item only."""
    margins: list[str] = []
    was_tight = is_tight = False
    for token in tokens:
        if token.type == "blockquote_open":
            margins.append("> ")
        elif token.type == "list_item_open":
            margins.append(f"{token.info}. " if token.info else "- ")
        elif token.type in ("blockquote_close", "list_item_close"):
            margins.pop()
        elif block := _block(token):
            first = "".join(margins)
            margins = [margin if margin == "> " else " " * len(margin) for margin in margins]
            yield "\n" if was_tight and is_tight else "\n\n"
            yield first + block.replace("\n", "\n" + "".join(margins))
            was_tight = is_tight
        is_tight = token.hidden  # markdown-it hides the paragraphs of a list without blank lines


def _block(token: Token) -> str:
    match token.type:
        case "inline":
            return "".join(_word(child) for child in token.children or [])
        case "fence" | "code_block":
            return "    " + token.content.rstrip("\n").replace("\n", "\n    ")
        case "html_block":
            return token.content.strip()
        case "hr":
            return "---"
    return ""


def _word(token: Token) -> str:
    return "\n" if token.type in ("softbreak", "hardbreak") else token.content
