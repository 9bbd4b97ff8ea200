"""What the pages say is true for who reads it: whose turn it is, who did what, and nothing that only developers know."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from app.db.history import Search
from app.db.rows import Happening
from app.domain.blocked import Blocked, Why
from app.domain.facts import ChangedFile, Passed, Release
from app.domain.rules import Event
from app.jobs.ask import where_to_try
from app.mail.compose import why_for_developer
from app.text.words import NOT_NOW
from tests.builders import LILY, NOON, NOT_YET, row
from tests.desk import MAX, Desk, said

HIDDEN = "\u202e\u200b\x07\ufe01"


def csrf(page: str) -> str:
    """The word that a page's forms carry."""
    return re.findall(r'name="csrf" value="([^"]+)"', page)[0]


# --- Whose turn it is ---------------------------------------------------------------------------------------


def test_what_waits_for_others_is_apart_and_not_counted(desk: Desk) -> None:
    desk.ask(1, title="Cards")
    desk.ask(2, title="Hours", asks=MAX)
    desk.sign_in()
    page = desk.client.get("/")
    words = said(page)
    assert "<title>(1) Waiting for you" in page.text
    assert "1 change is waiting for you" in words
    assert (
        words.index("Cards")
        < words.index("Waiting for someone else")
        < words.index("Hours")
        < words.index("Max was")
    )
    assert len(re.findall(r'href="http://localhost/decide/', page.text)) == 2


def test_where_only_others_are_asked_nothing_waits_for_her(desk: Desk) -> None:
    desk.ask(asks=MAX)
    desk.sign_in()
    page = desk.client.get("/")
    assert "<title>Waiting for you" in page.text
    assert "You’re all caught up" in said(page)
    assert "Waiting for someone else" in said(page)


def test_who_is_away_reads_so_first(desk: Desk) -> None:
    desk.sign_in()
    word = csrf(desk.client.get("/").text)
    desk.client.post("/away", data={"csrf": word, "until": "2026-12-01"})
    words = desk.see("/")
    assert "You’re away until Tue 1 Dec. From that day on you’ll be asked again." in words
    assert "You’ll get an email" not in words


# --- The question -------------------------------------------------------------------------------------------


def test_the_page_has_the_facts_that_the_mail_has(desk: Desk) -> None:
    words = desk.see(desk.link(desk.ask(head="gіft", head_repository="eve/shop")))
    assert "Careful: this branch name imitates another one (gіft). Ask a developer before approving." in words
    assert "From gіft, of eve/shop" in words
    assert words.index("imitates another one") < words.index("What sam wrote")
    assert "imitates another" not in desk.see(desk.link(desk.ask(13)))


def test_a_program_is_called_one_and_a_developer_is_who_to_talk_to(desk: Desk) -> None:
    desk.sign_in()
    asked = desk.ask(author="dependabot[bot]", author_is_bot=True)
    link = desk.link(asked)
    words = desk.see(link)
    for part in (
        "A program, dependabot, made this change. It needs your approval before it goes in.",
        "Message to a developer",
        "What dependabot wrote",
    ):
        assert part in words
    assert "so that a developer knows what to do" in said(desk.post(link, "reject"))
    for path in (link, "/", "/history", f"/reviews/{asked.id}"):
        assert "[bot]" not in desk.see(path), path
    assert "a program, dependabot" in desk.see("/")
    desk.post(link, "reject", "No")
    assert "A developer is being told." in desk.see(link)
    assert "[bot]" not in desk.see(link)


def test_what_cannot_be_seen_in_an_answer_is_shown_nowhere(desk: Desk) -> None:
    asked = desk.ask(private=True)
    desk.store.reviews.ask(asked.id, asked.round, f"Is it\n{HIDDEN}red?", LILY)
    desk.change(12, None, happened=[Happening("answered", "sam", f"No,\n{HIDDEN}green.")])
    desk.sign_in()
    details = desk.gate.links.details_url(asked.nonce).removeprefix("http://localhost")
    for path in (desk.link(asked), "/history?text=green", f"/reviews/{asked.id}", details):
        page = desk.client.get(path).text
        assert "No,\ngreen." in page, path
        assert not set(HIDDEN) & set(page), path


def test_of_a_submodule_the_page_names_who_to_ask(desk: Desk) -> None:
    patch = f"-Subproject commit {'a' * 40}\n+Subproject commit {'b' * 40}"
    asked = desk.ask(files=(ChangedFile("lib", "modified", 1, 1, None, patch),))
    desk.sign_in()
    assert "Ask sam what it is." in desk.see(f"/reviews/{asked.id}")


