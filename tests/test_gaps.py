"""What no other test would notice: each of these fails with a fault that was planted by hand and went unseen.

Told from outside, so that they hold whatever the gate's inside looks like.
"""

from __future__ import annotations

import pytest

from tests.outside import Outside, given


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
