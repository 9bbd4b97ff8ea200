"""The "How to test" part of a description: found however it is written, and nothing of the text lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.text import parted
from app.text.clean import clean

STEPS = "1. Open the cart\n2. Pay with two cards"


@pytest.mark.parametrize(
    "heading",
    """## How to test|# HOW TO TRY IT|### How to verify:|## 🧪 How to test this PR 🧪|#### Testing|## Testing instructions
    |## Testing notes|## Test plan|## Steps to test|## Steps to reproduce and verify|## QA|## QA notes:|## qa steps
    |## How to check this change ##|## **How to test**|How to test\n---|How to test\n===|**How to test**|**How to test:**
    |__Testing__:|How to test:|*Test plan*|## How-to-test|## How do I test it?""".replace("\n    ", "").split(
        "|"
    ),
)
def test_it_is_found_however_it_is_headed(heading: str) -> None:
    text = f"It adds gift cards.\n\n{heading}\n\n{STEPS}\n\n# Notes\n\nCloses #7."
    assert parted(text) == (STEPS, "It adds gift cards.\n\n\n# Notes\n\nCloses #7.")


@pytest.mark.parametrize(
    "heading",
    [
        "## How it works",
        "## Tested",
        "## Testing strategy of ours",
        "## How has this been tested?",
        "## Quality",
        "Then check:",
    ],
)
def test_other_headings_are_left_where_they_are(heading: str) -> None:
    text = f"It adds gift cards.\n\n{heading}\n\n{STEPS}"
    assert parted(text) == ("", text)


def test_it_ends_at_the_next_heading_that_is_not_below_it() -> None:
    part = f"### On a phone\n{STEPS}\n\n---\n\n### At a desk\n{STEPS}"
    for end in ("## Notes", "# Notes", "\nNotes\n-----"):
        assert parted(f"## How to test\n{part}\n{end}\nmore")[0] == part
    assert parted(f"# How to test\n## A\n{STEPS}")[0] == f"## A\n{STEPS}"


def test_a_bold_line_ends_at_a_heading_a_rule_or_another_bold_line() -> None:
    for end in ("#### Notes", "**Notes**", "***", "Notes\n==="):
        assert (
            parted(f"**How to test**\n{STEPS}\n\nand then pay.\n\n{end}\nmore")[0]
            == f"{STEPS}\n\nand then pay."
        )
    assert parted(f"**How to test**\n{STEPS}\n\n**Mind:** only once")[0] == f"{STEPS}\n\n**Mind:** only once"


def test_words_on_the_line_itself_are_the_part_and_keep_their_line() -> None:
    assert parted("How to test: open the cart\nand pay.\n\nCloses #7.") == (
        "How to test: open the cart\nand pay.",
        "Closes #7.",
    )
    assert parted("**How to test:** open the cart")[0] == "**How to test:** open the cart"


def test_code_quotes_lists_and_comments_hold_no_heading() -> None:
    for text in (
        f"```\n## How to test\n{STEPS}\n```",
        f"    ## How to test\n    {STEPS}",
        "> ## How to test\n> like this",
        "- ## How to test\n  like this",
        f"<!--\n## How to test\n{STEPS}\n-->",
    ):
        assert parted(text) == ("", text)
    fence = "```sh\n# Notes\nmake demo\n```"
    assert parted(f"## How to test\n{fence}\n## Notes")[0] == fence


@pytest.mark.parametrize(
    "left", ["", "<!-- say how -->", "- [ ] ", "N/A", "TODO", "1.\n2.\n3.", "...", "### Steps"]
)
def test_what_a_template_left_behind_counts_as_none(left: str) -> None:
    text = f"## What\nGift cards.\n## How to test\n{left}\n## Notes\nnone"
    assert parted(text) == ("", text)
    assert parted(f"{text}\n## QA\n{STEPS}")[0] == STEPS


@given(some.text(some.sampled_from("#*-=`<>! \n:aHow to testQA[]()1."), max_size=200))
def test_no_line_is_lost_but_the_heading(source: str) -> None:
    part, rest = parted(source)
    if part:
        kept = [line for line in f"{part}\n{rest}".split("\n") if line]
        gone = sorted(line for line in clean(source).split("\n") if line)
        for line in kept:
            gone.remove(line)
        assert len(gone) <= 2


def test_a_long_hostile_text_loses_and_adds_nothing() -> None:
    for piece in ("![", "# How to test\n", "**", "How to test:\n", "step 111 ", "> " * 50 + "\n"):
        long = piece * (65_536 // len(piece))
        how, rest = parted(long)
        assert len(how) + len(rest) <= len(long) + 2
