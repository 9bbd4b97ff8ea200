"""What developers see: the page that a status at GitHub leads to, signed, read-only, and in public without her words."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.blocked import Blocked, Why
from app.domain.rules import Event
from app.links import Links
from tests.desk import Desk, said
from tests.world import SHOP, World


def details(desk: Desk) -> str:
    """The path of the page about the only review."""
    return desk.gate.links.details_url(desk.row(12).nonce).removeprefix("http://localhost")


@pytest.mark.parametrize("private", [True, False])
def test_in_public_the_page_repeats_no_words_of_hers(desk: Desk, private: bool) -> None:
    desk.post(desk.link(desk.ask(private=private)), "reject", "The margin of Acme is wrong")
    words = desk.see(details(desk))
    assert "Lily requested changes today at 12:00." in words
    assert "Push a fix, or request a review from anyone, and Lily will be asked again." in words
    assert words.count("The margin of Acme is wrong") == (2 if private else 0)


def test_an_earlier_version_keeps_her_words_to_itself_in_public(desk: Desk) -> None:
    desk.post(desk.link(desk.ask(private=False)), "reject", "The margin of Acme is wrong")
    desk.follow(12, Event.NEW_HEAD)
    desk.ask_again(private=False)
    words = desk.see(details(desk))
    assert "12:00 Lily rejected" in words
    assert "margin" not in words


def test_it_says_what_was_asked_when_and_why_it_is_not_merged_yet(desk: Desk) -> None:
    row = desk.ask(title="Add gift cards", body="Adds **gift cards**.", private=False)
    desk.clock.pass_(hours=2)
    waiting = desk.see(details(desk))
    assert "Waiting for Lily acme/shop #12 Add gift cards" in waiting
    assert "Lily was asked today at 12:00 (2 hours ago). Next step Nothing to do." in waiting
    assert "Times are in UTC." in waiting
    desk.post(desk.link(row), "approve")
    desk.change(12, None, blocked=Blocked(Why.CONFLICT))
    assert "It isn’t in yet: Someone else changed the same part." in desk.see(details(desk))


def test_it_decides_nothing_and_needs_nobody_to_sign_in(desk: Desk) -> None:
    desk.ask()
    before = desk.tables()
    page = desk.client.get(details(desk))
    assert page.status_code == 200
    assert "/decide/" not in page.text
    assert "<form" not in page.text
    assert "Set-Cookie" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert desk.client.post(details(desk)).status_code == 405
    assert desk.tables() == before


def test_a_link_that_is_not_ours_is_a_signpost(desk: Desk) -> None:
    row = desk.ask()
    token = details(desk).rpartition("/")[2]
    forged = Links(["x" * 40], "", 30).details_url(row.nonce).rpartition("/")[2]
    for bad in (forged, token[:-1], f"{token}x", "x", "e" * 5000, desk.link(row).rpartition("/")[2]):
        answer = desk.client.get(f"/status/{bad}")
        assert (answer.status_code, "Details beside the status leads" in said(answer)) == (404, True), bad
    unknown = desk.gate.links.details_url("0" * 24).removeprefix("http://localhost")
    assert "We don’t know the change" in said(desk.client.get(unknown))


def test_hostile_words_stay_words_for_developers_too(desk: Desk) -> None:
    nasty = "<script>alert(1)</script>\u202e"
    desk.post(desk.link(desk.ask(title=nasty, body=nasty, head=nasty, private=True)), "reject", nasty)
    page = desk.client.get(details(desk)).text
    assert "<script>" not in page
    assert "\u202e" not in page


def test_details_beside_the_status_lead_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "git", f"sqlite:///{tmp_path / 'qa-gate.db'}", monkeypatch)
    try:
        world.open()
        world.settle()
        world.decide()
        world.settle()
        said_there = world.github.repo(SHOP).statuses[world.github.pull(1).head_sha]
        assert [status.state for status in said_there] == ["pending", "success"]
        assert len({status.target_url for status in said_there}) == 1
        address = said_there[0].target_url or ""
        assert address.startswith(f"{world.url}/status/")
        page = world.see(address.removeprefix(world.url))
        assert "Add gift cards" in page
        assert "It’s in <span" in page
    finally:
        world.stop()
