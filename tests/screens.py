"""Take a picture of every page and mail, on phone and desk, light and dark. `make screens` runs it.

All of `gallery` go to build/screens, as long as they are, with the hour of its clock, so that a picture changes only
where a page does; the few of DOCS, as much as a screen shows at once, also to docs/screens. What changes the others by
being done, to go away and to let a night pass, is done last.
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

ROOT = Path(__file__).parent.parent
OUT, DOCS_OUT = ROOT / "build" / "screens", ROOT / "docs" / "screens"
SIZES = {375: 812, 1280: 900}
SCHEMES = ("light", "dark")
# What the README and docs/screens show, at most twelve.
DOCS = {
    ("mail", 375, "light"),
    ("question", 375, "light"),
    ("pending", 375, "dark"),
    ("mail-answer", 375, "light"),
    ("question-reject-first", 375, "dark"),
    ("merged", 375, "light"),
    ("held", 375, "light"),
    ("mail-release", 375, "dark"),
    ("mail-digest", 375, "light"),
    ("details-ticks", 375, "light"),
    ("question", 1280, "light"),
    ("history", 1280, "light"),
}
# Where the gate of the pictures is; the real one here has another port each time.
PUBLIC_URL = "https://qa-gate.example.com"


def main() -> int:
    """Take every picture; return the exit status."""
    chromium = find_or_fetch()
    if chromium is None:
        print("No Chromium that starts was found.", file=sys.stderr)
        return 1
    for folder in (OUT, DOCS_OUT):
        folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with TemporaryDirectory(prefix="qa-gate-") as place, pytest.MonkeyPatch.context() as environment:
        gallery = Gallery(Path(place), environment, weeks=11)
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
    for name, path in gallery.pages.items():
        if name != "sign in":
            page.goto(f"{gallery.world.url}{path}")
            _take(page, name, width, scheme)
    page.context.clear_cookies()
    for name in ("sign in", "old round"):
        page.goto(f"{gallery.world.url}{gallery.pages[name]}")
        _take(page, f"{name}, signed out", width, scheme)
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
    name = re.sub(r"\W+", "-", name)
    file = f"{name}-{width}-{scheme}.png"
    page.screenshot(path=OUT / file, animations="disabled", full_page=True)
    if (name, width, scheme) in DOCS:
        page.screenshot(path=DOCS_OUT / file, animations="disabled")


if __name__ == "__main__":
    sys.exit(main())
