"""The release gate: from a push to development to the merge into master, and the account that it gives."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from app.db.store import Store
from app.domain.approval import Merged
from app.domain.facts import Commit, Release, State
from app.github.commits import Steps
from app.jobs.release import MOST_ASKED, NO_BRANCH, DevelopmentBranch, release_of
from demo.github.state import Pull
from tests.builders import NOT_YET, POLICY
from tests.test_behaviour import MakeWorld
from tests.test_life import said, what
from tests.world import SHOP, World

# --- What the stories do ------------------------------------------------------------------------------------


def begin(world: World) -> World:
    """Day one: the gate starts and looks."""
    world.look()
    return world


def later(world: World, **time: float) -> None:
    """Let what happened arrive, then let time pass."""
    world.settle()
    world.pass_(**time)


def merge(
    world: World, branch: str = "gift-cards", title: str = "Add gift cards", note: str = "", **more: Any
) -> int:
    """A pull request that Lily approves and the gate merges."""
    number = world.open(branch, title=title, **more)
    world.settle()
    world.decide(note=note)
    world.settle()
    assert world.github.pull(number).merged
    return number


def push(world: World, message: str = "Fix in haste", **more: Any) -> str:
    """A commit that somebody pushes to development directly."""
    files = {f"{message}.txt": f"{message}\n"}
    return world.github.commit(SHOP, "development", files, message, more.get("by", "kim"))


def release(world: World) -> Pull:
    """The open release pull request, once the gate has looked at what was pushed."""
    later(world, seconds=31)
    found = [
        pull
        for pull in world.github.repo().pulls.values()
        if pull.open and pull.base == world.settings.release_branch
    ]
    assert len(found) == 1
    return found[0]


def asked(world: World) -> Pull:
    """The release, after the quiet time in which it is asked about."""
    pull = release(world)
    later(world, minutes=10)
    assert world.row(pull.number).state is State.WAITING
    return pull


def holds(world: World, number: int) -> Release:
    """What was kept of a release with the round that Lily was asked about last."""
    row = world.row(number)
    found = world.store.reviews.round(row.id, row.round)
    assert found
    assert found.snapshot.release
    return found.snapshot.release


def passed(release: Release) -> list[int]:
    return [item.number for item in release.passed]


def unseen(release: Release) -> list[tuple[str, int | None]]:
    return [(item.title, item.pull) for item in release.unseen]


def calls(world: World, method: str, path: str) -> int:
    return len([call for call in world.github.calls if call.method == method and call.path.endswith(path)])


def pulls(world: World) -> list[int]:
    """The numbers of all pull requests into master."""
    return [pull.number for pull in world.github.repo().pulls.values() if pull.base == "master"]


# --- The pull request ---------------------------------------------------------------------------------------


def test_a_merge_opens_the_release(world: World) -> None:
    feature = merge(begin(world))
    pull = release(world)
    assert (pull.head, pull.base, pull.title) == ("development", "master", "Release of 1 change")
    assert f"- #{feature} Add gift cards, by sam: approved by Lily" in (pull.body or "")
    assert world.row(pull.number).state is State.TO_ASK


def test_a_direct_push_opens_the_release_too(world: World) -> None:
    sha = push(begin(world))
    pull = release(world)
    assert pull.title == "Release of 1 change"
    assert f"- `{sha[:7]}` Fix in haste, by kim: pushed directly" in (pull.body or "")


def test_the_look_finds_a_push_that_no_webhook_told(world: World) -> None:
    begin(world)
    world.github.webhooks_paused = True
    push(world)
    world.github.webhooks_paused = False
    later(world, minutes=6)
    assert len(pulls(world)) == 1


def test_no_difference_opens_nothing_and_costs_one_call_that_is_free(world: World) -> None:
    begin(world)
    before = len(world.github.calls)
    later(world, minutes=61)
    assert pulls(world) == []
    compared = [call.status for call in world.github.calls[before:] if "/compare/" in call.path]
    assert compared == [304]


def test_what_changes_no_file_is_no_difference(world: World) -> None:
    begin(world)
    git = world.github.repo().git
    head = world.github.log(SHOP, "development")[0]
    world.github.commit(SHOP, "development", {"a.py": "a\n"}, "Add a", "kim")
    world.github.commit(SHOP, "development", {"a.py": None}, 'Revert "Add a"', "kim")
    assert git.commit(git.branches["development"]).tree == head.tree
    later(world, minutes=1)
    assert pulls(world) == []


def test_an_empty_one_of_the_gates_own_is_closed(world: World) -> None:
    begin(world)
    world.github.commit(SHOP, "development", {"a.py": "a\n"}, "Add a", "kim")
    pull = release(world)
    world.github.commit(SHOP, "development", {"a.py": None}, 'Revert "Add a"', "kim")
    later(world, minutes=1)
    assert (pull.state, pull.merged) == ("closed", False)
    assert world.row(pull.number).state is State.CLOSED


def test_an_empty_one_of_somebody_else_stays(world: World) -> None:
    world.github.commit(SHOP, "development", {"a.py": "a\n"}, "Add a", "kim")
    number = world.github.open_pull_request(SHOP, "development", "master", title="Next", author="kim")
    world.github.commit(SHOP, "development", {"a.py": None}, 'Revert "Add a"', "kim")
    begin(world)
    assert world.github.pull(number).open


def test_one_that_people_opened_is_taken_and_their_words_stay(world: World) -> None:
    begin(world)
    push(world)
    number = world.github.open_pull_request(
        SHOP, "development", "master", title="Spring release", body="Mind the **queue**.", author="kim"
    )
    pull = release(world)
    assert (pull.number, pull.title) == (number, "Spring release")
    assert (pull.body or "").startswith("Mind the **queue**.\n\n<!-- qa-gate release -->")
    world.github.edit(number, body=(pull.body or "").replace("\n", "\r\n") + "\r\n\r\nAnd the till.")
    push(world, "Another")
    later(world, minutes=1)
    body = pull.body or ""
    assert body.startswith("Mind the **queue**.")
    assert body.endswith("And the till.")
    assert ("Fix in haste" in body, "Another" in body, body.count("<!-- qa-gate release -->")) == (
        True,
        True,
        1,
    )


def test_title_and_text_follow_every_push_and_only_then(world: World) -> None:
    begin(world)
    push(world)
    pull = release(world)
    push(world, "Another")
    later(world, minutes=1)
    assert (pull.title, pulls(world)) == ("Release of 2 changes", [pull.number])
    edits = calls(world, "PATCH", f"/pulls/{pull.number}")
    later(world, minutes=20)
    assert edits == calls(world, "PATCH", f"/pulls/{pull.number}") == 1


def test_ten_pushes_in_a_row_are_looked_at_together(world: World) -> None:
    begin(world)
    before = calls(world, "POST", "/pulls")
    for number in range(10):
        push(world, f"Push {number}")
        world.settle()
    assert pulls(world) == []
    pull = release(world)
    assert pull.title == "Release of 10 changes"
    assert calls(world, "POST", "/pulls") - before == 1


def test_a_closed_one_comes_back_with_the_next_push_and_not_before(world: World) -> None:
    begin(world)
    push(world)
    first = release(world)
    world.github.close(first.number)
    later(world, minutes=20)
    assert pulls(world) == [first.number]
    push(world, "Another")
    assert release(world).number != first.number


def test_an_answer_that_was_lost_opens_no_second_one(world: World) -> None:
    begin(world)
    world.github.fail("POST", r"/pulls$", None, after=True)
    push(world)
    later(world, minutes=5)
    assert len(pulls(world)) == 1
    assert calls(world, "POST", "/pulls") == 1


@pytest.mark.parametrize(
    "message",
    ["No commits between master and development", "A pull request already exists for acme:development."],
)
def test_what_changed_while_it_was_opened_is_looked_at_again(world: World, message: str) -> None:
    begin(world)
    refusal = {
        "message": "Validation Failed",
        "errors": [{"resource": "PullRequest", "code": "custom", "message": message}],
    }
    world.github.fail("POST", r"/pulls$", 422, refusal)
    push(world)
    later(world, seconds=31)
    assert pulls(world) == []
    later(world, seconds=31)
    assert len(pulls(world)) == 1


def test_titles_in_the_text_act_on_nothing(world: World) -> None:
    begin(world)
    title = "Fixes #1, closes GH-2 @all <!-- /qa-gate release --> `x` https://github.com/acme/shop/issues/3 ![p](https://x.example/p)"
    merge(world, title=title)
    push(world, "Resolves acme/shop#1 <b>@kim</b>")
    body = release(world).body or ""
    for live in ("#1,", "GH-2", "@all", "@kim", "shop#1", "://", "<b>", "![", "`x`"):
        assert live not in body, live
    assert body.count("<!-- /qa-gate release -->") == 1
    assert body.endswith("<!-- /qa-gate release -->")
    push(world, "Another")
    later(world, minutes=1)
    again = release(world).body or ""
    assert again.count("/qa-gate release -->") == 1


def test_no_release_branch_turns_all_of_it_off(make_world: MakeWorld) -> None:
    world = begin(make_world(RELEASE_BRANCH=""))
    merge(world)
    push(world)
    later(world, hours=1)
    assert pulls(world) == []
    assert not [call for call in world.github.calls if "master" in call.path]
    number = world.github.open_pull_request(SHOP, "development", "master", title="By hand")
    later(world, hours=1)
    assert number not in [row.number for row in world.all_rows()]


def test_the_branches_may_have_other_names(make_world: MakeWorld) -> None:
    world = make_world(DEVELOPMENT_BRANCH="team/next", RELEASE_BRANCH="main")
    git = world.github.repo().git
    for branch in ("team/next", "main"):
        world.github.force_push(SHOP, branch, git.branches["master"])
    begin(world)
    feature = merge(world, base="team/next")
    pull = asked(world)
    assert (pull.head, pull.base) == ("team/next", "main")
    assert passed(holds(world, pull.number)) == [feature]
    world.decide()
    world.settle()
    assert pull.merged
    assert world.statuses(pull.head_sha)[-1] == "qa-gate/main success"


def test_a_release_branch_that_is_not_there_is_a_problem_in_words(make_world: MakeWorld, caplog: Any) -> None:
    begin(make_world(RELEASE_BRANCH="main"))
    assert NO_BRANCH.format("acme/shop", "main", "development") in caplog.text


# --- The account --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_every_way_of_merging_is_known_by_its_commit(make_world: MakeWorld, method: str) -> None:
    world = begin(make_world(MERGE_METHOD=method))
    world.commit("gift-cards", "One", one_py="1\n")
    world.commit("gift-cards", "Two", two_py="2\n")
    number = merge(world, note="Works on my phone.")
    pull = asked(world)
    held = holds(world, pull.number)
    assert [(item.number, item.title, item.author, item.reviewer, item.note) for item in held.passed] == [
        (number, "Add gift cards", "sam", "Lily", "Works on my phone.")
    ]
    assert (held.unseen, held.earlier) == ((), 0)
    assert calls(world, "GET", "/pulls") <= 4
    assert not [
        call for call in world.github.calls if call.path.endswith("/pulls") and "/commits/" in call.path
    ]


def test_a_commit_that_came_with_a_rebase_of_ours_is_told_from_one_that_only_came_before(
    make_world: MakeWorld,
) -> None:
    world = begin(make_world(MERGE_METHOD="rebase"))
    world.commit("gift-cards", "One", one_py="1\n")
    number = world.open()
    world.settle()
    push(world)
    world.decide()
    world.settle()
    pull = asked(world)
    held = holds(world, pull.number)
    assert (passed(held), unseen(held)) == ([number], [("Fix in haste", None)])


def test_a_commit_that_slips_in_before_a_rebase_has_no_yes(make_world: MakeWorld) -> None:
    """GitHub leaves out a commit that came already, so that one more than it made would seem to be ours."""
    world = begin(make_world(MERGE_METHOD="rebase"))
    world.commit("gift-cards", "One", one_py="1\n")
    number = world.open()
    world.settle()

    def slip_in(method: str, path: str, phase: str) -> None:
        if (method, phase) == ("PUT", "before") and path.endswith("/merge"):
            world.github.on_call = None
            push(world)

    world.github.on_call = slip_in
    world.decide()
    world.settle()
    held = holds(world, asked(world).number)
    assert passed(held) == [number]
    assert ("Fix in haste", None) in unseen(held)


def test_a_merge_around_the_gate_is_named_as_such(world: World) -> None:
    begin(world)
    number = world.open(title="In a hurry")
    world.settle()
    world.github.merge_as("kim", number)
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held)) == ([], [("In a hurry", number)])


def test_a_rebase_around_the_gate_is_one_item_and_asked_about_once(world: World) -> None:
    begin(world)
    world.commit("gift-cards", "One", one_py="1\n")
    number = world.open(title="In a hurry")
    world.settle()
    world.github.merge_as("kim", number, method="rebase")
    pull = asked(world)
    (item,) = holds(world, pull.number).unseen
    assert (item.title, item.pull, len(item.commits)) == ("In a hurry", number, 2)
    push(world, "Another")
    later(world, minutes=20)
    asked_about = [
        call.path for call in world.github.calls if "/commits/" in call.path and call.path.endswith("/pulls")
    ]
    assert len(asked_about) == len(set(asked_about)) == 2
    assert len(holds(world, pull.number).unseen) == 2


def test_a_message_or_a_number_proves_nothing(world: World) -> None:
    begin(world)
    feature = merge(world)
    merged = world.github.log(SHOP, "development")[0].message
    push(world, merged)
    push(world, f"Add gift cards (#{feature})")
    held = holds(world, asked(world).number)
    assert passed(held) == [feature]
    assert [pull for _, pull in unseen(held)] == [None, None]


def push_by_hand(world: World, number: int, by: str = "kim") -> None:
    """Push a merge of a pull request's head, with something else in it."""
    git, head = world.github.repo().git, world.github.pull(number).head_sha
    tip = git.branches["development"]
    signed = world.github.world.signature(world.github.world.person(by))
    sha = git.write("refs/hand", (tip, head), {"evil.py": "evil\n"}, "Merge by hand", signed)
    world.github.force_push(SHOP, "development", sha, by)


