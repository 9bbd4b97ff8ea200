"""The question: compare, read what belongs to it, and ask; snapshot, letter and `waiting` in one transaction.

The change is read pinned to the head of the same read, so a letter never mixes two versions; and against the base
as it stands: what GitHub calls the pull request's own base stands still while the branch moves.
"""

from __future__ import annotations

from dataclasses import replace

from app.db.letters import NewLetter
from app.db.rows import Happening
from app.domain.change import UNKNOWN_CHANGE
from app.domain.facts import PullRequest, Snapshot, State
from app.domain.happened import Happened
from app.domain.known import Action
from app.domain.policy import Reviewer
from app.domain.rules import Event, next_move
from app.github.answers import GitHubError, Limited, Refused
from app.jobs.accounting import Place, account_of
from app.jobs.away import first_there, who_is_away
from app.jobs.gate import Work
from app.jobs.looking import SLACK
from app.mail.release import is_release_title, release_title, without_part


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
    """Read what a release holds; it cannot be said yet while a merge of the gate's own is out."""
    if work.facts:
        work.held = release_snapshot(work, work.facts)
        work.is_held_early = work.held is None


def ask(work: Work, _action: Action) -> None:
    """Ask the first reviewer who is there."""
    gate = work.gate
    reviewer = first_there(gate, who_is_away(gate))
    if reviewer is None or work.facts is None:
        return
    held = work.held or Snapshot(work.facts, work.change or UNKNOWN_CHANGE)
    asked = replace(held, checks=work.checks)
    work.keep(
        move=next_move(State.TO_ASK, Event.ASKED),
        asked=asked,
        merge_base=asked.change.merge_base or None,
        letter=letter_about(work, reviewer),
        reviewer=reviewer.id,
        happened=[Happening(Happened.ASKED, reviewer.name)],
        **(work.extras or {}),
    )


def keep_release(work: Work, _action: Action) -> None:
    """Keep what a release held that was merged before anybody was asked about just that, so that its page tells it for good."""
    try:
        held = release_snapshot(work, work.facts or work.read())
    except Refused as refusal:
        if refusal.kind not in ("missing", "invalid"):
            raise
        work.is_noted = True  # GitHub does not know it any more
        return
    work.is_held_early = held is None
    if held:
        work.keep(asked=held)


def release_snapshot(work: Work, facts: PullRequest) -> Snapshot | None:
    """Return what a release holds; None while that cannot be said yet."""
    gate, row = work.gate, work.row
    # Once it is merged the branch has all of it, and only where it stood before tells what came.
    base = facts.base_sha if facts.merged else facts.base
    change, ahead = gate.github.compared(row.repository, base, facts.head_sha, on_page=work.keep)
    work.keep()
    release = account_of(place_of(work), ahead)
    if release is None:
        return None
    # The gate's own words there may be those of an earlier head, and are said from the release itself.
    is_own = facts.open and is_release_title(facts.title)
    title = release_title(release) if is_own else facts.title
    pull = replace(facts, title=title, body=without_part(facts.body))
    return Snapshot(pull, change, work.checks, release)


def place_of(work: Work) -> Place:
    """Return the repository whose account a release gives."""
    return Place(work.gate, work.row.repository, work.row.repository_id, work.keep)


def letter_about(work: Work, reviewer: Reviewer) -> NewLetter:
    """Return the letter that asks; what lay there already when the gate came is told in one list."""
    row, store = work.row, work.gate.store
    came = store.repositories.came(row.repository_id) if row.asked_at is None else None
    # After a restored backup, too: then it came when that was.
    came = max(came, store.epochs.current.began_at) if came else None
    is_old = came is not None and (row.facts.updated_at or came) + SLACK < came
    key = f"ask {row.id} {row.round} {reviewer.id}"
    return NewLetter(key, "ask", reviewer.id, row.id, row.round, is_listed=is_old)
