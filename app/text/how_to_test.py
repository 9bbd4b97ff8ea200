"""Find the part of a description that says how to try the change, so that it can stand where a reader needs it. Pure.

Called by mail and pages. Headings are told from GitHub's own reading of the text: what stands in code, a quote or a
list is no heading. It must never lose anything: what is not in the one part is in the other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from markupsafe import Markup

from app.text.clean import plain
from app.text.gfm import LIMIT, Token, Tokens, blocks, parse, plain_words
from app.text.markdown import Rendered, Shown, rendered, write

# --- Find the steps in a description of how to try a change, so that each can be ticked.


# More than that is no list of steps, and is shown as it was written.
MOST_STEPS = 40
# It is our own HTML: there a "<" always begins a tag.
_TAG = re.compile(r"<(/?)(?!(?:br|hr|img)\b)[a-z1-6]+[^>]*>")
_LIST_TAG = re.compile(r"<(/?)(ul|ol|li)\b[^>]*>")
_BLOCK_TAG = re.compile(r"</?(?:blockquote|br|div|li|ol|p|pre|table|td|th|tr|ul)\b[^>]*>")


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
    """Return the steps of a text, which are the points of its outermost lists, and the words between them, in order."""
    found: list[Step] = []
    start = depth = place = 0
    for tag in _LIST_TAG.finditer(html):
        is_end, is_point = bool(tag[1]), tag[2] == "li"
        if is_point and not depth:
            continue  # in no list
        depth -= is_end
        if depth == is_point:  # it is an outermost list, or a point of one
            part, start = html[start : tag.start()], tag.end()
            if is_point and is_end and (text := _text(part)):
                key = hashlib.blake2b(text.encode(), digest_size=5).hexdigest()
                found.append(Step(key, text, part.strip(), place))
            elif words := _balanced(part):
                found.append(Step("", "", words, place + 1))
                place += 2
            else:
                place += not is_point
        depth += not is_end
    if words := _balanced(html[start:]):
        found.append(Step("", "", words, place))
    steps = sum(bool(step.key) for step in found)
    return tuple(found) if 0 < steps <= MOST_STEPS else (Step("", "", html, 0),)


def _text(html: Markup) -> str:
    return plain(Markup(_BLOCK_TAG.sub(" ", html)).striptags())  # noqa: S704 - it is safe already


def _balanced(html: Markup) -> Markup:
    """Return words between steps without the tags of what a list is in, whose other ends are in other pieces."""
    opened: list[re.Match[str]] = []
    alone: list[re.Match[str]] = []
    for tag in _TAG.finditer(html):
        if not tag[1]:
            opened.append(tag)
        elif opened:
            opened.pop()
        else:
            alone.append(tag)
    for tag in reversed([*alone, *opened]):
        html = html[: tag.start()] + html[tag.end() :]
    return html.strip()


# --- The part of a description that says how to try it.


# What people do to a change, and what they call it.
_DOING = r"(?:re)?test(?:s|ed|ing|ers?|able)?|try(?:ing)?|tried|qa(?:ing|ed)?|uat|tophat(?:ted|ting)?|demo|verif(?:y|ied|ying|ication)|validat(?:e|ed|ing|ion)|(?:sanity|smoke|manual) checks?"
_VERB = r"(?:re)?test(?:s|ed|ing)?|try|tried|qa(?:ed)?|verify|verified|validated?|check(?:ed)?|review(?:ed)?|tophat(?:ted)?|demo"
# What may stand between "how", "steps" or "what" and the doing.
_BETWEEN = (
    r"(?:to|for|do|does|did|can|could|should|shall|must|will|would|might|may|has|have|had|been|be|was|were|is|are|i|we|you|"
    r"one|qa|reviewers?|testers?|this|these|that|it|the|a|an|my|your|pr|pull|request|changes?|feature|fix|branch|code|manually|"
    r"locally|best|needs?|required|steps?|taken|please|reproduce|repro|run|use|build|setup|set|up|install|reviewing|or|and)"
)
_INSTRUCTION = re.compile(
    rf"(?:how|what|where|when|steps?|instructions?|guide|guidelines|guidance|ways?|things?|procedure|notes?|tips|hints)"
    rf"(?: {_BETWEEN}){{0,8}} (?:{_VERB}|testing|verifying|validating|verification|validation)\b(?! ?(?:works?|fails?|failed|changed|was added)\b).*"
    rf"|(?:to|please) (?:{_VERB})\b.*"
    rf"|(?:(?:manual|manually|local|locally|acceptance|user|functional|exploratory|regression|smoke|visual) )?"
    rf"(?:testing|test|qa|uat|verification|validation|verifying|tophat|tophatting) (?:steps?|instructions?|plan|guide|procedure)\b.*"
    rf"|try (?:it|this|the (?:change|changes|pr|branch|feature))\b.*"
)
_COMPANIONS = (
    "how what where steps step instructions instruction plan plans notes note guide guidelines guidance checklist list "
    "cases case scenarios scenario procedure process strategy approach method methods methodology details info information "
    "result results evidence proof performed done completed conducted script walkthrough matrix tips hints section summary "
    "overview status report to for of on in at by with and or the a an this these that it its pr pull request change changes "
    "branch feature fix code my your our i we you me us please manual manually local locally end e2e functional regression "
    "smoke acceptance user visual exploratory hand additional extra required optional quick environment staging out yourself here "
    "screenshots screenshot recordings recording video videos gif gifs images reproduce reproduction repro reviewer reviewers review "
    "reviewing tester testers team was were is are be been has have had did do does can could should need needs must suggested proposed "
    "considerations data url link links preview browser browsers device devices mobile desktop criteria impact scope areas area"
).split()
_NOUN = re.compile(
    rf"(?:(?:{'|'.join(_COMPANIONS)}) )*(?:{_DOING})(?: (?:{'|'.join(_COMPANIONS)}|{_DOING}))*"
)
_PLACE = re.compile(
    r"(?:manual )?(?:testing|tested|verified|verification) (?:on|in|with|against|via|using|for|by|at) .*"
)
_FOR_REVIEWERS = re.compile(
    r"(?:how to review|(?:reviewers?|review|reviewing|testers?)(?: s)? (?:instructions?|notes?|guide|guidance|steps|tips|hints|walkthrough)"
    r"|(?:instructions?|notes?|guide|guidance|steps|tips|hints|info|information)?(?: ?(?:for|to) (?:the )?(?:reviewers?|testers?|reviewing)))\b.*"
)
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_SIGNS = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"^(?:(?:step |part |section )?[0-9]{1,3}[a-z]?|[ivx]{1,4}|[a-h]) (?=.)")
_HAT = re.compile("\N{TOP HAT}|:tophat:")
# Most headings have nothing of it, and need no closer look.
_HINT = re.compile("test|try|tri|q&?a|uat|hat|demo|verif|valid|review|check|\N{TOP HAT}", re.IGNORECASE)
_SHORTCODE = re.compile(r":[a-z0-9_+-]+:")
_LONGEST_TITLE = 120
# What a template leaves behind when nobody filled it in.
_LEFT = frozenset("n a na no none nothing todo tbd x step steps test b c".split())
# How strong a mark is: a heading as many as its signs; a bold line or a rule; a paragraph.
_LINE, _PARAGRAPH = 7, 8


@dataclass(frozen=True, slots=True)
class _Piece:
    """A top-level block. `title` is what it announces, `inside` what stands under that within the block itself."""

    tokens: Tokens
    level: int = 9
    title: str = ""
    inside: Tokens = ()
    is_closed: bool = False  # what it announces ends with it


@lru_cache(maxsize=32)
def parted(
    source: str, how_limit: int = LIMIT, rest_limit: int = LIMIT, shown: tuple[Shown, ...] = ()
) -> tuple[Rendered, Rendered]:
    """Return the part that says how to try it, without its heading, and all the rest; the first is '' where there is none.

    The part of a heading goes on to the next one that is not below it, that of a bold line or of "How to test:" to
    the next heading or bold line; that of a folded block is the block. A part without a word counts as none. Of
    several, the first that gives instructions is taken ("How to test"), else the first that is about testing ("Tests").
    """
    tokens, is_cut = parse(source)
    pieces = list(_pieces(tokens))
    for fits in (says_how, is_about_testing):
        for place, piece in enumerate(pieces):
            if piece.title and fits(piece.title):
                end = place + 1 if piece.is_closed else _end(pieces, place)
                part = (*piece.inside, *_joined(pieces[place + 1 : end]))
                if _says_something(part):
                    rest = (*_joined(pieces[:place]), *_joined(pieces[end:]))
                    return write(part, how_limit, shown), write(rest, rest_limit, shown, is_cut=is_cut)
    return write((), how_limit), rendered(source, rest_limit, shown)


def says_how(title: str) -> bool:
    """Tell whether a heading announces how to try a change: "3. How to test (QA)", "Steps to verify", "Test plan"."""
    return any(_INSTRUCTION.fullmatch(words) or _FOR_REVIEWERS.fullmatch(words) for words in _readings(title))


def is_about_testing(title: str) -> bool:
    """Tell whether a heading is about trying a change in any way: "QA", "Tests", "Demo", "Testing performed"."""
    return any(_NOUN.fullmatch(words) or _PLACE.fullmatch(words) for words in _readings(title))


def _readings(title: str) -> Iterator[str]:
    """Give a heading's plain words, without what stands in brackets, and with it."""
    if len(title) > _LONGEST_TITLE or not _HINT.search(title):
        return
    title = _SHORTCODE.sub(" ", _HAT.sub(" tophat ", title))
    for words in dict.fromkeys((_BRACKETED.sub(" ", title), title)):
        plain = _plain(words.replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", ""))
        while found := _NUMBER.match(plain):
            plain = plain[found.end() :]
        yield plain.replace("top hat", "tophat").replace("q a", "qa")


def _end(pieces: Sequence[_Piece], start: int) -> int:
    later = range(start + 1, len(pieces))
    return next((place for place in later if pieces[place].level <= pieces[start].level), len(pieces))


def _joined(pieces: Sequence[_Piece]) -> Tokens:
    return tuple(token for piece in pieces for token in piece.tokens)


def _pieces(tokens: Tokens) -> Iterator[_Piece]:
    for block in blocks(tokens):
        name = block[0].name
        if name == "p":
            yield from _paragraph(block)
        elif name in ("h1", "h2", "h3", "h4", "h5", "h6"):
            yield _Piece(block, int(name[1]), plain_words(block))
        elif name == "details":
            yield _folded(block)
        elif name == "hr" or any(token.name == "hr" for token in block):
            yield _Piece(block, _LINE)
        else:
            yield _Piece(block)


def _folded(block: Tokens) -> _Piece:
    """Return a <details> with its summary as its title; its inside is shown unfolded."""
    names = [(token.kind, token.name) for token in block]
    if ("open", "summary") not in names or ("close", "summary") not in names:
        return _Piece(block)
    start, end = names.index(("open", "summary")), names.index(("close", "summary"))
    inside = (*block[1:start], *block[end + 1 : -1])
    return _Piece(block, _PARAGRAPH, plain_words(block[start:end]), inside, is_closed=True)


def _paragraph(block: Tokens) -> Iterator[_Piece]:
    """Give a paragraph whole, or in pieces where one of its lines announces how to try the change."""
    lines = _lines(block[1:-1])
    announced = [_announced(line) for line in lines]
    if not any(title and _is_wanted(title) for title, _, _ in announced):
        # Whatever its first line announces ends the part before.
        yield _Piece(block, announced[0][1])
        return
    starts = [0, *(number for number, (title, _, _) in enumerate(announced) if title and number), len(lines)]
    for start, end in pairwise(starts):
        title, level, is_alone = announced[start]
        inside = lines[start + is_alone : end]
        yield _Piece(_as_paragraph(block, lines[start:end]), level, title, _as_paragraph(block, inside))


def _is_wanted(title: str) -> bool:
    return says_how(title) or is_about_testing(title)


def _lines(tokens: Tokens) -> list[Tokens]:
    lines: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.kind == "open" and token.name not in ("br", "img", "input")) - (token.kind == "close")
        if token.name == "br" and not depth:
            lines.append([])
        else:
            lines[-1].append(token)
    return [tuple(line) for line in lines]


