"""All that the tour page shows, as one JSON object: the guide, the desk, the inbox, the log.

Asked by the page every second. It only looks; nothing it reads counts as a call to GitHub.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from demo.github.state import Pull, Status
from demo.inbox import Mail, PretendInbox
from demo.tour import git
from demo.tour.desk import DEVELOPMENT, RELEASE, Desk
from demo.tour.guide import Facts, guide

_HIDDEN = re.compile(r"<!--.*?-->", re.DOTALL)  # GitHub does not show it either


def picture(desk: Desk, inbox: PretendInbox, opened: Collection[int]) -> dict[str, Any]:
    """Return everything; `opened` holds the ids of the mails that were opened."""
    pulls = sorted(desk.repo.pulls.values(), key=lambda pull: -pull.number)
    features = [pull for pull in pulls if pull.base == DEVELOPMENT]
    mails = list(inbox.mails)
    example = desk.next
    return {
        "guide": guide(_facts(desk, features[0], mails, opened) if features else None),
        "next": {
            "title": example.title,
            "body": example.body,
            "author": example.author,
            "branch": example.branch,
            "paths": example.paths,
        },
        "pulls": [_pull(desk, pull) for pull in pulls],
        "mails": [_mail(mail, opened) for mail in reversed(mails)],
        "log": _log(desk, DEVELOPMENT),
        "released": _log(desk, RELEASE),
        "calls": [f"{call.method} {call.path}" for call in list(desk.github.calls)],
    }


def _log(desk: Desk, branch: str) -> list[dict[str, Any]]:
    return [asdict(line) for line in git.log(desk.repo.git.path, desk.repo.git.branches[branch])]


def _facts(desk: Desk, pull: Pull, mails: list[Mail], opened: Collection[int]) -> Facts:
    about = [mail for mail in mails if re.search(rf"#{pull.number}\b", mail.subject)]
    status = _status(pull)
    return Facts(
        author=_author(pull),
        is_open=pull.open,
        merged=pull.merged,
        clashes=_clashes(pull),
        has_red_tests=desk.tests_of(pull) == "failure",
        status=status.state if status else "",
        mails=len(about),
        is_read=bool(about) and about[-1].id in opened,
    )


def _pull(desk: Desk, pull: Pull) -> dict[str, Any]:
    clashes = _clashes(pull)
    status = _status(pull)
    return {
        "number": pull.number,
        "title": pull.title,
        "author": _author(pull),
        "head": pull.head,
        "base": pull.base,
        "is_release": pull.base == RELEASE,
        "sha": pull.head_sha,
        "state": "merged" if pull.merged else pull.state,
        "clashes": clashes,
        "can_answer": pull.open and desk.has_question(pull),
        "can_clash": pull.open and not clashes and desk.can_clash(pull.number),
        "tests": desk.tests_of(pull),
        "merged_by": pull.merged_by.login if pull.merged_by else None,
        "status": {
            "context": status.context,
            "state": status.state,
            "words": status.description or "",
            "url": status.target_url,
        }
        if status
        else None,
        "said": _said(pull),
    }


def _said(pull: Pull) -> list[dict[str, str]]:
    """Return the reviews and comments of a pull request, the oldest first."""
    reviews = [(one.at, one.id, one.user.login, one.state, one.body) for one in list(pull.reviews)]
    comments = [
        (one.created_at, one.id, one.user.login, "COMMENTED", one.body)
        for one in list(pull.repo.comments.values())
        if one.number == pull.number
    ]
    return [
        {"by": by, "kind": kind, "words": _HIDDEN.sub("", words).strip()}
        for _, _, by, kind, words in sorted(reviews + comments)
    ]


def _mail(mail: Mail, opened: Collection[int]) -> dict[str, Any]:
    return {
        "id": mail.id,
        "to": mail.to,
        "sender": mail.sender,
        "subject": mail.subject,
        "preview": mail.preview,
        "at": mail.received_at.isoformat(),
        "is_read": mail.id in opened,
        "links": mail.links,
    }


def _status(pull: Pull) -> Status | None:
    said = pull.repo.statuses.get(pull.head_sha, [])
    return next((one for one in reversed(said) if one.context == f"qa-gate/{pull.base}"), None)


def _clashes(pull: Pull) -> bool:
    return pull.open and pull.repo.git.merge(pull.repo.git.branches[pull.base], pull.head_sha) is None


def _author(pull: Pull) -> str:
    return pull.user.login if pull.user else "ghost"
