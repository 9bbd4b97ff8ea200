"""What the automatic checks of a commit say together: commit statuses and check runs, as one word. Pure.

Called by `client` only. The gate's own statuses never count, or it would wait for itself. What GitHub may add
one day is never green: an unknown state still runs, an unknown conclusion is red.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.github_client.fields import one_line, text, text_or_none, words
from app.review import Checks

# Contexts compare without case.
OWN_PREFIX = "qa-gate/"
LONGEST_NAME = 100

# https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference
_STATES = {"success": "green", "failure": "red", "error": "red"}
# https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/about-status-checks#check-statuses-and-conclusions
_GREEN = frozenset({"success", "neutral", "skipped"})


def read_checks(statuses: list[Any], runs: list[Any], own_prefix: str) -> Checks:
    """Return one red check as red, else one that runs as pending; `names` are those that make it so. Raises Odd."""
    said = [*_of_statuses(statuses), *_of_runs(runs)]
    others = [(name, word) for name, word in said if not is_own(name, own_prefix)]
    for word in ("red", "pending"):
        names = {one_line(name)[:LONGEST_NAME] or "(no name)" for name, is_word in others if is_word == word}
        if names:
            return Checks("red" if word == "red" else "pending", tuple(sorted(names)))
    return Checks("green" if others else "none", ())


def is_own(name: str, own_prefix: str = OWN_PREFIX) -> bool:
    """Tell whether a context is the gate's own."""
    return name.casefold().startswith(own_prefix.casefold())


def _of_statuses(statuses: list[Any]) -> Iterator[tuple[str, str]]:
    for status in statuses:
        yield words(status, "context"), _STATES.get(text(status, "state"), "pending")


def _of_runs(runs: list[Any]) -> Iterator[tuple[str, str]]:
    for run in runs:
        conclusion = text_or_none(run, "conclusion") if text(run, "status") == "completed" else None
        yield words(run, "name"), "pending" if not conclusion else "green" if conclusion in _GREEN else "red"
