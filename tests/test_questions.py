"""A question without deciding: it goes to the developers, the change keeps waiting, and the answer comes by mail."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.review import Signpost, State, may_ask
from app.store import Store
from tests.builders import LILY, row
from tests.test_store import wake
from tests.world import World

QUESTION = "Should a card for 0 euros be possible?"
MakeWorld = Callable[..., World]


def comments(world: World) -> list[str]:
    return [comment.body for comment in world.github.repo().comments.values()]


def ask(world: World, words: str = QUESTION) -> int:
    """Let Lily be asked, and let her ask back; return the pull request's number."""
    number = world.open()
    world.settle()
    assert world.decide("question", words).status_code == 303
    world.settle()
    return number


def test_a_question_becomes_a_comment_and_decides_nothing(world: World) -> None:
    ask(world)
    (comment,) = comments(world)
    assert "Lily asks:" in comment
    assert QUESTION in comment
    assert (world.row().state, world.row().round, world.row().decision) == (State.WAITING, 1, None)
    assert QUESTION in world.see()
    assert len(world.inbox.mails) == 1
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED


def test_the_answer_comes_by_mail_with_both_links(world: World) -> None:
    number = ask(world)
    world.pass_(minutes=5)
    world.github.comment(
        number,
        "No, I will\n\n~~allow~~ forbid <b>that</b>, see [the rules](https://example.com/r).\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        by="sam",
    )
    world.settle()
    world.github.comment(number, "Done.", by="sam")
    world.settle()
    world.pass_(minutes=2)
    assert len(world.inbox.mails) == 2
    mail = world.inbox.mails[-1]
    assert mail.subject == world.inbox.mails[0].subject
    for words in ("There is an answer to your question.", "You asked:", QUESTION, "sam answered:", "> Done."):
        assert words in mail.text
    assert "> ~~allow~~ forbid that, see the rules (https://example.com/r)." in mail.text
    for html in (mail.html, world.see()):
        assert 'forbid <strong>that</strong>, see <a href="https://example.com/r"' in html
        assert "<td" in html
    assert "Done." in world.see()
    world.decide(path=world.link())
    world.settle()
    assert world.row().state is State.MERGED


def test_every_answer_is_mailed_not_only_the_first(world: World) -> None:
    number = ask(world)
    for words in ("Let me look.", "It is 4.90."):
        world.github.comment(number, words, by="sam")
        world.settle()
        world.pass_(hours=1)
        assert words in world.inbox.mails[-1].text
    assert len(world.inbox.mails) == 3


def test_the_answer_goes_to_who_asked(make_world: MakeWorld) -> None:
    world = make_world(QA_REVIEWERS="Lily <lily@example.com>, Max <max@example.com>")
    number = world.open()
    world.settle()
    row, max_ = world.row(), world.gate.policy.reviewers[1]
    assert world.store.talk.ask(row.id, row.round, QUESTION, max_) is None
    world.settle()
    world.github.comment(number, "No.", by="sam")
    world.settle()
    world.pass_(minutes=2)
    assert world.inbox.mails[-1].to == "Max <max@example.com>"
    assert "There is an answer to your question." in world.inbox.mails[-1].text


def test_a_later_version_quotes_what_was_answered(world: World) -> None:
    number = ask(world)
    world.github.comment(number, "It is forbidden now.", by="sam")
    world.commit("gift-cards", "Forbid it", cards_py="forbidden\n")
    world.settle()
    world.pass_(minutes=10)
    assert "It is forbidden now." in world.inbox.mails[-1].text
    assert len(world.inbox.mails) == 2


def test_who_answers_must_belong_here_or_have_written_it(world: World) -> None:
    world.github.add_person("eva", association="NONE")
    world.github.add_person("ci", "Bot")
    number = ask(world)
    for stranger in ("eva", "ci"):
        world.github.comment(number, "Buy my cards!", by=stranger)
    world.settle()
    world.pass_(minutes=2)
    assert len(world.inbox.mails) == 1
    assert "Buy my cards!" not in world.see()


def test_an_answer_whose_webhook_was_lost_is_found_by_the_look(world: World) -> None:
    number = ask(world)
    world.github.webhooks_paused = True
    world.pass_(minutes=5)
    world.github.comment(number, "No.", by="sam")
    world.look()
    world.pass_(minutes=2)
    assert "sam answered:" in world.inbox.mails[-1].text


