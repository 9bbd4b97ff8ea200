"""Answers that are lost, limits that are stated: few copies, and what one process learns all know."""

from __future__ import annotations

from tests.outside import Outside, given


def test_a_mail_whose_answer_is_lost_is_sent_three_times_at_most(outside: Outside) -> None:
    fault = outside.world.inbox.fail(None, times=None, after=True)
    outside.open("cards")
    outside.settle()
    outside.pass_(minutes=4, step=5)
    fault.lift()
    outside.pass_(hours=2, step=600)
    subject = outside.mails[0].subject
    assert len([mail for mail in outside.mails if mail.subject == subject]) <= 3


def limited_for_half_an_hour(outside: Outside) -> int:
    """Meet a limit of GitHub's with an approved change to merge; return how many calls it took to learn it."""
    outside.asked("cards")
    limit = outside.github.fail(
        "*", ".*", 429, {"message": "API rate limit exceeded"}, {"Retry-After": "1800"}, times=None
    )
    outside.choose()
    outside.settle()
    given(limit.met >= 1, "no limit was met")
    outside.pass_(seconds=10)
    return limit.met


def test_a_limit_that_one_process_met_is_known_to_the_others(outside: Outside) -> None:
    learnt = limited_for_half_an_hour(outside)
    outside.commit("wine")
    with outside.second_process():
        outside.open("wine")
        outside.settle()
        outside.pass_(minutes=10, step=60)
    assert sum(call.status == 429 for call in outside.calls()) == learnt


def test_a_limit_is_still_known_after_a_restart(outside: Outside) -> None:
    learnt = limited_for_half_an_hour(outside)
    outside.restart()
    outside.pass_(minutes=10, step=60)
    assert sum(call.status == 429 for call in outside.calls()) == learnt
