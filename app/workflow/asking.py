"""From GitHub's word to Lily's letter: look, take in what is new, ask.

Facts come from reading GitHub; a webhook only wakes the row. A letter never mixes two versions.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from app import mail
from app.github_client import GitHubError, Limited, Refused
from app.review import (
    UNKNOWN_CHANGE,
    Change,
    Event,
    Move,
    PullRequest,
    Review,
    Reviewer,
    Snapshot,
    State,
    ask_at,
    covers,
    follow,
    next_move,
    words_digest,
)
from app.store import Happening, NewLetter
from app.workflow.accounting import Place, account_of, again, merge_is_out
from app.workflow.again import NEW_CODE, SAME_CODE
from app.workflow.away import asked_then, first_there, who_is_away
from app.workflow.extras import read_extras
from app.workflow.gate import Rest, Work
from app.workflow.lost import was_merged_in_lost_hours
from app.workflow.pictures import read_pictures
from app.workflow.readiness import Unready, why_not_ready
from app.workflow.sameness import same_change

AT_ONCE = timedelta(0)
# What of a read is simply copied: into the row, and into its document of facts.
_COPIED = ("repository", "base", "head", "head_sha", "is_from_outside", "open", "title", "author")
_FACTS = ("base_sha", "is_from_fork", "draft", "merged", "words", "author_id", "url", "private", "updated_at")

# The states of a change that somebody was asked about, where an edit of its words is worth telling.
ASKED = (State.WAITING, State.REJECTED, State.TO_MERGE)


def look(work: Work) -> None:
    """Learn what GitHub says, if something happened since the last look or a merge is out."""
    row = work.row
    if row.state is State.MERGING:
        return settle(work)
    if row.rev == row.seen_rev:
        return None
    if work.since().is_known:
        return work.keep(seen_rev=row.rev)
    return take_in(work, work.read())


def settle(work: Work) -> None:
    """End a merge whose answer is not known, by reading: merged, or still open and then to be merged again."""
    facts = work.read()
    if not facts.merged:
        work.keep(move=next_move(State.MERGING, Event.STILL_OPEN))
    take_in(work, facts)


def take_in(work: Work, facts: PullRequest) -> None:
    """Write what was read into the row, and the move that follows from it."""
    row = work.row
    since = work.since()
    same, is_lost = same_change(work, facts, since), False
    move = follow(row, facts, work.gate.policy, same is not None, since)
    changes: dict[str, Any] = {name: getattr(facts, name) for name in _COPIED}
    told: dict[str, Any] = {name: getattr(facts, name) for name in _FACTS}
    if facts.head_sha != row.head_sha:
        told["try_url"] = None
    changes["facts"] = replace(row.facts, **told)
    if same:
        changes |= {"merge_base": same.merge_base, "carried": same}
    if facts.belongs is None and row.was_read:
        changes["is_from_outside"] = facts.is_from_fork and row.is_from_outside  # what was known last
    if move and move.to is State.MERGED:
        changes["merge_commit"] = facts.merge_commit
        changes["merged_by_gate"] = covers(row, facts) and is_our_merge(work, facts)
        if work.gate.policy.is_release(facts) and row.was_read and facts.head_sha != row.head_sha:
            # What was merged is not what a question was about: `keep_list` keeps it as a round of its own.
            move = replace(move, new_round=True)
        move, shared = as_its_twin(work, facts, move)
        changes |= shared
        if changes["bypassed"] and (is_lost := was_merged_in_lost_hours(work.gate, facts.merged_at)):
            changes["bypassed"] = False
    elif row.state is State.MERGED and facts.merged and facts.base != row.base:
        # GitHub's merge names no base: a retarget in the last instant took it where no yes was given for.
        changes["bypassed"] = True
    words = _edited(work, facts) if row.state in ASKED and facts.words != row.facts.words else None
    is_news = changes.get("bypassed", False) and not row.bypassed
    what = "bypassed" if is_news else "lost" if is_lost else "same_change" if same else None
    happened = _happened(row, facts, move, what)
    if words:
        happened.append(Happening("edited", "GitHub"))
        changes["edited"] = words
    news = bypass_letters(work) if is_news else []
    work.keep(move=move, happened=happened, news=news, seen_rev=work.read_rev, **changes)


def as_its_twin(work: Work, facts: PullRequest, move: Move) -> tuple[Move, dict[str, Any]]:
    """Return the move of a merge, and what tells whether it passed the gate by: a twin's yes covers it as its own does.

    GitHub marks every pull request as merged whose commits a merge of any of them brought.
    """
    if covers(work.row, facts):
        return move, {"bypassed": False}
    for twin in work.gate.store.reviews.twins(facts, only_open=False):
        if twin.decision and twin.has_yes and not twin.bypassed:
            why = f"it has the commits of #{twin.number}, which {twin.decision.by} approved"
            # It was said there, and is not said again here.
            given = {
                "decision": twin.decision,
                "said": replace(work.row.said, review=max(work.row.said.review, twin.decision.number)),
            }
            return replace(move, why=why), {"bypassed": False, **given}
    return move, {"bypassed": True}


def is_our_merge(work: Work, facts: PullRequest) -> bool:
    """Tell whether the gate itself merged it, however late: it sent a merge of this head, and GitHub names the gate.

    A commit that somebody pushed by hand, with that head and whatever else, ends a pull request just so.
    """
    if not facts.merged_by or work.row.merge_sent != facts.head_sha:
        return False
    login = work.gate.github.own_login(facts.repository)
    return login is not None and login.casefold() == facts.merged_by.casefold()


def _edited(work: Work, facts: PullRequest) -> tuple[str, str] | None:
    """Return title and text if people edited them since the question; of a release the gate writes a part itself."""
    asked = work.gate.store.reviews.round(work.row.id, work.row.round)
    if asked is None:
        return None
    title, body = facts.title, facts.body
    if work.gate.policy.is_release(facts):
        title = asked.now.pull.title if mail.is_release_title(title) else title
        body = mail.without_part(body)
    return None if words_digest(title, body) == asked.now.pull.words else (title, body)


def bypass_letters(work: Work) -> list[NewLetter]:
    """Return one letter to each reviewer about what was merged without them."""
    row, people = work.row, work.gate.policy.reviewers
    return [NewLetter(f"bypass {row.id} {person.id}", "bypass", person.id, row.id) for person in people]


def ask(work: Work) -> Rest:
    """Ask the reviewer about a change that is ready: snapshot, letter and `waiting` in one transaction.

    The change is read pinned to the head of the same read, so a letter never mixes two versions; and against the base
    as it stands: what GitHub calls the pull request's own base stands still while the branch moves.
    """
    gate, row = work.gate, work.row
    if row.state is not State.TO_ASK:
        return Rest()
    early = ask_at(row, gate.policy) - gate.store.now()
    if early > timedelta(0):
        return Rest(wait=early)
    if gate.policy.is_release(row) and merge_is_out(place_of(work)):
        return Rest(wait=again(gate))
    if work.facts is None:
        take_in(work, work.read())
        return ask(work) if work.row.state is State.TO_ASK else Rest(wait=AT_ONCE)
    unready = why_not_ready(work)
    if unready:
        return wait(work, unready)
    away = who_is_away(gate)
    reviewer = first_there(gate, away)
    if reviewer is None:
        return wait(work, Unready(asked_then(gate, away), min(away.values()) - gate.store.now()))
    tried = read_extras(work)
    read_pictures(work, work.facts.body)
    asked = snapshot(work, work.facts)
    if asked is None:
        return Rest(wait=again(gate))
    letter = letter_about(work, reviewer)
    work.keep(
        move=next_move(State.TO_ASK, Event.ASKED),
        asked=asked,
        merge_base=asked.change.merge_base or None,
        letter=letter,
        to_list=False,
        reviewer=reviewer.id,
        happened=[Happening("asked", reviewer.name)],
        **tried,
    )
    return Rest()


def keep_list(work: Work) -> Rest:
    """Keep what a release held that was merged before anybody was asked about just that, so that its page tells it for good."""
    gate, row = work.gate, work.row
    if not gate.policy.is_release(row) or gate.store.reviews.round(row.id, row.round):
        return Rest()
    if merge_is_out(place_of(work)):
        return Rest(wait=again(gate))
    try:
        held = snapshot(work, work.facts or work.read())
    except Refused as refusal:
        if refusal.kind not in ("missing", "invalid"):
            raise
        return Rest()  # GitHub does not know it any more
    if held is None:
        return Rest(wait=again(gate))
    work.keep(asked=held)
    return Rest()


def snapshot(work: Work, facts: PullRequest) -> Snapshot | None:
    """Return what is asked about; None while what a release holds cannot be said yet."""
    gate, row = work.gate, work.row
    # Once it is merged the branch has all of it, and only where it stood before tells what came.
    base = facts.base_sha if facts.merged else facts.base
    if not gate.policy.is_release(facts):
        return Snapshot(facts, compared(work, base, facts.head_sha), work.checks)
    change, ahead = gate.github.compared(row.repository, base, facts.head_sha, on_page=work.keep)
    work.keep()
    release = account_of(place_of(work), ahead)
    if release is None:
        return None
    # The gate's own words there may be those of an earlier head, and are said from the release itself.
    is_own = facts.open and mail.is_release_title(facts.title)
    title = mail.release_title(release) if is_own else facts.title
    return Snapshot(
        replace(facts, title=title, body=mail.without_part(facts.body)), change, work.checks, release
    )


def compared(work: Work, base: str, head_sha: str) -> Change:
    """Compare, for the question; where that fails twice in a row it goes out without, and warns of that."""
    try:
        return work.gate.github.change(work.row.repository, base, head_sha)
    except Limited:
        raise
    except GitHubError:
        if not work.claim.attempts:
            raise
        return UNKNOWN_CHANGE


def place_of(work: Work) -> Place:
    """Return the repository whose account a release gives."""
    return Place(work.gate, work.row.repository, work.row.repository_id, work.keep)


def letter_about(work: Work, reviewer: Reviewer) -> NewLetter:
    """Return the letter that asks: its own, or a digest on day one."""
    row = work.row
    if row.asked_at is None and row.adopted:
        return work.gate.store.letters.digest(reviewer.id)
    return NewLetter(f"ask {row.id} {row.round} {reviewer.id}", "ask", reviewer.id, row.id, row.round)


def wait(work: Work, unready: Unready) -> Rest:
    """Leave a change unasked, and say in its status why."""
    if work.row.hold != unready.why:
        work.keep(hold=unready.why, happened=[Happening("unready", "qa-gate", unready.why)])
    failed = unready.problem is not None
    return Rest(wait=unready.wait, problem=unready.problem, failed=failed, refused=unready.refused)


def _happened(row: Review, facts: PullRequest, move: Move | None, what: str | None) -> list[Happening]:
    """Return what the history says of a read: `what` where it has a name of its own, else by the move."""
    by = facts.merged_by or "GitHub"
    if move is None:
        return [Happening(what, by, f"it was merged into {facts.base}, not {row.base}")] if what else []
    moved = row.was_read and facts.head_sha != row.head_sha
    why = f"it goes to {facts.base} now" if row.was_read and facts.base != row.base else move.why
    if move.new_round:
        what = what or (NEW_CODE if moved else SAME_CODE if move.to is State.TO_ASK else None)
    elif move.to is State.CLOSED and (facts.open or facts.merged):
        what, why = "ungated", facts.base
    if moved:
        why = f"{why} ({row.head_sha[:7]} to {facts.head_sha[:7]})"
    return [Happening(what or move.to.value, by, why)]
