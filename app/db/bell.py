"""The bell that is rung when there is work, so that workers in the same process need not wait.

Held by the store, waited for by the worker. A worker in another process hears nothing, and looks once a second.
"""

from __future__ import annotations

import threading
from collections.abc import Collection


class Bell:
    """Wakes who waits for what there is to do: a kind of job, or `INBOX`."""

    INBOX = "inbox"

    def __init__(self) -> None:
        self._ears: list[tuple[frozenset[str], threading.Event]] = []

    def listen(self, kinds: Collection[str]) -> threading.Event:
        """Return what is set whenever there is work of these kinds."""
        ear = threading.Event()
        self._ears.append((frozenset(kinds), ear))
        return ear

    def ring(self, *kinds: str) -> None:
        """Wake who waits for one of these; everybody where none is named."""
        for wanted, ear in self._ears:
            if not kinds or not wanted.isdisjoint(kinds):
                ear.set()
