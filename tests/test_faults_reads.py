"""What need not be read: a comparison that GitHub cannot give stops neither question, status nor merge."""

from __future__ import annotations

from typing import Any

import pytest

from tests.outside import Outside, given

# What GitHub says when it cannot compare, for hours and for one pull request only.
REFUSALS: dict[int, Any] = {
    404: {"message": "Not Found"},
    422: {
        "message": "Server Error: Sorry, this diff is taking too long to generate.",
        "errors": [{"resource": "Comparison", "field": "diff", "code": "not_available"}],
    },
    500: {"message": "Server Error"},
}
# The repository's own comparison, of master and development, is another matter.
OF_A_CHANGE = r"/compare/(?!master\.\.\.development)"


@pytest.mark.parametrize("status", REFUSALS)
def test_a_change_that_cannot_be_compared_is_asked_about_all_the_same(outside: Outside, status: int) -> None:
    outside.github.fail("GET", OF_A_CHANGE, status, REFUSALS[status], times=None)
    number = outside.open("cards")
    outside.settle()
    outside.pass_(minutes=1, step=20)
    assert outside.status(number) == "pending"
    assert outside.told("Change cards") != []
    outside.choose()
    outside.settle()
    outside.pass_(minutes=1, step=20)
    assert outside.is_merged(number)


@pytest.mark.parametrize("status", REFUSALS)
def test_a_push_that_cannot_be_compared_is_asked_about_anew(outside: Outside, status: int) -> None:
    number = outside.asked("cards")
    outside.github.fail("GET", OF_A_CHANGE, status, REFUSALS[status], times=None)
    outside.commit("cards", more_py="more\n")
    mails = len(outside.mails)
    outside.settle()
    assert outside.status(number) == "pending"
    outside.pass_(minutes=11, step=60)
    assert len(outside.told("Change cards", mails)) == 1


def test_no_page_takes_an_approval_for_a_head_that_was_pushed_over(outside: Outside) -> None:
    outside.asked("cards")
    old = outside.link()
    given(outside.may_approve(old), "the page of a new link offers nothing")
    outside.github.fail("GET", OF_A_CHANGE, 500, REFUSALS[500], times=None)
    outside.commit("cards", more_py="more\n")
    outside.settle()
    assert not outside.may_approve(old)


@pytest.mark.parametrize("status", REFUSALS)
def test_a_comparison_that_fails_just_before_the_merge_holds_it_until_it_can_be_read(
    outside: Outside, status: int
) -> None:
    number = outside.asked("cards")
    fault = outside.github.fail("GET", OF_A_CHANGE, status, REFUSALS[status], times=None)
    outside.choose()
    outside.settle()
    assert not outside.is_merged(number)
    assert outside.status(number) == "success"
    fault.lift()
    outside.pass_(minutes=2, step=20)
    assert outside.is_merged(number)
    assert len(outside.told("Change cards")) == 1
