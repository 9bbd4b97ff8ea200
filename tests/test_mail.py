"""Letters and comments as people read them, and what becomes of one that Amazon SES takes, refuses or loses."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from email.header import decode_header, make_header
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest
from moto.server import ThreadedMotoServer

from app.domain.approval import Choice, Decision
from app.domain.blocked import Blocked, Why
from app.domain.cautions import Caution, CautionKind, cautions
from app.domain.facts import Commit, Release, Snapshot, State, Unseen
from app.domain.policy import Reviewer
from app.mail.comments import blocked_comment, comment
from app.mail.compose import Mail
from app.mail.news import About, compose_bypass, compose_digest, compose_sign_in
from app.mail.question import Request, TalkLine, compose_request
from app.mail.send import Mailer, MailLater, MailRefused
from demo.inbox import PretendInbox
from tests.builders import HEAD, LILY, NOON, OLD_HEAD, row, snapshot

BERLIN = ZoneInfo("Europe/Berlin")
APPROVE, REJECT = "https://gate.example.com/decide/AAA.approve", "https://gate.example.com/decide/AAA.reject"
PENDING, TRY = "https://gate.example.com/", "https://pr-12.shop.example.com/?a=1&b=2"
CODE = "https://github.com/acme/shop/pull/12"
COMPARE = f"https://github.com/acme/shop/compare/{OLD_HEAD}...{HEAD}"
SENDER = "QA gate <gate@example.com>"
MARKER = "<!-- qa-gate 1.2.3 -->"


def ask(asked: Snapshot | None = None, **fields: Any) -> Mail:
    """Compose a question; `fields` are those of the request, or of the pull request."""
    facts = {name: fields.pop(name) for name in list(fields) if name not in Request.__dataclass_fields__}
    known: dict[str, Any] = {
        "reviewer": LILY,
        "snapshot": asked or snapshot(**facts),
        "place": "#12",
        "asked_at": NOON,
        "approve_url": APPROVE,
        "reject_url": REJECT,
        "pending_url": PENDING,
        "try_url": TRY,
    }
    return compose_request(Request(**{**known, **fields}), NOON + timedelta(minutes=2), BERLIN)


def rejected(note: str, by: str = "Lily", reviewer: str = LILY.id) -> Decision:
    return Decision(1, Choice.REJECT, by, reviewer, NOON - timedelta(days=1), note)


def commits(*messages: str) -> tuple[Commit, ...]:
    return tuple(Commit(HEAD, message, "sam") for message in messages)


def item(number: int = 12, answered_by: str = "", **fields: Any) -> Request:
    """One question of a list; a higher number waits for a shorter time. `fields` are those of the request, or of the change."""
    facts = {name: fields.pop(name) for name in list(fields) if name not in Request.__dataclass_fields__}
    known: dict[str, Any] = {
        "reviewer": LILY,
        "snapshot": snapshot(**{"title": f"Add gift card {number}", **facts}),
        "place": f"#{number}",
        "asked_at": NOON + timedelta(minutes=number),
        "approve_url": f"{APPROVE}-{number}",
        "reject_url": REJECT,
        "pending_url": PENDING,
        "talk": (TalkLine(answered_by, answered_by, "Yes.", is_question=False),) if answered_by else (),
    }
    return Request(**{**known, **fields})


def digest(*items: Request) -> Mail:
    return compose_digest(LILY, items, PENDING, NOON + timedelta(days=1), BERLIN)


def bypass(merged_by: str = "kim", **fields: Any) -> Mail:
    about = About(
        row(State.MERGED, **fields), fields.get("author", "sam"), "#12", f"{PENDING}reviews/1", PENDING
    )
    return compose_bypass(LILY, about, merged_by)


def words(html: str) -> str:
    """The words of an HTML part that a reader sees, as one line."""
    body = re.sub(r"<(style|title)>.*?</\1>|<!--.*?-->|<[^>]*>", " ", html, flags=re.DOTALL)
    return " ".join(body.replace("&amp;", "&").replace("&#39;", "'").split())


# --- The question -------------------------------------------------------------------------------------------


def test_question_says_who_asks_and_what_in_both_parts() -> None:
    mail = ask()
    for part in (words(mail.html), " ".join(mail.text.split())):
        assert "Add gift cards" in part
        assert "Hi Lily, sam needs your approval before this goes in." in part
        assert "Customers asked for them." in part
        assert "Small: 12 lines in 1 file" in part
    assert mail.to == "Lily <lily@example.com>"
    assert mail.subject == "Add gift cards (#12)"


def test_a_mail_ends_with_one_plain_address_and_its_text_part_has_them_all() -> None:
    mail = ask()
    seen = words(mail.html)
    assert f"copy this address into your browser: {APPROVE}" in seen
    assert re.findall(r"https://\S+", seen) == [APPROVE]
    for url in (APPROVE, REJECT, PENDING, TRY, CODE):
        assert f'href="{url.replace("&", "&amp;")}"' in mail.html
        assert url in mail.text.splitlines()


def test_who_has_no_account_is_sent_to_no_code_of_a_private_repository() -> None:
    mail = ask(private=True, is_again=True, compare_url=COMPARE)
    for part in (mail.html, mail.text):
        assert "github.com" not in part
        assert "See the code" not in part


def test_every_mail_says_that_replies_are_not_read() -> None:
    for mail in (ask(), digest(item()), bypass(), compose_sign_in(LILY, APPROVE)):
        for part in (words(mail.html), mail.text):
            assert "Replies to this email aren’t read. Please don’t forward this email:" in part


def test_buttons_carry_a_word_and_a_shape_and_three_colours_of_their_own() -> None:
    html = ask().html
    assert '<span class="look">✓\u00a0</span>Approve</a>' in html
    assert '<span class="look">✕\u00a0</span>Reject</a>' in html
    for look in re.findall(r'<td class="b-(?:approve|reject|plain)".*?</td>', html, flags=re.DOTALL):
        assert 'bgcolor="#' in look
        assert "border:2px solid #" in look
        assert re.search(r";color:#\w{6};background-color:#\w{6};", look)


def test_first_what_she_must_know_then_try_then_the_buttons_then_the_rest() -> None:
    body = "Customers asked for them.\n\n## How to test\nOpen the cart"
    for part in (words(ask(body=body).html), ask(body=body).text):
        order = (
            "sam needs your approval",
            "Open the cart",
            "Try it",
            "Approve",
            "Nothing happens until you confirm",
            "Customers asked",
            "Size",
            "See everything",
        )
        places = [part.index(words) for words in order]
        assert places == sorted(places)


def test_without_a_preview_it_says_where_to_try_it() -> None:
    mail = ask(try_url=None)
    for part in (words(mail.html), mail.text):
        assert "Try it where you usually do (branch gift-cards), or ask sam how." in part
        assert "Opens" not in part


def test_a_description_that_is_empty_leaves_no_heading() -> None:
    mail = ask(body="")
    assert "What sam wrote" not in mail.html + mail.text


def test_later_question_says_that_the_code_changed_and_what_she_wrote() -> None:
    note = "The total is wrong.\nPlease look again."
    mail = ask(is_again=True, rejection=rejected(note))
    for part in (words(mail.html), mail.text):
        assert "Hi Lily, sam changed this after your message. Please look again." in part
        assert "You wrote on Mon 23 Nov at 13:00:" in part
    assert "> The total is wrong.\n> Please look again.\n" in mail.text
    assert "The total is wrong.<br>Please look again." in mail.html


def test_later_question_names_what_is_new_and_leads_to_only_that() -> None:
    mail = ask(is_again=True, new_commits=commits("Round the total", "Say < & >"), compare_url=COMPARE)
    assert "New since then Round the total Say &lt; & &gt; See only what’s new" in words(mail.html)
    assert "New since then\n--------------\n\n- Round the total\n- Say < & >\n\n" in mail.text
    assert f'href="{COMPARE}"' in mail.html
    assert f"See only what’s new:\n{COMPARE}\n" in mail.text


def test_commits_beyond_ten_are_counted() -> None:
    mail = ask(is_again=True, new_commits=commits(*(f"Step {number}." for number in range(1, 16))))
    for part in (words(mail.html), mail.text):
        assert "Step 10." in part
        assert "Step 11." not in part
        assert "and 5 more" in part
    mail = ask(is_again=True, new_commits=commits(*(f"Step {number}." for number in range(1, 11))))
    assert " more\n" not in mail.text


def test_first_question_speaks_of_no_change_and_no_new_link() -> None:
    mail = ask()
    for phrase in ("changed this", "new link", "You wrote", "New since"):
        assert phrase not in mail.html + mail.text


def test_waiting_time_is_a_date_since_a_letter_is_read_later() -> None:
    mail = ask()
    for part in (words(mail.html), mail.text):
        assert "Asked: Tue 24 Nov at 13:00" in part


def test_program_is_called_a_program() -> None:
    mail = ask(author="dependabot[bot]", author_is_bot=True, try_url=None)
    for part in (words(mail.html), mail.text):
        assert "this is an automatic change by dependabot. It needs your approval before it goes in." in part
        assert "or ask a developer how." in part


def test_a_branch_name_that_may_imitate_another_is_a_caution() -> None:
    asked = snapshot(head="gift-cаrds")  # its third vowel is Cyrillic
    mail = ask(asked, cautions=tuple(cautions(asked)))
    for part in (words(mail.html), mail.text):
        assert "this branch name imitates another one (gift-cаrds). Ask a developer" in part
    for name in ("p\u0430yment", "a\u202eb", "tab\t", "é", "a\nb"):
        assert cautions(snapshot(head=name))[0].kind == "imitates"
    assert "imitates" not in [one.kind for one in cautions(snapshot(head="feature/login-2_(copy)"))]


def test_mails_load_nothing_and_run_nothing() -> None:
    letters = (
        ask(body="![x](https://evil.example/p.png)"),
        compose_sign_in(LILY, APPROVE),
        digest(item()),
        bypass(),
    )
    for html in (letter.html for letter in letters):
        assert not re.search(
            r"<(img|script|link|iframe|form|input|object)\b|url\(|@import|\bon\w+=", html, re.IGNORECASE
        )


# --- Threads, subjects, addresses ---------------------------------------------------------------------------


def test_letters_of_one_pull_request_share_thread_and_subject() -> None:
    first, again = ask(), ask(is_again=True, head_sha="d" * 40, body="Other words")
    assert (first.thread, first.subject) == (again.thread, again.subject) == ("acme-shop-12", first.subject)
    assert ask(number=13).thread != first.thread
    assert compose_sign_in(LILY, APPROVE).thread is None
    assert {mail.subject for mail in (ask(is_fresh=True), ask(instead_of="Max"), bypass())} == {first.subject}


@pytest.mark.parametrize(
    "title", ["Fix\r\nBcc: eve@example.com", "Fix\u2028Bcc: eve@example.com", "Fix\x0bBcc: eve@example.com"]
)
def test_line_end_in_a_title_makes_no_header(title: str) -> None:
    mail = ask(title=title)
    assert mail.subject == "Fix Bcc: eve@example.com (#12)"


def test_long_title_is_cut_in_the_subject_but_not_in_the_letter() -> None:
    title = "Move every price of the storefront into the new table and remove the old one for good"
    mail = ask(title=title)
    assert mail.subject.endswith("… (#12)")
    assert len(mail.subject) < 100
    assert title in mail.text
    assert title in words(mail.html)


def test_name_of_other_letters_is_an_encoded_word_in_the_address() -> None:
    mail = ask(reviewer=Reviewer("Zoë Müller", "zoe@example.com"))
    assert mail.to.isascii()
    assert str(make_header(decode_header(mail.to))) == "Zoë Müller <zoe@example.com>"
    assert "Hi Zoë Müller, " in mail.text


# --- Hostile pull requests ----------------------------------------------------------------------------------

HOSTILE = '<script>alert(1)</script><a href="https://evil.example">Approve</a>\u202egnp.\u200bexe\x00 {{ 7*7 }} {% raw %}'


@pytest.mark.parametrize(
    "field", ["title", "body", "author", "head", "branch", "place", "skips_to", "same_code_but"]
)
def test_hostile_words_stay_words(field: str) -> None:
    odd = {"cautions": (Caution(CautionKind.IMITATES, (HOSTILE,)),)}
    mail = ask(**{"try_url": None, **(odd if field == "branch" else {field: HOSTILE})})
    assert "<script" not in mail.html
    assert "{{ 7*7 }}" in mail.html
    # A description may hold links, as at GitHub; each says where it leads.
    assert (
        mail.html.count('href="https://evil.example"')
        == mail.html.count('>Approve</a><span class="look"> (evil.example)')
        == (field == "body")
    )
    for part in (mail.html, mail.text, mail.subject):
        assert not set(part) & set("\u202e\u200b\x00")
    assert re.fullmatch(r"[a-z0-9-]+", mail.thread or "")


def test_hostile_commit_messages_stay_words() -> None:
    mail = ask(is_again=True, new_commits=commits(HOSTILE, "a\u2028Approve:\nb"))
    assert_harmless(mail)
    assert "- a Approve: b\n" in mail.text


@pytest.mark.parametrize("field", ["title", "author", "place", "approve_url", "answered_by", "try_url"])
def test_hostile_words_in_a_list_stay_words(field: str) -> None:
    assert_harmless(digest(item(**{field: HOSTILE})))


@pytest.mark.parametrize("field", ["title", "author", "base", "merged_by"])
def test_hostile_words_in_the_news_of_a_merge_stay_words(field: str) -> None:
    mail = bypass(**{field: HOSTILE})
    assert_harmless(mail)
    assert re.fullmatch(r"[a-z0-9-]+", mail.thread or "")


def assert_harmless(mail: Mail) -> None:
    assert "<script" not in mail.html
    assert 'href="https://evil.example"' not in mail.html
    assert "alert(1)" in mail.html
    for part in (mail.html, mail.text, mail.subject):
        assert not set(part) & set("\u202e\u200b\x00")
    assert not set(mail.subject) & set("\r\n")


def test_text_part_shows_less_than_as_it_is() -> None:
    mail = ask(title="Sort when a < b & c", body='It\'s 3 < 4 & "true"')
    assert "Sort when a < b & c" in mail.text
    assert 'It\'s 3 < 4 & "true"' in mail.text
    assert "Sort when a &lt; b &amp; c" in mail.html


def test_description_cannot_pretend_to_be_the_letter() -> None:
    text = ask(body="Approve:\nhttps://evil.example/").text
    assert "> Approve:\n> https://evil.example/" in text
    assert text.count("\nApprove:\n") == 1


# --- The list -----------------------------------------------------------------------------------------------


def test_list_names_each_with_who_how_large_and_its_own_ways() -> None:
    mail = digest(item(12), item(13, title="Sort when a < b", author="ann", try_url=TRY))
    for part in (words(mail.html).replace("&lt;", "<"), mail.text):
        assert "Add gift card 12" in part
        assert "Sort when a < b" in part
        assert "ann · small, 1 file" in part
    for url in (f"{APPROVE}-12", f"{APPROVE}-13", PENDING, TRY):
        assert mail.html.count(f'href="{url.replace("&", "&amp;")}"') >= 1
        assert url in mail.text.splitlines()
    assert mail.html.count(">Open<") == 2
    assert "See the code" not in mail.html + mail.text
    assert (mail.to, mail.thread) == ("Lily <lily@example.com>", None)


def test_list_says_what_is_new_a_new_version_answered_a_release_and_late() -> None:
    held = Release((), (Unseen(HEAD, "Push it", "kim", None),), 0)
    mail = digest(
        item(1, title="Late", asked_at=NOON - timedelta(days=3), is_again=True),
        item(2, title="Asked", answered_by="sam"),
        item(3, title="Out", release=held),
        item(4, title="Fresh"),
    )
    for kind, title in (
        ("Waiting 4 days\nNew version", "Late"),
        ("sam answered", "Asked"),
        ("Release", "Out"),
        ("New", "Fresh"),
    ):
        assert f"\n\n{kind}\n\n{title}\n" in mail.text
    assert "1 not approved by QA · since" in mail.text
    assert words(mail.html).startswith(
        "1 new, 1 new version, 1 answer, 1 release. The longest has been waiting 4 days."
    )


def test_list_begins_with_the_longest_waiting_whatever_order_it_is_given() -> None:
    mail = digest(item(14), item(12), item(13))
    for part in (words(mail.html), mail.text):
        places = [part.index(f"Add gift card {number}") for number in (12, 13, 14)]
        assert places == sorted(places)


def test_list_ends_at_thirty_and_counts_the_rest() -> None:
    mail = digest(*map(item, range(62)))
    for part in (words(mail.html), mail.text):
        assert "Add gift card 29" in part
        assert "Add gift card 30" not in part
        assert "And 32 more on the page." in part


@pytest.mark.parametrize("unit", ["w", "&", "🐘"])
def test_list_stays_small_whatever_the_titles(unit: str) -> None:
    long: dict[str, Any] = {"title": unit * 256, "author": unit * 100, "place": unit * 140}
    links = {"approve_url": APPROVE + "a" * 200, "try_url": TRY + "a" * 200}
    mail = digest(*(item(number, answered_by=unit * 99, **long, **links) for number in range(300)))
    shown = mail.html.count(f'href="{links["approve_url"]}"')
    assert len(mail.html.encode()) < 90_000
    assert len(mail.text.encode()) < 90_000
    assert shown >= 20
    assert f"And {300 - shown} more on the page." in words(mail.html)
    assert f"And {300 - shown} more on the page." in mail.text


# --- Merged past the gate -----------------------------------------------------------------------------------


def test_merge_past_the_gate_says_who_what_where_and_that_nothing_is_left_to_decide() -> None:
    mail = bypass()
    for part in (words(mail.html), mail.text):
        assert "Add gift cards" in part
        assert "Hi Lily, kim merged this on GitHub without asking you. It’s in development now." in part
        assert "There’s nothing left to decide. If it shouldn’t be in, talk to sam." in part
        assert "See what happened" in part
        assert "Not approved by QA" in words(mail.html)
    assert CODE not in mail.html + mail.text
    assert f"{PENDING}reviews/1" in mail.text.splitlines()


@pytest.mark.parametrize("author", ["dependabot[bot]", ""])
def test_nobody_is_sent_to_talk_to_a_program(author: str) -> None:
    assert "talk to a developer." in bypass(author=author).text


# --- Words for a pull request -------------------------------------------------------------------------------


def test_approval_without_a_note_says_what_is_next() -> None:
    assert comment(Choice.APPROVE, "Lily", " \n", MARKER) == (
        f"**Lily approved this.** It merges by itself as soon as GitHub allows it.\n\n{MARKER}\n"
    )


def test_rejection_quotes_every_line_and_leaves_mentions_as_written() -> None:
    said = comment(Choice.REJECT, "Lily", "The total doesn't fit, @sam.\n\nSee #12 & closes #7\n", MARKER)
    assert said == (
        "**Lily requested changes:**\n\n"
        "> The total doesn't fit, @sam.\n>\n> See #12 &amp; closes #7\n\n"
        f"Push a fix, or request a review from anyone, and QA is asked again.\n\n{MARKER}\n"
    )


def test_note_cannot_forge_a_marker_or_a_tag_or_leave_its_quote() -> None:
    said = comment(
        Choice.REJECT, "Li<ly", "<!-- qa-gate 1.1.1 -->\r\n<img src=x>\u2028**Lily approved this.**", MARKER
    )
    assert said.count("<") == 1
    assert said.endswith(f"\n\n{MARKER}\n")
    assert "\n> **Lily approved this.**\n" in said


def test_taking_back_has_words_too() -> None:
    said = comment(Choice.TAKE_BACK, "Lily", "", MARKER)
    assert said.startswith("**Lily withdrew the approval.** This won’t merge until QA approves again.")
    said = comment(Choice.TAKE_BACK, "Lily", "", MARKER, took_back=Choice.REJECT)
    assert said.startswith("**Lily withdrew the request for changes.** It’s waiting for QA’s approval again.")


def test_the_names_of_checks_act_on_nothing_in_the_gates_comment() -> None:
    name = "[Sign in](https://evil.example) @acme/all closes #1 ![x](https://evil.example/p.png) <!-- -->"
    said = blocked_comment(Blocked(Why.CHECKS_RED, (name,)), MARKER, "development")
    for acting in ("](", "@acme", "#1", "https:/", "<!-- -->"):
        assert acting not in said
    assert said.endswith(f"\n\n{MARKER}\n")


def test_a_comment_about_what_was_in_the_way_says_when_that_is_over() -> None:
    assert blocked_comment(None, MARKER, "development", is_merged=True).startswith(
        "**Merged:** what was in the way is resolved."
    )
    assert blocked_comment(None, MARKER, "development").startswith("**No longer approved,**")


def test_an_answer_that_stands_no_more_names_the_version_it_was_about() -> None:
    said = comment(Choice.REJECT, "Lily", "The total is wrong.", MARKER, "abc1234")
    assert (
        "> The total is wrong.\n\nThis was about abc1234. The pull request has changed since, so it no longer counts"
        in said
    )


# --- Sending ------------------------------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which boto3 finds everything, and nothing of this machine's."""
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return monkeypatch


