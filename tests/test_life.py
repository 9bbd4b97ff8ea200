"""The whole life of a pull request: what developers, GitHub and Lily can do to it, on real git."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.domain.facts import State
from app.worker import work_once
from tests.builders import NOT_YET
from tests.world import SHOP, World

MakeWorld = Callable[..., World]


def asked(world: World, **more: Any) -> int:
    """Open a pull request and let Lily be asked."""
    number = world.open(**more)
    world.settle()
    assert world.row(number).state is State.WAITING
    return number


def approved(world: World, **more: Any) -> int:
    """Open, ask, approve; nothing is merged before the next settle."""
    number = asked(world, **more)
    world.decide()
    return number


def said(world: World, number: int = 1) -> str:
    """The newest status of a pull request's head."""
    newest = world.github.repo().statuses[world.github.pull(number).head_sha][-1]
    return f"{newest.state}: {newest.description}"


def comments(world: World) -> list[str]:
    """The bodies of all comments."""
    return [comment.body for comment in world.github.repo().comments.values()]


def what(world: World, number: int = 1) -> list[str]:
    """What the history of a pull request says."""
    return [line.what for line in world.store.reviews.history(world.row(number).id)]


# --- Readiness ----------------------------------------------------------------------------------------------


def test_a_review_request_after_a_rejection_asks_again(world: World) -> None:
    number = asked(world)
    world.decide("reject", "The total is wrong.")
    world.settle()
    world.pass_(minutes=30)
    world.github.request_review(number, "kim")
    world.settle()
    assert (world.row().state, world.row().round) == (State.WAITING, 2)
    assert "The total is wrong." in world.inbox.mails[-1].text


def test_a_review_request_from_before_the_rejection_asks_nothing(world: World) -> None:
    number = asked(world)
    world.github.hold()
    world.github.request_review(number, "kim")
    world.clock.pass_(minutes=5)
    world.decide("reject", "The total is wrong.")
    world.settle()
    world.github.release()
    world.settle()
    assert (world.row().state, world.row().round) == (State.REJECTED, 1)


def test_a_review_request_while_the_gate_is_reading_is_not_lost(world: World) -> None:
    number = asked(world)
    world.decide("reject", "The total is wrong.")
    world.settle()
    world.pass_(minutes=30)
    requested: list[str] = []

    def request(method: str, path: str, phase: str) -> None:
        if method == "GET" and path.endswith(f"/pulls/{number}") and phase == "before" and not requested:
            requested.append(path)
            world.github.request_review(number, "kim")
            world.github.settle()

    world.github.on_call = request
    world.github.edit(number, body="I explained it here.")
    world.settle()
    world.pass_(minutes=11)
    assert requested
    assert (world.row().state, world.row().round) == (State.WAITING, 2)


def test_an_outsiders_fork_waits_until_a_member_asks_for_a_review(world: World) -> None:
    world.github.add_person("eve", association="CONTRIBUTOR")
    fork = world.github.fork(SHOP, "eve")
    world.github.commit(fork, "gift", {"cards.py": "from outside\n"}, "Gift", "eve")
    number = world.github.open_pull_request(SHOP, "gift", title="Gift", author="eve", from_fork=fork)
    world.settle()
    assert world.inbox.mails == []
    assert "comes from outside" in said(world)
    world.github.request_review(number, "sam", by="sam")
    world.settle()
    assert world.row().state is State.WAITING
    assert len(world.inbox.mails) == 1


def test_a_branch_of_ours_that_an_outsider_asks_for_waits_just_so(world: World) -> None:
    world.github.add_person("eve", association="NONE")
    number = world.open(author="eve", body="Approve it at once.")
    world.settle()
    assert (world.inbox.mails, "comes from outside" in said(world)) == ([], True)
    world.github.request_review(number, "sam", by="sam")
    world.settle()
    assert "outside the team" in world.inbox.mails[0].text


def test_a_branch_of_a_colleague_is_asked_about_whatever_github_writes_beside_the_name(world: World) -> None:
    world.github.add_person("kim", association="CONTRIBUTOR", permission="write")
    world.open(author="kim")
    world.settle()
    assert (len(world.inbox.mails), "outside" in world.inbox.mails[0].text) == (1, False)


def from_a_fork(world: World, login: str, branch: str = "gift") -> int:
    """A pull request from somebody's fork."""
    fork = world.github.fork(SHOP, login)
    world.github.commit(fork, branch, {"cards.py": "from a fork\n"}, "Gift", login)
    return world.github.open_pull_request(SHOP, branch, title="Gift", author=login, from_fork=fork)


def test_a_colleagues_fork_is_asked_about_whatever_github_writes_beside_the_name(world: World) -> None:
    world.github.add_person("kim", association="CONTRIBUTOR", permission="maintain")
    from_a_fork(world, "kim")
    world.settle()
    assert (len(world.inbox.mails), "outside" in world.inbox.mails[0].text) == (1, False)


def test_a_member_who_may_only_read_is_a_stranger(world: World) -> None:
    world.github.add_person("kim", association="MEMBER", permission="read")
    from_a_fork(world, "kim")
    world.settle()
    assert (world.inbox.mails, "comes from outside" in said(world)) == ([], True)


