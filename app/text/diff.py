"""A file's changes as blocks of lines that a page can show, and that a screen reader can name.

Called by pages. The text is a stranger's: what cannot be seen is dropped from it, nothing else is changed. It must
never raise, whatever GitHub gives as a patch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from app.text.clean import unseen_dropped

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
