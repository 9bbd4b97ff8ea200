"""What is in the way of a change: every reason has its words and its manner, and GitHub's own are for developers only."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.blocked import Blocked, Why
from app.domain.calendar import AN_HOUR
from app.mail.compose import next_step, why_for_developer, why_for_reviewer

SAID = "Resource not accessible by integration"


@pytest.mark.parametrize("why", Why)
def test_every_reason_has_its_words_and_githubs_own_are_not_for_reviewers(why: Why) -> None:
    blocked = Blocked(why, ("build",), SAID)
    for words in (
        why_for_reviewer(blocked, "development", "sam"),
        why_for_developer(blocked, "development"),
        next_step(blocked, "development"),
    ):
        assert words.endswith((".", SAID))
        assert words[0].isupper()
        assert "None" not in words
        assert "undefined" not in words.casefold()
    assert SAID not in why_for_reviewer(blocked, "development", "sam")
    assert why_for_developer(Blocked(why), "development")


def test_no_two_reasons_that_a_developer_is_asked_about_have_the_same_next_step() -> None:
    asked = [why for why in Why if why.handling.for_developer and why is not Why.REFUSED]
    steps = [next_step(Blocked(why, ("build",)), "development") for why in asked]
    assert len(set(steps)) == len(steps)


def test_who_can_change_it_is_named_at_the_beginning_of_a_sentence_too() -> None:
    words = why_for_reviewer(Blocked(Why.CONFLICT), "development", "the team")
    assert "The team has to combine the two first." in words


@pytest.mark.parametrize("why", Why)
def test_it_is_tried_within_seconds_first_and_then_ever_later_up_to_an_hour(why: Why) -> None:
    waits = [Blocked(why, tries=tries).wait for tries in range(1, 40)]
    assert waits[0] == timedelta(seconds=2)
    assert waits == sorted(waits)
    assert waits[-1] <= AN_HOUR


def test_another_reason_goes_on_counting() -> None:
    third = Blocked(Why.BUSY).after(Blocked(Why.MOVED, tries=2))
    assert (third.tries, third.is_told) == (3, True)
    assert not Blocked(Why.BUSY).is_told
