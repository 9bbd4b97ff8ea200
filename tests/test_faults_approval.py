"""What counts as an approval: one merge uses it up, a rejection wins, and who pressed the button does not matter."""

from __future__ import annotations

import pytest

from tests.outside import GATE, MakeOutside, Outside, given
from tests.world import SHOP

# --- An approval used twice (19) -----------------------------------------------------------------------------


def reverted_and_opened_again(outside: Outside) -> int:
    """Squash-merge an approved change, revert it, and open a new pull request with the very same commit."""
    first = outside.approved("cards")
    outside.settle()
    given(outside.is_merged(first), "not merged")
    outside.commit("development", cards_py=None)
    outside.settle()
    outside.github.force_push(SHOP, "cards-again", outside.pull(first).head_sha)
    return outside.asked("cards-again")


def test_an_approval_covers_no_second_merge_of_the_same_commit(make_outside: MakeOutside) -> None:
    outside = make_outside(MERGE_METHOD="squash")
    second, mails = reverted_and_opened_again(outside), len(outside.mails)
    outside.github.merge_as("kim", second, method="squash")
    outside.settle()
    outside.pass_(minutes=1)
    assert len(outside.told("Change cards-again", mails)) == 1


def test_an_approval_of_before_covers_no_merge_that_was_rejected(make_outside: MakeOutside) -> None:
    outside = make_outside(MERGE_METHOD="squash")
    second = reverted_and_opened_again(outside)
    outside.choose("reject", "The total is wrong.")
    outside.settle()
    mails = len(outside.mails)
    outside.github.merge_as("kim", second, method="squash")
    outside.settle()
    outside.pass_(minutes=1)
    assert len(outside.told("Change cards-again", mails)) == 1


def test_a_rejection_wins_over_an_approval_that_is_carried_onto_the_same_head(outside: Outside) -> None:
    outside.github.protect(SHOP, "development", [GATE, "build"])
    approved = outside.approved("cards")
    outside.settle()
    given(outside.status(approved) == "success", "no success")
    outside.commit("development", other_py="other\n")
    head = outside.updated(outside.pull(approved).head_sha, branch="cards-too")
    rejected = outside.asked("cards-too")
    outside.choose("reject", "The total is wrong.")
    outside.settle()
    given(outside.status(rejected) == "failure", "no failure")
    outside.github.force_push(SHOP, "cards", head)
    outside.settle()
    outside.pass_(minutes=11, step=330)
    assert outside.status(rejected) == "failure"


# --- False alarms (20) ---------------------------------------------------------------------------------------


def test_the_lower_part_of_a_stack_that_came_in_with_the_approved_upper_raises_no_alarm(
    outside: Outside,
) -> None:
    outside.asked("lower")
    outside.commit("upper", start_from="lower")
    upper = outside.approved("upper")
    mails = len(outside.mails)
    outside.settle()
    given(outside.is_merged(upper) and outside.is_merged(1), "not merged")
    outside.pass_(minutes=1)
    assert outside.told("Change lower", mails) == []


def in_the_release_list(outside: Outside, press: str) -> str:
    """Approve a change, let it be merged in one of several ways, and return what the release says of it."""
    outside.start()
    outside.github.protect(SHOP, "development", [GATE])
    number = outside.asked("cards")
    if press == "auto-merge":
        outside.github.enable_auto_merge(number, by="kim")
    elif press == "green button":
        outside.github.protect(SHOP, "development", [GATE, "build"])
    outside.choose()
    outside.settle()
    if press == "green button":
        outside.github.protect(SHOP, "development", [GATE])
        outside.github.merge_as("kim", number, admin=False)
    outside.settle()
    given(outside.is_merged(number), "not merged")
    given(
        press == "gate" or outside.pull(number).merged_by is outside.github.world.person("kim"), "not by kim"
    )
    outside.pass_(minutes=1, step=20)
    return outside.release_text()


@pytest.mark.parametrize("press", ["auto-merge", "green button"])
def test_who_pressed_the_button_matters_neither_to_the_release_nor_to_anybody(
    make_outside: MakeOutside, press: str
) -> None:
    outside = make_outside()
    assert in_the_release_list(outside, press) == in_the_release_list(make_outside(), "gate")
    assert not [mail for mail in outside.mails[1:] if "Change cards" in mail.subject]


def test_a_hotfix_that_brings_all_of_development_raises_no_alarm_about_the_release(outside: Outside) -> None:
    outside.start()
    outside.approved("cards")
    outside.settle()
    outside.pass_(minutes=11, step=60)
    release = next(one.number for one in outside.github.repo().pulls.values() if one.base == "master")
    hotfix = outside.asked("hotfix", base="master")
    outside.choose()
    mails = len(outside.mails)
    outside.settle()
    given(outside.is_merged(hotfix) and outside.is_merged(release), "not merged")
    outside.pass_(minutes=1)
    assert outside.told(outside.pull(release).title, mails) == []
