"""Write docs/decisions.md: every state, what is looked at in it, and what is done then, found by asking the rules themselves.

A question that answers itself step by step: whatever fact the rules look at is tried with each value that it can have.
`python -m tests.decisions` writes the page; tests/test_action.py keeps it true.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.domain.action import next_duty
from app.domain.blocked import Blocked, Why
from app.domain.facts import State
from app.domain.known import Action, Base, Do, Owed, Read

PAGE = Path(__file__).parent.parent / "docs" / "decisions.md"

LOCK = Owed("status", "lock", is_lock=True)
DECISION, QUESTION, COMMENT = (Owed(kind, kind) for kind in ("decision", "question", "blocked"))
A_DAY = timedelta(days=1)

# What GitHub's refusal of a merge may mean.
ANSWERS = (
    Why.MOVED,
    Why.BUSY,
    Why.CONFLICT,
    Why.BEHIND,
    Why.CHECKS_RUNNING,
    Why.CHECKS_RED,
    Why.CHECK_MISSING,
    Why.STATUS_UNSEEN,
    Why.REVIEW_REQUIRED,
    Why.QUEUE_REQUIRED,
    Why.METHOD_OFF,
    Why.RIGHTS,
    Why.ARCHIVED,
    Why.GONE,
    Why.REFUSED,
)

# What each fact can be; the first is the plain one.
VALUES: dict[str, tuple[Any, ...]] = {
    "is_news": (False, True),
    "is_gated": (True, None, False),
    "read": (Read.NOW, Read.BEFORE, Read.NOT),
    "owed": ((), (LOCK,), (DECISION,), (QUESTION,), (COMMENT,)),
    "blocked": (None, Blocked(Why.UPDATING), Blocked(Why.UPDATING, tries=3), Blocked(Why.REVIEW_REQUIRED)),
    "is_noted": (False, True),
    "quiet": (None, A_DAY),
    "twin": (None, "#7"),
    "outside": (None, Why.OUTSIDE_UNKNOWN, Why.OUTSIDE),
    "are_vouchers_read": (True, False),
    "waits_for_checks": (False, True),
    "just_checked": (None, (Blocked(Why.CHECKS_TO_END), A_DAY)),
    "checks": (None, "green", "red", "pending", "young", "none"),
    "check_names": (("build",),),
    "away": (None, A_DAY),
    "back": ("27 Nov 2026",),
    "is_release": (False, True),
    "is_merge_out": (False, True),
    "is_compared": (False, True),
    "has_extras": (False, True),
    "has_release": (None, True, False),
    "is_held_by_reviewer": (True, False),
    "has_answers": (False, True),
    "are_extras_due": (False, True),
    "is_giver_there": (True, False),
    "head": ("development",),
    "keeps_branch": (True, None, False),
    "base": tuple(Base),
    "is_conflicting": (False, True),
    "merge_refused": (
        None,
        *(Blocked(why) for why in ANSWERS),
        Blocked(Why.CHECKS_RED, ("build",)),
    ),
    "is_carried": (False, True),
    "may_update": (True, False),
    "is_updated": (False, True),
    "status_refused": (None, Blocked(Why.STATUS_REFUSED)),
    "is_kept": (True, False),
    "is_stopped": (False, True),
    "soon": (timedelta(seconds=30),),
}


class Asked(Exception):
    """The rules looked at a fact that has no value yet."""


class Facts:
    """Known facts, of which only some have a value; what has just one possible value is known anyway."""

    def __init__(self, **facts: Any) -> None:
        self.facts = facts

    def __getattr__(self, name: str) -> Any:
        if name in self.facts:
            return self.facts[name]
        values = VALUES[name]
        if len(values) > 1:
            raise Asked(name)
        return values[0]


# What each fact is called.
LOOKS: dict[str, str] = {
    "read": "read in this run",
    "blocked": "in the way so far",
    "quiet": "to be left alone for a while",
    "twin": "twin",
    "outside": "from outside",
    "are_vouchers_read": "who may vouch for it was read",
    "waits_for_checks": "waits for checks",
    "just_checked": "waits for its checks, which were read just now",
    "checks": "checks",
    "away": "everybody is away",
    "is_release": "a release",
    "is_merge_out": "a merge of the gate’s own is out",
    "is_compared": "compared",
    "has_extras": "extras read",
    "has_release": "what the release holds",
    "is_held_by_reviewer": "its reviewer is there",
    "has_answers": "answers to look for",
    "are_extras_due": "more may have come of it",
    "is_giver_there": "who approved is a reviewer",
    "keeps_branch": "GitHub keeps its branch",
    "base": "where it meets its base",
    "is_conflicting": "conflict",
    "merge_refused": "GitHub refused the merge",
    "is_carried": "the approval was carried over",
    "may_update": "may be brought up to date",
    "is_updated": "just brought up to date",
    "status_refused": "GitHub refused the status",
    "is_kept": "what it held is kept",
    "is_noted": "noted in this run",
}

# What is the same in every state is said once, above the tables.
PLAIN = {
    "read": Read.NOW,
    "is_giver_there": True,
    "is_gated": True,
    "is_news": False,
    "owed": (),
    "is_noted": True,
    "is_stopped": False,
}
INTRODUCTION = """# What is done next

Made by `python -m tests.decisions` from `next_action` in [app/domain/action.py](../app/domain/action.py); a test keeps it true.

One run of a pull request asks "what is next?" until the answer is *rest*. In every state, the first that fits:

1. Something happened that only GitHub can tell (a webhook, a poll, a merge whose answer was lost): **read the pull request**.
2. Its repository is not in the settings any more: **let it go**.
3. It is approved by somebody who isn't a reviewer any more: **void the approval**.
4. GitHub shows a success that no approval stands for, or not yet the one that the merge needs: **say it at GitHub**.
5. What the tables below say. If that is *rest*: what is in the way is noted, what GitHub is owed is said, and then it rests.

Nothing is written to GitHub in a run that has not read the pull request, and no merge is sent unless it was read after the
last word. "none" is what nobody looked at yet, or what is not there.
"""


def page() -> str:
    """Return the page."""
    lists = ("\n".join(lines(tree(state=state, **PLAIN))) for state in State)
    return "\n".join(
        [INTRODUCTION, *(f"## {state}\n\n{found}\n" for state, found in zip(State, lists, strict=True))]
    )


# What is done, or the fact that is looked at with what follows from each of its values.
Tree = str | tuple[str, list[tuple[Any, "Tree"]]]


def tree(**facts: Any) -> Tree:
    """Return what the rules look at from here on; what makes no difference is left out."""
    try:
        return done(next_duty(Facts(**facts)))  # type: ignore[arg-type]
    except Asked as asked:
        name = str(asked)
        branches = [(value, tree(**facts, **{name: value})) for value in VALUES[name]]
        return branches[0][1] if all(below == branches[0][1] for _, below in branches) else (name, branches)


def lines(found: Tree, depth: int = 0) -> Iterator[str]:
    """Give a tree as lists in which the first line that fits counts: what ends first, then what else is looked at."""
    if isinstance(found, str):
        yield f"{'  ' * depth}- {found}"
        return
    name, branches = found
    groups: list[tuple[list[str], Tree]] = []
    for value, below in branches:
        like = next((values for values, other in groups if other == below), None)
        if like is None:
            groups.append(([said(value)], below))
        else:
            like.append(said(value))
    ends = [(values, below) for values, below in groups if isinstance(below, str)]
    others = [(values, below) for values, below in groups if not isinstance(below, str)]
    for values, below in ends[: None if others else -1]:
        yield f"{'  ' * depth}- {LOOKS[name]}: {' or '.join(values)} → {below}"
    for values, below in others[:-1]:
        yield f"{'  ' * depth}- {LOOKS[name]}: {' or '.join(values)} →"
        yield from lines(below, depth + 1)
    yield from lines((others or ends)[-1][1], depth)


def done(action: Action) -> str:
    """Return an action in words."""
    if action.do is Do.REST:
        why = f", in the way: {action.blocked.why}" if action.blocked else ""
        return f"rest{why}"
    return f"**{action.do}**" + (f": {action.owed.kind}" if action.owed else "")


def said(value: Any) -> str:
    """Return a value as a reader would say it."""
    match value:
        case None:
            return "none"
        case True | False:
            return "yes" if value else "no"
        case Blocked():
            about = f" ({value.names[0]})" if value.names else ""
            return value.why + about + (f", {value.tries} in a row" if value.tries > 1 else "")
        case timedelta() | tuple():
            return "yes"
        case _:
            return str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