@pytest.fixture
def inbox(aws: pytest.MonkeyPatch) -> Iterator[PretendInbox]:
    inbox = PretendInbox().start()
    aws.setenv("AWS_ENDPOINT_URL_SESV2", inbox.url)
    yield inbox
    inbox.stop()


def test_letter_arrives_as_composed(inbox: PretendInbox) -> None:
    composed = ask()
    message_id = Mailer(SENDER).send(composed)
    (mail,) = inbox.mails
    assert parseaddr(mail.from_) == ("sam via QA gate", "gate@example.com")
    assert (mail.to, mail.subject, mail.text, mail.html) == (
        composed.to,
        composed.subject,
        composed.text,
        composed.html,
    )
    assert mail.message_id == message_id


SENDERS: dict[str, tuple[dict[str, Any], str]] = {
    "a person": ({}, "sam via QA gate"),
    "a program": ({"author": "dependabot[bot]", "author_is_bot": True}, "QA gate"),
    "an outsider": ({"belongs": False, "head_repository": "sam/shop"}, "QA gate"),
    "a release": ({"asked": snapshot(release=Release((), ()))}, "QA gate"),
    "somebody who answered": (
        {"is_answer": True, "talk": (TalkLine("kim", "kim", "No.", False),)},
        "kim via QA gate",
    ),
    "a name like an address": ({"author": 'Pay <pal@x.example>, "y"'}, "Pay pal x.example y via QA gate"),
    "a long name": ({"author": "w" * 90}, f"{'w' * 29}… via QA gate"),
    "a name of nothing": ({"author": "@@\u202e"}, "QA gate"),
    "other letters": ({"author": "Zoë"}, "Zoë via QA gate"),
}


