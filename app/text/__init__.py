"""Words for people: strangers' text made harmless, times and sizes in plain words. Pure.

Called by mail and pages. Read `clean` (what no reader can see goes), then `markdown` (a description as HTML
and as plain text), `how_to_test`, then `words` (times, sizes, counts); `diff` and `cells` are for two pages.
Nothing here raises for any text it is given.
"""

from __future__ import annotations

from app.text.cells import BOM, csv_line
from app.text.clean import clean, disarmed, person, plain, quote, shortened, unusual
from app.text.device import device_words
from app.text.diff import diff_blocks
from app.text.how_to_test import parted
from app.text.links import host_of
from app.text.markdown import Rendered, rendered
from app.text.pictures import Shown, pictures_in
from app.text.steps import steps_of
from app.text.words import (
    NOT_NOW,
    ago,
    checks_words,
    count,
    day,
    day_heading,
    day_of_month,
    size_in_short,
    size_words,
    span,
    span_words,
    when,
)

__all__ = [
    "BOM",
    "NOT_NOW",
    "Rendered",
    "Shown",
    "ago",
    "checks_words",
    "clean",
    "count",
    "csv_line",
    "day",
    "day_heading",
    "day_of_month",
    "device_words",
    "diff_blocks",
    "disarmed",
    "host_of",
    "parted",
    "person",
    "pictures_in",
    "plain",
    "quote",
    "rendered",
    "shortened",
    "size_in_short",
    "size_words",
    "span",
    "span_words",
    "steps_of",
    "unusual",
    "when",
]