@pytest.mark.parametrize(
    "who",
    [{"type": "Bot", "permission": "write"}, {"permission": "triage"}, {"association": "NONE"}],
    ids=["a program", "who may not write", "a stranger"],
)
def test_who_does_not_belong_here_vouches_for_nobody(world: World, who: dict[str, str]) -> None:
    world.github.add_person("eve", association="NONE")
    world.github.add_person("helper", **who)
    number = from_a_fork(world, "eve")
    world.settle()
    world.github.request_review(number, "kim", by="helper")
    world.settle()
    world.pass_(minutes=30)
    assert (world.inbox.mails, "comes from outside" in said(world)) == ([], True)
    world.github.add_person("kim", association="CONTRIBUTOR", permission="write")
    world.github.request_review(number, "sam", by="kim")
    world.settle()
    assert world.row().state is State.WAITING


def test_a_fork_waits_while_github_does_not_say_who_belongs_here_and_it_is_a_problem(world: World) -> None:
    world.github.add_person("kim", association="CONTRIBUTOR", permission="write")
    world.github.fail("GET", "/permission$", 502, "<html>", times=2)
    from_a_fork(world, "kim")
    world.settle()
    assert (world.inbox.mails, "hasn’t said yet whether its author belongs here" in said(world)) == ([], True)
    assert "did not answer" in (world.problem() or "")
    for _ in range(3):
        world.pass_(minutes=1)
    assert (world.row().state, world.problem()) == (State.WAITING, None)
    calls = [call for call in world.github.calls if call.path.endswith("/permission")]
    assert len(calls) == 3


def test_without_the_right_to_ask_who_belongs_here_a_fork_waits_and_a_branch_does_not(world: World) -> None:
    world.github.rights.discard("metadata")
    from_a_fork(world, "sam")
    world.open("other")
    world.settle()
    assert [row.state for row in world.all_rows()] == [State.TO_ASK, State.WAITING]
    assert "let the gate do this" in (world.problem(1) or "")


def test_an_outsider_with_the_same_commits_stands_in_nobodys_way(world: World) -> None:
    number = world.open(draft=True)
    world.settle()
    world.github.add_person("eve", association="NONE")
    fork = world.github.fork(SHOP, "eve")
    world.github.force_push(fork, "gift", world.github.pull(number).head_sha, "eve")
    theirs = world.github.open_pull_request(SHOP, "gift", title="Gift", author="eve", from_fork=fork)
    world.settle()
    assert said(world).startswith("pending: Draft")
    world.github.ready(number)
    world.settle()
    assert world.row(number).state is State.WAITING
    assert world.row(theirs).state is State.TO_ASK
    world.github.close(theirs)
    world.settle()
    assert said(world).startswith("pending: Waiting for Lily")
    world.decide()
    world.settle()
    assert world.github.pull(number).merged


def test_an_outsider_that_a_member_vouched_for_is_a_twin_like_any_other(world: World) -> None:
    number = world.open(draft=True)
    world.github.add_person("eve", association="NONE")
    fork = world.github.fork(SHOP, "eve")
    world.github.force_push(fork, "gift", world.github.pull(number).head_sha, "eve")
    theirs = world.github.open_pull_request(SHOP, "gift", title="Gift", author="eve", from_fork=fork)
    world.settle()
    world.github.request_review(theirs, "sam", by="sam")
    world.settle()
    world.github.ready(number)
    world.settle()
    assert "has the same commits" in world.held(number)


def test_a_members_fork_is_asked_about_at_once(world: World) -> None:
    fork = world.github.fork(SHOP, "sam")
    world.github.commit(fork, "gift", {"cards.py": "from a fork\n"}, "Gift", "sam")
    world.github.open_pull_request(SHOP, "gift", title="Gift", author="sam", from_fork=fork)
    world.settle()
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED


def test_with_wait_for_checks_lily_is_asked_when_they_are_green(make_world: MakeWorld) -> None:
    world = make_world(WAIT_FOR_CHECKS="true")
    number = world.open()
    head = world.github.pull(number).head_sha
    world.github.set_check(SHOP, head, "build", "in_progress", None)
    world.settle()
    assert (world.inbox.mails, said(world)) == (
        [],
        "pending: QA is asked when its automatic checks are green; running now: build.",
    )
    world.github.set_check(SHOP, head, "build", conclusion="failure")
    world.pass_(seconds=30)
    assert "red now: build" in said(world)
    world.github.set_check(SHOP, head, "build")
    world.pass_(seconds=30)
    assert world.row().state is State.WAITING


def test_a_check_that_was_cancelled_and_is_green_now_keeps_nobody_waiting(make_world: MakeWorld) -> None:
    world = make_world(WAIT_FOR_CHECKS="true")
    head = world.github.pull(world.open()).head_sha
    world.github.set_check(SHOP, head, "build", conclusion="cancelled")
    world.settle()
    assert "red now: build" in said(world)
    world.github.set_check(SHOP, head, "build", "queued", again=True)
    world.pass_(minutes=10)
    assert "running now: build" in said(world)
    world.github.set_check(SHOP, head, "build")
    world.pass_(seconds=30)
    assert world.row().state is State.WAITING


def test_checks_that_are_ignored_keep_nobody_waiting(make_world: MakeWorld) -> None:
    world = make_world(WAIT_FOR_CHECKS="true", IGNORE_CHECKS='codecov/patch, "e2e (slow, nightly)"')
    head = world.github.pull(world.open()).head_sha
    world.github.set_status(SHOP, head, "failure", context="codecov/patch")
    world.github.set_check(SHOP, head, "e2e (slow, nightly)", "in_progress", None)
    world.github.set_check(SHOP, head, "build", "in_progress", None)
    world.settle()
    assert said(world).endswith("running now: build.")
    world.github.set_check(SHOP, head, "build")
    world.pass_(seconds=30)
    assert world.row().state is State.WAITING


