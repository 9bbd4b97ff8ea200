"""What she tests is worth testing: a conflict and a red check are said before the buttons."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from app.domain.blocked import Why
from app.domain.cautions import Caution, CautionKind, cautions
from app.domain.events import CheckEvent
from app.domain.facts import Checks, Snapshot, State
from app.domain.review import Facts
from app.domain.rules import changes_checks
from tests.builders import snapshot
from tests.test_behaviour import MakeWorld
from tests.test_mail import ask
from tests.test_names import sign_in
from tests.world import SHOP, World

OVERLAPS = "This overlaps with another change. sam will have to rework it, and you’ll be asked again."


def clash(world: World) -> None:
    """Let somebody else's change of the same lines reach development."""
    world.github.commit(SHOP, "development", {"gift-cards.py": "something else\n"}, "Clash", "kim")
    world.github.commit(SHOP, "development", {"cards.py": "something else\n"}, "Clash", "kim")


def told(asked: Snapshot, now: Facts) -> list[Caution]:
    """The cautions but for one that this snapshot always has."""
    return [one for one in cautions(asked, now=now) if one.kind is not CautionKind.HIDDEN]


def kinds(state: str, now: bool | None, *, had_conflict: bool = False) -> list[CautionKind]:
    facts = Facts(conflicts=now, had_conflict=had_conflict)
    return [one.kind for one in told(snapshot(mergeable_state=state), facts)]


@pytest.mark.parametrize(
    "state, now, is_told",
    [("dirty", None, True), ("clean", None, False), ("clean", True, True), ("dirty", False, False)],
)
def test_a_conflict_is_told_as_github_says_it_last(state: str, now: bool | None, is_told: bool) -> None:
    assert (CautionKind.OVERLAPS in kinds(state, now)) == is_told


def test_a_conflict_that_is_over_is_told_as_over() -> None:
    assert kinds("dirty", False) == kinds("clean", False, had_conflict=True) == [CautionKind.FITS_AGAIN]
    assert kinds("clean", True, had_conflict=True) == [CautionKind.OVERLAPS]
    assert kinds("clean", None, had_conflict=True) == []


RED, GREEN, RUNS = Checks("red", ("tests",)), Checks("green", ()), Checks("pending", ("tests",))
FAILING, PASSING = (Caution(kind, ("tests",)) for kind in (CautionKind.FAILING, CautionKind.PASSING_AGAIN))


@pytest.mark.parametrize(
    "then, now, had_red, words",
    [
        (RED, None, (), [FAILING]),
        (GREEN, None, (), []),
        (RUNS, None, (), []),
        (None, RED, (), [FAILING]),
        (GREEN, RED, ("lint",), [FAILING]),
        (RED, GREEN, (), [PASSING]),
        (RUNS, GREEN, (), []),
        (None, GREEN, ("tests",), [PASSING]),
        (RED, RUNS, (), []),
    ],
)
def test_checks_are_told_as_they_were_read_last_and_what_is_green_again_as_that(
    then: Checks | None, now: Checks | None, had_red: tuple[str, ...], words: list[Caution]
) -> None:
    asked = replace(snapshot(), checks=then)
    assert told(asked, Facts(checks=now, had_red=had_red)) == words


BOTH = Checks("red", ("lint", "tests"))


@pytest.mark.parametrize(
    "known, events, is_read",
    [
        (None, ["green lint"], True),
        (Checks("none", ()), ["green lint"], True),
        (GREEN, ["green lint", "green", "pending lint"], False),
        (GREEN, ["green lint", "red tests"], True),
        (GREEN, ["red"], True),  # all that one app runs
        (RUNS, ["green lint"], False),  # one that had ended
        (RUNS, ["green lint", "green tests"], True),
        (RUNS, ["red lint"], True),
        (BOTH, ["red tests", "green other", "red"], False),
        (BOTH, ["green tests"], True),
        (BOTH, ["red other"], True),
        (GREEN, ["? lint"], True),  # kept before the gate knew what they say
        (RED, [], False),
    ],
)
def test_checks_are_read_again_only_where_a_payload_shows_something_new(
    known: Checks | None, events: list[str], is_read: bool
) -> None:
    ended = [
        CheckEvent(repository_id=1, repository=SHOP, sha="a" * 40, says=says.strip("?"), check=name)  # type: ignore[arg-type]
        for says, _, name in (event.partition(" ") for event in events)
    ]
    assert changes_checks(known, ended) == is_read


def reads_of_checks(world: World) -> int:
    return len([call for call in world.github.calls if "check-runs" in call.path])


FAILS = "An automatic test is failing (tests). sam may have to fix it first."
PASSES = "The automatic test that was failing (tests) passes now."


