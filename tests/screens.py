"""Take the pictures in docs/screens: each page and the mail, phone and desk, light and dark. `make screens` runs it.

The pages are those of `gallery`, with the hour of its clock, so that a picture changes only where a page does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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
    "newer": "old round",
    "sign-in": "sign in",
}


def main() -> int:
    """Take every picture; return the exit status."""
    chromium = find_or_fetch()
    if chromium is None:
        print("No Chromium that starts was found.", file=sys.stderr)
        return 1
    OUT.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="qa-gate-") as folder, pytest.MonkeyPatch.context() as environment:
        gallery = Gallery(Path(folder), environment)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments())
            for scheme in SCHEMES:
                for width in SIZES:
                    _take_all(gallery, browser, width, scheme)
            browser.close()
        gallery.stop()
    return 0


def _take_all(gallery: Gallery, browser: Browser, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": SIZES[width]},
        color_scheme="dark" if scheme == "dark" else "light",
        storage_state=gallery.session(browser),
    )
    page = context.new_page()
    for name, shown in SHOWN.items():
        if shown == "sign in":
            context.clear_cookies()
        page.goto(f"{gallery.world.url}{gallery.pages[shown]}")
        _take(page, name, width, scheme)
    page.goto("about:blank")  # without the gate's own rules for what a page may load
    for name, html in gallery.mails.items():
        page.set_content(html)
        _take(page, name, width, scheme)
    context.close()


def _take(page: Page, name: str, width: int, scheme: str) -> None:
    page.screenshot(path=OUT / f"{name}-{width}-{scheme}.png", animations="disabled")


if __name__ == "__main__":
    sys.exit(main())
