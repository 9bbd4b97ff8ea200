"""Every page in every state, looked at by axe in a real browser: WCAG 2.2 AA, narrow and wide, light and dark.

And what axe cannot see: nothing is wider than the screen, at 200 % and on the smallest phone, and all of it can be
reached and decided with the keyboard alone, without JavaScript too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from app.domain.approval import Choice
from app.domain.facts import State
from tests.gallery import Gallery
from tests.pictures import picture

OpenPage = Callable[..., Page]
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


@pytest.fixture(scope="module")
def session(gallery: Gallery, browser: Browser) -> Any:
    return gallery.session(browser)


def faults(page: Page, what: str) -> list[str]:
    """What axe finds, a line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(
        "(rules) => axe.run(rules).then((all) => all.violations)", RULES
    )
    return [
        f"{what}: {fault['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for fault in found
        for node in fault["nodes"]
    ]


@dataclass
class Visit:
    """What was seen of one page, with all that can be unfolded unfolded."""

    title: str
    headings: int
    wider: list[str]
    faults: list[str]
    printed: list[str]


# No style depends on both: colours follow the scheme, and the layout the width.
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((375, "light"), (1280, "dark"))
# The smallest phone, a phone with letters twice as large, and a desk at 200 %.
NARROW = ((320, 100), (375, 200), (640, 100))


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """Every address that the pages asked for."""
    return []


@pytest.fixture(scope="module")
def visits(gallery: Gallery, session: Any, browser: Browser, asked: list[str]) -> dict[str, Visit]:
    """Every page, each opened once: what takes long is to load them."""
    seen = {}
    for cookies, names in (
        (None, ["sign in"]),
        (session, [name for name in gallery.pages if name != "sign in"]),
    ):
        context = browser.new_context(storage_state=cookies)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        for name in names:
            page.goto(f"{gallery.world.url}{gallery.pages[name]}")
            seen[name] = look_at(page, name)
        context.close()
    return seen


def look_at(page: Page, name: str) -> Visit:
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true })")
    wider = []
    found = faults_in_both_looks(page, name)
    for width, letters in NARROW:
        page.set_viewport_size({"width": width, "height": 812})
        page.evaluate("(size) => { document.documentElement.style.fontSize = size }", f"{letters}%")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wider.append(f"{name}, {width} with letters of {letters} %")
    printed = [f"{name}, printed: {fault}" for fault in faults_in_print(page)]
    return Visit(page.title(), page.get_by_role("heading", level=1).count(), wider, found, printed)


def faults_in_both_looks(page: Page, what: str) -> list[str]:
    found = []
    for width, scheme in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 812 if width < 600 else 900})
        found += faults(page, f"{what}, {width} {scheme}")
    return found


ON_PAPER = """() => {
  const all = (what) => [...document.querySelectorAll(what)].filter((one) => one.checkVisibility());
  const dark = (one) => getComputedStyle(one).color.match(/\\d+/g).slice(0, 3).every((part) => part < 128);
  const small = all("main img").filter((one) => one.getBoundingClientRect().width < 60);
  return [
    ...(getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)" ? [] : ["not on white"]),
    ...all("button, .btn, input[type=file]").map((one) => `a button: ${one.innerText}`),
    ...all("main h1, main h2, main p, main li, main dd").filter((one) => !dark(one)).map((one) => `pale: ${one.innerText}`),
    ...small.map((one) => `a picture that nobody sees: ${one.alt}`),
    ...(document.documentElement.scrollWidth > window.innerWidth ? ["wider than the paper"] : []),
  ];
}"""


def faults_in_print(page: Page) -> list[str]:
    """What is wrong with a page on paper, printed from a screen that is dark."""
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.set_viewport_size({"width": 794, "height": 1123})  # A4 at 96 dots an inch
    page.emulate_media(media="print", color_scheme="dark")
    found: list[str] = page.evaluate(ON_PAPER)
    page.emulate_media(media="screen")
    return found


def test_axe_finds_nothing_on_any_page(visits: dict[str, Visit]) -> None:
    assert [fault for visit in visits.values() for fault in visit.faults] == []


def test_every_page_can_be_printed(visits: dict[str, Visit]) -> None:
    assert [fault for visit in visits.values() for fault in visit.printed] == []