# --- After the answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "held, words",
    [
        ({"problem": "GitHub does not accept the gate's token or app key."}, NOT_NOW),
        ({"problem": "Another repository now has the name acme/shop."}, NOT_NOW),
        ({"blocked": Blocked(Why.RIGHTS, said="It needs contents=write.", tries=3)}, NOT_YET),
        ({"blocked": Blocked(Why.UNCOMPARED, tries=3)}, "GitHub can’t compare it"),
    ],
)
def test_while_something_is_in_the_way_she_reads_what_it_means_and_developers_what_it_is(
    desk: Desk, held: dict[str, Any], words: str
) -> None:
    asked = desk.ask()
    link = desk.link(asked)
    desk.post(link, "approve")
    ((name, found),) = held.items()
    reason = why_for_developer(found, "development") if name == "blocked" else found
    told = [Happening("held", "GitHub", reason)] if name == "blocked" else []
    desk.change(12, None, happened=told, **held)
    desk.clock.pass_(seconds=30)
    desk.sign_in()
    for path in (link, "/", f"/reviews/{asked.id}"):
        assert words in desk.see(path), path
        assert reason not in desk.see(path), path
    assert "Approved, not in yet" in desk.see(link)
    assert reason in desk.see(desk.gate.links.details_url(asked.nonce).removeprefix("http://localhost"))


# --- Dead ends ----------------------------------------------------------------------------------------------


def test_an_old_link_to_something_merged_says_who_said_yes_and_when(desk: Desk) -> None:
    asked = desk.ask()
    link = desk.link(asked)
    desk.post(desk.link(asked, reader=MAX), "approve")
    desk.follow(12, Event.MERGE_SENT)
    desk.follow(12, Event.MERGED, merged=True, open=False)
    desk.clock.pass_(days=31)
    assert "the change was approved by Max, Tue 24 Nov at 13:00, and is in." in desk.see(link)


@pytest.mark.parametrize("event", [Event.CLOSED, Event.DRAFTED, Event.NEW_HEAD])
def test_no_dead_end_is_without_a_way_on(desk: Desk, event: Event) -> None:
    link = desk.link(desk.ask())
    desk.follow(12, event)
    assert 'class="jump" href="/"' in desk.client.get(link).text
    assert 'class="jump" href="/"' in desk.client.get(f"{link}/fresh").text


# --- Signing in and out -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/history?text=gift&from=2026-11-01",
        "/history?person=%C3%A4&_external=1",
        "/reviews/1?x=//evil.example",
    ],
)
def test_signing_in_leads_back_to_the_very_search(desk: Desk, path: str) -> None:
    desk.client.get(path)
    assert "Please sign in first Then you’ll get to the page you wanted." in desk.see("/sign-in")
    assert desk.client.post(desk.sign_in_link()).headers["Location"] == path


def test_after_signing_out_it_says_so(desk: Desk) -> None:
    desk.sign_in()
    word = csrf(desk.client.get("/").text)
    answer = desk.client.post("/sign-out", data={"csrf": word}, follow_redirects=True)
    assert "You’re signed out To come back, sign in again." in said(answer)
    for path in ("/away", "/back", "/sign-out"):
        answer = desk.client.post(path, data={"csrf": word, "until": "2026-12-01"})
        assert (answer.status_code, "You’re signed out" in said(answer)) == (403, True)
        assert "signed in again since" not in said(answer)
        assert "Email me a sign-in link" in said(answer)
    assert desk.client.post(desk.sign_in_link()).headers["Location"] == "/"


# --- Looking things up --------------------------------------------------------------------------------------


def test_the_developers_branch_is_found(desk: Desk) -> None:
    desk.ask(1, head="gift-cards", title="Cards")
    desk.ask(2, head="opening-hours", title="Hours")
    desk.sign_in()
    words = desk.see("/history?text=opening-H")
    assert "13:00 Hours : Lily was asked" in words
    assert "Cards" not in words
    assert {entry.number for entry in desk.store.history.page(Search(text="GIFT-cards")).entries} == {1}


def test_her_page_says_that_how_an_approved_change_was_merged_could_not_be_checked(desk: Desk) -> None:
    passed = Passed(3, "Add a gift card", "sam", "Lily", NOON, "", is_unchecked=True)
    asked = desk.ask(head="development", base="master", release=Release((passed,), ()))
    assert "; how it was merged couldn’t be checked" in desk.see(desk.link(asked))


# --- Trying it ----------------------------------------------------------------------------------------------


def test_what_can_be_tried_is_what_is_merged(desk: Desk) -> None:
    gate = replace(desk.gate, preview_url="https://{sha}.example.com/{number}")
    asked = desk.ask()
    desk.change(12, None, head_sha="d" * 40, base="development")
    assert desk.row(12).round == asked.round
    assert where_to_try(gate, desk.row(12)) == f"https://{'d' * 40}.example.com/12"


def test_a_forks_branch_opens_nobody_elses_preview(desk: Desk) -> None:
    for url, shown in (
        ("https://example.com/{branch}", None),
        ("https://example.com/{number}", "https://example.com/12"),
    ):
        gate = replace(desk.gate, preview_url=url)
        assert where_to_try(gate, row(is_from_fork=True)) == shown
        assert where_to_try(gate, row()) is not None
    deployed = row(is_from_fork=True, try_url="https://deployed.example.com/")
    assert (
        where_to_try(replace(desk.gate, preview_url="https://example.com/{branch}"), deployed)
        == deployed.facts.try_url
    )
