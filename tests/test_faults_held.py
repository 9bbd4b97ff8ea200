"""What holds an approved change: it is told in true words to whoever must act, and tried again soon, then ever later."""

from __future__ import annotations

from typing import Any

import pytest

from tests.outside import GATE, Outside, given
from tests.world import SHOP


def test_a_required_check_that_never_reports_is_told_to_the_developer(outside: Outside) -> None:
    outside.github.protect(SHOP, "development", [GATE, "deploy"])
    number = outside.approved("cards")
    outside.settle()
    outside.pass_(hours=1, step=300)
    given(not outside.is_merged(number), "merged")
    assert outside.comments(number) == 1


def test_a_merge_queue_that_is_required_is_told_to_the_developer(outside: Outside) -> None:
    outside.github.protect(SHOP, "development", [GATE], queue=True)
    number = outside.approved("cards")
    outside.settle()
    outside.pass_(hours=1, step=300)
    given(not outside.is_merged(number), "merged")
    assert outside.comments(number) == 1
    assert len(outside.told("Change cards", 1)) == 1


def test_an_archived_repository_is_told_to_lily(outside: Outside) -> None:
    number = outside.asked("cards")
    outside.github.repo().archived = True
    outside.choose()
    outside.settle()
    outside.pass_(hours=1, step=300)
    given(not outside.is_merged(number), "merged")
    assert len(outside.told("Change cards", 1)) == 1


def test_a_status_that_github_refuses_is_told_to_lily_and_the_developer(outside: Outside) -> None:
    number = outside.asked("cards")
    outside.github.fail("POST", "/statuses/", 422, full(), times=None)
    outside.choose()
    outside.settle()
    outside.pass_(hours=1, step=300)
    given(not outside.is_merged(number), "merged")
    assert len(outside.told("Change cards", 1)) == 1
    assert outside.comments(number) == 1


def full() -> dict[str, Any]:
    """What GitHub says once a commit has a thousand statuses of one context."""
    said = "This SHA and context has reached the maximum number of statuses."
    return {
        "message": "Validation Failed",
        "errors": [{"resource": "Status", "code": "custom", "message": said}],
    }


def test_a_review_that_is_missing_for_a_moment_delays_a_merge_by_seconds_and_worries_nobody(
    outside: Outside,
) -> None:
    outside.github.protect(SHOP, "development", [GATE], approvals=2)
    number = outside.approved("cards")
    outside.settle()
    outside.pass_(seconds=3, step=1)
    given(not outside.is_merged(number), "merged")
    outside.github.protect(SHOP, "development", [GATE], approvals=1)
    outside.pass_(minutes=1, step=5)
    merged = outside.is_merged(number)
    outside.pass_(minutes=10, step=60)
    assert merged
    assert [mail.subject for mail in outside.mails[1:] if "Change cards" in mail.subject] == []


def test_a_merge_that_is_put_off_for_ever_is_tried_ever_later_and_told(outside: Outside) -> None:
    said = {"message": "Base branch was modified. Review and try the merge again."}
    fault = outside.github.fail("PUT", "/merge$", 405, said, times=None)
    outside.approved("cards")
    outside.github.calls.clear()
    outside.settle()
    outside.pass_(minutes=20, step=20)
    assert 3 <= fault.met <= 15
    assert len(outside.calls()) <= 100
    assert len(outside.told("Change cards", 1)) == 1


@pytest.mark.parametrize("how_many", [1, 3])
def test_a_branch_is_brought_up_to_date_only_where_the_approval_can_be_carried_over(
    outside: Outside, how_many: int
) -> None:
    outside.github.protect(SHOP, "development", [GATE], strict=True)
    outside.github.repo().tree_limit = 1
    links = outside.ask_about(how_many)
    outside.commit("development", other_py="other\n")
    numbers = outside.approve_all(links)
    outside.settle()
    outside.pass_(minutes=15, step=60)
    assert outside.calls("PUT", "/update-branch$") == []
    assert [outside.status(number) for number in numbers] == ["success"] * how_many
    assert [outside.comments(number) for number in numbers] == [1] * how_many
