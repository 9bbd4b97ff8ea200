"""What a read of the pull request changes: facts, state, rounds, and what the history says of it.

Facts come from reading GitHub; a webhook only wakes the row.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.db.jobs import LEASE
from app.db.letters import NewLetter
from app.db.rows import Happening
from app.domain.approval import Merged, cover_of, how_merged
from app.domain.blocked import Blocked, Why
from app.domain.cautions import CONFLICT
from app.domain.facts import Change, PullRequest, Since, State, Tree, words_digest
from app.domain.known import Action
from app.domain.review import Happened, Review
from app.domain.rules import Event, Move, delta, follow, may_be_carried, next_move
from app.github.answers import GitHubError, Limited, PutOff, Refused
from app.jobs.gate import SOON, Gate, Work
from app.mail.comments import is_release_title, without_part

# Of what is read simply copied: into the row, and into its document of facts.
_COPIED = ("repository", "base", "head", "head_sha", "is_from_outside", "open", "title", "author")
_FACTS = ("is_from_fork", "draft", "merged", "words", "author_id", "url", "private", "updated_at")

_TOLD_BY_READING = {CONFLICT: Why.CONFLICT, "behind": Why.BEHIND}

# The states of a change that somebody was asked about, where an edit of its words is worth telling.
ASKED = (State.WAITING, State.REJECTED, State.TO_MERGE)


def read(work: Work, _action: Action) -> None:
    """Read the pull request, and believe its repository's name where it was new to the gate."""
    if work.known.is_gated is not None:
        read_facts(work)
        return
    facts = work.read()
    work.known.is_gated = work.gate.policy.knows(facts.repository)
    if work.known.is_gated:
        work.gate.store.repositories.pin(facts.repository, facts.repository_id)
        take_in(work, facts)


def read_facts(work: Work) -> None:
    """Read it and take it in. It ends a merge whose answer is not known: merged, or still open and then to be merged again."""
    before = work.row.head_sha, work.row.round
    facts = work.read()
    if work.row.state is State.MERGING and not facts.merged:
        work.keep(move=next_move(State.MERGING, Event.STILL_OPEN))
    take_in(work, facts)
    if (work.row.head_sha, work.row.round) != before:
        work.forget_version()
    elif work.known.merge_refused and facts.mergeable_state in _TOLD_BY_READING:
        # A refusal has many words; these two are told apart by reading.
        work.known.merge_refused = Blocked(
            _TOLD_BY_READING[facts.mergeable_state], said=work.known.merge_refused.said
        )


def take_in(work: Work, facts: PullRequest) -> None:
    """Write what was read into the row, and the move that follows from it."""
    row = work.row
    since = work.since()
    same = same_change(work, facts, since)
    move = follow(row, facts, work.gate.policy, same is not None, since)
    changes: dict[str, Any] = {name: getattr(facts, name) for name in _COPIED}
    told: dict[str, Any] = {name: getattr(facts, name) for name in _FACTS}
    is_same_head = facts.head_sha == row.head_sha
    if not is_same_head:
        told |= {"try_url": None, "checks": None, "checks_read_at": None, "had_red": ()}
    # GitHub works it out after it was first asked: until then it is as it was of the same head.
    before = row.facts.conflicts if is_same_head else None
    told["conflicts"] = before if facts.mergeable is None else facts.mergeable_state == CONFLICT
    told["had_conflict"] = row.state is State.WAITING and (row.facts.had_conflict or before is True)
    is_unsure = facts.open and facts.mergeable is None
    told["unsure_since"] = (row.facts.unsure_since or work.gate.store.now()) if is_unsure else None
    changes["facts"] = replace(row.facts, **told)
    if same:
        changes |= {"merge_base": same.merge_base, "carried": same}
    if facts.belongs is None and row.was_read:
        changes["is_from_outside"] = row.is_from_outside and not facts.is_own  # what was known last
    if move and move.to is State.MERGED:
        move, merged = how_it_was_merged(work, facts, move)
        changes |= merged
    elif row.state is State.MERGED and facts.merged and facts.base != row.base:
        # GitHub's merge names no base: a retarget in the last instant took it into one that it was not approved for.
        changes["merged_how"] = Merged.BYPASSED
    how, news = changes.get("merged_how"), list[NewLetter]()
    what = Happened.SAME_CHANGE if same else None
    if how is Merged.LOST:
        what = Happened.LOST
    elif how is Merged.BYPASSED and not row.bypassed:
        what = Happened.BYPASSED
        people = work.gate.policy.reviewers
        news = [NewLetter(f"bypass {row.id} {one.id}", "bypass", one.id, row.id) for one in people]
    elif how and how is not Merged.BYPASSED:
        news = live_letters(work.gate, row)
    happened = _happened(row, facts, move, what)
    words = _edited(work, facts) if row.state in ASKED and facts.words != row.facts.words else None
    if words:
        happened.append(Happening(Happened.EDITED, "GitHub"))
        changes["edited"] = words
    work.keep(move=move, happened=happened, news=news, seen_rev=work.read_rev, **changes)
    work.known.is_news = False


