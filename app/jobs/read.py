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
from app.domain.facts import Change, PullRequest, Since, Snapshot, State, Tree, words_digest
from app.domain.known import Action
from app.domain.review import Happened, Review
from app.domain.rules import Event, Move, delta, follow, may_be_carried, next_move
from app.github.answers import GitHubError, Limited, PutOff, Refused
from app.jobs.gate import SOON, Gate, Work
from app.mail.release import is_release_title, without_part

# Of what is read simply copied: into the row, and into its document of facts.
_COPIED = ("repository", "base", "head", "head_sha", "is_from_outside", "open", "title", "author")
_FACTS = ("is_from_fork", "draft", "merged", "words", "author_id", "url", "private", "updated_at")

_TOLD_BY_READING = {CONFLICT: Why.CONFLICT, "behind": Why.BEHIND}

# The states of a change that somebody was asked about, where an edit of its words is worth telling.
ASKED = (State.WAITING, State.REJECTED, State.TO_MERGE)


def read(work: Work, _action: Action) -> None:
    """Read the pull request, and believe its repository's name where it was new to the gate."""
    if work.is_gated is None:
        facts = work.read()
        work.is_gated = work.gate.policy.knows(facts.repository)
        if not work.is_gated:
            return
        work.gate.store.repositories.pin(facts.repository, facts.repository_id)
        take_in(work, facts)
    else:
        read_facts(work)


def read_facts(work: Work) -> None:
    """Read it and take it in. It ends a merge whose answer is not known: merged, or still open and then to be merged again."""
    head = work.row.head_sha
    facts = work.read()
    if work.row.state is State.MERGING and not facts.merged:
        work.keep(move=next_move(State.MERGING, Event.STILL_OPEN))
    take_in(work, facts)
    if work.row.head_sha != head:
        work.told = None  # that answer was about another version
    elif work.told and facts.mergeable_state in _TOLD_BY_READING:
        # A refusal has many words; these two are told apart by reading.
        work.told = Blocked(_TOLD_BY_READING[facts.mergeable_state], said=work.told.said)


def take_in(work: Work, facts: PullRequest) -> None:
    """Write what was read into the row, and the move that follows from it."""
    row = work.row
    since = work.since()
    same, is_lost, how = same_change(work, facts, since), False, None
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
        changes["is_from_outside"] = facts.is_from_fork and row.is_from_outside  # what was known last
    if move and move.to is State.MERGED:
        changes["merge_commit"] = facts.merge_commit
        if work.gate.policy.is_release(facts) and row.was_read and facts.head_sha != row.head_sha:
            # What was merged is not what a question was about: `keep_list` keeps it as a round of its own.
            move = replace(move, new_round=True)
        move, merged = how_it_was_merged(work, facts, move)
        if merged["merged_how"] is Merged.BYPASSED and _was_in_lost_hours(work.gate, facts.merged_at):
            merged, is_lost = {"merged_how": Merged.LOST}, True
        changes |= merged
        how = changes["merged_how"]
    elif row.state is State.MERGED and facts.merged and facts.base != row.base:
        # GitHub's merge names no base: a retarget in the last instant took it where no yes was given for.
        changes["merged_how"] = how = Merged.BYPASSED
    words = _edited(work, facts) if row.state in ASKED and facts.words != row.facts.words else None
    is_news = how is Merged.BYPASSED and not row.bypassed
    what = (
        Happened.BYPASSED if is_news else Happened.LOST if is_lost else Happened.SAME_CHANGE if same else None
    )
    happened = _happened(row, facts, move, what)
    if words:
        happened.append(Happening(Happened.EDITED, "GitHub"))
        changes["edited"] = words
    news = bypass_letters(work) if is_news else []
    if move and move.to is State.MERGED and how not in (Merged.BYPASSED, Merged.LOST):
        news = live_letters(work.gate, row)
    work.keep(move=move, happened=happened, news=news, seen_rev=work.read_rev, **changes)
    work.is_news = False


