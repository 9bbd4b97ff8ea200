"""The pages as Lily's browser, a mail scanner, another site or a load balancer meets them.

Over a real store; the rows are made through its public functions, as the worker makes them. No page may touch
GitHub or the mailer: the gate of these tests has neither.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page
from werkzeug.serving import make_server
from werkzeug.test import Client

from app import __version__
from app.db.database import Unavailable
from app.domain.approval import Choice
from app.domain.blocked import Blocked, Why
from app.domain.facts import Passed, Release, Seen, State, Unseen
from app.domain.review import Post
from app.domain.rules import Event, Signpost
from app.links import decide_link
from app.text.words import NOT_NOW
from app.web.decide import LONGEST_NOTE
from demo.serving import end, serve
from tests.builders import LILY, NOON, told
from tests.databases import ON_BOTH
from tests.desk import MAX, Desk, said
from tests.world import World

# --- The question -------------------------------------------------------------------------------------------


@ON_BOTH
def test_question_shows_what_she_must_know(desk: Desk) -> None:
    row = desk.ask(body="Adds **gift cards**.", title="Add gift cards")
    page = desk.client.get(desk.link(row))
    words = said(page)
    assert page.status_code == 200
    for part in (
        "Add gift cards",
        "sam needs your approval before this goes in.",
        "sam · #12",
        "gift-cards",
        "development",
        "Small: 12 lines in 1 file",
        "shop/cards.py",
        "today at 13:00",
        "See the code",
    ):
        assert part in words
    assert "<strong>gift cards</strong>" in page.text
    assert 'href="https://gift-cards.shop.example"' in page.text


@pytest.mark.parametrize("choice, first", [(Choice.APPROVE, "approve"), (Choice.REJECT, "reject")])
def test_the_clicked_choice_comes_first(desk: Desk, choice: Choice, first: str) -> None:
    page = desk.client.get(desk.link(desk.ask(), choice)).text
    buttons = re.findall(r'<button class="([^"]+)" type="submit" name="choice" value="(\w+)"', page)
    assert [value for look, value in buttons if "strong" in look] == [first]


def test_a_release_is_called_a_release(desk: Desk) -> None:
    passed = Passed(3, "Add a gift card", "sam", "Lily", NOON, "")
    holds = Release((passed,), (Unseen("a" * 40, "Fix in haste", "kim", None),))
    words = desk.see(desk.link(desk.ask(head="development", base="master", release=holds)))
    assert "When you approve, these 2 changes go out." in words
    assert words.index("Fix in haste") < words.index("Add a gift card")


def test_a_new_version_repeats_what_was_asked_for(desk: Desk) -> None:
    desk.post(desk.link(desk.ask()), "reject", "The button is\n<b>green</b>.")
    desk.follow(12, Event.NEW_HEAD)
    page = desk.client.get(desk.link(desk.ask_again()))
    assert "What you asked for, today at 13:00" in said(page)
    assert "The button is\n&lt;b&gt;green&lt;/b&gt;." in page.text


def test_hostile_text_stays_text(desk: Desk) -> None:
    nasty = '<script>alert(1)</script>"><img src=x>'
    row = desk.ask(title=nasty, body=nasty, author=nasty, head="a\u202eb", url='https://x/"onclick="y')
    desk.sign_in()
    for path in (desk.link(row), "/"):
        page = desk.client.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert '"onclick="' not in page
        assert "\u202e" not in page
    desk.post(desk.link(row), "reject", nasty)
    assert "<script>alert" not in desk.client.get(desk.link(row)).text


# --- Deciding -----------------------------------------------------------------------------------------------


def test_an_approval_is_kept_and_the_page_shows_how_it_goes_on(desk: Desk) -> None:
    row = desk.ask()
    answer = desk.post(desk.link(row), "approve", "Nice")
    assert (answer.status_code, answer.headers["Location"]) == (303, desk.link(row))
    decision = desk.row(12).decision
    assert decision is not None
    assert (desk.row(12).state, decision.by, decision.note) == (State.TO_MERGE, "Lily", "Nice")
    page = desk.client.get(desk.link(row))
    assert "Approved: it’s going in now" in said(page)
    assert "http-equiv" not in page.text
    assert f'<noscript><p><a class="jump" href="{desk.link(row)}">Look again</a></p></noscript>' in page.text
    assert "progress.js" in page.text


@ON_BOTH
def test_a_rejection_is_told_and_may_become_an_approval(desk: Desk) -> None:
    row = desk.ask()
    assert desk.post(desk.link(row), "reject", "Too slow.\nSee the list.").status_code == 303
    words = desk.see(desk.link(row))
    assert "Sent back to sam" in words
    assert "is being told" in words
    desk.change(12, None, posts=[Post("decision 1", "said")])
    page = desk.client.get(desk.link(row))
    assert "sam has your message." in said(page)
    assert "Too slow.\nSee the list." in page.text
    assert "progress.js" not in page.text
    assert desk.post(desk.link(row), "approve").status_code == 303
    assert desk.row(12).state is State.TO_MERGE


@pytest.mark.parametrize("note", ["", "  \n\t ", "\u200b"])
def test_a_rejection_without_a_reason_changes_nothing(desk: Desk, note: str) -> None:
    row = desk.ask()
    answer = desk.post(desk.link(row, Choice.REJECT), "reject", note)
    assert answer.status_code == 422
    assert "Write what should change, so that sam knows what to do." in said(answer)
    assert desk.row(12) == row


def test_a_note_that_is_too_long_is_not_lost(desk: Desk) -> None:
    row = desk.ask()
    note = "ä" * (LONGEST_NOTE + 1)
    answer = desk.post(desk.link(row), "reject", note)
    assert answer.status_code == 422
    assert note in answer.text
    assert desk.row(12) == row
    assert desk.post(desk.link(row), "reject", "\U0001f600" * LONGEST_NOTE).status_code == 303


def test_a_note_keeps_its_lines_and_loses_what_cannot_be_seen(desk: Desk) -> None:
    row = desk.ask()
    desk.post(desk.link(row), "reject", " One\r\n\ttwo\x00\u202e\rthree ")
    decision = desk.row(12).decision
    assert decision is not None
    assert decision.note == "One\n\ttwo\nthree"


@pytest.mark.parametrize("choice", ["", "merge", "APPROVE"])
def test_a_form_without_a_choice_changes_nothing(desk: Desk, choice: str) -> None:
    row = desk.ask()
    answer = desk.post(desk.link(row), choice, "my words")
    assert answer.status_code == 422
    assert "my words" in answer.text
    assert desk.row(12) == row


@ON_BOTH
@pytest.mark.parametrize("choice, note", [("approve", "fine"), ("reject", "not yet")])
def test_second_click_changes_nothing(desk: Desk, choice: str, note: str) -> None:
    row = desk.ask()
    desk.post(desk.link(row), choice, note)
    before = desk.tables()
    answer = desk.post(desk.link(row), choice, note)
    assert (answer.status_code, answer.headers["Location"]) == (303, desk.link(row))
    assert desk.tables() == before


@ON_BOTH
def test_an_approval_can_be_taken_back_until_it_is_merged(desk: Desk) -> None:
    row = desk.ask()
    desk.post(desk.link(row), "approve")
    assert "Withdraw my approval" in desk.see(desk.link(row))
    assert desk.post(desk.link(row), "take_back").status_code == 303
    assert desk.row(12).state is State.WAITING
    assert "Approve “Add gift cards”?" in desk.see(desk.link(row))
    assert desk.post(desk.link(row), "take_back").status_code == 303
    desk.post(desk.link(row), "approve")
    desk.follow(12, Event.MERGE_SENT)
    answer = desk.post(desk.link(row), "take_back")
    assert answer.status_code == 409
    assert "too late to withdraw that" in said(answer)
    assert "Withdraw my approval" not in said(answer)


def test_words_that_came_too_late_are_given_back(desk: Desk) -> None:
    row = desk.ask()
    desk.post(desk.link(row, reader=MAX), "approve")
    answer = desk.post(desk.link(row), "reject", "Wait,\nit is broken.")
    assert answer.status_code == 409
    assert "first withdraw the approval" in said(answer)
    assert "Wait,\nit is broken." in answer.text
    assert desk.row(12).state is State.TO_MERGE


def test_an_old_page_overrules_nobody_unread(desk: Desk) -> None:
    row = desk.ask()
    link = desk.link(row)
    old = form_of(desk.client.get(link).text)
    desk.post(desk.link(row, reader=MAX), "reject", "It loses orders.")
    answer = desk.client.post(link, data={**old, "choice": "approve", "note": "Fine."})
    assert answer.status_code == 409
    for words in ("It was decided in the meantime", "It loses orders.", "Fine.", "Approve after all"):
        assert words in said(answer)
    assert desk.row(12).state is State.REJECTED
    new = form_of(desk.client.get(f"{link}?again=approve").text)
    assert desk.client.post(link, data={**new, "choice": "approve"}).status_code == 303
    assert desk.row(12).state is State.TO_MERGE


def form_of(page: str) -> dict[str, str]:
    """What a browser sends besides what a person fills in."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w*)">', page))


