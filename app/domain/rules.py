"""The rules: what follows what, and why. Pure; `jobs` and `db` act on what is said here.

`TABLE` is the whole transition table; `event_of` tells which event a read of GitHub amounts to, `follow` and
`decide` what comes of it.
What never happens here: a merge without a standing approval, or a decision on a round that is not the current one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.approval import Choice
from app.domain.events import CheckEvent, PullRequestEvent
from app.domain.facts import NOTHING_SINCE, Checks, PullRequest, Seen, Since, State, Tree
from app.domain.policy import Policy
from app.domain.review import Review

S = State

# The states in which a decision stands; entering any other voids it.
DECIDED = frozenset({S.REJECTED, S.TO_MERGE, S.MERGING, S.MERGED})
# Approved, and not merged yet.
APPROVED = (S.TO_MERGE, S.MERGING)
# Nothing can follow unless GitHub says that it was reopened.
ENDED = frozenset({S.MERGED, S.CLOSED})
LIVING = tuple(state for state in S if state not in ENDED)  # a database finds these by their index
# Those in which somebody was asked about what is there now.
_ASKED = (S.WAITING, S.REJECTED, S.TO_MERGE)
# Those of a change that is not a draft, and no merge of it is out.
_READY = (S.TO_ASK, *_ASKED)
# A later question waits until the head is still, but never longer than this many quiet times.
MOST_QUIET_TIMES = 6


class Event(StrEnum):
    """What can happen to a review."""

    NEW_HEAD = "new head"
    SAME_CHANGE = "same change on a newer base"
    READY = "ready, reopened, asked again"
    DRAFTED = "made a draft"
    RETARGETED = "other gated base"
    CLOSED = "closed"
    MERGED = "merged"
    ASKED = "letter queued"
    APPROVE = "approve"
    REJECT = "reject"
    TAKE_BACK = "take_back"
    BASE_REWRITTEN = "history of the base rewritten"
    MERGE_SENT = "merge sent"
    STILL_OPEN = "still open"


E = Event


class Signpost(StrEnum):
    """Why a reviewer's choice changes nothing; each has its own words in the templates."""

    OLD_ROUND = "old_round"
    APPROVED = "approved"
    REJECTED = "rejected"
    TAKE_BACK_FIRST = "take_back_first"
    MERGING = "merging"
    MERGED = "merged"
    CLOSED = "closed"
    DRAFT = "draft"
    UNDECIDED = "undecided"
    NEEDS_REASON = "needs_reason"
    NEEDS_QUESTION = "needs_question"
    TOO_LATE = "too_late"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Move:
    """The state that follows, whether it starts a new round, and why, as the history says it of what GitHub tells."""

    to: State
    why: str = ""
    new_round: bool = False


def _new(to: State, why: str = "") -> Move:
    return Move(to, why, new_round=True)


# What follows an event in each of these states; in any other it changes nothing.
_RULES: tuple[tuple[Event, tuple[State, ...], Move], ...] = (
    # A merge that is out ends by its answer or by reading: merged, or still open and then read as `to_merge`.
    (E.MERGED, (S.DRAFT, *_READY, S.MERGING, S.CLOSED), Move(S.MERGED, "GitHub says that it is merged")),
    (E.STILL_OPEN, (S.MERGING,), Move(S.TO_MERGE)),
    (E.CLOSED, (S.DRAFT, *_READY), Move(S.CLOSED, "it was closed, or its base is not gated any more")),
    (E.DRAFTED, _READY, Move(S.DRAFT, "it was made a draft")),
    (E.DRAFTED, (S.CLOSED,), _new(S.DRAFT, "it was reopened as a draft")),
    (E.RETARGETED, _READY, _new(S.TO_ASK, "it goes to another branch now")),
    (E.RETARGETED, (S.DRAFT,), _new(S.DRAFT, "it goes to another branch now")),
    (E.NEW_HEAD, _READY, _new(S.TO_ASK, "the code changed")),
    (E.NEW_HEAD, (S.DRAFT,), _new(S.DRAFT, "the code changed")),
    *(
        (E.SAME_CHANGE, (state,), Move(state, "it was only updated from its base; the change is the same"))
        for state in _ASKED
    ),
    (E.READY, (S.DRAFT,), _new(S.TO_ASK, "it is ready for review")),
    (E.READY, (S.REJECTED,), _new(S.TO_ASK, "the developer asks again")),
    (E.READY, (S.WAITING, S.TO_MERGE, S.CLOSED), _new(S.TO_ASK, "it is ready again")),
    (E.BASE_REWRITTEN, (S.TO_MERGE,), _new(S.TO_ASK)),
    (E.ASKED, (S.TO_ASK,), Move(S.WAITING)),
    (E.APPROVE, (S.TO_ASK, S.WAITING, S.REJECTED), Move(S.TO_MERGE)),
    (E.REJECT, (S.TO_ASK, S.WAITING), Move(S.REJECTED)),
    (E.TAKE_BACK, (S.REJECTED, S.TO_MERGE), Move(S.WAITING)),
    (E.MERGE_SENT, (S.TO_MERGE,), Move(S.MERGING)),
)
TABLE = {(state, event): move for event, states, move in _RULES for state in states}

