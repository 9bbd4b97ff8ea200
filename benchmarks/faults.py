"""Every call of a plain life by every fault of the service that it is made to: what becomes of the change.

Played between the stand-ins with a clock that is turned by hand, so that minutes cost nothing. `make faults` writes
docs/faults.md and ends with 1 where a cell is not as promised; tests/test_faults_table.py plays a sample of it.
"""

from __future__ import annotations

import logging
import random
import re
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app.domain.facts import State
from benchmarks import new_world
from demo.faults import Fault
from demo.github import PretendGitHub
from demo.inbox import PretendInbox
from tests.outside import Outside, decide_links
from tests.world import World

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"
LASTS = timedelta(seconds=30)  # longer than the three quick tries after a refusal take
MOST_SECONDS = 60  # until a change has healed
RETRY_AFTER = 120  # seconds, said by the service with each refusal
# What may have gone out without an answer is sent three times in all.
MOST_MAILS = 3
ANSWER = "Lily approved this"  # besides it, a developer is told what is in the way
GIVEN_UP = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a plain life; `nth`: the how manieth to GitHub, None for the one to Amazon SES."""

    name: str
    method: str = "POST"
    path: str = ""
    nth: int | None = None

    def __str__(self) -> str:
        return self.name

    def fits(self, path: str) -> bool:
        """Tell whether this is a path of this call."""
        return re.search(self.path, path) is not None


# In the order in which they are made.
CALLS = (
    Call("read, to ask", "GET", r"/pulls/1$", 0),
    Call("compare, to ask", "GET", r"/compare/", 1),
    Call("status: pending", "POST", r"/statuses/", 2),
    Call("send the mail"),
    Call("read, approved", "GET", r"/pulls/1$", 3),
    Call("status: success", "POST", r"/statuses/", 4),
    Call("review", "POST", r"/pulls/1/reviews$", 5),
    Call("read, to merge", "GET", r"/pulls/1$", 6),
    Call("compare, to merge", "GET", r"/compare/", 7),
    Call("merge", "PUT", r"/pulls/1/merge$", 8),
)
Lift = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault: what GitHub and Amazon SES answer to it, or None where the way to them is at fault.

    `wait`: seconds that the service asks for. `lost`: whether what was asked for was done is not known.
    """

    name: str
    status: int | None = None
    words: Any = None
    error: str = ""
    how: str = "answer"
    wait: int = 0
    lost: bool = False

    def __str__(self) -> str:
        return self.name

    def begin(self, world: World, call: Call) -> Lift:
        """Let it happen to this call from now on; call what is returned to end it."""
        if self.how == "refuse":
            return (world.inbox if call.nth is None else world.github).refuse()
        order = self._order_mail(world.inbox) if call.nth is None else self._order(world.github, call)
        return order.lift

    @property
    def _headers(self) -> dict[str, str]:
        moved = {"Location": "http://127.0.0.1:9/odd"} if self.status == 302 else {}
        return {"Retry-After": str(self.wait), **moved} if self.wait else moved

    def _order(self, github: PretendGitHub, call: Call) -> Fault:
        match self.how:
            case "silence":
                return github.silence(call.method, call.path, times=1)
            case "cut":
                return github.cut(call.method, call.path, times=None)
            case _:
                body = self.words if str(self.words).startswith("<") else {"message": self.words}
                after = self.how == "after"
                return github.fail(call.method, call.path, self.status, body, self._headers, None, after)

    def _order_mail(self, inbox: PretendInbox) -> Fault:
        match self.how:
            case "silence":
                return inbox.silence(times=1)
            case "cut":
                return inbox.cut(times=None)
            case _:
                after = self.how == "after"
                return inbox.fail(self.status, self.error, self.words or "", None, after, self._headers)


