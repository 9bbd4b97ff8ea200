"""People are called by their names, in mails and on pages; developers see the login beside it, outsiders have none."""

from __future__ import annotations

import re
from html import unescape

import pytest

from app.db.jobs import Kind
from app.domain.facts import State
from tests.test_life import asked
from tests.world import SHOP, World


@pytest.fixture
def named(world: World) -> World:
    """A world whose sam has told GitHub a name, and where somebody else's login is the reviewer's name."""
    world.github.world.person("sam").name = "Sam Meyer"
    world.github.add_person("Lily").name = "Lilian Gray"
    return world


def see(world: World, path: str | None = None) -> str:
    """What a page says, as one line."""
    page = re.sub(r"<(svg|script|title).*?</\1>|<[^>]+>", " ", world.see(path), flags=re.DOTALL)
    return " ".join(unescape(page).split())


def sign_in(world: World) -> None:
    world.browser.post("/sign-in", data={"address": "lily@example.com"})
    world.settle()
    path = re.findall(r"/sign-in/\S+", world.inbox.mails.pop().text)[0]
    world.browser.post(path)


def question(world: World) -> str:
    """Ask sam something about the change that waits, hear the answer, and return the mail's text."""
    world.decide("question", "Should 0 euros be possible?")
    world.settle()
    world.clock.pass_(minutes=1)
    world.github.comment(world.row().number, "No, the smallest is 25.", by="sam")
    world.settle()
    world.pass_(minutes=2)
    return world.inbox.mails[-1].text


def test_a_question_is_asked_in_the_name_of_its_author(named: World) -> None:
    asked(named)
    (mail,) = named.inbox.mails
    assert mail.from_.startswith("Sam Meyer via QA gate")
    assert mail.preview.startswith("New: Sam Meyer needs your approval.")
    assert "What Sam Meyer wrote" in mail.text
    assert "ask Sam Meyer how" in mail.text


def test_an_answer_comes_by_name_and_her_own_question_is_hers(named: World) -> None:
    asked(named)
    text = question(named)
    assert "Sam Meyer answered your question:" in text
    assert "You asked on" in text
    assert named.inbox.mails[-1].from_.startswith("Sam Meyer via QA gate")


def test_an_answer_is_told_by_name_on_every_page_and_with_the_login_to_developers(named: World) -> None:
    asked(named)
    question(named)
    assert "Sam Meyer answered" in see(named)
    details = see(named, named.details())
    assert "Sam Meyer (sam) answered" in details
    assert "Lily asked" in details
    sign_in(named)
    for path in ("/", "/history", f"/reviews/{named.row().id}"):
        assert "Sam Meyer answered" in see(named, path)
        assert "sam answered" not in see(named, path)
        assert "Lilian" not in see(named, path)


def test_a_list_says_who_answered_by_name(named: World) -> None:
    asked(named)
    question(named)
    named.store.timers.set(Kind.DIGEST)
    named.pass_(hours=22)
    mail = named.inbox.mails[-1]
    assert mail.subject == "1 change is waiting for you"
    assert "\nSam Meyer answered\n" in mail.text
    assert "Sam Meyer · " in mail.text.partition("answered\n")[2]


def test_news_of_a_merge_name_who_made_it_and_who_can_be_asked(named: World) -> None:
    number = asked(named)
    named.github.merge_as("sam", number)
    named.settle()
    assert named.row().state is State.MERGED
    text = named.inbox.mails[-1].text
    assert "Sam Meyer merged this on GitHub without asking you." in text
    assert "talk to Sam Meyer" in text
    assert "Sam Meyer (sam) merged it into" in see(named, named.details())


def test_what_is_held_says_by_name_who_was_told(named: World) -> None:
    asked(named)
    named.github.commit(SHOP, "development", {"cards.py": "something else\n"}, "Clash", "kim")
    named.decide()
    named.settle()
    named.pass_(minutes=20)
    assert "Sam Meyer has been told." in named.inbox.mails[-1].text


def test_nobody_from_outside_is_called_by_a_name_that_anybody_may_write(named: World) -> None:
    named.github.add_person("eve", association="NONE").name = "Lily of QA"
    fork = named.github.fork(SHOP, "eve")
    named.github.commit(fork, "gift", {"cards.py": "from outside\n"}, "Gift", "eve")
    number = named.github.open_pull_request(SHOP, "gift", title="Gift", author="eve", from_fork=fork)
    named.github.request_review(number, "sam", by="sam")
    named.settle()
    (mail,) = named.inbox.mails
    sign_in(named)
    for words in (
        mail.text,
        mail.from_,
        see(named),
        see(named, "/"),
        see(named, "/history"),
        see(named, named.details()),
    ):
        assert "Lily of QA" not in words
