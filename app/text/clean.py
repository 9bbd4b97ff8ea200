"""Take out of a stranger's text what no reader can see: control, bidirectional, zero-width characters.

Called by every function of this package that takes such text. It must never change what can be seen, but for
two things: letters are composed (NFC), and joined emoji fall apart, as their joiner has no width.
"""

from __future__ import annotations

import re
import unicodedata

# So long a line nobody reads; of a longer one the end is left out before anything else is done with it.
LONGEST_LINE = 4_000
MOST_MARKS = 30

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Control characters but tab and newline; all format characters (category Cf) that have no shape of their own; lone
# surrogates, which no encoder takes; fillers that are letters by category but look like nothing; variation selectors.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\ufe00-\ufe0e\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# The variation selector that makes an emoji of the sign before it, and may stay there.
_EMOJI = re.compile("(.?)\ufe0f+", re.DOTALL)

# What Markdown or GitHub would act on within a line; a plain sentence holds none of it. A backslash may stand before each:
# https://spec.commonmark.org/0.31.2/#backslash-escapes
_SIGNS = re.compile(r"[\\`*_\[\]<>&#@~|$!]|:(?=\S)|(?<=\bgh)-|(?<=\bwww)\.|(?<=\])\(", re.IGNORECASE)
# What would begin a list, a heading or a rule at the beginning of one.
_BEGINS = re.compile(r"[-+=]|[0-9]{1,9}(?=[.)])")
_CALLS = re.compile(r"\\[@#:]|\bgh(?=\\-)|\bwww(?=\\\.)", re.IGNORECASE)


def clean(text: str) -> str:
    """Return the text without what cannot be seen, in NFC, with "\\n" as the only line end."""
    return unicodedata.normalize("NFC", unseen_dropped(_LINE_ENDS.sub("\n", text)))


def unseen_dropped(text: str) -> str:
    """Return the text without what cannot be seen, and with at most 30 marks on a letter; nothing else is changed.

    Composing letters takes a time that grows with the square of such a run: 65,536 marks took 5 s.
    https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format
    """
    return (
        text
        if text.isascii() and text.isprintable()
        else _marks_dropped(_EMOJI.sub(_emoji, _UNSEEN.sub("", text)))
    )


def _marks_dropped(text: str) -> str:
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for char in text:
        # The category, not the combining class: that of U+0F73 is 0, yet it is two marks.
        marks = marks + 1 if char > "\u02ff" and unicodedata.category(char)[0] == "M" else 0
        if marks <= MOST_MARKS:
            kept.append(char)
    return "".join(kept)


def _emoji(found: re.Match[str]) -> str:
    sign = found[1]
    return (
        found[0][:2] if sign and not sign.isascii() and unicodedata.category(sign) in ("So", "Sm") else sign
    )


def cut(text: str, limit: int) -> str:
    """Return at most so many characters, without parting a letter from its accents."""
    end = limit
    while 0 < end < len(text) and unicodedata.combining(text[end]):
        end -= 1
    return text[:end]


def plain(value: str, limit: int | None = None) -> str:
    """Return one clean line, at most `limit` characters with the "…" that says something is missing."""
    line = " ".join(clean(value[:LONGEST_LINE]).split())
    if len(value) > LONGEST_LINE:
        line += "…"
    return line if limit is None else shortened(line, limit)


def person(login: str, limit: int | None = None) -> str:
    """Return a login at GitHub as people say it: one clean line, without the "[bot]" of a program's."""
    return plain(login, limit).removesuffix("[bot]")


def shortened(text: str, limit: int) -> str:
    """Return at most so many characters, the last one a "…" where something is missing."""
    return text if len(text) <= limit else cut(text, limit - 1).rstrip() + "…"


def disarmed(value: str, limit: int | None = None) -> str:
    """Return one clean line as Markdown in which nothing acts: no markup, and no word to GitHub either.

    A backslash keeps a sign what it is, where it would act. Whom "@" would call and what "#12", "GH-12" or an address
    would close or link, GitHub finds after that, so an unseen space parts them.
    https://docs.github.com/en/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue
    """
    escaped = _SIGNS.sub(r"\\\g<0>", plain(value, limit))
    begins = _BEGINS.match(escaped)
    if begins:
        place = begins.end() if begins[0].isdigit() else 0
        escaped = f"{escaped[:place]}\\{escaped[place:]}"
    return _CALLS.sub(r"\g<0>&#8203;", escaped)


def quoted(text: str) -> str:
    """Return every line with "> " before it, as mails and Markdown quote; '' stays ''."""
    return "\n".join(f"> {line}".rstrip() for line in clean(text).split("\n")) if text else ""