@pytest.mark.parametrize("who", SENDERS)
def test_a_mail_comes_in_the_name_of_who_asks_but_of_nobody_from_outside(
    inbox: PretendInbox, who: str
) -> None:
    fields, name = SENDERS[who]
    Mailer(SENDER).send(ask(**fields))
    assert inbox.mails[0].from_.isascii()
    shown, address = parseaddr(str(make_header(decode_header(inbox.mails[0].from_))))
    assert (shown, address) == (name, "gate@example.com")


def test_headers_hold_the_thread_together_and_keep_machines_from_answering(inbox: PretendInbox) -> None:
    mailer = Mailer(SENDER, "gate-events")
    for letter in (ask(), ask(is_again=True), ask(number=13), compose_sign_in(LILY, APPROVE)):
        mailer.send(letter)
    first, again, other, sign_in = (mail.headers for mail in inbox.mails)
    assert first["References"] == first["In-Reply-To"] == "<acme-shop-12@example.com>"
    assert again["References"] == first["References"] != other["References"]
    assert "References" not in sign_in
    for headers in (first, again, other, sign_in):
        assert headers["Auto-Submitted"] == "auto-generated"
        assert headers["X-Auto-Response-Suppress"] == "All"
    assert {mail.configuration_set for mail in inbox.mails} == {"gate-events"}


