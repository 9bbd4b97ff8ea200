"""qa-gate: an email review gate for a development branch.

Nothing of ours is imported here: each process, the server's parent above all, loads only what it needs.
`wiring` puts the parts together, `cli` has the commands.
"""

import sys
from typing import NoReturn

__version__ = "1.0.0"  # pyproject.toml reads it from here


def stop(first: str, *more: str) -> NoReturn:
    """End with what the operator has to read, and exit code 2: nothing could be done."""
    sys.stderr.write("\n".join([first, *(f"- {line}" for line in more)]) + "\n")
    sys.exit(2)
