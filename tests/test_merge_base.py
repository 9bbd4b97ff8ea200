"""Where a change branched off: no approval brings in, or undoes, what the reviewer was not shown. Real git histories."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.facts import State
from tests.test_life import approved, asked, comments, said, what
from tests.world import SHOP, World

DEVELOPMENT = "development"
WARNING = "This may undo other changes. Ask sam."


def tip(world: World, branch: str = DEVELOPMENT) -> str:
    """Where a branch stands."""
    return world.github.repo().git.branches[branch]


def make(world: World, *parents: str, message: str = "Merge", **files: str | None) -> str:
    """Make a commit on these parents: the tree of the first one with these files changed, as `-s ours` does."""
    changes: Any = {name.replace("_py", ".py"): text for name, text in files.items()}
    who = world.github.world.signature(world.github.world.person("sam"))
    return world.github.repo().git.write("refs/tests/made", parents, changes, message, who)


def merged(world: World, ours: str, theirs: str, message: str = "Merge") -> str:
    """Make a real merge of two commits."""
    git = world.github.repo().git
    tree = git.merge(ours, theirs)
    assert tree
    who = world.github.world.signature(world.github.world.person("sam"))
    return git.write("refs/tests/made", (ours, theirs), tree, message, who)


def push(world: World, branch: str, sha: str) -> None:
    """Move a branch, by force if need be."""
    world.github.force_push(SHOP, branch, sha)


def till(world: World, branch: str = DEVELOPMENT) -> bytes | None:
    """What the till does on a branch."""
    return world.github.read(SHOP, branch, "till.py")


# --- The merge base is not unique ---------------------------------------------------------------------------


def criss_cross(world: World) -> tuple[int, str]:
    """Ask about a head on M, where development has merged M and a fix; return the number and the fix."""
    push(world, DEVELOPMENT, make(world, tip(world), message="Till", till_py="broken\n"))
    root = tip(world)
    fix = make(world, root, message="Mend the till", till_py="mended\n")
    world.clock.pass_(minutes=1)  # of two best common ancestors git names the newer one
    other = make(world, root, message="Other", other_py="other\n")
    push(world, DEVELOPMENT, merged(world, fix, other))
    push(world, "gift-cards", make(world, other, message="Add gift cards", cards_py="cards\n"))
    number = world.github.open_pull_request(SHOP, "gift-cards", title="Add gift cards")
    world.settle()
    assert world.row(number).state is State.WAITING
    return number, fix


def undo_the_fix(world: World, number: int, fix: str) -> None:
    """What `git merge -s ours` of the fix makes: the fix is in the history, and what it did is not."""
    push(world, "gift-cards", make(world, world.github.pull(number).head_sha, fix))
    world.settle()


def test_a_merge_that_undoes_a_fix_beside_the_merge_base_is_asked_about_again(world: World) -> None:
    number, fix = criss_cross(world)
    undo_the_fix(world, number, fix)
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)
    assert "same_change" not in what(world)


def test_an_approval_never_undoes_a_fix_beside_the_merge_base(world: World) -> None:
    world.github.protect(SHOP, DEVELOPMENT, ["qa-gate/development", "build"])
    number, fix = criss_cross(world)
    world.decide()
    world.settle()
    undo_the_fix(world, number, fix)
    world.github.set_check(SHOP, world.github.pull(number).head_sha, "build")
    world.settle()
    assert till(world) == b"mended\n"
    assert (world.row().state, world.row().round, world.row().decision) == (State.TO_ASK, 2, None)
    assert said(world).startswith("pending")


def test_who_is_asked_about_an_undone_fix_is_warned_in_mail_and_page(world: World) -> None:
    number, fix = criss_cross(world)
    assert WARNING not in world.inbox.mails[-1].text
    undo_the_fix(world, number, fix)
    world.pass_(minutes=10)
    place = max(n for n, mail in enumerate(world.inbox.mails) if "gift cards" in mail.subject)
    mail = world.inbox.mails[place]
    for words in (mail.text, mail.html, world.see(world.link(mail=place))):
        assert WARNING in " ".join(words.split())


def test_a_first_question_about_criss_crossed_merges_warns(world: World) -> None:
    push(world, DEVELOPMENT, make(world, tip(world), message="Till", till_py="broken\n"))
    root = tip(world)
    fix = make(world, root, message="Mend the till", till_py="mended\n")
    other = make(world, root, message="Other", other_py="other\n")
    push(world, DEVELOPMENT, merged(world, fix, other))
    push(world, "gift-cards", make(world, other, fix, cards_py="cards\n"))
    world.github.open_pull_request(SHOP, "gift-cards", title="Add gift cards")
    world.settle()
    assert WARNING in " ".join(world.inbox.mails[-1].text.split())


def test_three_best_common_ancestors_are_asked_about_again(world: World) -> None:
    number, fix = criss_cross(world)
    third = make(world, make(world, tip(world, "master"), message="Third", third_py="third\n"))
    push(world, DEVELOPMENT, merged(world, tip(world), third))
    undo_the_fix(world, number, fix)
    push(world, "gift-cards", make(world, world.github.pull(number).head_sha, third))
    world.settle()
    assert (world.row().state, "same_change" in what(world)) == (State.TO_ASK, False)


def test_a_branch_with_its_base_merged_in_warns_nobody(world: World) -> None:
    world.commit("gift-cards")
    world.github.commit(SHOP, DEVELOPMENT, {"other.py": "other\n"}, "Other", "kim")
    push(world, "gift-cards", merged(world, tip(world, "gift-cards"), tip(world)))
    world.github.commit(SHOP, DEVELOPMENT, {"more.py": "more\n"}, "More", "kim")
    world.github.open_pull_request(SHOP, "gift-cards", title="Add gift cards")
    world.settle()
    assert "undo" not in world.inbox.mails[-1].text


def test_a_branch_brought_up_to_date_while_development_moves_on_stays_asked(world: World) -> None:
    number = asked(world)
    world.github.commit(SHOP, DEVELOPMENT, {"other.py": "other\n"}, "Other", "kim")
    onto = merged(world, world.github.pull(number).head_sha, tip(world))
    world.github.commit(SHOP, DEVELOPMENT, {"more.py": "more\n"}, "More", "kim")
    push(world, "gift-cards", onto)
    world.settle()
    assert (world.row().state, world.row().round) == (State.WAITING, 1)
    assert what(world)[-1] == "same_change"
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED


# --- The base was rewritten ---------------------------------------------------------------------------------


def cut_from_a_secret(world: World, base: str = DEVELOPMENT, head: str = "gift-cards") -> tuple[int, str]:
    """Ask about a feature cut from a commit that is then pushed off its base; return the number and where it was."""
    before = tip(world, base)
    world.github.commit(SHOP, base, {"secret.py": "secret\n"}, "Secret", "kim")
    world.github.commit(SHOP, head, {"cards.py": "cards\n"}, "Add gift cards", "sam", base)
    number = world.github.open_pull_request(SHOP, head, base, title="Add gift cards")
    world.settle()
    world.pass_(minutes=10)
    assert world.row(number).state is State.WAITING
    return number, before


def secret(world: World, branch: str = DEVELOPMENT) -> bytes | None:
    """Whether the secret is on a branch."""
    return world.github.read(SHOP, branch, "secret.py")


@pytest.mark.parametrize("base", [DEVELOPMENT, "master"])
def test_what_was_pushed_off_the_base_does_not_come_back_with_an_approval(world: World, base: str) -> None:
    number, before = cut_from_a_secret(world, base)
    link = world.link()
    push(world, base, before)
    world.settle()
    world.decide(path=link)
    world.settle()
    assert secret(world, base) is None
    row = world.row(number)
    assert (row.state, row.round, row.decision) == (State.WAITING, 2, None)
    assert world.statuses(row.head_sha)[-1] == f"qa-gate/{base} pending"
    mail, round_ = world.inbox.mails[-1], world.store.reviews.round(row.id, 2)
    assert round_ is not None
    assert "secret.py" in [file.path for file in round_.snapshot.change.files]
    assert f"the history of {base} was changed" in " ".join(mail.text.split())
    world.decide()
    world.settle()
    assert (world.row(number).state, secret(world, base)) == (State.MERGED, b"secret\n")


def test_a_base_rewritten_while_an_approval_waits_for_a_check_voids_it(world: World) -> None:
    world.github.protect(SHOP, DEVELOPMENT, ["qa-gate/development", "build"])
    number, before = cut_from_a_secret(world)
    world.decide()
    world.settle()
    assert world.row(number).state is State.TO_MERGE
    push(world, DEVELOPMENT, before)
    world.github.set_check(SHOP, world.github.pull(number).head_sha, "build")
    world.settle()
    assert (secret(world), world.row(number).state, world.row(number).round) == (None, State.WAITING, 2)
    assert said(world).startswith("pending")


def test_a_carried_approval_does_not_bring_back_what_left_the_base_afterwards(world: World) -> None:
    world.github.protect(SHOP, DEVELOPMENT, ["qa-gate/development", "build"])
    number, before = approved(world), tip(world)
    world.settle()
    world.github.commit(SHOP, DEVELOPMENT, {"secret.py": "secret\n"}, "Secret", "kim")
    push(world, "gift-cards", merged(world, world.github.pull(number).head_sha, tip(world)))
    world.settle()
    assert (world.row().state, what(world)[-1]) == (State.TO_MERGE, "same_change")
    push(world, DEVELOPMENT, before)
    world.github.set_check(SHOP, world.github.pull(number).head_sha, "build")
    world.settle()
    assert (secret(world), world.row().state, world.row().round) == (None, State.TO_ASK, 2)


def test_a_carried_question_does_not_bring_back_what_left_the_base_afterwards(world: World) -> None:
    number, before = asked(world), tip(world)
    world.github.commit(SHOP, DEVELOPMENT, {"secret.py": "secret\n"}, "Secret", "kim")
    push(world, "gift-cards", merged(world, world.github.pull(number).head_sha, tip(world)))
    world.settle()
    assert (world.row().state, what(world)[-1]) == (State.WAITING, "same_change")
    push(world, DEVELOPMENT, before)
    world.decide()
    world.settle()
    assert (secret(world), world.row().state, world.row().round) == (None, State.TO_ASK, 2)


def test_the_same_change_rebased_onto_a_rewritten_base_keeps_its_question(world: World) -> None:
    number, before = cut_from_a_secret(world)
    push(world, DEVELOPMENT, make(world, before, message="Not so secret", other_py="other\n"))
    push(world, "gift-cards", make(world, tip(world), message="Add gift cards", cards_py="cards\n"))
    world.settle()
    assert (world.row(number).state, world.row(number).round) == (State.WAITING, 1)
    world.decide()
    world.settle()
    assert (world.row(number).state, secret(world)) == (State.MERGED, None)


def test_a_base_that_moved_on_does_not_ask_again(world: World) -> None:
    number = asked(world)
    world.github.commit(SHOP, DEVELOPMENT, {"other.py": "other\n"}, "Other", "kim")
    world.decide()
    world.settle()
    assert (world.row(number).state, world.row(number).round) == (State.MERGED, 1)


@pytest.mark.parametrize("method", ["merge", "squash"])
def test_the_upper_part_of_a_stack_is_merged_after_its_lower_part(world: World, method: str) -> None:
    lower = asked(world, branch="lower", title="Lower")
    world.github.commit(SHOP, "upper", {"upper.py": "upper\n"}, "Upper", "sam", "lower")
    upper = world.github.open_pull_request(SHOP, "upper", title="Upper")
    world.settle()
    link = world.link()
    world.github.merge_as("kim", lower, method=method)
    world.settle()
    world.decide(path=link)
    world.settle()
    assert (world.row(upper).state, world.row(upper).round) == (State.MERGED, 1)


def test_the_comparison_is_made_with_the_branch_and_not_with_where_it_stood(world: World) -> None:
    """`base.sha` stands still while the branch moves: GitHub sends no word of a pull request when its base does."""
    world.github.hold()
    number = world.open()
    world.github.commit(SHOP, DEVELOPMENT, {"other.py": "other\n"}, "Other", "kim")
    world.github.release(lambda held: held)
    world.settle()
    head = world.github.pull(number).head_sha
    compared = [call.path for call in world.github.calls if "/compare/" in call.path and head in call.path]
    assert compared == [f"/repos/{SHOP}/compare/{DEVELOPMENT}...{head}"]


@pytest.mark.parametrize("status", [404, 422])
def test_a_comparison_that_cannot_be_read_any_more_holds_the_approval(world: World, status: int) -> None:
    number = approved(world)
    head = world.github.pull(number).head_sha
    world.github.fail("GET", f"/compare/.*{head}", status, {"message": "not_available"}, times=50)
    world.settle()
    for _ in range(5):
        world.pass_(minutes=1)
    row = world.row(number)
    assert (row.state, row.round, world.merges()) == (State.TO_MERGE, 1, 0)
    assert "compare" in world.held(number)
    assert said(world).startswith("success")
    assert comments(world) == []
    world.github.front.failures.clear()
    world.pass_(minutes=10)
    assert world.row(number).state is State.MERGED


def test_a_comparison_that_fails_for_a_moment_delays_the_merge_only(world: World) -> None:
    number = approved(world)
    world.github.fail("GET", "/compare/", 500, times=2)
    world.settle()
    assert world.held(number) == ""
    for _ in range(3):
        world.pass_(seconds=10)
    assert (world.row(number).state, world.row(number).round) == (State.MERGED, 1)


def test_a_base_with_another_history_holds_the_approval(world: World) -> None:
    number = approved(world)
    other = make(world, message="A new beginning", new_py="new\n")
    push(world, DEVELOPMENT, other)
    world.settle()
    world.pass_(minutes=2)
    assert (world.row(number).state, tip(world)) == (State.TO_MERGE, other)
    assert world.held(number)
