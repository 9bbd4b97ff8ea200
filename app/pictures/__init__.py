"""Pictures that others made, made anew: small, upright, and without whatever else was in the file.

Called by `jobs` and `web`. Each is opened in a process of its own, one at a time, which ends with its memory and
with whatever a hostile file did to it. Nothing of the file's own bytes is ever kept or shown.

    BadPicture  it is none that can be shown; `why` says what is wrong with it
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO, Any, Literal

MOST_SIDE = 2_000  # pixels
LARGEST_FILE = 10_000_000
SECONDS_TO_CHECK = 10.0

Flaw = Literal["unknown", "broken", "pixels", "large", "slow"]

# One at a time: each may need 40 MB.
_turn = threading.Lock()
_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True, slots=True)
class Picture:
    """A new file: PNG or JPEG; `moves`: it is the beginning of a moving one."""

    type: str
    width: int
    height: int
    moves: bool
    data: bytes


class BadPicture(Exception):
    """It cannot be shown: no picture, broken, with too many pixels, too large a file, or it took too long."""

    def __init__(self, why: Flaw) -> None:
        super().__init__(why)
        self.why = why


def made_anew(file: IO[bytes], seconds: float = SECONDS_TO_CHECK) -> Picture:
    """Return the picture of a file on disk, as it can be made within so many seconds. Raises BadPicture."""
    end = monotonic() + seconds
    if not _turn.acquire(timeout=seconds):
        raise BadPicture("slow")
    try:
        file.seek(0)
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-I", _CHILD, str(MOST_SIDE)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},  # the gate's own may hold its keys
            timeout=max(0.1, end - monotonic()),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadPicture("slow") from None
    finally:
        _turn.release()
    line, _, data = done.stdout.partition(b"\n")
    answer: dict[str, Any] = {"error": "broken"} if done.returncode else json.loads(line)
    if "error" in answer:
        raise BadPicture(answer["error"])
    return Picture(**answer, data=data)
