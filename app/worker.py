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
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from traceback import walk_tb

from app.db.database import Bell, Unavailable
from app.db.jobs import NEEDS, Claim, Kind, Rest, Service
from app.db.queue import Overtaken
from app.domain.problems import What
from app.github.answers import GitHubError
from app.jobs.away import hand_over_unheld
from app.jobs.gate import Gate, failure
from app.jobs.letters import send_digests, send_letter
from app.jobs.poll import look_around, set_looks
from app.jobs.problems import find_bounces, find_problems, set_watch
from app.jobs.release import keep_release
from app.jobs.run import advance
from app.mail.send import MailError

log = logging.getLogger("qa-gate.worker")

AWAY = "the database is away"
POLL = 1.0  # seconds; a request in the same process wakes the worker sooner
GIVE_WAY = 0.5  # seconds that a step waits for a crowd of webhooks to be let in
BEAT = 15.0  # seconds between two signs of life
LOG_EVERY = 3600.0  # seconds between two log lines about a trouble that lasts
FIRST_BACKOFF, LONGEST_BACKOFF = timedelta(seconds=1), timedelta(minutes=1)
# What was refused is tried soon, for a single odd answer proves nothing; then it waits for somebody to act.
QUICK_TRIES = 3
FIRST_WAIT_REFUSED, LONGEST_WAIT_REFUSED = timedelta(minutes=1), timedelta(hours=1)
UNEXPECTED = "Something unexpected went wrong; see the log. QA gate keeps trying."


@dataclass(frozen=True, slots=True)
class Lane:
    """What a thread works on: jobs of these kinds, or only approved reviews; `folds`: the inbox first."""

    kinds: tuple[Kind, ...] = tuple(Kind)
    approved_only: bool = False
    folds: bool = False


# Threads by destination: a slow service holds up only what needs it, and questions never hold up a merge.
LANES = (
    Lane((Kind.MAIL, Kind.BOUNCES)),
    Lane((Kind.PROBLEMS,), folds=True),
    Lane((Kind.POLL, Kind.RELEASE, Kind.DIGEST)),
    Lane((Kind.REVIEW,), approved_only=True),
    Lane((Kind.REVIEW,)),
    Lane((Kind.REVIEW,)),
)
EVERYTHING = Lane(folds=True)


def backoff(attempts: int, chance: float, *, refused: bool = False) -> timedelta:
    """Return how long to wait after so many failures: doubling, capped, with jitter (`chance` in 0..1)."""
    longest: timedelta = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(attempts - 1, 20))
    if refused and attempts >= QUICK_TRIES:
        longest = min(LONGEST_WAIT_REFUSED, FIRST_WAIT_REFUSED * 2 ** min(attempts - QUICK_TRIES, 20))
    return longest * (0.5 + chance / 2)


def tick(gate: Gate, claim: Claim) -> Rest:
    """Do what is done again and again."""
    timer = gate.store.timers.get(claim.about)
    return TIMERS[claim.kind](gate, claim, timer) if timer else Rest()


TIMERS = {
    Kind.POLL: look_around,
    Kind.DIGEST: send_digests,
    Kind.RELEASE: keep_release,
    Kind.PROBLEMS: find_problems,
    Kind.BOUNCES: find_bounces,
}
STEPS = {Kind.MAIL: send_letter, Kind.REVIEW: advance, **dict.fromkeys(TIMERS, tick)}


def work_once(gate: Gate, lane: Lane = EVERYTHING) -> bool:
    """Fold what came in, or run the step of one due job; False when there is neither. Raises Unavailable."""
    gate.store.inbox.ahead = gate.github.ahead
    if lane.folds and gate.store.inbox.fold(gate.policy):
        return True
    claim = gate.store.queue.claim(lane.kinds, approved_only=lane.approved_only)
    if claim is None:
        return False
    gate.github.has_answered()
    try:
        rest = STEPS[claim.kind](gate, claim)
    except Overtaken:
        # Somebody else moved its row: it is looked at afresh.
        gate.store.queue.finish(claim, Rest(timedelta(0)))
        return True
    except (GitHubError, MailError) as error:
        rest = failure(error)
    except Unavailable:
        raise
    except Exception:
        # At most a minute apart: its traceback at first, and about once an hour.
        if claim.attempts % 60 == 0:
            log.exception("%s %s failed unexpectedly", claim.kind, claim.about)
        rest = Rest(problem=UNEXPECTED, cause=What.BUG)
    finish(gate, claim, rest)
    return True


