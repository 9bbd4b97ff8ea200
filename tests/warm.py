"""One whole life, lived where the fork server begins: every process that it makes then has all that a life needs.

Imported there only, as `mortal` says. A process of its own would spend most of its short time on loading libraries and
templates, on the descriptions of AWS, and on compiling SQL, all of which never change.
"""

from __future__ import annotations

import gc
import logging
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import create_engine

from tests import once
from tests.world import World, wait_until


def live() -> None:
    """Open, ask, approve and merge, and leave nothing that runs: a fork takes over this thread only."""
    before = threading.active_count()
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        world = World(Path(folder, "git"), f"sqlite:///{folder}/gate.db", environment)
        world.open()
        world.settle()
        assert world.see()
        world.decide()
        world.settle()
        assert world.merges() == 1
        world.stop()
    wait_until(lambda: threading.active_count() == before)


once.install()
create_engine("postgresql+psycopg://nobody@127.0.0.1:9/nothing").dispose()  # loads the driver
logging.disable()
live()
logging.disable(logging.NOTSET)
gc.freeze()
gc.set_threshold(20_000, 10, 10)
