"""A Chromium for the tests that need a real browser: the machine's own, or one that is fetched.

The fixture `chromium` calls `find_or_fetch` once in a session; nothing else should start a browser.
A browser is taken only when it answers `--version`: one without its system libraries does not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_PROGRAMS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# The browser knows this machine only: no page, and none of its own errands, reaches another.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


def find_or_fetch() -> str | None:
    """Path of a Chromium that runs: the machine's, Playwright's, or as root on Debian one by apt; None if none."""
    if not _playwright_starts():
        return None
    return _installed() or _fetched_by_playwright() or _installed_by_apt()


def arguments() -> list[str]:
    """Launch arguments. Chromium's sandbox refuses to work for root, so root alone goes without."""
    return [*ARGUMENTS, *(["--no-sandbox"] if _is_root() else [])]


def _playwright_starts() -> bool:
    """Playwright brings its own Node.js, which needs a library that a bare Debian lacks."""
    version = [sys.executable, "-m", "playwright", "--version"]
    return _succeeds(version) or (_apt_installs("libatomic1") and _succeeds(version))


def _installed() -> str | None:
    candidates = [shutil.which(name) for name in PROGRAMS] + [*MAC_PROGRAMS]
    return next((path for path in candidates if path and _runs(path)), None)


def _fetched_by_playwright() -> str | None:
    path = _playwrights_path()
    if not _runs(path) and not _succeeds([sys.executable, "-m", "playwright", "install", "chromium"]):
        return None
    return path if _runs(path) else None


def _playwrights_path() -> str:
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _installed_by_apt() -> str | None:
    return _installed() if _apt_installs("chromium") else None


def _apt_installs(package: str) -> bool:
    if not _is_root() or shutil.which("apt-get") is None:
        return False
    _succeeds(["apt-get", "update", "-qq"])
    return _succeeds(["apt-get", "install", "-qq", "-y", "--no-install-recommends", package])


def _runs(path: str) -> bool:
    return Path(path).is_file() and _succeeds([path, "--version"], seconds=20)


def _succeeds(command: list[str], seconds: float = 300) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
