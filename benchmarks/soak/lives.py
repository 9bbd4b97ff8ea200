"""One life after the other, for as long as there is time, on one kind of database; and what is printed of them."""

from __future__ import annotations

import logging
import signal
from collections import Counter
from pathlib import Path
from random import Random
from time import time

from benchmarks.soak.life import CALM, Verdict, live
from benchmarks.soak.stage import database_server

KINDS = ("sqlite", "postgresql")
# A life with everything going wrong is so long, but for one that fills up the time.
SHORTEST, LONGEST = 40.0, 200.0


def end_in_peace() -> None:
    """Let SIGTERM end a process as Ctrl-C does: by way of every `finally`, so that no gate and no database is left."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def play(kind: str, seed: int, seconds: float, folder: Path) -> list[Verdict]:
    """Play one life after the other for so many seconds; the calm after the last one is part of it."""
    logging.disable()
    end, chance = time() + seconds, Random(seed)
    verdicts: list[Verdict] = []
    with database_server(kind) as postgres:
        while not verdicts or end - time() > SHORTEST + CALM:
            number = len(verdicts) + 1
            most = max(min(LONGEST, end - time() - CALM), min(SHORTEST, seconds / 2))
            lasts = chance.uniform(min(SHORTEST, most), most)
            verdict = live(kind, folder / f"{kind}{number}", chance.getrandbits(32), lasts, postgres)
            verdicts.append(verdict)
            print(line(kind, number, lasts, verdict), flush=True)
    return verdicts


def line(kind: str, number: int, seconds: float, verdict: Verdict) -> str:
    """Return what is said of one life."""
    words = f"{kind} life {number}, seed {verdict.seed}: {seconds:.0f} s, {told(verdict.counts)}"
    return "\n".join([words, *(f"    VIOLATION {one}" for one in verdict.violations)])


def told(counts: Counter[str]) -> str:
    """Return counts in words, the largest first."""
    return ", ".join(f"{number} {what}" for what, number in counts.most_common() if number)
