"""A browser without a screen: opens pages, reads their words and forms, and sends a form as a person would.

Used by the story. It knows nothing of the gate, follows redirects, keeps cookies, and runs no script.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin

TIMEOUT = 30.0  # seconds, for one page


class NoSuchButton(Exception):
    """The page has no such button; says which ones it has."""


@dataclass
class Page(HTMLParser):
    """A page as a browser has it: its words, its forms with what they would send."""

    url: str
    html: str
    status: int
    parts: list[str] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._hidden, self._in_form, self._area = 0, False, ""
        self.feed(self.html)

    @property
    def words(self) -> str:
        """Return all that is to be read on it, as one line."""
        return " ".join(" ".join(self.parts).split())

    @property
    def heading(self) -> str:
        """Return its first heading."""
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.html, re.DOTALL)
        return " ".join(re.sub(r"<[^>]+>", "", found[1]).split()) if found else ""

    @property
    def choices(self) -> list[str]:
        """Return what its buttons would decide."""
        return [value for form in self.forms for name, value in form["buttons"] if name == "choice"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._hidden += tag in ("script", "style", "title", "noscript")
        if tag == "form":
            self._in_form = True
            method = given.get("method", "get").upper()
            self.forms.append(
                {"action": given.get("action", ""), "method": method, "fields": {}, "buttons": []}
            )
        elif self._in_form and given.get("name"):
            self._take_field(tag, given)

    def _take_field(self, tag: str, given: dict[str, str]) -> None:
        form = self.forms[-1]
        if tag == "button" or given.get("type") == "submit":
            form["buttons"].append((given["name"], given.get("value", "")))
        elif tag in ("input", "textarea"):
            form["fields"][given["name"]] = given.get("value", "")
            self._area = given["name"] if tag == "textarea" else ""

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "title", "noscript")
        self._in_form = self._in_form and tag != "form"
        self._area = "" if tag == "textarea" else self._area

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1]["fields"][self._area] += data.lstrip("\n")
        elif self._hidden <= 0:
            self.parts.append(data)


class Browser:
    """Opens pages and sends their forms, with cookies, as a person's browser does."""

    def __init__(self) -> None:
        # No proxy: everything here is on this machine.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def open(self, url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Page:
        """Return a page, whatever its status is."""
        try:
            request = urllib.request.Request(url, data, headers or {})  # noqa: S310 - only ever http
            answer = self._opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return Page(answer.url, answer.read().decode(errors="replace"), answer.status)

    def press(self, page: Page, choice: str, **fields: str) -> Page:
        """Send the form that has the button for this choice."""
        for form in page.forms:
            if ("choice", choice) in form["buttons"] and form["method"] == "POST":
                sent = urlencode({**form["fields"], **fields, "choice": choice}).encode()
                # With `Referrer-Policy: no-referrer` a browser sends the origin "null".
                headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
                return self.open(urljoin(page.url, form["action"] or page.url), sent, headers)
        raise NoSuchButton(f"“{page.heading}” has no button to {choice}, only {page.choices}")