@ON_BOTH
@pytest.mark.parametrize("choice", ["approve", "reject", "take_back"])
def test_an_old_round_authorises_nothing(desk: Desk, choice: str) -> None:
    old = desk.link(desk.ask())
    desk.follow(12, Event.NEW_HEAD)
    row = desk.ask_again()
    answer = desk.post(old, choice, "my words")
    assert answer.status_code == 409
    assert "This link was for the old version and can’t be used now." in said(answer)
    assert "my words" in answer.text
    assert desk.row(12) == row


# --- How it goes on -----------------------------------------------------------------------------------------


def test_a_failing_step_is_named_once_it_lasts_and_tried_again(desk: Desk) -> None:
    row = desk.ask()
    desk.post(desk.link(row), "approve")
    desk.change(12, None, problem="GitHub did not answer properly: error 502.")
    desk.clock.pass_(seconds=29)
    words = desk.see(desk.link(row))
    assert "Approved: it’s going in now" in words
    assert NOT_NOW not in words
    desk.clock.pass_(seconds=1)
    words = desk.see(desk.link(row))
    assert "Approved, not in yet" in words
    assert NOT_NOW in words
    assert "502" not in words
    details = desk.gate.links.details_url(row.nonce).removeprefix("http://localhost")
    assert "It isn’t in yet: GitHub did not answer properly: error 502." in desk.see(details)