def test_hostile_repository_still_makes_headers_that_ses_takes(inbox: PretendInbox) -> None:
    Mailer("Prüfung <gate@example.com>").send(ask(title=HOSTILE, repository="ac\r\nme/" + "shöp" * 400))
    assert len(inbox.mails) == 1


def test_ses_of_another_maker_takes_it_too(aws: pytest.MonkeyPatch) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        aws.setenv("AWS_ENDPOINT_URL_SESV2", f"http://{host}:{port}")
        mailer = Mailer(SENDER)
        with pytest.raises(MailRefused):
            mailer.send(ask())
        boto3.client("sesv2").create_email_identity(EmailIdentity="gate@example.com")
        assert mailer.send(ask())
    finally:
        server.stop()


LATER = {
    "TooManyRequestsException": (429, timedelta(minutes=1)),
    "LimitExceededException": (400, timedelta(minutes=15)),
    "SendingPausedException": (400, timedelta(minutes=15)),
    "InternalFailure": (500, None),
    "ServiceUnavailable": (503, None),
    "": (429, timedelta(minutes=1)),
}


@pytest.mark.parametrize("error_type", LATER)
def test_passing_trouble_is_for_later(inbox: PretendInbox, error_type: str) -> None:
    status, after = LATER[error_type]
    inbox.fail(status, error_type, "secret words of theirs")
    with pytest.raises(MailLater) as error:
        Mailer(SENDER).send(ask())
    assert error.value.after == after
    assert "secret" not in error.value.reason
    assert (inbox.calls, inbox.mails) == (1, [])


