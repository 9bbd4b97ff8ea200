"""No text, however hostile, keeps the process busy for more than a quarter of a second (DESIGN 2, promise 10).

Each shape is measured alone, in seconds of CPU. What is usual here is a quarter of the bound, so that a busy machine
fails no test; what grows with the square of its length takes many times the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage
from typing import Any

import pytest

from app.domain.approval import Choice
from app.domain.blocked import Blocked, Why
from app.domain.facts import Change, ChangedFile, Checks, Commit, Release, Snapshot
from app.github.commits import LONGEST_PATCH, MOST_PATCHES
from app.mail.comments import blocked_comment, comment, question, with_part, without_part
from app.mail.question import TalkLine
from app.text.clean import disarmed, person, plain, quoted
from app.text.how_to_test import is_about_testing, parted, says_how
from app.text.markdown import rendered
from app.text.words import csv_line, diff_blocks
from tests.builders import BASE, HEAD, LILY, snapshot
from tests.hostile import shapes
from tests.seconds import soon
from tests.test_mail import ask, bypass, digest, item, rejected
from tests.world import SHOP, World

LONGEST_BODY = 65_536  # GitHub's own limit for a description or a comment
SHAPES = shapes(LONGEST_BODY)
# One of each kind: what composes, what decomposes, what parsers look for the end of, what they repeat, what they fill in.
WORST = ["marks", "marks of class zero", "brackets", "bold of many kinds", "wide table"]


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_a_description_is_rendered_soon_and_stays_small(text: str) -> None:
    with soon():
        made = rendered(text)
    with soon():
        how, rest = parted(text)
    for one in (made, how, rest):
        assert len(one.html) < 300_000
        assert len(one.text) < 150_000
        one.html.encode()


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_every_other_function_for_strangers_text_is_done_soon(text: str) -> None:
    doors: list[Callable[[str], Any]] = [
        plain,
        person,
        quoted,
        disarmed,
        says_how,
        is_about_testing,
        without_part,
        lambda words: plain(words, 60),
        lambda words: csv_line([words] * 9),
        lambda words: list(diff_blocks(words)),
        lambda words: comment(Choice.REJECT, words, words[:4_000], "<!-- m -->"),
        lambda words: question(words, words[:4_000], "<!-- m -->"),
        lambda words: blocked_comment(Blocked(Why.CHECKS_RED, (words,), words), "<!-- m -->", words[:200]),
        lambda words: with_part(words, Release((), (), 1), "development", "master"),
    ]
    for door in doors:
        with soon():
            door(text)


FIELDS = [
    "title",
    "body",
    "author",
    "head",
    "base",
    "head_repository",
    "repository",
    "note",
    "answer",
    "commits",
    "checks",
    "files",
]


@pytest.mark.parametrize("field", FIELDS)
def test_a_mail_with_any_of_them_anywhere_is_composed_soon(field: str) -> None:
    for name in WORST:
        text = SHAPES[name]
        with soon():
            mail = _mail(field, text)
        assert len(mail.html.encode()) < 102_000, name


def _mail(field: str, text: str) -> Any:
    match field:
        case "note":
            return ask(rejection=rejected(text, text))
        case "answer":
            return ask(
                is_answer=True,
                talk=(TalkLine(LILY.id, "Lily", text, True), TalkLine("sam", "sam", text, False)),
            )
        case "commits":
            return ask(is_again=True, new_commits=tuple(Commit(HEAD, text, "sam") for _ in range(250)))
        case "checks":
            return ask(Snapshot(snapshot().pull, Change(BASE, (), ()), Checks("red", (text,) * 5)))
        case "files":
            files = tuple(ChangedFile(text, "renamed", 1, 1, text) for _ in range(300))
            return ask(Snapshot(snapshot().pull, Change(BASE, (), files)))
    return ask(**{field: text})


@pytest.mark.parametrize("field", ["title", "author", "place"])
def test_the_list_and_the_news_with_any_of_them_are_composed_soon(field: str) -> None:
    for text in (SHAPES[name] for name in WORST):
        with soon():
            digest(item(**{field: text}))
        with soon():
            bypass(**{"repository" if field == "place" else field: text})


@pytest.mark.parametrize("piece", ["\n", "+\n-\n", "+a\n-b\n", "@@ -1 +1 @@\n", "+\u0f73", "+\u202e", "a"])
def test_the_largest_difference_of_files_is_read_soon(piece: str) -> None:
    patch = (piece * LONGEST_PATCH)[:LONGEST_PATCH]
    with soon():
        for _ in range(MOST_PATCHES // LONGEST_PATCH):
            list(diff_blocks(patch))


def test_rendering_gives_its_memory_back() -> None:
    """cmarkgfm itself keeps every document: https://github.com/theacodes/cmarkgfm/issues/53."""
    text = "- [ ] a *b* `c` [d](https://e.com)\n" * 200

    def render(times: int, start: int) -> None:
        for number in range(start, start + times):
            rendered(f"{number}\n{text}")

    render(40, 0)  # as many as are kept on purpose
    before = getrusage(RUSAGE_SELF).ru_maxrss
    render(60, 40)
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 6_000  # KB; it was about 15,000


# --- Through the doors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", WORST)
def test_no_door_lets_a_text_stop_the_process(world: World, shape: str) -> None:
    text = SHAPES[shape]
    with soon(2):  # a whole life, with the stand-ins' own work
        world.commit("gift-cards", text)
        number = world.github.open_pull_request(SHOP, "gift-cards", title=text[:256], body=text)
        world.settle()
        world.pass_(minutes=5)
    old = world.link()
    for path in (old, f"/reviews/{number}", f"/history?text={text[:2_000]}"):
        with soon(1):
            world.browser.get(path)
    with soon(1):
        world.browser.post(old, data={"choice": "question", "note": text[:3_000]})
    with soon(2):
        world.github.comment(number, text, by="sam")
        world.settle()
        world.pass_(minutes=5)
        world.settle()
    world.commit("gift-cards", "More", cards_py="more\n")
    world.pass_(hours=1)
    with soon(1):
        assert world.browser.post(
            old, data={"choice": "reject", "note": "a" + text[:1] * 131_000}
        ).status_code in (409, 413, 422)
    with soon(1):
        world.browser.post(world.link(), data={"choice": "reject", "note": text + text})
