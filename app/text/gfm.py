"""A stranger's Markdown as safe HTML, in tokens: GitHub's own parser reads it, nh3 has the last word. Pure.

Called by `markdown` and `how_to_test`. Whatever comes in, the work is linear in its length: HTML that people wrote
by hand is balanced before nh3 sees it, because an HTML parser repeats unclosed elements without end
(5,000 times `<p><b id=1>` took 11 s and 75 MB).
"""

from __future__ import annotations

import ctypes
import html
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import nh3
from cmarkgfm import cmark
from cmarkgfm.cmark import Options

from app.text.clean import clean, cut, unseen_dropped

# GitHub's most for a text is 65,536 characters.
LIMIT = 30_000
MOST_TOKENS = 6_000
# A table's missing cells are filled in: rows of one letter below a wide head make megabytes.
MOST_CELLS = 40_000
DEEPEST = 40
SCHEMES = {"http", "https", "mailto"}

_OPTIONS = Options.CMARK_OPT_FOOTNOTES | Options.CMARK_OPT_HARDBREAKS | Options.CMARK_OPT_UNSAFE
_EXTENSIONS = ("autolink", "strikethrough", "tasklist")
# cmarkgfm frees neither the document nor the HTML: https://github.com/theacodes/cmarkgfm/issues/53
_node_free = ctypes.CDLL(cmark._cmark.__file__).cmark_node_free
_free = ctypes.CDLL(None).free
cmark.core_extensions_ensure_registered()  # before there are threads

_VOID = frozenset({"br", "hr", "img", "input"})
_KEPT = _VOID | frozenset(
    "a blockquote code del details div em h1 h2 h3 h4 h5 h6 li ol p pre s section strong sub summary sup table tbody "
    "td th thead tr ul".split()
)
_SAME = {
    "strike": "s",
    **dict.fromkeys("b big".split(), "strong"),
    **dict.fromkeys("i ins u cite dfn".split(), "em"),
    **dict.fromkeys("kbd samp tt var".split(), "code"),
    **dict.fromkeys(
        "address article aside caption center dd dl dt fieldset figcaption figure footer".split(), "div"
    ),
    **dict.fromkeys("form header main nav picture video".split(), "div"),
}
_ATTRIBUTES = {
    "a": {"href", "data-footnote-backref"},
    "img": {"src", "alt"},
    "source": {"src"},
    "video": {"src"},
    "input": {"type", "checked"},
    "ol": {"start"},
    "section": {"data-footnotes"},
}
# What becomes a link.
_FILMS = frozenset({"video", "source"})
# What no browser shows.
_HIDDEN = frozenset("script style title textarea iframe xmp noembed noframes template svg math".split())
# What an opening tag ends where its author did not, and which ancestors keep it from that.
_CELLS, _ROWS = frozenset({"td", "th"}), frozenset({"tr", "thead", "tbody", "table"})
_ENDS = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol"})),
    "td": (_CELLS, _ROWS),
    "th": (_CELLS, _ROWS),
    "tr": (frozenset({"tr"}), frozenset({"table"})),
    "p": (frozenset({"p"}), _KEPT - {"p", "a", "code", "del", "em", "s", "strong", "sub", "sup"}),
}

_SANITIZER = nh3.Cleaner(
    tags=set(_KEPT),
    attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
    url_schemes=SCHEMES,
    url_relative="deny",
    link_rel=None,
)
_VALUE = r"""\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+)"""
_TAG = re.compile(
    rf"""<!--(?:-?>|.*?(?:-->|\Z))|<[!?][^>]*(?:>|\Z)|<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[^\s"'<>/=]+(?:{_VALUE})?)*+)\s*/?>""",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rf"""([^\s"'<>/=]+)({_VALUE})?""")


_NONE: dict[str, str] = {}


class Token(NamedTuple):
    """A piece of safe HTML: "open" or "close" with a tag's name, or "text" as a reader sees it."""

    kind: str
    name: str
    attributes: dict[str, str]
    text: str


Tokens = tuple[Token, ...]


@lru_cache(maxsize=4)  # for whoever wants the same text in another way at once; 6,000 tokens take a megabyte
def parse(source: str) -> tuple[Tokens, bool]:
    """Return a Markdown text as balanced tokens, and whether its end was left out."""
    start = cut(source, LIMIT)
    rough, is_cut = _balanced(_html(clean(start)))
    tokens = tuple(_tokens(_SANITIZER.clean(rough)))
    return tokens, is_cut or len(start) < len(source)


def _html(source: str) -> str:
    """Return what GitHub's parser makes of it; raw HTML is still in it."""
    lines = source.split("\n")
    columns = max(line.count("|") for line in lines)
    extensions = ["table"] if columns * len(lines) <= MOST_CELLS else []
    parser = cmark.parser_new(_OPTIONS)
    root, output = None, None
    try:
        for name in (*extensions, *_EXTENSIONS):
            cmark.parser_attach_syntax_extension(parser, cmark.find_syntax_extension(name))
        cmark.parser_feed(parser, source)
        root = cmark.parser_finish(parser)
        output = cmark._cmark.lib.cmark_render_html(
            root, _OPTIONS, cmark.parser_get_syntax_extensions(parser)
        )
        return str(cmark._cmark.ffi.string(output).decode())
    finally:
        for pointer, give_back in ((output, _free), (root, _node_free)):
            if pointer is not None:
                give_back(ctypes.c_void_p(int(cmark._cmark.ffi.cast("uintptr_t", pointer))))
        cmark.parser_free(parser)