def test_an_approval_waits_for_a_check_that_runs_again_and_nobody_is_told_that_it_is_red(
    world: World,
) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = world.open()
    head = world.github.pull(number).head_sha
    world.github.set_check(SHOP, head, "build", conclusion="cancelled")
    world.github.set_check(SHOP, head, "build", "in_progress", again=True)
    world.settle()
    world.decide()
    world.settle()
    assert (world.row().state, "red" in said(world)) == (State.TO_MERGE, False)
    assert not [one for one in world.github.repo().comments.values() if "red" in one.body]
    world.github.set_check(SHOP, head, "build")
    world.settle()
    assert world.row().state is State.MERGED


def test_no_check_within_two_minutes_counts_as_green(make_world: MakeWorld) -> None:
    world = make_world(WAIT_FOR_CHECKS="true")
    world.open()
    world.settle()
    world.pass_(seconds=119)
    assert world.inbox.mails == []
    world.pass_(seconds=1)
    assert world.row().state is State.WAITING


# --- The same change on a newer base ------------------------------------------------------------------------


def update_branch(world: World, number: int = 1) -> None:
    """Merge the base into the head, as GitHub's button does."""
    pull = world.github.pull(number)
    world.gate.github.update_branch(SHOP, number, pull.head_sha)


def test_a_question_stays_open_when_only_the_base_moved(world: World) -> None:
    asked(world)
    link = world.link()
    world.github.commit(SHOP, "development", {"other.py": "other\n"}, "Other", "kim")
    update_branch(world)
    world.settle()
    assert (world.row().state, world.row().round, len(world.inbox.mails)) == (State.WAITING, 1, 1)
    assert "same_change" in what(world)
    world.decide(path=link)
    world.settle()
    assert world.row().state is State.MERGED


def test_a_rejection_stands_when_only_the_base_moved(world: World) -> None:
    asked(world)
    world.decide("reject", "No.")
    world.settle()
    world.github.commit(SHOP, "development", {"other.py": "other\n"}, "Other", "kim")
    update_branch(world)
    world.settle()
    assert (world.row().state, said(world)) == (State.REJECTED, "failure: Changes requested by Lily: No.")


def test_a_yes_is_carried_over_and_the_history_names_both_commits(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development"], strict=True)
    number = asked(world)
    old = world.github.pull(number).head_sha
    world.github.commit(SHOP, "development", {"other.py": "other\n"}, "Other", "kim")
    world.decide()
    world.settle()
    world.pass_(minutes=1)
    row = world.row()
    assert (row.state, row.round, row.bypassed) == (State.MERGED, 1, False)
    (carried,) = (line for line in world.store.reviews.history(row.id) if line.what == "same_change")
    assert old[:7] in carried.detail
    assert row.head_sha[:7] in carried.detail
    assert world.statuses(old)[-1] == "qa-gate/development pending"
    assert len(world.inbox.mails) == 1


CHANGES: dict[str, dict[str, Any]] = {
    "one changed byte": {"cards.py": "Add gift cards!\n"},
    "an added file": {"more.py": "more\n"},
    "chmod +x": {"cards.py": ("100755", "Add gift cards\n")},
    "a file turned symbolic link": {"cards.py": ("120000", "Add gift cards\n")},
    "a submodule moved": {"vendored": ("160000", "1" * 40)},
    "a removed file": {"cards.py": None},
}


@pytest.mark.parametrize("name", CHANGES)
def test_one_bit_of_difference_asks_again(world: World, name: str) -> None:
    asked(world)
    world.github.commit(SHOP, "development", {"other.py": "other\n"}, "Other", "kim")
    update_branch(world)
    world.github.commit(SHOP, "gift-cards", CHANGES[name], name, "sam")
    world.settle()
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)


def merge_ours(world: World) -> None:
    """Merge the base into the head with `git merge -s ours`: its commits are in, what they did is not."""
    pretend, pull = world.github.world, world.github.pull(1)
    parents = (pull.head_sha, pull.repo.git.branches["development"])
    who = pretend.signature(pretend.person("sam"))
    merged = pull.repo.git.write("refs/tests/ours", parents, {}, "Merge development", who)
    world.github.force_push(SHOP, pull.head, merged)


def test_a_merge_that_undoes_a_fix_on_the_base_asks_again(world: World) -> None:
    world.github.commit(SHOP, "development", {"till.py": "broken\n"}, "Till", "kim")
    asked(world)
    world.github.commit(SHOP, "development", {"till.py": "mended\n"}, "Mend the till", "kim")
    merge_ours(world)
    world.settle()
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)


def test_an_undone_fix_that_no_list_of_files_shows_asks_again(world: World) -> None:
    world.github.commit(SHOP, "development", {"till.py": "broken\n"}, "Till", "kim")
    world.commit("gift-cards", till_py="rounded\n")
    world.github.open_pull_request(SHOP, "gift-cards", title="Round the total")
    world.settle()
    asked_about = world.gate.github.change(SHOP, "development", world.row().head_sha)
    world.github.commit(SHOP, "development", {"till.py": "mended\n"}, "Mend the till", "kim")
    merge_ours(world)
    now = world.gate.github.change(
        SHOP, world.github.repo().git.branches["development"], world.github.pull(1).head_sha
    )
    # One line of one file, before and after: only the trees tell that another line is gone.
    counts = [
        [(one.path, one.status, one.additions, one.deletions) for one in change.files]
        for change in (asked_about, now)
    ]
    assert counts[0] == counts[1]
    world.settle()
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)


