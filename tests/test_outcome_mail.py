"""After her yes: a mail only where something lasts, one for each yes, and a word in the next letter when it was voided."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db.letters import NewLetter
from app.domain.blocked import Blocked, Why
from app.domain.facts import State
from app.mail.news import About, compose_outcome
from app.text.words import NOT_NOW
from demo.inbox.mail import Mail
from tests.builders import LILY, row
from tests.databases import ON_BOTH
from tests.test_life import approved, asked
from tests.world import SHOP, World


@pytest.fixture
def world(tmp_path: Path, usual_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path / "git", usual_url, monkeypatch, RELEASE_BRANCH="")
    yield world
    world.stop()


def news(world: World) -> list[Mail]:
    return [mail for mail in world.inbox.mails if mail.preview.startswith("Approved, not in yet")]


def clash(world: World) -> None:
    """An approved change that another one clashes with."""
    approved(world)
    world.github.commit(SHOP, "development", {"cards.py": "something else\n"}, "Clash", "kim")
    world.settle()
    assert world.row().is_stuck


def work_on(world: World, hours: int) -> None:
    """Let time pass: first in the steps in which the gate looks again, then by the hour."""
    for minutes in [10] * 6 + [60] * (hours - 1):
        world.pass_(minutes=minutes)


# --- What somebody must act on ------------------------------------------------------------------------------


@ON_BOTH
def test_a_conflict_is_mailed_to_her_once_after_five_minutes(world: World) -> None:
    clash(world)
    world.pass_(minutes=4, seconds=59)
    assert news(world) == []
    world.pass_(seconds=1)
    (mail,) = news(world)
    assert "Someone else changed the same part." in mail.text
    assert "What happens next\n-----------------\n\nsam has been told." in mail.text
    assert mail.headers["References"] == world.inbox.mails[0].headers["References"]
    work_on(world, 30)
    assert len(news(world)) == 1


def test_its_link_leads_to_taking_the_yes_back(world: World) -> None:
    clash(world)
    world.pass_(minutes=5)
    (path,) = set(re.findall(r"/decide/[\w.-]+", news(world)[0].text))
    assert "Withdraw" in world.see(path)
    world.decide("take_back", path=path)
    world.settle()
    assert world.row().state is State.WAITING


def test_a_red_check_is_mailed(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = asked(world)
    world.github.set_check(SHOP, world.github.pull(number).head_sha, "build", conclusion="failure")
    world.decide()
    work_on(world, 1)
    assert "failing (build)" in news(world)[0].text


def test_what_nobody_was_told_of_is_not_said_to_be(world: World) -> None:
    asked(world)
    world.github.rights.discard("contents")
    world.github.rights.add("contents:read")
    world.decide()
    work_on(world, 1)
    (mail,) = news(world)
    assert "The developers see this on GitHub, too." in mail.text
    assert "has been told" not in mail.text


@pytest.mark.parametrize("end", ["push", "take back", "close", "merge"])
def test_what_is_over_within_five_minutes_is_no_mail(world: World, end: str) -> None:
    clash(world)
    world.clock.pass_(minutes=4)
    match end:
        case "push":
            world.github.commit(SHOP, "gift-cards", {"cards.py": "mended\n"}, "Mend", "sam")
        case "take back":
            world.decide("take_back")
        case "close":
            world.github.close(1)
        case _:
            world.github.force_push(SHOP, "development", world.github.log(SHOP, "development")[1].sha)
            world.github.edit(1, title="Add gift cards, again")
            world.settle()
            assert world.row().state is State.MERGED
    world.settle()
    work_on(world, 30)
    assert news(world) == []


# --- What ends by itself ------------------------------------------------------------------------------------


def test_checks_that_run_are_no_mail_before_a_day(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = asked(world)
    world.github.set_check(SHOP, world.github.pull(number).head_sha, "build", "in_progress", None)
    world.decide()
    work_on(world, 23)
    assert news(world) == []
    work_on(world, 2)
    assert "still running (build)" in news(world)[0].text
    assert len(news(world)) == 1


def test_checks_that_turn_red_are_mailed_five_minutes_later(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = asked(world)
    head = world.github.pull(number).head_sha
    world.github.set_check(SHOP, head, "build", "in_progress", None)
    world.decide()
    work_on(world, 1)
    world.github.set_check(SHOP, head, "build", conclusion="failure")
    world.settle()
    assert world.row().is_stuck
    world.pass_(minutes=5)
    assert "failing (build)" in news(world)[0].text


def test_a_red_check_that_is_run_again_is_no_mail(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = asked(world)
    head = world.github.pull(number).head_sha
    world.github.set_check(SHOP, head, "build", conclusion="failure")
    world.decide()
    world.settle()
    while not world.row().is_stuck:
        world.pass_(minutes=1)
    world.github.set_check(SHOP, head, "build", "in_progress", None)
    world.github.edit(
        number, title="Add gift cards, again"
    )  # so that the gate looks before the five minutes end
    for _ in range(9):
        world.pass_(seconds=20)
    assert not world.row().is_stuck
    world.pass_(minutes=6)
    assert news(world) == []


@ON_BOTH
def test_github_being_down_is_a_mail_after_a_day(world: World) -> None:
    approved(world)
    world.github.fail("*", "", 502, times=10_000)
    work_on(world, 23)
    assert news(world) == []
    work_on(world, 2)
    (mail,) = news(world)
    assert NOT_NOW in mail.text


@ON_BOTH
def test_a_second_yes_has_a_mail_of_its_own(world: World) -> None:
    clash(world)
    world.pass_(minutes=5)
    world.decide("take_back", path=world.link(mail=0))
    world.settle()
    world.decide("approve", path=world.link(mail=0))
    world.settle()
    world.pass_(minutes=6)
    assert len(news(world)) == 2


# --- A yes that was voided ----------------------------------------------------------------------------------


VOIDED = "sam changed this after you approved it, before it went in. Please look again."


def test_a_push_after_her_yes_is_said_in_the_next_question(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    asked(world)
    world.decide()
    world.settle()
    world.github.commit(SHOP, "gift-cards", {"cards.py": "mended\n"}, "Mend", "sam")
    world.settle()
    world.pass_(minutes=30)
    assert VOIDED in world.inbox.mails[-1].text
    world.github.commit(SHOP, "gift-cards", {"cards.py": "mended again\n"}, "Mend again", "sam")
    world.settle()
    world.pass_(minutes=30)
    assert VOIDED not in world.inbox.mails[-1].text
    assert "sam changed this since you last looked." in world.inbox.mails[-1].text


def test_a_yes_that_she_took_back_herself_was_not_voided(world: World) -> None:
    clash(world)
    world.decide("take_back")
    world.github.commit(SHOP, "gift-cards", {"cards.py": "mended\n"}, "Mend", "sam")
    world.settle()
    world.pass_(minutes=30)
    assert VOIDED not in world.inbox.mails[-1].text


# --- The letter ---------------------------------------------------------------------------------------------


HERE = "https://gate.example.com/decide/abc"


def about(**fields: Any) -> About:
    return About(
        row(State.TO_MERGE, **fields), fields.get("author", "sam"), "#12", HERE, "https://gate.example.com/"
    )


def test_hostile_words_stay_words() -> None:
    hostile = "<b>x</b>\r\nBcc: all@example.com \u202e![p](https://e.example/p.png)"
    mail = compose_outcome(
        LILY,
        about(title=hostile, author=hostile),
        Blocked(Why.CHECKS_RED, (hostile,)),
        is_developer_told=True,
    )
    assert "<b>x" not in mail.html
    assert "\u202e" not in mail.html + mail.text + mail.subject
    assert "\n" not in mail.subject
    assert re.findall(r'href="([^"]+)"', mail.html).count(HERE) == 2


@ON_BOTH
def test_a_letter_that_is_on_its_way_is_not_put_out_again(world: World) -> None:
    letter = NewLetter("one", "bypass", LILY.id, delay=timedelta(hours=1))
    for sooner, is_due in ((letter, False), (replace(letter, delay=timedelta(0)), True)):
        world.store.letters.queue([sooner])
        claim = world.store.queue.claim()
        assert (claim is not None) is is_due
    world.store.letters.queue([replace(letter, delay=timedelta(0))])
    assert world.store.queue.claim() is None
