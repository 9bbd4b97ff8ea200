"""Every kind of mail: its subject, what an inbox shows behind it, who it comes from, and how it begins.

A new kind of mail belongs into this list; one subject keeps the mails of a pull request in one conversation.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

from app.domain.blocked import Blocked, Why
from app.domain.facts import Passed, Release, State, Unseen
from app.domain.policy import Reviewer
from app.domain.problems import Problem, Trouble, What
from app.jobs.mail_contents import WRITERS
from app.mail.compose import Mail
from app.mail.news import (
    About,
    compose_live,
    compose_outcome,
    compose_problem,
    compose_push,
    compose_restored,
    compose_sign_in,
    problem_words,
)
from app.mail.question import TalkLine
from demo.inbox import Mail as Arrived
from tests.builders import HEAD, LILY, NOON, row, snapshot
from tests.test_mail import APPROVE, PENDING, ask, bypass, commits, digest, item, rejected, words

HELD = About(row(State.TO_MERGE), "sam", "#12", APPROVE, PENDING, 3)
TALK = (
    TalkLine(LILY.id, "Lily", "Is 0 euros possible?", True, NOON),
    TalkLine("sam", "sam", "No, the smallest is 25 euros.", False, NOON),
)
PASSED = Passed(12, "Add gift cards", "sam", "Lily", NOON, "Fine.")
UNSEEN = Unseen(HEAD, "Push it", "kim", None)
CLASHED = Blocked(Why.CONFLICT)
CLASH = "Someone else changed the same part. sam has to combine the two first."


def restored(*, decides: bool, operates: bool) -> Mail:
    since, until = "Tue 24 Nov at 09:00", "Tue 24 Nov at 12:00"
    return compose_restored(
        LILY, since, until, "https://gate.example.com", decides=decides, operates=operates
    )


def release(*unseen: Unseen, **fields: object) -> Mail:
    return ask(
        snapshot(
            release=Release((PASSED,), unseen),
            title="Release of 2 changes",
            head="development",
            base="master",
        ),
        **fields,
    )


def problem(**fields: datetime) -> Mail:
    told = Problem(1, What.BRANCH, "acme/shop", NOON, NOON, NOON, NOON, **fields)
    trouble = Trouble(What.BRANCH, "acme/shop", "acme/shop", "acme/shop has no branch development.")
    said = problem_words(told, [], ["development"], [trouble])
    return compose_problem(
        Reviewer("Olga", "olga@example.com"), told, said, "https://gate.example.com", ZoneInfo("UTC")
    )


# The kind of letter as the workflow names it; the mail; sender, preview and first sentence.
KINDS: dict[str, tuple[str, Mail, str, str, str]] = {
    "release, live": (
        "live",
        compose_live(
            LILY,
            About(
                row(State.MERGED, base="master"),
                "sam",
                "#12",
                "https://gate.example.com/x",
                "https://gate.example.com/",
                0,
                True,
            ),
            Release((Passed(7, "Add gift cards", "sam", "Lily", NOON, "Lovely."),), ()),
            "on Tue 24 Nov at 12:00",
        ),
        "",
        "It’s live: 1 change went out on Tue 24 Nov at 12:00.",
        "Hi Lily, the release you approved went out on Tue 24 Nov at 12:00.",
    ),
    "new": (
        "ask",
        ask(),
        "sam via",
        "New: sam needs your approval. Small change, 1 file.",
        "Hi Lily, sam needs your approval before this goes in.",
    ),
    "new, by a program": (
        "ask",
        ask(author="dependabot[bot]", author_is_bot=True),
        "",
        "New: an automatic change by dependabot. Small change, 1 file.",
        "Hi Lily, this is an automatic change by dependabot. It needs your approval before it goes in.",
    ),
    "new, straight into the release branch": (
        "ask",
        ask(skips_to="master"),
        "sam via",
        "New: sam needs your approval. Small change, 1 file.",
        "Hi Lily, sam needs your approval before this goes straight into master, without a release.",
    ),
    "new version after her message": (
        "ask",
        ask(
            is_again=True,
            rejection=rejected("It is cut off."),
            new_commits=commits("Mend it"),
        ),
        "sam via",
        "New version: sam changed this after your message.",
        "Hi Lily, sam changed this after your message. Please look again.",
    ),
    "new version after another's message": (
        "ask",
        ask(is_again=True, rejection=rejected("It is cut off.", "Max", "another")),
        "sam via",
        "New version: sam changed this after Max’s message.",
        "Hi Lily, sam changed this after Max’s message. Please look again.",
    ),
    "new version after a look": (
        "ask",
        ask(is_again=True),
        "sam via",
        "New version: sam changed this since you last looked.",
        "Hi Lily, sam changed this since you last looked. Please look again.",
    ),
    "new version after her approval": (
        "ask",
        ask(is_again=True, voided=True),
        "sam via",
        "New version: sam changed this after you approved it, before it went in.",
        "Hi Lily, sam changed this after you approved it, before it went in. Please look again.",
    ),
    "asked again about the same code": (
        "ask",
        ask(same_code_but="it is ready again", voided=True),
        "sam via",
        "Asked again: the code is the same as before, but it is ready again.",
        "Hi Lily, sam needs your approval again: the code is the same as before, but it is ready again. Your earlier",
    ),
    "answer": (
        "answer",
        ask(is_answer=True, talk=TALK, is_again=True),
        "sam via",
        "sam answered: No, the smallest is 25 euros.",
        "Hi Lily, sam answered your question: No, the smallest is 25 euros.",
    ),
    "fresh link": (
        "fresh",
        ask(is_fresh=True, is_again=True),
        "sam via",
        "New link: sam needs your approval. Small change, 1 file.",
        "Hi Lily, here’s the new link you asked for. sam needs your approval before this goes in.",
    ),
    "stand-in": (
        "instead",
        ask(instead_of="Max"),
        "sam via",
        "Standing in for Max: sam needs your approval. Small change, 1 file.",
        "Hi Lily, Max is away, so this comes to you. sam needs your approval before this goes in.",
    ),
    "release": (
        "ask",
        release(UNSEEN),
        "",
        "Release: 1 of 2 changes wasn’t approved by QA.",
        "Hi Lily, a new release is ready. When you approve, these 2 changes go out.",
    ),
    "release, all approved": (
        "ask",
        release(),
        "",
        "Release: 1 change, all approved.",
        "Hi Lily, a new release is ready. When you approve, this change goes out.",
    ),
    "release, new version": (
        "ask",
        release(UNSEEN, is_again=True),
        "",
        "New version: 1 of 2 changes wasn’t approved by QA.",
        "Hi Lily, this release has changed since you last looked. When you approve, these 2 changes go out.",
    ),
    "list": (
        "list",
        digest(item(1, asked_at=NOON - timedelta(days=2)), item(2, answered_by="sam")),
        "",
        "1 new, 1 answer. The longest has been waiting 3 days.",
        "Hi Lily, the longest waiting comes first.",
    ),
    "list of the day": (
        "list",
        digest(item()),
        "",
        "1 new.",
        "Hi Lily, nothing happens until you confirm on the page that opens.",
    ),
    "held, for the developer": (
        "outcome",
        compose_outcome(LILY, HELD, CLASHED, is_developer_told=True),
        "",
        f"Approved, not in yet: {CLASH}",
        f"Hi Lily, you approved this, but it isn’t in yet. {CLASH}",
    ),
    "held by a step that fails": (
        "outcome",
        compose_outcome(LILY, HELD, None, is_developer_told=False),
        "",
        "Approved, not in yet:",
        "Hi Lily, you approved this, but it isn’t in yet.",
    ),
    "merged without her": (
        "bypass",
        bypass(),
        "",
        "Not approved by QA: kim merged it on GitHub without asking you.",
        "Hi Lily, kim merged this on GitHub without asking you. It’s in development now.",
    ),
    "pushed without her": (
        "push",
        compose_push(LILY, "development", [UNSEEN], PENDING),
        "",
        "Not approved by QA, and in development now.",
        "Hi Lily, kim pushed this straight into development, without a pull request. Nobody asked you.",
    ),
    "rewritten": (
        "push",
        compose_push(LILY, "development", [], PENDING, is_rewritten=True),
        "",
        "Someone changed what was there before.",
        "Hi Lily, someone changed the history of development: what was there before may be gone.",
    ),
    "sign-in": (
        "sign_in",
        compose_sign_in(LILY, APPROVE),
        "",
        "It works once, within 60 minutes.",
        "Hi Lily, this shows you everything that’s waiting. It works once, within 60 minutes.",
    ),
    "restored from a backup": (
        "restored",
        restored(decides=True, operates=True),
        "",
        "What happened since Tue 24 Nov at 09:00 is lost.",
        "Hi Lily, QA gate had to go back to a backup. What happened in it between Tue 24 Nov at 09:00 and",
    ),
    "problem": (
        "problem",
        problem(),
        "",
        "Make it, or set DEVELOPMENT_BRANCH to what it’s called.",
        "Hi Olga, this needs you. It began on Tue 24 Nov at 12:00.",
    ),
    "problem that is over": (
        "solved",
        problem(ended_at=NOON + timedelta(hours=3)),
        "",
        "It’s over.",
        "Hi Olga, this is over. It began on Tue 24 Nov at 12:00 and lasted 3 hours.",
    ),
}
SUBJECTS = {
    "problem": "Problem: acme/shop has no branch development",
    "problem that is over": "Solved: acme/shop has no branch development",
    "release": "Release into master (#12)",
    "list": "2 changes are waiting for you",
    "list of the day": "1 change is waiting for you",
    "pushed without her": "1 change pushed to development without asking you",
    "rewritten": "The history of development was rewritten",
    "sign-in": "Your sign-in link",
    "restored from a backup": "QA gate was restored from a backup",
}


def preview_of(mail: Mail) -> str:
    """What the pretend inbox shows behind the subject."""
    return Arrived(1, mail.to, "", mail.subject, mail.text, mail.html, {}, "", NOON).preview


def test_every_kind_of_mail_says_in_subject_preview_and_first_sentence_what_it_is() -> None:
    for kind, (_, mail, sender, preview, first) in KINDS.items():
        subject = SUBJECTS.get(kind.partition(",")[0], "Add gift cards (#12)")
        assert mail.subject == subject, kind
        assert preview_of(mail).startswith(preview), kind
        assert first in words(mail.html).replace("&nbsp; ", ""), kind
        assert first in " ".join(mail.text.replace("\n> ", " ").split()), kind
        assert (mail.sender or "") == sender.removesuffix(" via"), kind


def test_a_subject_is_plain_text_whatever_is_in_it() -> None:
    mail = compose_push(LILY, "a&b\n<i>", [UNSEEN], PENDING)
    assert mail.subject == "1 change pushed to a&b <i> without asking you"
    assert "<title>1 change pushed to a&amp;b &lt;i&gt; without asking you</title>" in mail.html
    assert "\n1 change pushed to a&b <i> without asking you\n" in mail.text


def test_every_way_on_is_a_line_of_its_own_in_the_text_part() -> None:
    for kind, (_, mail, *_) in KINDS.items():
        ways = re.findall(r'<a class="(?!soft)[^"]+" href="([^"]+)"', mail.html)
        assert ways or kind.startswith("problem")
        assert {unescape(url) for url in ways} <= set(mail.text.splitlines()), kind


def test_the_list_of_kinds_holds_every_kind_that_the_workflow_sends() -> None:
    assert {kind for kind, *_ in KINDS.values()} == set(WRITERS)


def test_no_two_kinds_of_mail_about_a_change_begin_alike() -> None:
    told = [preview for kind, (*_, preview, _) in KINDS.items() if "straight" not in kind]
    assert len(told) == len(set(told))


def test_a_restored_backup_is_told_to_who_decides_and_to_who_runs_the_gate_in_their_own_words() -> None:
    decides, operates = restored(decides=True, operates=False), restored(decides=False, operates=True)
    for part in (decides.text, words(decides.html)):
        assert "Please decide again" in part
        assert "doctor" not in part
        assert "See what’s waiting" in part
    for part in (operates.text, words(operates.html)):
        assert "Please decide again" not in part
        assert "qa-gate doctor" in part
        assert "See what’s waiting" not in part


def test_the_look_of_every_warning_is_its_own_in_the_dark_too() -> None:
    base = (Path(__file__).parent.parent / "templates" / "mail" / "base.html").read_text(encoding="utf-8")
    dark = base.partition("prefers-color-scheme: dark")[2]
    for name in (
        "note-warn",
        "chip-warn",
        "chip-ship",
        "chip-acc",
        "warn",
        "b-approve",
        "b-reject",
        "b-plain",
    ):
        assert f".{name} {{" in dark
    for mail in (release(UNSEEN), compose_outcome(LILY, HELD, CLASHED, is_developer_told=True), bypass()):
        assert re.search(r'class="(note|chip)-warn"', mail.html)