def test_a_check_that_turns_red_while_she_waits_is_said_before_the_buttons_and_so_is_that_it_is_green_again(
    world_on_both: World,
) -> None:
    world = world_on_both
    world.open()
    world.settle()
    sha = world.row().head_sha
    for conclusion, sentence, tests in (
        ("failure", FAILS, "Failing: tests"),
        ("success", PASSES, "All passed"),
    ):
        world.pass_(seconds=31)
        calls = len(world.github.calls)
        world.github.set_check(None, sha, "tests", conclusion=conclusion)
        world.settle()
        page = world.see()
        assert 0 < page.index(sentence) < page.index('value="approve"')
        assert tests in page
        assert "when you were asked" not in page
        assert tests in world.see(world.details())
        assert len(world.github.calls) - calls == 2  # statuses and checks; the pull request is as it was
    assert FAILS not in page
    assert (len(world.inbox.mails), world.row().round, world.row().state) == (1, 1, State.WAITING)
    world.browser.post(f"{world.link()}/fresh")
    world.settle()
    assert PASSES in world.inbox.mails[-1].text
    assert "Tests: ✓ All passed" in world.inbox.mails[-1].text


def test_while_she_waits_checks_are_read_at_most_every_thirty_seconds_and_nothing_is_missed(
    world: World,
) -> None:
    world.open()
    world.settle()
    sha = world.row().head_sha
    for second in range(60):
        world.github.set_check(None, sha, f"part-{second}", conclusion="failure")
        world.pass_(seconds=1)
    assert reads_of_checks(world) == 2
    world.pass_(seconds=30)
    assert reads_of_checks(world) == 3
    row = world.row()
    assert row.facts.checks
    assert len(row.facts.checks.names) == 60


def test_where_they_are_waited_for_checks_are_read_at_most_every_thirty_seconds_too(
    make_world: MakeWorld,
) -> None:
    world = make_world(WAIT_FOR_CHECKS="true")
    sha = world.commit("gift-cards")
    names = [f"part-{number}" for number in range(20)]
    for name in names:
        world.github.set_check(None, sha, name, "in_progress", None)
    world.github.open_pull_request(SHOP, "gift-cards", title="Add gift cards")
    world.settle()
    for name in names:
        world.github.set_check(None, sha, name)
        world.pass_(seconds=1)
    assert (reads_of_checks(world), len(world.inbox.mails)) == (1, 0)
    world.pass_(seconds=10)
    assert (reads_of_checks(world), len(world.inbox.mails)) == (2, 1)


def test_checks_that_end_as_they_are_known_cost_no_call(world: World) -> None:
    world.open()
    world.settle()
    sha = world.row().head_sha
    for name in ("build", "lint"):
        world.github.set_check(None, sha, name, conclusion="success")
        world.pass_(seconds=40)
    assert reads_of_checks(world) == 1


def test_where_the_checks_may_not_be_read_nothing_is_said_and_nothing_else_is_held_up(world: World) -> None:
    world.open()
    world.settle()
    world.github.rights.difference_update({"statuses", "checks"})
    world.github.set_check(None, world.row().head_sha, "tests", conclusion="failure")
    world.pass_(minutes=5)
    calls = len(world.github.calls)
    world.pass_(minutes=4)
    assert len(world.github.calls) - calls <= 2  # looks at the repository
    assert "failing" not in world.see()
    world.github.rights.update({"statuses", "checks"})
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED


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


def test_her_list_marks_what_overlaps_and_what_fails(world: World) -> None:
    for branch in ("gift-cards", "fine", "red"):
        world.open(branch, title=branch)
    clash(world)
    world.settle()
    world.github.set_check(None, world.github.pull(3).head_sha, "tests", conclusion="failure")
    for _ in range(4):
        world.pass_(seconds=30)
    sign_in(world)
    listed = re.findall(r'<li class="card">.*?</li>', world.see("/"), re.DOTALL)

    found = [(("Overlap" in one), ("Tests failing" in one)) for one in listed if "Release" not in one]
    assert found == [(True, False), (False, False), (False, True)]


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
    mail = ask(cautions=(Caution(CautionKind.OVERLAPS), Caution(CautionKind.FAILING, ("tests",))))
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
    world.github.commit(
        SHOP, "development", {"gift-cards.py": None, "cards.py": None}, "Undo the clash", "kim"
    )
    for _ in range(3):
        world.pass_(minutes=10)
    assert (world.row().state, len(world.inbox.mails)) == (State.WAITING, 1)


def test_with_ask_despite_conflict_it_is_asked_about_and_told(make_world: MakeWorld) -> None:
    world = make_world(ASK_DESPITE_CONFLICT="true")
    ready_with_a_conflict(world)
    assert len(world.inbox.mails) == 1
    assert OVERLAPS in world.inbox.mails[-1].text
