"""Styles, script and icon: read once, kept small, and named by their contents, so that a browser asks for each once.

GET /assets/<digest>/<name>   kept for a year where the digest is that of these contents
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, abort, request, url_for

from app import wording

ENDPOINT = "pages.asset"
# https://www.rfc-editor.org/rfc/rfc8246
_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    """One file as it is sent; `digest` are hex digits of its contents."""

    type: str
    digest: str
    plain: bytes
    packed: bytes


def serve(pages: Blueprint) -> None:
    """Add the files to the blueprint, and `static(name)`, the address of one, to its templates."""
    files = {path.name: _read(path) for path in sorted((wording.templates() / "static").iterdir())}

    def asset(digest: str, name: str) -> Response:
        file = files.get(name)
        if file is None:
            abort(404)
        # A page from before an update still gets a style, but nobody keeps it under the old name.
        return _answer(file, _FOR_GOOD if digest == file.digest else "no-cache")

    pages.add_url_rule("/assets/<digest>/<name>", "asset", asset)
    pages.add_app_template_global(
        lambda name: url_for(ENDPOINT, digest=files[name].digest, name=name), "static"
    )


def _read(path: Path) -> _Asset:
    plain = path.read_bytes()
    kind = mimetypes.types_map.get(path.suffix, "application/octet-stream")
    digest = hashlib.sha256(plain).hexdigest()[:12]
    return _Asset(kind, digest, plain, gzip.compress(plain, mtime=0))


def _answer(file: _Asset, kept: str) -> Response:
    is_packed = request.accept_encodings.quality("gzip") > 0
    response = Response(file.packed if is_packed else file.plain, content_type=f"{file.type}; charset=utf-8")
    response.headers["Vary"] = "Accept-Encoding"
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = kept
    return response