def _tokens(markup: str) -> Iterator[Token]:
    """Give tags and texts in order. What looks like a tag and is none is text; comments and scripts are nothing."""
    place = 0
    unclosed: set[str] = set()
    while found := _TAG.search(markup, place):
        if found.start() > place:
            yield Token("text", "", _NONE, _words(markup[place : found.start()]))
        place = found.end()
        name = (found[2] or "").lower()
        if name in _HIDDEN:
            closing = re.compile(f"</{name}[^>]*>?", re.IGNORECASE | re.ASCII)
            end = None if found[1] or name in unclosed else closing.search(markup, place)
            if end:
                place = end.end()
            else:  # a word like <title>, which GitHub shows as it stands
                unclosed.add(name)
                yield Token("text", "", _NONE, _words(found[0]))
            continue
        if name:
            film = "" if found[1] or name not in _FILMS else _attributes(name, found[3]).get("src", "")
            name = _SAME.get(name, name)
            yield Token("close" if found[1] else "open", name, _attributes(name, found[3]), "")
            if film:
                yield Token("open", "a", {"href": film}, "")
                yield Token("text", "", _NONE, "[video]")
                yield Token("close", "a", _NONE, "")
    if place < len(markup):
        yield Token("text", "", _NONE, _words(markup[place:]))


def _attributes(name: str, written: str) -> dict[str, str]:
    known = _ATTRIBUTES.get(name)
    if not known or not written:
        return _NONE
    return {
        attribute.lower(): _words(value.strip().removeprefix("=").strip().strip("\"'"))
        for attribute, value in reversed(_ATTRIBUTE.findall(written))  # the first one counts
        if attribute.lower() in known
    }


def _words(written: str) -> str:
    """Return what a reader sees; "&#x202e;" was a harmless word until the parser read it."""
    return unseen_dropped(html.unescape(written))


def _balanced(markup: str) -> tuple[str, bool]:
    """Return the HTML with every element closed where its parent is, none too deep; and whether its end was left out."""
    written: list[str] = []
    path: list[str] = []
    too_deep: Counter[str] = Counter()

    def close_through(place: int) -> None:
        written.extend(f"</{name}>" for name in reversed(path[place:]))
        del path[place:]

    is_cut = False
    for token in _tokens(markup):
        if len(written) >= MOST_TOKENS:
            is_cut = True
            break
        if token.kind == "text":
            written.append(html.escape(token.text, quote=False))
        elif token.name not in _KEPT:
            continue
        elif token.kind == "open":
            close_through(_implied_end(path, token.name))
            if len(path) >= DEEPEST and token.name not in _VOID:
                too_deep[token.name] += 1
                continue
            written.append(_opening(token))
            if token.name not in _VOID:
                path.append(token.name)
        elif too_deep[token.name]:
            too_deep[token.name] -= 1
        elif token.name in path:
            close_through(len(path) - 1 - path[::-1].index(token.name))
    close_through(0)
    return "".join(written), is_cut


def _implied_end(path: list[str], name: str) -> int:
    """Return where in the path of open elements a new one ends what is open; its length where nothing ends."""
    ended, keepers = _ENDS.get(name, (frozenset(), frozenset()))
    for place in range(len(path) - 1, -1, -1):
        if path[place] in ended:
            return place
        if path[place] in keepers:
            break
    return len(path)


def _opening(token: Token) -> str:
    values = "".join(f' {name}="{html.escape(value)}"' for name, value in token.attributes.items())
    return f"<{token.name}{values}>"


def plain_words(tokens: Tokens) -> str:
    """Return just the text of some tokens, as one line."""
    return " ".join("".join(token.text or " " * (token.name == "br") for token in tokens).split())


def blocks(tokens: Tokens) -> Iterator[Tokens]:
    """Give each top-level element whole, and the text between them."""
    depth = start = 0
    for place, token in enumerate(tokens):
        if token.kind == "open" and token.name not in _VOID:
            if not depth and start < place:
                yield tokens[start:place]
                start = place
            depth += 1
        elif token.kind == "close":
            depth -= 1
            if not depth:
                yield tokens[start : place + 1]
                start = place + 1
    if start < len(tokens):
        yield tokens[start:]


# --- Where a stranger's links lead: only to the web or to a mail, and nowhere else than they say.


LONGEST_URL = 2_000
_HOST = re.compile(r"[a-z0-9._:-]+")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9.-]+")


def host_of(url: str) -> str:
    """Return the host of a web address, or whom a mail would go to."""
    parts = urlsplit(url)
    return parts.hostname or parts.path


@lru_cache(maxsize=1024)
def followable(url: str) -> str:
    """Return a web or mail address if it leads where it says, as a browser reads it; '' for any other."""
    try:
        parts = urlsplit(url)
        host = unquote(parts.hostname or "")
        port = f":{parts.port}" if parts.port else ""
        plain_host = host if host.isascii() else host[:253].encode("idna").decode()
    except ValueError:
        return ""
    if len(url) > LONGEST_URL or parts.scheme not in SCHEMES:
        return ""
    if parts.scheme == "mailto":
        return f"mailto:{parts.path}" if _MAILBOX.fullmatch(parts.path) else ""
    # A user name before the host is for looking like another host.
    if not _HOST.fullmatch(plain_host) or "@" in parts.netloc:
        return ""
    return url if parts.hostname == plain_host else parts._replace(netloc=f"{plain_host}{port}").geturl()
