"""After `qa-gate restore`: what happened since the backup is lost, and everything finds its end all the same.

A move, where nothing is lost, changes nothing that anybody sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.outside import MakeOutside, Outside, decide_links, given
from tests.world import SHOP

Places = tuple[str, str]


@pytest.fixture(params=["sqlite to postgresql", "postgresql to sqlite"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    """The database of a gate, and an empty one of the other kind."""
    create: Callable[..., str] = request.getfixturevalue("new_postgres_url")
    if request.param == "sqlite to postgresql":
        return f"sqlite:///{tmp_path / 'old.db'}", create("template1")
    return create(), f"sqlite:///{tmp_path / 'new.db'}"


def hold(outside: Outside) -> None:
    """Let no approval be merged: a required check never reports."""
    outside.github.protect(SHOP, "development", ["qa-gate/development", "build"])


def comments_and_reviews(outside: Outside, number: int) -> list[str]:
    """What the gate wrote under a pull request, without markers."""
    bot = outside.github.front.user
    pull = outside.pull(number)
    written = [
        one.body
        for one in outside.github.repo().comments.values()
        if one.number == number and one.user is bot
    ]
    return [
        re.sub(r"<!--.*?-->", "", text).strip() for text in [*(one.body for one in pull.reviews), *written]
    ]


def test_lost_merges_decisions_and_rounds_find_their_end(
    make_outside: MakeOutside, places: Places, tmp_path: Path
) -> None:
    here, there = places
    outside = make_outside(database_url=here, OPERATOR="olga@example.com", RELEASE_BRANCH="")
    outside.start()
    links = {}
    for name in ("cards", "wine", "tea", "milk"):
        number = outside.asked(name, author=f"dev-{name}")
        links[number] = outside.link()
    cards, wine, tea, milk = links
    outside.choose("reject", "It is cold.", path=links[tea])
    outside.settle()
    outside.choose(path=links[wine])
    backup = outside.back_up(tmp_path / "backup.gz")

    outside.settle()
    outside.choose(path=links[cards])
    outside.choose("reject", "It is sour.", path=links[milk])
    outside.commit("tea", tea_py="hot\n")
    outside.settle()
    outside.pass_(minutes=20, step=300)
    soup = outside.approved("soup")
    outside.settle()
    bread = outside.asked("bread")
    lost = outside.link()
    merged = [number for number in (cards, wine, soup) if outside.is_merged(number)]
    given(merged == [cards, wine, soup] and outside.status(milk) == "failure", "the hours went otherwise")
    merges = outside.world.merges()

    outside.mails.clear()
    outside.restore(backup, there)
    outside.start()
    outside.pass_(minutes=40, step=300)

    subjects = [(mail.address, mail.subject) for mail in outside.mails]
    assert subjects.count(("lily@example.com", "QA gate was restored from a backup")) == 1
    assert subjects.count(("olga@example.com", "QA gate was restored from a backup")) == 1
    assert not [
        mail.subject
        for mail in outside.mails
        if "without asking you" in f"{mail.subject} {mail.preview} {mail.text}"
    ]
    asked = {name: outside.told(f"Change {name}") for name in ("tea", "milk", "bread")}
    assert all(asked.values()), subjects
    assert [outside.told(f"Change {name}") for name in ("cards", "wine", "soup")] == [[], [], []]
    assert [outside.status(number) for number in (tea, milk, bread)] == ["pending"] * 3

    assert outside.choose(path=lost) >= 400
    outside.settle()
    assert not outside.is_merged(bread)
    assert "Change bread" in outside.world.browser.get(lost).text

    for path in dict.fromkeys(link for mail in outside.mails for link in decide_links(mail)):
        if outside.may_approve(path):
            outside.choose(path=path)
    outside.settle()
    assert [outside.is_merged(number) for number in (tea, milk, bread)] == [True] * 3
    assert outside.world.merges() == merges + 3


def test_what_went_in_meanwhile_is_shown_as_that(outside: Outside, tmp_path: Path) -> None:
    outside.start()
    number = outside.asked("cards")
    details, link = outside.details(number), outside.link()
    backup = outside.back_up(tmp_path / "backup.gz")
    outside.choose()
    outside.settle()
    given(outside.is_merged(number), "not merged")
    outside.restore(backup)
    outside.start()
    for path in (details, link):
        page = outside.world.browser.get(path).text
        assert (
            "Whether it was approved can’t be said any more" in page
            or "whether it was approved can’t" in page
        )
        assert "without asking" not in page
        assert "Not approved" not in page


def test_a_merge_past_the_gate_after_the_restore_is_told_as_one(outside: Outside, tmp_path: Path) -> None:
    outside.start()
    number = outside.asked("cards")
    backup = outside.back_up(tmp_path / "backup.gz")
    outside.pass_(hours=2)
    outside.restore(backup)
    outside.world.clock.pass_(minutes=1)
    outside.github.merge_as("kim", number)
    outside.start()
    outside.pass_(minutes=5, step=60)
    assert [
        mail
        for mail in outside.mails
        if "kim merged it on GitHub without asking you" in mail.text + mail.preview
    ]


def test_a_link_from_the_lost_hours_never_decides_what_is_asked_after_them(
    outside: Outside, tmp_path: Path
) -> None:
    outside.start()
    number = outside.open("cards")
    outside.github.settle()
    while outside.world.store.inbox.fold(outside.world.gate.policy):
        pass  # known, and not asked about yet
    backup = outside.back_up(tmp_path / "backup.gz")
    outside.settle()
    lost = outside.link()
    outside.commit("cards", cards_py="another\n")
    outside.restore(backup)
    outside.start()
    outside.pass_(minutes=20, step=300)
    given(outside.link() != lost, "not asked again")
    outside.choose(path=lost)
    outside.settle()
    assert not outside.is_merged(number)
    outside.choose()
    outside.settle()
    assert outside.is_merged(number)


def test_a_success_of_the_lost_hours_is_taken_back_from_a_head_that_is_the_newest_no_more(
    outside: Outside, tmp_path: Path
) -> None:
    hold(outside)
    number = outside.asked("cards")
    head = outside.pull(number).head_sha
    backup = outside.back_up(tmp_path / "backup.gz")
    outside.choose()
    outside.settle()
    given(outside.status(number) == "success", "not approved")
    outside.world.stop_gate()
    outside.commit("cards", cards_py="another\n")
    outside.world.start_gate()
    outside.restore(backup)
    outside.start()
    assert outside.status(number, sha=head) == "pending"
    assert outside.status(number) == "pending"


def test_words_that_were_said_in_the_lost_hours_are_not_said_again(outside: Outside, tmp_path: Path) -> None:
    number = outside.asked("cards")
    outside.choose("reject", "The total is wrong.")
    backup = outside.back_up(tmp_path / "backup.gz")
    outside.settle()
    said = comments_and_reviews(outside, number)
    given(len(said) == 1, "not said")
    outside.restore(backup)
    outside.start()
    outside.pass_(minutes=5, step=60)
    assert comments_and_reviews(outside, number) == said
    assert outside.status(number) == "failure"


def test_a_question_after_the_restore_is_told_though_another_had_its_number(
    outside: Outside, tmp_path: Path
) -> None:
    number = outside.asked("cards")
    backup = outside.back_up(tmp_path / "backup.gz")
    outside.choose("question", "Is it blue?")
    outside.settle()
    outside.restore(backup)
    outside.start()
    outside.choose("question", "Is it green?")
    outside.settle()
    said = " ".join(comments_and_reviews(outside, number))
    assert "Is it blue?" in said
    assert "Is it green?" in said


def test_a_page_from_the_lost_hours_overrules_no_answer_it_does_not_show(
    outside: Outside, tmp_path: Path
) -> None:
    hold(outside)
    number = outside.asked("cards")
    backup = outside.back_up(tmp_path / "backup.gz")
    link = outside.link()
    outside.choose("reject", "It is cold.")
    outside.settle()
    outside.restore(backup)
    outside.start()
    outside.choose("reject", "It is sour.", path=link)
    answer = outside.world.browser.post(link, data={"choice": "approve", "note": "", "seen": "1"})
    outside.settle()
    assert answer.status_code >= 400
    assert outside.status(number) == "failure"


def test_an_email_that_was_not_sent_yet_is_dropped_and_its_question_is_in_the_list(
    outside: Outside, tmp_path: Path
) -> None:
    outside.start()
    outside.world.inbox.fail(503, "ServiceUnavailable", "down", times=1)
    outside.open("cards")
    outside.settle()
    given(not outside.mails, "sent at once")
    backup = outside.back_up(tmp_path / "backup.gz")
    outside.pass_(minutes=5, step=30)
    given(len(outside.told("Change cards")) == 1, "not sent later")
    outside.mails.clear()
    outside.restore(backup)
    outside.start()
    outside.pass_(minutes=20, step=60)
    assert outside.told("Change cards") == ["1 change is waiting for you"]


def test_a_problem_that_lasts_is_told_again_for_its_email_may_be_among_the_dropped(
    make_outside: MakeOutside, tmp_path: Path
) -> None:
    outside = make_outside(OPERATOR="olga@example.com")
    outside.start()
    outside.github.fail("POST", "/statuses/", 422, {"message": "Too many statuses."}, times=None)
    outside.open("cards")
    outside.pass_(minutes=40, step=120)
    given(len(outside.told("Problem: GitHub keeps refusing")) == 1, "not told")
    backup = outside.back_up(tmp_path / "backup.gz")
    outside.mails.clear()
    outside.restore(backup)
    outside.start()
    outside.pass_(minutes=60, step=120)
    assert len(outside.told("Problem: GitHub keeps refusing")) == 1


# --- A move -------------------------------------------------------------------------------------------------------


def test_a_move_keeps_approvals_sessions_and_links_and_says_nothing(
    make_outside: MakeOutside, places: Places, tmp_path: Path
) -> None:
    here, there = places
    outside = make_outside(database_url=here, RELEASE_BRANCH="")
    outside.start()
    number = outside.asked("cards")
    approve, details = outside.link(), outside.details(number)
    lily = outside.sign_in()
    waiting = outside.asked("wine")
    given(outside.choose(path=approve) < 400, "not approved")
    mails = len(outside.mails)
    backup = outside.back_up(tmp_path / "backup.gz")
    outside.restore(backup, there, move=True)
    given(outside.world.store.database.is_sqlite == there.startswith("sqlite"), "it is the old one")
    outside.start()
    outside.pass_(minutes=20, step=300)
    assert outside.is_merged(number)
    assert [mail.subject for mail in outside.mails[mails:]] == []
    lily.application = outside.world.browser.application
    assert lily.get("/").status_code == 200
    assert "Change cards" in outside.world.browser.get(details).text
    outside.choose()
    outside.settle()
    assert outside.is_merged(waiting)
    assert outside.asked("soup") > waiting


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_move_is_refused_where_the_gate_ran_when_the_backup_was_made(
    outside: Outside, tmp_path: Path, is_stopped: Any
) -> None:
    outside.asked("cards")
    with outside.at_work():
        given(outside.comes(lambda: outside.world.store.queue.last_beat() is not None), "no worker")
        running = outside.back_up(tmp_path / "running.gz")
    stopped = outside.back_up(tmp_path / "stopped.gz")
    if is_stopped:
        outside.restore(stopped, move=True)
        assert outside.world.all_rows()
    else:
        with pytest.raises(Exception, match="The gate was running when"):
            outside.restore(running, move=True)
        outside.world.start_gate()
        assert outside.world.all_rows() == []
