"""What she tests is worth testing: a conflict and a red check are said before the buttons."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.blocked import Why
from app.domain.cautions import Caution, Kind, cautions
from app.domain.change import Checks
from app.domain.facts import State
from tests.builders import snapshot
from tests.test_behaviour import MakeWorld
from tests.test_mail import ask
from tests.world import SHOP, World

OVERLAPS = "This overlaps with another change. sam will have to rework it, and you’ll be asked again."


def clash(world: World) -> None:
    """Let somebody else's change of the same lines reach development."""
    world.github.commit(SHOP, "development", {"gift-cards.py": "something else\n"}, "Clash", "kim")
    world.github.commit(SHOP, "development", {"cards.py": "something else\n"}, "Clash", "kim")


def kinds(state: str, overlaps: bool | None) -> list[Kind]:
    facts: dict[str, Any] = {"mergeable_state": state}
    return [one.kind for one in cautions(snapshot(**facts), overlaps=overlaps)]


@pytest.mark.parametrize(
    "state, now, is_told",
    [("dirty", None, True), ("clean", None, False), ("clean", True, True), ("dirty", False, False)],
)
def test_a_conflict_is_told_as_github_says_it_last(state: str, now: bool | None, is_told: bool) -> None:
    assert (Kind.OVERLAPS in kinds(state, now)) == is_told


def test_a_red_check_is_told_first_in_the_mail_and_green_or_running_ones_are_not() -> None:
    red = snapshot()
    for state, is_told in (("red", True), ("green", False), ("pending", False)):
        found = cautions(type(red)(red.pull, red.change, Checks(state, ("tests",))))  # type: ignore[arg-type]
        assert (Kind.FAILING in [one.kind for one in found]) == is_told


def test_a_conflict_that_is_known_while_she_waits_is_said_before_the_buttons(world: World) -> None:
    number = world.open()
    world.settle()
    assert OVERLAPS not in world.see()
    clash(world)
    for title in ("Gift cards", "Add gift cards"):  # each edit is a read; GitHub knows at the second
        world.github.edit(number, title=title)
        world.settle()
    page = world.see()
    assert OVERLAPS in page
    assert page.index(OVERLAPS) < page.index('value="approve"')


def test_a_conflict_that_comes_while_she_waits_is_said_without_any_other_webhook(world: World) -> None:
    world.open()
    world.settle()
    clash(world)
    world.settle()
    for _ in range(8):
        world.pass_(seconds=20)
    assert OVERLAPS in world.see()
    calls = len(world.github.calls)
    for _ in range(20):
        world.pass_(seconds=30)
    assert len(world.github.calls) - calls <= 12


def test_the_words_are_those_of_a_person() -> None:
    told = (Caution(Kind.OVERLAPS), Caution(Kind.FAILING, ("tests",)))
    mail = ask(cautions=told)
    assert OVERLAPS in mail.text
    assert "An automatic test is failing (tests). sam may have to fix it first." in mail.text
    assert mail.text.index(OVERLAPS) < mail.text.index("Approve:")


def ready_with_a_conflict(world: World) -> None:
    """Let a draft become ready of which GitHub knows that it conflicts."""
    number = world.open(draft=True)
    world.settle()
    clash(world)
    for title in ("Gift cards", "Add gift cards"):
        world.github.edit(number, title=title)
        world.settle()
    world.github.ready(number)
    world.settle()


def test_a_change_that_is_known_to_conflict_is_held_back_until_it_is_resolved(world: World) -> None:
    ready_with_a_conflict(world)
    row = world.row()
    assert (row.state, len(world.inbox.mails)) == (State.TO_ASK, 0)
    assert row.blocked
    assert row.blocked.why is Why.CONFLICT


def test_with_ask_despite_conflict_it_is_asked_about_and_told(make_world: MakeWorld) -> None:
    world = make_world(ASK_DESPITE_CONFLICT="true")
    ready_with_a_conflict(world)
    assert len(world.inbox.mails) == 1
    assert OVERLAPS in world.inbox.mails[-1].text
