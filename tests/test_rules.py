"""The rules: every pair of state and event, the illegal ones too."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.domain.approval import Choice, Merged, cover_of
from app.domain.events import PullRequestEvent
from app.domain.facts import Person, Seen, Since, Snapshot, State, Status
from app.domain.policy import Reviewer
from app.domain.review import Post
from app.domain.rules import (
    TABLE,
    Event,
    Move,
    Signpost,
    ask_at,
    consequences,
    decide,
    event_of,
    follow,
    next_move,
    since,
    tells_nothing_new,
)
from app.domain.statuses import statuses_to_say, unsaid_words
from tests.builders import (
    HEAD,
    LILY,
    NOON,
    OLD_HEAD,
    POLICY,
    WORDS,
    decision,
    posts,
    pull,
    row,
    shown,
    snapshot,
    told,
)

# DESIGN's table, written out once more by hand: "state+" is a new round, "-" changes nothing.
GRID = """
                    draft     to_ask    waiting   rejected  to_merge  merging   merged    closed
NEW_HEAD            draft+    to_ask+   to_ask+   to_ask+   to_ask+   -         -         -
SAME_CHANGE         -         -         waiting   rejected  to_merge  -         -         -
READY               to_ask+   -         to_ask+   to_ask+   to_ask+   -         -         to_ask+
DRAFTED             -         draft     draft     draft     draft     -         -         draft+
RETARGETED          draft+    to_ask+   to_ask+   to_ask+   to_ask+   -         -         -
CLOSED              closed    closed    closed    closed    closed    -         -         -
MERGED              merged    merged    merged    merged    merged    merged    -         merged
ASKED               -         waiting   -         -         -         -         -         -
APPROVE             -         to_merge  to_merge  to_merge  -         -         -         -
REJECT              -         rejected  rejected  -         -         -         -         -
TAKE_BACK           -         -         -         waiting   waiting   -         -         -
BASE_REWRITTEN      -         -         -         -         to_ask+   -         -         -
MERGE_SENT          -         -         -         -         merging   -         -         -
STILL_OPEN          -         -         -         -         -         to_merge  -         -
"""


def _pairs() -> list[tuple[State, Event, str]]:
    head, *lines = GRID.strip().splitlines()
    states = [State(name) for name in head.split()]
    return [
        (state, Event[line.split()[0]], cell)
        for line in lines
        for state, cell in zip(states, line.split()[1:], strict=True)
    ]


@pytest.mark.parametrize("state,event,expected", _pairs())
def test_the_table_is_the_design(state: State, event: Event, expected: str) -> None:
    move = next_move(state, event)
    assert (f"{move.to}{'+' if move.new_round else ''}" if move else "-") == expected


def test_the_grid_names_every_pair() -> None:
    assert len(_pairs()) == len(State) * len(Event)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("choice", Choice)
def test_every_choice_moves_or_says_why_not(state: State, choice: Choice) -> None:
    assert isinstance(decide(row(state), 1, choice, "the button is missing"), Move | Signpost)


@pytest.mark.parametrize("state", [state for state in State if state not in (State.MERGED, State.CLOSED)])
@pytest.mark.parametrize("choice", Choice)
@pytest.mark.parametrize("round_", [1, 3])
def test_a_link_of_another_round_decides_nothing(state: State, choice: Choice, round_: int) -> None:
    assert decide(row(state, round=2), round_, choice, "why") is Signpost.OLD_ROUND


def test_a_merged_one_says_so_whatever_the_round() -> None:
    assert decide(row(State.MERGED, round=2), 1, Choice.APPROVE, "") is Signpost.MERGED


@pytest.mark.parametrize(
    "seen, follows", [(0, Signpost.ANSWERED), (1, Move(State.TO_MERGE)), (None, Move(State.TO_MERGE))]
)
def test_a_no_that_was_not_on_the_page_is_not_overruled(seen: int | None, follows: Move | Signpost) -> None:
    assert decide(row(State.REJECTED, decisions=1), 1, Choice.APPROVE, "", seen) == follows


@pytest.mark.parametrize("note", ["", " \n\t"])
def test_a_no_needs_a_reason(note: str) -> None:
    assert decide(row(), 1, Choice.REJECT, note) is Signpost.NEEDS_REASON


@pytest.mark.parametrize(
    "facts,event",
    [
        (
            {"merged": True, "open": False, "draft": True, "base": "master", "head_sha": OLD_HEAD},
            Event.MERGED,
        ),
        ({"merged": True, "open": False, "base": "somewhere"}, Event.CLOSED),
        ({"open": False, "draft": True, "head_sha": OLD_HEAD}, Event.CLOSED),
        ({"base": "somewhere", "draft": True, "head_sha": OLD_HEAD}, Event.CLOSED),
        ({"base": "", "head_sha": OLD_HEAD}, Event.CLOSED),
        ({"draft": True, "base": "master", "head_sha": OLD_HEAD}, Event.DRAFTED),
        ({"base": "master", "head_sha": OLD_HEAD}, Event.RETARGETED),
        ({"base": "master"}, Event.RETARGETED),
        ({"head_sha": OLD_HEAD}, Event.NEW_HEAD),
        ({"title": "Another title"}, None),
    ],
)
def test_facts_have_a_precedence(facts: dict[str, object], event: Event | None) -> None:
    assert event_of(row(), pull(**facts), POLICY) is event


@pytest.mark.parametrize(
    "state,facts,event",
    [
        (State.DRAFT, {}, Event.READY),
        (State.DRAFT, {"draft": True}, None),
        (State.DRAFT, {"draft": True, "head_sha": OLD_HEAD}, Event.NEW_HEAD),
        (State.CLOSED, {}, Event.READY),
        (State.CLOSED, {"draft": True}, Event.DRAFTED),
        (State.CLOSED, {"open": False}, Event.CLOSED),
    ],
)
def test_readiness_is_seen_in_the_facts(state: State, facts: dict[str, object], event: Event | None) -> None:
    assert event_of(row(state), pull(**facts), POLICY) is event


@pytest.mark.parametrize(
    "state,facts,event",
    [
        (State.WAITING, {}, Event.READY),
        (State.TO_MERGE, {"head_sha": OLD_HEAD}, Event.READY),
        (State.REJECTED, {"base": "master"}, Event.RETARGETED),
        (State.TO_MERGE, {"draft": True}, Event.DRAFTED),
        (State.TO_ASK, {}, None),
        (State.TO_ASK, {"head_sha": OLD_HEAD}, Event.NEW_HEAD),
        (State.DRAFT, {"draft": True, "head_sha": OLD_HEAD}, Event.NEW_HEAD),
        (State.MERGING, {}, None),
    ],
)
def test_what_was_interrupted_is_ready_again(
    state: State, facts: dict[str, object], event: Event | None
) -> None:
    assert event_of(row(state), pull(**facts), POLICY, since=Since(interrupted=True)) is event


def test_the_first_read_never_starts_a_second_round() -> None:
    move = follow(row(State.TO_ASK, head_sha="", base=""), pull(draft=True), POLICY)
    assert move
    assert (move.to, move.new_round) == (State.DRAFT, False)
    assert follow(row(State.TO_ASK, head_sha="", base=""), pull(), POLICY) is None


def test_nothing_follows_from_a_closed_one_that_stays_closed() -> None:
    assert follow(row(State.CLOSED), pull(open=False), POLICY) is None


def test_the_same_change_on_a_newer_base_keeps_the_round() -> None:
    move = follow(row(State.TO_MERGE), pull(head_sha=OLD_HEAD), POLICY, same_change=True)
    assert move
    assert (move.to, move.new_round) == (State.TO_MERGE, False)


@pytest.mark.parametrize("state", State)
def test_a_decision_stands_only_where_it_counts(state: State) -> None:
    for move in (move for (before, _), move in TABLE.items() if before is state):
        kept = "decision_id" not in consequences(row(state), move, NOON)
        assert kept == (move.to in (State.REJECTED, State.TO_MERGE, State.MERGING, State.MERGED))


def test_every_new_round_voids_the_yes() -> None:
    new_rounds = [move for move in TABLE.values() if move.new_round]
    assert new_rounds
    assert all(consequences(row(), move, NOON)["decision_id"] is None for move in new_rounds)


@pytest.mark.parametrize(
    "facts,covered", [({}, True), ({"head_sha": OLD_HEAD}, False), ({"base": "master"}, False)]
)
def test_a_yes_covers_exactly_its_head_and_base(facts: dict[str, object], covered: bool) -> None:
    merged = pull(**facts)
    assert (cover_of(decision(), merged.base, merged.head_sha) is not None) is covered
    assert not cover_of(decision(Choice.REJECT), merged.base, merged.head_sha)
    assert not cover_of(None, merged.base, merged.head_sha)


# --- When to ask --------------------------------------------------------------------------------------------


def test_the_first_question_goes_at_once() -> None:
    assert ask_at(row(State.TO_ASK, asked_at=None), POLICY) == NOON


def test_a_later_question_waits_until_the_head_is_still() -> None:
    still = row(State.TO_ASK, changed_at=NOON + timedelta(minutes=3))
    assert ask_at(still, POLICY) == NOON + timedelta(minutes=13)


def test_a_restless_head_is_asked_about_after_six_quiet_times() -> None:
    restless = row(State.TO_ASK, changed_at=NOON + timedelta(minutes=59))
    assert ask_at(restless, POLICY) == NOON + timedelta(minutes=60)


def test_the_first_question_of_a_release_waits_too() -> None:
    release = row(State.TO_ASK, asked_at=None, base="master", head="development")
    assert ask_at(release, POLICY) == NOON + timedelta(minutes=10)


# --- What GitHub should show --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state,words",
    [
        (State.DRAFT, "pending Draft: QA is asked once it’s marked ready for review."),
        (State.TO_ASK, "pending QA will be asked soon."),
        (State.WAITING, "pending Waiting for Lily’s approval (asked 24 Nov, 12:00 UTC)"),
        (State.REJECTED, "failure Changes requested by Lily: The button is missing."),
        (State.TO_MERGE, "success Approved by Lily."),
        (State.MERGING, "success Approved by Lily."),
        (State.CLOSED, "pending Closed. Reopen it to ask QA."),
    ],
)
def test_each_state_shows_its_status(state: State, words: str) -> None:
    choice = Choice.REJECT if state is State.REJECTED else Choice.APPROVE
    made = decision(choice, note="The button\n is missing.")
    (status,) = statuses_to_say(row(state, decision=made, posts=posts(shown("before"))), POLICY)
    assert (f"{status.state} {status.description}", status.sha) == (words, HEAD)
    assert status.context == "qa-gate/development"
    assert (
        statuses_to_say(
            row(state, decision=made, posts=posts(shown(status.said, is_success=status.state == "success"))),
            POLICY,
        )
        == []
    )


@pytest.mark.parametrize("state", State)
def test_without_a_yes_no_status_is_success(state: State) -> None:
    for made in (None, decision(Choice.REJECT)):
        assert all(s.state != "success" for s in statuses_to_say(row(state, decision=made), POLICY))


def test_a_success_on_an_old_head_is_taken_back() -> None:
    old, new = statuses_to_say(
        row(State.TO_ASK, posts=posts(shown("success x", OLD_HEAD, is_success=True))), POLICY
    )
    assert (old.state, old.sha, old.context) == ("pending", OLD_HEAD, "qa-gate/development")
    assert (new.state, new.sha) == ("pending", HEAD)


def test_a_success_for_another_branch_is_taken_back() -> None:
    retargeted = row(State.TO_ASK, base="master", posts=posts(shown("success x", is_success=True)))
    assert [(s.state, s.context) for s in statuses_to_say(retargeted, POLICY)] == [
        ("pending", "qa-gate/development"),
        ("pending", "qa-gate/master"),
    ]


def test_a_success_in_the_same_place_is_overwritten_by_one_call() -> None:
    taken_back = row(State.WAITING, posts=posts(shown("success x", is_success=True)))
    assert [status.state for status in statuses_to_say(taken_back, POLICY)] == ["pending"]


@pytest.mark.parametrize("method,states", [("merge", []), ("squash", ["pending"]), ("rebase", ["pending"])])
def test_a_merged_success_stays_only_after_a_merge_commit(method: str, states: list[str]) -> None:
    told = Status("success", "Approved by Lily.", HEAD, "qa-gate/development").said
    stands = posts(shown(told, is_success=True))
    merged = row(State.MERGED, decision=decision(), merged_how=Merged.BY_GATE, posts=stands)
    found = statuses_to_say(merged, replace(POLICY, merge_method=method))
    assert [status.state for status in found] == states


def test_a_merge_ends_what_was_said_to_be_in_its_way() -> None:
    told = Status("success", "Approved by Lily. A check is red.", HEAD, "qa-gate/development").said
    stands = posts(shown(told, is_success=True))
    merged = row(State.MERGED, decision=decision(), merged_how=Merged.BY_GATE, posts=stands)
    (status,) = statuses_to_say(merged, POLICY)
    assert (status.state, status.description) == ("success", "Approved by Lily.")


def test_a_success_goes_when_somebody_else_merged_it_in_whatever_way() -> None:
    merged = row(State.MERGED, decision=decision(), posts=posts(shown("success x", is_success=True)))
    assert [status.state for status in statuses_to_say(merged, POLICY)] == ["pending"]


def test_a_merge_around_the_gate_never_shows_as_waiting() -> None:
    (status,) = statuses_to_say(
        row(State.MERGED, merged_how=Merged.BYPASSED, posts=posts(shown("waiting"))), POLICY
    )
    assert (status.state, status.description) == ("pending", "Merged without QA’s approval.")


def test_a_base_that_is_not_gated_gets_no_status() -> None:
    assert (
        statuses_to_say(
            row(State.CLOSED, base="somewhere", posts=posts(shown("x", base="somewhere"))), POLICY
        )
        == []
    )


def test_a_row_that_was_never_read_says_nothing() -> None:
    assert statuses_to_say(row(State.TO_ASK, head_sha="", base=""), POLICY) == []


def test_a_description_has_at_most_140_characters() -> None:
    (status,) = statuses_to_say(row(State.REJECTED, decision=decision(Choice.REJECT, note="n" * 500)), POLICY)
    assert len(status.description) == 140
    assert status.description.endswith("…")


def test_why_a_yes_is_held_is_in_the_status() -> None:
    (status,) = statuses_to_say(row(State.TO_MERGE, decision=decision()), POLICY, "It clashes.")
    assert status.description == "Approved by Lily. It clashes."


def test_each_decision_is_said_once() -> None:
    second = decision(number=2)
    assert not row(State.TO_MERGE, decision=second, posts=posts(Post("decision 2"))).is_decision_said
    assert row(State.TO_MERGE, decision=second, posts=posts(Post("decision 2", "said"))).is_decision_said
    assert row().is_decision_said


def test_words_are_said_in_the_order_in_which_they_were_written_past_the_tenth_too() -> None:
    asked = [Post(f"question {number}") for number in (10, 2, 1)]
    told = row(
        State.WAITING, posts=posts(*asked, Post("decision 1"), Post("question 3", "said"), shown(None))
    )
    keys = ["decision 1", "question 1", "question 2", "question 10"]
    assert [post.key for post in unsaid_words(told)] == keys


# --- The small ones -----------------------------------------------------------------------------------------


def test_a_payload_that_shows_what_is_known_tells_nothing_new() -> None:
    known = Seen(HEAD, "development", True, False, False, "Add gift cards", WORDS)
    assert tells_nothing_new(row(), known)
    assert not tells_nothing_new(row(head_sha=""), known)
    for other in (
        Seen(OLD_HEAD, "development", True, False, False, "Add gift cards", WORDS),
        Seen(HEAD, "master", True, False, False, "Add gift cards", WORDS),
        Seen(HEAD, "development", False, False, False, "Add gift cards", WORDS),
        Seen(HEAD, "development", True, True, False, "Add gift cards", WORDS),
        Seen(HEAD, "development", True, False, True, "Add gift cards", WORDS),
        Seen(HEAD, "development", True, False, False, "Another title", WORDS),
        Seen(HEAD, "development", True, False, False, "Add gift cards", "0" * 16),
    ):
        assert not tells_nothing_new(row(), other)


def test_names_are_compared_without_case() -> None:
    assert POLICY.knows("ACME/Shop")
    assert not POLICY.knows("acme/shop2")
    assert POLICY.reviewer_at(" LILY@example.com ") == LILY
    assert Reviewer("L", "Lily@Example.com").id == LILY.id
    assert POLICY.reviewer("0" * 12) is None


def test_no_release_branch_gates_nothing_else() -> None:
    policy = replace(POLICY, release_branch="")
    assert not policy.gates("")
    assert not policy.gates("master")
    assert policy.gates("development")


def test_a_snapshot_survives_json() -> None:
    asked = snapshot(body="\u202e évil 🎁")
    kept = TypeAdapter(Snapshot)
    assert kept.validate_json(kept.dump_json(asked)) == asked


# --- What the events since the last read tell ---------------------------------------------------------------


def asks(at: datetime, **more: Any) -> PullRequestEvent:
    """Somebody requests a review."""
    seen = Seen(HEAD, "development", True, False, False, "Add gift cards", WORDS)
    return told(replace(seen, **more), requests=((Person(9, "sam"), at),), updated_at=at)


@pytest.mark.parametrize("seconds, again", [(-180, False), (-3, False), (-2, True), (0, True), (180, True)])
def test_a_request_after_the_rejection_asks_again(seconds: int, again: bool) -> None:
    rejected = row(State.REJECTED, decision=decision(Choice.REJECT))
    assert rejected.decision
    event = asks(rejected.decision.at + timedelta(seconds=seconds))
    assert since(rejected, [event], timedelta(0)).asked_again is again


@pytest.mark.parametrize("ahead", [timedelta(minutes=-3), timedelta(minutes=3)])
def test_a_request_counts_by_githubs_clock_however_wrong_ours_is(ahead: timedelta) -> None:
    rejected = row(State.REJECTED, decision=decision(Choice.REJECT))
    assert rejected.decision
    then = rejected.decision.at + ahead
    assert since(rejected, [asks(then + timedelta(seconds=5))], ahead).asked_again
    assert not since(rejected, [asks(then - timedelta(seconds=5))], ahead).asked_again


def test_events_that_show_what_is_known_take_no_read() -> None:
    waiting = row(State.WAITING)
    seen = Seen(waiting.head_sha, waiting.base, True, False, False, waiting.title, waiting.facts.words)
    assert since(waiting, [told(seen), told(seen)], timedelta(0)).is_known
    assert not since(waiting, [told(seen), told(replace(seen, title="Other"))], timedelta(0)).is_known
    assert not since(waiting, [], timedelta(0)).is_known
