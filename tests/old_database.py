"""Write the database of a small story, as a backup of this version's, into tests/data/databases.

Each version that changes the schema leaves one there before it does: the versions after it must bring it up to date.
`make migration FIRST=1` writes the first one anew.
"""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.db.schema import revisions
from tests.outside import Outside
from tests.world import SHOP, World

FOLDER = Path(__file__).parent / "data" / "databases"
STORED = sorted(FOLDER.glob("*.gz"))
# How the story ends, by title.
STATES = {
    "Change cards": "merged",
    "Change wine": "rejected",
    "Change tea": "waiting",
    "Change milk": "to_merge",
}


def play(outside: Outside) -> None:
    """Live the story: one is merged, one rejected, one asked a question about, one approved and held."""
    outside.start()
    outside.asked("cards")
    outside.choose()
    outside.settle()
    outside.asked("wine")
    outside.choose("reject", "It is cold: \U0001f976 «0 °C».")
    outside.settle()
    outside.asked("tea")
    outside.choose("question", "Is it blue?")
    outside.settle()
    outside.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    outside.asked("milk")
    outside.choose()
    outside.settle()


def write() -> Path:
    """Write the file of this schema anew."""
    file = FOLDER / f"{revisions()[-1]}.gz"
    FOLDER.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        database = f"sqlite:///{folder}/qa-gate.db"
        world = World(Path(folder) / "git", database, environment, RELEASE_BRANCH="")
        try:
            outside = Outside(world, {})
            play(outside)
            outside.back_up(file)
        finally:
            world.stop()
    return file


if __name__ == "__main__":
    logging.disable()
    print(f"Wrote {write().relative_to(FOLDER.parent.parent.parent)}.")
