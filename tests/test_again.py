"""Asked again: the old link, the next mail and the history say what happened, and claim no new code where there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.facts import State
from tests.desk import said
from tests.test_life import asked, what
from tests.world import SHOP, World

Happen = Callable[[World, int], None]


def words(world: World, path: str) -> str:
    """What a page says."""
    return said(world.browser.get(path))


def _requested(world: World, number: int) -> None:
    world.decide("reject", "The total is wrong.")
    world.pass_(minutes=1)
    world.github.request_review(number, "kim")


def _drafted(world: World, number: int) -> None:
    world.github.convert_to_draft(number)
    world.pass_(minutes=1)
    world.github.ready(number)


def _reopened(world: World, number: int) -> None:
    world.github.close(number)
    world.pass_(minutes=1)
    world.github.reopen(number)


def _retargeted(world: World, number: int) -> None:
    world.github.retarget(number, "master")


SAME_CODE = [
    (_requested, "the developer asks again"),
    (_drafted, "it is ready for review"),
    (_reopened, "it is ready again"),
    (_retargeted, "it goes to master now"),
]


@pytest.mark.parametrize("happen, why", SAME_CODE)
def test_the_same_code_is_never_called_changed(world: World, happen: Happen, why: str) -> None:
    number = asked(world)
    old = world.link()
    happen(world, number)
    world.settle()
    soon = words(world, old)
    world.pass_(minutes=10)
    assert (world.row().state, world.row().round) == (State.WAITING, 2)
    then, mail, page = words(world, old), world.inbox.mails[-1], words(world, world.link())
    for part in (soon, then, page, mail.text, mail.html):
        assert "code changed" not in part
        assert "newer version" not in part
    assert f"The code is the same as in your email, but {why}." in soon
    assert "This question is over" in soon
    assert "See everything that’s waiting" in soon
    assert f"The code is the same as in your email, but {why}." in then
    assert "You’ve been asked again" in then
    assert "The email about it is already in your inbox." in then
    assert f"To be approved again {why}" in page
    assert "again" in what(world)
    assert "round" not in what(world)
    assert "needs your approval again: the code is the same as before, but" in mail.text


def test_a_new_version_is_still_called_one(world: World) -> None:
    asked(world)
    old = world.link()
    world.commit("gift-cards", "Mend it", cards_py="mended\n")
    world.settle()
    world.pass_(minutes=10)
    assert "The email about the new version is already in your inbox." in words(world, old)
    assert "New version" in words(world, world.link())


def test_a_push_to_a_draft_is_new_code_when_it_is_ready(world: World) -> None:
    number = asked(world)
    old = world.link()
    world.github.convert_to_draft(number)
    world.settle()
    world.commit("gift-cards", "Mend it", cards_py="mended\n")
    world.settle()
    assert "It’s being worked on. You’ll be asked again when it’s ready." in words(world, old)
    world.github.ready(number)
    world.settle()
    world.pass_(minutes=10)
    assert "The email about the new version is already in your inbox." in words(world, old)
    assert "sam changed this since you last looked." in world.inbox.mails[-1].text


def test_after_a_retarget_the_mail_says_what_her_yes_was_for(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = asked(world)
    world.decide()
    world.settle()
    world.github.retarget(number, "master")
    world.settle()
    world.pass_(minutes=10)
    mail = world.inbox.mails[-1]
    for part in (mail.text, mail.html):
        assert "the code is the same as before, but it goes into master now, not development." in part
        assert "Your earlier approval doesn’t count for this." in part
    assert mail.preview.startswith("Asked again: the code is the same as before")


def test_a_yes_that_a_draft_ended_is_said_to_count_no_more(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = asked(world)
    world.decide()
    world.settle()
    _drafted(world, number)
    world.settle()
    world.pass_(minutes=10)
    assert "but it is ready for review. Your earlier approval doesn’t count for this." in " ".join(
        world.inbox.mails[-1].text.split()
    )


def test_a_branch_that_needs_no_answer_is_not_called_closed(world: World) -> None:
    world.github.commit(SHOP, "feature", {"f.py": "f\n"}, "F", "kim")
    number = asked(world)
    world.github.retarget(number, "feature")
    world.settle()
    page = words(world, world.link())
    assert "This change doesn’t need your approval now" in page
    assert "It goes into “feature” now, where your approval isn’t needed." in page
    assert what(world)[-1] == "ungated"
    assert "closed" not in page


def test_what_was_changed_and_changed_back_is_said_so(world: World) -> None:
    number = asked(world)
    old, head = world.link(), world.github.pull(number).head_sha
    world.commit("gift-cards", "More", cards_py="more\n")
    world.settle()
    world.github.force_push(SHOP, "gift-cards", head, "sam")
    world.settle()
    world.pass_(minutes=10)
    assert "The code is the same as in your email, but it was changed and changed back." in words(world, old)
    assert "but it was changed and changed back" in " ".join(world.inbox.mails[-1].text.split())


def test_reopened_as_a_draft_is_called_a_draft(world: World) -> None:
    number = asked(world)
    world.github.close(number)
    world.settle()
    world.github.hold()
    world.github.reopen(number)
    world.github.convert_to_draft(number)
    world.github.release(lambda held: held)
    world.settle()
    assert (world.row(number).state, what(world)[-1]) == (State.DRAFT, "draft")


def test_the_page_says_what_is_new_as_the_mail_does(world: World) -> None:
    number = asked(world)
    head = world.github.pull(number).head_sha
    world.commit("gift-cards", "Mend the total", cards_py="more\n")
    world.settle()
    world.pass_(minutes=10)
    page = words(world, world.link())
    for part in (page, world.inbox.mails[-1].text):
        assert "Mend the total" in part
    assert f"/compare/{head}" in world.inbox.mails[-1].text
    assert "What is new" not in world.see(first_link(world))


def first_link(world: World) -> str:
    """The link of a question that is the first about its change."""
    asked(world, branch="other-1", title="Another")
    return world.link()
