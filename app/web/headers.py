"""Around the whole web application: security headers on every answer, and an answer when Flask has none.

The blueprint puts it before Flask. It answers a bad Host header, which Flask cannot even route, and it answers when
a page and its error page both fail. It never logs a path: a path may be the authority to decide.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterable, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("qa-gate.pages")

# Everything comes from here, and nothing may frame or script it.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address is the authority: it goes nowhere
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
# Browsers then use https alone for a year: https://www.rfc-editor.org/rfc/rfc6797
_HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
_REASONS = {400: "400 Bad Request", 500: "500 Internal Server Error"}
# A name or an IPv4 address, or an IPv6 address in brackets, and a port:
# https://www.rfc-editor.org/rfc/rfc9110#field.host
_HOST = re.compile(
    r"(?:(?P<name>[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)\.?|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?"
)
_LONGEST_HOST = 253 + len(".:65535")


class Guard:
    """A WSGI application around another one; `pages` are its own two answers, by status."""

    def __init__(self, inner: WSGIApplication, pages: Mapping[int, str], *, is_https: bool) -> None:
        self._inner = inner
        self._pages = {status: page.encode() for status, page in pages.items()}
        self._headers = _HEADERS | (_HTTPS_ONLY if is_https else {})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if not is_host(environ.get("HTTP_HOST", "")):
            log.warning("Refused a request: its Host header isn't a valid host name.")
            return self._answer(400, start_response)
        try:
            return self._inner(environ, self._with_headers(start_response))
        except Exception:
            log.exception("A page failed, and so did its error page.")
            return self._answer(500, start_response)

    def _with_headers(self, start_response: StartResponse) -> StartResponse:
        def start(status, headers, *more):  # type: ignore[no-untyped-def]
            given = {name.lower() for name, _ in headers}
            ours = [*self._headers.items(), ("Cache-Control", "no-store")]
            missing = [(name, value) for name, value in ours if name.lower() not in given]
            return start_response(status, [*headers, *missing], *more)

        return start

    def _answer(self, status: int, start_response: StartResponse) -> Iterable[bytes]:
        page = self._pages[status]
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))]
        self._with_headers(start_response)(_REASONS[status], headers)
        return [page]


def is_host(given: str) -> bool:
    """Tell whether a Host header can be one; it may be missing, as in HTTP/1.0."""
    if not given:
        return True
    found = _HOST.fullmatch(given) if len(given) <= _LONGEST_HOST else None
    if not found:
        return False
    try:
        if found["ipv6"]:
            ipaddress.IPv6Address(found["ipv6"])
        else:
            found["name"].encode().decode("idna")  # as Werkzeug does; "xn--a" has no meaning
    except ValueError:
        return False
    return True
