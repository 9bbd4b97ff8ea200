"""The story in a real browser: from the link in Lily's mail to "It’s in"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.domain.facts import State
from app.worker import Worker
from tests.world import World, wait_until

OpenPage = Callable[..., Page]


@pytest.fixture
def world(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path / "git", sqlite_url, monkeypatch)
    worker = Worker(world.gate)
    worker.start()
    yield world
    worker.stop()
    world.stop()


def mailed_link(world: World, words: str, mails: int = 1) -> str:
    """The address behind a button of her newest mail."""
    wait_until(lambda: len(world.inbox.mails) == mails)
    return next(link["url"] for link in world.inbox.mails[-1].links if words in link["words"])


def test_a_tap_in_the_mail_and_one_on_the_page_merge_it(world: World, open_page: OpenPage) -> None:
    world.open(body="Customers asked for **gift cards**.")
    page = open_page(width=375)
    page.goto(mailed_link(world, "Approve"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Add gift cards")
    expect(page.get_by_text("gift cards").first).to_be_visible()
    assert world.row().state is State.WAITING
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("It’s in", timeout=60_000)
    assert world.merges() == 1


def test_it_works_without_javascript(world: World, open_page: OpenPage) -> None:
    world.open()
    page = open_page(width=375, javascript=False)
    page.goto(mailed_link(world, "Approve"))
    page.get_by_role("button", name="Approve").click()
    wait_until(lambda: world.row().state is State.MERGED)
    again = page.get_by_role("link", name="Look again")
    if again.count():  # it may have been merged before the page came
        again.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("It’s in")


def test_a_no_asks_for_its_reason_and_loses_nothing(world: World, open_page: OpenPage) -> None:
    world.open()
    page = open_page(width=375)
    page.goto(mailed_link(world, "Reject"))
    expect(page.get_by_role("textbox")).to_be_focused()
    page.get_by_role("button", name="Reject").click()
    assert world.row().state is State.WAITING
    page.get_by_role("textbox").fill("The total is wrong for two cards.")
    page.get_by_role("button", name="Reject").click()
    wait_until(lambda: world.row().state is State.REJECTED)
    wait_until(lambda: len(world.github.pull(1).reviews) == 1)
    assert "The total is wrong for two cards." in world.github.pull(1).reviews[0].body


def test_a_mail_scanner_that_runs_scripts_decides_nothing(world: World, open_page: OpenPage) -> None:
    world.open()
    wait_until(lambda: len(world.inbox.mails) == 1)
    for link in world.inbox.mails[0].links:
        if link["url"].startswith(world.url):
            for _ in range(2):
                page = open_page()
                page.goto(link["url"])
                page.wait_for_load_state("networkidle")
    assert (world.row().state, world.row().decision) == (State.WAITING, None)


def test_she_signs_in_from_her_mail_and_decides_from_the_list(world: World, open_page: OpenPage) -> None:
    world.open()
    wait_until(lambda: len(world.inbox.mails) == 1)
    page = open_page(width=375)
    page.goto(world.url)
    page.get_by_role("textbox").fill("lily@example.com")
    page.get_by_role("button").click()
    wait_until(lambda: len(world.inbox.mails) == 2)
    page.goto(next(link["url"] for link in world.inbox.mails[-1].links if "/sign-in/" in link["url"]))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title(re.compile(r"^\(1\) Waiting for you"))
    page.get_by_role("link", name="Add gift cards").first.click()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("It’s in", timeout=60_000)
