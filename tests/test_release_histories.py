"""What a release says of histories that git allows: told by set difference, whatever way the commits came."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.domain.facts import State
from tests.test_behaviour import MakeWorld
from tests.test_life import update_branch
from tests.test_release import asked, begin, holds, later, merge, passed, push, release, unseen
from tests.world import SHOP, World


def joined(world: World, parents: Sequence[str], message: str = "Merge", **files: str) -> str:
    """Write a merge of two commits, as a developer does on their own machine, and return it."""
    git = world.github.repo().git
    tree = git.merge(*parents[:2])
    assert tree
    signed = world.github.world.signature(world.github.world.person("kim"))
    return git.write("refs/joined", tuple(parents), tree, message, signed)


def tip(world: World, branch: str = "development") -> str:
    return world.github.repo().git.branches[branch]


def approve(world: World, number: int) -> int:
    """Let Lily approve what she was asked about last, and the gate merge it."""
    world.settle()
    world.decide()
    world.settle()
    assert world.github.pull(number).merged
    return number


# --- Approved, whatever the branch looks like -----------------------------------------------------------------


def test_a_push_from_before_a_feature_was_cut_from_it_is_not_approved_with_the_feature(world: World) -> None:
    begin(world)
    push(world)
    feature = merge(world)
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held)) == ([feature], [("Fix in haste", None)])


def test_a_commit_that_was_pushed_and_then_approved_with_the_branch_that_holds_it_is_approved(
    world: World,
) -> None:
    begin(world)
    world.commit("gift-cards", "One", one_py="1\n")
    number = world.open()
    world.settle()
    world.github.force_push(
        SHOP, "development", world.github.repo().git.commit(tip(world, "gift-cards")).parents[0], "kim"
    )
    approve(world, number)
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held)) == ([number], [])


def test_branches_that_took_in_one_another_are_approved_as_what_she_was_shown(world: World) -> None:
    """A criss-cross: development took in the branch as it was, and the branch took in development."""
    begin(world)
    world.commit("gift-cards", "One", one_py="1\n")
    push(world)
    cards, trunk = tip(world, "gift-cards"), tip(world)
    world.github.force_push(
        SHOP, "development", joined(world, (trunk, cards), "Cards into development"), "kim"
    )
    world.github.force_push(
        SHOP, "gift-cards", joined(world, (cards, trunk), "Development into cards"), "sam"
    )
    number = approve(world, world.open("gift-cards"))
    held = holds(world, asked(world).number)
    assert passed(held) == [number]
    assert {title for title, _ in unseen(held)} == {"One", "Fix in haste", "Cards into development"}


def test_a_foxtrot_names_every_commit_of_a_line_that_nobody_was_asked_about(world: World) -> None:
    begin(world)
    feature = merge(world)
    for name in ("One", "Two"):
        world.github.commit(SHOP, "local", {f"{name}.py": f"{name}\n"}, name, "kim", "master")
    swapped = joined(world, (tip(world, "local"), tip(world)), "Merge development into local")
    world.github.force_push(SHOP, "development", swapped, "kim")
    held = holds(world, asked(world).number)
    assert (passed(held), held.is_rewritten) == ([feature], False)
    assert [title for title, _ in unseen(held)] == ["One", "Two", "Merge development into local"]


def test_an_update_from_development_is_approved_with_the_change_it_was_carried_over_to(world: World) -> None:
    begin(world)
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = world.open()
    world.settle()
    world.decide()
    world.settle()
    push(world)
    update_branch(world, number)
    world.settle()
    world.github.protect(SHOP, "development", ["qa-gate/development"])
    later(world, minutes=11)
    assert world.row(number).state is State.MERGED
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held)) == ([number], [("Fix in haste", None)])


def test_every_commit_of_a_very_long_branch_is_approved(world: World) -> None:
    begin(world)
    world.github.commits(
        SHOP, "gift-cards", [({f"{number}.py": "a\n"}, f"Step {number}") for number in range(255)]
    )
    number = approve(world, world.open())
    held = holds(world, asked(world).number)
    assert (passed(held), unseen(held)) == ([number], [])


@pytest.mark.parametrize("is_back", [True, False])
def test_a_change_that_could_not_be_compared_when_she_was_asked_is_read_later_or_said_to_be_unknown(
    world: World, is_back: bool
) -> None:
    begin(world)
    world.commit("gift-cards", "One", one_py="1\n")
    number = world.open()
    head = world.github.pull(number).head_sha
    fault = world.github.fail("GET", rf"/compare/.*{head}", 404, times=None)
    world.settle()
    later(world, minutes=1)
    approve(world, number)
    if is_back:
        fault.lift()
    held = holds(world, asked(world).number)
    assert passed(held) == [number]
    if is_back:
        assert unseen(held) == []
        return
    (item,) = held.unseen
    assert (item.pull, item.is_beside, len(item.commits)) == (number, True, 2)
    assert f"came in with #{number}, but isn’t part of what was approved there" in world.inbox.mails[-1].text


# --- Around the gate: one item for what one pull request brought ----------------------------------------------


@pytest.mark.parametrize("is_asked", [True, False])
@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_what_a_pull_request_brought_around_the_gate_is_one_item_that_names_it(
    world: World, method: str, is_asked: bool
) -> None:
    begin(world)
    for name in ("One", "Two"):
        world.commit("hurry", name, **{f"{name.lower()}_py": "a\n"})
    number = world.open("hurry", title="In a hurry")
    if is_asked:
        world.settle()
    world.github.merge_as("kim", number, method=method)
    pull = asked(world)
    held = holds(world, pull.number)
    assert (passed(held), unseen(held)) == ([], [("In a hurry", number)])
    assert (pull.body or "").count(f"(#{number})") == 1
    assert pull.title == "Release of 1 change"


def test_commits_that_were_squashed_are_not_approved_where_somebody_pushes_them_again(
    make_world: MakeWorld,
) -> None:
    world = begin(make_world(MERGE_METHOD="squash"))
    number = merge(world)
    cards = world.github.pull(number).head_sha
    world.github.commit(SHOP, "development", {"cards.py": None}, "Take the cards out", "kim")
    world.github.force_push(SHOP, "development", joined(world, (tip(world), cards), "Again"), "kim")
    held = holds(world, asked(world).number)
    assert passed(held) == [number]
    assert {title for title, _ in unseen(held)} == {"Add gift cards", "Take the cards out", "Again"}


# --- A forced push ---------------------------------------------------------------------------------------------


def test_an_approved_merge_that_a_forced_push_dropped_is_told_until_the_release_goes_out(
    world: World,
) -> None:
    begin(world)
    kept = merge(world)
    before = tip(world)
    gone = merge(world, "totals", "Round the total")
    release(world)
    world.github.force_push(SHOP, "development", before, "kim")
    push(world)
    pull = asked(world)
    held = holds(world, pull.number)
    assert (passed(held), unseen(held)) == ([kept], [("Fix in haste", None)])
    assert ([item.number for item in held.gone], held.is_rewritten) == ([gone], True)
    page = world.see()
    for words in (pull.body or "", world.inbox.mails[-1].text, world.inbox.mails[-1].html, page):
        assert "Round the total" in words
        assert "any more" in words
    approve(world, pull.number)
    merge(world, "later", "Come later")
    held = holds(world, asked(world).number)
    assert (held.gone, held.is_rewritten) == ((), False)


def test_an_approved_merge_that_came_back_is_in_the_release_again(world: World) -> None:
    begin(world)
    before = tip(world)
    number = merge(world)
    after = tip(world)
    release(world)
    world.github.force_push(SHOP, "development", before, "kim")
    later(world, seconds=31)
    world.github.force_push(SHOP, "development", after, "kim")
    held = holds(world, asked(world).number)
    assert (passed(held), held.gone) == ([number], ())


def test_all_that_was_dropped_is_told_with_the_next_release(world: World) -> None:
    begin(world)
    before = tip(world)
    gone = merge(world)
    release(world)
    world.github.force_push(SHOP, "development", before, "kim")
    later(world, seconds=31)
    push(world)
    held = holds(world, asked(world).number)
    assert ([item.number for item in held.gone], held.is_rewritten) == ([gone], True)


# --- Without a release branch ----------------------------------------------------------------------------------


def told(world: World) -> list[str]:
    """The subjects of the mails about what was pushed past the gate."""
    return [
        mail.subject
        for mail in world.inbox.mails
        if "without asking you" in mail.subject or "rewritten" in mail.subject
    ]


def test_a_forced_push_and_what_it_dropped_are_told_without_a_release_branch(make_world: MakeWorld) -> None:
    world = begin(make_world(RELEASE_BRANCH=""))
    before = tip(world)
    merge(world)
    later(world, minutes=1)
    world.github.force_push(SHOP, "development", before, "kim")
    later(world, minutes=1)
    assert told(world) == ["The history of development was rewritten"]
    for part in (world.inbox.mails[-1].text, world.inbox.mails[-1].html):
        assert "Add gift cards" in part
    git = world.github.repo().git
    signed = world.github.world.signature(world.github.world.person("kim"))
    anew = git.write("refs/anew", (), {"a.py": "a\n"}, "Root anew", signed)
    world.github.force_push(SHOP, "development", anew, "kim")
    later(world, minutes=1)
    assert len(told(world)) == 2


def test_a_push_is_told_where_the_release_branch_is_not_there(make_world: MakeWorld) -> None:
    world = begin(make_world(RELEASE_BRANCH="main"))
    push(world)
    later(world, hours=2)
    assert told(world) == ["1 change pushed to development without asking you"]


@pytest.mark.parametrize("branch", ["master", ""])
def test_an_approved_merge_that_came_and_went_between_two_looks_is_told(
    make_world: MakeWorld, branch: str
) -> None:
    world = begin(make_world(RELEASE_BRANCH=branch))
    before = tip(world)
    gone = merge(world)
    world.github.force_push(SHOP, "development", before, "kim")
    later(world, minutes=6)
    if not branch:
        assert told(world) == ["The history of development was rewritten"]
        assert "Add gift cards" in world.inbox.mails[-1].text
        return
    push(world)
    held = holds(world, asked(world).number)
    assert ([item.number for item in held.gone], held.is_rewritten) == ([gone], True)
