"""The "How to test" part of a description: found however it is headed, and nothing of the text lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.text.how_to_test import is_about_testing, parted, says_how
from app.text.markdown import rendered

STEPS = "1. Open the cart\n2. Pay with two cards"
HEADINGS = [
    line
    for line in (Path(__file__).parent / "data" / "how_to_test_headings.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
# Others of their kind, from the templates of GitHub's own users and from our own drawer.
MORE = """Test instructions|How to review|Review instructions|What to test|Testing notes|Acceptance tests|Smoke test
Test strategy|Manual verification|Manual QA|How I tested|Tested on|Testing done|Test evidence|Functional testing
Try it out|Steps for testing|Where to test|Please test|QA notes|Tophat instructions|UAT|To verify|To QA|How did you test this?
How was this tested|How has this been verified|What did you test?|Things to test|Test it yourself|Regression testing
For reviewers|For QA|Guide for reviewers|:tophat: instructions|\N{TOP HAT}|✅ Testing|[QA] How to test|(Optional) Manual testing
1️⃣ How to test|II. Testing|A. Test plan|2) How to test|How can QA verify this change?|How do we verify it works?
What steps should be taken to verify this?|QA / Testing|Test Steps / Acceptance|Testing Evidence / Screenshots|How to check it
How to test (for QA)|Test plan (required)|Steps to demo|Ways to test|Tips for reviewers|Reviewer's guide|Preview and test
Testing this PR|Test scenario(s)|QA instructions for Lily|Sanity checks|How to manually test|What to check|Steps to try
How to test gift cards on a phone|Testing on staging|TESTING INSTRUCTIONS:|How-to-test|Validate|Verify|Test it"""
OTHERS = """Steps to reproduce|Steps to Reproduce:|To reproduce|How to reproduce|Bug reproduction|Reproduction|How it works|Quality
Then check|Checklist|Review checklist|Code review|Reviewers|Screenshots|Summary|What changed|Why|Type of change|Breaking changes
Email verification|Validation of forms|How validation works|Fix flaky test|Add an A/B testing framework|Test runner upgrade
Refactor payment verification|Latest changes|Attestation|Contest|Notes|Release notes|Deployment notes|How to deploy|Steps
What does this PR do?|Related issues|Expected behaviour|Instructions|How to install|Before / after|Demographics|Country list
Checks|To do|How we got here|Notes for deployment|Trying times|The protest"""


def announces(title: str) -> bool:
    return says_how(title) or is_about_testing(title)


def texts(source: str) -> tuple[str, str]:
    how, rest = parted(source)
    return how.text, rest.text


def test_nine_of_ten_headings_of_public_templates_are_known() -> None:
    missed = [title for title in HEADINGS if not announces(title)]
    assert len(HEADINGS) == 43
    assert len(missed) <= 2, missed


@pytest.mark.parametrize("title", MORE.replace("\n", "|").split("|"))
def test_a_heading_about_trying_the_change_is_known(title: str) -> None:
    assert announces(title)


@pytest.mark.parametrize("title", OTHERS.replace("\n", "|").split("|"))
def test_a_heading_about_something_else_is_not_taken_for_it(title: str) -> None:
    assert not announces(title)
    text = f"It adds gift cards.\n\n## {title}\n\n{STEPS}"
    assert texts(text) == ("", rendered(text).text)


@pytest.mark.parametrize(
    "heading",
    """## How to test:|# HOW TO TRY IT|### 3. How to verify:|## 🧪 How to test this PR 🧪|#### Testing|## Test plan
    |## QA notes:|## How to check this change ##|## **How to test**|How to test\n---|How to test\n===|**How to test**
    |**How to test:**|__Testing__:|How to test:|*Test plan*|## How-to-test|## How do I test it?|<h2>How to test</h2>\n
    |<b>How to test</b>\n|## <a id="qa"></a>QA|## `How to test`|## :test_tube: How to test""".replace(
        "\n    ", ""
    ).split("|"),
)
def test_it_is_found_however_it_is_headed(heading: str) -> None:
    text = f"It adds gift cards.\n\n{heading}\n\n{STEPS}\n\n# Notes\n\nCloses #7."
    assert texts(text) == (STEPS, "It adds gift cards.\n\nNotes\n\nCloses #7.")


def test_a_folded_part_is_unfolded_and_ends_where_it_is_closed() -> None:
    text = f"Gift cards.\n\n<details><summary><b>How to test</b></summary>\n\n{STEPS}\n\n</details>\n\nCloses #7."
    assert texts(text) == (STEPS, "Gift cards.\n\nCloses #7.")
    assert "<details>" not in parted(text)[0].html
    assert texts("<details>First <summary>QA</summary>then pay</details>") == ("First then pay", "")


