"""Every dead end is a signpost: what happened, in kind words, and the next step."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import event

from demo.story.browser import Browser as Person
from tests.gallery import Gallery
from tests.test_accessibility import faults
from tests.world import World

OpenPage = Callable[..., Page]
LIST, FRESH, WAY_IN = "See everything that’s waiting", "Email me a new link", "Email me a sign-in link"


# Each with the words that say what happened, and those of the next step: a link or button, or a sentence.
SIGNPOSTS = {
    "merged": ("It’s in", "goes out with the next release"),
    "rejected": ("Sent back to Sam Meyer", "Approve after all"),
    "held": ("Show when we answer", "Withdraw my approval"),
    "decided by another": ("Sent back to Sam Meyer", "Max requested changes"),
    "bypassed": ("Merged without your approval", "talk to Sam Meyer"),
    "closed": ("This change was closed", "you’ll get a new email"),
    "draft": ("Not ready for you yet", "You’ll get a new email when it’s ready."),
    "preparing": ("Not ready for you yet", "once it hasn’t changed for a while"),
    "wrong way": ("This page can’t be used like that", LIST),
    "old round": ("There’s a newer version", FRESH),
    "expired": ("This link is too old", FRESH),
    "tampered": ("This link doesn’t work", LIST),
    "forgotten": ("There’s nothing here now", LIST),
    "not a reviewer": ("You aren’t asked about changes now", "tell whoever runs QA gate"),
    "fresh link sent": ("Check your inbox", "Look in the spam folder"),
    "sign in: mail sent": ("Check your inbox", "Try again"),
    "way in, used": ("This link has been used", WAY_IN),
    "way in, too old": ("This link is too old", WAY_IN),
    "details: tampered": ("This link doesn’t work", "GitHub"),
    "missing": ("There’s no such page", LIST),
}


@pytest.mark.parametrize("name", SIGNPOSTS)
def test_it_says_what_happened_and_what_to_do_next(gallery: Gallery, name: str) -> None:
    page = Person().open(f"{gallery.world.url}{gallery.pages[name]}")
    happened, following = SIGNPOSTS[name]
    assert page.heading == happened
    assert following in page.words


def test_signed_out_the_list_leads_to_the_way_in(gallery: Gallery) -> None:
    for path in ("/", "/history", gallery.pages["review"]):
        page = Person().open(f"{gallery.world.url}{path}")
        assert page.url == f"{gallery.world.url}/sign-in"
        assert WAY_IN in page.words


def test_a_form_of_another_page_changes_nothing(gallery: Gallery, open_page: OpenPage) -> None:
    page = open_page(375)
    address = f"{gallery.world.url}{gallery.pages['question']}"
    page.set_content(
        f'<form method="post" action="{address}"><button name="choice" value="approve">Win</button></form>'
    )
    page.get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("That came from another page")
    expect(page.get_by_role("main")).to_contain_text(LIST)


def test_a_form_of_an_earlier_session_changes_nothing(
    gallery: Gallery, browser: Browser, open_page: OpenPage
) -> None:
    page = open_page(375, storage_state=gallery.session(browser))
    page.goto(gallery.world.url)
    page.locator("input[name=csrf]").evaluate_all(
        "(fields) => fields.forEach((field) => { field.value = 'of another session' })"
    )
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Please try that again")
    page.get_by_role("link", name=LIST).click()
    expect(page).to_have_title(re.compile("Waiting for you"))


def test_much_too_many_words_are_refused_and_not_lost(gallery: Gallery, open_page: OpenPage) -> None:
    page = open_page(375)
    page.goto(f"{gallery.world.url}{gallery.pages['question']}")
    page.get_by_text("Add a message to Sam Meyer").click()
    page.get_by_role("textbox").fill("ä" * 150_000)
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("That’s too much at once")
    page.go_back()
    expect(page.locator("textarea")).to_have_value(re.compile("^ä{4000}"))


def test_a_fault_of_ours_is_not_blamed_on_her(
    gallery: Gallery, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(375)
    with monkeypatch.context() as broken:
        broken.delattr(gallery.world.store, "reviews")
        page.goto(f"{gallery.world.url}{gallery.pages['question']}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Something went wrong")
        expect(page.get_by_role("main")).to_contain_text("This is our fault")
        assert faults(page, "failed") == []
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve “Add gift cards”?")


def test_after_signing_out_it_says_so(gallery: Gallery, browser: Browser, open_page: OpenPage) -> None:
    page = open_page(375, storage_state=gallery.session(browser))
    page.goto(gallery.world.url)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You’re signed out")
    expect(page.get_by_role("button", name=WAY_IN)).to_be_visible()


def test_when_the_records_are_away_nothing_is_lost(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    world = World(tmp_path / "git", sqlite_url, monkeypatch)
    world.open()
    world.settle()
    page = open_page(375)
    page.goto(f"{world.url}{world.link('reject')}")
    page.get_by_role("textbox").fill("The total is wrong.")
    for engine in world.store.database.engines:  # half a second is as long as the gate's ten for who waits
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=500"))
        engine.dispose()
    away = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    away.execute("BEGIN IMMEDIATE")  # somebody else holds the records, longer than anybody waits
    page.get_by_role("button", name="Reject").click(timeout=30_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("Please come back in a minute")
    assert faults(page, "away") == []
    away.close()
    page.go_back()
    expect(page.get_by_role("textbox")).to_have_value("The total is wrong.")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sent back to sam")
    world.stop()