# Where a choice moves nothing, this says what to tell the person. Every pair of state and choice that is not in
# TABLE must be here; a test counts them.
_SIGNPOSTS: dict[State, dict[Choice, Signpost]] = {
    S.DRAFT: dict.fromkeys(Choice, Signpost.DRAFT),
    S.TO_ASK: {Choice.TAKE_BACK: Signpost.UNDECIDED},
    S.WAITING: {Choice.TAKE_BACK: Signpost.UNDECIDED},
    S.REJECTED: {Choice.REJECT: Signpost.REJECTED},
    S.TO_MERGE: {Choice.APPROVE: Signpost.APPROVED, Choice.REJECT: Signpost.TAKE_BACK_FIRST},
    S.MERGING: {**dict.fromkeys(Choice, Signpost.MERGING), Choice.TAKE_BACK: Signpost.TOO_LATE},
    S.MERGED: {**dict.fromkeys(Choice, Signpost.MERGED), Choice.TAKE_BACK: Signpost.TOO_LATE},
    S.CLOSED: dict.fromkeys(Choice, Signpost.CLOSED),
}


def next_move(state: State, event: Event) -> Move | None:
    """Return what follows the event in this state, or None where it changes nothing."""
    return TABLE.get((state, event))


def event_of(
    row: Review, facts: PullRequest, policy: Policy, same_change: bool = False, since: Since = NOTHING_SINCE
) -> Event | None:
    """Return the event that this read of GitHub amounts to, or None when it brings nothing new.

    Precedence: merged, closed or ungated base, draft, base, head. `same_change` says that a new head was
    compared and holds the same change as the round that a reviewer was asked about; `since` what happened in between.
    """
    # Into a branch that is not gated anybody may merge, unless an approval for a gated one was on its way.
    if facts.merged and (policy.gates(facts.base) or row.is_approved):
        return E.MERGED
    if not facts.open or not policy.gates(facts.base):
        return E.CLOSED
    if facts.draft and row.state is not S.DRAFT:
        return E.DRAFTED
    if row.state is S.CLOSED or (row.state is S.DRAFT and not facts.draft):
        return E.READY
    if row.was_read and facts.base != row.base:
        return E.RETARGETED
    if (since.interrupted and row.state in _ASKED) or (since.asked_again and row.state is S.REJECTED):
        return E.READY
    if row.was_read and facts.head_sha != row.head_sha:
        return E.SAME_CHANGE if same_change else E.NEW_HEAD
    return None


def follow(
    row: Review, facts: PullRequest, policy: Policy, same_change: bool = False, since: Since = NOTHING_SINCE
) -> Move | None:
    """Return the move that this read of GitHub asks for, or None.

    The very first read of a row never starts a second round: nobody was asked about the first one yet.
    """
    event = event_of(row, facts, policy, same_change, since)
    move = next_move(row.state, event) if event else None
    if move and not row.was_read:
        return Move(move.to, move.why)
    return None if move and move.to is row.state and not move.new_round and not same_change else move


def decide(row: Review, round_: int, choice: Choice, note: str, seen: int | None = None) -> Move | Signpost:
    """Return what follows a reviewer's choice about one round of this row, or why nothing does.

    A link speaks for its own round only; a rejection needs a reason. `seen` is how many decisions there were on the
    page where it was chosen, None where that is not known: nobody's no is overruled without having been read.
    """
    if round_ != row.round and row.state not in ENDED:
        return Signpost.OLD_ROUND
    move = next_move(row.state, Event(choice))
    if move is None:
        return _SIGNPOSTS[row.state][choice]
    if choice is Choice.REJECT and not note.strip():
        return Signpost.NEEDS_REASON
    if seen not in (None, row.decisions):
        return Signpost.ANSWERED
    return move


