"""The worker: claim what is due, run its step, note how it ended.

`qa-gate serve` starts it beside the pages, `qa-gate worker` alone. Waits are in the rows, never in a sleeping
thread: a worker can die at any instant, and another goes on when the lease ends. It decides nothing itself.
"""

from __future__ import annotations

import logging
import random
import secrets
import socket
import threading
import time
from datetime import timedelta

from app.store import Claim, Overtaken, Unavailable
from app.workflow import Gate, Rest, hand_over_unheld, set_digest, set_looks, step

log = logging.getLogger("qa-gate.worker")

POLL = 1.0  # seconds; a request in the same process wakes the worker sooner
BEAT = 15.0  # seconds between two signs of life
# Only deliveries from the past 3 days can be sent again:
# https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks
REDELIVERED = timedelta(days=7)
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=15)
UNEXPECTED = "Something unexpected went wrong; the log says what. The gate keeps trying."


def backoff(attempts: int, chance: float) -> timedelta:
    """Return how long to wait after so many failures: doubling, capped, with jitter (`chance` in 0..1)."""
    longest: timedelta = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempts - 1, 20))
    return longest * (0.5 + chance / 2)


def work_once(gate: Gate) -> bool:
    """Run the step of one due row; False when nothing is due. Raises Unavailable when the database is away."""
    claim = gate.store.queue.claim()
    if claim is None:
        return False
    try:
        rest = step(gate, claim)
    except Overtaken:
        gate.store.queue.release(claim)
        return True
    except Unavailable:
        raise
    except Exception:
        log.exception("%s %s failed unexpectedly", claim.kind, claim.id)
        rest = Rest(None, UNEXPECTED, failed=True)
    finish(gate, claim, rest)
    return True


def finish(gate: Gate, claim: Claim, rest: Rest) -> None:
    """Give the row back as the step left it: done, waiting, or to be tried again."""
    attempts = claim.attempts + 1 if rest.failed else 0
    wait = rest.wait
    if rest.failed and wait is None:
        wait = backoff(attempts, random.random())
    if rest.problem:
        log.warning("%s %s attempt %s, again in %s: %s", claim.kind, claim.id, attempts, wait, rest.problem)
    gate.store.queue.finish(claim, wait=wait, attempts=attempts, problem=rest.problem)


class Worker:
    """Threads that work until told to stop. `threads`: so many steps at once, so that one slow answer delays no other."""

    def __init__(self, gate: Gate, threads: int = 2) -> None:
        self._gate = gate
        self._stop = threading.Event()
        self._name = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        targets = [self._beat, *[self._run] * threads]
        self._threads = [threading.Thread(target=target, daemon=True) for target in targets]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Finish the steps under way and end; `timeout` in seconds."""
        self._stop.set()
        self._gate.store.work_made.set()
        self.join(timeout)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the threads to end, at most so many seconds in all."""
        end = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        made = self._gate.store.work_made
        while not self._stop.is_set():
            made.clear()
            if not self._try():
                made.wait(POLL)

    def _try(self) -> bool:
        """Do one step; False when there was none, or the database is away."""
        try:
            return work_once(self._gate)
        except Unavailable:
            log.exception("The database cannot be used right now; trying again.")
        except Exception:
            log.exception("The worker met something unexpected; it goes on.")
        return False

    def _beat(self) -> None:
        """Give signs of life; at first, look for what happened while no worker ran, and for what settings changed."""
        is_new = True
        while not self._stop.is_set():
            try:
                if is_new:
                    set_looks(self._gate)
                    set_digest(self._gate)
                    hand_over_unheld(self._gate)
                is_new = False
                self._gate.store.queue.beat(self._name)
                self._gate.store.arrivals.forget_deliveries(REDELIVERED)
            except Unavailable:
                log.exception("The database cannot be used right now.")
            self._stop.wait(BEAT)