# --- Dead ends are signposts --------------------------------------------------------------------------------


def _closed(desk: Desk) -> None:
    desk.follow(12, Event.CLOSED, open=False)


def _drafted(desk: Desk) -> None:
    desk.follow(12, Event.DRAFTED, draft=True)


def _new_version(desk: Desk) -> None:
    desk.follow(12, Event.NEW_HEAD)


def _new_version_asked(desk: Desk) -> None:
    desk.follow(12, Event.NEW_HEAD)
    desk.ask_again()


def _new_version_drafted(desk: Desk) -> None:
    desk.follow(12, Event.NEW_HEAD)
    desk.follow(12, Event.DRAFTED, draft=True)


def _new_version_approved(desk: Desk) -> None:
    _new_version_asked(desk)
    desk.post(desk.link(desk.row(12), reader=MAX), "approve")


def _new_version_rejected(desk: Desk) -> None:
    _new_version_asked(desk)
    desk.post(desk.link(desk.row(12), reader=MAX), "reject", "no")


ENDS = [
    (_closed, "This change was closed", False),
    (_drafted, "still being worked on", False),
    (_new_version, "once it hasn’t changed for a while", False),
    (_new_version_asked, "An email about the new version is on its way to you.", True),
    (_new_version_drafted, "It’s being worked on", False),
    (_new_version_approved, "The new version was approved by Max, today at 13:00", False),
    (_new_version_rejected, "The new version was rejected by Max, today at 13:00", False),
]


@pytest.mark.parametrize("happen, words, can_mail", ENDS, ids=lambda part: getattr(part, "__name__", None))
def test_an_overtaken_link_says_what_happened(
    desk: Desk, happen: Callable[[Desk], None], words: str, can_mail: bool
) -> None:
    link = desk.link(desk.ask())
    happen(desk)
    page = desk.client.get(link)
    assert page.status_code == 200
    assert words in said(page)
    assert ("Email me a new link" in said(page)) is can_mail
    assert 'name="choice"' not in page.text
    before = desk.tables()
    answer = desk.post(link, "approve", "my words")
    assert (answer.status_code, "my words" in answer.text) == (409, True)
    assert desk.tables() == before


