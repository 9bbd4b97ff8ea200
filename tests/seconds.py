"""How many seconds of CPU something takes, whatever else the test process holds in its memory."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from time import thread_time

# Coverage looks at every line, which takes several times as long.
FOLD = 1.0 if sys.gettrace() is None and sys.getprofile() is None else 4.0
_turns = count(1)


@contextmanager
def soon(most: float = 1.0) -> Iterator[None]:
    """Fail when what is done inside takes more seconds of this thread's CPU than that.

    The collector of memory looks through only what is made inside: a worker that has run a thousand tests holds
    enough for it to take a second by itself.
    """
    gc.freeze()
    try:
        start = thread_time()
        yield
        taken = thread_time() - start
    finally:
        if next(_turns) % 1_000 == 0:  # what was thrown away meanwhile
            gc.unfreeze()
            gc.collect()
            gc.freeze()
    assert taken < most * FOLD, f"{taken:.2f} s"
