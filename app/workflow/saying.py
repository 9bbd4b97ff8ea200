"""What GitHub is told: commit statuses, and the reviewer's words as a review or a comment.

The rules say what is wanted; here the first difference between wanted and said is made true, and noted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app import mail
from app.github_client import GitHub, Refused
from app.review import (
    Action,
    Blocked,
    Choice,
    Owed,
    Read,
    Review,
    State,
    Status,
    Why,
    context_of,
    mark_of,
    said,
    statuses_to_say,
    success_key,
    wants_review,
)
from app.store import DECISIONS, Happening, Overtaken
from app.workflow.gate import Work
from app.workflow.pictures import pictures_link
from app.workflow.talking import say_question

log = logging.getLogger("qa-gate.review")

# What `Said.blocked` is where the comment says that nothing is in the way any more, or that no approval stands.
MERGED, VOID = "merged", "void"
# What GitHub's refusal of a status means for the merge that needs it.
REFUSALS = {"archived": Why.ARCHIVED, "rights": Why.RIGHTS, "missing": Why.GONE}


def owed(work: Work) -> tuple[Owed, ...]:
    """Return what GitHub should be told and was not yet, in order, without what it refused in this run."""
    row = work.row
    found = [
        Owed("status", success_key(status), is_lock=_is_lock(row, status)) for status in statuses_owed(work)
    ]
    if wants_review(row) or row.decisions > row.said.review:
        found.append(Owed("decision", str(row.decisions)))
    found += [Owed("question", str(number)) for number in range(row.said.question + 1, row.questions + 1)]
    if _owes_comment(row):
        found.append(Owed("blocked", "blocked"))
    return tuple(one for one in found if one.key not in work.refused)


def say(work: Work, action: Action) -> None:
    """Tell GitHub one thing that it is owed. Raises GitHubError."""
    if action.owed is None:
        return
    match action.owed.kind:
        case "status":
            wanted = [one for one in statuses_owed(work) if success_key(one) == action.owed.key]
            for status in wanted:
                say_status(work, status)
        case "decision" if wants_review(work.row):
            say_review(work)
        case "decision":
            say_overtaken(work)
        case "question":
            say_question(work, int(action.owed.key))
        case _:
            say_blocked(work)
    work.when_read = Read.BEFORE


def statuses_owed(work: Work) -> list[Status]:
    """Return the statuses that GitHub should be told, the successes to take back first."""
    row, held = work.row, work.row.held
    why = mail.why_for_developer(held, row.base) if held else ""
    statuses = statuses_to_say(row, work.gate.policy, why)
    if statuses and is_a_twins(work):
        # Only what stands elsewhere is this one's own.
        shared = (row.head_sha, context_of(row.base))
        statuses = [status for status in statuses if (status.sha, status.context) != shared]
    return statuses


def _is_lock(row: Review, status: Status) -> bool:
    """Tell whether a status takes a success back, or is the one that the merge needs."""
    stands = success_key(status) in row.success_on
    return (status.state == "success") is not stands


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
        details = work.gate.links.details_url(work.row.nonce)
        work.gate.github.say_status(work.row.repository, status, details)
    except Refused as refusal:
        if is_success and work.row.state is State.TO_MERGE:
            work.status_refused = Blocked(REFUSALS.get(refusal.kind, Why.STATUS_REFUSED), said=refusal.reason)
            work.refused.add(key)
            work.keep(success_on=others)
            return
        # A success on a commit that is gone cannot be withdrawn, and unlocks nothing any more.
        if is_success or refusal.kind not in ("invalid", "missing") or status.sha == work.row.head_sha:
            raise
    log.info("%s#%d: status %s is %s", work.row.repository, work.row.number, status.context, status.state)
    is_current = status.sha == work.row.head_sha and status.context.endswith(f"/{work.row.base}")
    changes: dict[str, Any] = {"said": replace(work.row.said, status=said(status))} if is_current else {}
    try:
        work.keep(success_on=(*others, key) if is_success else others, **changes)
    except Overtaken:
        if is_success:
            work.gate.store.queue.admit_success(work.row.id, key)
        raise


def say_review(work: Work) -> None:
    """Give the reviewer's standing word as a review, or where GitHub refuses that, as a comment."""
    row, decision = work.row, work.row.decision
    if decision is None:
        return

    def put(marker: str) -> str | None:
        said, version = (decision.choice, decision.by, decision.note), row.head_sha[:7]
        pictures = pictures_link(work, "decision", decision.number)
        body = mail.comment(*said, marker, version, basis=decision.basis, pictures=pictures)
        return _say_words(work.gate.github, row, decision.choice, body)

    _say_once(work, decision.number, mark_of(row), put)


def say_overtaken(work: Work) -> None:
    """Tell the developer an answer that stands no more: one that was taken back, or voided before GitHub was told."""
    row = work.row
    choices = {what: choice for choice, what in DECISIONS.items()}
    made = [line for line in work.gate.store.reviews.history(row.id) if line.what in choices]
    if not made:
        return
    last, choice = made[-1], choices[made[-1].what]
    is_taken_back = choice is Choice.TAKE_BACK
    version = None if is_taken_back else last.head_sha[:7]
    took_back = choices[made[-2].what] if is_taken_back and made[1:] else None

    def put(marker: str) -> str | None:
        body = mail.comment(choice, last.who, last.detail, marker, version, took_back)
        return _say_in_place(work, body) if is_taken_back else _say_comment(work.gate.github, row, body)

    _say_once(work, row.decisions, f"{row.nonce}.{last.round}.{row.decisions}", put)


def _say_in_place(work: Work, body: str) -> str | None:
    """Say it where a comment tells what is in the way, which is over with it; else as a comment of its own.

    So one event is one comment. Return why not when GitHub refuses it.
    """
    row, github, markers = work.row, work.gate.github, work.gate.links.markers(f"{work.row.nonce} held")
    if row.said.blocked in (None, MERGED, VOID):
        return _say_comment(github, row, body)
    try:
        comment = github.find_comment(row.repository, row.number, *markers)
        if comment is None:
            return _say_comment(github, row, body)
        github.edit_comment(row.repository, comment, f"{body}{markers[0]}\n")
    except Refused as refusal:
        return refusal.reason
    work.keep(said=replace(work.row.said, blocked=VOID))
    return None


def _say_once(work: Work, number: int, mark: str, put: Callable[[str], str | None]) -> None:
    """Say a decision; nothing waits for it, and `put` returns why GitHub refused it, if it did.

    The call is not idempotent: after a crash its hidden marker is looked for first.
    """
    row, markers, unsaid = work.row, work.gate.links.markers(mark), None
    if row.said.begun != number or not work.gate.github.has_said(row.repository, row.number, *markers):
        work.keep(said=replace(row.said, begun=number))
        unsaid = put(markers[0])
    happened = [Happening("unsaid", "GitHub", unsaid)] if unsaid else []
    work.keep(said=replace(work.row.said, review=number), happened=happened)


def _comment_about(row: Review) -> str | None:
    """Return what the comment about a merge that waits should say, as `Said.blocked` names it; None: as it does."""
    if row.state in (State.TO_MERGE, State.MERGING):
        return row.held.key if row.held else None
    return MERGED if row.state is State.MERGED else VOID


def _owes_comment(row: Review) -> bool:
    """Tell whether a developer must be asked to act, or the comment that did is no longer true."""
    if _comment_about(row) in (None, row.said.blocked):
        return False
    return row.said.blocked is not None or (row.held is not None and row.held.manner.for_developer)


def say_blocked(work: Work) -> None:
    """Tell the developer what is in the way, in one comment that is edited and never repeated."""
    row, github, said = work.row, work.gate.github, _comment_about(work.row)
    markers = work.gate.links.markers(f"{row.nonce} held")
    held = row.held if row.state in (State.TO_MERGE, State.MERGING) else None
    body = mail.held(held, markers[0], row.base, is_merged=row.state is State.MERGED)
    try:
        comment = github.find_comment(row.repository, row.number, *markers)
        work.keep()
        if comment is not None:
            github.edit_comment(row.repository, comment, body)
        elif held and held.manner.for_developer:
            github.say_comment(row.repository, row.number, body)
        else:
            said = None  # somebody deleted it, so nothing is said there
    except Refused:
        pass  # the status says it, too; nothing waits for a comment
    work.keep(said=replace(work.row.said, blocked=said))


def _say_words(github: GitHub, row: Review, choice: Choice, body: str) -> str | None:
    """Say it as a review, else as a comment; return why not when GitHub refuses both."""
    try:
        github.say_review(row.repository, row.number, row.head_sha, choice, body)
    except Refused:
        return _say_comment(github, row, body)
    return None


def _say_comment(github: GitHub, row: Review, body: str) -> str | None:
    """Say it as a comment; return why not when GitHub refuses it."""
    try:
        github.say_comment(row.repository, row.number, body)
    except Refused as refusal:
        return refusal.reason
    return None
