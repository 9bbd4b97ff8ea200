"""qa-gate: an email review gate for a development branch.

Nothing of ours is imported here: each process, the server's parent above all, loads only what it needs.
`wiring` puts the parts together, `cli` has the commands.
"""

import sys
from pathlib import Path
from typing import NoReturn

__version__ = "1.0.0"  # pyproject.toml reads it from here


def folder(name: str) -> Path:
    """Return the folder of all templates, or of the migrations: beside app/ in a checkout, inside it in an installed wheel.

    Never in the folder that the gate is started in; pyproject.toml says what the wheel holds.
    """
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else inside.parent.parent / name


class Explained(Exception):
    """What somebody has to put right; `reason` is a sentence that is fit to show."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def stop(first: str, *more: str) -> NoReturn:
    """End with what the operator has to read, and exit code 2: nothing could be done."""
    sys.stderr.write("\n".join([first, *(f"- {line}" for line in more)]) + "\n")
    sys.exit(2)
