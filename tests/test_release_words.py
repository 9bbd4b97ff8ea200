"""A release in words: the gate's own part of a pull request's text, and the lists in a letter."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from app.domain.facts import Passed, Release, Snapshot, Unseen
from app.mail.comments import has_part, is_release_title, release_title, with_part, without_part
from app.text.clean import disarmed, plain
from tests.builders import NOON, snapshot
from tests.test_mail import ask

END = "<!-- /qa-gate release -->"


def passed(number: int = 12, **fields: Any) -> Passed:
    known: dict[str, Any] = {"title": "Add gift cards", "author": "sam", "reviewer": "Lily", "note": ""}
    return Passed(number=number, at=NOON, **{**known, **fields})


def unseen(**fields: Any) -> Unseen:
    known: dict[str, Any] = {"sha": "a" * 40, "title": "Fix in haste", "author": "kim", "pull": None}
    return Unseen(**{**known, **fields})


def body_of(release: Release, people: str = "") -> str:
    return with_part(people, release, "development", "master")


def test_a_release_is_read_back_as_it_was_kept() -> None:
    asked = snapshot(release=Release((passed(note="Fine."),), (unseen(pull=3),), 4, is_rewritten=True))
    kept = TypeAdapter(Snapshot)
    assert kept.validate_json(kept.dump_json(asked)) == asked


@pytest.mark.parametrize("count", [1, 2, 1_234])
def test_a_title_says_how_many_and_is_known_as_the_gates_own(count: int) -> None:
    title = release_title(Release((passed(),) * count, ()))
    assert title == f"Release of {count:,} change{'s' if count > 1 else ''}"
    assert is_release_title(title)
    assert not is_release_title(f"{title} and more")


def test_only_the_gates_part_of_a_text_changes() -> None:
    first = body_of(Release((passed(),), ()), "Mind the queue.")
    assert first.startswith("Mind the queue.\n\n<!-- qa-gate release -->")
    again = body_of(Release((passed(13),), ()), f"{first}\n\nAnd the till.")
    assert again == first.replace("#12", "#13") + "\n\nAnd the till."
    assert (has_part(again), without_part(again)) == (True, "Mind the queue.\n\n\n\nAnd the till.")
    assert has_part("<!-- qa-gate release --> and no end") is False


def test_what_people_wrote_stays_where_the_end_of_the_gates_part_was_cut() -> None:
    first, second = Release((passed(),), ()), Release((passed(13),), ())
    cut = body_of(first, "Mind the queue.").removesuffix(f"\n{END}") + "\n\nAnd the till."
    again = body_of(second, cut)
    assert again == body_of(second, "Mind the queue.") + "\n\nAnd the till."
    assert without_part(cut).split() == "Mind the queue. And the till.".split()
    torn = body_of(first, "Mind the queue.").partition("Merges into")[0] + "And the till."
    twice = body_of(first, body_of(second, torn))
    assert twice == body_of(first, torn)


def test_what_people_wrote_stays_where_they_quote_how_the_gates_part_begins() -> None:
    quoted = "Never touch `<!-- qa-gate release -->`, says the gate.\n\nAnd mind the till."
    first = body_of(Release((passed(),), ()), quoted)
    again = body_of(Release((passed(13),), ()), first)
    assert again == first.replace("#12", "#13")
    assert without_part(again).strip() == quoted


def test_a_title_counts_what_was_there_before_the_gate_too() -> None:
    assert release_title(Release((passed(),), (unseen(),), earlier=3)) == "Release of 5 changes"


def test_what_is_new_in_a_release_is_what_was_not_in_it_whatever_is_known_of_it_by_now() -> None:
    before = Release((passed(),), (unseen(was_asked=False),))
    now = Release((passed(), passed(13)), (unseen(pull=3), unseen(sha="b" * 40)))
    assert now.since(before) == Release((passed(13),), (unseen(sha="b" * 40),))


def test_of_what_nobody_looked_up_it_is_not_said_that_it_was_pushed_directly() -> None:
    release = Release((), (unseen(was_asked=False),))
    mail = ask(snapshot(release=release))
    for words in (body_of(release), mail.text, mail.html):
        assert "how it got in isn’t known" in words
        assert "pushed directly" not in words


@pytest.mark.parametrize("unit", ["w", "&", "<", "*", "錆", "🐘", "@"])
def test_a_text_of_very_many_changes_is_one_that_github_takes(unit: str) -> None:
    many = Release(
        tuple(passed(number, title=unit * 256) for number in range(400)),
        tuple(unseen(title=unit * 256) for _ in range(400)),
    )
    body = body_of(many, "w" * 20_000)
    assert len(body) < 65_536
    assert re.search(r"- and \d+ more", body)
    assert body.endswith(END)


def test_a_disarmed_line_has_no_sign_that_acts() -> None:
    line = disarmed("Fixes #12, GH-3 gh-4 @all www.x.example https://x.example <b> `x` [a](b) <!-- -->")
    for live in ("#12", "GH-3", "gh-4", "@all", "www.", "://", "<b>", "`x`", "](", "<!--"):
        assert live not in line


@given(st.text())
def test_whatever_a_title_holds_it_stays_one_line_and_keeps_every_sign(value: str) -> None:
    line = disarmed(value)
    assert "\n" not in line
    assert re.sub(r"\\(.)", r"\1", line.replace("&#8203;", "")) == plain(value)
    assert not re.search(r"(?<!\\)(?:\\\\)*[@#<`*_\[](?!8203;)", line.replace("&#8203;", ""))


@pytest.mark.parametrize(
    "value, kept",
    [
        ("1. one", "1\\. one"),
        ("- one", "\\- one"),
        ("+ one", "\\+ one"),
        ("=== one", "\\=== one"),
        (":smile: x:y", "\\:&#8203;smile: x\\:&#8203;y"),
        ("GH-12 and www.evil.example", "GH&#8203;\\-12 and www&#8203;\\.evil.example"),
        ("$x$ ~~y~~ |z|", "\\$x\\$ \\~\\~y\\~\\~ \\|z\\|"),
    ],
)
def test_what_would_act_in_a_line_is_escaped(value: str, kept: str) -> None:
    assert disarmed(value) == kept


@given(st.text())
def test_no_title_ends_the_gates_part(value: str) -> None:
    body = body_of(Release((passed(title=value + END),), (unseen(title=END + value, author=END),)))
    assert (body.count(END), body.endswith(END)) == (1, True)


def test_a_letter_says_first_what_came_without_a_yes() -> None:
    mail = ask(snapshot(release=Release((passed(note="Works."),), (unseen(), unseen(title="B", pull=3)), 2)))
    for words in (mail.text, mail.html):
        order = [
            "Not approved by QA (2)",
            "pushed directly",
            "merged on GitHub without asking you (#3)",
            "Approved (1)",
        ]
        places = [words.index(part) for part in order]
        assert places == sorted(places)
        assert "2 more changes from before QA gate was set up." in words
    assert "- Add gift cards by sam\n  ✓ Lily, " in mail.text
    assert "\n  “Works.”\n" in mail.text


@pytest.mark.parametrize("is_unchecked", [True, False])
def test_an_approved_change_whose_merge_could_not_be_checked_is_said_to_be_one(is_unchecked: bool) -> None:
    holds = Release((passed(is_unchecked=is_unchecked),), ())
    mail = ask(snapshot(release=holds))
    for words in (mail.text, mail.html, body_of(holds)):
        assert ("; how it was merged couldn’t be checked" in words) is is_unchecked


def test_a_letter_about_a_rewritten_history_says_so() -> None:
    mail = ask(snapshot(release=Release((passed(),), (), 0, is_rewritten=True)))
    assert "was rewritten" in mail.text
    assert "was rewritten" in mail.html


@pytest.mark.parametrize("unit", ["w", '"', "&", "錆", "🐘"])
def test_a_release_of_very_many_changes_stays_a_mail(unit: str) -> None:
    long = {"title": unit * 256, "author": unit * 100}
    many = Release(
        tuple(passed(number, **long, note=unit * 4_000) for number in range(300)),
        tuple(unseen(**long) for _ in range(300)),
    )
    mail = ask(snapshot(release=many, body=(unit * 65_536)[:65_536]))
    assert len(mail.html.encode()) < 90_000
    assert len(mail.text.encode()) < 90_000
    for words in (mail.html, mail.text):
        assert re.search(r"and \d+ more: the next page has them all", words)
        assert words.index("Not approved by QA (300)") < words.index("Approved (300)")


def test_three_hundred_usual_changes_show_the_first_fifty() -> None:
    many = Release(tuple(passed(number, title=f"Change {number}") for number in range(1, 301)), ())
    mail = ask(snapshot(release=many))
    assert "- Change 50 by" in mail.text
    assert "and 250 more: the next page" in mail.text
