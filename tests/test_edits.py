"""What counts as an edit after the question: what people change, not what programs add or somebody ticks."""

from __future__ import annotations

import pytest

from app.domain.description import by_people
from app.domain.facts import words_digest
from tests.hostile import shapes
from tests.seconds import soon
from tests.world import World

BODY = "Customers asked for gift cards.\n\n## Checklist\n\n- [ ] tried on a phone\n- [ ] prices\n\n<!-- Optional -->\nCloses #7."
RELEASE_NOTES = """

<!-- This is an auto-generated comment: release notes by coderabbit.ai -->

## Summary by CodeRabbit

- **New Features**
  - Gift cards can be bought.

<!-- end of auto-generated comment: release notes by coderabbit.ai -->"""
# As they stand in public pull requests: https://github.com/cursor/plugins/pull/128,
# https://github.com/AbsaOSS/generate-release-notes/pull/144, https://github.com/coderabbitai/ai-pr-reviewer/pull/8
ADDED = {
    "CodeRabbit": RELEASE_NOTES,
    "CodeRabbit without marks": "\n\n## Summary by CodeRabbit\n\n- **Chores**\n  - Updated the workflow.\n",
    "Cursor": "\n\n<!-- CURSOR_SUMMARY -->\n---\n\n> [!NOTE]\n> **Low Risk**\n> Documentation only.\n> \n> <sup>Reviewed by "
    "[Cursor Bugbot](https://cursor.com/bugbot) for commit 98d5a3a.</sup>\n<!-- /CURSOR_SUMMARY -->",
    "Sourcery": "\n\n## Summary by Sourcery\n\nAdd gift cards.\n\nNew Features:\n- Gift cards\n",
    "ChatGPT": "\n### Summary by ChatGPT\n\n**Release Notes**\n\nNew Feature: gift cards.",
    "marks alike": "\n\n<!-- ELLIPSIS_HIDDEN -->\n\n----\n\nAdds gift cards in `cards.py`.\n\n<!-- ELLIPSIS_HIDDEN -->",
    "marks of start and end": "\n<!-- my-bot:start -->\nPreview: https://pr-7.example.com\n<!-- my-bot:end -->\n",
    "a signature": "\n\n🤖 Generated with [Claude Code](https://claude.com/claude-code)\n",
    "empty lines and a rule": "\n\n---\n\n",
}


@pytest.mark.parametrize("added", ADDED.values(), ids=ADDED)
def test_what_a_program_adds_is_no_edit(added: str) -> None:
    assert words_digest("T", BODY + added) == words_digest("T", BODY)
    assert (
        words_digest("T", added.lstrip("\n") + "\n\n" + BODY) == words_digest("T", BODY)
        or "<!--" not in added
    )


@pytest.mark.parametrize("added", ADDED.values(), ids=ADDED)
def test_what_people_change_beside_it_is_an_edit(added: str) -> None:
    assert words_digest("T", f"{BODY} And #8.{added}") != words_digest("T", BODY + added)
    assert words_digest("U", BODY + added) != words_digest("T", BODY)


def test_a_ticked_box_is_no_edit_and_its_words_are() -> None:
    ticked = BODY.replace("- [ ] tried", "- [x] tried").replace("- [ ] prices", "- [X] prices")
    assert ticked != BODY
    assert words_digest("T", ticked) == words_digest("T", BODY)
    assert words_digest("T", ticked.replace("prices", "no prices")) != words_digest("T", BODY)


@pytest.mark.parametrize(
    "changed",
    [
        BODY.replace("gift cards", "vouchers"),
        BODY + "\n\nPlease test the refunds, too.",
        BODY + "\n\n## Summary\n\nGift cards for everybody.",
        BODY + "\n<!-- one --> new words <!-- two -->",
        BODY + "\n<!-- Optional -->\nMore.",
        BODY.replace("Closes #7.", "Closes #8."),
        "Other words.\n" + RELEASE_NOTES,
        "",
    ],
)
def test_what_people_change_is_an_edit(changed: str) -> None:
    assert words_digest("T", changed) != words_digest("T", BODY)


def test_the_gates_own_part_of_a_release_counts_so_that_it_is_written_anew() -> None:
    part = "<!-- qa-gate release -->\nIt holds 2 changes.\n<!-- /qa-gate release -->"
    assert words_digest("T", BODY + part) != words_digest("T", BODY)


@pytest.mark.parametrize("body", shapes(65_536).values(), ids=shapes(1))
def test_a_hostile_description_is_compared_soon(body: str) -> None:
    with soon():
        by_people(body)


def test_a_programs_summary_and_a_ticked_box_are_no_news_and_cost_no_call(world: World) -> None:
    number = world.open(body=BODY)
    world.settle()
    world.pass_(minutes=3)
    calls = len(world.github.calls)
    for body in (BODY + RELEASE_NOTES, BODY.replace("[ ] tried", "[x] tried") + RELEASE_NOTES):
        world.github.edit(number, body=body)
        world.settle()
    assert (len(world.inbox.mails), len(world.github.calls)) == (1, calls)
    assert "edited" not in world.see().lower()
    world.github.edit(number, body=BODY + " And #8." + RELEASE_NOTES)
    world.settle()
    assert "edited" in world.see().lower()