def test_instructions_win_over_what_only_is_about_tests() -> None:
    text = f"## Tests\nUnit tests for the cart.\n## Steps to test\n{STEPS}"
    assert texts(text) == (STEPS, "Tests\n\nUnit tests for the cart.")


def test_references_and_footnotes_work_in_both_parts() -> None:
    text = "See [shop].\n\n## How to test\nOpen [shop], then pay[^1].\n\n## Notes\nx\n\n[shop]: https://shop.example.com\n[^1]: by card"
    how, rest = texts(text)
    assert how == "Open shop (https://shop.example.com), then pay^1."
    assert rest.startswith("See shop (https://shop.example.com).")
    assert rest.endswith("1. by card")


def test_it_ends_at_the_next_heading_that_is_not_below_it() -> None:
    part = "On a phone\n\n1. Open the cart\n\n---\n\nAt a desk\n\n1. Pay"
    source = "### On a phone\n1. Open the cart\n\n---\n\n### At a desk\n1. Pay"
    for end in ("## Notes", "# Notes", "\nNotes\n-----"):
        assert texts(f"## How to test\n{source}\n{end}\nmore")[0] == part
    assert texts(f"# How to test\n## A\n{STEPS}")[0] == f"A\n\n{STEPS}"


def test_a_bold_line_ends_at_a_heading_a_rule_or_another_bold_line() -> None:
    for end in ("#### Notes", "**Notes**", "***", "Notes\n==="):
        assert (
            texts(f"**How to test**\n{STEPS}\n\nand then pay.\n\n{end}\nmore")[0]
            == f"{STEPS}\n\nand then pay."
        )
    assert texts(f"**How to test**\n{STEPS}\n\n**Mind:** only once")[0] == f"{STEPS}\n\nMind: only once"


def test_words_on_the_line_itself_are_the_part_and_keep_their_line() -> None:
    assert texts("How to test: open the cart\nand pay.\n\nCloses #7.") == (
        "How to test: open the cart\nand pay.",
        "Closes #7.",
    )
    assert texts("**How to test:** open the cart")[0] == "How to test: open the cart"


def test_lines_without_an_empty_line_between_them_are_told_apart() -> None:
    text = "Closes #7.\n**How to test:** open the cart,\nthen pay.\n**Notes:** none for now"
    assert texts(text) == (
        "How to test: open the cart,\nthen pay.",
        "Closes #7.\n\nNotes: none for now",
    )


def test_code_quotes_lists_and_comments_hold_no_heading() -> None:
    for text in (
        f"```\n## How to test\n{STEPS}\n```",
        f"    ## How to test\n    {STEPS}",
        "> ## How to test\n> like this",
        "- ## How to test\n  like this",
        f"<!--\n## How to test\n{STEPS}\n-->",
    ):
        assert texts(text) == ("", rendered(text).text)
    fence = "```sh\n# Notes\nmake demo\n```"
    assert texts(f"## How to test\n{fence}\n## Notes")[0] == "    # Notes\n    make demo"


@pytest.mark.parametrize(
    "left",
    [
        "",
        "<!-- say how -->",
        "- [ ] ",
        "N/A",
        "TODO",
        "1.\n2.\n3.",
        "...",
        "### Steps",
        "- [ ] Test A\n- [ ] Test B",
    ],
)
def test_what_a_template_left_behind_counts_as_none(left: str) -> None:
    text = f"## What\nGift cards.\n## How to test\n{left}\n## Notes\nnone"
    assert texts(text) == ("", rendered(text).text)
    assert texts(f"{text}\n## QA\n{STEPS}")[0] == STEPS


def test_a_picture_alone_is_not_nothing() -> None:
    assert texts("## How to test\n![](https://a.com/b.png)")[0] == "[picture] (https://a.com/b.png)"


@given(some.text(some.sampled_from("#*-=`<>! \n:aHow to testQA[]()1."), max_size=200))
def test_no_word_is_lost_but_the_heading(source: str) -> None:
    how, rest = parted(source)
    whole = "".join(rendered(source).text.split())
    parts = "".join(f"{how.text}{rest.text}".split())
    gone = len(whole) - len(parts)
    assert gone <= 120
    if not how.text:
        assert rest == rendered(source)


def test_a_long_hostile_text_loses_and_adds_nothing() -> None:
    for piece in ("![", "# How to test\n", "**", "How to test:\n", "step 111 ", "> " * 50 + "\n"):
        long = piece * (65_536 // len(piece))
        how, rest = ("".join(text.split()) for text in texts(long))
        assert len(how) + len(rest) <= len("".join(rendered(long).text.split())) + 100