def at_the_merge(world: World, what: Callable[[], object]) -> None:
    """Let something happen just before the gate's merge reaches GitHub."""

    def happen(method: str, path: str, phase: str) -> None:
        if (method, phase) == ("PUT", "before") and path.endswith("/merge"):
            world.github.on_call = None
            what()

    world.github.on_call = happen


def at_the_read(world: World, number: int, what: Callable[[], object]) -> None:
    """Let something happen just before the gate reads a pull request the next time."""

    def happen(method: str, path: str, phase: str) -> None:
        if (method, phase) == ("GET", "before") and path.endswith(f"/pulls/{number}"):
            world.github.on_call = None
            what()

    world.github.on_call = happen


def test_a_merge_made_by_hand_has_no_yes_even_with_an_approved_head(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = world.open()
    begin(world)
    world.decide()
    world.settle()
    assert world.row(number).state is State.TO_MERGE
    push_by_hand(world, number)
    world.settle()
    assert world.row(number).state is State.MERGED
    held = holds(world, asked(world).number)
    assert (passed(held), [pull for _, pull in unseen(held)]) == ([], [number])


def test_a_merge_made_by_hand_under_the_gates_own_name_has_no_yes_before_the_gate_sent_one(
    world: World,
) -> None:
    number = world.open()
    begin(world)
    world.decide()
    push_by_hand(world, number, "qa-gate-bot")
    world.settle()
    row = world.row(number)
    assert (row.state, row.merged_how is Merged.BY_GATE) == (State.MERGED, False)


def test_a_merge_made_by_hand_while_the_gates_own_is_out_has_no_yes(world: World) -> None:
    number = world.open()
    begin(world)
    world.github.fail("PUT", r"/merge$", 502)
    at_the_merge(world, lambda: push_by_hand(world, number))
    world.decide()
    world.settle()
    row = world.row(number)
    assert (row.state, row.bypassed, row.merged_how is Merged.BY_GATE) == (State.MERGED, True, False)
    held = holds(world, asked(world).number)
    assert (passed(held), [pull for _, pull in unseen(held)]) == ([], [number])


def test_a_merge_of_the_gates_own_that_lands_late_has_a_yes(world: World) -> None:
    """Its answer was lost, GitHub still said "open", and then it was merged."""
    number = world.open()
    begin(world)
    world.github.fail("PUT", r"/merge$", 502)
    is_sent: list[bool] = []

    def land_late(method: str, path: str, phase: str) -> None:
        if (method, phase) == ("PUT", "before") and path.endswith("/merge"):
            is_sent.append(True)
        if is_sent and (method, phase) == ("GET", "after") and path.endswith(f"/pulls/{number}"):
            world.github.on_call = None
            world.github.merge_as("qa-gate-bot", number)

    world.github.on_call = land_late
    world.decide(note="Nice.")
    world.settle()
    later(world, minutes=1)
    row = world.row(number)
    assert (row.state, row.bypassed, row.merged_how is Merged.BY_GATE) == (State.MERGED, False, True)
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held)) == ([number], [])


