"""What GitHub is told: commit statuses, and the reviewer's words as a review or a comment.

The rules say what is wanted; here the first difference between wanted and said is made true, and noted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from app.db.queue import Overtaken
from app.domain.approval import Choice, Decision
from app.domain.blocked import Blocked, Why
from app.domain.facts import State, Status
from app.domain.known import Action, Owed, Read
from app.domain.review import OVERTAKEN, Post, Review
from app.domain.rules import APPROVED
from app.domain.statuses import statuses_to_say, unsaid_words
from app.github.answers import Refused
from app.jobs.gate import Work
from app.jobs.pictures import pictures_link
from app.jobs.questions import MOST_TRIES, give_up, say_question
from app.mail import comments
from app.mail.compose import why_for_developer

log = logging.getLogger("qa-gate.review")

# What is remembered of the comment about what is in the way, where nothing is any more, or no approval stands.
MERGED, VOID = "merged", "void"
# What of GitHub's refusals of a status says why by itself.
CLEAR = (Why.ARCHIVED, Why.RIGHTS, Why.GONE)


def owed(work: Work, twins: Sequence[Review]) -> tuple[Owed, ...]:
    """Return what GitHub should be told and was not yet, in order, without what it refused in this run."""
    row = work.row
    found = [
        Owed("status", status.key, is_lock=_is_lock(row, status), status=status)
        for status in statuses_owed(work, twins)
    ]
    found += [Owed(post.kind, post.key) for post in unsaid_words(row)]
    if _owes_comment(row):
        found.append(Owed("blocked", "blocked"))
    return tuple(one for one in found if one.key not in work.refused)


def say(work: Work, action: Action) -> None:
    """Tell GitHub one thing that it is owed. Raises GitHubError."""
    match action.owed:
        case Owed(status=Status() as status):
            say_status(work, status)
        case Owed(kind="decision", key=key):
            say_decision(work, work.row.posts[key])
        case Owed(kind="question", key=key):
            say_question(work, work.row.posts[key])
        case _:
            say_blocked(work)
    work.known.read = Read.BEFORE


def twins_of(work: Work) -> list[Review]:
    """Return the other pull requests with the same head and base, ended ones too."""
    return work.gate.store.reviews.twins(work.row) if work.row.was_read else []


def statuses_owed(work: Work, twins: Sequence[Review]) -> list[Status]:
    """Return the statuses that GitHub should be told, the successes to take back first."""
    row, held = work.row, work.row.held
    why = why_for_developer(held, row.base) if held else ""
    return statuses_to_say(row, work.gate.policy, why, twins)


def _is_lock(row: Review, status: Status) -> bool:
    """Tell whether a status takes a success back, or is the one that the merge needs."""
    post = row.posts.get(status.key)
    return (status.state == "success") is not (post is not None and post.is_success)


def say_status(work: Work, status: Status) -> None:
    """Set one commit status. Where success may stand is noted before it is said, so it is always taken back."""
    row, is_success = work.row, status.state == "success"
    before = row.posts.get(status.key, Post(status.key))
    work.keep(
        posts=[replace(before, said=None, is_success=before.is_success or is_success, tries=before.tries + 1)]
    )
    try:
        work.gate.github.say_status(row.repository, status, work.gate.links.details_url(row.nonce))
    except Refused as refusal:
        if is_success and row.state is State.TO_MERGE:
            why = next((why for why in CLEAR if why is refusal.kind), Why.STATUS_REFUSED)
            work.known.status_refused = Blocked(why, said=refusal.reason)
            work.refused.add(before.key)
            work.keep(posts=[replace(before, said=None)])
            return
        # A success on a commit that is gone cannot be withdrawn, and unlocks nothing any more; one odd answer proves nothing.
        may_be_gone = not is_success and refusal.kind in ("invalid", Why.GONE) and status.sha != row.head_sha
        if not may_be_gone or before.tries + 1 < MOST_TRIES:
            raise
    log.info("%s#%d: status %s is %s", row.repository, row.number, status.context, status.state)
    post = replace(before, said=status.said, is_success=is_success, tries=0)
    try:
        work.keep(posts=[post])
    except Overtaken:
        # Whoever has the row by now finds out whether it should stand.
        may_stand = replace(before, said=None, is_success=is_success or before.is_success)
        work.gate.store.queue.admit(row.id, may_stand)
        raise


def say_decision(work: Work, post: Post) -> None:
    """Tell the developer the last decision: as a review while it stands, else as a comment.

    What a later one overtook is not told.
    The call is not idempotent: after a crash its hidden marker is looked for first. Nothing waits for it.
    """
    row, github, reviews = work.row, work.gate.github, work.gate.store.reviews
    standing = row.decision if row.decision and row.decision.number == post.number else None
    last = standing or reviews.last_decision(row.id)
    if last is None or post.number < row.decisions:
        return work.keep(posts=[replace(post, said=OVERTAKEN)])
    markers = work.gate.links.markers(f"{row.nonce}.{last.round}.{last.number}")
    try:
        if post.tries == 0 or not github.has_said(row.repository, row.number, *markers):
            work.keep(posts=[replace(post, tries=post.tries + 1)])
            _put(work, last, markers[0], is_standing=standing is not None)
    except Refused as refusal:
        return give_up(work, post, refusal)
    return work.keep(posts=[replace(post, said="said")])


def _put(work: Work, last: Decision, marker: str, *, is_standing: bool) -> None:
    """Say the last decision: as a review, or where GitHub refuses that or it stands no more, as a comment. Raises Refused."""
    row, github, words = work.row, work.gate.github, (last.choice, last.by, last.note, marker)
    if is_standing:
        pictures = pictures_link(work, "decision", last.number)
        body = comments.comment(*words, row.head_sha[:7], basis=last.basis, pictures=pictures)
        with suppress(Refused):
            github.say_review(row.repository, row.number, row.head_sha, last.choice, body)
            return
    elif last.choice is Choice.TAKE_BACK:
        before = work.gate.store.reviews.last_decision(row.id, before=last.number)
        body = comments.comment(*words, took_back=before.choice if before else None)
        if _is_said_in_place(work, body):
            return
    else:
        body = comments.comment(*words, last.head_sha[:7])
    github.say_comment(row.repository, row.number, body)


def _is_said_in_place(work: Work, body: str) -> bool:
    """Say it where a comment tells what is in the way, so that one event is one comment; False: there is none."""
    row, github, markers = work.row, work.gate.github, work.gate.links.markers(f"{work.row.nonce} held")
    post = row.posts.get("blocked")
    if post is None or post.said in (None, MERGED, VOID):
        return False
    comment = github.find_comment(row.repository, row.number, *markers)
    if comment is None:
        return False
    github.edit_comment(row.repository, comment, f"{body}{markers[0]}\n")
    work.keep(posts=[replace(post, said=VOID)])
    return True


def _comment_about(row: Review) -> str | None:
    """Return what the comment about a merge that waits should say, as `Said.blocked` names it; None: as it does."""
    if row.state in APPROVED:
        return row.held.key if row.held else None
    return MERGED if row.state is State.MERGED else VOID


def _owes_comment(row: Review) -> bool:
    """Tell whether a developer must be asked to act, or the comment that did is no longer true."""
    post = row.posts.get("blocked")
    if _comment_about(row) in (None, post.said if post else None):
        return False
    return post is not None or (row.held is not None and row.held.why.handling.for_developer)


def say_blocked(work: Work) -> None:
    """Tell the developer what is in the way, in one comment that is edited and never repeated."""
    row, github, about = work.row, work.gate.github, _comment_about(work.row)
    markers = work.gate.links.markers(f"{row.nonce} held")
    held = row.held if row.state in APPROVED else None
    body = comments.blocked_comment(held, markers[0], row.base, is_merged=row.state is State.MERGED)
    comment = None
    try:
        comment = github.find_comment(row.repository, row.number, *markers)
        work.keep()
        if comment is not None:
            github.edit_comment(row.repository, comment, body)
        elif held and held.why.handling.for_developer:
            comment = github.say_comment(row.repository, row.number, body)
    except Refused:
        pass  # the status says it, too; nothing waits for a comment
    # Where somebody deleted it nothing is said there any more.
    work.keep(posts=[Post("blocked", about, comment)])