REFUSED = {
    "MessageRejected": (400, "not verified"),
    "MailFromDomainNotVerifiedException": (400, "domain is not verified"),
    "AccountSuspendedException": (400, "suspended"),
    "BadRequestException": (400, "MAIL_FROM"),
    "NotFoundException": (404, "SES_CONFIGURATION_SET"),
    "AccessDeniedException": (403, "credentials"),
    "InvalidSignatureException": (403, "credentials"),
    "UnrecognizedClientException": (403, "credentials"),
    "ExpiredTokenException": (400, "credentials"),
    "SomethingNewException": (400, "SomethingNewException"),
}


@pytest.mark.parametrize("error_type", REFUSED)
def test_definite_no_needs_an_operator(inbox: PretendInbox, error_type: str) -> None:
    status, says = REFUSED[error_type]
    inbox.fail(status, error_type, "secret words of theirs")
    with pytest.raises(MailRefused, match=says) as error:
        Mailer(SENDER).send(ask())
    assert "secret" not in error.value.reason
    assert (inbox.calls, inbox.mails) == (1, [])


def test_lost_answer_is_sent_once_a_call(inbox: PretendInbox) -> None:
    inbox.fail(None, after=True)
    with pytest.raises(MailLater, match="may have gone out"):
        Mailer(SENDER).send(ask())
    assert (inbox.calls, len(inbox.mails)) == (1, 1)