def how_it_was_merged(work: Work, facts: PullRequest, move: Move) -> tuple[Move, dict[str, Any]]:
    """Return the move of a merge, and what it changes in the row.

    Above all whether an approval covers it, its own or that of the merge that brought it.
    GitHub marks every pull request as merged whose commits a merge of any of them brought. One GET where somebody else
    than the gate merged what was approved. Raises PutOff while a merge is out that may have brought it.
    """
    row, brought, commit = work.row, None, None
    cover = cover_of(row.decision, facts.base, facts.head_sha)
    is_ours = cover is not None and is_our_merge(work, facts)
    if cover is None:
        brought = _brought_by(work, facts)
    elif not is_ours:
        with suppress(Refused):
            commit = work.gate.github.merge_commit(facts.repository, facts.merge_commit or "")
    how = how_merged(cover, is_ours=is_ours, commit=commit, is_brought=brought is not None)
    changes: dict[str, Any] = {"merge_commit": facts.merge_commit, "merged_how": how}
    if brought and brought.decision:
        changes["decision_id"] = brought.decision.id
        move = replace(
            move, why=f"it has the commits of #{brought.number}, which {brought.decision.by} approved"
        )
    elif how is not Merged.BYPASSED:
        changes["merged_as"] = facts.merge_commit
    elif _was_in_lost_hours(work.gate, facts.merged_at):
        changes["merged_how"] = Merged.LOST
    if work.gate.policy.is_release(facts) and row.was_read and facts.head_sha != row.head_sha:
        # What was merged is not what a question was about: `ask.read_release` keeps it as a round of its own.
        move = replace(move, new_round=True)
    return move, changes


def _was_in_lost_hours(gate: Gate, merged_at: datetime | None) -> bool:
    """Tell whether it was merged when a restored backup knows nothing of: whether that was approved can't be said.

    A merge that was out when the backup was made may be a little older. `merged_at` is by GitHub's clock.
    """
    epoch = gate.store.epoch
    if epoch.lost_since is None or merged_at is None:
        return False
    return epoch.lost_since - LEASE <= merged_at - gate.github.ahead <= epoch.began_at


def live_letters(gate: Gate, row: Review) -> list[NewLetter]:
    """Return the letter that says that a release which was approved is merged; none for anything else."""
    if row.decision is None or not row.is_approved or not gate.policy.is_release(row):
        return []
    return [NewLetter(f"live {row.id} {row.decision.number}", "live", row.decision.reviewer, row.id)]


def _brought_by(work: Work, facts: PullRequest) -> Review | None:
    """Return the approved pull request whose merge brought all of this one, if there is one."""
    for other, shas in work.gate.store.reviews.approved_as(facts):
        if facts.head_sha not in (other.head_sha, *shas):
            continue
        if other.state is State.MERGING:
            raise PutOff(f"A merge of #{other.number} is out, which may have brought it.", SOON)
        return other
    return None


def is_our_merge(work: Work, facts: PullRequest) -> bool:
    """Tell whether the gate itself merged it, however late: it sent a merge of this head, and GitHub names the gate.

    A commit that somebody pushed by hand, with that head and whatever else, ends a pull request just so.
    """
    if not facts.merged_by or work.row.merge_sent != facts.head_sha:
        return False
    own = work.gate.github.own_account(facts.repository)
    return own is not None and own.login.casefold() == facts.merged_by.casefold()


