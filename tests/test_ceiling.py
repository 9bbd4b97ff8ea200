"""The ceiling of mail for one reader: ten questions an hour, five about one author's changes, the rest in one list."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.db.letters import goes_alone
from app.domain.facts import State
from demo.inbox.mail import Mail
from tests.test_questions import ask
from tests.world import SHOP, World

MakeWorld = Callable[..., World]


def bump(world: World, first: int, last: int, author: str = "sam") -> None:
    """Open pull requests with these numbers in their titles."""
    for number in range(first, last):
        world.github.commit(SHOP, f"bump-{number}", {f"bump{number}.py": f"{number}\n"}, "Bump", author)
        world.github.open_pull_request(SHOP, f"bump-{number}", title=f"Bump {number:02}", author=author)
    world.settle()


def titles(mail: Mail) -> list[str]:
    """The titles in a mail's text, each once."""
    return sorted(set(re.findall(r"Bump [0-9]{2}", mail.text)))


@pytest.mark.parametrize(
    "authors, author, expected",
    [
        ([], "sam", True),
        (["sam"] * 4, "sam", True),
        (["sam"] * 5, "sam", False),
        (["sam"] * 5, "kim", True),
        (["sam"] * 5 + ["kim"] * 4, "kim", True),
        (["sam"] * 5 + ["kim"] * 5, "eva", False),
    ],
)
def test_a_question_goes_alone_up_to_ten_an_hour_and_five_of_one_author(
    authors: list[str], author: str, expected: bool
) -> None:
    assert goes_alone(authors, author) is expected


def test_five_of_one_author_come_alone_and_the_rest_in_one_list_ten_minutes_after_its_first(
    world: World,
) -> None:
    bump(world, 0, 7)
    assert [titles(mail) for mail in world.inbox.mails] == [[f"Bump {number:02}"] for number in range(5)]
    world.pass_(minutes=5)
    bump(world, 7, 8)
    world.pass_(minutes=4, seconds=59)
    assert len(world.inbox.mails) == 5
    world.pass_(seconds=1)
    (listed,) = world.inbox.mails[5:]
    assert titles(listed) == ["Bump 05", "Bump 06", "Bump 07"]
    world.decide("approve", path=world.link())
    world.settle()
    assert world.row(6).state is State.MERGED
    assert all(row.state in (State.WAITING, State.MERGED) for row in world.all_rows())


def test_ten_of_several_authors_come_alone_and_the_next_author_is_listed(world: World) -> None:
    for number, author in enumerate(("sam", "kim", "eva")):
        world.github.add_person(author)
        bump(world, number * 5, number * 5 + 5, author)
    assert len(world.inbox.mails) == 10
    world.pass_(minutes=10)
    (listed,) = world.inbox.mails[10:]
    assert titles(listed) == [f"Bump {number}" for number in range(10, 15)]


def test_after_an_hour_they_come_alone_again(world: World) -> None:
    bump(world, 0, 5)
    world.pass_(minutes=60)
    bump(world, 5, 6)
    assert titles(world.inbox.mails[-1]) == ["Bump 05"]
    assert "for you" not in world.inbox.mails[-1].subject


def test_what_trickles_in_makes_a_list_every_ten_minutes_at_most(world: World) -> None:
    for number in range(20):
        bump(world, number, number + 1)
        world.pass_(minutes=2)
    alone, listed = world.inbox.mails[:5], world.inbox.mails[5:]
    assert [len(titles(mail)) for mail in alone] == [1] * 5
    assert [len(titles(mail)) for mail in listed] == [5, 5, 5]


def test_being_asked_again_counts(make_world: MakeWorld) -> None:
    world = make_world(QUIET_MINUTES="1")
    bump(world, 0, 1)
    for number in range(8):
        world.commit("bump-0", f"More {number}", **{f"more{number}_py": "more\n"})
        world.settle()
        world.pass_(minutes=1)
    alone = [mail for mail in world.inbox.mails if "for you" not in mail.subject]
    assert len(alone) == 5


def test_a_commenter_makes_no_flood_of_mails_and_no_answer_is_lost(world: World) -> None:
    """One who may answer comments every minute for an hour."""
    number = ask(world)
    world.inbox.mails.clear()
    for minute in range(60):
        world.github.comment(number, f"It is {minute}.", by="sam")
        world.settle()
        world.pass_(minutes=1)
    world.pass_(minutes=11)
    alone = [mail for mail in world.inbox.mails if "sam answered your question" in mail.text]
    lists = [mail for mail in world.inbox.mails if mail not in alone]
    assert 4 <= len(alone) <= 6  # the first of an hour are those of the hour after
    assert len(lists) <= 6
    assert all("\nsam answered\n" in mail.text for mail in lists)
    assert "It is 59." in world.see()


def test_what_is_handed_over_counts_for_who_gets_it(make_world: MakeWorld) -> None:
    world = make_world(QA_REVIEWERS="Lily <lily@example.com>, Max <max@example.com>")
    bump(world, 0, 8)
    world.pass_(minutes=10)
    world.inbox.mails.clear()
    lily = world.gate.policy.reviewers[0]
    world.store.absences.begin(lily, (world.clock() + timedelta(days=3)).date())
    world.settle()
    assert [mail.to for mail in world.inbox.mails] == ["Max <max@example.com>"] * 5
    world.pass_(minutes=10)
    (listed,) = world.inbox.mails[5:]
    assert len(titles(listed)) == 3


def test_a_release_goes_at_once_whatever_came_before(world: World) -> None:
    world.github.add_person("kim")
    bump(world, 0, 5)
    bump(world, 5, 10, "kim")
    world.github.commit(SHOP, "development", {"till.py": "till\n"}, "Mend the till", "sam")
    world.settle()
    world.pass_(minutes=11)
    world.pass_(minutes=10)
    assert len(world.inbox.mails) == 11
    assert "elease" in world.inbox.mails[-1].subject
