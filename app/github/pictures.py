"""Fetch the pictures in a text at GitHub, also a private one's: from GitHub's own hosts only, and never for long.

`client` adds it to the calls. The token goes to the API and to GitHub's own pages, never to where a picture is stored;
each redirect is looked at before it is followed, so that no text can make the gate call another machine.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from html import unescape
from json import loads
from tempfile import TemporaryFile
from threading import Timer
from time import monotonic
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests

from app.github.answers import GitHubError, is_githubs
from app.github.connection import API_VERSION, Connection

# Whatever GitHub stores of its users is at one of its subdomains, but for what it only passes on from anywhere (camo);
# an attachment of a public repository leads to a store of its own: github.com's Content-Security-Policy, img-src.
_STORE = ".githubusercontent.com"
_PASSED_ON = "camo.githubusercontent.com"
_BUCKET = "github-production-user-asset-6210df.s3.amazonaws.com"
# https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#media-types
_FULL = "application/vnd.github.full+json"
_IMAGE = re.compile(r"""<img\b[^>]*?\ssrc=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_ASSET = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
MOST_HOPS, PIECE = 4, 65_536
LARGEST_TEXT, LARGEST_FILE = 2_000_000, 10_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one picture's address: its file, or whether asking again may help."""

    address: str
    file: IO[bytes] | None
    may_come: bool = False


class _No(Exception):
    """It is not to be had there; `may_come`: later it may be."""

    def __init__(self, *, may_come: bool) -> None:
        super().__init__()
        self.may_come = may_come


class Pictures(Connection):
    """The way to pictures."""

    def pictures(self, repository: str, path: str, addresses: tuple[str, ...], end: float) -> Iterator[Found]:
        """Fetch what the text at a path below the repository shows, until `end` by the monotonic clock: one GET of the text, then each picture's own.

        A private picture's address works for nobody but a signed-in browser; the text as HTML has one that is signed
        for five minutes. Raises nothing for what cannot be had.
        """
        mine = [address for address in addresses if is_from_github(address, self._api_url)]
        for address in addresses:
            if address not in mine:
                yield Found(address, None)
        if not mine:
            return
        headers: dict[str, str] = {}
        signed: list[str] = []
        with suppress(GitHubError, _No):  # then what everybody may see is there still
            headers = self._authorized(repository)
            signed = self._signed(repository, path, headers, end)
        for address in mine:
            yield self._picture(address, signed, headers, end)

    def _picture(self, address: str, signed: list[str], headers: dict[str, str], end: float) -> Found:
        nothing: dict[str, str] = {}
        ways = [(where, nothing) for where in (_signed_for(address, signed), address) if where]
        if urlsplit(address).netloc == _web_host(self._api_url) and headers:
            ways.append((address, headers))
        may_come = False
        for where, with_headers in ways:
            try:
                return Found(address, self._file(where, with_headers, end))
            except _No as no:
                may_come |= no.may_come
        return Found(address, None, may_come)

    def _authorized(self, repository: str) -> dict[str, str]:
        try:
            installation = self._installation(repository)
            self._keep_off(installation)
            auth = self._auth(installation)
            headers = {"Authorization": f"token {auth.token}"} if auth else {}
        except GitHubError:
            raise
        except Exception as error:
            if not is_githubs(error):
                raise
            raise _No(may_come=True) from None
        return headers

    def _signed(self, repository: str, path: str, headers: dict[str, str], end: float) -> list[str]:
        """Return the addresses of the images that GitHub shows in a text, signed where they must be."""
        more = {"Accept": _FULL, "X-GitHub-Api-Version": API_VERSION}
        with self._file(
            f"{self._api_url}/repos/{repository}/{path}", headers | more, end, is_text=True
        ) as file:
            try:
                html = loads(file.read()).get("body_html")
            except (ValueError, AttributeError):
                return []
        return [unescape(one or other) for one, other in _IMAGE.findall(str(html or ""))]

    def _file(self, address: str, headers: dict[str, str], end: float, *, is_text: bool = False) -> IO[bytes]:
        """Return what is at an address as a file on disk. Raises _No."""
        for _ in range(MOST_HOPS):
            left = end - monotonic()
            if left <= 0:
                raise _No(may_come=True)
            try:
                with requests.get(
                    address,
                    headers={"User-Agent": "qa-gate", **headers},
                    timeout=left,
                    stream=True,
                    allow_redirects=False,
                ) as answer:
                    onward = answer.headers.get("Location") if answer.is_redirect else None
                    if onward is None:
                        with _cut_at(end, answer):
                            return _kept(answer, end, is_text=is_text)
            except (requests.RequestException, OSError):
                raise _No(may_come=True) from None
            if is_text:
                raise _No(may_come=False)  # renamed: the token goes nowhere else
            address, headers = urljoin(address, onward), {}
            if not is_from_github(address, self._api_url):
                raise _No(may_come=False)
        raise _No(may_come=False)


@contextmanager
def _cut_at(end: float, answer: requests.Response) -> Iterator[None]:
    """End the connection then, however slowly it still sends: each byte that comes starts a timeout anew."""
    line = socket.socket(fileno=os.dup(answer.raw.fileno()))

    def cut() -> None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = Timer(max(0.0, end - monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        line.close()


def _kept(answer: requests.Response, end: float, *, is_text: bool) -> IO[bytes]:
    """Write an answer to a file, unless it is no picture, too large, or comes too slowly."""
    if answer.status_code != 200:
        raise _No(may_come=answer.status_code >= 429)
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not is_text and not kind.startswith("image/") and kind != "application/octet-stream":
        raise _No(may_come=False)
    most = LARGEST_TEXT if is_text else LARGEST_FILE
    with ExitStack() as closing:
        file = closing.enter_context(TemporaryFile(buffering=0))
        for piece in answer.iter_content(PIECE):
            if file.write(piece) < len(piece):
                raise OSError("no room")
            if file.tell() > most:
                break
        if file.tell() > most or monotonic() > end:
            raise _No(may_come=file.tell() <= most)
        file.seek(0)
        closing.pop_all()  # whoever takes it closes it
    return file


def is_from_github(address: str, api_url: str) -> bool:
    """Tell whether an address is one of GitHub's own: of github.com, or of the server that the API is at."""
    try:
        parts, api = urlsplit(address), urlsplit(api_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme != api.scheme or "@" in parts.netloc or "\\" in address:
        return False
    if api.hostname == "api.github.com":
        is_stored = host.endswith(_STORE) and host != _PASSED_ON
        return port in (None, 443) and (is_stored or host in ("github.com", _BUCKET))
    own = (api.hostname or "").removeprefix("api.")
    return port == api.port and (host == own or host.endswith(f".{own}"))


def _web_host(api_url: str) -> str:
    return urlsplit(api_url).netloc.removeprefix("api.")


def _signed_for(address: str, signed: list[str]) -> str | None:
    """Return the address among those of the text's HTML that is this one's, by the name of the asset."""
    asset = _ASSET.search(address)
    name = asset[0].lower() if asset else ""
    return next((one for one in signed if name and name in one.lower()), None)
