"""The guide above the panes: four steps, and the one sentence that says what to do now.

Asked by `picture` about the newest pull request. Pure: it goes by what has really happened, and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

STEPS = ("Open a pull request", "Read Lily's email", "Approve it", "See it merged")


@dataclass(frozen=True, slots=True)
class Facts:
    """What has happened to the newest pull request."""

    author: str
    is_open: bool
    merged: bool
    clashes: bool
    has_red_tests: bool
    status: str  # of qa-gate on its head: 'success', 'failure', 'pending', or '' when it was never set
    mails: int  # mails about it
    is_read: bool  # whether the newest of them was opened


def guide(facts: Facts | None) -> dict[str, Any]:
    """Return the steps as {"words", "state"} (done, now or later) and the hint, in plain words."""
    done = _done(facts)
    states = ["done"] * done + ["now"] * (done < len(STEPS)) + ["later"] * (len(STEPS) - done - 1)
    return {
        "steps": [{"words": _set(words), "state": state} for words, state in zip(STEPS, states, strict=True)],
        "hint": _set(_hint(facts)),
    }


def _set(words: str) -> str:
    """Return the words with a printer's apostrophe, as all else on the page has it."""
    return words.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")


def _done(facts: Facts | None) -> int:
    if facts is None:
        return 0
    if facts.merged:
        return 4
    if facts.status == "success":
        return 3
    return 2 if facts.mails and facts.is_read else 1


def _hint(facts: Facts | None) -> str:
    if facts is None:
        return "Press the button on the developers' desk. The text is an example: change it as you like."
    if facts.merged:
        return (
            "That's the whole loop. The gate has opened a release, too: decide on it from its email. Or open another "
            "one, and push a commit after the email came, cause a conflict, fail its tests, or let Lily reject it."
        )
    if not facts.is_open:
        return "That one was closed. Open another one on the developers' desk."
    return _hint_while_open(facts)


def _hint_while_open(facts: Facts) -> str:
    if facts.status == "failure":
        return f"Lily requested changes, and {facts.author} can read why. Push a commit, and she'll be asked again."
    if facts.clashes:
        return f"Someone changed the same part of development: it can’t be merged even when approved. Resolve it as {facts.author} would."
    if facts.has_red_tests:
        return "Its automatic tests are failing: it can’t be merged even when approved. Fix them on the developers' desk."
    if facts.status == "success":
        return "Lily approved it. It’s going in."
    if not facts.mails:
        return (
            "Lily's email comes in a moment. After ten in an hour, or five about one person's changes, "
            "the rest come together in a list ten minutes later."
        )
    if not facts.is_read:
        return "Lily has a new email. Open it in her inbox."
    return (
        "Scroll down in the email and press Approve or Reject: it opens the gate's page in a new tab. "
        "Come back once you've decided."
    )
