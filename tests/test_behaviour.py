"""Situations of docs/behaviour.md that no story tells: people and GitHub doing what nobody planned for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.approval import Choice
from app.domain.facts import State
from app.links import decide_link
from tests.builders import NOT_YET
from tests.test_life import approved, asked, comments, said, try_for, update_branch, what
from tests.world import SHOP, World

MakeWorld = Callable[..., World]


def held(world: World, **more: str) -> int:
    """Approve a pull request that a check, which never reports, keeps from being merged."""
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    number = approved(world, **more)
    for _ in range(4):
        world.pass_(minutes=1)
    assert (world.row(number).state, said(world, number).split(":")[0]) == (State.TO_MERGE, "success")
    return number


def merge_calls(world: World) -> int:
    """How often GitHub was asked to merge."""
    return len([call for call in world.github.calls if call.method == "PUT" and call.path.endswith("/merge")])


# --- Before the answer --------------------------------------------------------------------------------------


def test_a_new_title_is_taken_in_and_asks_nobody_again(world: World) -> None:
    number = asked(world)
    world.github.edit(number, title="Sell gift cards")
    world.settle()
    row = world.row()
    assert (row.title, row.state, row.round) == ("Sell gift cards", State.WAITING, 1)
    assert len(world.inbox.mails) == 1
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED


def test_a_new_description_is_one_read_and_her_page_shows_both(world: World) -> None:
    number = asked(world)
    calls = len(world.github.calls)
    world.github.edit(number, body="Nothing to see here.")
    world.settle()
    assert (len(world.github.calls), world.row().round, len(world.inbox.mails)) == (calls + 1, 1, 1)
    assert "Nothing to see here." in world.see()
    assert "Customers asked for them." in world.see()


def test_a_question_that_becomes_a_draft_takes_no_answer(world: World) -> None:
    number = asked(world)
    world.github.convert_to_draft(number)
    world.settle()
    assert world.row().state is State.DRAFT
    assert said(world) == "pending: Draft: QA is asked once it’s marked ready for review."
    assert world.decide().status_code == 409
    assert "Not ready for you yet" in world.see()
    assert world.row().decision is None


def test_a_push_to_a_draft_mails_nobody(world: World) -> None:
    number = world.open(draft=True)
    world.settle()
    world.commit("gift-cards", "More", cards_py="more\n")
    world.pass_(hours=2)
    assert (world.row().state, world.inbox.mails) == (State.DRAFT, [])
    assert world.row().head_sha == world.github.pull(number).head_sha


def test_a_review_request_while_she_is_asked_mails_nobody_again(world: World) -> None:
    number = asked(world)
    world.github.request_review(number, "kim")
    world.pass_(hours=1)
    assert (world.row().state, world.row().round, len(world.inbox.mails)) == (State.WAITING, 1, 1)


def test_an_outsider_needs_a_member_once_and_every_push_a_new_answer(world: World) -> None:
    world.github.add_person("eve", association="CONTRIBUTOR")
    fork = world.github.fork(SHOP, "eve")
    world.github.commit(fork, "gift", {"cards.py": "from outside\n"}, "Gift", "eve")
    number = world.github.open_pull_request(SHOP, "gift", title="Gift", author="eve", from_fork=fork)
    world.github.request_review(number, "sam", by="sam")
    world.settle()
    old = world.link()
    world.github.commit(fork, "gift", {"cards.py": "another thing\n"}, "Another thing", "eve")
    world.settle()
    world.decide(path=old)
    world.settle()
    assert (world.row().state, world.row().decision) == (State.TO_ASK, None)
    world.pass_(minutes=10)
    assert (world.row().state, world.row().round, len(world.inbox.mails)) == (State.WAITING, 2, 2)


def test_an_ungated_branch_lets_it_go_and_a_gated_one_asks_again(world: World) -> None:
    world.github.commit(SHOP, "feature", {"feature.py": "feature\n"}, "Feature", "kim")
    number = held(world)
    head = world.github.pull(number).head_sha
    world.github.retarget(number, "feature")
    world.settle()
    assert (world.row().state, world.row().decision) == (State.CLOSED, None)
    assert world.statuses(head)[-1] == "qa-gate/development pending"
    assert "doesn’t need your approval now" in world.see()
    world.github.retarget(number, "development")
    world.settle()
    world.pass_(minutes=10)
    assert (world.row().state, world.row().round, len(world.inbox.mails)) == (State.WAITING, 2, 2)


def test_a_yes_for_one_gate_opens_no_other(world: World) -> None:
    world.github.protect(SHOP, "master", ["qa-gate/master"])
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    first = asked(world)
    second = world.github.open_pull_request(SHOP, "gift-cards", base="master", title="The same, at once")
    world.settle()
    assert world.row(second).state is State.WAITING
    world.decide(path=world.link(mail=0))
    for _ in range(4):
        world.pass_(minutes=1)
    statuses = world.statuses(world.github.pull(first).head_sha)
    assert "qa-gate/development success" in statuses
    assert "qa-gate/master success" not in statuses
    assert (world.row(first).state, world.row(second).state) == (State.TO_MERGE, State.WAITING)
    assert world.merges("master") == 0


def test_a_twin_waits_and_leaves_the_others_success_alone(world: World) -> None:
    first = held(world)
    head = world.github.pull(first).head_sha
    world.github.force_push(SHOP, "same", head)
    second = world.github.open_pull_request(SHOP, "same", title="The same")
    world.settle()
    assert (world.row(second).state, len(world.inbox.mails)) == (State.TO_ASK, 1)
    assert f"#{first}" in world.held(second)
    assert world.statuses(head)[-1] == "qa-gate/development success"
    world.github.close(first)
    world.settle()
    assert world.statuses(head)[-1] == "qa-gate/development pending"
    world.pass_(minutes=10)
    assert (world.row(second).state, len(world.inbox.mails)) == (State.WAITING, 2)


def test_a_rename_from_another_file_asks_again(world: World) -> None:
    same = {"left.py": "one text\n", "right.py": "one text\n"}
    world.github.commit(SHOP, "development", same, "Two alike", "kim")
    world.github.commit(SHOP, "moved", {"left.py": None, "new.py": "one text\n"}, "Move left", "sam")
    world.github.open_pull_request(SHOP, "moved", title="Move")
    world.settle()
    world.github.commit(SHOP, "development", {"other.py": "other\n"}, "Other", "kim")
    update_branch(world)
    world.github.commit(SHOP, "moved", {"left.py": "one text\n", "right.py": None}, "Move right", "sam")
    world.settle()
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)


def test_a_release_is_asked_about_again_even_for_the_same_change(world: World) -> None:
    world.github.commit(SHOP, "development", {"till.py": "till\n"}, "Till", "kim")
    world.github.open_pull_request(SHOP, "development", base="master", title="Release")
    world.settle()
    world.pass_(minutes=10)
    assert (world.row().state, world.row().round) == (State.WAITING, 1)
    world.github.commit(SHOP, "master", {"hotfix.py": "hotfix\n"}, "Hotfix", "kim")
    update_branch(world)
    world.settle()
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)


# --- After the yes ------------------------------------------------------------------------------------------


def test_closed_after_the_yes_is_not_merged_and_the_success_is_taken_back(world: World) -> None:
    number = held(world)
    world.github.close(number)
    world.settle()
    assert (world.row().state, world.row().decision) == (State.CLOSED, None)
    assert said(world) == "pending: Closed. Reopen it to ask QA."
    world.pass_(hours=1)
    assert world.merges() == 0


def test_a_draft_after_the_yes_takes_the_success_back(world: World) -> None:
    number = held(world)
    world.github.convert_to_draft(number)
    world.settle()
    assert (world.row().state, world.row().decision) == (State.DRAFT, None)
    assert said(world).startswith("pending: Draft")
    world.github.ready(number)
    world.settle()
    assert world.row().state is State.TO_ASK
    world.pass_(minutes=10)
    assert (world.row().state, len(world.inbox.mails)) == (State.WAITING, 2)


def test_closed_before_the_gate_heard_of_it_is_never_sent_to_be_merged(world: World) -> None:
    number = asked(world)
    world.github.webhooks_paused = True
    world.github.close(number)
    world.decide()
    world.settle()
    assert (world.row().state, world.row().decision) == (State.CLOSED, None)
    assert merge_calls(world) == 0


def test_merged_by_somebody_under_a_standing_yes_is_no_bypass(world: World) -> None:
    number = asked(world)
    world.github.webhooks_paused = True
    world.decide()
    world.github.merge_as("kim", number)
    world.settle()
    assert (world.row().state, world.row().bypassed, len(world.inbox.mails)) == (State.MERGED, False, 1)
    assert merge_calls(world) == 0


def test_merged_by_somebody_in_the_same_instant_is_found_by_reading(world: World) -> None:
    number = asked(world)

    def be_quicker(method: str, path: str, phase: str) -> None:
        if method == "PUT" and phase == "before" and world.github.pull(number).open:
            world.github.merge_as("kim", number)

    world.github.on_call = be_quicker
    world.decide()
    world.settle()
    assert (world.row().state, world.row().bypassed, merge_calls(world)) == (State.MERGED, False, 1)


def test_the_missing_right_to_merge_is_named_and_the_yes_kept(world: World) -> None:
    asked(world)
    world.github.rights.discard("contents")
    world.github.rights.add("contents:read")
    world.decide()
    try_for(world, 1)
    assert "It needs contents=write." in world.held()
    assert NOT_YET in world.see()
    assert "It needs contents=write." in world.see(world.details())
    assert "contents=write" not in world.see()
    for _ in range(60):
        world.pass_(minutes=1)
    assert 4 <= merge_calls(world) <= 12  # soon at first, then ever later
    world.github.rights.add("contents")
    world.pass_(minutes=59)
    world.pass_(minutes=1)
    assert world.row().state is State.MERGED


def test_a_used_up_rate_limit_is_waited_for_and_nothing_is_asked_meanwhile(world: World) -> None:
    world.github.use_up_rate_limit()
    world.open()
    world.settle()
    world.pass_(minutes=59)
    assert (len(world.github.calls), world.problem()) == (1, "GitHub asks the gate to slow down.")
    world.github.use_up_rate_limit(left=5000)
    world.pass_(minutes=2)
    assert (world.row().state, world.problem()) == (State.WAITING, None)


def close_and_reopen(world: World, number: int) -> None:
    world.github.close(number)
    world.github.reopen(number)


def draft_and_ready(world: World, number: int) -> None:
    world.github.convert_to_draft(number)
    world.github.ready(number)


def retarget_and_back(world: World, number: int) -> None:
    world.github.retarget(number, "master")
    world.github.retarget(number, "development")


@pytest.mark.parametrize("interrupt", [close_and_reopen, draft_and_ready, retarget_and_back])
@pytest.mark.parametrize("is_swapped", [False, True])
def test_what_was_interrupted_between_two_looks_is_asked_about_again(
    world: World, interrupt: Callable[[World, int], None], is_swapped: bool
) -> None:
    number = held(world)
    link = world.link()
    world.github.hold()
    interrupt(world, number)
    world.github.release(lambda held_back: held_back[:: -1 if is_swapped else 1])
    world.settle()
    row = world.row(number)
    assert (row.round, row.decision) == (2, None)
    assert said(world, number).startswith("pending")
    assert "This question is over" in world.see(link)


def test_a_word_of_a_closing_that_is_over_voids_nothing(world: World) -> None:
    number = held(world)
    world.github.hold()
    world.github.close(number)
    world.github.reopen(number)
    world.look()
    world.clock.pass_(minutes=1)
    world.github.edit(number, title="Add gift cards, at last")
    world.github.release(lambda held_back: held_back[::-1])
    world.settle()
    world.pass_(minutes=10)
    round_, mails = world.row(number).round, len(world.inbox.mails)
    world.decide()
    world.settle()
    closed = next(sent for sent in world.github.deliveries if sent.action == "closed")
    assert world.post_webhook("pull_request", closed.payload).status_code == 202
    world.settle()
    row = world.row(number)
    assert (row.round, row.is_approved, len(world.inbox.mails)) == (round_, True, mails)


def new_since(world: World) -> str:
    """What the newest mail calls new since she last looked; "" where it says nothing of it."""
    return world.inbox.mails[-1].text.partition("New since")[2].partition("http")[0]


def test_a_letter_that_never_went_out_is_not_what_she_last_looked_at(world: World) -> None:
    world.inbox.fail(503, "ServiceUnavailable", "down", times=3)
    asked(world)
    world.commit("gift-cards", "Second commit", two_py="2\n")
    for _ in range(6):
        world.pass_(minutes=10)
    (mail,) = world.inbox.mails
    assert "changed this" not in mail.text
    world.inbox.fail(503, "ServiceUnavailable", "down", times=2)
    world.commit("gift-cards", "Third commit", three_py="3\n")
    world.settle()
    world.pass_(minutes=10)
    assert (world.row().state, world.row().round, len(world.inbox.mails)) == (State.WAITING, 3, 1)
    world.commit("gift-cards", "Fourth commit", four_py="4\n")
    for _ in range(4):
        world.pass_(minutes=10)
    assert len(world.inbox.mails) == 2
    assert [f"{word} commit" in new_since(world) for word in ("Second", "Third", "Fourth")] == [
        False,
        True,
        True,
    ]


def test_what_she_decided_on_without_a_letter_is_what_she_last_looked_at(world: World) -> None:
    number = asked(world)
    world.commit("gift-cards", "Second commit", two_py="2\n")
    world.inbox.fail(503, "ServiceUnavailable", "down", times=2)
    world.settle()
    world.pass_(minutes=10)
    assert (world.row(number).round, len(world.inbox.mails)) == (2, 1)
    page = decide_link(world.row(), world.gate.policy.reviewers[0].id, Choice.REJECT)
    path = world.gate.links.decide_url(page, world.clock()).removeprefix(world.url)
    world.decide("reject", "The total is wrong.", path=path)
    world.commit("gift-cards", "Third commit", three_py="3\n")
    for _ in range(4):
        world.pass_(minutes=10)
    assert [f"{word} commit" in new_since(world) for word in ("Second", "Third")] == [False, True]


def test_what_a_list_told_is_what_she_last_looked_at(world: World) -> None:
    world.github.webhooks_paused = True
    world.open()
    world.clock.pass_(hours=1)
    world.look()
    world.pass_(minutes=12)
    world.github.webhooks_paused = False
    assert "for you" in world.inbox.mails[0].subject
    world.commit("gift-cards", "Second commit", two_py="2\n")
    world.settle()
    world.pass_(minutes=10)
    assert "Second commit" in new_since(world)
    assert "Add gift cards" not in new_since(world)


LIMIT = {"message": "You have exceeded a secondary rate limit"}


def test_while_a_limit_lasts_no_row_calls_github_whoever_wakes_it(world: World) -> None:
    asked(world, branch="one"), asked(world, branch="two")
    world.github.fail("GET", "/pulls/", 403, LIMIT, {"Retry-After": "600"})
    world.commit("one", "More", one_py="more\n")
    world.settle()
    calls = len(world.github.calls)
    world.clock.pass_(seconds=30)
    world.commit("one", "Still more", one_py="still more\n")
    world.commit("two", "More", two_py="more\n")
    world.settle()
    world.pass_(seconds=569)
    assert len(world.github.calls) == calls
    world.pass_(seconds=1)
    assert {world.row(number).round for number in (1, 2)} == {2}


def test_after_a_merge_that_met_a_limit_github_is_read_only_when_it_is_over(world: World) -> None:
    asked(world)
    world.github.fail("PUT", "/merge$", 429, LIMIT, {"Retry-After": "600"})
    world.decide()
    world.settle()
    world.pass_(seconds=599)
    assert (world.row().state, world.github.calls[-1].method) == (State.MERGING, "PUT")
    world.pass_(seconds=10)
    assert (world.row().state, world.merges()) == (State.MERGED, 1)


def test_a_required_review_is_the_one_that_the_gate_gives(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development"], approvals=1)
    approved(world)
    world.settle()
    assert world.row().state is State.MERGED


def test_a_required_review_that_the_gate_cannot_give_is_quoted(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development"], approvals=1)
    number = approved(world, author="qa-gate-bot")
    try_for(world, 1)
    assert world.row().state is State.TO_MERGE
    assert NOT_YET in world.see()
    assert "At least 1 approving review is required" in world.see(world.details())
    assert "At least 1 approving review is required" in said(world)
    world.github.review_as("kim", number)
    world.pass_(minutes=10)
    assert world.row().state is State.MERGED


def test_a_conflict_that_github_is_still_finding_out_is_said_soon(world: World) -> None:
    asked(world)
    done: list[str] = []

    def clash(method: str, path: str, phase: str) -> None:
        # After the gate's last look: GitHub refuses the merge, and finds out about the conflict only then.
        if method == "PUT" and phase == "before" and not done:
            done.append(path)
            world.github.commit(SHOP, "development", {"cards.py": "something else\n"}, "Clash", "kim")

    world.github.on_call = clash
    world.decide()
    world.settle()
    assert (done != [], world.held()) == (True, "")
    world.pass_(seconds=5)
    assert "changed the same part" in world.held()
    assert len(comments(world)) == 1


def test_a_success_is_taken_back_however_often_that_fails(world: World) -> None:
    number = held(world)
    old = world.github.pull(number).head_sha
    world.github.fail("POST", f"/statuses/{old}", 503, times=3)
    world.commit("gift-cards", "More", cards_py="more\n")
    world.settle()
    assert world.statuses(old)[-1] == "qa-gate/development success"
    assert world.successes() == [f"{old} qa-gate/development"]
    assert "still shows the withdrawn approval" not in world.see()
    world.clock.pass_(seconds=30)
    assert "still shows the withdrawn approval" in world.see()
    for _ in range(4):
        world.pass_(minutes=1)
    assert world.statuses(old)[-1] == "qa-gate/development pending"
    assert world.successes() == []
    assert "still shows the withdrawn approval" not in world.see()


def test_a_release_behind_its_branch_is_left_to_the_developer(world: World) -> None:
    world.github.protect(SHOP, "master", ["qa-gate/master"], strict=True)
    world.github.commit(SHOP, "development", {"till.py": "till\n"}, "Till", "kim")
    world.github.commit(SHOP, "master", {"hotfix.py": "hotfix\n"}, "Hotfix", "kim")
    number = world.github.open_pull_request(SHOP, "development", base="master", title="Release")
    head = world.github.pull(number).head_sha
    world.settle()
    assert world.inbox.mails == []
    world.pass_(minutes=10)
    world.decide()
    for _ in range(4):
        world.pass_(minutes=1)
    assert "It’s behind master." in world.held()
    (comment,) = comments(world)
    assert "It’s behind master." in comment
    assert world.github.pull(number).head_sha == head


def test_a_review_whose_answer_was_lost_is_not_given_twice(world: World) -> None:
    number = asked(world)
    world.github.fail("POST", "/reviews$", None, after=True)
    world.decide()
    for _ in range(4):
        world.pass_(minutes=1)
    assert world.row().state is State.MERGED
    assert len(world.github.pull(number).reviews) == 1


# --- Around the gate ----------------------------------------------------------------------------------------


def test_every_reviewer_hears_of_a_merge_around_the_gate(make_world: MakeWorld) -> None:
    world = make_world(QA_REVIEWERS="Lily <lily@example.com>, Max <max@example.com>")
    number = asked(world)
    world.github.merge_as("kim", number)
    world.settle()
    assert "kim" in world.inbox.mails[-1].text
    world.look()
    world.pass_(hours=2)
    told = [mail.to for mail in world.inbox.mails if mail.preview.startswith("Not approved by QA")]
    assert sorted(told) == ["Lily <lily@example.com>", "Max <max@example.com>"]
    assert said(world) == "pending: Merged without QA’s approval."
    assert what(world)[-1] == "bypassed"


def test_another_reviewer_than_the_one_asked_may_answer(make_world: MakeWorld) -> None:
    world = make_world(QA_REVIEWERS="Lily <lily@example.com>, Max <max@example.com>")
    asked(world)
    other = world.gate.policy.reviewers[1]
    link = decide_link(world.row(), other.id, Choice.REJECT)
    url = world.gate.links.decide_url(link, world.clock())
    world.decide("reject", "Not yet.", path=url.removeprefix(world.url))
    world.settle()
    assert (world.row().state, said(world)) == (State.REJECTED, "failure: Changes requested by Max: Not yet.")