def test_who_cannot_know_its_own_name_claims_no_merge(world: World) -> None:
    number = world.open()
    begin(world)
    world.github.fail("PUT", r"/merge$", None, after=True)
    world.github.fail("GET", r"^/user$", 403, times=9)
    world.decide()
    world.settle()
    row = world.row(number)
    assert (row.state, row.merged_how is Merged.BY_GATE) == (State.MERGED, False)


def test_a_retarget_in_the_last_instant_is_no_yes_for_where_it_turns_up(world: World) -> None:
    begin(world)
    world.github.commit(SHOP, "side", {"side.py": "side\n"}, "Side", "kim")
    number = world.open()
    world.settle()
    at_the_merge(world, lambda: world.github.retarget(number, "side"))
    world.decide()
    world.settle()
    later(world, minutes=10)
    assert world.row(number).bypassed
    assert len([mail for mail in world.inbox.mails if mail.preview.startswith("Not approved by QA")]) == 1
    world.github.force_push(SHOP, "development", world.github.repo().git.branches["side"], "kim")
    held = holds(world, asked(world).number)
    assert (passed(held), [pull for _, pull in unseen(held)]) == ([], [None, number])


def test_more_than_can_be_asked_about_at_once_is_asked_about_later(sqlite_url: str) -> None:
    store, shas = Store(sqlite_url), [f"{number:040x}" for number in range(MOST_ASKED + 3)]
    store.create()
    looked_up: list[str] = []
    gate: Any = SimpleNamespace(
        store=store,
        policy=POLICY,
        github=SimpleNamespace(brought_by=lambda _repository, sha, _branch: looked_up.append(sha)),
    )
    branch = DevelopmentBranch(gate, SHOP, 7, lambda: None)
    steps = [Commit(sha, "Fix", "kim", parents=(before,)) for before, sha in pairwise(shas)]
    store.releases.begin(7, "development", shas[0], ())
    ahead = Steps(shas[0], shas[0], shas[-1], tuple(steps))
    first, second = release_of(branch, ahead), release_of(branch, ahead)
    assert first
    assert second
    assert [item.was_asked for item in first.unseen] == [False] * 2 + [True] * MOST_ASKED
    assert all(item.was_asked for item in second.unseen)
    assert sorted(looked_up) == shas[1:]
    store.close()


