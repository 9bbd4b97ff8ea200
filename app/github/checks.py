"""What the automatic checks of a commit say together: commit statuses and check runs, as one word. Pure.

Called by `client` and `webhooks`, and by `operator` to know the gate's own. These never count, or the gate would wait for
itself; of several runs that one app made under one name only the newest counts, as at GitHub. What GitHub may add one day
is never green: an unknown state still runs, an unknown conclusion is red.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from app.domain.facts import Checks
from app.domain.statuses import context_of
from app.github.models import Id, Line, Model, Text, Words, at, one_line

# Contexts compare without case.
OWN_PREFIX = context_of("")
LONGEST_NAME = 100

Word = Literal["green", "pending", "red"]
_STATES: dict[str, Word] = {"success": "green", "failure": "red", "error": "red"}
# https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/about-status-checks#check-statuses-and-conclusions
_GREEN = frozenset({"success", "neutral", "skipped"})


class CommitStatus(Model):
    """https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference ."""

    context: Words = ""
    state: Text

    @property
    def word(self) -> Word:
        """Return what it says."""
        return _STATES.get(self.state, "pending")


class StatusPage(Model):
    """A page of the statuses of a commit."""

    statuses: list[CommitStatus]


class Conclusion(Model):
    """How a check run, or all of one app's, ended."""

    name: Words = ""
    status: Text = "completed"
    conclusion: Line | None = None

    @property
    def word(self) -> Word:
        """Return what it says."""
        if self.status != "completed" or not self.conclusion:
            return "pending"
        return "green" if self.conclusion in _GREEN else "red"


class CheckRun(Conclusion):
    """https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference ."""

    id: Id
    status: Text
    app: Id | None = at("app.id", default=None)


class RunPage(Model):
    """A page of the check runs of a commit."""

    check_runs: list[CheckRun]


def read_checks(
    statuses: Sequence[CommitStatus], runs: Sequence[CheckRun], ignored: Collection[str] = ()
) -> Checks:
    """Return one red check as red, else one that runs as pending; `names` are those that make it so.

    Those that are `ignored` by name (compared without case) do not count.
    """
    said = [(one.context, one.word) for one in statuses] + [(run.name, run.word) for run in _newest(runs)]
    skipped = {name.casefold() for name in ignored}
    others = [
        (name, word) for name, word in said if not is_own(name) and one_line(name).casefold() not in skipped
    ]
    for word in ("red", "pending"):
        names = {shown(name) for name, is_word in others if is_word == word}
        if names:
            return Checks("red" if word == "red" else "pending", tuple(sorted(names)))
    return Checks("green" if others else "none", ())


def shown(name: str) -> str:
    """Return the name of a check as people are told it."""
    return one_line(name)[:LONGEST_NAME] or "(no name)"


def is_own(name: str) -> bool:
    """Tell whether a context is the gate's own."""
    return name.casefold().startswith(OWN_PREFIX)


def _newest(runs: Sequence[CheckRun]) -> list[CheckRun]:
    """Return the newest run of each name and app: one that was cancelled and started again is there twice.

    GitHub's own "latest" is by suite, and each start of a workflow makes a suite.
    """
    by_age = sorted(runs, key=lambda run: run.id)
    return list({(run.app, run.name): run for run in by_age}.values())
