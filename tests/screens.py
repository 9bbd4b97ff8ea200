"""Take the pictures in docs/screens: the pages and mails, phone and desk, light and dark. `make screens` runs it.

They are those of `gallery`, as long as they are, with the hour of its clock, so that a picture changes only where a
page does. What changes the others by being done, to go away and to let a night pass, is done last.
"""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.chromium import arguments, find_or_fetch
from tests.gallery import Gallery

OUT = Path(__file__).parent.parent / "docs" / "screens"
SIZES = {375: 812, 1280: 900}
SCHEMES = ("light", "dark")
# What is shown, by the name of its picture.
SHOWN = {
    "pending": "pending",
    "decide": "question",
    "held": "held",
    "merged": "merged",
    "review": "review",
    "history": "history",
    "details": "details",
    "release": "release",
    "cautions": "cautions",
    "newer": "old round",
    "too-old": "expired",
    "closed": "closed",
    "sign-in": "sign in",
}


# Where the gate of the pictures is; the real one here has another port each time.
PUBLIC_URL = "https://qa-gate.example.com"
# What the README shows: as much as a phone does at once.
GLANCES = {("mail", 375, "light"), ("decide", 375, "light"), ("pending", 375, "dark")}


def main() -> int:
    """Take every picture; return the exit status."""
    chromium = find_or_fetch()
    if chromium is None:
        print("No Chromium that starts was found.", file=sys.stderr)
        return 1
    OUT.mkdir(exist_ok=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with TemporaryDirectory(prefix="qa-gate-") as folder, pytest.MonkeyPatch.context() as environment:
        gallery = Gallery(Path(folder), environment)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments())
            looks = [(width, scheme) for scheme in SCHEMES for width in SIZES]
            for width, scheme in looks:
                _take_all(gallery, browser, width, scheme)
            for width, scheme in looks:
                _take_away(gallery, browser, width, scheme)
            digest = gallery.digest()
            for width, scheme in looks:
                _take_mails(_open(browser, width, scheme), {"mail-digest": digest}, width, scheme)
            browser.close()
        gallery.stop()
    return 0


def _open(browser: Browser, width: int, scheme: str, session: Any = None) -> Page:
    return browser.new_context(
        viewport={"width": width, "height": SIZES[width]},
        color_scheme="dark" if scheme == "dark" else "light",
        storage_state=session,
    ).new_page()


def _take_all(gallery: Gallery, browser: Browser, width: int, scheme: str) -> None:
    page = _open(browser, width, scheme, gallery.session(browser))
    for name, shown in SHOWN.items():
        if shown == "sign in":
            page.context.clear_cookies()
        page.goto(f"{gallery.world.url}{gallery.pages[shown]}")
        _take(page, name, width, scheme)
    page.goto("about:blank")  # without the gate's own rules for what a page may load
    _take_mails(page, gallery.mails, width, scheme)


def _take_away(gallery: Gallery, browser: Browser, width: int, scheme: str) -> None:
    page = _open(browser, width, scheme, gallery.session(browser, gallery.max))
    page.goto(gallery.world.url)
    page.get_by_label("Your first day back").fill("2026-12-01")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="I’m back")).to_be_visible()
    _take(page, "away", width, scheme)
    page.get_by_role("button", name="I’m back").click()
    page.context.close()


def _take_mails(page: Page, mails: dict[str, str], width: int, scheme: str) -> None:
    for name, html in mails.items():
        page.set_content(re.sub(r"http://127\.0\.0\.1:\d+", PUBLIC_URL, html))
        _take(page, name, width, scheme)
    page.context.close()


def _take(page: Page, name: str, width: int, scheme: str) -> None:
    page.screenshot(path=OUT / f"{name}-{width}-{scheme}.png", animations="disabled", full_page=True)
    if (name, width, scheme) in GLANCES:
        page.screenshot(path=OUT / f"glance-{name}.png", animations="disabled")


if __name__ == "__main__":
    sys.exit(main())
