"""Files that people drop into a text: where they are, who gets them, and a text as HTML that shows them.

Hung on the front by Served. The plain address of a private repository's file works only for a signed-in browser; the API
gives a text's HTML with addresses that are signed for five minutes.
https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#media-types
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import cmarkgfm
from cmarkgfm.cmark import Options
from flask import Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from demo.github.api import Routes
from demo.github.shapes import Json
from demo.github.state import Refusal

PLAIN, SIGNED = "/user-attachments/assets/", "/private-user-images/"
LASTS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file; `leads_to` is where its plain and signed address redirect, None: it is here."""

    data: bytes
    type: str
    is_private: bool
    leads_to: str | None = None


class Attachments:
    """The routes, and the files by their id."""

    def __init__(self, routes: Routes) -> None:
        self.world = routes.world
        self.files: dict[UUID, Attachment] = {}
        add = routes.front.app.add_url_rule
        add(f"{PLAIN}<uuid:asset>", "attachment", self.plain)
        add(f"{SIGNED}<name>", "signed attachment", self.signed)

    def add(self, file: Attachment) -> str:
        """Keep a file; return the address that stands in the text."""
        asset = uuid4()
        self.files[asset] = file
        return f"{self.world.api}{PLAIN}{asset}"

    def plain(self, asset: UUID) -> Redirect:
        """Lead on to a signed address; of a private file nobody without a browser's session gets one."""
        file = self.files.get(asset)
        if file is None or file.is_private:
            raise Refusal(404, "Not Found")
        return redirect(file.leads_to or self._sign(asset))

    def signed(self, name: str) -> Response | Redirect:
        """Give the file for a signature that is not too old; a token has no business there."""
        asset = UUID(name.partition("-")[2].rpartition(".")[0])
        file = self.files[asset]
        until, _, signature = request.args.get("jwt", "").partition(".")
        if signature != self._signature(asset, until) or self.world.clock().timestamp() > float(until):
            raise Refusal(404, "Not Found")
        if "Authorization" in request.headers:
            raise Refusal(400, "Only one auth mechanism allowed")
        return redirect(file.leads_to) if file.leads_to else Response(file.data, content_type=file.type)

    def _sign(self, asset: UUID) -> str:
        until = str(int((self.world.clock() + LASTS).timestamp()))
        return f"{self.world.api}{SIGNED}7-{asset}.png?jwt={until}.{self._signature(asset, until)}"

    def _signature(self, asset: UUID, until: str) -> str:
        return sha256(f"{asset} {until} {id(self)}".encode()).hexdigest()

    def with_html(self, text: Json) -> Json:
        """Return a text with its HTML, if the request asks for it."""
        if "full+json" not in request.headers.get("Accept", ""):
            return text
        html = cmarkgfm.github_flavored_markdown_to_html(text["body"] or "", Options.CMARK_OPT_UNSAFE)
        pattern = re.compile(re.escape(self.world.api + PLAIN) + r"([0-9a-f-]{36})")
        return {**text, "body_html": pattern.sub(lambda found: self._sign(UUID(found[1])), html)}
