"""Every letter is right in Outlook (Word engine), Gmail and Apple Mail, as caniemail.com has tested them.

Each element, attribute, property, value, selector and at-rule of every rendered letter is looked up in
data/caniemail.json. What one of these clients lacks is allowed only with a reason why its reader misses nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from app.domain.blocked import Blocked, Why
from app.domain.cautions import cautions
from app.domain.facts import Change, ChangedFile, Checks, Commit, Passed, Release, Snapshot, State, Unseen
from app.domain.problems import Problem, Trouble, What
from app.mail.compose import LARGEST_HTML, Mail
from app.mail.news import (
    About,
    compose_live,
    compose_outcome,
    compose_problem,
    compose_push,
    compose_restored,
    compose_sign_in,
    compose_trial,
    problem_words,
)
from app.mail.question import TalkLine
from tests.builders import BASE, HEAD, LILY, NOON, pull, row, snapshot
from tests.test_mail import APPROVE, BERLIN, COMPARE, PENDING, ask, bypass, commits, digest, item, rejected

DATA = json.loads((Path(__file__).parent / "data" / "caniemail.json").read_text(encoding="utf-8"))
FEATURES: dict[str, str] = DATA["features"]
TEMPLATES = Path(__file__).parent.parent / "templates" / "mail"

# What some client does not have, and why its reader misses nothing.
ACCEPTED = {
    "css-at-media": "it holds dark colours only; where it is dropped the letter is light, or darkened by the client",
    "css-at-media-prefers-color-scheme": "the same",
    "css-border-radius": "round corners are decoration",
    "css-color-scheme": "it only tells a client that darkens letters that we do it ourselves",
    "css-max-height": "the preheader is hidden three other ways",
    "css-max-width": "Outlook gets a table of 600 pixels by a conditional comment",
    "css-opacity": "the preheader is hidden three other ways",
    "css-overflow": "the preheader is hidden three other ways",
    "css-overflow-wrap": "cells say word-wrap and word-break besides",
    "css-sytem-ui": "the next font of the list is taken",
    "css-table-layout": "Outlook makes a table as wide as its words, which word-break breaks",
    "css-white-space": "code of the developer's: its lines are wrapped or not, all of it is there",
    "css-word-wrap": "long words break a little earlier or later, by word-break",
    "html-doctype": "Outlook takes the Word engine whatever it says",
    "html-meta-color-scheme": "what ignores it shows the letter light, or darkens it by itself",
    "html-target": "a mail program opens links as it likes",
}
# What some client has in part, and why that part is enough.
PARTLY = {
    "css-border": "Outlook: only up to 8 pixels, and on cells, as here; elsewhere it marks a quote that is indented too",
    "css-display": "Outlook: a link that is no block is as large as its words; buttons have mso-padding-alt",
    "css-display-none": "Outlook: inner tables are not hidden; the preheader has none, and mso-hide",
    "css-font-size": "no size is in rem, or from a heading",
    "css-font-weight": "600 is bold everywhere",
    "css-height": "Outlook: on cells, as here",
    "css-important": "in the sheet of dark colours only",
    "css-line-height": "Outlook: a gap of an exact height says so to Word",
    "css-margin": "none is negative or auto; of body it is 0",
    "css-padding": "Outlook: on cells, as here; a link without it is only smaller",
    "css-selector-class": "in the sheet only, which holds dark colours and the looks of the developer's words",
    "css-selector-grouping": "the same",
    "css-text-align": "left and center only",
    "css-text-decoration": "none only",
    "css-width": "Outlook: on cells and tables, which have the attribute",
    "css-word-break": "long words break a little earlier or later",
    "html-body": "Gmail makes a div of it; the table inside has the same colours",
    "html-dir": "Outlook: wrong on links only, where there is none",
    "html-height": "Outlook: in pixels of 96 an inch",
    "html-lists": "none is reversed, and no item has a number of its own",
    "html-style": "it holds dark colours and the looks of the developer's words only; all else is on the elements",
    "html-width": "Outlook: in pixels of 96 an inch",
}
# What caniemail.com has not tested, since every client has always had it, or only one knows it.
PLAIN_ELEMENTS = frozenset("html head meta title a br b em s tr td tbody".split())
PLAIN_ATTRIBUTES = frozenset(
    "href style class border bgcolor charset name content rel start http-equiv xmlns:o".split()
)
PLAIN_PROPERTIES = frozenset(
    "color font-family -webkit-text-size-adjust mso-padding-alt mso-hide mso-line-height-rule "
    "supported-color-schemes".split()
)
ELEMENTS = {"b": "strong", "tr": "table", "td": "table", "ul": "lists", "ol": "lists", "li": "lists"}
ELEMENTS |= {f"h{level}": "h1-h6" for level in range(1, 7)}
ELEMENTS |= dict.fromkeys("article aside details figure footer header main nav section".split(), "semantics")
VALUES = {
    r"(?<![\w#.-])-?[\d.]*\d(px|em|rem|ch|vh|vw|pt|cm|mm|ex|in|pc|vmin|vmax)\b": "css-unit-{}",
    r"\d(%)": "css-unit-percent",
    r"!(important)": "css-{}",
    r"\b(calc)\(": "css-unit-{}",
    r"\b(rgb|rgba)\(": "css-{}",
    r"\b(clamp|max|min|light-dark)\(": "css-function-{}",
    r"\b(linear|radial|conic)-gradient\(": "css-{}-gradient",
    r"\b(var)\(": "css-variables",
    r"\b(initial)\b": "css-unit-{}",
    r"\b(ui-monospace|system-ui)\b": "css-sytem-ui",
}
SELECTORS = {
    r"(?<!:):([a-z-]+)": "css-pseudo-class-{}",
    r"::([a-z-]+)": "css-pseudo-element-{}",
    r"(>)": "css-selector-child",
    r"(\+)": "css-selector-adjacent-sibling",
    r"(~)": "css-selector-general-sibling",
    r"(\[)": "css-selector-attribute",
    r"(#)[a-z]": "css-selector-id",
    r"(\.)[a-z]": "css-selector-class",
    r"(,)": "css-selector-grouping",
    r"(\*)": "css-selector-universal",
}


# --- What a letter uses -------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Gathers the features that a letter uses, and what is in no list."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.used: set[str] = set()
        self.unknown: set[str] = set()
        self._is_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_style = tag == "style"
        self._note(f"html-{ELEMENTS.get(tag, tag)}", tag in PLAIN_ELEMENTS, f"<{tag}>")
        for name, value in attrs:
            self._note(f"html-{name}", name in PLAIN_ATTRIBUTES, f"{name}=")
            if name == "style":
                self._declarations(value or "")
        if tag == "meta" and ("name", "color-scheme") in attrs:
            self.used.add("html-meta-color-scheme")

    def handle_data(self, data: str) -> None:
        if self._is_style:
            self._sheet(re.sub(r"/\*.*?\*/", "", data, flags=re.DOTALL))
            self._is_style = False

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        self.used.add("html-comments")

    def handle_decl(self, decl: str) -> None:  # noqa: ARG002
        self.used.add("html-doctype")

    def _note(self, feature: str, is_plain: bool, name: str) -> None:
        if feature in FEATURES:
            self.used.add(feature)
        elif not is_plain:
            self.unknown.add(name)

    def _sheet(self, css: str) -> None:
        for prelude, body in re.findall(r"([^{}]+)\{([^{}]*)", css):
            name = prelude.strip()
            if name.startswith("@"):
                self._at_rule(name)
            else:
                self._selector(name)
                self._declarations(body)

    def _at_rule(self, name: str) -> None:
        rule = name.split(maxsplit=1)[0].removeprefix("@")
        self._note(f"css-at-{rule}", False, f"@{rule}")
        for condition in re.findall(r"\(\s*([a-z-]+)", name):
            self._note(
                f"css-at-media-{condition}", condition in ("min-width", "max-width"), f"@media ({condition})"
            )

    def _selector(self, selector: str) -> None:
        for pattern, feature in SELECTORS.items():
            for found in re.findall(pattern, selector):
                self._note(feature.format(found), found == "root", selector)

    def _declarations(self, css: str) -> None:
        for declaration in filter(str.strip, css.split(";")):
            name, _, value = (part.strip().lower() for part in declaration.partition(":"))
            self._note(_feature_of(name, value), name in PLAIN_PROPERTIES, f"{name}:{value}")
            for pattern, feature in VALUES.items():
                for found in re.findall(pattern, value):
                    self._note(feature.format(found), False, f"{name}:{value}")


def _feature_of(name: str, value: str) -> str:
    """Return the feature of a property, the most particular that there is."""
    parts = name.split("-")
    general = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    names = [f"{name}-{value.split(maxsplit=1)[0].removeprefix('inline-') if value else ''}", *general]
    return next((f"css-{one}" for one in names if f"css-{one}" in FEATURES), f"css-{name}")


def missing(html: str) -> set[str]:
    """What some client does not support, or supports in part, and nobody has said why that is no loss."""
    reader = Reader(html)
    return {
        feature
        for feature in reader.used
        if ("n" in FEATURES[feature] and feature not in ACCEPTED)
        or ("a" in FEATURES[feature] and feature not in ACCEPTED | PARTLY)
    }


# --- Every letter -------------------------------------------------------------------------------------------

MARKDOWN = """# One\n###### Six\n*a* **b** ~~c~~ `d` [e](https://e.example) https://f.example\n> quoted\n\n1. one\n   - two
\n```\ncode\n```\n---\n![picture](x.png) <b>raw</b>\n\n## How to test\n1. Open the cart"""