def test_a_question_needs_words_and_twice_is_once(world: World) -> None:
    world.open()
    world.settle()
    page = world.decide("question", "  ")
    assert page.status_code == 422
    assert "Please write your question" in page.text
    for _ in range(2):
        assert world.decide("question", QUESTION).status_code == 303
    world.settle()
    assert len(comments(world)) == 1


def test_a_question_about_an_old_version_is_kept_for_copying(world: World) -> None:
    world.open()
    world.settle()
    world.commit("gift-cards", "More", cards_py="more\n")
    world.settle()
    page = world.decide("question", QUESTION)
    assert page.status_code == 409
    assert "There’s a newer version" in page.text
    assert QUESTION in page.text
    assert comments(world) == []


def test_a_question_whose_answer_was_lost_is_not_asked_twice(world: World) -> None:
    world.github.fail("POST", "/comments$", None, after=True)
    ask(world)
    world.pass_(minutes=5)
    assert len(comments(world)) == 1
    assert world.row().said_question == 1


def test_a_refused_question_is_in_the_history(world: World) -> None:
    world.github.fail("POST", "/comments$", 403, {"message": "Issue is locked"})
    ask(world)
    history = world.store.reviews.history(world.row().id)
    assert [line.what for line in history[-2:]] == ["question", "unsaid"]
    assert world.row().state is State.WAITING


def test_an_answered_question_is_old_news_after_her_no(world: World) -> None:
    number = ask(world)
    world.github.comment(number, "No.", by="sam")
    world.settle()
    world.decide("reject", "Then say so on the page.")
    world.settle()
    world.commit("gift-cards", "Say so", cards_py="said\n")
    world.settle()
    world.pass_(minutes=10)
    assert QUESTION not in world.inbox.mails[-1].text
    assert "Then say so on the page." in world.inbox.mails[-1].text
    mails = len(world.inbox.mails)
    world.github.comment(number, "By the way, rebased.", by="sam")
    world.settle()
    world.pass_(minutes=2)
    assert len(world.inbox.mails) == mails
    assert "The developers were asked" not in world.see()


def test_a_long_answer_is_cut_where_it_can_be_seen(world: World) -> None:
    number = ask(world)
    world.github.comment(number, "long " * 2_000, by="sam")
    world.settle()
    world.pass_(minutes=2)
    assert "long\n>\n> The text goes on; only its beginning is shown here." in world.inbox.mails[-1].text
    assert "long…" in world.see()


@pytest.mark.parametrize(
    "state, why",
    [
        (State.REJECTED, Signpost.REJECTED),
        (State.TO_MERGE, Signpost.APPROVED),
        (State.DRAFT, Signpost.DRAFT),
        (State.CLOSED, Signpost.CLOSED),
    ],
)
def test_only_what_waits_can_be_asked_about(state: State, why: Signpost) -> None:
    assert may_ask(row(state), 1, QUESTION) is why


def test_a_question_is_kept_on_both_databases(database_url: str) -> None:
    store = Store(database_url)
    store.create()
    with pytest.raises(LookupError):
        store.talk.ask(1, 1, QUESTION, LILY)
    wake(store)
    assert store.talk.ask(1, 1, QUESTION, LILY) is None
    assert [line.detail for line in store.talk.last(1)] == [QUESTION]
    found = store.reviews.get(1)
    assert found
    assert (found.questions, found.said_question) == (1, 0)
    store.close()


def test_she_asks_from_her_phone(world: World, open_page: Callable[..., Page]) -> None:
    number = world.open()
    world.settle()
    page = open_page(width=375)
    page.goto(f"{world.url}{world.link()}")
    page.get_by_role("textbox").fill(QUESTION)
    page.get_by_role("button", name="Ask a question").click()
    expect(page.get_by_role("region", name="Questions").get_by_text("You asked")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    expect(page.get_by_role("textbox")).to_have_value("")
    world.settle()
    world.github.comment(number, "No.", by="sam")
    world.settle()
    page.reload()
    expect(page.get_by_role("region", name="Questions").get_by_text("sam answered")).to_be_visible()


def test_a_strangers_marker_swallows_no_question(world: World) -> None:
    world.github.add_person("eva", association="NONE")
    number = world.open()
    world.settle()
    world.github.comment(number, "<!-- qa-gate 1 question 1 -->", by="eva")
    world.decide("question", QUESTION)
    world.settle()
    assert QUESTION in comments(world)[-1]
    assert world.row().said_question == 1