def _edited(work: Work, facts: PullRequest) -> tuple[str, str] | None:
    """Return title and text if people edited them since the question; of a release the gate writes a part itself."""
    asked = work.gate.store.reviews.round(work.row.id, work.row.round)
    if asked is None:
        return None
    title, body = facts.title, facts.body
    if work.gate.policy.is_release(facts):
        title = asked.now.pull.title if is_release_title(title) else title
        body = without_part(body)
    return None if words_digest(title, body) == asked.now.pull.words else (title, body)


def read_vouchers(work: Work, _action: Action) -> None:
    """Find out whether somebody who belongs here, and is not its author, asked for a review of it."""
    work.known.are_vouchers_read = True
    for person in work.gate.store.repositories.requesters(work.row.id):
        if person.id != work.row.facts.author_id and work.belongs(person):
            work.keep(vouched=True)
            return


def read_checks(work: Work, _action: Action | None = None) -> None:
    """Read what the automatic checks of the head say."""
    gate, row = work.gate, work.row
    at = gate.store.now()  # what is told while they are read makes another read
    checks = work.checks = gate.github.checks(row.repository, row.head_sha, gate.policy.ignore_checks)
    had_red: tuple[str, ...] = ()
    if row.state is State.WAITING:
        had_red = checks.names if checks.state == "red" else row.facts.had_red
    work.keep(facts=replace(row.facts, checks=checks, checks_read_at=at, had_red=had_red))


def _happened(row: Review, facts: PullRequest, move: Move | None, what: Happened | None) -> list[Happening]:
    """Return what the history says of a read: `what` where it has a name of its own, else by the move."""
    by = facts.merged_by or "GitHub"
    if move is None:
        return [Happening(what, by, f"it was merged into {facts.base}, not {row.base}")] if what else []
    moved = row.was_read and facts.head_sha != row.head_sha
    why = f"it goes to {facts.base} now" if row.was_read and facts.base != row.base else move.why
    if move.new_round:
        what = what or (
            Happened.NEW_CODE if moved else Happened.SAME_CODE if move.to is State.TO_ASK else None
        )
    elif move.to is State.CLOSED and (facts.open or facts.merged):
        what, why = Happened.UNGATED, facts.base
    if moved:
        why = f"{why} ({row.head_sha[:7]} to {facts.head_sha[:7]})"
    return [Happening(what or Happened(move.to.value), by, why)]


# --- Whether a new head is the same change on a newer base, and an old one still meets its base where it did.


def same_change(work: Work, facts: PullRequest, since: Since) -> Change | None:
    """Return the comparison of a new head that holds just what the reviewer was asked about in this round, else None.

    One read of the comparison, and only if that agrees, at most four of trees. What GitHub cuts short, or does not
    give when asked twice, counts as different.
    """
    row, gate = work.row, work.gate
    asked = gate.store.reviews.round(row.id, row.round)
    if asked is None or not asked.snapshot.change.is_known:
        return None
    if not may_be_carried(row, facts, gate.policy, since):
        return None
    then = asked.snapshot
    for _ in range(2):
        try:
            now = gate.github.change(facts.repository, facts.base, facts.head_sha)
            work.keep()
            if not now.is_unique or _outline(then.change) != _outline(now):
                return None
            shas = (then.change.merge_base, then.pull.head_sha, now.merge_base, facts.head_sha)
            trees = read_trees(work, *shas)
            return now if trees and delta(*trees[:2]) == delta(*trees[2:]) else None
        except Limited:
            raise
        except GitHubError:
            continue
    return None


def read_trees(work: Work, *shas: str) -> list[Tree] | None:
    """Return all files of each of these commits, one GET for each; None where GitHub cannot give all of them."""
    trees: dict[str, Tree] = {}
    for sha in dict.fromkeys(shas):
        tree = work.gate.github.tree(work.row.repository, sha)
        work.keep()
        if tree is None:
            return None
        trees[sha] = tree
    return [trees[sha] for sha in shas]


def _outline(change: Change) -> set[tuple[str, str, int, int, str | None]]:
    return {
        (file.path, file.status, file.additions, file.deletions, file.previous_path) for file in change.files
    }
