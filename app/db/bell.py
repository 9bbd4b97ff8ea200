"""The bell that requests ring when they have made work, so that workers in the same process need not wait.

Held by the store, waited for by the worker. A worker in another process hears nothing, and looks once a second.
"""

from __future__ import annotations

import threading


class Bell:
    """Every waiting thread hears every ring; `count` says how often it was rung."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.count = 0

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def wait(self, heard: int, seconds: float) -> None:
        """Wait until it rings more often than `heard`, or for so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.count > heard, seconds)