def everything() -> Mail:
    """A question with everything that may be in one."""
    files = (
        ChangedFile("logo.png", "added", 0, 0),
        ChangedFile(".github/workflows/ci.yml", "renamed", 1, 1, "ci.yml", "@@", True),
        ChangedFile("a.psd", "modified", 1, 1, None, "@@\n+version https://git-lfs.github.com/spec/v1"),
        ChangedFile("lib", "modified", 1, 1, None, f"@@\n+Subproject commit {HEAD}"),
    )
    outside = {"head_repository": "eve/shop"}
    facts = pull(body=MARKDOWN, changed_files=4_000, head="gift\u202ecards", **outside)
    asked = Snapshot(facts, Change(BASE, (), files), Checks("red", ("build", "lint", "a", "b")))
    return ask(
        asked,
        cautions=tuple(cautions(asked, is_edited=True)),
        others=3,
        is_again=True,
        is_fresh=True,
        is_answer=True,
        talk=(
            TalkLine(LILY.id, "Lily", "Is 0 euros possible?", True),
            TalkLine("sam", "sam", "No.\nNot any more.", False),
        ),
        rejection=rejected("The total is wrong."),
        new_commits=commits(*(f"Step {number}" for number in range(12))),
        compare_url=COMPARE,
    )


def release() -> Mail:
    """A question about a release."""
    passed = Passed(12, "Add gift cards", "sam", "Lily", NOON, "Fine.")
    unseen = (Unseen(HEAD, "Push it", "kim", None), Unseen(HEAD, "Hurry", "kim", 13))
    return ask(snapshot(release=Release((passed,), unseen, 4, is_rewritten=True)))


