"""The decision on a phone: what she tapped first, few taps, ticks that go along, and who is called by which name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from markupsafe import Markup
from playwright.sync_api import Page, expect

from app.db.rows import Happening
from app.domain.approval import Choice
from app.domain.facts import ChangedFile, Commit, Passed, Release, State, Unseen
from app.domain.rules import Event
from app.mail.comments import comment
from app.text.how_to_test import steps_of
from app.text.words import device_words
from tests.builders import HEAD, LILY, NOON, snapshot
from tests.desk import MAX, Desk, said
from tests.test_web import served  # noqa: F401 - a fixture
from tests.world import World

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
HOW = "Adds them.\n\n## How to test\n\nFirst sign in.\n\n1. Open *Gifts*\n2. Put one into the cart\n\nThen wait.\n"
WORKFLOW = ChangedFile(".github/workflows/ci.yml", "modified", 1, 0, None, "@@ -1 +1 @@\n-a\n+b")
HIDDEN = ChangedFile("logo.png", "modified", 0, 0)


def plain(desk: Desk) -> Any:
    return desk.ask()


def answered(desk: Desk) -> Any:
    row = desk.ask()
    desk.store.reviews.ask(row.id, row.round, "Should a card for 0 euros be possible?", LILY)
    return desk.change(12, None, happened=[Happening("answered", "sam", "No. " * 200)])


def rejected_before(desk: Desk) -> Any:
    desk.post(desk.link(desk.ask()), "reject", "It is too slow.\n" * 20)
    desk.follow(12, Event.NEW_HEAD)
    return desk.ask_again()


def two_warnings(desk: Desk) -> Any:
    return desk.ask(files=(WORKFLOW, HIDDEN))


def release(desk: Desk) -> Any:
    passed = tuple(Passed(number, "Add a card", "sam", "Lily", NOON, "") for number in range(30))
    unseen = tuple(Unseen("a" * 40, "Fix in haste", "kim", number) for number in range(1, 30))
    return desk.ask(head="development", base="master", release=Release(passed, unseen))


@pytest.mark.parametrize("state", [plain, answered, rejected_before, two_warnings, release])
def test_the_buttons_are_on_the_first_screen_of_a_phone(
    served: tuple[Desk, str],  # noqa: F811
    open_page: Callable[..., Page],
    state: Callable[[Desk], Any],
) -> None:
    desk, url = served
    page, row = open_page(width=375), state(desk)
    for choice in (Choice.APPROVE, Choice.REJECT):
        page.goto(url + desk.link(row, choice))
        top = page.locator("button[name=choice]").first.bounding_box()
        assert top
        assert top["y"] <= 560


@pytest.mark.parametrize("width", [375, 1280])
def test_the_buttons_end_where_the_field_ends_and_the_page_ends_below_its_last_card(
    served: tuple[Desk, str],  # noqa: F811
    open_page: Callable[..., Page],
    width: int,
) -> None:
    desk, url = served
    row = desk.ask()
    page = open_page(width=width)
    page.goto(url + desk.link(row, Choice.REJECT))
    ends = [
        box["x"] + box["width"]
        for one in (page.get_by_label("Message to sam"), page.get_by_role("button", name="Reject"))
        if (box := one.bounding_box())
    ]
    assert abs(ends[0] - ends[1]) < 1.5, ends
    details = desk.gate.links.details_url(row.nonce).removeprefix("http://localhost")
    for path in (desk.link(row), details):
        page.goto(url + path)
        below = "document.documentElement.scrollHeight - document.querySelector('main').lastElementChild.getBoundingClientRect().bottom"
        assert page.evaluate(below) - page.evaluate("window.scrollY") >= 24


def test_the_longest_title_and_three_warnings_leave_the_buttons_near(
    served: tuple[Desk, str],  # noqa: F811
    open_page: Callable[..., Page],
) -> None:
    desk, url = served
    page = open_page(width=375)
    title = "Gift cards everywhere " * 12
    page.goto(url + desk.link(desk.ask(title=title[:256], files=(WORKFLOW, HIDDEN), head="gіft")))
    expect(page.get_by_role("region", name="Before you start").get_by_role("listitem")).to_have_count(3)
    top = page.locator("button[name=choice]").first.bounding_box()
    assert top
    assert top["y"] <= 700
    expect(page.get_by_role("heading", level=3, name=title[:256].strip())).to_be_visible()


def test_the_buttons_keep_their_places_and_only_the_emphasis_moves(desk: Desk) -> None:
    row = desk.ask()
    pages = {choice: desk.client.get(desk.link(row, choice)).text for choice in Choice}
    pages_of = [pages[Choice.APPROVE], pages[Choice.REJECT]]
    icons = {re.search(r'value="reject"><svg.*?</svg>', text, re.DOTALL) for text in pages_of}
    assert len({found[0] for found in icons if found}) == 1
    pages_of.append(desk.post(desk.link(row), "question").text)
    for page, strong in zip(pages_of, ("approve", "reject", "question"), strict=True):
        buttons = re.findall(r'<button class="([^"]+)" type="submit" name="choice" value="(\w+)"', page)
        assert [value for _, value in buttons] == ["approve", "reject", "question"]
        assert [value for look, value in buttons if "strong" in look] == [strong]


def test_rejecting_without_a_message_asks_for_one_and_keeps_the_ticks(desk: Desk) -> None:
    row = desk.ask(body=HOW)
    key = re.findall(r'name="works" value="(\w+)"', desk.client.get(desk.link(row)).text)[1]
    form = {"choice": "reject", "note": "", "page": "approve", "works": key}
    page = desk.client.post(desk.link(row), data=form).text
    assert "What should sam change?" in page
    assert 'role="alert"' not in page  # she made no mistake
    assert f'value="{key}" checked' in page
    assert " autofocus" in page
    again = desk.client.post(desk.link(row), data={**form, "page": "reject"}).text
    assert "Write what should change" in again
    assert desk.row(12) == row


def test_what_she_ticked_and_her_device_go_along_to_the_developer(world: World) -> None:
    world.open(body=HOW)
    world.settle()
    key = re.findall(r'name="works" value="(\w+)"', world.see())[0]
    form = {"choice": "approve", "note": "Lovely.", "works": [key, "made-up"]}
    world.browser.post(world.link(), data=form, headers={"User-Agent": IPHONE})
    head = world.row().head_sha
    world.settle()
    (review,) = world.github.pull(1).reviews
    assert "- Works: Open Gifts\n- Not ticked: Put one into the cart" in review.body
    assert f"Decided on an iPhone, Safari; version {head[:7]}." in review.body


def test_details_shows_developers_what_was_tried_and_on_what(desk: Desk) -> None:
    row = desk.ask(body=HOW, private=True)
    link, page = (
        desk.link(row),
        desk.gate.links.details_url(row.nonce).removeprefix("http://localhost"),
    )
    key = re.findall(r'name="works" value="(\w+)"', desk.client.get(link).text)[0]
    form = {"choice": "reject", "note": "It’s cut off.", "works": key, "seen": "0"}
    desk.client.post(link, data=form, headers={"User-Agent": IPHONE})
    details = desk.see(page)
    told = details.partition("Lily’s message")[2].partition("Facts")[0]
    assert "It’s cut off. What was tried Works: Open Gifts Not ticked: Put one into the cart" in told
    assert f"Decided on an iPhone, Safari; version {row.head_sha[:7]}" in told
    desk.change(12, None, private=False)
    assert "What was tried" not in desk.see(page)  # anybody can read that page


def test_what_was_ticked_acts_on_nothing_in_the_comment() -> None:
    from app.domain.approval import Basis

    basis = Basis(works=("@everyone closes #12 <!-- x -->",), unticked=("[a](https://evil.example)",))
    body = comment(Choice.REJECT, "Lily", "No", "<!-- mark -->", "abc1234", basis=basis)
    assert "@everyone" not in body
    assert "#12" not in body
    assert "](https" not in body
    assert "Version abc1234." in body


@pytest.mark.parametrize(
    "agent, words",
    [
        (IPHONE, "an iPhone, Safari"),
        ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36", "an Android phone, Chrome"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Windows, Edge"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0", "a Mac, Firefox"),
        ("Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 SamsungBrowser/26.0 Chrome/122.0 Safari/537.36", "an Android tablet, Samsung Internet"),
        ("curl/8.5 <script>", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_browser_is_named_in_words_of_ours(agent: str, words: str) -> None:
    assert device_words(agent) == words


def test_the_points_of_each_list_are_steps_and_the_words_between_stay() -> None:
    html = Markup(
        "<p>First</p><ol><li>One <a href='x'>a</a></li><li><p>Two</p><ul><li>in it</li></ul></li></ol><p>Last</p>"
    )
    steps = steps_of(html)
    assert [(bool(step.key), step.html) for step in steps] == [
        (False, "<p>First</p>"),
        (True, "One <a href='x'>a</a>"),
        (True, "<p>Two</p><ul><li>in it</li></ul>"),
        (False, "<p>Last</p>"),
    ]
    assert [step.text for step in steps if step.key] == ["One a", "Two in it"]


@pytest.mark.parametrize(
    "html, words",
    [
        ("<section>\n<ul><li>Pay</li></ul>\n</section><p>Last</p>", ["<p>Last</p>"]),
        ("<details><summary>How</summary><ul><li>Pay</li></ul></details>", ["<summary>How</summary>"]),
        (
            "<p>a<br>b</p><div><blockquote><p>c</p><ul><li>Pay</li></ul></blockquote>d</div>",
            ["<p>a<br>b</p><p>c</p>", "d"],
        ),
        ('<ol><li>Pay</li><li><img src="/p" alt=""></li></ol>', ['<img src="/p" alt="">']),
        ("<ul>First<li>Pay</li><ul><li>in it</li></ul></ul>", ["First", "<ul><li>in it</li></ul>"]),
    ],
)
def test_the_words_between_steps_are_all_there_and_begin_and_end_nothing_of_the_page(
    html: str, words: list[str]
) -> None:
    steps = steps_of(Markup(html))
    assert [step.html for step in steps if not step.key] == words
    assert [step.text for step in steps if step.key] == ["Pay"]


@pytest.mark.parametrize("html", ["", "<p>No list</p>", f"<ul>{'<li>x</li>' * 41}</ul>"])
def test_what_is_no_list_of_steps_stays_as_it_was_written(html: str) -> None:
    assert [(step.key, step.html) for step in steps_of(Markup(html))] == [("", html)]


def test_approve_after_all_asks_once_more_and_a_get_decides_nothing(desk: Desk) -> None:
    link = desk.link(desk.ask())
    desk.post(link, "reject", "Too slow.")
    before = desk.tables()
    way = re.findall(
        r'href="([^"]+)">[^<]*<svg[^>]*><path[^>]*/></svg>Approve after all', desk.client.get(link).text
    )
    page = desk.client.get(way[0])
    assert "Approve “Add gift cards”?" in said(page)
    assert "Too slow." in said(page)
    assert desk.tables() == before
    assert desk.post(link, "approve").status_code == 303
    assert desk.row(12).state is State.TO_MERGE


def test_each_act_is_confirmed_once(desk: Desk) -> None:
    link = desk.link(desk.ask())
    sent = desk.post(link, "question", "Why?").headers["Location"]
    assert "Question sent to sam" in desk.see(sent)
    assert "Approve “Add gift cards”?" in desk.see(link)
    desk.post(link, "approve")
    assert "Question sent" not in desk.see(sent)
    back = desk.post(link, "take_back").headers["Location"]
    assert "You withdrew your approval Nothing will be merged." in desk.see(back)
    assert "withdrew" not in desk.see(desk.link(desk.row(12), reader=MAX)).partition("What happened")[0]


def test_a_link_alone_leads_to_no_other_change(desk: Desk) -> None:
    desk.ask(13, title="Another")
    link = desk.link(desk.ask())
    desk.post(link, "reject", "No")
    assert "Next:" not in desk.see(link)
    desk.sign_in()
    assert "Next: Another" in desk.see(link)


def test_people_are_called_by_their_names_and_outsiders_and_programs_are_not() -> None:
    named = Commit(HEAD, "Add gift cards", "sam", "Sam Meyer")
    asked = snapshot()
    asked = replace(asked, change=replace(asked.change, commits=(named,)))
    assert asked.author_name == "Sam Meyer"
    for facts in ({"author": "kim"}, {"author_is_bot": True}):
        assert replace(asked, pull=replace(asked.pull, **facts)).author_name in ("kim", "sam")
