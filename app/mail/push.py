"""The mail that tells what was pushed past the reviewers, where no release will name it. Pure.

What `compose` promises holds here too: nothing of a stranger's becomes markup, a header or a link.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app import text
from app.domain import Reviewer, Unseen
from app.mail.compose import UNTITLED, Mail, mail_of
from app.mail.request import NOT_APPROVED
from app.mail.templates import say

# So many are listed.
MOST_ITEMS = 30
LONGEST_TITLE, LONGEST_NAME = 120, 40


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push brought, and what it took away; `place` is the repository, "" where there is only one.

    `gone` are the titles of approved changes that are not in the branch any more.
    """

    branch: str
    place: str
    items: tuple[Unseen, ...]
    gone: tuple[str, ...] = ()
    is_rewritten: bool = False


def compose_push(reviewer: Reviewer, pushed: Pushed, pending_url: str) -> Mail:
    """Return the mail about a push that nobody asked a reviewer about."""
    items = [_item(item) for item in pushed.items[:MOST_ITEMS]]
    gone = [text.plain(title, LONGEST_TITLE) or UNTITLED for title in pushed.gone[:MOST_ITEMS]]
    values: dict[str, Any] = {
        "subject": say("push_subject", changes=len(pushed.items), branch=pushed.branch),
        "preheader": say("push_preview", changes=len(pushed.items), branch=pushed.branch),
        "branch": pushed.branch,
        "place": pushed.place,
        "name": reviewer.name,
        "chips": (NOT_APPROVED,),
        "items": items,
        "total": len(pushed.items),
        "gone": gone,
        "more_gone": len(pushed.gone) - len(gone),
        "is_rewritten": pushed.is_rewritten,
        "by": {text.person(item.author, LONGEST_NAME) for item in pushed.items},
        "pending_url": pending_url,
    }
    return mail_of(reviewer, "push", values)


def _item(item: Unseen) -> dict[str, str]:
    return {
        "title": text.plain(item.title, LONGEST_TITLE) or UNTITLED,
        "author": text.person(item.author, LONGEST_NAME),
    }