def how_it_was_merged(work: Work, facts: PullRequest, move: Move) -> tuple[Move, dict[str, Any]]:
    """Return the move of a merge, and what it changes in the row: whether an approval covers it, its own or that of the merge that brought it.

    GitHub marks every pull request as merged whose commits a merge of any of them brought. One GET where somebody else
    than the gate merged what was approved. Raises PutOff while a merge is out that may have brought it.
    """
    row, brought = work.row, None
    cover = cover_of(row.decision, facts.base, facts.head_sha)
    commit, is_ours = None, cover is not None and is_our_merge(work, facts)
    if cover and not is_ours:
        with suppress(Refused):
            commit = work.gate.github.merge_commit(facts.repository, facts.merge_commit or "")
    if cover is None:
        brought = _brought_by(work, facts)
    how = how_merged(cover, is_ours=is_ours, commit=commit, is_brought=brought is not None)
    changes: dict[str, Any] = {"merged_how": how}
    if how is Merged.BROUGHT and brought and brought.decision:
        changes["decision_id"] = brought.decision.id
        move = replace(
            move, why=f"it has the commits of #{brought.number}, which {brought.decision.by} approved"
        )
    elif how is not Merged.BYPASSED:
        changes["merged_as"] = facts.merge_commit
    return move, changes


def _was_in_lost_hours(gate: Gate, merged_at: datetime | None) -> bool:
    """Tell whether it was merged when a restored backup knows nothing of: whether that was approved can't be said.

    A merge that was out when the backup was made may be a little older. `merged_at` is by GitHub's clock.
    """
    epoch = gate.store.epochs.current
    if epoch.lost_since is None or merged_at is None:
        return False
    return epoch.lost_since - LEASE <= merged_at - gate.github.ahead <= epoch.began_at


def live_letters(gate: Gate, row: Review) -> list[NewLetter]:
    """Return the letter that says that a release which was approved is merged; none for anything else."""
    if row.decision is None or not row.has_yes or not gate.policy.is_release(row):
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


def bypass_letters(work: Work) -> list[NewLetter]:
    """Return one letter to each reviewer about what was merged without them."""
    row, people = work.row, work.gate.policy.reviewers
    return [NewLetter(f"bypass {row.id} {person.id}", "bypass", person.id, row.id) for person in people]


def read_vouchers(work: Work, _action: Action) -> None:
    """Find out whether somebody who belongs here, and is not its author, asked for a review of it."""
    work.vouchers_read = True
    for person in work.gate.store.people.requesters(work.row.id):
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
    for _ in range(2):
        try:
            now = gate.github.change(facts.repository, facts.base, facts.head_sha)
            work.keep()
            is_like = now.is_unique and _outline(asked.snapshot.change) == _outline(now)
            return now if is_like and _same_trees(work, asked.snapshot, now, facts) else None
        except Limited:
            raise
        except GitHubError:
            continue
    return None


def is_base_rewritten(work: Work, facts: PullRequest) -> bool:
    """Tell whether the head meets its base elsewhere than when it was asked about, and not just further on.

    Then history was dropped from the base, and a merge would bring back what the reviewer was not shown. Further on is
    fine: less of what she saw is still to come. One GET, and another where the place is not the same.
    """
    known = work.row.merge_base
    if known is None:
        return False
    now = work.gate.github.merge_base(facts.repository, facts.base, facts.head_sha)
    work.keep()
    if now == known:
        return False
    before = work.gate.github.merge_base(facts.repository, known, now)
    work.keep()
    return before != known


def may_carry(work: Work) -> bool:
    """Tell whether an approval could be carried over to this head brought up to date: all of its trees can be read.

    At most two reads of trees. A release is never carried over, nor what could not be compared when it was asked about.
    """
    row, gate = work.row, work.gate
    asked = gate.store.reviews.round(row.id, row.round)
    if asked is None or not asked.snapshot.change.is_known or gate.policy.is_release(row):
        return False
    for sha in (asked.snapshot.change.merge_base, row.head_sha):
        tree = gate.github.tree(row.repository, sha)
        work.keep()
        if tree is None:
            return False
    return asked.snapshot.change.is_unique


def _same_trees(work: Work, asked: Snapshot, now: Change, facts: PullRequest) -> bool:
    before = (asked.change.merge_base, asked.pull.head_sha)
    after = (now.merge_base, facts.head_sha)
    trees: dict[str, Tree] = {}
    for sha in {*before, *after}:
        tree = work.gate.github.tree(work.row.repository, sha)
        work.keep()
        if tree is None:
            return False
        trees[sha] = tree
    return delta(trees[before[0]], trees[before[1]]) == delta(trees[after[0]], trees[after[1]])


def _outline(change: Change) -> set[tuple[str, str, int, int, str | None]]:
    return {
        (file.path, file.status, file.additions, file.deletions, file.previous_path) for file in change.files
    }