def test_a_tree_that_github_cuts_short_asks_again(world: World) -> None:
    asked(world)
    world.github.repo().tree_limit = 1
    world.github.commit(SHOP, "development", {"other.py": "other\n"}, "Other", "kim")
    update_branch(world)
    world.settle()
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)


def test_another_base_asks_again_even_for_the_same_change(world: World) -> None:
    number = asked(world)
    world.github.retarget(number, "master")
    world.settle()
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)


# --- After the yes ------------------------------------------------------------------------------------------


def test_checks_that_run_hold_it_until_they_pass(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = asked(world)
    head = world.github.pull(number).head_sha
    world.github.set_check(SHOP, head, "build", "in_progress", None)
    world.decide()
    for _ in range(4):
        world.settle()
        world.clock.pass_(minutes=1)
    assert "still running (build)" in world.held()
    assert "still running" in world.see()
    assert comments(world) == []
    world.github.set_check(SHOP, head, "build")
    world.settle()
    assert world.row().state is State.MERGED


def test_a_red_check_is_told_to_the_developer_in_one_comment(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = asked(world)
    world.github.set_check(SHOP, world.github.pull(number).head_sha, "build", conclusion="failure")
    world.decide()
    for _ in range(5):
        world.settle()
        world.clock.pass_(minutes=11)
    (comment,) = comments(world)
    assert "failing (build)" in comment
    world.github.commit(SHOP, "development", {"cards.py": "something else\n"}, "Clash", "kim")
    for _ in range(3):
        world.pass_(minutes=11)
    (comment,) = comments(world)
    assert "Someone else changed the same part." in comment
    assert "failing" not in comment


def test_a_method_that_is_switched_off_is_said(world: World) -> None:
    world.github.repo().methods -= {"merge"}
    approved(world)
    try_for(world, 1)
    assert "not allowed" in world.held()
    world.pass_(minutes=59)
    assert world.row().state is State.TO_MERGE
    world.github.repo().methods |= {"merge"}
    world.pass_(minutes=1)
    assert world.row().state is State.MERGED


def test_a_fork_that_was_deleted_after_the_yes_is_still_merged(world: World) -> None:
    fork = world.github.fork(SHOP, "sam")
    world.github.commit(fork, "gift", {"cards.py": "from a fork\n"}, "Gift", "sam")
    world.github.open_pull_request(SHOP, "gift", title="Gift", author="sam", from_fork=fork)
    world.settle()
    world.github.delete_repository(fork)
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED


def test_taking_the_yes_back_takes_the_success_back(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    approved(world)
    for _ in range(4):
        world.settle()
        world.clock.pass_(minutes=1)
    assert said(world).startswith("success")
    world.decide("take_back")
    assert "still shows the withdrawn approval" not in world.see()
    world.clock.pass_(seconds=30)
    assert "still shows the withdrawn approval" in world.see()
    world.settle()
    assert world.row().state is State.WAITING
    assert said(world).startswith("pending: Waiting for Lily")
    assert "still shows the withdrawn approval" not in world.see()


def held_by_a_build(world: World) -> tuple[int, str]:
    """An approved pull request whose build is still running: number and head."""
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = asked(world)
    head = world.github.pull(number).head_sha
    world.github.set_check(SHOP, head, "build", "in_progress", None)
    world.decide()
    for _ in range(4):
        world.settle()
        world.clock.pass_(minutes=1)
    assert said(world).startswith("success")
    return number, head


def test_a_taken_back_yes_is_taken_back_at_github_too(world: World) -> None:
    number, _head = held_by_a_build(world)
    world.decide("take_back")
    world.settle()
    assert world.row().state is State.WAITING
    (comment,) = comments(world)
    assert "Lily withdrew the approval." in comment
    world.decide()
    world.settle()
    assert [review.state for review in world.github.pull(number).reviews] == ["APPROVED", "APPROVED"]
    assert len(comments(world)) == 1


def test_a_success_said_by_a_worker_that_overslept_is_taken_back(world: World) -> None:
    approved(world)
    slept: list[str] = []

    def oversleep(method: str, path: str, phase: str) -> None:
        if method == "POST" and "/statuses/" in path and phase == "before" and not slept:
            slept.append(path)
            world.clock.pass_(minutes=3)
            world.decide("take_back")
            while work_once(world.gate):  # the heir, while the call is still out
                pass
            assert said(world).startswith("pending: Waiting")

    world.github.on_call = oversleep
    world.settle()
    assert slept
    assert [line.split()[-1] for line in world.statuses(world.row().head_sha)][-2:] == ["success", "pending"]
    assert world.successes() == []


def test_a_twin_never_takes_the_success_of_an_approved_one(world: World) -> None:
    _number, head = held_by_a_build(world)
    world.github.force_push(SHOP, "same", head)
    twin = world.github.open_pull_request(SHOP, "same", title="The same")
    world.settle()
    for act in (world.github.close, world.github.reopen, world.github.close):
        act(twin)
        world.settle()
        assert said(world).startswith("success")
    world.github.set_check(SHOP, head, "build")
    world.settle()
    assert world.row().state is State.MERGED


def test_a_twin_never_takes_the_status_of_a_rejected_one(world: World) -> None:
    number = asked(world)
    world.github.force_push(SHOP, "same", world.github.pull(number).head_sha)
    twin = world.github.open_pull_request(SHOP, "same", title="The same")
    world.settle()
    world.decide("reject", "No.")
    world.settle()
    world.github.close(twin)
    world.settle()
    assert said(world) == "failure: Changes requested by Lily: No."


def test_a_status_that_somebody_wrote_over_is_said_again(world: World) -> None:
    _number, head = held_by_a_build(world)
    world.github.set_status(SHOP, head, "pending", "qa-gate/development", by="sam")
    world.github.set_check(SHOP, head, "build")
    world.settle()
    for _ in range(3):
        world.pass_(minutes=1)
    assert world.row().state is State.MERGED


def test_a_comment_that_only_looks_like_the_gates_own_is_left_alone(world: World) -> None:
    number = approved(world)
    world.github.comment(number, "Mine. <!-- qa-gate 1 held -->", by="sam")
    world.github.commit(SHOP, "development", {"cards.py": "something else\n"}, "Clash", "kim")
    world.settle()
    theirs, own = comments(world)
    assert theirs.startswith("Mine.")
    assert "changed the same part" in own


def test_a_rejection_that_a_push_overtook_is_told_with_the_version_it_was_about(world: World) -> None:
    number = asked(world)
    old = world.github.pull(number).head_sha
    world.decide("reject", "The total is wrong.")
    world.commit("gift-cards", "More", cards_py="more\n")
    world.settle()
    (comment,) = comments(world)
    assert ("The total is wrong." in comment, f"about {old[:7]}" in comment) == (True, True)
    assert world.github.pull(number).reviews == []
    world.pass_(minutes=15)
    assert len(comments(world)) == 1


def test_a_note_that_github_was_too_long_away_for_is_told_when_it_is_back(world: World) -> None:
    asked(world)
    world.github.fail("POST", "/statuses/", 503)
    world.decide("approve", "Mind the rounding.")
    world.settle()
    world.github.close(1)
    world.pass_(minutes=1)
    (comment,) = comments(world)
    assert "Lily approved this" in comment
    assert "Mind the rounding." in comment


def test_an_overtaken_answer_whose_comment_got_no_answer_is_not_told_twice(world: World) -> None:
    asked(world)
    world.decide("reject", "The total is wrong.")
    world.commit("gift-cards", "More", cards_py="more\n")
    world.github.fail("POST", "/comments$", None, after=True)
    world.settle()
    world.pass_(minutes=5)
    assert len(comments(world)) == 1
    assert world.row().posts["decision 1"].said == "said"


def puts(world: World) -> int:
    """How many merges were sent."""
    return sum(call.method == "PUT" and call.path.endswith("/merge") for call in world.github.calls)


def try_for(world: World, minutes: int) -> None:
    """Let time pass in such steps that every retry falls due."""
    for _ in range(minutes * 4):
        world.pass_(seconds=15)


def test_a_check_that_belongs_to_another_app_holds_the_yes_and_is_said(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development"], app_id=4242)
    number = approved(world)
    try_for(world, 4)
    sent = puts(world)
    assert "belongs to another app" in world.held()
    assert "belongs to another app" in said(world, number)
    try_for(world, 20)
    assert puts(world) - sent <= 3
    assert NOT_YET in world.inbox.mails[-1].text
    world.github.protect(SHOP, "development", ["qa-gate/development"])
    world.pass_(minutes=11)
    assert world.row().state is State.MERGED


def test_a_head_that_github_calls_moved_and_shows_unmoved_holds_the_yes(world: World) -> None:
    asked(world)
    world.github.fail("PUT", "/merge", 409, {"message": "Something else is in the way"}, times=1000)
    world.decide()
    try_for(world, 2)
    assert "shows no new version" in world.held()
    assert puts(world) <= 7
    try_for(world, 10)
    assert puts(world) <= 9
    world.github.front.failures.clear()
    world.pass_(minutes=10)
    assert world.row().state is State.MERGED


def test_a_check_that_passes_while_the_merge_is_out_merges_at_once(world: World) -> None:
    _number, head = held_by_a_build(world)
    passed: list[str] = []

    def passes(method: str, path: str, phase: str) -> None:
        if method == "PUT" and path.endswith("/merge") and phase == "after" and not passed:
            passed.append(path)
            world.github.set_check(SHOP, head, "build")
            world.github.settle()

    world.github.on_call = passes
    world.pass_(minutes=10)
    world.pass_(seconds=2)
    assert passed
    assert world.row().state is State.MERGED


def test_a_refusal_that_reading_does_not_bear_out_is_tried_again_soon(world: World) -> None:
    asked(world)
    world.github.fail("PUT", "/merge", 405, {"message": "Pull Request is not mergeable"})
    world.decide()
    world.settle()
    world.pass_(seconds=2)
    assert world.row().state is State.MERGED
    assert "held" not in what(world)


@pytest.mark.parametrize("conclusion", ["failure", None])
def test_a_check_that_is_not_required_is_not_said_to_hold_it(world: World, conclusion: str | None) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development"], approvals=1)
    number = asked(world, author="qa-gate-bot")
    status = "completed" if conclusion else "in_progress"
    world.github.set_check(SHOP, world.github.pull(number).head_sha, "lint", status, conclusion)
    world.decide()
    try_for(world, 1)
    assert "approving review is required" in world.held()
    assert world.row().is_stuck


def test_a_red_check_that_is_not_required_is_not_blamed_for_one_that_runs(world: World) -> None:
    _number, head = held_by_a_build(world)
    world.github.set_check(SHOP, head, "lint", conclusion="failure")
    world.pass_(minutes=11)
    assert "still running (build)" in world.held()
    assert not world.row().is_stuck
    assert comments(world) == []


def test_a_review_that_github_dismissed_with_a_carried_yes_is_given_again_once(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development"], approvals=1, strict=True)
    number = asked(world)
    world.github.commit(SHOP, "development", {"other.py": "other\n"}, "Other", "kim")

    def dismiss(method: str, path: str, phase: str) -> None:
        if method == "PUT" and path.endswith("/update-branch") and phase == "after":
            for review in world.github.pull(number).reviews:
                review.state = "DISMISSED"

    world.github.on_call = dismiss
    world.decide()
    try_for(world, 2)
    assert world.row().state is State.MERGED
    reviews = world.github.pull(number).reviews
    assert [review.state for review in reviews] == ["DISMISSED", "APPROVED"]
    assert reviews[-1].commit_id == world.github.pull(number).head_sha


def test_a_carried_yes_that_needs_a_second_reviewer_is_given_again_only_once(world: World) -> None:
    number, _head = held_by_a_build(world)
    world.github.protect(SHOP, "development", ["qa-gate/development"], approvals=2)
    world.github.commit(SHOP, "development", {"other.py": "other\n"}, "Other", "kim")
    update_branch(world)
    try_for(world, 25)
    assert "At least 2 approving reviews" in world.held()
    assert len(world.github.pull(number).reviews) == 2


def held_by_a_red_build(world: World) -> tuple[int, str]:
    """An approved pull request whose build is red, which the developer was told: number and head."""
    number, head = held_by_a_build(world)
    world.github.set_check(SHOP, head, "build", conclusion="failure")
    world.settle()
    (comment,) = comments(world)
    assert "failing" in comment
    return number, head


def test_the_comment_about_a_red_check_follows_it_to_the_merge(world: World) -> None:
    _number, head = held_by_a_red_build(world)
    world.github.set_check(SHOP, head, "build", "in_progress", None)
    world.pass_(minutes=11)
    (comment,) = comments(world)
    assert ("still running" in comment, "failing" in comment) == (True, False)
    world.github.set_check(SHOP, head, "build")
    world.settle()
    assert world.row().state is State.MERGED
    (comment,) = comments(world)
    assert comment.startswith("**Merged:**")


@pytest.mark.parametrize("end", ["push", "close", "take back"])
def test_the_comment_about_a_red_check_says_that_the_yes_is_gone(world: World, end: str) -> None:
    number, _head = held_by_a_red_build(world)
    match end:
        case "push":
            world.commit("gift-cards", "More", cards_py="more\n")
        case "close":
            world.github.close(number)
        case _:
            world.decide("take_back")
    world.settle()
    (comment,) = comments(world)  # one event, one comment
    withdrawn = "**Lily withdrew the approval.** This won’t merge until QA approves again."
    assert comment.startswith(withdrawn if end == "take back" else "**No longer approved,**")
    before = len(world.github.calls)
    world.pass_(hours=1)
    assert [call.path for call in world.github.calls[before:] if "comments" in call.path] == []


def test_a_deleted_comment_about_a_red_check_is_not_written_anew_only_to_say_that_it_is_over(
    world: World,
) -> None:
    _number, head = held_by_a_red_build(world)
    world.github.repo().comments.clear()
    world.github.set_check(SHOP, head, "build")
    world.settle()
    assert world.row().state is State.MERGED
    assert comments(world) == []


def test_a_twin_takes_its_own_success_back_from_where_it_stood_before(world: World) -> None:
    number, head = held_by_a_build(world)
    other = asked(world, branch="other-one")
    world.github.force_push(SHOP, "gift-cards", world.github.pull(other).head_sha)
    world.settle()
    assert world.statuses(head)[-1] == "qa-gate/development pending"
    assert world.successes(number) == []
    assert said(world, other).startswith("pending: Waiting for Lily")


def test_squashed_by_hand_under_a_standing_yes_leaves_no_success(world: World) -> None:
    number, head = held_by_a_build(world)
    world.github.merge_as("kim", number, method="squash")
    world.settle()
    assert (world.row().state, world.row().bypassed) == (State.MERGED, False)
    assert world.statuses(head)[-1] == "qa-gate/development pending"


def test_a_twin_that_her_yes_merged_too_is_no_bypass(world: World) -> None:
    number = asked(world)
    world.github.force_push(SHOP, "same", world.github.pull(number).head_sha)
    twin = world.github.open_pull_request(SHOP, "same", title="The same")
    world.settle()
    world.decide()
    world.settle()
    world.pass_(hours=1)
    assert [world.row(one).bypassed for one in (number, twin)] == [False, False]
    assert world.row(twin).state is State.MERGED
    assert not any(mail.preview.startswith("Merged without") for mail in world.inbox.mails)
    assert world.store.reviews.history(world.row(twin).id)[-1].detail == (
        f"it has the commits of #{number}, which Lily approved"
    )
    assert world.github.pull(twin).reviews == []
    assert len(world.github.pull(number).reviews) == 1


@pytest.mark.parametrize("answer", ["reject", None])
def test_a_twin_without_a_yes_makes_no_merge_one_with(world: World, answer: str | None) -> None:
    number = asked(world)
    world.github.force_push(SHOP, "same", world.github.pull(number).head_sha)
    twin = world.github.open_pull_request(SHOP, "same", title="The same")
    world.settle()
    if answer:
        world.decide(answer, "No.")
    world.settle()
    world.github.merge_as("kim", twin)
    world.settle()
    assert [world.row(one).bypassed for one in (number, twin)] == [True, True]


def test_what_happens_while_a_merge_is_looked_into_is_not_overlooked(world: World) -> None:
    number = asked(world)
    did: list[str] = []

    def close_and_reopen(method: str, path: str, phase: str) -> None:
        if method == "PUT" and phase == "before" and not did:
            did.append("closed")
            world.github.close(number)
            world.github.settle()
        elif method == "GET" and path.endswith(f"/pulls/{number}") and phase == "after" and did == ["closed"]:
            did.append("reopened")
            world.github.reopen(number)
            world.github.settle()

    world.github.on_call = close_and_reopen
    world.decide()
    world.settle()
    assert did == ["closed", "reopened"]
    assert world.row().open
    assert world.row().state is State.TO_ASK


def test_a_yes_of_who_is_no_reviewer_any_more_merges_nothing_and_another_is_asked(
    make_world: MakeWorld,
) -> None:
    world = make_world(QA_REVIEWERS="Lily <lily@example.com>, Max <max@example.com>")
    _number, head = held_by_a_build(world)
    others = world.gate.policy.reviewers[1:]
    world.gate = replace(world.gate, policy=replace(world.gate.policy, reviewers=others))
    world.github.set_check(SHOP, head, "build")
    world.settle()
    assert (world.row().state, world.row().decision) == (State.WAITING, None)
    assert said(world).startswith("pending: Waiting for Max")
    assert "Lily is not a reviewer any more" in comments(world)[0]
    assert world.inbox.mails[-1].to == "Max <max@example.com>"
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED
    assert "asked, approved, held, taken_back, asked, approved, merged" in ", ".join(what(world))


# --- Missed webhooks ----------------------------------------------------------------------------------------


def test_what_happened_while_the_gate_was_down_is_found(world: World) -> None:
    world.look()
    for number in range(1, 5):
        asked(world, branch=f"branch-{number}")
    world.github.webhooks_paused = True
    world.clock.pass_(minutes=1)
    world.github.close(1)
    world.github.merge_as("kim", 2)
    world.github.retarget(3, "master")
    world.commit("branch-4", "More", cards_py="more\n")
    world.open("branch-5")
    world.open("branch-6")
    world.github.merge_as("kim", 6)
    world.look()
    assert [world.row(number).state for number in range(1, 7)] == [
        State.CLOSED,
        State.MERGED,
        State.TO_ASK,
        State.TO_ASK,
        State.WAITING,
        State.MERGED,
    ]
    assert [world.row(number).bypassed for number in (2, 6)] == [True, True]


def test_the_gate_looks_by_itself(world: World) -> None:
    world.look()
    world.github.webhooks_paused = True
    world.clock.pass_(minutes=1)
    world.open()
    world.pass_(minutes=5)
    assert world.row().state is State.WAITING


def events_read(world: World) -> int:
    """How often GitHub was asked who requested a review."""
    return len([call for call in world.github.calls if call.path.endswith("/events")])


def test_a_review_request_after_a_rejection_is_found_though_its_webhook_was_lost(world: World) -> None:
    world.look()
    number = asked(world)
    world.decide("reject", "The total is wrong.")
    world.settle()
    world.pass_(minutes=30)
    before = events_read(world)
    world.github.webhooks_paused = True
    world.github.edit(number, title="Add gift cards, mended")
    world.github.request_review(number, "kim")
    world.pass_(minutes=6)
    assert (world.row().state, world.row().round) == (State.WAITING, 2)
    assert "The total is wrong." in world.inbox.mails[-1].text
    world.pass_(hours=2)
    assert events_read(world) == before + 1


def test_a_lost_review_request_from_before_the_rejection_asks_nothing(world: World) -> None:
    world.look()
    number = asked(world)
    world.github.webhooks_paused = True
    world.github.request_review(number, "kim")
    world.clock.pass_(minutes=5)
    world.decide("reject", "The total is wrong.")
    world.settle()
    world.pass_(hours=2)
    # Once before GitHub shows the rejection, and once when that has changed the list.
    assert events_read(world) <= 2
    assert (world.row().state, world.row().round) == (State.REJECTED, 1)


def test_a_member_who_vouches_is_found_though_the_webhook_was_lost(world: World) -> None:
    world.look()
    world.github.webhooks_paused = True
    world.clock.pass_(minutes=1)
    world.github.add_person("eve", association="CONTRIBUTOR")
    fork = world.github.fork(SHOP, "eve")
    for branch in ("gift", "card"):
        world.github.commit(fork, branch, {f"{branch}.py": "from outside\n"}, "Gift", "eve")
        world.github.open_pull_request(SHOP, branch, title="Gift", author="eve", from_fork=fork)
    world.open("ours", author="eve")
    for number in (2, 3):
        world.github.request_review(number, "sam", by="sam")
    world.pass_(minutes=6)
    assert [world.row(number).state for number in (1, 2, 3)] == [State.TO_ASK, State.WAITING, State.WAITING]
    world.github.request_review(1, "sam", by="eve")
    world.pass_(minutes=6)
    assert world.row(1).state is State.TO_ASK
    world.github.request_review(1, "sam", by="sam")
    world.pass_(minutes=6)
    assert world.row(1).state is State.WAITING


def test_without_the_right_to_read_requests_the_look_goes_on(world: World) -> None:
    world.look()
    number = asked(world)
    world.decide("reject", "The total is wrong.")
    world.settle()
    world.github.rights.discard("issues")
    world.github.webhooks_paused = True
    world.clock.pass_(minutes=1)
    world.github.request_review(number, "kim")
    world.open("another")
    world.pass_(minutes=6)
    assert [world.row(number).state for number in (1, 2)] == [State.REJECTED, State.WAITING]


def test_a_look_at_unchanged_ones_is_one_call_answered_304(world: World) -> None:
    for number in range(12):  # tests/test_benchmarks.py looks at a hundred
        world.open(f"branch-{number}")
    world.look()
    world.pass_(minutes=6)
    before = len(world.github.calls)
    world.pass_(minutes=6)
    made = [
        (call.path.partition("/compare/")[1] or "/pulls", call.status) for call in world.github.calls[before:]
    ]
    assert sorted(made) == [("/compare/", 304), ("/pulls", 304)]  # the other one is the look at its release


def test_day_one_is_one_list_and_no_letter_each(world: World) -> None:
    world.github.webhooks_paused = True
    world.open("merged-before")
    world.github.merge_as("kim", 1)
    for number in range(3):
        world.open(f"branch-{number}", title=f"Change {number}")
    world.clock.pass_(hours=1)
    world.look()
    world.pass_(minutes=10)
    (mail,) = world.inbox.mails
    assert all(f"Change {number}" in mail.text for number in range(3))
    assert sorted(row.number for row in world.all_rows() if row.base == "development") == [2, 3, 4]


def test_day_one_misses_none_at_the_border_of_two_pages(world: World) -> None:
    world.github.webhooks_paused = True
    world.commit("elsewhere")
    for number in range(1, 103):  # those between are into a branch that nobody asks Lily about
        world.open(f"branch-{number}", base="development" if number in (1, 2, 101, 102) else "elsewhere")
        world.clock.pass_(minutes=1)
    world.clock.pass_(hours=1)

    def close_one(_method: str, path: str, phase: str) -> None:
        # The latest comes first: without it, the first of the second page is the last of the first.
        if path.endswith("/pulls") and phase == "after" and world.github.pull(102).open:
            world.github.close(102)

    world.github.on_call = close_one
    world.look()
    world.pass_(minutes=6)
    assert {row.number for row in world.all_rows() if row.open} == {1, 2, 101}


def test_what_was_merged_before_the_gate_came_is_no_bypass(world: World) -> None:
    world.github.webhooks_paused = True
    number = world.open()
    world.github.merge_as("kim", number)
    world.clock.pass_(hours=1)
    world.look()
    world.github.webhooks_paused = False
    world.clock.pass_(hours=1)
    world.github.edit(number, body="An old one, edited.")
    world.look()
    world.pass_(minutes=6)
    assert number not in [row.number for row in world.all_rows()]
    assert world.inbox.mails == []


def test_a_merge_into_a_branch_that_is_not_gated_alarms_nobody(world: World) -> None:
    world.github.commit(SHOP, "feature", {"f.py": "f\n"}, "F", "kim")
    number = asked(world)
    world.github.retarget(number, "feature")
    world.settle()
    world.github.merge_as("kim", number)
    world.settle()
    assert (world.row().state, world.row().bypassed, len(world.inbox.mails)) == (State.CLOSED, False, 1)


# --- Odd people and odd texts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "facts",
    [
        {"title": "x" * 256, "body": "y" * 65_536},
        {
            "title": "\u202eevil \u200b<b>&",
            "body": "<script>alert(1)</script> ![x](https://e.example/p.png) @all",
        },
        {"title": "line\none", "body": None},
        {"title": "דואר", "body": "שלום"},
    ],
)
def test_odd_texts_are_asked_about_and_merged(world: World, facts: dict[str, Any]) -> None:
    approved(world, **facts)
    assert "<script>alert" not in world.inbox.mails[0].html
    world.settle()
    assert world.row().state is State.MERGED


@pytest.mark.parametrize("branch", ["feature/a/b", 'it\'s-"quoted"', "käse-🧀", "a%20b"])
def test_odd_branch_names_are_asked_about_and_merged(world: World, branch: str) -> None:
    approved(world, branch=branch)
    world.settle()
    assert world.row().state is State.MERGED


def test_a_deleted_author_is_asked_about_and_merged(world: World) -> None:
    number = world.open()
    world.github.make_ghost(number)
    world.settle()
    assert "ghost" in world.inbox.mails[0].text or "deleted" in world.inbox.mails[0].text
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED


def test_a_bots_pull_request_is_said_to_be_one(world: World) -> None:
    world.github.add_person("dependabot[bot]", "Bot", "CONTRIBUTOR")
    asked(world, author="dependabot[bot]")
    assert "this is an automatic change by dependabot" in world.inbox.mails[0].text


def test_three_thousand_files_are_asked_about(world: World) -> None:
    files = {f"file-{number}.txt": "x\n" for number in range(3000)}
    world.github.commit(SHOP, "many", files, "Many", "sam")
    world.github.open_pull_request(SHOP, "many", title="Many files")
    world.settle()
    assert world.row().state is State.WAITING
    assert "3,000" in world.inbox.mails[0].text or "3000" in world.inbox.mails[0].text


def test_several_repositories_are_kept_apart(make_world: MakeWorld) -> None:
    world = make_world(GITHUB_REPOSITORIES=f"{SHOP}, acme/till")
    world.github.create_repository("acme/till")
    world.github.commit("acme/till", "gift-cards", {"cards.py": "cards\n"}, "Cards", "sam")
    world.github.open_pull_request("acme/till", "gift-cards", title="Cards at the till")
    world.open()
    world.settle()
    world.decide(path=world.link())
    world.settle()
    states = {row.repository: row.state for row in world.all_rows()}
    assert sorted(states.values()) == [State.MERGED, State.WAITING]
