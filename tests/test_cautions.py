"""What could fool her: judged by rules, said first in mail, text part and page; and what was edited afterwards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.domain.cautions import CautionKind, cautions
from app.domain.facts import Change, ChangedFile, Commit, Snapshot, words_digest
from tests.builders import BASE, HEAD, pull
from tests.world import SHOP, World


def file(
    path: str = "shop/cards.py", status: str = "modified", patch: str | None = "@@", **more: Any
) -> ChangedFile:
    known = {"additions": 1, "deletions": 0, "patch": patch, **more}
    return ChangedFile(path, status, **known)


def found(*files: ChangedFile, **facts: Any) -> dict[CautionKind, tuple[str, ...]]:
    commits = (Commit(HEAD, "Add gift cards", "sam"),)
    asked = Snapshot(pull(**{"changed_files": len(files), **facts}), Change(BASE, commits, files))
    return {caution.kind: caution.names for caution in cautions(asked)}


# --- The rules ----------------------------------------------------------------------------------------------


def test_a_plain_change_has_none() -> None:
    assert found(file(), file("docs/workflows.md"), file("x/.github/workflows/ci.yml")) == {}


@pytest.mark.parametrize(
    "path", [".github/workflows/ci.yml", ".GitHub/Workflows/ci.yml", ".github/workflows/deep/er.yml"]
)
def test_the_steps_that_build_are_told_whatever_their_case(path: str) -> None:
    assert found(file(path)) == {CautionKind.WORKFLOWS: (path,)}
    moved = file("old.yml", "renamed", previous_path=path, additions=0)
    assert found(moved) == {CautionKind.WORKFLOWS: ("old.yml",)}


@pytest.mark.parametrize(
    "hidden, is_told",
    [
        (file(patch=None, additions=0), True),  # not text
        (file(patch=None, additions=90_000), True),  # too large
        (file(status="added", patch=None, additions=0), True),
        (file(status="added", patch="", additions=0), False),  # empty
        (file(status="removed", patch=None, additions=0), False),
        (file(status="renamed", patch=None, additions=0, previous_path="a.PY"), False),
        (file(status="renamed", patch=None, additions=5_000, previous_path="a.py"), True),
        (file(status="copied", patch=None, additions=0, previous_path="old/Makefile"), False),
        # A picture under a new name may be another picture: GitHub counts no lines of it.
        (file("b.png", status="renamed", patch=None, additions=0, previous_path="a.png"), True),
        (file(status="renamed", patch=None, additions=0, previous_path="a.png"), True),
        (file("cards", status="renamed", patch=None, additions=0, previous_path="gifts"), True),
        (file(status="unchanged", patch=None, additions=0), False),
    ],
)
def test_files_whose_contents_github_does_not_show_are_told(hidden: ChangedFile, is_told: bool) -> None:
    assert found(hidden) == ({CautionKind.HIDDEN: (hidden.path,)} if is_told else {})


def test_a_patch_that_was_cut_is_told() -> None:
    assert found(file(is_cut=True), file("b")) == {CautionKind.CUT: ("shop/cards.py",)}


def test_pointers_to_large_files_are_told_and_talk_of_them_is_not() -> None:
    pointer = "@@ -0,0 +1,3 @@\n+version https://git-lfs.github.com/spec/v1\n+oid sha256:4d7a\n+size 12345"
    moved = "@@ -1,3 +1,3 @@\n version https://git-lfs.github.com/spec/v1\n-oid sha256:4d7a\n+oid sha256:ffff"
    assert found(file("a.psd", patch=pointer), file("b.psd", patch=moved)) == {
        CautionKind.LARGE_FILES: ("a.psd", "b.psd")
    }
    assert found(file(patch="@@ -1 +1 @@\n+see version https://git-lfs.github.com/spec/v1")) == {}


def test_submodules_are_told_and_talk_of_them_is_not() -> None:
    patch = f"@@ -1 +1 @@\n-Subproject commit {'a' * 40}\n+Subproject commit {'b' * 40}"
    assert found(file("vendor/lib", patch=patch)) == {CautionKind.SUBMODULES: ("vendor/lib",)}
    assert found(file(patch="@@ -1 +1 @@\n+A Subproject commit is a commit")) == {}


def test_an_author_from_outside_is_told() -> None:
    fork = {"head_repository": "eve/shop"}
    assert found(file(), belongs=False, **fork) == {CautionKind.OUTSIDE: ()}
    assert found(file(), belongs=True, **fork) == {}


def test_more_than_github_compares_is_told() -> None:
    assert found(file(), changed_files=301) == {CautionKind.MORE: ()}
    assert found(file(), commits=251) == {CautionKind.MORE: ()}


def test_the_most_important_comes_first() -> None:
    asked = Snapshot(pull(changed_files=9), Change(BASE, (), (file(patch=None), file(".github/workflows/a"))))
    kinds = [caution.kind for caution in cautions(asked, is_edited=True)]
    assert kinds == [CautionKind.EDITED, CautionKind.WORKFLOWS, CautionKind.HIDDEN, CautionKind.MORE]


def test_a_digest_of_words_minds_every_word_and_no_line_end() -> None:
    assert words_digest("a", "b\r\nc\r\n") == words_digest("a", "b\nc")
    assert (
        len({words_digest(*both) for both in (("a", "b"), ("ab", ""), ("", "ab"), ("a", "B"), ("a", "b c"))})
        == 5
    )


# --- What Lily sees -----------------------------------------------------------------------------------------


def seen(world: World) -> tuple[str, str, str]:
    """The words of her last mail, of its text part, and of her page, each on one line."""
    mail = world.inbox.mails[-1]
    parts = [
        re.sub(r"<(style|title)>.*?</\1>|<[^>]*>", "", part, flags=re.DOTALL)
        for part in (mail.html, world.see())
    ]
    html, page = (" ".join(part.split()) for part in parts)
    return html, " ".join(mail.text.split()), page


def test_what_cannot_be_seen_is_said_first_and_an_empty_file_is_not(world: World) -> None:
    world.commit("gift-cards", cards_py="x\n", __init___py="")
    world.github.commit(
        SHOP, "gift-cards", {"logo.png": b"\x89PNG\0\1\2", ".github/workflows/ci.yml": "on: push\n"}
    )
    world.github.open_pull_request(
        SHOP, "gift-cards", title="Add gift cards", body="Customers asked for them."
    )
    world.settle()
    for part in seen(world):
        assert "What changed inside one file can’t be shown (logo.png)" in part
        assert "how the code is built and tested (.github/workflows/ci.yml)" in part
        assert part.index("can’t be shown") < part.index("Customers asked for them.")


def test_a_plain_change_says_nothing_of_it(world: World) -> None:
    world.open()
    world.settle()
    for part in seen(world):
        assert "Good to know" not in part
        assert "Before you start" not in part


# --- Edited after she was asked -----------------------------------------------------------------------------


def test_an_edit_after_the_question_is_read_once_and_said_first(world_on_both: World) -> None:
    world = world_on_both
    number = world.open(body="Customers asked for them.\n\n## How to test\nOpen the cart.")
    world.settle()
    calls = len(world.github.calls)
    world.github.edit(number, body="Only the colour.\n\n## How to test\nOpen the till.")
    world.settle()
    assert (len(world.github.calls) - calls, world.row().round, len(world.inbox.mails)) == (1, 1, 1)
    assert [line.what for line in world.store.reviews.history(world.row().id)] == ["asked", "edited"]
    page = seen(world)[2]
    told = page.index("The title or description was edited after you were asked.")
    new, old = page.index("Only the colour."), page.index("Customers asked for them.")
    assert told < page.index("Approve:") < page.index("How to try it") < page.index("Open the till.") < new
    assert new < page.index("What it said when you were asked") < old


def test_a_new_title_shows_both(world: World) -> None:
    number = world.open()
    world.settle()
    world.github.edit(number, title="Remove gift cards")
    world.settle()
    page = world.see()
    assert page.index("edited after you were asked") < page.index("<strong>Add gift cards</strong>")
    assert '<h1 dir="auto">Approve “Remove gift cards”?</h1>' in page


def test_edited_back_it_is_as_it_was(world: World) -> None:
    number = world.open()
    world.settle()
    for body in ("Other words.", "Customers asked for them."):
        world.github.edit(number, body=body)
        world.settle()
    assert "edited after you were asked" not in seen(world)[2]


def test_a_fresh_mail_has_the_new_words_and_says_so_and_a_new_round_starts_afresh(world: World) -> None:
    number = world.open()
    world.settle()
    world.github.edit(number, body="Other words.")
    world.settle()
    world.browser.post(f"{world.link()}/fresh")
    world.settle()
    assert "was edited after you were asked" in seen(world)[0]
    assert "Other words." in seen(world)[1]
    world.commit("gift-cards", "More", more_py="x\n")
    world.settle()
    world.pass_(minutes=10)
    html, text, page = seen(world)
    assert "Other words." in text
    assert "after you were asked" not in html + page


def test_an_edit_of_what_nobody_was_asked_about_is_no_news(world: World) -> None:
    number = world.open(draft=True)
    world.settle()
    world.github.edit(number, body="Other words.")
    world.settle()
    assert "edited" not in [line.what for line in world.store.reviews.history(world.row().id)]


# --- Checks, and what else waits ----------------------------------------------------------------------------


def checks_of(world: World) -> list[str]:
    return [call.path for call in world.github.calls if "check-runs" in call.path]


def test_checks_are_said_where_they_were_seen_before(world_on_both: World) -> None:
    world = world_on_both
    sha = world.commit("gift-cards")
    world.github.open_pull_request(SHOP, "gift-cards")
    world.settle()
    assert "checks" not in world.inbox.mails[-1].text.lower()
    world.github.set_check(None, sha, "build", conclusion="failure")
    world.settle()
    assert len(checks_of(world)) == 1  # she waits
    for branch, status, conclusion, words in (
        ("two", "completed", "failure", "Failing: build"),
        ("three", "in_progress", None, "Still running: build"),
        ("four", "completed", "success", "All passed"),
    ):
        world.github.set_check(None, world.commit(branch), "build", status, conclusion)
        world.github.open_pull_request(SHOP, branch)
        world.settle()
        html, text, page = seen(world)
        assert words in html
        assert words in text
        assert f"Tests {words} (when you were asked)" in page
    assert len(checks_of(world)) == 4


def test_without_the_right_to_read_statuses_nothing_is_said_of_checks(world: World) -> None:
    world.github.set_check(None, world.commit("gift-cards"), "build")
    world.open("gift-cards")
    world.settle()
    world.github.set_check(None, world.github.pull(1).head_sha, "build")
    world.settle()
    world.github.rights.difference_update({"statuses", "checks"})
    world.open("two")
    world.github.settle()
    world.settle()
    assert len(world.inbox.mails) == 2
    assert "checks" not in seen(world)[0].lower() + seen(world)[1].lower()


def test_where_they_are_waited_for_they_are_read_once(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "git", sqlite_url, monkeypatch, WAIT_FOR_CHECKS="true")
    world.github.set_check(None, world.commit("gift-cards"), "build")
    world.github.open_pull_request(SHOP, "gift-cards")
    world.settle()
    assert "Tests: ✓ All passed" in world.inbox.mails[-1].text
    assert len(checks_of(world)) == 1
    world.stop()


def test_the_others_that_wait_are_counted_when_the_mail_goes_out(world_on_both: World) -> None:
    world = world_on_both
    for branch, words in (
        ("one", ""),
        ("two", "1 more is waiting."),
        ("three", "2 more are waiting."),
    ):
        world.open(branch)
        world.settle()
        html, text, _ = seen(world)
        assert (words in html, words in text, " more " in text) == (True, True, bool(words))
