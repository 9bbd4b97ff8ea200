"""Which repository: links, answers and merges belong to the id that they were made for, whatever has its name now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.domain.facts import State
from app.domain.problems import What
from app.jobs.poll import set_looks
from demo.github.state import Repo
from tests.desk import said
from tests.test_life import approved, asked
from tests.world import SHOP, World

MakeWorld = Callable[..., World]
STORE = "acme/store"
LET_GO = "This change isn’t decided here now"


def configure(world: World, *repositories: str, **settings: str) -> None:
    """Start the gate anew with other repositories or branches in its settings."""
    policy = replace(world.gate.policy, repositories=repositories, **settings)
    object.__setattr__(world.gate, "policy", policy)


def restart(world: World) -> None:
    """What a worker does at its start."""
    set_looks(world.gate)
    world.settle()


def another(world: World) -> tuple[Repo, int]:
    """Delete the shop, and make another with its name and a pull request with the same number."""
    world.github.delete_repository(SHOP)
    other = world.github.create_repository(SHOP)
    world.github.commit(other, "gift-cards", {"evil.py": "evil\n"}, "Evil", "kim")
    return other, world.github.open_pull_request(other, "gift-cards", title="Evil", author="kim")


def untouched(other: Repo) -> bool:
    """Whether the gate said and merged nothing there."""
    (pull,) = other.pulls.values()
    return pull.open and not pull.reviews and not other.comments and not other.statuses


# --- Another repository under the name ----------------------------------------------------------------------


@pytest.mark.parametrize("is_trusted", [False, True])
def test_an_old_link_never_acts_on_another_repository_with_the_name(world: World, is_trusted: bool) -> None:
    asked(world)
    link = world.link()
    world.github.hold()
    other, _ = another(world)
    if is_trusted:
        assert world.store.repositories.trust(SHOP)
    world.browser.post(link, data={"choice": "approve"})
    world.settle()
    assert untouched(other)


def test_once_another_repository_is_trusted_the_old_links_are_refused_in_words(world: World) -> None:
    asked(world)
    link = world.link()
    other, number = another(world)
    world.settle()
    assert What.TAKEN in {one.what for one in world.store.problems.troubles([SHOP])}
    assert world.store.repositories.trust(SHOP)
    restart(world)
    answer = world.browser.post(link, data={"choice": "approve"})
    assert (answer.status_code, LET_GO in said(answer)) == (410, True)
    assert LET_GO in said(world.browser.get(link))
    rows = {row.repository_id: row for row in world.all_rows()}
    assert rows.pop(other.id).state is State.WAITING
    (old,) = rows.values()
    assert (old.state, old.decision) == (State.CLOSED, None)
    assert [one.state for one in other.statuses[other.pulls[number].head_sha]] == ["pending"]


def test_an_approval_that_waits_is_not_spent_on_another_repository(world: World) -> None:
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    approved(world)
    world.settle()
    world.github.hold()
    other, _ = another(world)
    for _ in range(3):
        world.pass_(hours=2)
    assert untouched(other)
    assert world.row().state is State.TO_MERGE


def test_a_question_is_not_told_to_another_repository(world: World) -> None:
    asked(world)
    link = world.link()
    world.github.hold()
    other, _ = another(world)
    world.browser.post(link, data={"choice": "question", "note": "Where do I find it?"})
    world.settle()
    assert untouched(other)


def test_a_release_is_not_opened_in_another_repository(world: World) -> None:
    world.open()
    world.settle()
    world.github.hold()
    world.github.delete_repository(SHOP)
    other = world.github.create_repository(SHOP)
    world.github.commit(other, "development", {"till.py": "till\n"}, "Mend the till", "kim")
    restart(world)
    world.pass_(hours=2)
    assert other.pulls == {}


# --- Renamed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [STORE, "other/shop", "acme/Shop"])
@pytest.mark.parametrize("is_corrected", [False, True])
def test_an_approval_given_around_a_rename_is_merged(world: World, name: str, is_corrected: bool) -> None:
    asked(world)
    world.github.rename(SHOP, name)
    world.decide()
    if is_corrected:
        configure(world, name)
    world.settle()
    assert world.row().state is State.MERGED
    assert world.row().repository == name


def test_a_renamed_repository_goes_on_by_itself(world: World) -> None:
    world.open()
    world.settle()
    world.github.rename(SHOP, STORE)
    world.github.commit(STORE, "more", {"more.py": "more\n"}, "More", "sam")
    number = world.github.open_pull_request(STORE, "more", title="More")
    world.settle()
    assert world.row(number).state is State.WAITING
    world.decide()
    world.settle()
    assert world.row(number).state is State.MERGED
    assert {row.repository for row in world.all_rows()} == {STORE}


def test_the_look_at_a_renamed_repository_finds_what_no_webhook_told(world: World) -> None:
    world.open()
    world.settle()
    world.look()
    world.github.rename(SHOP, STORE)
    world.github.hold()
    world.clock.pass_(minutes=1)
    world.github.commit(STORE, "more", {"more.py": "more\n"}, "More", "sam")
    number = world.github.open_pull_request(STORE, "more", title="More")
    world.look()
    world.pass_(minutes=5)
    assert world.row(number).state is State.WAITING


def test_a_list_that_stays_another_repositorys_is_asked_for_ever_later(world: World) -> None:
    world.open()
    world.settle()
    listed = world.gate.github.call(SHOP, "GET", "/pulls", list).data
    for pull in listed:
        pull["base"]["repo"]["full_name"] = STORE
    fault = world.github.fail("GET", "/pulls$", 200, listed, times=None)
    world.look()
    for _ in range(60):
        world.pass_(seconds=10)
    assert 3 <= fault.met <= 12


def test_a_renamed_repositorys_release_goes_on(world: World) -> None:
    world.open()
    world.settle()
    world.github.rename(SHOP, STORE)
    world.github.commit(STORE, "development", {"till.py": "till\n"}, "Mend the till", "kim")
    world.settle()
    world.pass_(minutes=1)
    world.pass_(minutes=1)
    assert "Release of 1 change" in [pull.title for pull in world.github.repo(STORE).pulls.values()]


def test_a_renamed_repository_goes_on_beside_another_that_took_its_name(world: World) -> None:
    asked(world)
    link, shop = world.link(), world.github.repo(SHOP)
    world.github.rename(SHOP, STORE)
    world.github.commit(STORE, "more", {"more.py": "more\n"}, "More", "sam")
    world.github.open_pull_request(STORE, "more", title="More")
    world.settle()
    other = world.github.create_repository(SHOP)
    world.github.commit(other, "gift-cards", {"evil.py": "evil\n"}, "Evil", "kim")
    world.github.open_pull_request(other, "gift-cards", title="Evil", author="kim")
    world.decide(path=link)
    world.settle()
    assert untouched(other)
    assert shop.pulls[1].merged


# --- Taken out of the settings ------------------------------------------------------------------------------


def two(make_world: MakeWorld) -> World:
    """A gate of two repositories, with one question in each; that of the first is the first mail."""
    world = make_world(GITHUB_REPOSITORIES=f"{SHOP},acme/tools")
    world.github.create_repository("acme/tools")
    world.open()
    world.settle()
    world.github.commit("acme/tools", "hammer", {"hammer.py": "hammer\n"}, "Hammer", "sam")
    world.github.open_pull_request("acme/tools", "hammer", title="Hammer")
    world.settle()
    world.look()
    assert [row.state for row in world.all_rows()] == [State.WAITING, State.WAITING]
    return world


def test_a_repository_taken_out_of_the_settings_is_refused_in_words(make_world: MakeWorld) -> None:
    world = two(make_world)
    link = world.link(mail=0)
    configure(world, "acme/tools")
    restart(world)
    for answer in (world.browser.get(link), world.browser.post(link, data={"choice": "approve"})):
        assert (answer.status_code, LET_GO in said(answer)) == (410, True)
    world.settle()
    first, second = world.all_rows()
    assert (first.state, first.decision, second.state) == (State.CLOSED, None, State.WAITING)
    assert world.github.pull(1, SHOP).open


def test_an_approval_is_not_merged_once_its_repository_is_taken_out(make_world: MakeWorld) -> None:
    world = two(make_world)
    world.github.protect(SHOP, "development", ["qa-gate/development", "build"])
    world.decide(path=world.link(mail=0))
    world.settle()
    head = world.github.pull(1, SHOP).head_sha
    configure(world, "acme/tools")
    restart(world)
    world.github.set_check(SHOP, head, "build")
    world.pass_(hours=2)
    assert world.github.pull(1, SHOP).open
    assert world.all_rows()[0].state is State.CLOSED
    assert world.statuses(head)[-1] == "qa-gate/development pending"


def test_an_answer_just_before_its_repository_is_taken_out_merges_nothing(make_world: MakeWorld) -> None:
    world = two(make_world)
    world.decide(path=world.link(mail=0))
    configure(world, "acme/tools")
    world.settle()
    assert world.github.pull(1, SHOP).open
    assert world.all_rows()[0].state is State.CLOSED


def test_one_replaced_by_a_repository_that_is_new_to_the_gate_merges_nothing(make_world: MakeWorld) -> None:
    world = two(make_world)
    world.github.create_repository("acme/new")
    world.decide(path=world.link(mail=0))
    configure(world, "acme/tools", "acme/new")
    world.settle()
    assert world.github.pull(1, SHOP).open
    assert world.all_rows()[0].state is State.CLOSED


def test_a_repository_that_comes_back_into_the_settings_is_asked_about_again(make_world: MakeWorld) -> None:
    world = two(make_world)
    link = world.link(mail=0)
    configure(world, "acme/tools")
    restart(world)
    configure(world, SHOP, "acme/tools")
    restart(world)
    world.pass_(minutes=10)
    first = world.all_rows()[0]
    assert (first.state, first.round) == (State.WAITING, 2)
    world.decide(path=link)
    world.settle()
    assert world.all_rows()[0].state is State.WAITING


def test_what_waits_for_a_branch_that_is_gated_no_more_is_let_go_and_asked_about_when_it_is_again(
    world: World,
) -> None:
    world.open()
    world.settle()
    world.look()
    configure(world, SHOP, development_branch="trunk")
    restart(world)
    assert world.row().state is State.CLOSED
    configure(world, SHOP, development_branch="development")
    restart(world)
    world.pass_(minutes=10)
    assert (world.row().state, world.row().round) == (State.WAITING, 2)


def test_what_is_open_into_a_branch_that_is_gated_from_now_on_is_asked_about(make_world: MakeWorld) -> None:
    world = make_world(RELEASE_BRANCH="")
    hotfix = world.open(base="master")
    world.look()
    world.pass_(minutes=30)
    other = world.open("other")
    world.pass_(minutes=30)
    assert [row.number for row in world.all_rows()] == [other]
    configure(world, SHOP, release_branch="master")
    world.github.webhooks_paused = True
    world.github.close(other)
    restart(world)
    world.pass_(minutes=30)
    found = {row.number: row.state for row in world.all_rows()}
    assert found == {hotfix: State.WAITING, other: State.CLOSED}


def test_the_settings_may_spell_a_name_in_any_case(make_world: MakeWorld) -> None:
    world = make_world(GITHUB_REPOSITORIES="Acme/SHOP")
    asked(world)
    world.look()
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED


# --- Read before writing ------------------------------------------------------------------------------------


def test_each_step_reads_before_it_writes(world: World) -> None:
    asked(world)
    world.github.calls.clear()
    world.decide()
    world.settle()
    made = [f"{call.method} {call.path.rpartition('/')[2]}" for call in world.github.calls]
    head = world.row().head_sha
    assert made == [
        "GET 1",
        f"POST {head}",
        "POST reviews",
        "GET 1",
        f"GET development...{head}",
        "PUT merge",
    ]
