"""Where the story plays: what can be seen of the demo from outside, how long to wait for it, and how to say it.

Used by every step. All of it goes over HTTP to the tour's address, as the tour's own page does.

    Difference    a step saw something else than it should; says which
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from demo.story.browser import Browser

PATIENCE = 30.0  # seconds that a step may take


class Difference(Exception):
    """What was expected, and what was seen instead."""

    def __init__(self, step: str, expected: str, saw: object) -> None:
        super().__init__(f"{step}: expected {expected}, saw {saw}")


@dataclass
class Stage:
    """The tour's address, Lily's browser, and how long a step may take."""

    url: str
    patience: float = PATIENCE
    browser: Browser = field(default_factory=Browser)

    def state(self) -> dict[str, Any]:
        """Return all that can be seen now."""
        seen: dict[str, Any] = json.loads(self.browser.open(f"{self.url}/state.json").html)
        return seen

    def pull(self, number: int) -> dict[str, Any]:
        """Return a pull request as GitHub has it now."""
        found: dict[str, Any] = next(pull for pull in self.state()["pulls"] if pull["number"] == number)
        return found

    def do(self, path: str, **words: str) -> int:
        """Press a button on the desk; return the pull request's number."""
        headers = {"Content-Type": "application/json"}
        answer = self.browser.open(f"{self.url}{path}", json.dumps(words).encode(), headers)
        if answer.status not in (200, 201):
            raise Difference("the developers' desk", "that the button works", answer.html)
        return int(json.loads(answer.html)["number"])

    def wait(self, step: str, expected: str, look: Callable[[], Any], instead: Callable[[], object]) -> Any:
        """Return what `look` sees, as soon as it sees something; else tell what was there `instead`."""
        until = time.monotonic() + self.patience
        while not (seen := look()):
            if time.monotonic() > until:
                raise Difference(step, f"{expected} within {self.patience:g} seconds", instead())
            time.sleep(0.1)
        return seen


def saw(words: str) -> None:
    """Print one line of the story."""
    print(f"✓ {words}", flush=True)


def expect(step: str, holds: bool, expected: str, seen: object) -> None:
    """Raise Difference unless it holds."""
    if not holds:
        raise Difference(step, expected, seen)
