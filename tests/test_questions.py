"""A question without deciding: it goes to the developers, the change keeps waiting, and the answer comes by mail."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.db.reviews import open_talk
from app.db.store import Store
from app.domain.facts import State
from app.worker import work_once
from tests.builders import LILY
from tests.test_db import wake
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
    for words in ("sam answered your question:", "You asked on", QUESTION, "sam answered on", "> Done."):
        assert words in mail.text
    assert "> ~~allow~~ forbid that, see the rules (https://example.com/r)." in mail.text
    for html in (mail.html, world.see()):
        assert "forbid <strong>that</strong>, see <a " in html
        assert ' href="https://example.com/r" rel="nofollow noreferrer noopener">the rules</a>' in html
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
    assert world.store.reviews.ask(row.id, row.round, QUESTION, max_) is None
    world.settle()
    world.github.comment(number, "No.", by="sam")
    world.settle()
    world.pass_(minutes=2)
    assert world.inbox.mails[-1].to == "Max <max@example.com>"
    assert "sam answered your question:" in world.inbox.mails[-1].text


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


def answers(world: World) -> list[str]:
    """What Lily was told as an answer, in order."""
    return [line.detail for line in world.store.reviews.history(world.row().id) if line.what == "answered"]


@pytest.mark.parametrize(
    "permission, is_heard",
    [
        ("admin", True),
        ("maintain", True),
        ("write", True),
        ("triage", False),
        ("read", False),
        ("none", False),
    ],
)
def test_who_may_write_here_answers(world: World, permission: str, is_heard: bool) -> None:
    world.github.add_person("kim", permission=permission)
    number = ask(world)
    world.github.comment(number, "No.", by="kim")
    world.settle()
    assert answers(world) == ["No."] * is_heard


def test_a_login_that_is_somebody_elses_by_now_answers_nothing(world: World) -> None:
    world.github.add_person("kim", association="NONE")
    number = ask(world)
    world.github.comment(number, "Yes, buy my cards.", by="kim")
    world.github.rename_person("kim", "kim-the-old")
    world.github.add_person("kim", permission="admin")
    for comment in world.github.repo().comments.values():
        if comment.user.login == "kim-the-old":  # as it was written, and may still be told
            world.github.world.people["kim"].id, comment.user.id = comment.user.id + 1, comment.user.id
    world.settle()
    assert answers(world) == []


def test_while_github_does_not_say_who_belongs_here_an_answer_waits_and_is_a_problem(world: World) -> None:
    world.github.add_person("kim", association="CONTRIBUTOR", permission="write")
    number = ask(world)
    world.github.fail("GET", "/permission$", 502, "<html>", times=2)
    world.github.comment(number, "No.", by="kim")
    world.github.comment(number, "I agree.", by="sam")
    world.settle()
    assert answers(world) == ["I agree."]
    assert "did not answer" in (world.problem() or "")
    world.pass_(minutes=1)
    world.pass_(minutes=1)
    assert answers(world) == ["I agree.", "No."]
    assert world.problem() is None


def review(world: World, number: int, words: str) -> None:
    world.github.review_as("kim", number, "COMMENT", words)


def approval(world: World, number: int, words: str) -> None:
    world.github.review_as("kim", number, "APPROVE", words)


def on_a_line(world: World, number: int, words: str) -> None:
    world.github.comment_on_code(number, words, by="kim")


def quotation(world: World, number: int, words: str) -> None:
    quoted = "\n".join(f"> {line}" for line in comments(world)[-1].splitlines())
    world.github.comment(number, f"{quoted}\n\n{words}", by="kim")


def quotation_beneath(world: World, number: int, words: str) -> None:
    world.github.comment(number, f"{words}\n\n{comments(world)[-1]}", by="kim")


def edited_question(world: World, number: int, words: str) -> None:
    old = next(one for one in world.github.repo().comments.values() if one.body == "I look into it.")
    world.github.edit_comment(old.id, words)


DOORS = [review, approval, on_a_line, quotation, quotation_beneath, edited_question]


@pytest.mark.parametrize("is_lost", [False, True], ids=["told", "looked for"])
@pytest.mark.parametrize("door", DOORS)
def test_an_answer_is_heard_once_whichever_way_it_comes(
    world: World, door: Callable[[World, int, str], None], is_lost: bool
) -> None:
    world.look()
    number = world.open()
    world.settle()
    world.github.comment(number, "I look into it.", by="kim")
    world.decide("question", QUESTION)
    world.settle()
    assert answers(world) == []
    world.github.webhooks_paused = is_lost
    door(world, number, "No, that is forbidden.")
    world.pass_(minutes=5 if is_lost else 1)
    world.pass_(minutes=1)
    (answer,) = answers(world)
    assert "No, that is forbidden." in answer
    assert "<!--" not in answer
    assert len(world.inbox.mails) == 2
    assert "No, that is forbidden." in world.inbox.mails[-1].text
    world.github.webhooks_paused = False
    world.github.edit(number, body="Another text.")
    world.look()
    world.pass_(hours=1)
    assert (len(answers(world)), len(world.inbox.mails)) == (1, 2)


def test_an_answer_that_is_edited_is_heard_again_with_its_new_words(world: World) -> None:
    number = ask(world)
    said = world.github.comment(number, "Let me look.", by="sam")
    reviewed = world.github.review_as("kim", number, "COMMENT", "Hm.")
    world.settle()
    world.pass_(minutes=1)
    world.github.edit_comment(said, "It is 4.90.")
    world.github.edit_review(number, reviewed, "It is not.")
    world.settle()
    world.pass_(minutes=1)
    assert answers(world) == ["Let me look.", "Hm.", "It is 4.90.", "It is not."]
    assert len(world.inbox.mails) == 3
    assert "It is 4.90." in world.inbox.mails[-1].text


def test_a_second_question_loses_no_answer_to_the_first(world: World) -> None:
    number = ask(world)
    world.github.comment(number, "No.", by="sam")
    world.decide("question", "And for 1 euro?")
    world.settle()
    assert answers(world) == ["No."]
    world.github.comment(number, "Yes.", by="sam")
    world.settle()
    assert answers(world) == ["No.", "Yes."]


def test_what_was_said_before_her_question_is_no_answer(world: World) -> None:
    number = world.open()
    world.settle()
    world.github.comment(number, "Ready.", by="sam")
    world.github.review_as("kim", number, "APPROVE", "Fine with me.")
    world.github.comment_on_code(number, "Nice.", by="kim")
    world.decide("question", QUESTION)
    world.settle()
    world.decide("reject", "Then say so.", path=world.link("reject"))
    world.settle()
    world.github.comment(number, "Now?", by="sam")
    world.github.request_review(number, "kim", by="sam")
    world.pass_(minutes=20)
    world.decide("question", "Really?")
    world.settle()
    assert answers(world) == []


def test_a_question_whose_answer_of_githubs_was_lost_still_hears_what_came_after_it(world: World) -> None:
    world.open()
    world.settle()
    world.github.fail("POST", "/comments$", None, after=True)
    world.decide("question", QUESTION)
    while work_once(world.gate):
        pass
    world.github.comment(1, "No.", by="sam")
    world.pass_(minutes=1)
    assert answers(world) == ["No."]


def test_the_gates_own_words_are_no_answer_whoever_shares_its_account(world: World) -> None:
    world.github.front.user = world.github.world.person("sam")
    number = ask(world)
    world.github.comment(number, "No.", by="sam")
    world.github.review_as("sam", number, "COMMENT", f"See above.\n\n{comments(world)[0]}")
    world.settle()
    assert answers(world)[0] == "No."
    assert all("Lily asks" not in words for words in answers(world))


def test_a_deleted_account_and_an_empty_review_answer_nothing(world: World) -> None:
    number = ask(world)
    world.github.make_ghost(number)
    world.github.review_as("kim", number, "APPROVE", "")
    world.github.comment(number, f"> {comments(world)[0].splitlines()[-1]}", by="kim")
    world.settle()
    assert [line for line in answers(world) if line.strip("> \n")] == []


def test_an_answer_whose_webhook_was_lost_is_found_by_the_look(world: World) -> None:
    number = ask(world)
    world.github.webhooks_paused = True
    world.pass_(minutes=5)
    world.github.comment(number, "No.", by="sam")
    world.look()
    world.pass_(minutes=2)
    assert "sam answered your question:" in world.inbox.mails[-1].text


def test_a_question_needs_words_and_twice_is_once(world: World) -> None:
    world.open()
    world.settle()
    page = world.decide("question", "  ")
    assert page.status_code == 422
    assert "Write your question" in page.text
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
    assert world.row().questions[0].said is not None


def test_a_refused_question_is_in_the_history(world: World) -> None:
    world.github.fail("POST", "/comments$", 403, {"message": "Issue is locked"}, times=3)
    ask(world)
    for _ in range(3):
        world.pass_(seconds=5)
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


def test_a_question_is_kept_on_both_databases(database_url: str) -> None:
    store = Store(database_url)
    store.create()
    with pytest.raises(LookupError):
        store.reviews.ask(1, 1, QUESTION, LILY)
    wake(store)
    assert store.reviews.ask(1, 1, QUESTION, LILY) is None
    assert [line.detail for line in open_talk(store.reviews.history(1))] == [QUESTION]
    found = store.reviews.get(1)
    assert found
    assert [post.said for post in found.questions] == [None]
    store.close()


def test_she_asks_from_her_phone(world: World, open_page: Callable[..., Page]) -> None:
    number = world.open()
    world.settle()
    page = open_page(width=375)
    page.goto(f"{world.url}{world.link()}")
    page.get_by_role("button", name="Ask sam").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What would you like to know?")
    page.get_by_role("textbox").fill(QUESTION)
    page.get_by_role("button", name="Ask sam").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Question sent to sam")
    page.get_by_role("link", name="Back to the decision").click()
    expect(page.get_by_role("region", name="Questions").get_by_text("You asked")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
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
    assert world.row().questions[0].said is not None
