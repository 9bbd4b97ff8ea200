"""The pretend inbox: as strict as SES where SES says so, and readable like a mail program."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.inbox import Mail, PretendInbox
from tests.builders import Clock

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=testing/20261124/eu-central-1/ses/aws4_request, "
    f"SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}"
)
HTML = '<html><head><title>Not this</title></head><body><p>First words.</p><a href="https://shop.example/">Try it</a></body></html>'


@pytest.fixture
def inbox() -> Iterator[PretendInbox]:
    inbox = PretendInbox(Clock()).start()
    yield inbox
    inbox.stop()


def request(subject: str = "Add gift cards (shop #12)", **simple: Any) -> dict[str, Any]:
    return {
        "FromEmailAddress": "QA gate <gate@example.com>",
        "Destination": {"ToAddresses": ["Lily <lily@example.com>"]},
        "Content": {
            "Simple": {
                "Subject": {"Data": subject},
                "Body": {"Text": {"Data": "First words."}, "Html": {"Data": HTML}},
                **simple,
            }
        },
    }


def headers(**named: str) -> list[dict[str, str]]:
    return [{"Name": name.replace("_", "-"), "Value": value} for name, value in named.items()]


def post(
    inbox: PretendInbox, body: Any, authorization: str = SIGNED
) -> tuple[int, str | None, dict[str, Any]]:
    """Status, error type and JSON of one SendEmail call."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    call = urllib.request.Request(
        f"{inbox.url}/v2/email/outbound-emails", data, {"Authorization": authorization}, method="POST"
    )
    try:
        with urllib.request.urlopen(call, timeout=5) as answer:
            return answer.status, None, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["x-amzn-ErrorType"], json.load(error)


def get(inbox: PretendInbox, path: str) -> str:
    with urllib.request.urlopen(f"{inbox.url}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def test_mail_that_ses_would_take_is_kept_with_the_id_that_was_answered(inbox: PretendInbox) -> None:
    status, _, answer = post(inbox, request(Headers=headers(References="<acme-shop-12@example.com>")))
    (mail,) = inbox.mails
    assert (status, answer) == (200, {"MessageId": mail.message_id})
    assert (mail.address, mail.sender, mail.preview) == ("lily@example.com", "QA gate", "First words. Try it")
    assert mail.headers == {
        "Message-ID": f"<{mail.message_id}@email.amazonses.com>",
        "References": "<acme-shop-12@example.com>",
    }


BAD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no sender": lambda body: body.pop("FromEmailAddress"),
    "sender of other letters": lambda body: body.update(FromEmailAddress="Prüfung <gate@example.com>"),
    "nobody to send to": lambda body: body["Destination"].update(ToAddresses=[]),
    "no destination": lambda body: body.pop("Destination"),
    "receiver without an @": lambda body: body["Destination"].update(ToAddresses=["lily"]),
    "line end in an address": lambda body: body["Destination"].update(
        ToAddresses=["Li\nly <lily@example.com>"]
    ),
    "no content": lambda body: body.pop("Content"),
    "no subject": lambda body: body["Content"]["Simple"].pop("Subject"),
    "line end in the subject": lambda body: body["Content"]["Simple"].update(
        Subject={"Data": "Hi\r\nBcc: b"}
    ),
    "no body": lambda body: body["Content"]["Simple"].update(Body={}),
    "sixteen headers": lambda body: body["Content"]["Simple"].update(
        Headers=headers(**{f"X_{n}": "1" for n in range(16)})
    ),
    "header of SES's own": lambda body: body["Content"]["Simple"].update(Headers=headers(Message_ID="<a@b>")),
    "header name with a colon": lambda body: body["Content"]["Simple"].update(
        Headers=[{"Name": "X:", "Value": "1"}]
    ),
    "header of other letters": lambda body: body["Content"]["Simple"].update(Headers=headers(X="ä")),
    "header too long": lambda body: body["Content"]["Simple"].update(Headers=headers(X="x" * 996)),
    "line end in a header": lambda body: body["Content"]["Simple"].update(Headers=headers(X="a\r\nBcc: b")),
}


@pytest.mark.parametrize("spoil", BAD)
def test_what_ses_refuses_is_refused(inbox: PretendInbox, spoil: str) -> None:
    body = request()
    BAD[spoil](body)
    status, error_type, answer = post(inbox, body)
    assert (status, error_type) == (400, "BadRequestException")
    assert answer["message"]
    assert (inbox.mails, inbox.calls) == ([], 1)


def test_call_without_a_signature_is_refused(inbox: PretendInbox) -> None:
    assert post(inbox, request(), authorization="Bearer x")[:2] == (
        403,
        "MissingAuthenticationTokenException",
    )


def test_body_that_is_no_json_is_refused(inbox: PretendInbox) -> None:
    assert post(inbox, b"{")[:2] == (400, "SerializationException")


def test_failure_answers_so_many_times_and_then_no_more(inbox: PretendInbox) -> None:
    inbox.fail(429, "TooManyRequestsException", "Slow down", times=2)
    answers = [post(inbox, request())[:2] for _ in range(3)]
    assert answers == [(429, "TooManyRequestsException")] * 2 + [(200, None)]
    assert len(inbox.mails) == 1


