"""Times, sizes, counts, devices and lines of files as a person would say or read them.

Times are aware and given, never asked for: what is "today" depends on the reader's time zone. English only: nothing sets
Python's locale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import groupby

from app.text.clean import plain, unseen_dropped

_UNITS = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)
# Below so many of them a span is said in this unit.
MINUTES_SAID, HOURS_SAID = 60, 48
_SHORT = {"minute": "min", "hour": "h"}
NOT_NOW = "There’s a problem reaching GitHub, where the code is kept. We’ll keep trying."
# So many checks are named.
MOST_CHECKS = 3
# Up to so many lines, in up to so many files, a change is called so.
_SIZES = ((50, 5, "Small"), (300, 20, "Medium"), (1500, 100, "Large"))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return "1 file", "2 files", "1,204 lines"; the plural adds an s unless given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def checks_words(state: str, names: Sequence[str]) -> str:
    """Return what automatic checks say: "All passed", "Failing: build, lint, e2e and 2 more"; '' where there are none."""
    if state in ("pending", "red"):
        more = f" and {len(names) - MOST_CHECKS} more" if len(names) > MOST_CHECKS else ""
        return f"{'Failing' if state == 'red' else 'Still running'}: {', '.join(names[:MOST_CHECKS])}{more}"
    return "All passed" if state == "green" else ""


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago that was, in its largest whole unit; "just now" below a minute, and for the future."""
    passed = now - then
    for unit, name in _UNITS:
        if passed >= unit:
            return f"{count(passed // unit, name)} ago"
    return "just now"


def span(passed: timedelta) -> str:
    """Return how long something took, in short: "12 min", "3 h", "2 days"."""
    number, unit = span_words(passed).split()
    return f"{number} {_SHORT.get(unit.removesuffix('s'), unit)}"


def span_words(passed: timedelta) -> str:
    """Return how long something took, rounded to one unit: "12 minutes", "3 hours", "2 days"."""
    minutes, hours, days = (
        int(passed / unit + 0.5) for unit in (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
    )
    if minutes < MINUTES_SAID:
        return count(max(minutes, 1), "minute")
    return count(hours, "hour") if hours < HOURS_SAID else count(days, "day")


def when(moment: datetime, timezone: tzinfo, now: datetime) -> str:
    """Return a moment by the reader's calendar: "today at 14:05", "Mon 23 Nov at 09:12", the year if another."""
    there, today = moment.astimezone(timezone), now.astimezone(timezone).date()
    near = {0: "today", -1: "yesterday", 1: "tomorrow"}
    return f"{near.get((there.date() - today).days) or day(there.date(), today)} at {there:%H:%M}"


def day(date_: date, today: date) -> str:
    """Return a day by name: "Mon 23 Nov", with the year if that is another."""
    return f"{date_:%a} {date_.day} {date_:%b}{_other_year(date_, today)}"


def day_heading(date_: date, today: date) -> str:
    """Return a day as a heading: "Today, Thursday 26 November", with the year if that is another."""
    near = {0: "Today, ", -1: "Yesterday, "}.get((date_ - today).days, "")
    return f"{near}{date_:%A} {day_of_month(date_)}{_other_year(date_, today)}"


def day_of_month(date_: date, *, is_short: bool = False) -> str:
    """Return a day without its weekday: "31 August", or "31 Aug"."""
    return f"{date_.day} {date_:%b}" if is_short else f"{date_.day} {date_:%B}"


def _other_year(date_: date, today: date) -> str:
    return f" {date_.year}" if date_.year != today.year else ""


def size_words(lines: int, files: int) -> str:
    """Return how large a change is: "Small: 12 lines in 2 files"."""
    if not files:
        return "No files changed"
    size, where = size_name(lines, files), count(files, "file")
    return f"{size}: {count(lines, 'line')} in {where}" if lines else f"{size}: {where}, no lines of text"


def size_in_short(lines: int, files: int) -> str:
    """Return how large a change is, within a line: "small, 2 files"."""
    return f"{size_name(lines, files).lower()}, {count(files, 'file')}" if files else "no files"


def size_name(lines: int, files: int) -> str:
    """Return how large a change is in a word: "Small"."""
    fitting = (name for most_lines, most, name in _SIZES if lines <= most_lines and files <= most)
    return next(fitting, "Very large")


# --- What a browser calls itself, in words of ours: "an iPhone, Safari".


_DEVICES = (
    (r"iPhone|iPod", "an iPhone"),
    (r"iPad", "an iPad"),
    (r"Android.*Mobile", "an Android phone"),
    (r"Android", "an Android tablet"),
    (r"Windows NT", "Windows"),
    (r"CrOS", "a Chromebook"),
    (r"Macintosh", "a Mac"),
    (r"Linux|X11", "Linux"),
)
_BROWSERS = (
    (r"Edg(?:e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera|OPiOS", "Opera"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"DuckDuckGo/|Ddg/", "DuckDuckGo"),
    (r"FxiOS/|Firefox/", "Firefox"),
    (r"CriOS/|Chrome/|Chromium/", "Chrome"),
    (r"Version/\S+.* Safari/", "Safari"),
    (r"AppleWebKit/", "a mail program"),
)


def device_words(user_agent: str) -> str:
    """Return device and browser, or the one of them that is known; "" where neither is."""
    known = user_agent[:1000]
    found = [
        next((name for pattern, name in table if re.search(pattern, known)), "")
        for table in (_DEVICES, _BROWSERS)
    ]
    return ", ".join(name for name in found if name)


# --- Lines of a CSV file that no spreadsheet runs.


BOM = "\ufeff"  # without it Excel takes UTF-8 for the machine's old encoding

# A formula's first character, its full-width and small forms too, behind white space and quotes.
_FORMULA = re.compile(
    r"""(^|[,;])(?=[\s"'\u2018-\u201d\uff02\uff07]*[=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20])"""
)


def csv_line(cells: Iterable[str]) -> str:
    """Return one line: every cell in quotes, on one line, and with a "'" before what would be run."""
    return ",".join(f'"{_harmless(cell)}"' for cell in cells) + "\r\n"


def _harmless(cell: str) -> str:
    return _FORMULA.sub(r"\1'", plain(cell)).replace('"', '""')


# --- A file's changes as blocks of lines that a page can show, and that a screen reader can name.


_KINDS = {"+": "added", "-": "removed", "@": "part", "\\": "remark"}
_PART = re.compile(r"@@ -\d{1,9}(?:,\d{1,9})? \+(\d{1,9})(?!\d)")


def diff_blocks(patch: str) -> Iterator[tuple[str, str]]:
    """Give a unified diff as ("added" | "removed" | "same", lines, each with its sign) and ("part", line number).

    A part says at which line of the new file the next block begins; one that begins at the top is left out.
    """
    for kind, group in groupby(patch.split("\n"), key=lambda line: _KINDS.get(line[:1], "same")):
        lines = list(group)
        if kind == "part":
            found = _PART.match(lines[-1])
            if found and int(found[1]) > 1:
                yield "part", found[1]
        elif kind != "remark":
            yield kind, "\n".join(unseen_dropped(f"{line[:1] or ' '} {line[1:]}") for line in lines)