def finish(gate: Gate, claim: Claim, rest: Rest) -> None:
    """Give the job back as the step left it: done, waiting, or to be tried again."""
    if rest.problem is not None:
        attempts, wait = claim.attempts + 1, rest.wait
        if wait is None:
            wait = backoff(attempts, random.random(), refused=rest.refused)
        rest = replace(rest, wait=wait)
        log.warning(
            "%s %s attempt %s, again in %s: %s", claim.kind, claim.about, attempts, wait, rest.problem
        )
    gate.store.queue.finish(claim, rest, _answered(gate, claim, rest))


def _answered(gate: Gate, claim: Claim, rest: Rest) -> Collection[Service]:
    """Return the services that gave this step an answer, a refusal included."""
    if NEEDS.get(claim.kind) is Service.MAIL:
        return (Service.MAIL,) if rest.problem is None or rest.refused else ()
    return (Service.GITHUB,) if gate.github.has_answered() else ()


def place_of(error: Exception) -> tuple[object, ...]:
    """Return what an unexpected error has in common with itself a second later: its kind, and where it was raised."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return type(error), frame.f_code, line


def wake_up(gate: Gate) -> None:
    """Do what a start does: look for what happened while no worker ran, and try again whatever had failed."""
    gate.store.queue.wake_failed()
    set_looks(gate)
    gate.store.timers.set(Kind.DIGEST)
    set_watch(gate)
    hand_over_unheld(gate)


class Worker:
    """Threads that work until told to stop, one for each lane, so that one slow answer delays no other."""

    def __init__(self, gate: Gate, lanes: Collection[Lane] = LANES) -> None:
        self._gate = gate
        self._stop = threading.Event()
        self._name = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._is_awake = False
        self._told: dict[object, float] = {}
        self._telling = threading.Lock()
        self._threads = [threading.Thread(target=self._beat, daemon=True)]
        self._threads += [threading.Thread(target=self._run, args=(lane,), daemon=True) for lane in lanes]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Finish the steps under way and end; `timeout` in seconds."""
        self._stop.set()
        self._gate.store.work_made.ring()
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        with suppress(Unavailable):
            self._gate.store.queue.leave(self._name)

    def _run(self, lane: Lane) -> None:
        made = self._gate.store.work_made.listen((*lane.kinds, *([Bell.INBOX] if lane.folds else [])))
        while not self._stop.is_set():
            made.clear()
            if not self._try(partial(self._work, lane)):
                made.wait(POLL)

    def _work(self, lane: Lane) -> bool:
        self._gate.store.inbox.give_way(GIVE_WAY)
        return work_once(self._gate, lane)

    def _beat(self) -> None:
        while not self._stop.is_set():
            self._try(self._give_sign)
            self._stop.wait(BEAT)

    def _give_sign(self) -> bool:
        """Look, once, for what happened while no worker ran; give a sign of life, and forget what is old."""
        if not self._is_awake:
            wake_up(self._gate)
            self._is_awake = True
        self._gate.store.queue.beat(self._name)
        self._gate.store.inbox.forget()
        self._gate.store.pictures.forget()
        return True

    def _try(self, do: Callable[[], bool]) -> bool:
        """Do it; False, and a log line the first time and once an hour, where the database is away or a bug is in the way."""
        try:
            is_done = do()
        except Unavailable as error:
            self._tell_away(error)
            return False
        except Exception as error:
            if self._is_news(place_of(error)):
                log.exception("The worker hit an unexpected error and continues.")
            return False
        self._told.pop(AWAY, None)
        return is_done

    def _tell_away(self, error: Unavailable) -> None:
        if self._is_news(AWAY):
            log.error("The database cannot be used right now; trying again. %s", error.__cause__ or "")

    def _is_news(self, what: object) -> bool:
        """Tell whether this was not told within the hour, and note that it is told now."""
        with self._telling:
            now, told = time.monotonic(), self._told.get(what)
            if told is not None and now - told <= LOG_EVERY:
                return False
            self._told[what] = now
            return True
