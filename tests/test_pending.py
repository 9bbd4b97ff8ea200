"""The list: one card a change, one link a card, and chips that say what is special about it; old links lead to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from app.db.rows import Happening
from app.db.tables import rounds
from app.domain.facts import Passed, Release, Unseen
from app.domain.rules import Event
from tests.builders import LILY, NOON
from tests.databases import ON_BOTH
from tests.desk import MAX, Desk, said


@pytest.fixture
def desk(usual_url: str) -> Iterator[Desk]:
    desk = Desk(usual_url)
    desk.sign_in()
    yield desk
    desk.store.close()


def cards(desk: Desk) -> dict[str, str]:
    """What each card of the page says beside its title, by title."""
    page = desk.client.get("/").text
    found = re.findall(r'<li class="card">(.*?)</li>', page, flags=re.DOTALL)
    texts = [" ".join(re.sub(r"<[^>]+>", " ", card).split()) for card in found]
    titles = [re.sub(r"<[^>]+>", "", re.findall(r"<a [^>]+>(.*?)</a>", card)[0]) for card in found]
    assert all(card.count("<a ") == 1 for card in found)
    return {title: text.removeprefix(title).strip() for title, text in zip(titles, texts, strict=True)}


def answer(desk: Desk, number: int, words: str) -> None:
    row = desk.row(number)
    assert desk.store.reviews.ask(row.id, row.round, "Is it red?", LILY) is None
    desk.change(number, None, happened=[Happening("answered", "sam", words)])


def release(**facts: Any) -> dict[str, Any]:
    passed = Passed(3, "Add a gift card", "sam", "Lily", NOON, "")
    holds = Release((passed,), (Unseen("a" * 40, "Fix in haste", "kim", None),))
    return {"head": "development", "base": "master", "release": holds, **facts}


def test_a_first_question_is_new_and_says_whose_it_is_and_how_large(desk: Desk) -> None:
    desk.ask(title="Cards", additions=900, changed_files=14)
    assert cards(desk) == {"Cards": "New sam · large, 14 files · just now"}


@ON_BOTH
def test_each_says_how_long_it_has_been_waiting_as_the_longest_comes_first(desk: Desk) -> None:
    desk.ask(1, title="Cards")
    desk.clock.pass_(hours=3)
    assert cards(desk) == {"Cards": "New sam · small, 1 file · 3 hours ago"}


def test_a_newer_version_than_she_was_asked_about_is_marked(desk: Desk) -> None:
    desk.post(desk.link(desk.ask(title="Cards")), "reject", "Too slow")
    desk.follow(12, Event.NEW_HEAD)
    desk.ask_again(title="Cards")
    assert cards(desk) == {"Cards": "New version sam · small, 1 file · just now"}


def test_the_same_code_asked_again_is_not_called_a_new_version(desk: Desk) -> None:
    desk.post(desk.link(desk.ask(title="Cards")), "reject", "Too slow")
    desk.follow(12, Event.READY, happened=[Happening("again", "sam", "the developer asks again")])
    desk.ask_again(title="Cards")
    assert cards(desk) == {"Cards": "Asked again sam · small, 1 file · just now"}


def test_a_version_that_nobody_was_mailed_about_makes_the_next_one_no_news(desk: Desk) -> None:
    desk.ask(title="Cards")
    desk.follow(12, Event.NEW_HEAD)
    desk.ask_again(title="Cards")
    assert cards(desk) == {"Cards": "New sam · small, 1 file · just now"}


def test_what_waits_for_two_days_is_marked_with_its_days(desk: Desk) -> None:
    desk.ask(1, title="Old")
    desk.clock.pass_(hours=1)
    desk.ask(2, title="Younger", **release())
    desk.clock.pass_(hours=47)
    assert cards(desk) == {
        "Old": "Waiting 2 days sam · small, 1 file",
        "Release of 2 changes": "Release since Tue 24 Nov at 14:02",
    }
    desk.clock.pass_(days=1)
    assert [text.split(" sam")[0] for text in cards(desk).values()] == [
        "Waiting 3 days",
        "Release Waiting 2 days since Tue 24 Nov at 14:02",
    ]


def test_with_nothing_to_do_she_reads_that_she_is_caught_up(desk: Desk) -> None:
    page = desk.client.get("/")
    assert "You’re all caught up You’ll get an email when there’s something to look at." in said(page)
    assert "<title>Waiting for you" in page.text


@pytest.mark.parametrize("days", [0, 31])
def test_signed_in_an_old_link_opens_what_waits_at_once(desk: Desk, days: int) -> None:
    old = desk.link(desk.ask())
    desk.follow(12, Event.NEW_HEAD)
    row = desk.ask_again(title="Cards")
    desk.clock.pass_(days=days)
    page = desk.client.get(old)
    link = re.findall(r'<a class="btn strong" href="http://localhost(/decide/[^"]+)">([^<]+)<', page.text)
    assert [words for _, words in link] == ["Open the change" if days else "Open the new version"]
    assert "Email me" not in page.text
    assert desk.post(link[0][0], "approve").status_code == 303
    assert desk.row(12).round == row.round
    assert desk.row(12).is_approved


@ON_BOTH
def test_signed_in_as_another_an_old_link_opens_a_question_of_ones_own(desk: Desk) -> None:
    old = desk.link(desk.ask(), reader=MAX)
    desk.follow(12, Event.NEW_HEAD)
    desk.ask_again()
    link = re.findall(r'href="http://localhost(/decide/[^"]+)"', desk.client.get(old).text)[0]
    desk.post(link, "approve")
    decision = desk.row(12).decision
    assert decision is not None
    assert decision.by == "Lily"


def test_signed_out_an_old_link_says_where_the_newer_email_is(desk: Desk) -> None:
    old = desk.link(desk.ask())
    desk.follow(12, Event.NEW_HEAD)
    desk.ask_again()
    stranger = desk.app.test_client()
    assert "An email about the new version is on its way to you." in said(stranger.get(old))
    letter = max(letter["id"] for letter in desk.tables()["letters"] if letter["kind"] == "ask")
    desk.store.letters.note_sent(letter)
    page = stranger.get(old)
    assert "The email about the new version is already in your inbox." in said(page)
    assert "/decide/" not in page.text.replace(old, "")


# --- People -------------------------------------------------------------------------------------------------


def name_the_author(desk: Desk, name: str) -> None:
    """Let the snapshot say what the author is called, as the commits at GitHub do."""
    with desk.store.database.write() as connection:
        for row in connection.execute(select(rounds)).all():
            change = row.snapshot.change
            named = replace(change, commits=tuple(replace(one, name=name) for one in change.commits))
            connection.execute(update(rounds).values(snapshot=replace(row.snapshot, change=named)))


def test_people_are_called_by_their_names_and_developers_read_logins_beside_them(desk: Desk) -> None:
    row = desk.ask(title="Cards")
    answer(desk, 12, "No.")
    name_the_author(desk, "Sam\u202e Lee")
    assert cards(desk) == {"Cards": "Sam Lee answered Sam Lee · small, 1 file · just now"}
    details = desk.gate.links.details_url(row.nonce).removeprefix("http://localhost")
    words = desk.see(details)
    assert "Author Sam Lee (sam)" in words
    assert "Sam Lee (sam) answered" in words
    assert "(sam)" not in desk.see(f"/reviews/{row.id}")
    assert "Sam Lee answered" in desk.see(f"/reviews/{row.id}")
    name_the_author(desk, "sam")
    assert "(sam)" not in desk.see(details)


def test_nobody_from_outside_and_no_program_is_called_by_a_name_they_chose(desk: Desk) -> None:
    desk.ask(1, title="Outside", author="sam", head_repository="eve/shop")
    desk.change(1, None, is_from_outside=True)
    desk.ask(2, title="Program", author="sam", author_is_bot=True)
    name_the_author(desk, "Lily")
    assert [text.removeprefix("New ") for text in cards(desk).values()] == [
        "sam · small, 1 file · just now"
    ] * 2