def test_a_round_that_nobody_was_asked_about_cannot_be_answered_on_the_page(desk: Desk) -> None:
    page = desk.client.get(desk.link(desk.new()))
    assert "Not ready for you yet" in said(page)
    assert 'name="choice"' not in page.text


@pytest.mark.parametrize("token", ["x", "a.b.c", "%00", "e" * 5000])
def test_a_damaged_link_leads_to_the_list(desk: Desk, token: str) -> None:
    for path in (f"/decide/{token}", f"/sign-in/{token}"):
        for answer in (desk.client.get(path), desk.client.post(path)):
            assert answer.status_code == 404
            assert "This link doesn’t work" in said(answer)
            assert 'href="/"' in answer.text


def test_a_changed_link_decides_nothing(desk: Desk) -> None:
    row = desk.ask()
    link = desk.link(row)
    other = desk.link(row, reader=MAX)
    mixed = f"{other.partition('.')[0]}.{link.partition('.')[2]}"
    assert desk.post(mixed, "approve").status_code == 404
    assert desk.row(12) == row


def test_an_expired_link_decides_nothing_and_offers_a_fresh_one(desk: Desk) -> None:
    row = desk.ask()
    link = desk.link(row)
    desk.clock.pass_(days=31)
    page = desk.client.get(link)
    assert page.status_code == 410
    assert "This link is too old" in said(page)
    assert "Email me a new link" in said(page)
    answer = desk.post(link, "reject", "my words")
    assert answer.status_code == 410
    assert "my words" in answer.text
    assert desk.row(12) == row


@pytest.mark.parametrize(
    "happen, words", [(_closed, "was closed"), (_new_version, "See everything that’s waiting")]
)
def test_an_expired_link_offers_no_mail_where_nothing_waits(
    desk: Desk, happen: Callable[[Desk], None], words: str
) -> None:
    link = desk.link(desk.ask())
    happen(desk)
    desk.clock.pass_(days=31)
    assert words in desk.see(link)
    assert "Email me" not in desk.see(link)


@pytest.mark.parametrize("days", [0, 31])
def test_a_fresh_link_goes_to_her_own_address_only(desk: Desk, days: int) -> None:
    link = desk.link(desk.ask(), reader=MAX)
    desk.follow(12, Event.NEW_HEAD)
    row = desk.ask_again()
    desk.clock.pass_(days=days)
    answer = desk.client.post(f"{link}/fresh")
    assert answer.status_code == 303
    words = desk.see(answer.headers["Location"])
    assert "If the change is still waiting" in words
    letter = desk.tables()["letters"][-1]
    assert (letter["kind"], letter["reviewer"], letter["round"]) == ("fresh", MAX.id, row.round)
    assert desk.row(12) == row


def test_who_is_no_reviewer_any_more_decides_and_gets_nothing(desk: Desk) -> None:
    link = desk.link(desk.ask())
    removed = desk.without(LILY)
    before = desk.tables()
    for answer in (
        removed.get(link),
        removed.post(link, data={"choice": "approve"}),
        removed.post(f"{link}/fresh"),
    ):
        assert answer.status_code == 403
        assert "isn’t on the list of reviewers" in said(answer)
        assert "gift cards" not in said(answer)
    assert desk.tables() == before


def test_a_link_about_nothing_known_says_so(desk: Desk) -> None:
    row = desk.ask()
    path = desk.gate.links.decide_url(
        decide_link(row, LILY.id)._replace(nonce="0" * 24, number=99), desk.clock()
    )
    answer = desk.client.get(path.removeprefix("http://localhost"))
    assert (answer.status_code, "We don’t know the change" in said(answer)) == (404, True)


