"""The calls about branches and the release pull request, against the stand-in GitHub over real git."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.github.answers import Refused, TryAgain
from app.github.client import GitHub
from demo.github import PretendGitHub

SHOP, TOKEN = "acme/shop", "a-token-of-the-pretend-github"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[PretendGitHub]:
    github = PretendGitHub(tmp_path, token=TOKEN, webhook_secret="s").start()
    github.create_repository(SHOP)
    yield github
    github.stop()


@pytest.fixture
def here(there: PretendGitHub) -> GitHub:
    return GitHub(there.url, token=TOKEN)


def commit(there: PretendGitHub, number: int = 1, branch: str = "development") -> list[str]:
    steps = [({f"{branch}-{one}.txt": f"{one}\n"}, f"Commit {one}") for one in range(number)]
    return there.commits(SHOP, branch, steps)


def test_steps_name_their_parents_and_the_head(there: PretendGitHub, here: GitHub) -> None:
    first, second = commit(there, 2)
    steps = here.steps(SHOP, "master", "development")
    assert [(step.sha, step.message) for step in steps.steps] == [(first, "Commit 0"), (second, "Commit 1")]
    assert steps.steps[1].parents == (first,)
    assert (steps.head, steps.is_empty, steps.is_unchanged) == (second, False, False)
    assert steps.merge_base == there.repo().git.branches["master"]


def test_more_than_one_page_is_read_whole(there: PretendGitHub, here: GitHub) -> None:
    made = commit(there, 255)
    pages: list[int] = []
    steps = here.steps(SHOP, "master", "development", on_page=lambda: pages.append(1))
    assert [step.sha for step in steps.steps] == made
    paths = [call.path.rpartition("/shop/")[2] for call in there.calls]
    root = there.repo().git.branches["master"]
    assert (len(pages), paths) == (
        1,
        ["compare/master...development", "branches/development", f"compare/{root}...{made[-1]}"],
    )
    assert here.steps(SHOP, root, made[-1]).steps == steps.steps
    assert len(there.calls) == 5


def test_a_branch_that_moves_between_two_pages_is_read_as_it_stood_before(
    there: PretendGitHub, here: GitHub
) -> None:
    made = commit(there, 252)
    steps = here.steps(
        SHOP, "master", "development", on_page=lambda: commit(there, 1, "development") and None
    )
    assert [step.sha for step in steps.steps] == made


@pytest.mark.parametrize("kind", ["moved", "rewritten", "master moved"])
def test_a_branch_that_moves_right_after_the_first_page_is_read_whole_or_again(
    there: PretendGitHub, here: GitHub, kind: str
) -> None:
    made = commit(there, 252)
    git, shown = there.repo().git, iter(["first"])

    def move(method: str, path: str, phase: str) -> None:
        if "/compare/" in path and phase == "after" and next(shown, None):
            if kind == "moved":
                made.extend(commit(there))
            elif kind == "rewritten":
                there.force_push(SHOP, "other", git.branches["master"])
                there.force_push(SHOP, "development", commit(there, 252, "other")[-1])
            else:
                there.force_push(SHOP, "master", made[0])

    there.on_call = move
    if kind == "rewritten":
        with pytest.raises(TryAgain):
            here.steps(SHOP, "master", "development")
    else:
        assert [step.sha for step in here.steps(SHOP, "master", "development").steps] == made


def test_all_commits_of_a_change_are_kept_and_its_merges_counted(there: PretendGitHub, here: GitHub) -> None:
    made = commit(there, 255, "cards")
    commit(there)
    git = there.repo().git
    parents = (made[-1], git.branches["development"])
    signed = there.world.signature(there.world.person("sam"))
    tree = git.merge(*parents)
    assert tree
    head = git.write("refs/updated", parents, tree, "Merge development", signed)
    change, steps = here.compared(SHOP, "development", head)
    assert change.shas == (*made, head)
    assert (len(change.commits), change.merges, change.is_unique) == (250, 1, True)
    assert (steps.base, steps.head) == (git.branches["development"], head)


def test_only_a_merge_into_the_branch_has_brought_a_commit(there: PretendGitHub, here: GitHub) -> None:
    (sha,) = commit(there, branch="gift-cards")
    number = there.open_pull_request(SHOP, "gift-cards", title="Add gift cards")
    assert here.brought_by(SHOP, sha, "development") is None
    merge = there.merge_as("kim", number)
    there.open_pull_request(SHOP, "development", "master", title="Release")
    brought = here.brought_by(SHOP, merge, "development")
    assert brought is not None
    assert (brought.number, brought.title) == (number, "Add gift cards")
    assert here.brought_by(SHOP, merge, "master") is None


def test_one_is_opened_edited_and_closed(there: PretendGitHub, here: GitHub) -> None:
    commit(there)
    number = here.open_pull(SHOP, "development", "master", "Release", "It holds one.")
    here.edit_pull(SHOP, number, body="It holds two.")
    pull = there.pull(number)
    assert (pull.title, pull.body, pull.state) == ("Release", "It holds two.", "open")
    here.edit_pull(SHOP, number, state="closed")
    assert pull.state == "closed"


def test_what_github_says_to_a_second_or_an_empty_one_is_understood(
    there: PretendGitHub, here: GitHub
) -> None:
    wish: tuple[Any, ...] = (SHOP, "development", "master", "Release", "")
    with pytest.raises(Refused) as empty:
        here.open_pull(*wish)
    commit(there)
    here.open_pull(*wish)
    with pytest.raises(Refused) as second:
        here.open_pull(*wish)
    assert "No commits between master and development" in empty.value.reason
    assert "A pull request already exists for acme:development." in second.value.reason
    assert (empty.value.kind, second.value.kind) == ("invalid", "invalid")


def test_a_branch_and_a_repository_are_told_by_what_never_changes(there: PretendGitHub, here: GitHub) -> None:
    (sha,) = commit(there)
    assert here.branch_head(SHOP, "development") == sha
    assert here.identity(SHOP) == (there.repo().id, SHOP)
