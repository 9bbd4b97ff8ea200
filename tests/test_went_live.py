"""After a release: what went live, as a list to copy for customers, on the page, as a file and by mail."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.domain.facts import Passed, Release, State
from app.mail.news import About, compose_live, live_text, what_went_live
from tests.builders import LILY, NOON, row
from tests.test_release import asked, begin, later, merge, push
from tests.world import World

OpenPage = Callable[..., Page]
TEXT = """What’s new, 24 November 2026

• Add gift cards: “Tried with 25 and 50. Lovely.”
• Bigger pictures
• Fix in haste
"""


@pytest.fixture
def live(world: World) -> str:
    """The path of the link to a release that went live: two approved changes and one pushed past QA."""
    begin(world)
    merge(world, note="Tried with 25 and 50.\nLovely.")
    merge(world, "pictures", "Bigger pictures")
    push(world)
    asked(world)
    path = world.link("approve")
    world.decide(path=path)
    later(world)
    return path


def test_the_page_has_the_titles_and_her_notes_to_copy(world: World, live: str) -> None:
    page = world.see(live)
    assert "It’s live" in page
    assert "What went live" in page
    assert TEXT.strip() in page


def test_before_it_is_merged_and_for_any_other_change_there_is_no_such_list(world: World) -> None:
    world.open()
    world.settle()
    path = world.link()
    assert "What went live" not in world.see(path)
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED
    assert "What went live" not in world.see(path)


def test_who_approved_it_gets_one_mail_with_the_list(world: World, live: str) -> None:
    (mail,) = [mail for mail in world.inbox.mails if "the release you approved went out" in mail.text]
    assert mail.to == ["Lily <lily@example.com>"] or "lily@example.com" in str(mail.to)
    assert "Hi Lily, the release you approved went out on Tue 24 Nov at" in mail.text
    assert "- Add gift cards\n  Tried with 25 and 50. Lovely.\n- Bigger pictures\n- Fix in haste" in mail.text
    assert "Copy this for customers" in mail.html
    assert "#went" in mail.text
    assert mail.preview.startswith("It’s live: 3 changes went out")
    before = len(world.inbox.mails)
    world.look()
    later(world, hours=2)
    assert len(world.inbox.mails) == before  # twice is once


def test_it_is_copied_with_one_tap(world: World, live: str, open_page: OpenPage) -> None:
    page = open_page(width=375, permissions=["clipboard-read", "clipboard-write"])
    page.goto(world.url + live)
    page.get_by_role("button", name="Copy the list").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == TEXT.strip()


def test_without_javascript_one_tap_selects_all_of_it(world: World, live: str, open_page: OpenPage) -> None:
    page = open_page(width=375, javascript=False)
    page.goto(world.url + live)
    expect(page.get_by_role("button", name="Copy the list")).to_be_hidden()
    assert page.locator("pre.copy").evaluate("(list) => getComputedStyle(list).userSelect") == "all"


def test_a_title_of_many_lines_is_one_line_and_a_missing_one_has_words() -> None:
    passed = (
        Passed(1, "Add\n<b>cards</b>\u202e", "sam", "Lily", NOON, "• no\n\nbullet"),
        Passed(2, "", "sam", "Lily", NOON, ""),
    )
    listed = live_text(what_went_live(Release(passed, ())), NOON.date())
    assert listed == (
        "What’s new, 24 November 2026\n\n• Add <b>cards</b>: “• no bullet”\n• A change without a title\n"
    )


def test_the_mail_of_a_large_release_stays_small() -> None:
    passed = tuple(Passed(number, "x" * 200, "sam", "Lily", NOON, "y" * 1_000) for number in range(300))
    about = About(
        row(State.MERGED), "sam", "#12", "https://gate.example.com/x", "https://gate.example.com/", 2, True
    )
    mail = compose_live(LILY, about, Release(passed, ()), "on Tue 24 Nov at 12:00")
    assert len(mail.html.encode()) <= 90_000
    assert re.search(r"and (250|290) more", mail.text)