def test_every_signpost_of_the_rules_has_words_of_its_own(desk: Desk) -> None:
    notices = desk.app.jinja_env.get_template("pages/notices.html").module
    fallback = notices.notice("?", None)  # type: ignore[attr-defined]
    pages_of_their_own = {Signpost.OLD_ROUND, Signpost.CLOSED, Signpost.DRAFT}
    # Taking back what nobody decided leads straight to the question.
    for why in (
        set(Signpost)
        - pages_of_their_own
        - {Signpost.UNDECIDED, Signpost.NEEDS_REASON, Signpost.NEEDS_QUESTION}
    ):
        assert notices.notice(why.value, None) != fallback, why  # type: ignore[attr-defined]


# --- Errors -------------------------------------------------------------------------------------------------


class Broken(Exception):
    """Something nobody thought of."""


def raising(error: Exception) -> Callable[..., Any]:
    """A stand-in for a database call that fails."""

    def fail() -> Any:
        raise error

    return fail


def test_a_fault_of_ours_shows_and_logs_no_link(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    link = desk.link(desk.ask())
    desk.store.database.read = raising(Broken("secret words"))  # type: ignore[method-assign]
    answer = desk.client.get(link)
    assert answer.status_code == 500
    assert "Something went wrong" in said(answer)
    assert "secret words" not in answer.text
    assert "pages.question failed" in caplog.text
    assert link.rpartition("/")[2] not in caplog.text


@pytest.mark.parametrize(
    "method, path, status, words",
    [
        ("GET", "/nowhere", 404, "There’s no such page"),
        ("PUT", "/sign-in", 405, "can’t be used like that"),
        ("GET", "/sign-out", 405, "can’t be used like that"),
        ("GET", "/assets/x/../layout.html", 404, "There’s no such page"),
        ("GET", "/assets/x/layout.html", 404, "There’s no such page"),
    ],
)
def test_errors_are_kind_pages(desk: Desk, method: str, path: str, status: int, words: str) -> None:
    answer = desk.client.open(path, method=method)
    assert (answer.status_code, words in said(answer)) == (status, True)
    assert ("Allow" in answer.headers) is (status == 405)


def style_of(page: str) -> str:
    return re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)[0]


def every_get(desk: Desk) -> dict[str, str]:
    """A path for every GET route and every situation that a link may meet."""
    desk.sign_in()
    paths = {name: name for name in ("/", "/sign-in", "/sign-in/sent", "/healthz", "/readyz", "/nowhere")}
    paths["way in"] = desk.sign_in_link()
    paths["question"] = desk.link(desk.ask(1))
    paths["fresh"] = f"{paths['question']}/fresh"
    for number, event in ((2, Event.CLOSED), (3, Event.DRAFTED), (4, Event.NEW_HEAD), (5, Event.MERGED)):
        paths[event.value] = desk.link(desk.ask(number))
        desk.follow(number, event)
    for number, choice in ((6, "approve"), (7, "reject")):
        paths[choice] = desk.link(desk.ask(number))
        desk.post(paths[choice], choice, "words")
    paths["never asked"] = desk.link(desk.new(8))
    paths["history"], paths["mistyped"] = "/history?text=gift", "/history?from=soon"
    paths["review"], paths["unread"] = f"/reviews/{desk.row(7).id}", f"/reviews/{desk.row(8).id}"
    paths["status"] = desk.gate.links.details_url(desk.row(7).nonce).removeprefix("http://localhost")
    paths["style"] = style_of(desk.get("/sign-in/sent").text)
    return paths


@ON_BOTH
def test_get_and_head_never_write(desk: Desk) -> None:
    paths = every_get(desk)
    rules = {rule.rule for rule in desk.app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    assert len(rules) <= len(paths)
    before = desk.tables()
    for path in paths.values():
        assert desk.get(path).status_code == desk.get(path).status_code
        head = desk.client.head(path, buffered=True)
        assert head.status_code == desk.get(path).status_code
        assert head.data == b""
    assert desk.tables() == before


def test_every_answer_carries_the_headers(desk: Desk) -> None:
    paths = every_get(desk)
    answers = {name: desk.get(path) for name, path in paths.items()}
    answers["refused"] = desk.client.post("/sign-out")
    answers["wrong way"] = desk.client.put("/")
    desk.store.database.read = raising(Broken())  # type: ignore[method-assign]
    answers["failed"] = desk.client.get(paths["question"])
    for name, answer in answers.items():
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert answer.headers["Referrer-Policy"] == "no-referrer", name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        assert "noindex" in answer.headers["X-Robots-Tag"], name
        assert (answer.headers["Cache-Control"] == "no-store") is (name != "style"), name


def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(desk: Desk) -> None:
    for name, path in every_get(desk).items():
        page = desk.get(path).text
        loaded = re.findall(r'<(?:script|img|link)\b[^>]*?(?:src|href)="([^"]+)"', page)
        assert all(address.startswith("/assets/") for address in loaded), name
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page), name