def test_axe_finds_nothing_in_what_comes_of_a_click(
    gallery: Gallery, browser: Browser, open_page: OpenPage
) -> None:
    world, found = gallery.world, []
    page = open_page(storage_state=gallery.session(browser, gallery.max))

    def look(what: str, words: str) -> None:
        expect(page.get_by_role("main")).to_contain_text(words)
        found.extend(faults_in_both_looks(page, what))

    page.goto(world.url)
    look("nothing waits", "You’re all caught up")
    page.get_by_label("Your first day back").fill("2026-12-01")
    page.get_by_role("button", name="Save").click()
    look("away", "You’re away until Tue 1 Dec")
    page.get_by_role("button", name="I’m back").click()
    page.get_by_label("Your first day back").evaluate("(field) => field.removeAttribute('required')")
    page.get_by_role("button", name="Save").click()
    look("no day", "Please choose a day from tomorrow on")
    number = world.open("clicks", title="Clicks")
    world.settle()
    page.goto(f"{world.url}{gallery.link(number, Choice.REJECT)}")
    page.get_by_role("textbox").fill("It is cut off.")
    page.get_by_label("Add pictures").set_input_files(
        [
            {"name": "cart.png", "mimeType": "image/png", "buffer": picture(300, 600)},
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"},
        ]
    )
    page.get_by_role("button", name="Reject").click()
    look("pictures added", "“notes.txt” isn’t a picture we can read")
    expect(page.get_by_label("Picture 1")).to_be_checked()
    expect(page.locator("label img")).to_be_visible()
    link = f"{world.url}{gallery.link(number)}"
    page.goto(link)
    page.get_by_text("Add a message to Sam Meyer").click()
    page.get_by_role("textbox").fill("y" * 4_001)
    page.get_by_role("button", name="Ask Sam Meyer").click()
    look("too long", "That’s a little too long")
    other = page.context.new_page()
    other.goto(link)
    page.get_by_role("textbox").fill("")
    page.get_by_role("button", name="Approve").click()
    look("live progress", "This takes a few seconds")
    other.get_by_text("Add a message to Sam Meyer").click()
    other.get_by_role("textbox").fill("Wait, it is broken.")
    other.get_by_role("button", name="Reject").click()
    expect(other.get_by_role("alert")).to_contain_text("It’s approved already")
    found += faults_in_both_looks(other, "a notice")
    assert found == []


def test_nothing_is_wider_than_the_screen(visits: dict[str, Visit]) -> None:
    assert [page for visit in visits.values() for page in visit.wider] == []


def test_a_missing_reason_is_said_so_that_a_screen_reader_hears_it(
    gallery: Gallery, open_page: OpenPage
) -> None:
    page = open_page(375)
    page.goto(f"{gallery.world.url}{gallery.pages['question, reject first']}")
    page.get_by_role("textbox").evaluate("(field) => field.removeAttribute('required')")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("alert")).to_contain_text("Write what should change")
    expect(page.get_by_role("textbox")).to_be_focused()
    assert faults(page, "a missing reason") == []


def test_every_page_has_a_title_of_its_own_and_one_heading(visits: dict[str, Visit]) -> None:
    assert len(visits) > 30
    for name, visit in visits.items():
        assert visit.headings == 1, name
        assert re.fullmatch(r"\S.* · QA gate", visit.title), name


def test_nothing_comes_from_outside(gallery: Gallery, visits: dict[str, Visit], asked: list[str]) -> None:
    assert len(asked) > len(visits)
    assert [url for url in asked if not url.startswith(gallery.world.url)] == []


def tab_to(page: Page, name: str, kind: str = "BUTTON") -> None:
    """Press Tab until a button of this name, or another kind of element, has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText || ''")
        if name in focused and page.evaluate("document.activeElement.tagName") == kind:
            # It can be seen where one is.
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"no way to {name}")


@pytest.mark.parametrize("javascript", [True, False])
def test_the_keyboard_alone_rejects_and_approves_after_all(
    gallery: Gallery, open_page: OpenPage, javascript: bool
) -> None:
    world = gallery.world
    branch = f"keys-{javascript}".lower()
    number = world.open(branch, title="Keys")
    world.settle()
    page = open_page(375, javascript=javascript)
    page.goto(f"{world.url}{gallery.link(number)}")
    tab_to(page, "Add a message to Sam Meyer", "SUMMARY")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("The keys are too small.")
    tab_to(page, "Reject")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sent back to Sam Meyer")
    tab_to(page, "Approve after all", "A")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve “Keys”?")
    tab_to(page, "Approve")
    page.keyboard.press("Space")
    expect(page.get_by_role("heading", level=1)).to_contain_text("it’s going in now")
    assert world.row(number).state is State.TO_MERGE
    world.settle()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("It’s in")
