"""One change, to be read: what a reviewer sees of it, whatever it holds and however it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from app.db.rows import Happening
from app.domain.approval import Merged
from app.domain.blocked import Blocked, Why
from app.domain.facts import ChangedFile
from app.domain.review import Review
from app.domain.rules import Event
from app.text.words import diff_blocks
from demo.serving import end, serve
from tests.builders import CARDS
from tests.desk import MAX, Desk
from tests.world import wait_until

PATCH = """\
@@ -1,3 +1,3 @@ def total(cart):
 def total(cart):
-    return "old"
+    return "<b>new\u202e</b>"
@@ -40,2 +40,3 @@
 last
+\tend
\\ No newline at end of file"""


@pytest.fixture
def desk(sqlite_url: str) -> Iterator[Desk]:
    desk = Desk(sqlite_url)
    desk.sign_in()
    yield desk
    desk.store.close()


def ask(desk: Desk, *files: ChangedFile, number: int = 12, **facts: Any) -> Review:
    """A row that waits for an answer about these files."""
    return desk.ask(number, files=files or (CARDS,), **facts)


def page_of(desk: Desk, row: Review) -> str:
    answer = desk.client.get(f"/reviews/{row.id}")
    assert answer.status_code == 200
    return answer.text


def see(desk: Desk, row: Review) -> str:
    return desk.see(f"/reviews/{row.id}")


# --- Changes ------------------------------------------------------------------------------------------------


def test_a_patch_is_blocks_of_lines_that_keep_their_signs_and_lose_what_hides() -> None:
    assert list(diff_blocks(PATCH)) == [
        ("same", "  def total(cart):"),
        ("removed", '-     return "old"'),
        ("added", '+     return "<b>new</b>"'),
        ("part", "40"),
        ("same", "  last"),
        ("added", "+ \tend"),
    ]


@pytest.mark.parametrize(
    "patch", ["", "@@", "@@ -1 +" + "9" * 5000, "\\", "\r\n\0", "+", "\n\n", "no diff at all"]
)
def test_no_patch_is_too_odd_to_be_shown(patch: str) -> None:
    for kind, words in diff_blocks(patch):
        assert kind in ("same", "added", "removed"), words


def test_what_came_and_went_is_told_by_sign_and_word_and_nothing_runs(desk: Desk) -> None:
    page = page_of(desk, ask(desk, ChangedFile("a/<i>.py", "modified", 2, 1, None, PATCH)))
    assert '<pre class="removed"><span class="sr">Removed: </span>-     return' in page
    assert (
        '<pre class="added"><span class="sr">Added: </span>+     return &#34;&lt;b&gt;new&lt;/b&gt;' in page
    )
    assert "From line 40" in page
    assert "No newline" not in page
    assert "\u202e" not in page
    assert "a/&lt;i&gt;.py" in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    "file, words",
    [
        (ChangedFile("a.png", "added", 0, 0), "GitHub doesn’t show what changed here"),
        (
            ChangedFile("b.py", "renamed", 0, 0, "a.py"),
            "renamed, was a.py GitHub shows only its new name.",
        ),
        (ChangedFile("c.py", "modified", 9, 9, None, "@@ -1 +1 @@\n-a\n+b", True), "The rest is too long"),
    ],
)
def test_what_cannot_be_shown_of_a_file_is_said(desk: Desk, file: ChangedFile, words: str) -> None:
    assert words in see(desk, ask(desk, file))


# --- How it stands ------------------------------------------------------------------------------------------


def test_a_waiting_one_leads_to_its_decision(desk: Desk) -> None:
    row = ask(desk, ChangedFile("a.py", "added", 1, 0), title="Add gift cards")
    page = page_of(desk, row)
    assert "You were asked today at 13:02" in see(desk, row)
    link = re.findall(r'href="http://localhost(/decide/[^"]+)">Approve or reject', page)[0]
    assert desk.post(link, "approve").status_code == 303
    assert "See how it’s going, or withdraw" in see(desk, row)


def _approved(desk: Desk, row: Review) -> None:
    desk.post(desk.link(row), "approve", "Lovely")


def _held(desk: Desk, row: Review) -> None:
    _approved(desk, row)
    desk.change(row.number, None, blocked=Blocked(Why.CONFLICT))


def _merged(desk: Desk, row: Review) -> None:
    _approved(desk, row)
    desk.follow(row.number, Event.MERGE_SENT)
    desk.follow(row.number, Event.MERGED, merged=True, open=False)


def _bypassed(desk: Desk, row: Review) -> None:
    facts: dict[str, Any] = {"merged": True, "open": False, "merged_how": Merged.BYPASSED}
    desk.follow(row.number, Event.MERGED, happened=[Happening("bypassed", "mallory", "merged")], **facts)


def _rejected(desk: Desk, row: Review) -> None:
    desk.post(desk.link(row), "reject", "Too slow")


def _closed(desk: Desk, row: Review) -> None:
    desk.follow(row.number, Event.CLOSED, open=False)


def _drafted(desk: Desk, row: Review) -> None:
    desk.follow(row.number, Event.DRAFTED, draft=True)


def _pushed(desk: Desk, row: Review) -> None:
    desk.follow(row.number, Event.NEW_HEAD)


@pytest.mark.parametrize(
    "happen, words, leads_on",
    [
        (_approved, "Lily approved it today at 13:02. It’s going in now. Lovely", True),
        (_held, "It isn’t in yet: Someone else changed the same part.", True),
        (_merged, "Approved by Lily, today at 13:02. It’s in.", False),
        (
            _bypassed,
            "Not approved sam · #12 Add gift cards mallory merged it into development on GitHub without asking you.",
            False,
        ),
        (_rejected, "Lily requested changes today at 13:02. Too slow", True),
        (_closed, "It was closed without going in.", False),
        (_drafted, "It’s still being worked on.", False),
        (_pushed, "There’s a newer version; nobody has been asked about it yet.", False),
    ],
)
def test_every_state_is_said_and_only_an_open_one_leads_on(
    desk: Desk, happen: Callable[[Desk, Review], None], words: str, leads_on: bool
) -> None:
    row = ask(desk)
    happen(desk, row)
    assert words in see(desk, row)
    assert ("/decide/" in page_of(desk, row)) is leads_on


def test_one_that_was_never_asked_about_is_shown_with_what_is_known(desk: Desk) -> None:
    words = see(desk, desk.new())
    assert "Add gift cards" in words
    assert "You’ll be asked once it hasn’t changed for a while." in words
    assert "You’ll be asked once it hasn’t changed for a while." in desk.see("/")


def test_earlier_versions_are_named_with_their_answers(desk: Desk) -> None:
    _rejected(desk, ask(desk))
    desk.follow(12, Event.NEW_HEAD)
    desk.clock.pass_(days=1)
    ask_again = desk.ask_again()
    desk.follow(12, Event.NEW_HEAD)
    desk.ask_again()
    assert (
        "Earlier versions Yesterday at 13:02: Lily rejected, yesterday at 13:02 "
        "Today at 13:02: replaced by a newer version"
    ) in see(desk, ask_again)


def test_a_title_that_was_changed_after_she_was_asked_is_said(desk: Desk) -> None:
    row = ask(desk, title="Add gift cards")
    desk.change(12, None, title="Something else")
    words = see(desk, row)
    assert "Something else" in words
    assert "It had another title when this was asked: Add gift cards" in words


def test_hostile_text_of_a_change_stays_text(desk: Desk) -> None:
    nasty = '<script>alert(1)</script>"><img src=x onerror=y>\u202e'
    row = ask(
        desk, ChangedFile(nasty, "renamed", 1, 1, nasty, f"+{nasty}"), title=nasty, body=nasty, head=nasty
    )
    _rejected(desk, row)
    desk.post(desk.link(row), "approve", nasty)
    for page in (page_of(desk, row), desk.client.get("/history").text):
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page


# --- Who may see it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/reviews/1", "/history", "/history?format=csv"])
def test_only_reviewers_see_it_and_signing_in_leads_back(desk: Desk, path: str) -> None:
    ask(desk)
    stranger = desk.app.test_client()
    answer = stranger.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert "gift cards" not in answer.text
    assert stranger.post(desk.sign_in_link()).headers["Location"] == path


# --- In a real browser --------------------------------------------------------------------------------------


@pytest.fixture
def url(desk: Desk) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, desk.app, threaded=True)
    thread = serve(server)
    yield f"http://127.0.0.1:{server.server_port}"
    end(server, thread)


def signed_in(desk: Desk, url: str, page: Page) -> Page:
    cookie = desk.client.get_cookie("session")
    assert cookie is not None
    page.context.add_cookies([{"name": "session", "value": cookie.value, "url": url}])
    return page


def test_changes_can_be_read_on_a_phone_by_keyboard_without_scripts(
    desk: Desk, url: str, open_page: Callable[..., Page]
) -> None:
    long = f"@@ -1 +1 @@\n-{'x' * 500}\n+short"
    row = ask(
        desk,
        ChangedFile("a.py", "modified", 2, 1, None, PATCH),
        ChangedFile("b.py", "modified", 1, 1, None, long),
    )
    page = signed_in(desk, url, open_page(375, javascript=False))
    page.goto(f"{url}/reviews/{row.id}")
    expect(page.get_by_text('return "old"')).to_be_hidden()
    page.locator("summary", has_text="a.py").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text('return "old"')).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Changes of a.py"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Changes of b.py")).to_be_visible()
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")

    def scrolls() -> bool:
        # A key that comes before the browser has drawn what opened moves nothing.
        page.keyboard.press("ArrowRight")
        return bool(page.evaluate("document.activeElement.scrollLeft > 0"))

    wait_until(scrolls)
    assert outline == "solid"
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_everything_is_searched_by_keyboard_without_scripts(
    desk: Desk, url: str, open_page: Callable[..., Page]
) -> None:
    ask(desk, title="Add gift cards")
    ask(desk, number=13, title="Round the totals")
    desk.ask(14, MAX, title="Speed")
    page = signed_in(desk, url, open_page(375, javascript=False))
    page.goto(url)
    page.get_by_role("link", name="History").click()
    page.get_by_label("Search for a title, a message or a number").fill("TOTALS")
    page.keyboard.press("Enter")
    expect(page.locator(".event a")).to_have_text(["Round the totals"])
    page.get_by_text("Narrow by person or day").click()
    page.get_by_label("From").fill("2026-11-25")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("Nothing was found.")).to_be_visible()
    expect(page.get_by_label("From")).to_have_value("2026-11-25")
    page.get_by_role("link", name="Show everything").click()
    page.get_by_role("link", name="Speed").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Speed")
