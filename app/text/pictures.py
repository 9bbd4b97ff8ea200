"""The pictures in a stranger's text: which there are, and how one that is kept here is shown. Pure.

Called by `markdown`, `jobs` and `web`. What is not kept here never becomes an image.
"""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import escape

from app.text.gfm import parse
from app.text.links import followable

MOVES = "A moving picture. This is how it begins."


class Shown(NamedTuple):
    """A picture that is kept here: its address in the text, where it is now, and its size; see `Picture`."""

    source: str
    url: str
    width: int
    height: int
    moves: bool = False


def pictures_in(source: str) -> tuple[str, ...]:
    """Return the addresses of a text's pictures, each once, in order."""
    found = (
        followable(token.attributes.get("src", ""))
        for token in parse(source)[0]
        if token.kind == "open" and token.name == "img"
    )
    return tuple(dict.fromkeys(address for address in found if address))


def image(one: Shown, alt: str, *, in_link: bool) -> str:
    """Return the HTML of a picture, which leads to all of it unless it stands in a link; loaded when it comes into view."""
    name, url = escape(alt or "Picture"), escape(one.url)
    shape = f'width="{one.width}" height="{one.height}"'
    written = f'<img src="{url}" {shape} alt="{name}" loading="lazy" decoding="async">'
    written = written if in_link else f'<a href="{url}">{written}</a>'
    return f"{written}<small>{MOVES}</small>" if one.moves else written
