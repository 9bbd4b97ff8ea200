"""Words for people: strangers' text made harmless, times and sizes in plain words. Pure.

Called by mail and pages. Read `clean` (what no reader can see goes), then `markdown` (a description as HTML
and as plain text), then `words` (times, sizes, counts). Nothing here raises for any text it is given.
"""

from __future__ import annotations

from app.text.clean import clean, disarmed, plain, quote, unusual
from app.text.markdown import markdown_html, markdown_text
from app.text.words import ago, count, size_words, when

__all__ = [
    "ago",
    "clean",
    "count",
    "disarmed",
    "markdown_html",
    "markdown_text",
    "plain",
    "quote",
    "size_words",
    "unusual",
    "when",
]
