"""What `make bench` counts is what is promised."""

from __future__ import annotations

from benchmarks import life, release, unchanged_release, unchanged_webhook
from benchmarks.pages import PENDING, page_costs


def test_a_plain_life_is_at_most_nine_calls_and_one_mail() -> None:
    cost = life()
    assert cost.calls <= 9, cost
    assert cost.mails == 1
    assert cost.statements > cost.calls


def test_a_webhook_that_changes_nothing_is_no_call_and_no_statement_but_the_insert_by_the_driver() -> None:
    cost = unchanged_webhook()
    assert (cost.calls, cost.statements, cost.mails) == (0, 0, 0)


def test_a_look_at_an_unchanged_release_is_one_call_more_that_counts_for_nothing() -> None:
    assert unchanged_release().answers == (304,)


def test_pages_take_the_same_few_statements_however_many_reviews_there_are() -> None:
    paths = ("/", "/history", "/history?text=part", "/reviews/1")
    few, many = (page_costs(count, paths, tries=1) for count in (PENDING + 1, 300))
    statements = {path: cost.statements for path, cost in few.items()}
    assert statements == {path: cost.statements for path, cost in many.items()}
    assert statements == {"/": 7, "/history": 4, "/history?text=part": 3, "/reviews/1": 7}


def test_a_release_of_three_hundred_merges_and_two_thousand_commits_is_few_calls_and_two_mails() -> None:
    cost = release()
    assert cost.calls <= 34, cost
    assert cost.mails == 2  # the question, and what went live