# --- Other sites --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "site, is_let_in",
    [("cross-site", False), ("same-site", False), ("same-origin", True), ("none", True), (None, True)],
)
def test_only_our_own_pages_may_send_a_form(desk: Desk, site: str | None, is_let_in: bool) -> None:
    row = desk.ask()
    headers = {"Sec-Fetch-Site": site} if site else {}
    answer = desk.post(desk.link(row), "approve", headers=headers)
    assert answer.status_code == (303 if is_let_in else 403)
    assert (desk.row(12).state is State.TO_MERGE) is is_let_in


@pytest.mark.parametrize("path", ["/sign-in", "{link}/fresh", "{way_in}", "/sign-out"])
def test_every_form_refuses_other_sites(desk: Desk, path: str) -> None:
    path = path.format(link=desk.link(desk.ask()), way_in=desk.sign_in_link())
    before = desk.tables()
    answer = desk.client.post(path, data={"address": LILY.address}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, "another page" in said(answer)) == (403, True)
    assert desk.tables() == before


def test_a_link_from_a_mail_program_opens(desk: Desk) -> None:
    row = desk.ask()
    answer = desk.client.get(desk.link(row), headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200


# --- Signing in ---------------------------------------------------------------------------------------------


def test_known_and_unknown_addresses_get_the_same_words(desk: Desk) -> None:
    answers = [
        desk.client.post("/sign-in", data={"address": address}, follow_redirects=True)
        for address in (" LILY@example.com ", "mallory@example.com", "", "x" * 10_000, "lily@example.com\n\0")
    ]
    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    assert "Check your inbox" in said(answers[0])
    letters = [(letter["kind"], letter["reviewer"]) for letter in desk.tables()["letters"]]
    assert letters == [("sign_in", LILY.id)]


@ON_BOTH
def test_a_way_in_is_opened_by_a_button_and_works_once(desk: Desk) -> None:
    link = desk.sign_in_link()
    assert "Hi Lily" in desk.see(link)
    assert "Hi Lily" in desk.see(link)
    answer = desk.client.post(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "You’re all caught up" in desk.see("/")
    second = desk.app.test_client()
    for again in (second.get(link), second.post(link)):
        assert again.status_code == 410
        assert "has been used" in said(again)
        assert 'name="address"' in again.text
    assert second.get("/").status_code == 303


def test_a_way_in_ends_after_an_hour(desk: Desk) -> None:
    link = desk.sign_in_link()
    desk.clock.pass_(minutes=61)
    for answer in (desk.client.get(link), desk.client.post(link)):
        assert answer.status_code == 410
        assert "too old" in said(answer)
    assert desk.client.get("/").status_code == 303


def test_a_session_ends_when_its_reviewer_is_not_named_any_more(desk: Desk) -> None:
    desk.ask()
    desk.sign_in()
    cookie = desk.client.get_cookie("session")
    assert cookie is not None
    removed = desk.without(LILY)
    removed.set_cookie("session", cookie.value)
    answer = removed.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert "Your email address" in said(removed.get("/sign-in"))


def test_signing_in_starts_a_session_of_its_own(desk: Desk) -> None:
    with desk.client.session_transaction() as session:
        session["csrf"], session["planted"] = "known to somebody else", "yes"
    desk.sign_in()
    with desk.client.session_transaction() as session:
        assert set(session) == {"_permanent", "reviewer", "csrf", "epoch", "since", "seen"}
        assert session["csrf"] != "known to somebody else"


def test_a_session_is_renewed_once_a_day_by_using_it_but_not_for_ever(world: World) -> None:
    world.browser.post("/sign-in", data={"address": "lily@example.com"})
    world.settle()
    world.browser.post(re.findall(r"/sign-in/\S+", world.inbox.mails[-1].text)[0])
    renewed = []
    for hours in (1, 22, 1, 24 * 148, 1, 24 * 2):
        world.clock.pass_(hours=hours)
        answer = world.browser.get("/")
        assert answer.status_code == 200
        renewed.append("Expires=" in answer.headers.get("Set-Cookie", ""))
    assert renewed == [False, False, True, True, False, False]


def test_a_sign_in_link_leads_on_to_her_page_in_any_browser(world: World) -> None:
    own, mail_program = world.browser, Client(world.browser.application)
    own.get("/history?text=gift")
    own.post("/sign-in", data={"address": "lily@example.com"})
    world.settle()
    link = re.findall(r"/sign-in/\S+", world.inbox.mails[-1].text)[0]
    assert mail_program.get(link).status_code == 200
    entered = mail_program.post(link)
    assert (entered.status_code, entered.headers["Location"]) == (303, "/history?text=gift")
    assert "Expires=" in entered.headers["Set-Cookie"]


@pytest.mark.parametrize("given", ["", "wrong", "ä", "\ud83d"])
def test_signing_out_needs_the_sessions_own_form(desk: Desk, given: str) -> None:
    desk.sign_in()
    answer = desk.client.post("/sign-out", data={"csrf": given.encode("utf-8", "surrogatepass")})
    assert (answer.status_code, "Please try that again" in said(answer)) == (403, True)
    page = desk.client.get("/").text
    csrf = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
    assert desk.client.post("/sign-out", data={"csrf": csrf}).status_code == 303
    assert desk.client.get("/").headers["Location"] == "/sign-in"


# --- What waits ---------------------------------------------------------------------------------------------


@ON_BOTH
def test_what_waits_longest_comes_first_and_is_one_click_away(desk: Desk) -> None:
    for number, title in ((3, "Oldest"), (1, "Middle"), (2, "Newest")):
        desk.ask(number, title=title)
        desk.clock.pass_(hours=1)
    desk.sign_in()
    page = desk.client.get("/")
    assert "<title>(3) Waiting for you" in page.text
    assert "3 changes are waiting for you" in said(page)
    assert re.findall(r"Oldest|Middle|Newest", said(page)) == ["Oldest", "Middle", "Newest"]
    links = re.findall(r'href="http://localhost(/decide/[^"]+)"', page.text)
    assert "Oldest" in desk.see(links[0])
    assert desk.post(links[0], "approve").status_code == 303
    assert desk.row(3).state is State.TO_MERGE


@ON_BOTH
def test_the_list_shows_whose_turn_the_rest_is(desk: Desk) -> None:
    desk.ask(1, title="Held", asks=MAX)
    desk.post(desk.link(desk.row(1)), "approve")
    desk.change(1, None, blocked=Blocked(Why.CONFLICT))
    desk.ask(2, title="Sent back")
    desk.post(desk.link(desk.row(2)), "reject", "Too slow")
    desk.ask(3, title="Unfinished")
    desk.follow(3, Event.DRAFTED)
    desk.ask(4, title="Asked of Max", asks=MAX)
    desk.new(5)
    desk.sign_in()
    words = desk.see("/")
    for part in (
        "You’re all caught up",
        "Waiting for someone else Asked of Max",
        "Max was asked",
        "Someone else changed the same part.",
        "Changes requested sam · by you, today at 13:00 Too slow",
        "Unfinished Draft",
        "You’ll be asked once it hasn’t changed for a while.",
    ):
        assert part in words


def test_the_list_says_in_plain_words_what_a_lasting_problem_means_for_her(desk: Desk) -> None:
    desk.ask()
    desk.told(told(Seen("f" * 40, "development", True, False, False, "x", "0" * 16), 1, repository_id=8))
    desk.sign_in()
    before, _, after = desk.see("/").partition("2 minutes ago")
    for minutes in (2, 7, 12):
        desk.store.problems.refresh(["acme/shop"], [], [])
        assert desk.see("/") == f"{before}{minutes} minutes ago{after}"
        desk.clock.pass_(minutes=5)
    desk.store.problems.refresh(["acme/shop"], [], [])
    page = desk.see("/")
    assert "what you approve goes in once this is solved" in page
    assert "Please tell whoever looks after QA gate." in page
    assert "acme/shop" not in page


def test_the_list_is_for_reviewers_only(desk: Desk) -> None:
    desk.ask()
    answer = desk.client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert "gift cards" not in answer.text


# --- Health -------------------------------------------------------------------------------------------------


def test_healthz_needs_nothing(desk: Desk) -> None:
    desk.store.database.read = raising(Broken())  # type: ignore[method-assign]
    answer = desk.client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


@ON_BOTH
def test_readyz_follows_the_worker(desk: Desk) -> None:
    answer = desk.client.get("/readyz")
    assert (answer.status_code, answer.json["worker"]) == (503, "silent")  # type: ignore[index]
    desk.store.queue.beat("one")
    desk.clock.pass_(seconds=59)
    answer = desk.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {
        "ready": True,
        "version": __version__,
        "github": "ok",
        "mail": "ok",
        "problems": [],
        "database": "ok",
        "worker": "alive",
        "worker_seen_ago": 59.0,
        "oldest_due_for": None,
        "reviewers": "there",
    }
    desk.clock.pass_(seconds=1)
    assert desk.client.get("/readyz").status_code == 503


@ON_BOTH
def test_readyz_sees_overdue_work(desk: Desk) -> None:
    desk.new()
    desk.clock.pass_(minutes=5)
    desk.store.queue.beat("one")
    assert desk.client.get("/readyz").status_code == 200
    desk.clock.pass_(seconds=1)
    answer = desk.client.get("/readyz")
    assert (answer.status_code, answer.json["oldest_due_for"]) == (503, 301.0)  # type: ignore[index]


def test_readyz_sees_that_the_database_is_away(desk: Desk) -> None:
    desk.store.database.read = raising(Unavailable("secret words"))  # type: ignore[method-assign]
    answer = desk.client.get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"ready": False, "version": __version__, "database": "away"},
    )


