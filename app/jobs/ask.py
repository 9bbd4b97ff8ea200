"""The question: compare, read what belongs to it, and ask; snapshot, letter and `waiting` in one transaction.

The change is read pinned to the head of the same read, so a letter never mixes two versions; and against the base
as it stands: what GitHub calls the pull request's own base stands still while the branch moves.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from app.db.letters import NewLetter
from app.db.rows import Happening
from app.domain.blocked import Why
from app.domain.calendar import time_left
from app.domain.facts import UNKNOWN_CHANGE, PullRequest, Snapshot, State
from app.domain.known import A_MOMENT, Action
from app.domain.policy import Reviewer
from app.domain.review import Happened, Review
from app.domain.rules import WHOLE_SECONDS, Event, changes_checks, next_move
from app.github.answers import GitHubError, Limited, Refused
from app.jobs.away import first_there, who_is_away
from app.jobs.gate import Gate, Work
from app.jobs.pictures import find_pictures, read_pictures
from app.jobs.read import read_checks
from app.jobs.release import DevelopmentBranch, release_of
from app.mail.comments import is_release_title, release_title, without_part

# --- What a reviewer is told besides the change: what the automatic checks say, and where the change can be tried.


# GitHub did not say where a change can be tried, or did not give a picture: it is asked again after this time.
ASK_AGAIN = timedelta(minutes=1)


def read_extras(work: Work, _action: Action) -> None:
    """Read what belongs to a question, or where a change that was asked about can be tried by now."""
    inbox, repository_id = work.gate.store.inbox, work.row.repository_id
    if work.row.state is not State.TO_ASK:
        _find_more(work)
        return
    if work.checks is None and inbox.told_at("check", repository_id):
        with suppress(GitHubError):
            read_checks(work)
    if work.gate.preview_url is None and inbox.told_at("deployment", repository_id):
        _find_deployment(work)
    work.known.has_extras = True
    read_pictures(work, work.pull.body)


def _find_more(work: Work) -> None:
    """Read what came of a change after it was asked about.

    What checks say now, where it was deployed to, and pictures that were not there yet.
    """
    work.wait = _read_newer_checks(work)
    is_found = not _is_deployed_since(work) or _find_deployment(work)
    work.known.has_extras = work.has_pictures = True
    if not find_pictures(work) or not is_found:
        work.wait = min(work.wait or ASK_AGAIN, ASK_AGAIN)


def _read_newer_checks(work: Work) -> timedelta | None:
    """Read the checks of what somebody was asked about where they may say something else by now; return when to do it else."""
    inbox, row, now = work.gate.store.inbox, work.row, work.gate.store.now()
    known, read_at = row.facts.checks, row.facts.checks_read_at
    told = inbox.checks_since(row.repository_id, row.head_sha, read_at) if row.state is State.WAITING else []
    if not changes_checks(known, told):
        return None
    if wait := checks_wait(row, now):
        return wait
    try:
        read_checks(work)
    except Refused:  # a right is missing: nothing is said of it
        work.keep(facts=replace(row.facts, checks_read_at=now))
    except GitHubError:
        return ASK_AGAIN
    return None


def are_extras_due(work: Work) -> bool:
    """Tell whether more may have come of a change after it was asked about, once a run."""
    is_waiting = work.row.state is State.WAITING and not work.has_pictures
    return is_waiting or _is_deployed_since(work)


def checks_wait(row: Review, now: datetime) -> timedelta | None:
    """Return for how long the checks are not read again: twice a minute is enough, however many there are."""
    read_at = row.facts.checks_read_at
    return time_left(read_at + A_MOMENT, A_MOMENT, now) if read_at else None


def _is_deployed_since(work: Work) -> bool:
    """Tell whether GitHub said of a change that was asked about that it was deployed, since that was read."""
    row = work.row
    is_asked = row.state in (State.WAITING, State.REJECTED)  # else nobody would read it
    if not is_asked or work.gate.preview_url is not None or work.known.has_extras:
        return False
    told = work.gate.store.inbox.told_at("deployment", row.repository_id, row.head_sha)
    return told is not None and (row.facts.try_read_at is None or told >= row.facts.try_read_at)


def _find_deployment(work: Work) -> bool:
    """Read where the head was deployed to; False where GitHub did not say."""
    row, now = work.row, work.gate.store.now()  # what is told while it is read makes another read
    try:
        url = work.gate.github.try_url(row.repository, row.head_sha)
    except GitHubError:
        return False
    work.keep(facts=replace(row.facts, try_url=url, try_read_at=now))
    return True


def where_to_try(gate: Gate, row: Review) -> str | None:
    """Return where a change can be tried as it is now.

    By PREVIEW_URL, whose values are encoded, else where its head was deployed to.
    """
    # A fork's branch may have the name of another one here, whose preview would show other code.
    if gate.preview_url is None or (row.is_from_fork and "{branch}" in gate.preview_url):
        return row.facts.try_url
    values = {"number": row.number, "branch": quote(row.head, safe=""), "sha": row.head_sha}
    return gate.preview_url.format(**values)


# --- The question.


def compare(work: Work, _action: Action) -> None:
    """Compare the change with its base; where that fails twice in a row it is asked about without, and warned of that."""
    gate, row = work.gate, work.row
    try:
        work.change = gate.github.change(row.repository, row.base, row.head_sha)
        work.keep()
    except Limited:
        raise
    except GitHubError:
        if not work.claim.attempts:
            raise
        work.change = UNKNOWN_CHANGE


def read_release(work: Work, _action: Action) -> None:
    """Read what a release holds.

    One that was merged before anybody was asked about just that is kept, so that its page tells it for good.
    """
    is_merged = work.row.state is State.MERGED
    try:
        work.held = release_snapshot(work, work.facts or work.read())
    except Refused as refusal:
        if not is_merged or refusal.kind not in (Why.GONE, "invalid"):
            raise
        work.known.is_noted = True  # GitHub does not know it any more
    if is_merged and work.held:
        work.keep(asked=work.held)


def ask(work: Work, _action: Action) -> None:
    """Ask the first reviewer who is there."""
    gate = work.gate
    reviewer = first_there(gate, who_is_away(gate))
    if reviewer is None:
        return
    held = work.held or Snapshot(work.pull, work.change or UNKNOWN_CHANGE)
    asked = replace(held, checks=work.checks)
    work.keep(
        move=next_move(State.TO_ASK, Event.ASKED),
        asked=asked,
        merge_base=asked.change.merge_base or None,
        letter=letter_about(work, reviewer),
        reviewer=reviewer.id,
        happened=[Happening(Happened.ASKED, reviewer.name)],
    )


def release_snapshot(work: Work, facts: PullRequest) -> Snapshot | None:
    """Return what a release holds; None while that cannot be said yet."""
    gate, row = work.gate, work.row
    # Once it is merged the branch has all of it, and only where it stood before tells what came.
    base = facts.base_sha if facts.merged else facts.base
    change, ahead = gate.github.compared(row.repository, base, facts.head_sha, on_page=work.keep)
    work.keep()
    release = release_of(development_of(work), ahead)
    work.known.has_release = release is not None
    if release is None:
        return None
    # The gate's own words there may be those of an earlier head, and are said from the release itself.
    is_own = facts.open and is_release_title(facts.title)
    title = release_title(release) if is_own else facts.title
    pull = replace(facts, title=title, body=without_part(facts.body))
    return Snapshot(pull, change, work.checks, release)


def development_of(work: Work) -> DevelopmentBranch:
    """Return the branch that a release comes from."""
    return DevelopmentBranch(work.gate, work.row.repository, work.row.repository_id, work.keep)


def letter_about(work: Work, reviewer: Reviewer) -> NewLetter:
    """Return the letter that asks; what lay there already when the gate came is told in one list."""
    row, store = work.row, work.gate.store
    came = store.repositories.watched_since(row.repository_id) if row.asked_at is None else None
    # After a restored backup, too: then it came when that was.
    came = max(came, store.epoch.began_at) if came else None
    is_old = came is not None and (row.facts.updated_at or came) + WHOLE_SECONDS < came
    key = f"ask {row.id} {row.round} {reviewer.id}"
    return NewLetter(key, "ask", reviewer.id, row.id, row.round, is_listed=is_old)
