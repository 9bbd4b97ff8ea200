"""What no other test would notice: each of these fails with a fault that was planted by hand and went unseen.

Told from outside, so that they hold whatever the gate's inside looks like.
"""

from __future__ import annotations

import pytest

from tests.outside import MakeOutside, Outside, given


def test_a_merge_that_went_elsewhere_in_the_last_instant_is_told_though_its_answer_was_lost(
    outside: Outside,
) -> None:
    outside.commit("feature")
    number = outside.approved()
    done: list[str] = []

    def retarget(method: str, _path: str, phase: str) -> None:
        if method == "PUT" and phase == "before" and not done:
            done.append(method)
            outside.github.retarget(number, "feature")

    outside.github.on_call = retarget
    outside.github.fail("PUT", "/merge$", 502, after=True)
    outside.settle()
    outside.pass_(minutes=5, step=30)
    given(outside.is_merged(number), "GitHub did not merge it")
    assert [mail.subject for mail in outside.mails if mail.preview.startswith("Not approved by QA")]


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_was_a_draft_for_a_while_is_asked_about_again_though_its_webhooks_came_late(
    outside: Outside, is_answered: bool
) -> None:
    number = outside.approved() if is_answered else outside.asked()
    old = outside.link()
    outside.github.hold()
    outside.world.clock.pass_(seconds=5)
    outside.github.convert_to_draft(number)
    outside.world.clock.pass_(seconds=5)
    outside.github.ready(number)
    outside.github.release()
    outside.settle()
    assert not outside.is_merged(number)
    assert outside.status(number) == "pending"
    assert not outside.may_approve(old)
    outside.pass_(minutes=11, step=60)
    assert outside.may_approve(outside.link())


def test_a_success_whose_answer_was_lost_is_taken_back_from_a_head_that_was_pushed_over_meanwhile(
    outside: Outside,
) -> None:
    number = outside.approved()
    approved = outside.pull(number).head_sha

    def push(_method: str, path: str, phase: str) -> None:
        if path.endswith(approved) and phase == "after":
            outside.github.on_call = None
            outside.commit("gift-cards", more_py="more\n")

    outside.github.on_call = push
    outside.github.fail("POST", "/statuses/", None, after=True)
    outside.settle()
    given(outside.status(sha=approved), "no status")
    outside.pass_(minutes=15, step=60)
    assert outside.status(sha=approved) == "pending"
    assert not outside.is_merged(number)


def test_a_commit_that_came_before_a_rebase_which_left_one_out_is_told_as_not_approved(
    make_outside: MakeOutside,
) -> None:
    """A rebase leaves merge commits out, so that fewer land than were asked about."""
    outside = make_outside(MERGE_METHOD="rebase")
    outside.start()
    first = outside.commit("gift-cards")
    outside.commit("development", haste_py="haste\n", by="kim")
    outside.updated(first, branch="gift-cards")
    number = outside.approved()
    outside.settle()
    given(outside.is_merged(number), "not merged")
    outside.pass_(minutes=2, step=30)
    not_approved = outside.release_text().partition("Approved")[0]
    assert "Work on development" in not_approved


def test_a_change_that_goes_to_another_branch_now_is_asked_about_after_the_quiet_time(
    outside: Outside,
) -> None:
    number = outside.asked()
    outside.pass_(minutes=30)
    outside.github.retarget(number, "master")
    outside.settle()
    outside.pass_(minutes=9, step=60)
    assert len(outside.mails) == 1
    outside.pass_(minutes=2, step=60)
    assert len(outside.mails) == 2
    assert outside.may_approve(outside.link())
