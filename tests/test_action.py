"""What is done next: the page is true, every chain of actions comes to rest, and what must never follow does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from app.domain.action import next_action
from app.domain.blocked import Blocked, Why
from app.domain.facts import State
from app.domain.known import Action, Base, Do, Known, Owed, Read
from tests.decisions import A_DAY, ANSWERS, COMMENT, DECISION, LOCK, PAGE, QUESTION, page

STATUS = Owed("status", "wording")
NEVER = 25


def test_the_page_about_decisions_is_as_the_rules_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.decisions"


# --- Every chain comes to rest --------------------------------------------------------------------------------


def perform(known: Known, action: Action, goes_well: bool) -> Known:
    """A pretend world: what is read is there or not, GitHub takes what it is told or not."""
    yes = goes_well
    match action.do:
        case Do.READ:
            state = State.TO_MERGE if known.state is State.MERGING else known.state
            return replace(known, read=Read.NOW, is_news=False, is_gated=True, state=state)
        case Do.LET_GO:
            return replace(known, is_noted=True)
        case Do.VOID | Do.VOID_REWRITTEN:
            return replace(known, state=State.TO_ASK, owed=(LOCK,), base=Base.UNREAD, merge_refused=None)
        case Do.HAND_OVER:
            return replace(known, is_held_by_reviewer=True)
        case Do.READ_VOUCHERS:
            return replace(known, outside=None if yes else known.outside, are_vouchers_read=True)
        case Do.READ_CHECKS:
            return replace(known, checks="green") if yes else replace(known, is_stopped=True)
        case Do.READ_CHANGE:
            return replace(known, is_compared=True)
        case Do.READ_EXTRAS:
            return replace(known, has_extras=True, are_extras_due=False)
        case Do.READ_RELEASE:
            return replace(known, has_release=yes, is_kept=yes)
        case Do.READ_BASE:
            return replace(known, base=Base.SAME if yes else Base.UNKNOWN)
        case Do.READ_SETTING:
            return replace(known, keeps_branch=yes)
        case Do.READ_ANSWERS:
            return replace(known, has_answers=False)
        case Do.ASK:
            return replace(known, state=State.WAITING, owed=(STATUS,))
        case Do.MERGE if yes:
            return replace(known, state=State.MERGED, owed=(STATUS,))
        case Do.MERGE:
            return replace(
                known, state=State.MERGING, read=Read.NOT, base=Base.UNREAD, merge_refused=Blocked(Why.BUSY)
            )
        case Do.UPDATE if not yes:
            return replace(known, may_update=False)
        case Do.UPDATE:
            return replace(known, is_updated=True, is_noted=True, blocked=Blocked(Why.UPDATING))
        case Do.SAY if not yes and action.owed and action.owed.is_lock:
            left = tuple(one for one in known.owed if one != action.owed)
            refused = Blocked(Why.STATUS_REFUSED) if known.state is State.TO_MERGE else None
            return replace(known, owed=left, read=Read.BEFORE, status_refused=refused)
        case Do.SAY:
            return replace(
                known, owed=tuple(one for one in known.owed if one != action.owed), read=Read.BEFORE
            )
        case Do.SAY_AGAIN:
            assert action.owed
            again = LOCK if action.owed.kind == "status" else DECISION
            return replace(known, owed=(again, *known.owed), is_noted=True, blocked=action.blocked)
        case Do.NOTE:
            return replace(known, is_noted=True, blocked=action.blocked)
    raise AssertionError(action)


def chain(known: Known, goes_well: bool = True) -> list[Action]:
    """What is done one after the other until the rest."""
    done: list[Action] = []
    while True:
        action = next_action(known)
        done.append(action)
        if action.do is Do.REST:
            return done
        assert len(done) < NEVER, done
        before, known = known, perform(known, action, goes_well)
        assert before != known, action


OWED: tuple[tuple[Owed, ...], ...] = ((), (LOCK, DECISION, COMMENT), (STATUS, QUESTION, COMMENT))
TWO = (False, True)
GENERAL: tuple[dict[str, Any], ...] = (
    {},
    {"is_news": True, "owed": OWED[1]},
    {"owed": OWED[2], "blocked": Blocked(Why.CONFLICT)},
    {"owed": OWED[1], "blocked": Blocked(Why.UPDATING, tries=3)},
    {"is_gated": None, "owed": OWED[2]},
    {"is_gated": False, "owed": OWED[1]},
)
OF_STATE: dict[State, dict[str, tuple[Any, ...]]] = {
    State.TO_ASK: {
        "quiet": (None, A_DAY),
        "twin": (None, "#7"),
        "outside": (None, Why.OUTSIDE, Why.OUTSIDE_UNKNOWN),
        "are_vouchers_read": TWO,
        "waits_for_checks": TWO,
        "checks": (None, "red", "young", "green"),
        "away": (None, A_DAY),
        "is_release": TWO,
        "is_merge_out": TWO,
    },
    State.WAITING: {
        "is_held_by_reviewer": TWO,
        "away": (None, A_DAY),
        "has_answers": TWO,
        "are_extras_due": TWO,
    },
    State.TO_MERGE: {
        "is_giver_there": TWO,
        "twin": (None, "#7"),
        "keeps_branch": (None, True, False),
        "base": tuple(Base),
        "is_conflicting": TWO,
        "merge_refused": (
            None,
            *(Blocked(why) for why in ANSWERS),
            Blocked(Why.CHECKS_RED, ("build",)),
        ),
        "is_carried": TWO,
    },
    State.MERGED: {"is_kept": TWO, "is_merge_out": TWO},
}


def everything(state: State) -> Iterator[Known]:
    facts = OF_STATE.get(state, {})
    for general, values in product(GENERAL, product(*facts.values())):
        yield Known(state, **general, **dict(zip(facts, values, strict=True)))


@pytest.mark.parametrize("goes_well", TWO)
@pytest.mark.parametrize("state", State)
def test_every_chain_of_actions_comes_to_rest_with_everything_said(state: State, goes_well: bool) -> None:
    for known in everything(state):
        done = chain(known, goes_well)
        read = False
        for action in done:
            read = read or action.do is Do.READ
            assert read or action.do not in (Do.SAY, Do.UPDATE, Do.MERGE, Do.ASK), (known, done)
        assert done[-1].do is Do.REST


# --- What must never follow ----------------------------------------------------------------------------------

MERGEABLE = Known(State.TO_MERGE, read=Read.NOW, base=Base.SAME)


def test_an_approved_change_about_which_nothing_else_is_known_is_merged() -> None:
    assert next_action(MERGEABLE).do is Do.MERGE


@pytest.mark.parametrize(
    "facts",
    [{"state": state} for state in State if state is not State.TO_MERGE]
    + [
        {"read": Read.NOT},
        {"read": Read.BEFORE},
        {"is_news": True, "read": Read.NOT},
        {"is_gated": None},
        {"is_gated": False},
        {"owed": (LOCK,)},
        {"owed": (DECISION,)},
        {"is_giver_there": False},
        {"twin": "#7"},
        {"keeps_branch": None},
        {"keeps_branch": False},
        {"base": Base.UNREAD},
        {"base": Base.UNKNOWN},
        {"base": Base.REWRITTEN},
        {"is_conflicting": True},
        {"merge_refused": Blocked(Why.REFUSED)},
        {"status_refused": Blocked(Why.RIGHTS)},
        {"is_stopped": True},
    ],
    ids=str,
)
def test_nothing_is_merged_where_one_condition_is_missing(facts: dict[str, Any]) -> None:
    assert next_action(replace(MERGEABLE, **facts)).do is not Do.MERGE


@pytest.mark.parametrize("words", [STATUS, QUESTION, COMMENT], ids=str)
def test_a_courtesy_never_comes_before_the_merge_and_never_after_the_rest(words: Owed) -> None:
    assert next_action(replace(MERGEABLE, owed=(words,))).do is Do.MERGE
    resting = replace(MERGEABLE, owed=(words,), state=State.REJECTED)
    assert [action.do for action in chain(resting)] == [Do.SAY, Do.REST]


def test_the_status_is_said_before_the_merge_and_the_pull_request_read_between_them() -> None:
    done = [action.do for action in chain(Known(State.TO_MERGE, owed=(LOCK, DECISION)))]
    assert done == [Do.READ, Do.SAY, Do.SAY, Do.READ, Do.READ_BASE, Do.MERGE, Do.SAY, Do.REST]


def test_a_plain_question_is_four_reads_and_the_mail_before_the_status() -> None:
    done = [action.do for action in chain(Known(State.TO_ASK, is_news=True, owed=(STATUS,)))]
    assert done == [Do.READ, Do.READ_CHANGE, Do.READ_EXTRAS, Do.ASK, Do.SAY, Do.REST]


def test_what_is_in_the_way_of_a_merge_is_counted_once_a_run_and_tried_ever_later() -> None:
    known = replace(MERGEABLE, is_conflicting=True)
    note, rest = chain(known)
    assert (note.do, note.blocked) == (Do.NOTE, Blocked(Why.CONFLICT))
    third = replace(known, is_noted=True, blocked=Blocked(Why.CONFLICT, tries=3))
    assert next_action(third).wait == Blocked(Why.CONFLICT, tries=3).wait
    assert rest.do is Do.REST


def test_what_is_over_is_no_longer_noted_for_a_change_that_nobody_was_asked_about() -> None:
    known = Known(State.TO_ASK, read=Read.NOW, quiet=A_DAY, blocked=Blocked(Why.SAME_COMMITS))
    assert next_action(known) == Action(Do.NOTE)


def test_our_own_status_is_said_once_more_before_it_is_believed_not_to_count() -> None:
    told = Blocked(Why.STATUS_UNSEEN)
    assert next_action(replace(MERGEABLE, merge_refused=told)).do is Do.SAY_AGAIN
    known = replace(MERGEABLE, merge_refused=told, blocked=Blocked(Why.STATUS_UNSEEN), is_noted=True)
    assert next_action(known).blocked == Blocked(Why.STATUS_UNSEEN)


def test_a_branch_is_brought_up_to_date_three_times_and_then_it_is_the_developers_turn() -> None:
    told = replace(MERGEABLE, merge_refused=Blocked(Why.BEHIND))
    assert next_action(told).do is Do.UPDATE
    tired = replace(told, blocked=Blocked(Why.UPDATING, tries=3), is_noted=True)
    assert next_action(tired).blocked == Blocked(Why.BEHIND)
    assert next_action(replace(told, may_update=False, is_noted=True)).blocked == Blocked(Why.BEHIND)