def test_answer_without_an_id_is_no_success(inbox: PretendInbox) -> None:
    inbox.fail(200, message="Welcome to the hotel's network")
    with pytest.raises(MailLater):
        Mailer(SENDER).send(ask())


def test_nobody_there_is_for_later(aws: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        aws.setenv("AWS_ENDPOINT_URL_SESV2", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(MailLater, match="cannot be reached"):
            Mailer(SENDER).send(ask())


def test_missing_region_is_named_at_the_start(aws: pytest.MonkeyPatch) -> None:
    aws.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(MailRefused, match="AWS_DEFAULT_REGION"):
        Mailer(SENDER).open()


def test_missing_credentials_are_named(inbox: PretendInbox, aws: pytest.MonkeyPatch) -> None:
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(MailRefused, match="AWS_ACCESS_KEY_ID"):
        Mailer(SENDER).send(ask())


def test_half_a_credential_is_refused(inbox: PretendInbox, aws: pytest.MonkeyPatch) -> None:
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(MailRefused, match="credentials are missing"):
        Mailer(SENDER).send(ask())


def test_credentials_that_cannot_be_fetched_now_are_for_later(
    inbox: PretendInbox, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[default]\ncredential_process = false\n")
    aws.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    aws.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(MailLater, match="could not be fetched"):
        Mailer(SENDER).send(ask())


def test_unknown_profile_is_refused(aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(MailRefused, match="ProfileNotFound"):
        Mailer(SENDER).open()


def test_a_letter_of_the_wrong_form_is_a_bug_and_nothing_of_it_is_quoted(inbox: PretendInbox) -> None:
    """botocore quotes what it was given when that has the wrong type; a log of ours must not."""
    wrong: Any = [APPROVE]
    with pytest.raises(TypeError) as error:
        Mailer(SENDER).send(Mail("lily@example.com", "Subject", wrong, "", None))
    assert APPROVE not in str(error.value)
    assert error.value.__suppress_context__
