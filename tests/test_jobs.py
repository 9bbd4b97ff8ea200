"""The story, step by step, on real protocols: what GitHub is told, what Lily gets, what is merged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.facts import State
from tests.world import SHOP, World


@pytest.fixture
def world(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from _world(tmp_path, database_url, monkeypatch)


@pytest.fixture
def small_world(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """On SQLite only, for what no database changes."""
    yield from _world(tmp_path, sqlite_url, monkeypatch)


def _world(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Iterator[World]:
    world = World(tmp_path / "git", url, monkeypatch, **settings)
    yield world
    world.stop()


# --- The main job -------------------------------------------------------------------------------------------


def test_a_plain_life_ends_merged_with_at_most_nine_calls(world: World) -> None:
    number = world.open()
    head = world.github.pull(number).head_sha
    world.settle()
    assert world.row().state is State.WAITING
    assert world.statuses(head) == ["qa-gate/development pending"]
    assert [mail.to for mail in world.inbox.mails] == ["Lily <lily@example.com>"]
    world.decide()
    world.settle()
    row = world.row()
    assert (row.state, row.bypassed, row.rev) == (State.MERGED, False, row.seen_rev)
    newest = world.github.log(SHOP, "development")[0]
    assert (newest.sha, newest.parents[1]) == (row.merge_commit, head)
    assert world.statuses(head) == ["qa-gate/development pending", "qa-gate/development success"]
    (review,) = world.github.pull(number).reviews
    assert (review.state, review.commit_id) == ("APPROVED", head)
    assert "Lily" in review.body
    assert len(world.github.calls) <= 9, world.github.calls
    assert len(world.inbox.mails) == 1


def test_the_closed_webhook_after_the_merge_costs_no_call(world: World) -> None:
    world.open()
    world.settle()
    world.decide()
    world.settle()
    before = len(world.github.calls)
    world.github.redeliver(world.github.deliveries[-1].id)
    world.settle()
    assert len(world.github.calls) == before


def test_a_rejection_says_why_where_the_developer_looks(world: World) -> None:
    number = world.open()
    head = world.github.pull(number).head_sha
    world.settle()
    world.decide("reject", "The total is wrong for two cards.")
    world.settle()
    assert world.row().state is State.REJECTED
    assert world.statuses(head)[-1] == "qa-gate/development failure"
    (review,) = world.github.pull(number).reviews
    assert review.state == "CHANGES_REQUESTED"
    assert "The total is wrong for two cards." in review.body
    assert world.merges() == 0


def test_on_ones_own_pull_request_the_same_words_are_a_comment(small_world: World) -> None:
    number = small_world.open(author="qa-gate-bot")
    small_world.settle()
    small_world.decide("reject", "The total is wrong.")
    small_world.settle()
    assert small_world.github.pull(number).reviews == []
    (comment,) = small_world.github.repo().comments.values()
    assert "The total is wrong." in comment.body
    small_world.commit("gift-cards", "Mend the total", cards_py="mended\n")
    small_world.settle()
    small_world.clock.pass_(minutes=11)
    small_world.settle()
    small_world.decide()
    small_world.settle()
    assert small_world.row().state is State.MERGED
    assert len(small_world.github.repo().comments.values()) == 2


def test_a_push_after_the_mail_asks_again_and_the_old_link_is_powerless(world: World) -> None:
    number = world.open()
    world.settle()
    old = world.link()
    new_head = world.commit("gift-cards", "Round the total", cards_py="rounded\n")
    world.settle()
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)
    answer = world.decide(path=old)
    assert world.row().decision is None
    assert "There’s a newer version" in world.see(old)
    assert answer.status_code in (303, 409)
    world.clock.pass_(minutes=10)
    world.settle()
    assert world.row().state is State.WAITING
    assert len(world.inbox.mails) == 2
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED
    assert world.github.log(SHOP, "development")[0].parents[1] == new_head
    assert world.github.pull(number).merged


def test_five_pushes_make_one_letter(small_world: World) -> None:
    small_world.open()
    small_world.settle()
    for number in range(5):
        small_world.commit("gift-cards", f"Change {number}", cards_py=f"{number}\n")
        small_world.settle()
        small_world.clock.pass_(minutes=5)
    small_world.settle()
    assert len(small_world.inbox.mails) == 1
    small_world.clock.pass_(minutes=6)
    small_world.settle()
    assert len(small_world.inbox.mails) == 2


def test_a_push_that_is_not_known_yet_is_never_merged_unseen(world: World) -> None:
    world.open()
    world.settle()
    world.github.webhooks_paused = True
    world.commit("gift-cards", "Slip this in", cards_py="slipped in\n")
    world.decide()
    world.settle()
    assert (world.row().state, world.row().round, world.row().decision) == (State.TO_ASK, 2, None)
    assert world.merges() == 0


def test_a_push_between_the_last_read_and_the_merge_is_never_merged(small_world: World) -> None:
    world = small_world
    world.open()
    world.settle()
    pushed: list[str] = []

    def push_in_between(method: str, path: str, phase: str) -> None:
        if method == "PUT" and path.endswith("/merge") and phase == "before" and not pushed:
            pushed.append(world.commit("gift-cards", "Slip this in", cards_py="slipped in\n"))

    world.github.on_call = push_in_between
    world.decide()
    world.settle()
    world.clock.pass_(minutes=1)
    world.settle()
    assert pushed
    assert (world.row().state, world.row().round) == (State.TO_ASK, 2)
    assert world.merges() == 0


def test_a_success_is_taken_back_when_the_head_moves(small_world: World) -> None:
    world = small_world
    number = world.open()
    old = world.github.pull(number).head_sha
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    world.settle()
    world.decide()
    for _ in range(12):
        world.pass_(seconds=15)
    assert world.row().state is State.TO_MERGE
    assert "never reported (build)" in world.held()
    new = world.commit("gift-cards", "More", cards_py="more\n")
    world.settle()
    assert world.statuses(old)[-1] == "qa-gate/development pending"
    assert world.statuses(new) == ["qa-gate/development pending"]
    assert world.successes() == []


@pytest.mark.parametrize("method,last", [("squash", "pending"), ("rebase", "pending"), ("merge", "success")])
def test_every_merge_method_merges_and_leaves_no_loose_success(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, method: str, last: str
) -> None:
    for world in _world(tmp_path, sqlite_url, monkeypatch, MERGE_METHOD=method):
        number = world.open()
        head = world.github.pull(number).head_sha
        world.settle()
        world.decide()
        world.settle()
        assert world.row().state is State.MERGED
        assert world.statuses(head)[-1] == f"qa-gate/development {last}"
        assert world.merges() == 1


# --- What GitHub may say ------------------------------------------------------------------------------------


def test_a_merge_that_was_made_but_not_answered_is_not_sent_again(world: World) -> None:
    world.open()
    world.settle()
    world.github.fail("PUT", "/merge$", None, after=True)
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED
    assert not world.row().bypassed
    assert len([call for call in world.github.calls if call.method == "PUT"]) == 1


def test_a_merge_that_was_not_made_is_sent_after_reading(world: World) -> None:
    world.open()
    world.settle()
    world.github.fail("PUT", "/merge$", 502)
    world.decide()
    world.settle()
    assert world.row().state is State.TO_MERGE
    world.clock.pass_(minutes=1)
    world.settle()
    assert world.row().state is State.MERGED


def test_a_merge_stays_unknown_until_github_can_be_read(world: World) -> None:
    world.open()
    world.settle()

    def go_away(method: str, path: str, phase: str) -> None:
        if method == "PUT" and phase == "after":
            world.github.fail("GET", ".*", 503, times=3)

    world.github.on_call = go_away
    world.github.fail("PUT", "/merge$", None, after=True)
    world.decide()
    world.settle()
    assert world.row().state is State.MERGING
    assert world.decide("take_back").status_code == 409
    for _ in range(4):
        world.clock.pass_(minutes=15)
        world.settle()
    assert (world.row().state, world.row().bypassed) == (State.MERGED, False)
    assert len([call for call in world.github.calls if call.method == "PUT"]) == 1


def test_a_conflict_is_said_in_plain_words_and_not_sent(small_world: World) -> None:
    world = small_world
    world.open()
    world.settle()
    world.github.commit(SHOP, "development", {"cards.py": "something else\n"}, "Clash", "kim")
    world.decide()
    world.settle()
    assert world.row().state is State.TO_MERGE
    assert "changed the same part" in world.held()
    assert "changed the same part" in world.see()
    assert "changed the same part" in (
        world.github.repo().statuses[world.row().head_sha][-1].description or ""
    )


def test_github_being_down_for_hours_loses_nothing(world: World) -> None:
    world.github.fail("GET", ".*", 503, times=50)
    world.open()
    world.settle()
    assert world.problem()
    for _ in range(8):
        world.clock.pass_(minutes=16)
        world.settle()
    world.github.front.failures.clear()
    world.clock.pass_(minutes=16)
    world.settle()
    assert world.row().state is State.WAITING
    assert world.problem() is None
    assert len(world.inbox.mails) == 1


def test_a_rate_limit_is_honoured_to_the_second(small_world: World) -> None:
    world = small_world
    world.github.fail(
        "GET", "/pulls/", 403, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "77"}
    )
    world.open()
    world.settle()
    world.clock.pass_(seconds=76)
    world.settle()
    assert len(world.github.calls) == 1
    world.clock.pass_(seconds=1)
    world.settle()
    assert world.row().state is State.WAITING


def test_missing_rights_are_said_and_tried_hourly(small_world: World) -> None:
    world = small_world
    world.github.rights.discard("statuses")
    world.open()
    world.settle()
    assert world.row().state is State.WAITING
    assert world.problem()
    assert len(world.inbox.mails) == 1
    world.github.rights.add("statuses")
    world.clock.pass_(hours=1)
    world.settle()
    assert world.problem() is None


def test_of_two_pull_requests_that_get_the_same_head_at_once_the_first_is_asked_about(
    small_world: World,
) -> None:
    world = small_world
    world.open("one")
    world.open("two")
    world.settle()
    head = world.github.commit(SHOP, "one", {"new.py": "new\n"}, "More", "sam")
    world.github.force_push(SHOP, "two", head)
    world.settle()
    world.pass_(minutes=10)
    assert [world.row(number).state for number in (1, 2)] == [State.WAITING, State.TO_ASK]
    assert "#1" in world.held(2)


def test_a_draft_is_asked_about_when_it_is_ready(small_world: World) -> None:
    world = small_world
    number = world.open(draft=True)
    world.settle()
    assert world.row().state is State.DRAFT
    assert world.inbox.mails == []
    world.github.ready(number)
    world.settle()
    assert world.row().state is State.WAITING
    assert len(world.inbox.mails) == 1


def test_a_closed_one_is_asked_about_again_when_reopened(small_world: World) -> None:
    world = small_world
    number = world.open()
    world.settle()
    world.github.close(number)
    world.settle()
    assert world.row().state is State.CLOSED
    assert "closed" in world.see()
    world.github.reopen(number)
    world.settle()
    world.clock.pass_(minutes=11)
    world.settle()
    assert (world.row().state, world.row().round) == (State.WAITING, 2)


# --- Mail ---------------------------------------------------------------------------------------------------


def test_ses_being_down_delays_the_letter_and_nothing_else(small_world: World) -> None:
    world = small_world
    world.inbox.fail(503, "ServiceUnavailable", "down", times=2)
    world.open()
    world.settle()
    assert world.row().state is State.WAITING
    assert world.inbox.mails == []
    world.clock.pass_(minutes=1)
    world.settle()
    world.clock.pass_(minutes=1)
    world.settle()
    assert len(world.inbox.mails) == 1


def test_an_overtaken_letter_is_never_sent(small_world: World) -> None:
    world = small_world
    world.inbox.fail(503, "ServiceUnavailable", "down", times=1)
    number = world.open()
    world.settle()
    world.github.close(number)
    world.settle()
    world.clock.pass_(minutes=5)
    world.settle()
    assert world.inbox.mails == []


def test_the_real_example_payload_becomes_a_mail_with_its_title_and_author(small_world: World) -> None:
    world = small_world
    payload = json.loads((Path(__file__).parent / "payloads" / "pull_request.opened.json").read_text())
    told = payload["pull_request"]
    world.github.webhooks_paused = True
    number = world.open(title=told["title"], body=told["body"], author=told["user"]["login"])
    repository = {**payload["repository"], "id": world.github.repo().id, "full_name": SHOP}
    told["number"], told["head"]["sha"] = number, world.github.pull(number).head_sha
    told["base"] |= {"ref": "development", "repo": repository}
    told["head"]["repo"] = payload["repository"] = repository
    assert world.post_webhook("pull_request", payload).status_code == 202
    world.settle()
    (mail,) = world.inbox.mails
    for part in (mail.text, mail.html):
        assert told["title"] in part
        assert told["user"]["login"] in part