def test_reverts_and_cherry_picks_are_what_they_are(world: World) -> None:
    begin(world)
    feature = merge(world)
    git = world.github.repo().git
    world.github.commit(SHOP, "undo", {"cards.py": None}, 'Revert "Add gift cards"', "sam")
    revert = world.github.open_pull_request(SHOP, "undo", title='Revert "Add gift cards"')
    world.settle()
    world.decide()
    world.settle()
    picked = git.commit(world.github.pull(feature).head_sha)
    world.github.commit(SHOP, "development", {"cards.py": "Add gift cards\n"}, picked.message, "kim")
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held)) == ([feature, revert], [("Add gift cards", None)])


def test_what_was_there_before_the_gate_is_counted_and_blames_nobody(world: World) -> None:
    for number in range(3):
        push(world, f"Old {number}")
    begin(world)
    push(world, "New")
    held = holds(world, asked(world).number)
    assert (unseen(held), held.earlier) == ([("New", None)], 3)


def test_a_pull_request_from_before_the_gate_counts_once_with_all_its_commits(world: World) -> None:
    world.github.commit(SHOP, "gift-cards", {"a.py": "a\n"}, "Add gift cards", "sam")
    world.github.commit(SHOP, "gift-cards", {"b.py": "b\n"}, "Test gift cards", "sam")
    world.github.merge_as("kim", world.github.open_pull_request(SHOP, "gift-cards"))
    begin(world)
    pull = asked(world)
    assert (pull.title, holds(world, pull.number).earlier) == ("Release of 1 change", 1)
    assert "\nIt holds 1 change from before QA gate was set up." in f"\n{pull.body}"