# --- In a real browser --------------------------------------------------------------------------------------


@pytest.fixture
def served(desk: Desk) -> Iterator[tuple[Desk, str]]:
    """The pages on a port of this machine."""
    server = make_server("127.0.0.1", 0, desk.app, threaded=True)
    thread = serve(server)
    yield desk, f"http://127.0.0.1:{server.server_port}"
    end(server, thread)


def test_no_page_scrolls_sideways_on_a_phone_and_every_target_is_large(
    served: tuple[Desk, str], open_page: Callable[..., Page]
) -> None:
    desk, url = served
    long_word = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 4
    paths = every_get(desk)
    paths["long"] = desk.link(desk.ask(9, title=long_word, body=f"`{long_word}` {long_word}", head=long_word))
    cookie = desk.client.get_cookie("session")
    assert cookie is not None
    phone = open_page(width=375)
    phone.context.add_cookies([{"name": "session", "value": cookie.value, "url": url}])
    for name, path in paths.items():
        if path in ("/healthz", "/readyz", paths["style"]):
            continue
        phone.goto(url + path)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 375, name
        small = phone.evaluate(
            """[...document.querySelectorAll("button, .btn, summary, input:not([type=hidden]), select, textarea, .top a, .card, .event")]
            .filter(one => one.getBoundingClientRect().height < 44).map(one => one.outerHTML)"""
        )
        assert small == [], name


def test_a_browser_asks_for_each_static_file_once(desk: Desk) -> None:
    page = desk.get("/sign-in/sent").text
    files = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert {path.rpartition("/")[2] for path in files} == {"style.css", "favicon.svg"}
    for path in files:
        kept = desk.get(path)
        assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        # The name of another release leads to what there is now, and that is not kept under it.
        other = desk.get(f"/assets/000000000000/{path.rpartition('/')[2]}")
        assert (other.status_code, other.data) == (200, kept.data)
        assert other.headers["Cache-Control"] == "no-cache"


def test_static_files_are_packed_for_who_can_unpack_them(desk: Desk) -> None:
    path = style_of(desk.get("/sign-in/sent").text)
    plain = desk.get(path)
    packed = desk.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 2
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    refused = desk.get(path, headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers
