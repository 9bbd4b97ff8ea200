"""What is in the way of a change, in words: for reviewers, and for developers with the next step. Pure.

Plain text, in which GitHub's and people's own words may stand: who shows it treats it as a stranger's.
"""

from __future__ import annotations

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Macro

from app import wording
from app.domain import Blocked

# Not escaped here: what comes of it is text, and is escaped where it is shown.
_WORDS = Environment(  # noqa: S701
    loader=FileSystemLoader(wording.templates()),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def why_for_reviewer(blocked: Blocked, base: str, helper: str = "the developer") -> str:
    """Return why it does not go on, without GitHub's own words; `helper` is who can change that."""
    return str(_said("lily")(blocked, base, helper))


def why_for_developer(blocked: Blocked, base: str) -> str:
    """Return why it does not go on, in GitHub's own words where it said any."""
    return str(_said("developer")(blocked, base))


def next_step(blocked: Blocked, base: str) -> str:
    """Return what a developer can do about it."""
    return str(_said("next_step")(blocked, base))


def _said(macro: str) -> Macro:
    found: Macro = getattr(_WORDS.get_template("blocked.txt").module, macro)
    return found
