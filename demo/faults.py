"""Faults on order, for both stand-ins: an answer that is not the true one, comes late, comes cut, or never comes.

The stand-in asks `Fault.take` once for each call that fits, and `wait` before it answers. A test keeps the fault
that it ordered, and lifts it when the outside world is well again.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf


@dataclass(eq=False)
class Fault:
    """What happens to the next `times` calls, or with None to all until it is lifted.

    status: the answer's; None: the connection ends without one. true: the answer is the true one, only late.
    after: the work is done first. delay: seconds before the answer; inf: never, until it is lifted.
    cut: only half of the answer's body comes.
    """

    status: int | None
    times: int | None = 1
    after: bool = False
    delay: float = 0.0
    true: bool = False
    cut: bool = False
    met: int = 0  # calls so far
    _lifted: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        """Tell whether it was lifted or has happened often enough."""
        return self._lifted.is_set() or (self.times is not None and self.met >= self.times)

    def take(self) -> None:
        """Count a call that it happens to."""
        self.met += 1

    def wait(self) -> None:
        """Keep the caller waiting for as long as this fault wants, or until it is lifted."""
        if self.delay:
            self._lifted.wait(None if self.delay == inf else self.delay)

    def lift(self) -> None:
        """End it, also for those who wait for an answer."""
        self._lifted.set()


def lift_all(faults: Iterable[Fault]) -> None:
    """End all of these."""
    for fault in faults:
        fault.lift()


def refusing(port: int, start: Callable[[int], object]) -> Callable[[], None]:
    """Keep a port, on which nobody listens, from others; return what starts a server there again."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", port))

    def again() -> None:
        kept.close()
        start(port)

    return again