def _as_paragraph(block: Tokens, lines: Sequence[Tokens]) -> Tokens:
    if not lines:
        return ()
    line_end = Token("open", "br", {}, "")
    inner = [token for line in lines for token in (*line, line_end)][:-1]
    return (block[0], *inner, block[-1])


def _announced(line: Tokens) -> tuple[str, int, bool]:
    """Return what a line announces, how strongly, and whether it says nothing else: "**QA**", "How to test: so"."""
    words = plain_words(line)
    bold = [
        place for place, token in enumerate(line) if token.kind == "close" and token.name in ("strong", "em")
    ]
    seen = [token for token in line if token.kind != "text" or token.text.strip()]
    if bold and seen and seen[0].name in ("strong", "em"):
        label = plain_words(line[: bold[-1] + 1])
        after = plain_words(line[bold[-1] + 1 :])
        if after in ("", ":"):
            return label, _LINE, True
    label, colon, rest = words.partition(":")
    if colon and label and not rest.strip():
        return label, _LINE if _is_wanted(label) else _PARAGRAPH, True
    return (label if colon else ""), _PARAGRAPH, False


def _plain(words: str) -> str:
    return _SIGNS.sub(" ", words.casefold()).strip()


def _says_something(part: Tokens) -> bool:
    texts = (_plain(token.text) for token in part if token.text.strip())
    pictured = any(token.name == "img" and token.kind == "open" for token in part)
    return pictured or any(
        word not in _LEFT and not word.isdigit() for text in texts for word in text.split()
    )