def may_ask(row: Review, round_: int, words: str) -> Signpost | None:
    """Return None where a reviewer may ask a question about this round without deciding, else why not."""
    if row.state not in (S.TO_ASK, S.WAITING):
        return _SIGNPOSTS[row.state].get(Choice.APPROVE, Signpost.REJECTED)
    if round_ != row.round:
        return Signpost.OLD_ROUND
    return None if words.strip() else Signpost.NEEDS_QUESTION


def ask_at(row: Review, policy: Policy) -> datetime:
    """Return when the question of a `to_ask` row may go out.

    The first question goes at once; later ones, and a release's first, when the head has been still for the
    quiet time, but never later than six quiet times after the first change that nobody was asked about.
    """
    if row.asked_at is None and not policy.is_release(row):
        return row.changed_at
    return min(row.changed_at + policy.quiet, row.restless_since + MOST_QUIET_TIMES * policy.quiet)


def delta(before: Tree, after: Tree) -> tuple[Tree, Tree]:
    """Return what a change does, file by file: what only one of two trees has, and what only the other.

    Two changes are the same exactly when these are equal: one other bit, mode or path makes them differ.
    """
    return before - after, after - before


def may_be_carried(row: Review, facts: PullRequest, policy: Policy, since: Since = NOTHING_SINCE) -> bool:
    """Tell whether a new head could hold the same change as the one asked about; a release's never can."""
    if row.state not in _ASKED or policy.is_release(facts):
        return False
    return event_of(row, facts, policy, same_change=True, since=since) is E.SAME_CHANGE


def tells_nothing_new(row: Review, seen: Seen) -> bool:
    """Tell whether a payload shows just what the row holds already, so that no call to GitHub is needed."""
    known = Seen(
        row.head_sha, row.base, row.open, row.facts.draft, row.facts.merged, row.title, row.facts.words
    )
    return row.was_read and seen == known


def consequences(row: Review, move: Move, now: datetime) -> dict[str, object]:
    """Return what a move changes in the row besides the facts: state, round, times and the standing decision.

    `restless_since` is when the first change came that nobody was asked about yet; see `ask_at`.
    """
    changes: dict[str, object] = {"state": move.to}
    if move.new_round:
        changes["round"] = row.round + 1
        changes["merge_base"] = None
        if row.state is not S.TO_ASK:
            changes["restless_since"] = now
    if move.to not in DECIDED:
        changes["decision_id"] = None
    if move.to not in APPROVED or move.to is row.state:
        changes["blocked"] = None
    return changes


# --- What the events since the last read tell: what no read shows any more, and whether reading again can show anything new.


# GitHub's times have whole seconds, and its clock is not ours.
WHOLE_SECONDS = timedelta(seconds=2)


def since(row: Review, events: Sequence[PullRequestEvent], ahead: timedelta) -> Since:
    """Return what the events since the last read say; `ahead`: how far GitHub's clock is ahead of ours."""
    interrupted = any(interrupts(row, event) for event in events)
    asked_again = any(asks_again(row, event, ahead) for event in events)
    is_known = bool(events) and all(tells_nothing_new(row, event.seen) for event in events)
    return Since(interrupted, asked_again, is_known and not interrupted and not asked_again)


def interrupts(row: Review, event: PullRequestEvent) -> bool:
    """Tell whether it was closed, a draft or for another base after the last read; what comes late interrupts nothing."""
    seen = event.seen
    is_news = row.facts.updated_at is not None and event.updated_at > row.facts.updated_at
    is_closed = row.open and not seen.open and not seen.merged
    return is_news and (is_closed or (seen.draft and not row.facts.draft) or seen.base != row.base)


def asks_again(row: Review, event: PullRequestEvent, ahead: timedelta = timedelta(0)) -> bool:
    """Tell whether somebody asked for a review after it was rejected.

    Only people with the right to write can request one of somebody else's change. A late word, from before the
    rejection, asks nothing.
    https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/proposing-changes-to-your-work-with-pull-requests/requesting-a-pull-request-review
    """
    if not event.requests or row.decision is None or row.state is not State.REJECTED:
        return False
    return max(at for _, at in event.requests) + WHOLE_SECONDS >= row.decision.at + ahead


def changes_checks(known: Checks | None, events: Sequence[CheckEvent]) -> bool:
    """Tell whether what all checks say together may be another than what was read last.

    Of what is red already, another red says nothing new; of what still ran, only the last one to pass does.
    """
    if known is None or known.state == "none" or any(not event.says for event in events):
        return bool(events)
    red = {event.check for event in events if event.says == "red"}
    green = {event.check for event in events if event.says == "green"}
    names = set(known.names)
    if known.state == "red":
        return bool(red - names - {""} or names & green)
    return bool(red) or (known.state == "pending" and names <= green)