WORDS = """# What happens when GitHub or Amazon SES fails

`make faults` plays the plain life of a change (opened, asked about, approved, merged) once for each call of it and each
fault, on a clock that is turned by hand, and writes this page. It ends with an error where a cell is not as promised.

- **Columns** are the calls in the order in which they are made: nine to GitHub, one to Amazon SES.
- **Rows** are what happens to that call, each time it is made, for {lasts} seconds from its first time on. The silence
  is one call without an answer. A refused connection takes everything at that service with it.
- **A cell** is how long after the end of the fault all was as it should be: Lily asked, her answer under the pull
  request, the status success, the change merged. 0 s: before the fault was over. If nothing else is said, it was merged
  once, with one mail to Lily, and her answer was said once; 15 more minutes brought nothing more.

At most {most} seconds are promised, and with `retry-after` what the service asked for ({wait} seconds here). A mail of
which nobody knows whether it went out is sent up to {mails} times in all.

What a person must put right (401, 403, 404, 422) and lasts longer is tried ever later, up to once an hour, and at once
after a restart or `qa-gate sync`.

{table}
"""
HTML = "<html><title>Unicorn!</title></html>"
KINDS = (
    Kind("connection refused", how="refuse"),
    Kind("reset before it acted", lost=True),
    Kind("reset after it acted", how="after", lost=True),
    Kind("silence of 10 s", how="silence", lost=True),
    Kind("500", 500, "Server Error"),
    Kind("502", 502, HTML),
    Kind("503", 503, "Unavailable"),
    Kind("401", 401, "Bad credentials", "UnrecognizedClientException"),
    Kind("403", 403, "Resource not accessible by integration", "AccessDeniedException"),
    Kind("404", 404, "Not Found", "NotFoundException"),
    Kind("422", 422, "Validation Failed", "ValidationException"),
    Kind("429", 429, "Too many requests"),
    Kind("429, retry-after", 429, "Too many requests", wait=RETRY_AFTER),
    Kind("200 and HTML", 200, HTML, lost=True),
    Kind("cut JSON", how="cut", lost=True),
    Kind("redirect", 302, "Found"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of the change; `seconds` from the end of the fault until all was as it should be, None: never."""

    merges: int
    mails: int
    said: int  # Lily's answer, under the pull request
    seconds: float | None

    def __str__(self) -> str:
        healed = "never" if self.seconds is None else f"{self.seconds:.0f} s"
        counts = [f"{self.merges} merges"] if self.merges != 1 else []
        counts += [f"{self.mails} mails"] if self.mails != 1 else []
        counts += [f"said {self.said} times"] if self.said != 1 else []
        return ", ".join([healed, *counts])

    def is_kept(self, call: Call, kind: Kind) -> bool:
        """Tell whether it is as promised."""
        most = MOST_MAILS if call.nth is None and kind.lost else 1
        in_time = self.seconds is not None and self.seconds <= max(MOST_SECONDS, kind.wait)
        return self.merges == 1 and self.said == 1 and 1 <= self.mails <= most and in_time


class Life:
    """One pull request from opening to merge, with one fault on the way."""

    def __init__(self, world: World, call: Call, kind: Kind) -> None:
        self.world, self.outside, self.call, self.kind = world, Outside(world, {}), call, kind
        self.lift: Lift | None = None
        self.ends: datetime | None = None
        self.is_over = False
        self.answered = 0

    def play(self) -> Cell:
        """Open, ask, approve, merge."""
        self.world.github.on_call = self.on_call
        if not self.call.nth:
            self.begin()
        self.outside.open("cards")
        if self.until(self.is_asked):
            self.outside.choose()
        is_done = self.until(self.is_merged)
        seconds = (self.world.clock.now - self.ends).total_seconds() if is_done and self.ends else None
        self.until(lambda: self.is_over)
        self.outside.pass_(minutes=15, step=60)  # what comes twice would come by now
        told = self.outside.said(ANSWER)
        seconds = None if seconds is None else max(0.0, seconds)
        return Cell(self.world.merges(), len(self.outside.mails), told, seconds)

    def on_call(self, _method: str, _path: str, phase: str) -> None:
        """Begin the fault when the call before was answered."""
        self.answered += phase == "after"
        if self.lift is None and self.call.nth == self.answered:
            self.begin()

    def begin(self) -> None:
        self.lift = self.kind.begin(self.world, self.call)
        self.ends = self.world.clock.now + LASTS

    def until(self, is_reached: Callable[[], bool]) -> bool:
        """Turn the clock in small steps until something is reached; False where it never is."""
        self.outside.settle()
        while not is_reached():
            since = self.world.clock.now - (self.ends or self.world.clock.now)
            if since > GIVEN_UP:
                return False
            self.world.clock.pass_(seconds=1 if since < timedelta(minutes=5) else 60)
            self.end_in_time()
            self.outside.settle()
        return True

    def end_in_time(self) -> None:
        if self.lift and self.ends and not self.is_over and self.world.clock.now >= self.ends:
            self.lift()
            self.is_over = True

    def is_asked(self) -> bool:
        return any(map(decide_links, self.outside.mails)) and self.outside.status() == "pending"

    def is_merged(self) -> bool:
        told = self.outside.said(ANSWER)
        knows = self.world.row().state is State.MERGED
        return self.outside.is_merged() and knows and told > 0 and self.outside.status() == "success"


def play(call: Call, kind: Kind) -> Cell:
    """Play one cell; the same each time, but for what the machine's own time decides."""
    random.seed(f"{call.name} {kind.name}")  # the jitter of waits
    with new_world(RELEASE_BRANCH="") as world:
        return Life(world, call, kind).play()


def play_all() -> dict[tuple[Call, Kind], Cell]:
    """Play every cell, on all processors."""
    pairs = [(call, kind) for kind in KINDS for call in CALLS]
    with ProcessPoolExecutor(initializer=logging.disable) as pool:
        return dict(zip(pairs, pool.map(play, *zip(*pairs, strict=True)), strict=True))


def page(cells: dict[tuple[Call, Kind], Cell]) -> str:
    """Return docs/faults.md."""
    heads = ["fault", *(call.name for call in CALLS)]
    rows = [[kind.name, *(str(cells[call, kind]) for call in CALLS)] for kind in KINDS]
    table = [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]
    return WORDS.format(
        table="\n".join(table), lasts=LASTS.seconds, most=MOST_SECONDS, wait=RETRY_AFTER, mails=MOST_MAILS
    )


def main() -> int:
    """Play them all, write the page, and return 1 where a cell is not as promised."""
    cells = play_all()
    PAGE.write_text(page(cells))
    broken = [
        f"{call.name}, {kind.name}: {cell}"
        for (call, kind), cell in cells.items()
        if not cell.is_kept(call, kind)
    ]
    print("\n".join(broken) or f"{len(cells)} cells are as promised.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