def problem() -> Mail:
    """A problem, as whoever runs the gate is told."""
    told = Problem(1, What.BRANCH, "acme/shop", NOON, NOON, NOON, NOON)
    trouble = Trouble(What.BRANCH, "acme/shop", "acme/shop", "acme/shop has no branch development.")
    said = problem_words(told, [], ["development"], [trouble])
    return compose_problem(LILY, told, said, PENDING, BERLIN)


def pushed(number: int, gone: int = 40) -> Mail:
    """The news of a push without asking."""
    items = tuple(Unseen(HEAD, f"Push {one}", "kim", None) for one in range(number))
    titles = [f"Change {one}" for one in range(gone)]
    return compose_push(LILY, "development", items, PENDING, gone=titles, is_rewritten=True)


# What only other letters include.
PARTS = {"release", "opening"}
ABOUT = About(row(State.TO_MERGE), "sam", "#12", APPROVE, PENDING, 3)
LETTERS: dict[str, Callable[[], list[Mail]]] = {
    "request": lambda: [everything(), ask(), ask(try_url=None, body=""), release()],
    "digest": lambda: [digest(item()), digest(*(item(number) for number in range(90)))],
    "bypass": lambda: [bypass()],
    "outcome": lambda: [compose_outcome(LILY, ABOUT, Blocked(Why.CONFLICT), is_developer_told=True)],
    "sign_in": lambda: [compose_sign_in(LILY, f"{PENDING}sign-in/AAA")],
    "problem": lambda: [problem()],
    "live": lambda: [
        compose_live(
            LILY, ABOUT, Release((Passed(12, "Add gift cards", "sam", "Lily", NOON, "Fine."),), ()), "today"
        )
    ],
    "push": lambda: [pushed(1), pushed(40), pushed(0), pushed(0, gone=0)],
    "restored": lambda: [compose_restored(LILY, "then", "now", PENDING, decides=True, operates=True)],
    "trial": lambda: [compose_trial("Lily", "lily@example.com", "https://gate.example.com")],
}