def test_a_rewritten_history_is_accounted_from_where_it_parted_and_said(world: World) -> None:
    begin(world)
    merge(world)
    first = push(world, "First")
    release(world)
    parted = world.github.repo().git.commit(first).parents[0]
    world.github.force_push(SHOP, "again", parted, "kim")
    new = world.github.commit(SHOP, "again", {"b.py": "b\n"}, "Instead", "kim")
    world.github.force_push(SHOP, "development", new, "kim")
    pull = asked(world)
    held = holds(world, pull.number)
    assert (passed(held), unseen(held), held.is_rewritten) == ([1], [("Instead", None)], True)
    assert "The history of development was rewritten" in (pull.body or "")
    assert "The history of development was rewritten" in world.inbox.mails[-1].text


@pytest.mark.parametrize("is_known_beside", [True, False])
def test_a_first_parent_that_is_swapped_before_the_gate_looked_hides_nothing(
    world: World, is_known_beside: bool
) -> None:
    if is_known_beside:
        push(world, "Old")
    begin(world)
    feature = merge(world) if not is_known_beside else None
    push(world)
    world.github.commit(SHOP, "side", {"side.py": "side\n"}, "Side", "kim", "master")
    git = world.github.repo().git
    parents = (git.branches["side"], git.branches["development"])
    tree = git.merge(*parents)
    assert tree
    signed = world.github.world.signature(world.github.world.person("kim"))
    swapped = git.write("refs/swapped", parents, tree, "Merge development", signed)
    world.github.force_push(SHOP, "development", swapped, "kim")
    held = holds(world, asked(world).number)
    assert passed(held) == ([feature] if feature else [])
    assert {title for title, _ in unseen(held)} == {"Fix in haste", "Side", "Merge development"}
    assert not held.is_rewritten


def test_a_branch_merged_by_hand_was_pushed_directly_commit_by_commit(world: World) -> None:
    begin(world)
    merge(world)
    world.commit("totals", "Round the total")
    git = world.github.repo().git
    parents = (git.branches["development"], git.branches["totals"])
    tree = git.merge(*parents)
    assert tree
    signed = world.github.world.signature(world.github.world.person("kim"))
    by_hand = git.write("refs/by-hand", parents, tree, "Merge totals", signed)
    world.github.force_push(SHOP, "development", by_hand, "kim")
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held)) == ([1], [("Round the total", None), ("Merge totals", None)])


def test_a_branch_that_began_at_an_older_merge_counts_as_one(world: World) -> None:
    begin(world)
    first = merge(world)
    world.commit("totals", "Round the total")
    push(world)
    release(world)
    second = merge(world, "totals", "Round the total")
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held)) == ([first, second], [("Fix in haste", None)])


def test_a_history_that_was_written_anew_from_its_root_is_accounted_whole_and_said(world: World) -> None:
    begin(world)
    push(world)
    pull = release(world)
    git = world.github.repo().git
    signed = world.github.world.signature(world.github.world.person("kim"))
    root = git.write("refs/root", (), {"a.py": "a\n"}, "Root anew", signed)
    tip = git.write("refs/tip", (root,), {"b.py": "b\n"}, "One anew", signed)
    world.github.close(pull.number)
    world.github.force_push(SHOP, "master", root, "kim")
    world.github.force_push(SHOP, "development", tip, "kim")
    held = holds(world, asked(world).number)
    assert (unseen(held), held.is_rewritten) == ([("One anew", None)], True)


def test_a_commit_that_is_gone_when_it_is_asked_about_holds_up_nothing(world: World) -> None:
    begin(world)
    world.github.fail("GET", r"/commits/[0-9a-f]+/pulls$", 404)
    push(world)
    assert unseen(holds(world, asked(world).number)) == [("Fix in haste", None)]


def test_what_came_before_the_release_branch_was_there_is_accounted_for(make_world: MakeWorld) -> None:
    world = begin(make_world(RELEASE_BRANCH="main"))
    root = world.github.repo().git.branches["development"]
    feature = merge(world)
    push(world)
    later(world, hours=2)
    world.github.force_push(SHOP, "main", root)
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held), held.earlier) == ([feature], [("Fix in haste", None)], 0)


def test_a_merge_of_ours_that_nobody_saw_land_is_in_the_list_all_the_same(world: World) -> None:
    feature = merge(world)
    begin(world)
    push(world)
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held), held.earlier) == ([feature], [("Fix in haste", None)], 0)


def test_a_first_parent_that_is_swapped_hides_nothing(world: World) -> None:
    begin(world)
    feature = merge(world)
    push(world)
    git = world.github.repo().git
    world.github.commit(SHOP, "side", {"side.py": "side\n"}, "Side", "kim", "master")
    parents = (git.branches["side"], git.branches["development"])
    tree = git.merge(*parents)
    assert tree
    swapped = git.write(
        "refs/swapped",
        parents,
        tree,
        "Merge development",
        world.github.world.signature(world.github.world.person("kim")),
    )
    later(world, seconds=31)
    world.github.force_push(SHOP, "development", swapped, "kim")
    held = holds(world, asked(world).number)
    assert passed(held) == [feature]
    assert {title for title, _ in unseen(held)} == {"Fix in haste", "Side", "Merge development"}


# --- Asking, answering, merging -----------------------------------------------------------------------------


def test_one_mail_names_what_passed_and_first_what_did_not(world: World) -> None:
    begin(world)
    one, two = merge(world, note="Nice."), merge(world, "totals", "Round the total")
    push(world)
    around = world.open("hurry", title="In a hurry")
    world.settle()
    world.github.merge_as("kim", around)
    world.settle()
    before = len(world.inbox.mails)
    pull = asked(world)
    mails = world.inbox.mails[before:]
    assert [mail.subject for mail in mails] == [f"Release into master (#{pull.number})"]
    page = world.see()
    for words in (mails[0].text, page):
        places = [
            words.index(title)
            for title in ("Fix in haste", "In a hurry", "Add gift cards", "Round the total")
        ]
        assert places == sorted(places)
        assert f"(#{around})" in words
        assert "pushed directly" in words
        assert "Nice." in words
    assert "merged on GitHub without asking you" in mails[0].text
    assert f"#{one}" in page
    assert f"#{two}" in page
    assert "<!--" not in mails[0].text


def test_her_yes_merges_exactly_that_head_with_a_merge_commit(make_world: MakeWorld) -> None:
    world = begin(make_world(MERGE_METHOD="squash"))
    world.github.protect(SHOP, "master", ["qa-gate/master"])
    feature = merge(world, note="Nice.")
    pull = asked(world)
    head = pull.head_sha
    world.decide(note="Go.")
    world.settle()
    newest = world.github.log(SHOP, "master")[0]
    assert (pull.merged, newest.parents[1]) == (True, head)
    assert world.statuses(head)[-1] == "qa-gate/master success"
    assert "development" in world.github.repo().git.branches
    assert world.row(pull.number).state is State.MERGED
    page = world.see()
    assert "It’s live" in page
    assert "Add gift cards" in page
    assert f"#{feature}" in page
    # The developers' page keeps its list too, without her words where everybody can read them.
    details = (world.github.repo().statuses[head][-1].target_url or "").removeprefix(world.url)
    assert "Approved (1)" in world.see(details)
    assert "Nice." not in world.see(details)
    later(world, hours=1)
    assert pulls(world) == [pull.number]
    assert passed(holds(world, pull.number)) == [feature]


def test_the_next_release_holds_only_what_is_new(world: World) -> None:
    begin(world)
    merge(world)
    asked(world)
    world.decide()
    world.settle()
    second = merge(world, "totals", "Round the total")
    pull = asked(world)
    assert pull.title == "Release of 1 change"
    assert passed(holds(world, pull.number)) == [second]


def test_a_push_while_she_tests_is_a_new_round_that_says_what_is_new(world: World) -> None:
    begin(world)
    first = merge(world)
    pull = asked(world)
    old = world.link()
    second = merge(world, "totals", "Round the total")
    push(world)
    world.settle()
    assert world.row(pull.number).state is State.TO_ASK
    assert world.decide(path=old).status_code == 409
    later(world, minutes=1)
    later(world, minutes=10)
    row = world.row(pull.number)
    assert (row.state, row.round > 1, row.decision) == (State.WAITING, True, None)
    before = world.store.reviews.round(row.id, 1)
    assert before
    assert before.snapshot.release
    assert passed(before.snapshot.release) == [first]
    assert passed(holds(world, pull.number)) == [first, second]
    news = world.inbox.mails[-1].text.partition("New since then")[2].partition("http")[0]
    assert "Round the total" in news
    assert "Fix in haste" in news
    assert "Add gift cards" not in news
    assert not pull.merged


def test_a_forks_development_is_no_release(make_world: MakeWorld) -> None:
    world = begin(make_world(MERGE_METHOD="squash"))
    fork = world.github.fork(SHOP, "kim")
    world.github.commit(fork, "development", {"kim.py": "kim\n"}, "From a fork", "kim")
    number = world.github.open_pull_request(
        SHOP, "development", "master", title="From a fork", author="kim", from_fork=fork
    )
    world.settle()
    row = world.row(number)
    found = world.store.reviews.round(row.id, row.round)
    assert (row.state, row.is_from_fork) == (State.WAITING, True)  # at once: no quiet time
    assert found
    assert found.snapshot.release is None
    push(world)
    later(world, seconds=31)
    assert len(pulls(world)) == 2
    world.decide(path=world.link(mail=0))
    world.settle()
    assert len(world.github.log(SHOP, "master")[0].parents) == 1


def test_an_outsiders_development_holds_up_no_release(world: World) -> None:
    begin(world)
    world.github.add_person("eve", association="NONE")
    push(world)
    fork = world.github.fork(SHOP, "eve")
    world.github.force_push(fork, "development", world.github.repo().git.branches["development"], "eve")
    theirs = world.github.open_pull_request(
        SHOP, "development", "master", title="Mine", author="eve", from_fork=fork
    )
    later(world, seconds=31)
    later(world, minutes=10)
    ours = next(number for number in pulls(world) if number != theirs)
    assert (world.row(ours).state, world.row(theirs).state) == (State.WAITING, State.TO_ASK)


def test_a_hotfix_passes_the_same_gate_and_breaks_no_comparison(world: World) -> None:
    begin(world)
    feature = merge(world)
    world.github.commit(SHOP, "hotfix", {"hot.py": "hot\n"}, "Mend the till", "kim", "master")
    hotfix = world.github.open_pull_request(SHOP, "hotfix", "master", title="Mend the till", author="kim")
    world.settle()
    assert world.row(hotfix).state is State.WAITING
    world.decide()
    world.settle()
    assert world.github.pull(hotfix).merged
    pull = asked(world)
    assert (passed(holds(world, pull.number)), unseen(holds(world, pull.number))) == ([feature], [])
    world.decide()
    world.settle()
    assert pull.merged


def test_a_merge_back_of_the_hotfix_alone_is_no_release(world: World) -> None:
    begin(world)
    world.github.commit(SHOP, "hotfix", {"hot.py": "hot\n"}, "Mend the till", "kim", "master")
    hotfix = world.github.open_pull_request(SHOP, "hotfix", "master", title="Mend the till", author="kim")
    world.settle()
    world.decide()
    world.settle()
    git = world.github.repo().git
    parents = (git.branches["development"], git.branches["master"])
    tree = git.merge(*parents)
    assert tree
    back = git.write(
        "refs/back",
        parents,
        tree,
        "Merge master",
        world.github.world.signature(world.github.world.person("kim")),
    )
    world.github.force_push(SHOP, "development", back, "kim")
    later(world, minutes=1)
    assert pulls(world) == [hotfix]


def test_a_merge_back_keeps_one_history_whatever_the_method(make_world: MakeWorld) -> None:
    """Else no second release could be up to date with master."""
    world = begin(make_world(MERGE_METHOD="squash"))
    world.github.commit(SHOP, "hotfix", {"hot.py": "hot\n"}, "Mend the till", "kim", "master")
    world.github.merge_as(
        "kim", world.github.open_pull_request(SHOP, "hotfix", "master", title="Mend", author="kim")
    )
    back = world.github.open_pull_request(SHOP, "master", "development", title="Back", author="kim")
    world.settle()
    world.decide()
    world.settle()
    git = world.github.repo().git
    assert world.github.pull(back).merged
    assert world.github.log(SHOP, "development")[0].parents[1] == git.branches["master"]


def test_a_merge_back_lets_github_delete_no_master(world: World) -> None:
    begin(world)
    world.github.repo().default_branch = "development"
    world.github.repo().delete_branch_on_merge = True
    world.github.commit(SHOP, "master", {"hot.py": "hot\n"}, "Mend the till", "kim")
    back = world.github.open_pull_request(SHOP, "master", "development", title="Back", author="kim")
    world.settle()
    world.decide()
    world.settle()
    assert (world.github.pull(back).merged, world.row(back).state) == (False, State.TO_MERGE)
    assert "GitHub would delete master after the merge" in world.held(back)
    assert NOT_YET in world.see()


def merge_with_unknown_end(world: World) -> int:
    """A pull request whose merge got no answer, and which cannot be read either."""
    number = world.open()
    world.settle()
    world.github.fail("PUT", r"/merge$", 502)
    at_the_merge(world, lambda: world.github.fail("GET", rf"/pulls/{number}$", 502, times=1000))
    world.decide()
    world.settle()
    return number


def test_a_release_waits_without_a_call_while_a_merge_of_ours_is_unknown(world: World) -> None:
    begin(world)
    push(world)
    pull = asked(world)
    number = merge_with_unknown_end(world)
    assert world.row(number).state is State.MERGING
    push(world, "Another")
    world.settle()
    before = len(world.github.calls)
    for _ in range(25):
        world.pass_(seconds=31)
    made = [call.path for call in world.github.calls[before:]]
    assert [path for path in made if not path.endswith((f"/pulls/{number}", "/pulls"))] == []
    world.github.front.failures.clear()
    later(world, minutes=16)
    assert world.row(number).state is State.MERGED
    later(world, minutes=1)
    later(world, minutes=10)
    assert passed(holds(world, pull.number)) == [number]


@pytest.mark.parametrize("is_asked_before", [True, False])
def test_a_release_that_was_merged_around_the_gate_keeps_its_list(
    world: World, is_asked_before: bool
) -> None:
    begin(world)
    feature = merge(world)
    pull = asked(world) if is_asked_before else release(world)
    push(world)
    later(world, seconds=31)
    world.github.merge_as("kim", pull.number)
    world.settle()
    row = world.row(pull.number)
    assert (row.state, row.bypassed) == (State.MERGED, True)
    held = holds(world, pull.number)
    assert (passed(held), unseen(held)) == ([feature], [("Fix in haste", None)])
    page = world.see(world.gate.links.details_url(row.nonce).removeprefix(world.url))
    assert "Fix in haste" in page
    assert "Add gift cards" in page
    assert "What follows is the version before" not in page
    assert "<dt>Asked" not in page
    assert "talk to the developers." in world.inbox.mails[-1].text
    if is_asked_before:
        assert "talk to the developers." in world.see(world.link(mail=-2))


def test_a_release_that_the_question_itself_finds_merged_keeps_its_list(world: World) -> None:
    begin(world)
    one = merge(world)
    pull = release(world)
    world.github.hold()
    at_the_read(world, pull.number, lambda: world.github.merge_as("kim", pull.number))
    later(world, minutes=10)
    assert (world.row(pull.number).state, world.row(pull.number).bypassed) == (State.MERGED, True)
    assert passed(holds(world, pull.number)) == [one]


def test_what_was_pushed_and_merged_before_the_gate_read_is_in_the_list_for_good(world: World) -> None:
    begin(world)
    one = merge(world)
    pull = asked(world)
    world.github.hold()
    push(world, "Sneaked in")
    world.github.merge_as("kim", pull.number)
    world.github.release(lambda held: held)
    later(world, minutes=10)
    held = holds(world, pull.number)
    assert (passed(held), unseen(held)) == ([one], [("Sneaked in", None)])
    assert "Sneaked in" in world.see(world.details(pull.number))


def test_the_list_of_a_release_waits_for_a_merge_that_is_out_without_a_call(world: World) -> None:
    begin(world)
    push(world)
    pull = release(world)
    number = merge_with_unknown_end(world)
    world.github.merge_as("kim", pull.number)
    world.settle()
    assert (world.row(number).state, world.row(pull.number).state) == (State.MERGING, State.MERGED)
    made = len(world.github.calls)
    for _ in range(20):
        later(world, seconds=31)
    assert not [call for call in world.github.calls[made:] if "/compare/" in call.path]


def test_a_release_is_worked_on_by_the_team(world: World) -> None:
    begin(world)
    push(world)
    pull = asked(world)
    link = world.link()
    world.github.convert_to_draft(pull.number)
    world.settle()
    assert "being worked on" in world.see(link)
    push(world, "Another")
    world.settle()
    assert "being worked on" in world.see(link)
    assert "qa-gate-bot" not in world.see(link)


def test_a_branch_that_github_would_delete_is_kept(world: World) -> None:
    begin(world)
    merge(world)
    world.github.repo().delete_branch_on_merge = True
    pull = asked(world)
    world.decide()
    world.settle()
    assert (pull.merged, world.row(pull.number).state) == (False, State.TO_MERGE)
    assert "GitHub would delete development after the merge" in world.held(pull.number)
    world.github.protect(SHOP, "development", ["qa-gate/development"])
    later(world, minutes=11)
    assert pull.merged
    assert "development" in world.github.repo().git.branches


def test_a_release_that_was_rejected_says_why_and_waits(world: World) -> None:
    begin(world)
    merge(world)
    pull = asked(world)
    world.decide("reject", note="The total is wrong.")
    world.settle()
    assert said(world, pull.number) == "failure: Changes requested by Lily: The total is wrong."
    assert not pull.merged
    assert "rejected" in what(world, pull.number)
