"""Fetch the pictures in a text at GitHub, also a private one's: from GitHub's own hosts only, and never for long.

`client` adds it to the calls. The token goes to the API alone; each address is looked at before it is asked, also where
a redirect leads, so that no text can make the gate call another machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from html import unescape
from tempfile import TemporaryFile
from time import monotonic
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from app.github.answers import GitHubError
from app.github.connection import Connection
from app.github.models import Model, Words
from app.pictures import LARGEST_FILE

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


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one picture's address: its file, or whether asking again may help."""

    address: str
    file: IO[bytes] | None = None
    may_come: bool = False


class _Text(Model):
    body_html: Words = ""


class _Never(Exception):
    """It is not to be had there."""


class Pictures(Connection):
    """The way to pictures."""

    def pictures(self, repository: str, path: str, addresses: Sequence[str], end: float) -> Iterator[Fetched]:
        """Fetch what the text at a path below the repository shows, until `end` by the monotonic clock: one GET of the text, then each picture's own.

        A private picture's address works for nobody but a signed-in browser; the text as HTML has one that is signed
        for five minutes. Raises nothing for what cannot be had.
        """
        mine = [address for address in addresses if is_from_github(address, self._api_url)]
        try:
            signed = self._signed(repository, path) if mine else []
        except GitHubError:
            yield from (Fetched(address, may_come=address in mine) for address in addresses)
            return
        for address in addresses:
            try:
                yield Fetched(address, self._file(_signed_for(address, signed) or address, end))
            except _Never:
                yield Fetched(address)
            except (OSError, HTTPError):  # requests' own are OSErrors
                yield Fetched(address, may_come=True)

    def _signed(self, repository: str, path: str) -> list[str]:
        """Return the addresses of the images that GitHub shows in a text, signed where they must be. Raises GitHubError."""
        html = self.call(repository, "GET", f"/{path}", _Text.model_validate, accept=_FULL).data.body_html
        return [unescape(one or other) for one, other in _IMAGE.findall(html)]

    def _file(self, address: str, end: float) -> IO[bytes]:
        """Return what is at an address as a file on disk. Raises _Never, OSError, HTTPError."""
        for _ in range(MOST_HOPS):
            if not is_from_github(address, self._api_url):
                raise _Never
            left = end - monotonic()
            if left <= 0:
                raise TimeoutError
            headers = {"User-Agent": "qa-gate"}
            with requests.get(
                address, headers=headers, timeout=left, stream=True, allow_redirects=False
            ) as answer:
                if not answer.is_redirect:
                    return _kept(answer, end)
                address = urljoin(address, answer.headers["Location"])
        raise _Never


def _kept(answer: requests.Response, end: float) -> IO[bytes]:
    """Write an answer to a file, unless it is no picture, too large, or comes too slowly."""
    kind = answer.headers.get("Content-Type", "").strip().lower()
    if answer.status_code >= 429:
        raise requests.HTTPError
    if answer.status_code != 200 or not kind.startswith(("image/", "application/octet-stream")):
        raise _Never
    with ExitStack() as closing:
        file = closing.enter_context(TemporaryFile(buffering=0))
        # What is there: no byte makes it wait anew.
        while piece := answer.raw.read1(PIECE, decode_content=True):
            file.write(piece)
            if file.tell() > LARGEST_FILE:
                raise _Never
            if monotonic() > end:
                raise TimeoutError
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


def _signed_for(address: str, signed: list[str]) -> str | None:
    """Return the address among those of the text's HTML that is this one's, by the name of the asset."""
    asset = _ASSET.search(address)
    name = asset[0].lower() if asset else ""
    return next((one for one in signed if name and name in one.lower()), None)
