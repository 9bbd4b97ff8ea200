"""What the automatic checks of a commit say together: commit statuses and check runs, as one word. Pure.

Called by `client` only. The gate's own statuses never count, or it would wait for itself; of several runs that one
app made under one name only the newest counts, as at GitHub. What GitHub may add one day is never green: an unknown
state still runs, an unknown conclusion is red.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from app.github_client.fields import MOST_ID, at_or_none, integer, one_line, text, text_or_none, words
from app.review import Checks

# Contexts compare without case.
OWN_PREFIX = "qa-gate/"
LONGEST_NAME = 100

# https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference
_STATES = {"success": "green", "failure": "red", "error": "red"}
# https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/about-status-checks#check-statuses-and-conclusions
_GREEN = frozenset({"success", "neutral", "skipped"})


def read_checks(statuses: list[Any], runs: list[Any], ignored: Collection[str] = ()) -> Checks:
    """Return one red check as red, else one that runs as pending; `names` are those that make it so. Raises Odd.

    Those that are `ignored` by name (compared without case) do not count.
    """
    said = [*_of_statuses(statuses), *_of_runs(_newest(runs))]
    skipped = {name.casefold() for name in ignored}
    others = [
        (name, word) for name, word in said if not is_own(name) and one_line(name).casefold() not in skipped
    ]
    for word in ("red", "pending"):
        names = {one_line(name)[:LONGEST_NAME] or "(no name)" for name, is_word in others if is_word == word}
        if names:
            return Checks("red" if word == "red" else "pending", tuple(sorted(names)))
    return Checks("green" if others else "none", ())


def is_own(name: str) -> bool:
    """Tell whether a context is the gate's own."""
    return name.casefold().startswith(OWN_PREFIX)


def _newest(runs: list[Any]) -> list[Any]:
    """Return the newest run of each name and app: one that was cancelled and started again is there twice.

    GitHub's own "latest" is by suite, and each start of a workflow makes a suite.
    https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference
    """
    by_age = sorted(runs, key=lambda run: integer(run, "id", 1, MOST_ID))
    return list({(_app_of(run), words(run, "name")): run for run in by_age}.values())


def _app_of(run: Any) -> int | None:
    return None if at_or_none(run, "app") is None else integer(run, "app.id", 1, MOST_ID)


def _of_statuses(statuses: list[Any]) -> Iterator[tuple[str, str]]:
    for status in statuses:
        yield words(status, "context"), _STATES.get(text(status, "state"), "pending")


def _of_runs(runs: list[Any]) -> Iterator[tuple[str, str]]:
    for run in runs:
        conclusion = text_or_none(run, "conclusion") if text(run, "status") == "completed" else None
        yield words(run, "name"), "pending" if not conclusion else "green" if conclusion in _GREEN else "red"
