"""What GitHub is told: commit statuses, and the reviewer's words as a review or a comment.

The rules say what is wanted; here the first difference between wanted and said is made true, and noted.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from app import mail
from app.github_client import GitHub, Refused
from app.review import (
    Choice,
    Review,
    State,
    Status,
    marker_of,
    said,
    statuses_to_say,
    success_key,
    wants_review,
)
from app.store import Happening, Overtaken
from app.workflow.gate import Work


def say(work: Work) -> None:
    """Tell GitHub what it should show and does not show yet."""
    statuses = statuses_to_say(work.row, work.gate.policy)
    if statuses and not is_a_twins(work):
        for status in statuses:
            say_status(work, status)
    if wants_review(work.row):
        say_review(work)
    elif work.row.state is State.WAITING and work.row.decisions > work.row.said_review:
        say_taken_back(work)


def is_a_twins(work: Work) -> bool:
    """Tell whether the status belongs to another pull request with the same head and base, which is asked or answered.

    To a stranger's pull request it never belongs.
    """
    if work.row.state not in (State.TO_ASK, State.DRAFT, State.CLOSED):
        return False
    twins = work.gate.store.reviews.twins(work.row)
    is_taken = any(twin.decision is not None or twin.state is State.WAITING for twin in twins)
    return is_taken or (work.row.is_strangers and bool(twins))


def say_status(work: Work, status: Status) -> None:
    """Set one commit status. Where success may stand is noted before it is said, so it is always taken back."""
    key = success_key(status)
    others = tuple(place for place in work.row.success_on if place != key)
    is_success = status.state == "success"
    if is_success and key not in work.row.success_on:
        work.keep(success_on=(*others, key))
    try:
        details = work.gate.links.details_url(work.row.id)
        work.gate.github.say_status(work.row.repository, status, details)
    except Refused as refusal:
        # A success on a commit that is gone cannot be withdrawn, and unlocks nothing any more.
        if is_success or refusal.kind not in ("invalid", "missing") or status.sha == work.row.head_sha:
            raise
    is_current = status.sha == work.row.head_sha and status.context.endswith(f"/{work.row.base}")
    changes: dict[str, Any] = {"said_status": said(status)} if is_current else {}
    try:
        work.keep(success_on=(*others, key) if is_success else others, **changes)
    except Overtaken:
        if is_success:
            work.gate.store.queue.admit_success(work.row.id, key)
        raise


def say_review(work: Work) -> None:
    """Give the reviewer's word as a review, or where GitHub refuses that, as a comment; nothing waits for it.

    The call is not idempotent: after a crash its hidden marker is looked for first.
    """
    row, github, decision = work.row, work.gate.github, work.row.decision
    if decision is None:
        return
    marker = marker_of(row)
    already = row.saying == decision.number and github.has_said(row.repository, row.number, marker)
    if not already:
        work.keep(saying=decision.number)
        body = mail.comment(decision.choice, decision.by, decision.note, marker)
        unsaid = _say_words(github, row, decision.choice, body)
        happened = [Happening("unsaid", "GitHub", unsaid)] if unsaid else []
        work.keep(said_review=decision.number, happened=happened)
    else:
        work.keep(said_review=decision.number)


def say_taken_back(work: Work) -> None:
    """Tell the developer that the last answer, which GitHub still shows as a review, does not hold any more."""
    row, github = work.row, work.gate.github
    last = work.gate.store.reviews.last_decision(row.id, row.round)
    if last and last.what == "taken_back":
        marker = f"<!-- qa-gate {row.id}.{row.round}.{row.decisions} -->"
        body = mail.comment(Choice.TAKE_BACK, last.who, last.detail, marker)
        if not (row.saying == row.decisions and github.has_said(row.repository, row.number, marker)):
            work.keep(saying=row.decisions)
            with suppress(Refused):
                github.say_comment(row.repository, row.number, body)
    work.keep(said_review=row.decisions)


def say_hold(work: Work) -> None:
    """Tell the developer what is in the way, in one comment that is edited and never repeated."""
    row, github = work.row, work.gate.github
    if row.hold is None or row.said_hold == row.hold:
        return
    marker = f"<!-- qa-gate {row.id} held -->"
    body = mail.held(row.hold, marker)
    try:
        comment = github.find_comment(row.repository, row.number, marker)
        work.keep()
        if comment is None:
            github.say_comment(row.repository, row.number, body)
        else:
            github.edit_comment(row.repository, comment, body)
    except Refused:
        pass  # the status says it, too; nothing waits for a comment
    work.keep(said_hold=row.hold)


def _say_words(github: GitHub, row: Review, choice: Choice, body: str) -> str | None:
    """Say it as a review, else as a comment; return why not when GitHub refuses both."""
    try:
        github.say_review(row.repository, row.number, row.head_sha, choice, body)
    except Refused:
        try:
            github.say_comment(row.repository, row.number, body)
        except Refused as refusal:
            return refusal.reason
    return None
