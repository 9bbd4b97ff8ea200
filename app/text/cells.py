"""Lines of a CSV file that no spreadsheet runs.

Called by pages. A cell that begins like a formula is run when the file is opened; where the machine's separator is
another one, so is a piece of a cell behind it. https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.text.clean import plain

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