def test_every_kind_of_letter_is_looked_at() -> None:
    assert set(LETTERS) == {path.stem for path in TEMPLATES.glob("*.html")} - {"base", "parts", *PARTS}


@pytest.mark.parametrize("kind", LETTERS)
def test_every_letter_is_right_in_outlook_gmail_and_apple_mail(kind: str) -> None:
    for mail in LETTERS[kind]():
        assert Reader(mail.html).unknown == set()
        assert missing(mail.html) == set()


def test_what_is_accepted_is_used_and_lacks_somewhere() -> None:
    used = {feature for mails in LETTERS.values() for mail in mails() for feature in Reader(mail.html).used}
    assert {feature for feature in ACCEPTED if feature not in used or "n" not in FEATURES[feature]} == set()
    assert {feature for feature in PARTLY if feature not in used or "a" not in FEATURES[feature]} == set()


@pytest.mark.parametrize(
    "html, feature",
    [
        ('<div style="display:flex">', "css-display-flex"),
        ('<div style="display: inline-flex">', "css-display-flex"),
        ("<style>.a { display: grid; }</style>", "css-display-grid"),
        ("<svg></svg>", "html-svg"),
        ('<p style="position:absolute">', "css-position"),
        ('<p style="background-image:url(x)">', "css-background-image"),
        ('<p style="width:calc(1px + 2em)">', "css-unit-calc"),
        ('<p style="color:var(--a)">', "css-variables"),
        ("<style>@font-face { color: red }</style>", "css-at-font-face"),
        ("<style>@media (hover: hover) { a:hover { color: red } }</style>", "css-at-media-hover"),
        ("<style>p:has(a) { color: red }</style>", "css-pseudo-class-has"),
        ("<form>", "html-form"),
        ("<video>", "html-video"),
        ("<section>", "html-semantics"),
    ],
)
def test_what_a_client_lacks_is_found(html: str, feature: str) -> None:
    assert feature in missing(html)


@pytest.mark.parametrize(
    "html", ["<blink>", "<p onclick='x'>", '<p style="zoom:1">', "<style>@page { x: y }</style>"]
)
def test_what_nobody_has_tested_is_found(html: str) -> None:
    assert Reader(html).unknown


# --- Its size -----------------------------------------------------------------------------------------------


def huge(**facts: Any) -> Iterator[Mail]:
    """Questions about a change that is as large as can be, in everything at once."""
    long = "a" * 400
    files = tuple(
        ChangedFile(f".github/workflows/{long}{number}&<", "renamed", 1, 1, long, None, True)
        for number in range(300)
    )
    change = Change(BASE, tuple(Commit(HEAD, long, "sam") for _ in range(250)), files)
    checks = Checks("red", tuple("&" * 100 for _ in range(100)))
    known = {"changed_files": 3_000, "commits": 900, "title": "&" * 256, "head": "&" * 250}
    for body in (
        "&" * 65_536,
        "## How to test\n" + "<" * 65_536,
        "# a\n" * 16_000,
        "- [x](https://e.example)\n" * 2_600,
    ):
        asked = Snapshot(
            pull(**{**known, **facts, "body": f"## How to test\n{body}\n\n## What\n{body}"}), change, checks
        )
        found = cautions(asked, is_edited=True)
        yield ask(
            asked,
            cautions=tuple(replace(one, names=one.names or (long,)) for one in found),
            others=10_000,
            talk=(
                TalkLine("x", "&" * 80, "&" * 65_536, True),
                *[TalkLine("x", "&" * 80, "&" * 2_000, False)] * 30,
            ),
            is_again=True,
            rejection=rejected("&\n" * 2_000),
            new_commits=change.commits,
            compare_url=f"https://github.com/acme/shop/compare/{long}",
            try_url=f"https://{'a' * 63}.example.com/{'&' * 1_900}",
        )


def test_however_large_the_change_gmail_shows_the_whole_letter() -> None:
    for mail in huge(head_repository=f"eve/{'b' * 90}"):
        assert len(mail.html.encode()) <= LARGEST_HTML
        assert mail.html.rstrip().endswith("</html>")