def test_failure_after_the_work_keeps_the_mail(inbox: PretendInbox) -> None:
    inbox.fail(500, "InternalFailure", after=True)
    assert post(inbox, request())[0] == 500
    assert len(inbox.mails) == 1


def test_lost_answer_ends_the_connection(inbox: PretendInbox) -> None:
    inbox.fail(None)
    with pytest.raises(ConnectionError):
        post(inbox, request())
    assert (inbox.calls, inbox.mails) == (1, [])


def test_waiting_ends_when_the_mail_comes(inbox: PretendInbox) -> None:
    timer = threading.Timer(0.05, post, (inbox, request()))
    timer.start()
    assert inbox.wait_for("LILY@example.com").subject == "Add gift cards (shop #12)"
    timer.join()
    assert inbox.wait_for(lambda mail: "gift" in mail.subject).id == 1


def test_waiting_in_vain_says_what_came_instead(inbox: PretendInbox) -> None:
    post(inbox, request("Other"))
    with pytest.raises(TimeoutError, match="Other"):
        inbox.wait_for("gift cards", timeout=0.01)


def test_conversation_needs_the_same_reference_and_the_same_subject(inbox: PretendInbox) -> None:
    twelve, thirteen = headers(References="<12@x>"), headers(References="<13@x>")
    for subject, extra in [("A", twelve), ("B", thirteen), ("A", twelve), ("C", twelve)]:
        post(inbox, request(subject, Headers=extra))
    assert [[mail.id for mail in thread] for thread in inbox.threads()] == [[4], [3, 1], [2]]


def test_json_tells_everything_a_program_needs(inbox: PretendInbox) -> None:
    post(inbox, request())
    (told,) = json.loads(get(inbox, "/mails.json"))
    assert told["links"] == [{"words": "Try it", "url": "https://shop.example/"}]
    assert (told["id"], told["address"], told["text"], told["html"]) == (
        1,
        "lily@example.com",
        "First words.",
        HTML,
    )
    assert told["received_at"] == "2026-11-24T12:00:00+00:00"


def test_unknown_page_is_not_found(inbox: PretendInbox) -> None:
    for path in ("/mails/1", "/mails/x", "/nothing"):
        with pytest.raises(urllib.error.HTTPError) as error:
            get(inbox, path)
        error.value.close()
        assert error.value.code == 404


def test_hostile_subject_stays_words_on_the_pages(inbox: PretendInbox) -> None:
    post(inbox, request("<script>alert(1)</script>"))
    assert "<script>alert" not in get(inbox, "/") + get(inbox, "/mails/1")


def test_link_in_a_mail_opens_beside_the_inbox(inbox: PretendInbox, open_page: Callable[..., Page]) -> None:
    target = f"{inbox.url}/mails.json"
    body = f'<html><head></head><body><script>document.title = "ran"</script><a href="{target}">Approve</a></body></html>'
    post(inbox, request(Body={"Html": {"Data": body}}))
    page = open_page(375)
    page.goto(inbox.url)
    page.get_by_text("Add gift cards").click()
    with page.expect_popup() as opened:
        page.frame_locator("iframe").get_by_text("Approve").click()
    assert opened.value.url == target
    assert page.url == f"{inbox.url}/mails/1"
    assert page.title() != "ran"


def test_list_shows_a_new_mail_by_itself(inbox: PretendInbox, page: Page) -> None:
    page.goto(inbox.url)
    page.get_by_text("No mail yet.").wait_for()
    post(inbox, request())
    page.get_by_text("Add gift cards").wait_for()


def test_mail_without_html_shows_its_text(inbox: PretendInbox) -> None:
    post(inbox, request(Body={"Text": {"Data": "Only\n\nwords"}}))
    mail: Mail = inbox.mails[0]
    assert (mail.preview, mail.links) == ("Only words", [])
    assert "Only\n\nwords" in get(inbox, "/mails/1")


# --- Faults of other kinds -----------------------------------------------------------------------------------


def test_a_fault_may_last_until_it_is_lifted(inbox: PretendInbox) -> None:
    fault = inbox.fail(
        302, headers={"Location": "http://127.0.0.1:9/"}, message="<p>Sign in.</p>", times=None
    )
    for _ in range(3):
        with pytest.raises(urllib.error.URLError):
            post(inbox, request())
    fault.lift()
    assert post(inbox, request())[0] == 200
    assert (fault.met, len(inbox.mails)) == (3, 1)


def test_silence_lasts_until_it_is_lifted_and_may_come_after_the_mail_was_taken(inbox: PretendInbox) -> None:
    fault = inbox.silence(after=True)
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(
            urllib.request.Request(
                f"{inbox.url}/v2/email/outbound-emails",
                json.dumps(request()).encode(),
                {"Authorization": SIGNED},
                method="POST",
            ),
            timeout=0.2,
        )
    fault.lift()
    assert post(inbox, request())[0] == 200
    assert len(inbox.mails) == 2


def test_a_slow_answer_is_the_true_one(inbox: PretendInbox) -> None:
    inbox.slow(0.2)
    began = monotonic()
    assert post(inbox, request())[0] == 200
    assert monotonic() - began >= 0.2


def test_an_answer_may_break_off_after_the_mail_was_taken(inbox: PretendInbox) -> None:
    inbox.cut()
    with pytest.raises((http.client.IncompleteRead, ValueError)):
        post(inbox, request())
    assert len(inbox.mails) == 1
