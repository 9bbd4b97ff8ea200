"""GitHub's side: signatures, payloads, the meaning of its answers, and the calls over real HTTP.

The calls go to the stand-in of the demo, which keeps real git repositories and counts what it is asked.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import re
import socket
import traceback
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github import BadAttributeException, GithubException
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.db.store import Store
from app.domain.approval import Choice
from app.domain.events import CheckEvent, CommentEvent, GitHubEvent, PullRequestEvent
from app.domain.facts import Change, Checks, Person, PullRequest, Seen, Status, words_digest
from app.github.answers import Moved, Refused, TryAgain, meaning_of, quotable
from app.github.client import GitHub
from app.github.commits import CheckRun, CommitStatus, Comparison, TreeAnswer, combined_checks
from app.github.connection import etag_of
from app.github.pulls import Listing, Pull, WholePull
from app.github.webhooks import BadPayload, parse, verify
from demo.github import PretendGitHub
from tests.builders import NOON, Clock

PAYLOADS = Path(__file__).parent / "payloads"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
NOW = datetime(2025, 3, 4, 12, 0, tzinfo=UTC)

# GitHub's own example: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def real(name: str = "pull_request.opened") -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def with_value(path: str, value: Any) -> bytes:
    """A real payload in which one path holds another value; `...` takes the key away."""
    data = json.loads(real())
    *parents, last = path.split(".")
    place = data
    for key in parents:
        place = place.setdefault(key, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(data).encode()


def parsed(body: bytes, event: str = "pull_request", content_type: str = JSON) -> PullRequestEvent:
    notice = parse(event, content_type, body)
    assert isinstance(notice, PullRequestEvent)
    return notice


# --- Signatures ---------------------------------------------------------------------------------------------


def test_githubs_own_example_verifies() -> None:
    assert verify(SECRET, BODY, SIGNATURE)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        SIGNATURE[7:],
        SIGNATURE.upper(),
        SIGNATURE + "0",
        " " + SIGNATURE,
        SIGNATURE.replace("sha256", "sha1"),
        "sha256=" + "é" * 64,
        "\ud800",
    ],
)
def test_any_other_signature_does_not(signature: str | None) -> None:
    assert verify(SECRET, BODY, signature) is False


def test_an_empty_secret_verifies_nothing() -> None:
    forged = "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    assert verify("", BODY, forged) is False


@given(body=st.binary(), signature=st.none() | st.text())
def test_nothing_but_the_signature_verifies_and_nothing_raises(body: bytes, signature: str | None) -> None:
    right = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert verify(SECRET, body, signature) is (signature == right)
    assert verify(SECRET, body, right)


# --- Payloads -----------------------------------------------------------------------------------------------


OPENED = "This is a pretty simple change that we need to pull into master."


def test_a_real_payload_says_what_is_needed() -> None:
    assert parsed(real()) == PullRequestEvent(
        repository_id=186853002,
        repository="Codertocat/Hello-World",
        number=2,
        seen=Seen(
            head_sha="ec26c3e57ca3a959ca5aad62de7213c562f8c821",
            base="master",
            open=True,
            draft=False,
            merged=False,
            title="Update the README with new information.",
            words=words_digest("Update the README with new information.", OPENED),
        ),
        updated_at=datetime(2019, 5, 15, 15, 20, 33, tzinfo=UTC),
        closed_at=None,
        author_id=21031067,
    )


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("pull_request.*.json")), ids=lambda path: path.stem)
def test_every_real_pull_request_payload_is_read(path: Path) -> None:
    body = path.read_bytes()
    notice = parsed(body)
    assert notice.seen.open is (".closed." not in path.name)
    assert parsed(urlencode({"payload": body.decode()}).encode(), content_type=FORM) == notice


def test_a_retarget_says_where_it_went_before() -> None:
    assert parsed(with_value("changes.base.ref.from", "development")).base_before == "development"


@pytest.mark.parametrize("path", ["pull_request", "pull_request.head", "pull_request.base"])
@pytest.mark.parametrize("value", [None, [], 7])
def test_what_is_no_object_has_none_of_its_fields(path: str, value: Any) -> None:
    with pytest.raises(BadPayload, match=f'"{path}'):
        parsed(with_value(path, value))


def test_who_asks_for_a_review_is_told() -> None:
    notice = parsed(real("pull_request.review_requested"))
    codertocat = Person(21031067, "Codertocat")
    assert notice.requests == ((codertocat, notice.updated_at),)


@pytest.mark.parametrize("action", ["opened", "review_request_removed", "synchronize"])
def test_only_asking_for_a_review_asks(action: str) -> None:
    assert parsed(with_value("action", action)).requests == ()


def test_when_it_was_closed_is_told() -> None:
    closed_at = datetime(2019, 5, 15, 15, 21, 18, tzinfo=UTC)
    assert parsed(real("pull_request.closed")).closed_at == closed_at
    closed = json.loads(real("pull_request.closed"))["pull_request"]
    assert Pull.model_validate(closed).closed_at == closed_at


def test_a_deleted_author_is_a_ghost() -> None:
    assert parsed(with_value("pull_request.user", None)).author_id is None


def test_a_sha256_repository_is_read() -> None:
    assert parsed(with_value("pull_request.head.sha", "a" * 64)).seen.head_sha == "a" * 64


@pytest.mark.parametrize("event", ["ping", "never_heard_of"])
def test_other_events_are_not_needed(event: str) -> None:
    assert parse(event, JSON, b'{"action": "created"}') is None


def test_a_content_type_may_have_parameters_and_any_case() -> None:
    assert parsed(real(), content_type="Application/JSON; charset=utf-8").number == 2


@pytest.mark.parametrize(
    "content_type, body, words",
    [
        ("text/plain", b"{}", "content type"),
        ("", b"{}", "content type"),
        (JSON, b"", "not JSON"),
        (JSON, b"payload=%7B%7D", "not JSON"),
        (JSON, b"\xff", "not JSON"),
        (JSON, '{"a": "é"}'.encode("latin-1"), "not JSON"),
        (JSON, "{}".encode("utf-16"), "not JSON"),
        (JSON, b"1" * 5000, "not JSON"),
        (JSON, b"null", "not an object"),
        (JSON, b'"text"', "not an object"),
        (JSON, b"[" * 100_000, "not JSON"),
        (JSON, b'{"a":' * 100_000, "not JSON"),
        (FORM, b"", 'one field "payload"'),
        (FORM, b"other=1", 'one field "payload"'),
        (FORM, b"payload={}&payload={}", 'one field "payload"'),
        (FORM, b"payload=", "not JSON"),
        (FORM, b"payload=%FF", "not JSON"),
        (FORM, b"payload={}" + b"&a=1" * 20, "not JSON"),
        (FORM, b"payload=" + b"[" * 100_000, "not JSON"),
    ],
)
def test_a_body_that_is_not_githubs_is_named(content_type: str, body: bytes, words: str) -> None:
    with pytest.raises(BadPayload) as bad:
        parse("pull_request", content_type, body)
    assert words in bad.value.reason
    assert bad.value.reason.endswith(".")


@pytest.mark.parametrize(
    "path, value",
    [
        ("action", ...),
        ("action", ""),
        ("pull_request.base.repo.id", ...),
        ("pull_request.base.repo.id", True),
        ("pull_request.base.repo.id", "1"),
        ("pull_request.base.repo.id", 1.5),
        ("pull_request.base.repo.id", 0),
        ("pull_request.base.repo.id", 2**63),
        ("pull_request.base.repo.full_name", "noslash"),
        ("pull_request.base.repo.full_name", "a/b/c"),
        ("pull_request.base.repo.full_name", "a/b\n"),
        ("pull_request.base.repo.full_name", "a/b?x=1"),
        ("pull_request.number", True),
        ("pull_request.number", -1),
        ("pull_request.number", 2**31),
        ("pull_request.state", "merged"),
        ("pull_request.draft", 0),
        ("pull_request.merged_at", ...),
        ("pull_request.merged_at", "soon"),
        ("pull_request.head.sha", ...),
        ("pull_request.head.sha", "HEAD"),
        ("pull_request.head.sha", "A" * 40),
        ("pull_request.head.sha", "a" * 41),
        ("pull_request.base.ref", ""),
        ("pull_request.title", 7),
        ("pull_request.updated_at", ...),
        ("pull_request.updated_at", "2025-03-04T12:00:00"),
        ("pull_request.closed_at", "soon"),
        ("pull_request.user.login", 7),
        ("changes.base.ref.from", 7),
        ("changes.base.ref.from", "a\x00"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(path: str, value: Any) -> None:
    with pytest.raises(BadPayload) as bad:
        parse("pull_request", JSON, with_value(path, value))
    assert f'"{path}": ' in bad.value.reason
    assert "noslash" not in bad.value.reason


def check_event(event: str, **changes: Any) -> bytes:
    """What GitHub sends about a check, in short; a key is a path with two underscores for the dot."""
    data = {
        "status": {"sha": "a" * 40, "context": "ci/test", "state": "success"},
        "check_run": {
            "action": "completed",
            "check_run": {
                "head_sha": "a" * 40,
                "name": "test",
                "status": "completed",
                "conclusion": "skipped",
            },
        },
        "check_suite": {
            "action": "completed",
            "check_suite": {"head_sha": "a" * 40, "pull_requests": [], "conclusion": "failure"},
        },
    }[event]
    whole: dict[str, Any] = {**copy.deepcopy(data), "repository": {"id": 7, "full_name": "acme/shop"}}
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = whole
        for key in parents:
            place = place[key]
        place[last] = value
    return json.dumps(whole).encode()


CHECK_EVENTS = ["status", "check_run", "check_suite"]


@pytest.mark.parametrize(
    "event, changes, says",
    [
        ("status", {}, ("ci/test", "green")),
        ("status", {"context": " a\u202e\n" + "b" * 200, "state": "error"}, ("a " + "b" * 98, "red")),
        ("status", {"state": "pending"}, ("ci/test", "pending")),
        ("check_run", {}, ("test", "green")),
        ("check_run", {"check_run__conclusion": "one_day"}, ("test", "red")),
        ("check_run", {"check_run__conclusion": None, "check_run__name": None}, ("(no name)", "")),
        ("check_suite", {}, ("", "red")),  # of all that one app runs
    ],
)
def test_a_check_that_has_ended_names_its_commit_and_what_it_says(
    event: str, changes: dict[str, Any], says: tuple[str, str]
) -> None:
    checked = parse(event, JSON, check_event(event, **changes))
    assert isinstance(checked, CheckEvent)
    assert (checked.repository_id, checked.repository, checked.sha) == (7, "acme/shop", "a" * 40)
    assert (checked.check, checked.says, checked.name) == (*says, "acme/shop@aaaaaaa")


@pytest.mark.parametrize("event", ["check_run", "check_suite"])
@pytest.mark.parametrize("action", ["created", "requested", "rerequested", "requested_action"])
def test_a_check_that_goes_on_is_not_needed(event: str, action: str) -> None:
    assert parse(event, JSON, check_event(event, action=action)) is None


@pytest.mark.parametrize("context", ["qa-gate/development", "QA-Gate/master"])
def test_the_gates_own_status_is_not_needed(context: str) -> None:
    assert parse("status", JSON, check_event("status", context=context)) is None
    assert isinstance(parse("status", JSON, check_event("status", context="not-" + context)), CheckEvent)


@pytest.mark.parametrize(
    "event, path, value",
    [
        ("status", "sha", "HEAD"),
        ("status", "sha", None),
        ("status", "context", 7),
        ("check_run", "check_run__head_sha", "A" * 40),
        ("check_suite", "check_suite__head_sha", ""),
        *[(event, "repository__id", "7") for event in CHECK_EVENTS],
        *[(event, "repository__full_name", "a/b\n") for event in CHECK_EVENTS],
    ],
)
def test_a_wrong_field_of_a_check_is_named(event: str, path: str, value: Any) -> None:
    with pytest.raises(BadPayload) as bad:
        parse(event, JSON, check_event(event, **{path: value}))
    assert f'one of a {event.replace("_", " ")}: "{path.replace("__", ".")}": ' in bad.value.reason


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
_read_paths = st.sampled_from(
    [
        "action",
        "changes",
        "changes.base",
        "changes.base.ref",
        "changes.base.ref.from",
        "repository",
        "repository.id",
        "repository.full_name",
        "pull_request",
        "pull_request.number",
        "pull_request.updated_at",
        "pull_request.closed_at",
        "pull_request.user",
        "pull_request.user.login",
        "pull_request.title",
        "pull_request.state",
        "pull_request.draft",
        "pull_request.merged",
        "pull_request.head",
        "pull_request.head.sha",
        "pull_request.base",
        "pull_request.base.ref",
    ]
)


@given(body=st.binary(), content_type=st.sampled_from([JSON, FORM]) | st.text(), event=st.text())
def test_any_bytes_end_in_a_result_or_a_bad_payload(body: bytes, content_type: str, event: str) -> None:
    with suppress(BadPayload):
        assert isinstance(parse(event, content_type, body), GitHubEvent | None)


@given(event=st.sampled_from(CHECK_EVENTS), data=st.data())
def test_any_check_ends_in_a_result_or_a_bad_payload(event: str, data: st.DataObject) -> None:
    whole = json.loads(check_event(event))
    changes = {key: data.draw(_anything) for key in data.draw(st.sets(st.sampled_from(sorted(whole))))}
    with suppress(BadPayload):
        said = parse(event, JSON, json.dumps(whole | changes).encode())
        assert isinstance(said, CheckEvent | None)


@given(path=_read_paths, value=_anything)
def test_any_value_in_any_field_ends_in_what_can_be_kept_or_a_sentence(path: str, value: Any) -> None:
    try:
        notice = parsed(with_value(path, value))
    except BadPayload as bad:
        bad.reason.encode()
    else:
        seen, people = notice.seen, [by.login for by, _ in notice.requests]
        kept = [notice.repository, seen.base, seen.title, notice.base_before or "", *people]
        assert "\x00" not in "".join(kept).encode().decode()
        assert notice.number.bit_length() < 32
        assert notice.repository_id.bit_length() < 64


# --- What GitHub's answers mean -----------------------------------------------------------------------------


def answer(status: int, message: Any = None, **headers: str) -> GithubException:
    data = message if isinstance(message, dict) else {"message": message}
    return GithubException(status, data, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    "status, message, kind",
    [
        (401, "Bad credentials", "rights"),
        (403, "Resource not accessible by integration", "rights"),
        (403, "Repository was archived so is read-only.", "archived"),
        (404, "Not Found", "gone"),
        (410, "Issues are disabled for this repo", "gone"),
        (405, "Pull Request is not mergeable", "refused"),
        (405, "Pull Request is still a draft", "refused"),
        (405, 'Required status check "ci" is failing.', "checks_red"),
        (405, 'Required status check "ci" is pending.', "checks_running"),
        (405, 'Required status check "qa-gate/development" is expected.', "check_missing"),
        (405, "2 of 2 required status checks are expected.", "check_missing"),
        (405, "2 of 3 required status checks have not succeeded: 1 expected and 1 failing.", "checks_red"),
        (405, "At least 1 approving review is required by reviewers with write access.", "review_required"),
        (
            405,
            "Repository rule violations found\n\nChanges must be made through a merge queue",
            "queue_required",
        ),
        (405, "Merge commits are not allowed on this repository.", "method_off"),
        (405, "Squash merges are not allowed on this repository.", "method_off"),
        (405, "This branch can't be rebased", "method_off"),
        (405, "Head branch is out of date", "behind"),
        (405, "Pull Request is closed", "refused"),
        (405, "You're not authorized to push to this branch.", "rights"),
        (405, None, "refused"),
        (422, {"message": "Unprocessable", "errors": ["Can not approve your own pull request"]}, "invalid"),
        (422, "Can not request changes on your own pull request", "invalid"),
        (
            422,
            {"message": "Validation Failed", "errors": [{"message": "No commit found for SHA: 1"}]},
            "invalid",
        ),
        (
            422,
            "refusing to allow a GitHub App to update workflow `x` without `workflows` permission",
            "rights",
        ),
        (422, "merge conflict between base and head", "conflict"),
        (422, None, "invalid"),
        (400, "Problems parsing JSON", "refused"),
        (451, None, "refused"),
    ],
)
def test_a_definite_no_is_refused(status: int, message: Any, kind: str) -> None:
    meant = meaning_of(answer(status, message), NOW)
    assert isinstance(meant, Refused)
    assert meant.kind == kind


@pytest.mark.parametrize(
    "status, message",
    [
        (409, "Head branch was modified. Review and try the merge again."),
        (409, None),
        (422, "expected head sha didn't match current head ref."),
    ],
)
def test_another_head_has_moved(status: int, message: str | None) -> None:
    assert isinstance(meaning_of(answer(status, message), NOW), Moved)


def a_fault() -> ValidationError:
    with pytest.raises(ValidationError) as fault:
        Pull.model_validate({})
    return fault.value


@pytest.mark.parametrize(
    "error, seconds",
    [
        (answer(405, "Base branch was modified. Review and try the merge again."), 5),
        (answer(403, "You have exceeded a secondary rate limit."), 60),
        (answer(429), 60),
        (answer(403, "x", retry_after="30"), 30),
        (answer(429, "x", retry_after="0"), 1),
        (answer(403, "x", retry_after="99999999999999"), 3600),
        (answer(403, "x", retry_after="soon"), 60),
        (answer(403, "x", retry_after="²"), 60),
        (answer(403, x_ratelimit_remaining="0", x_ratelimit_reset=f"{NOW.timestamp() + 90:.0f}"), 91),
        (answer(403, x_ratelimit_remaining="0", x_ratelimit_reset=f"{NOW.timestamp() - 90:.0f}"), 1),
        (answer(403, x_ratelimit_remaining="0"), 60),
        (answer(500), None),
        (answer(502, {"data": "<html>"}), None),
        (answer(503, retry_after="7"), 7),
        (answer(408), None),
        (answer(301), None),
        (answer(307), None),
        (answer(200), None),
        (GithubException(400 + 104, None, None), None),
        (requests.ReadTimeout(), None),
        (requests.ConnectionError("http://user:pw@host"), None),
        (ConnectionResetError(), None),
        (BadAttributeException(1, {}, None), None),
        (AssertionError(), None),
        (TypeError("argument of type 'NoneType' is not iterable"), None),
        (json.JSONDecodeError("x", "y", 0), None),
        (a_fault(), None),
    ],
)
def test_the_rest_is_for_trying_again(error: BaseException, seconds: int | None) -> None:
    meant = meaning_of(error, NOW)
    assert isinstance(meant, TryAgain)
    assert meant.after == (None if seconds is None else timedelta(seconds=seconds))
    assert "pw@" not in meant.reason


def test_a_wrong_field_is_named_and_its_value_never_shown() -> None:
    with pytest.raises(ValidationError) as fault:
        WholePull.model_validate(pull_request_json() | {"merged": "a-secret", "html_url": "a-secret"})
    said = meaning_of(fault.value, NOW).reason
    assert (
        said
        == "GitHub did not answer as it should: \"html_url\": String should match pattern '^https?://[^\\x00]*$'."
    )
    assert "a-secret" not in str(fault.value)


class Buggy(GitHub):
    """GitHub with a bug of ours in the middle of a call."""

    def __init__(self, url: str, bug: Exception) -> None:
        super().__init__(url, token=TOKEN)
        self._bug = bug

    def pull_request(self, repository: str, number: int) -> PullRequest:
        return self.get(repository, f"/pulls/{number}", self._fail)

    def _fail(self, _data: Any) -> PullRequest:
        raise self._bug


BUGS = [AttributeError("no"), KeyError("no"), TypeError("no"), ValueError("no"), AssertionError("no")]


@pytest.mark.parametrize("bug", [*BUGS, RuntimeError("no"), OSError("no")], ids=repr)
def test_a_bug_of_ours_inside_a_call_stays_a_bug(
    pretend: PretendGitHub, ask: Callable[..., tuple[int, str]], bug: Exception
) -> None:
    with pytest.raises(type(bug), match="no"):
        Buggy(pretend.url, bug).pull_request("acme/shop", ask()[0])


@pytest.mark.parametrize("body", ["[", "null", "[1]", "7", '"x"', '{"number": "one"}'])
def test_an_answer_that_breaks_pygithub_is_githubs_trouble(
    pretend: PretendGitHub, github: GitHub, body: str
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: github.pull_request("acme/shop", 1),
        lambda: github.change("acme/shop", "a" * 40, "b" * 40),
        lambda: github.find_comment("acme/shop", 1, "x"),
        lambda: github.say_status("acme/shop", Status("pending", "x", "a" * 40, "qa-gate/development")),
    ]
    for call in calls:
        pretend.fail("*", ".*", 200, body)
        with pytest.raises(TryAgain):
            call()


def test_the_wait_is_counted_on_githubs_clock() -> None:
    theirs = NOW + timedelta(hours=5)
    limits = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{theirs.timestamp() + 90:.0f}"}
    date = {"date": "Tue, 04 Mar 2025 17:00:00 GMT"}
    meant = meaning_of(GithubException(403, None, {**limits, **date}), NOW)
    assert isinstance(meant, TryAgain)
    assert meant.after == timedelta(seconds=91)
    odd = meaning_of(GithubException(403, None, {**limits, "date": "yesterday"}), NOW)
    assert isinstance(odd, TryAgain)
    assert odd.after == timedelta(hours=1)


@pytest.mark.parametrize(
    "error, setting",
    [
        (jwt.InvalidKeyError("secret"), "GITHUB_APP_PRIVATE_KEY"),
        (requests.exceptions.InvalidHeader("token hunter2"), "GITHUB_TOKEN"),
        (UnicodeEncodeError("latin-1", "hunter2é", 0, 1, "x"), "GITHUB_TOKEN"),
    ],
)
def test_a_bad_key_or_token_names_its_setting_and_not_its_value(error: BaseException, setting: str) -> None:
    meant = meaning_of(error, NOW)
    assert isinstance(meant, Refused)
    assert (meant.kind, setting in meant.reason) == ("rights", True)
    assert "hunter2" not in meant.reason


def test_the_missing_right_is_named() -> None:
    error = answer(
        403, "Resource not accessible by integration", x_accepted_github_permissions="contents=write"
    )
    assert meaning_of(error, NOW).reason.endswith("It needs contents=write.")
    odd = answer(403, "x", x_accepted_github_permissions="<script>")
    assert "script" not in meaning_of(odd, NOW).reason


@pytest.mark.parametrize(
    "said, shown",
    [
        ("At least 1 approving review is required.", '"At least 1 approving review is required."'),
        ("two\nlines\x00\x1b[31m\u202e end", '"two lines [31m end"'),
        ("x" * 500, f'"{"x" * 199}…"'),
        ("the token ghp_abcdef is bad", ""),
        ("github_pat_11AA", ""),
        ("see https://user:word@example.com", ""),
        ("Authorization: Bearer abc", ""),
        ("", ""),
        (None, ""),
        (["a", "list"], ""),
    ],
)
def test_githubs_words_are_quoted_only_when_plain(said: Any, shown: str) -> None:
    assert quotable({"message": said}) == shown


@given(_anything)
def test_whatever_github_says_becomes_one_plain_line(said: Any) -> None:
    for data in (said, {"message": said}, {"errors": said}, {"errors": [said, {"message": said}]}):
        words = quotable(data)
        words.encode()
        assert len(words) <= 202
        assert not re.search(r"[\x00-\x1f\x7f]", words)
        meaning_of(GithubException(422, data, {}), NOW)


# --- Reading ------------------------------------------------------------------------------------------------


def pull_request_json() -> dict[str, Any]:
    data: dict[str, Any] = copy.deepcopy(json.loads(real())["pull_request"])
    return data


def test_a_real_pull_request_is_read() -> None:
    pull = WholePull.model_validate(pull_request_json()).pull_request()
    assert (pull.repository_id, pull.repository, pull.private) == (186853002, "Codertocat/Hello-World", False)
    assert (pull.number, pull.author, pull.author_is_bot) == (2, "Codertocat", False)
    assert (pull.base, pull.head, pull.head_repository) == ("master", "changes", "Codertocat/Hello-World")
    assert (pull.mergeable, pull.mergeable_state, pull.merged_by) == (None, "unknown", None)
    assert (pull.additions, pull.deletions, pull.changed_files, pull.commits) == (1, 1, 1, 1)
    assert pull.url == "https://github.com/Codertocat/Hello-World/pull/2"


def test_what_github_documents_as_null_is_read() -> None:
    data = pull_request_json() | {"user": None, "body": None, "merge_commit_sha": None, "merged_by": None}
    data["head"]["repo"] = None
    pull = WholePull.model_validate(data).pull_request()
    assert (pull.author, pull.body, pull.merge_commit, pull.head_repository) == ("ghost", "", None, None)


def test_words_that_no_database_can_keep_are_mended() -> None:
    data = pull_request_json() | {"title": "a\x00b\ud800", "body": "\udfff"}
    pull = WholePull.model_validate(data).pull_request()
    assert (pull.title, pull.body) == ("a\ufffdb\ufffd", "\ufffd")


@pytest.mark.parametrize(
    "key", ["number", "state", "draft", "merged", "base", "head", "mergeable", "updated_at"]
)
def test_half_a_pull_request_is_none(key: str) -> None:
    data = pull_request_json()
    del data[key]
    with pytest.raises(ValidationError):
        WholePull.model_validate(data).pull_request()


@given(value=_anything, key=st.sampled_from(sorted(pull_request_json())))
def test_any_pull_request_is_read_or_odd(value: Any, key: str) -> None:
    try:
        WholePull.model_validate(pull_request_json() | {key: value}).pull_request()
    except ValidationError as odd:
        str(odd).encode()


BASES = {
    "merge_base_commit": {"sha": "a" * 40},
    "base_commit": {"sha": "b" * 40},
    "total_commits": 0,
}


def read_change(data: Any) -> Change:
    return Comparison.model_validate(data).change(())


def test_a_comparison_is_read() -> None:
    sha = "a" * 40
    change = read_change(
        {
            "merge_base_commit": {"sha": sha},
            "base_commit": {"sha": sha},
            "total_commits": 2,
            "commits": [
                {
                    "sha": sha,
                    "commit": {"message": "First\n\nMore", "author": {"name": "Sam"}},
                    "author": None,
                    "parents": [],
                },
                {
                    "sha": sha,
                    "commit": {"message": "", "author": None},
                    "author": {"login": "sam"},
                    "parents": [{"sha": sha}],
                },
            ],
            "files": [
                {
                    "filename": "b",
                    "previous_filename": "a",
                    "status": "renamed",
                    "additions": 1,
                    "deletions": 2,
                }
            ],
        }
    )
    assert [(commit.message, commit.author) for commit in change.commits] == [("First", "Sam"), ("", "sam")]
    assert [(file.path, file.previous_path, file.additions) for file in change.files] == [("b", "a", 1)]


def files_json(*patches: str | None) -> dict[str, Any]:
    file = {"filename": "a", "status": "modified", "additions": 1, "deletions": 0}
    files = [file if patch is None else {**file, "patch": patch} for patch in patches]
    return {**BASES, "commits": [], "files": files}


def test_a_patch_is_kept_as_far_as_there_is_room() -> None:
    long = "@@ -1 +1 @@\n" + "+a line\n" * 10_000
    kept = read_change(files_json("@@ -1 +1 @@\n-a\n+b", None, *[long] * 30)).files
    assert (kept[0].patch, kept[0].is_cut) == ("@@ -1 +1 @@\n-a\n+b", False)
    assert (kept[1].patch, kept[1].is_cut) == (None, False)
    cut = kept[2].patch or ""
    assert kept[2].is_cut
    assert 19_000 < len(cut) <= 20_000
    assert cut.endswith("+a line")
    assert (kept[-1].patch, kept[-1].is_cut) == ("", True)
    assert sum(len(file.patch or "") for file in kept) <= 300_000


def entry(path: str, kind: str = "blob", mode: str = "100644", sha: str = "a" * 40) -> dict[str, Any]:
    return {"path": path, "type": kind, "mode": mode, "sha": sha, "size": 1, "url": "https://api.test"}


def tree_json(*entries: dict[str, Any], truncated: bool = False) -> dict[str, Any]:
    return {"sha": "b" * 40, "url": "https://api.test", "tree": list(entries), "truncated": truncated}


FOLDER = entry("src", "tree", "040000")


def test_a_tree_is_its_files_links_and_submodules() -> None:
    files = [
        entry("src/run", mode="100755"),
        entry("link", mode="120000"),
        entry("vendored", "commit", "160000", "c" * 40),
    ]
    assert TreeAnswer.model_validate(tree_json(FOLDER, *files)).files() == {
        ("src/run", "100755", "a" * 40),
        ("link", "120000", "a" * 40),
        ("vendored", "160000", "c" * 40),
    }


@pytest.mark.parametrize(
    "data",
    [
        tree_json(FOLDER, entry("src/a"), truncated=True),
        tree_json(FOLDER, entry("README")),
        tree_json(FOLDER, entry("srcs/a")),
        tree_json(FOLDER, entry("src/deep", "tree", "040000")),
        tree_json(entry("caf\ufffd")),
        tree_json(entry("a\x00")),
        tree_json(entry("")),
    ],
    ids=["cut", "one level", "another folder", "empty below", "not UTF-8", "zero", "no name"],
)
def test_a_tree_that_may_lack_something_or_looks_like_another_is_none(data: dict[str, Any]) -> None:
    assert TreeAnswer.model_validate(data).files() is None


@pytest.mark.parametrize(
    "data",
    [
        tree_json(entry("a", mode="rwx")),
        tree_json(entry("a", sha="A" * 40)),
        tree_json(entry("a") | {"path": None, "type": 7}),
        tree_json(entry("a")) | {"truncated": None},
        {"tree": [], "sha": "b" * 40},
        {"truncated": False},
        [],
        None,
    ],
)
def test_half_a_tree_is_odd(data: Any) -> None:
    with pytest.raises(ValidationError):
        TreeAnswer.model_validate(data).files()


@given(value=_anything, key=st.sampled_from(["path", "type", "mode", "sha"]))
def test_any_tree_is_read_or_odd(value: Any, key: str) -> None:
    with suppress(ValidationError):
        tree = TreeAnswer.model_validate(tree_json(entry("a") | {key: value})).files()
        assert tree is None or "".join(part for file in tree for part in file).encode()


def test_a_real_pull_request_of_a_list_is_read() -> None:
    data = pull_request_json()
    for key in ("merged", "mergeable", "additions"):
        del data[key]  # a list has none of these
    pull = Pull.model_validate(data)
    assert (pull.repository_id, pull.repository, pull.number) == (186853002, "Codertocat/Hello-World", 2)
    assert (pull.author, pull.author_id, pull.is_from_fork) == ("Codertocat", 21031067, False)
    assert pull.seen == parsed(real()).seen
    assert (pull.updated_at, pull.closed_at) == (datetime(2019, 5, 15, 15, 20, 33, tzinfo=UTC), None)
    assert Pull.model_validate(data | {"merged_at": "2019-05-15T15:20:33Z"}).seen.merged
    assert Pull.model_validate(data | {"head": data["head"] | {"repo": None}}).is_from_fork
    assert Pull.model_validate(data | {"user": None}).author_id is None


@given(value=_anything, key=st.sampled_from(sorted(pull_request_json())))
def test_any_listed_pull_request_is_read_or_odd(value: Any, key: str) -> None:
    with suppress(ValidationError):
        pull = Pull.model_validate(pull_request_json() | {key: value})
        (pull.author + pull.seen.title + pull.seen.base).encode()


@pytest.mark.parametrize("etag", ['"abc"', 'W/"0a1b"'])
def test_an_etag_is_kept_as_it_is(etag: str) -> None:
    assert etag_of({"etag": etag}) == etag


@pytest.mark.parametrize("etag", ["", "abc", '"', '"a\r\nX: y"', '"é"', f'"{"x" * 201}"', None, 7])
def test_an_etag_that_no_header_can_carry_is_none(etag: Any) -> None:
    assert etag_of({"etag": etag}) is None
    assert etag_of({}) is None


def status(state: str, context: str = "ci") -> dict[str, Any]:
    return {"state": state, "context": context}


def run(
    status: str, conclusion: str | None = None, name: str = "test", number: int = 1, app: int | None = 1
) -> dict[str, Any]:
    about = {"id": app} if app else None
    return {"id": number, "status": status, "conclusion": conclusion, "name": name, "app": about}


def checks_of(statuses: list[Any], runs: list[Any], ignored: Collection[str] = ()) -> Checks:
    said = [CommitStatus.model_validate(one) for one in statuses]
    return combined_checks(said, [CheckRun.model_validate(one) for one in runs], ignored)


@pytest.mark.parametrize(
    "statuses, runs, state, names",
    [
        ([], [], "none", ()),
        ([status("pending", "qa-gate/development")], [run("queued", name="QA-gate/x")], "none", ()),
        ([status("success")], [], "green", ()),
        ([], [run("completed", "success")], "green", ()),
        ([], [run("completed", "neutral"), run("completed", "skipped")], "green", ()),
        ([status("failure", "qa-gate/development"), status("success")], [], "green", ()),
        ([status("pending")], [run("completed", "success")], "pending", ("ci",)),
        ([status("success")], [run("queued", name="b"), run("in_progress", name="a")], "pending", ("a", "b")),
        ([], [run("completed", None)], "pending", ("test",)),
        ([], [run("in_progress", "success")], "pending", ("test",)),
        ([], [run("brand_new")], "pending", ("test",)),
        ([status("brand_new")], [], "pending", ("ci",)),
        ([status("error")], [run("queued")], "red", ("ci",)),
        ([status("failure"), status("failure")], [], "red", ("ci",)),
        *[
            ([status("pending")], [run("completed", word)], "red", ("test",))
            for word in "failure timed_out cancelled action_required stale startup_failure brand_new".split()
        ],
    ],
)
def test_checks_say_one_word_together(
    statuses: list[Any], runs: list[Any], state: Any, names: tuple[str, ...]
) -> None:
    assert checks_of(statuses, runs) == Checks(state, names)


@pytest.mark.parametrize(
    "runs, state",
    [
        ([run("completed", "cancelled", number=1), run("completed", "success", number=2)], "green"),
        ([run("completed", "success", number=2), run("completed", "cancelled", number=1)], "green"),
        ([run("completed", "success", number=1), run("queued", number=2)], "pending"),
        ([run("completed", "success", number=1), run("completed", "stale", number=2)], "red"),
        ([run("completed", "failure", number=1), run("completed", "skipped", number=2)], "green"),
        ([run("completed", "failure", number=1), run("completed", "success", number=2, app=2)], "red"),
        ([run("completed", "failure", number=1), run("completed", "success", number=2, app=None)], "red"),
        ([run("completed", "failure", number=1), run("completed", "success", "Test", number=2)], "red"),
    ],
)
def test_of_several_runs_of_one_name_and_app_the_newest_counts(runs: list[Any], state: str) -> None:
    assert checks_of([], runs).state == state


def test_a_status_and_a_run_of_one_name_both_count() -> None:
    assert checks_of([status("failure", "build")], [run("completed", "success", "build")]).state == "red"
    assert checks_of([status("success", "build")], [run("completed", "failure", "build")]).state == "red"


def test_what_is_ignored_by_name_does_not_count() -> None:
    statuses, runs = [status("failure", "codecov/patch")], [run("queued", name="Lint\u200b (3.11)")]
    assert checks_of(statuses, runs, ["Codecov/Patch", "lint (3.11)"]) == Checks("none", ())
    assert checks_of(statuses, runs, ["codecov", "lint"]).names == ("codecov/patch",)


@pytest.mark.parametrize(
    "name, shown",
    [
        ("build\n\x1b[31m \u202ered", "build [31m red"),
        ("\ud800", "\ufffd"),
        ("\u200b", "(no name)"),
        ("x" * 500, "x" * 100),
    ],
)
def test_the_name_of_a_check_is_one_plain_line(name: str, shown: str) -> None:
    assert checks_of([status("failure", name)], []).names == (shown,)
    assert checks_of([], [run("queued", name=name)]).names == (shown,)


@given(value=_anything, key=st.sampled_from("state context status conclusion name id app".split()))
def test_any_check_is_read_or_odd(value: Any, key: str) -> None:
    whole = status("success") | run("completed", "success") | {key: value}
    for statuses, runs in (([whole], []), ([], [whole]), ([value], []), ([], [value])):
        with suppress(ValidationError):
            checks = checks_of(statuses, runs)
            "".join(checks.names).encode()


@given(_anything)
def test_any_comparison_is_read_or_odd(value: Any) -> None:
    for data in (value, {**BASES, "commits": [value], "files": [value]}):
        with pytest.raises(ValidationError):
            read_change(data)


# --- Calls over HTTP ----------------------------------------------------------------------------------------

TOKEN = "a-token-that-must-not-be-shown"


@pytest.fixture
def pretend(tmp_path: Path) -> Iterator[PretendGitHub]:
    pretend = PretendGitHub(tmp_path / "github", token=TOKEN, webhook_secret=SECRET, webhook_url=None)
    pretend.add_person("sam")
    pretend.create_repository("acme/shop")
    pretend.start()
    yield pretend
    pretend.stop()


@pytest.fixture
def github(pretend: PretendGitHub) -> GitHub:
    return GitHub(pretend.url, token=TOKEN, timeout=5)


@pytest.fixture
def ask(pretend: PretendGitHub) -> Callable[..., tuple[int, str]]:
    """Opens a pull request with one changed file; gives its number and head."""

    def ask(branch: str = "topic") -> tuple[int, str]:
        sha = pretend.commit("acme/shop", branch, {f"{branch}.txt": "new\n"}, f"Add {branch}", "sam")
        number = pretend.open_pull_request(
            "acme/shop", branch, title=f"Add {branch}", body="Please look.", author="sam"
        )
        return number, sha

    return ask


def calls_of(pretend: PretendGitHub) -> list[str]:
    """What was asked of the stand-in since the last time, as "GET /repos/acme/shop/pulls/1"."""
    calls = [f"{call.method} {call.path.partition('?')[0]}" for call in pretend.calls]
    pretend.calls.clear()
    return calls


Ask = Callable[..., tuple[int, str]]


def test_reading_a_pull_request_is_one_call(pretend: PretendGitHub, github: GitHub, ask: Ask) -> None:
    number, sha = ask()
    pull = github.pull_request("acme/shop", number)
    assert calls_of(pretend) == [f"GET /repos/acme/shop/pulls/{number}"]
    assert (pull.repository, pull.number, pull.head_sha) == ("acme/shop", number, sha)
    assert (pull.title, pull.body, pull.author, pull.base) == (
        "Add topic",
        "Please look.",
        "sam",
        "development",
    )
    assert pull.open
    assert pull.repository_id > 0


def test_a_review_is_one_call_and_is_found_by_its_marker(
    pretend: PretendGitHub, github: GitHub, ask: Ask
) -> None:
    number, sha = ask()
    marker = "<!-- qa-gate 1.1.1 -->"
    assert not github.has_said("acme/shop", number, marker)
    calls_of(pretend)
    github.say_review("acme/shop", number, sha, Choice.APPROVE, f"Lily approved it.\n{marker}")
    assert calls_of(pretend) == [f"POST /repos/acme/shop/pulls/{number}/reviews"]
    assert github.has_said("acme/shop", number, "<!-- qa-gate 1.1.2 -->", marker)
    assert not github.has_said("acme/shop", number, "<!-- qa-gate 1.1.2 -->")


def test_a_marker_on_the_second_page_is_found(pretend: PretendGitHub, github: GitHub, ask: Ask) -> None:
    number, _ = ask()
    for count in range(101):
        github.say_comment("acme/shop", number, f"<!-- qa-gate {count} -->")
    calls_of(pretend)
    assert github.has_said("acme/shop", number, "<!-- qa-gate 100 -->")
    assert len(calls_of(pretend)) == 3


def test_a_review_is_of_the_named_commit_even_if_there_is_a_newer_one(
    pretend: PretendGitHub, github: GitHub, ask: Ask
) -> None:
    number, sha = ask()
    pretend.commit("acme/shop", "topic", {"more.txt": "more"}, "More", "sam")
    github.say_review("acme/shop", number, sha, Choice.REJECT, "no")
    (review,) = pretend.pull(number).reviews
    assert (review.commit_id, review.state) == (sha, "CHANGES_REQUESTED")


def test_a_used_up_rate_limit_is_waited_for_by_the_caller(pretend: PretendGitHub, github: GitHub) -> None:
    pretend.use_up_rate_limit(left=0)
    start = monotonic()
    with pytest.raises(TryAgain) as later:
        github.pull_request("acme/shop", 1)
    assert monotonic() - start < 2, "PyGithub does not sleep"
    assert later.value.after is not None
    assert timedelta(0) < later.value.after <= timedelta(hours=1)


@pytest.mark.parametrize("status", [403, 429])
def test_a_limit_is_that_of_the_token_and_ends_to_the_second(pretend: PretendGitHub, status: int) -> None:
    clock = Clock()
    github = GitHub(pretend.url, token=TOKEN, timeout=5, clock=clock)
    limit = {"message": "You have exceeded a secondary rate limit."}
    pretend.fail("GET", "/pulls/1$", status, limit, {"Retry-After": "600"})
    for waited in (0, 30, 569):
        clock.pass_(seconds=waited)
        with pytest.raises(TryAgain) as later:
            github.pull_request("acme/shop", 1) if waited == 0 else github.say_comment("acme/shop", 1, "x")
        assert later.value.after == timedelta(seconds=600) - (clock() - NOON)
        assert len(pretend.calls) == 1
    clock.pass_(seconds=1)
    with pytest.raises(Refused):
        github.pull_request("acme/shop", 1)
    assert len(pretend.calls) == 2


def test_of_two_limits_that_were_met_at_once_the_longer_one_counts(
    pretend: PretendGitHub, tmp_path: Path
) -> None:
    clock = Clock()
    store = Store(f"sqlite:///{tmp_path / 'limits.db'}", clock)
    store.create()
    keep = {"recall": store.queue.limited_until, "remember": store.queue.limit}
    github = GitHub(pretend.url, token=TOKEN, timeout=5, clock=clock, **keep)
    limit = {"message": "You have exceeded a secondary rate limit."}

    def meet_a_longer_one(*_: str) -> None:
        pretend.on_call = None
        pretend.fail("GET", "/pulls/2$", 429, limit, {"Retry-After": "3000"})
        with pytest.raises(TryAgain):
            github.pull_request("acme/shop", 2)

    pretend.fail("GET", "/pulls/1$", 429, limit, {"Retry-After": "60"})
    pretend.on_call = meet_a_longer_one
    for _ in range(2):
        with pytest.raises(TryAgain):
            github.pull_request("acme/shop", 1)
        clock.pass_(seconds=61)
    assert len(pretend.calls) == 2
    store.close()


def test_a_server_that_is_busy_is_no_limit_of_the_token(pretend: PretendGitHub, github: GitHub) -> None:
    pretend.fail("GET", "/pulls/1$", 503, headers={"Retry-After": "600"})
    for error in (TryAgain, Refused):
        with pytest.raises(error):
            github.pull_request("acme/shop", 1)
    assert len(pretend.calls) == 2


def test_what_protection_asks_for_is_told_in_githubs_words(
    pretend: PretendGitHub, github: GitHub, ask: Ask
) -> None:
    number, sha = ask()
    context = "qa-gate/development"
    pretend.protect("acme/shop", "development", [context])
    with pytest.raises(Refused) as refused:
        github.merge("acme/shop", number, sha, "merge")
    assert (refused.value.kind, refused.value.names) == ("check_missing", (context,))
    github.say_status("acme/shop", Status("failure", "Lily: no", sha, context))
    with pytest.raises(Refused) as refused:
        github.merge("acme/shop", number, sha, "merge")
    assert (refused.value.kind, context in refused.value.reason) == ("checks_red", True)
    github.say_status("acme/shop", Status("success", "Approved", sha, context))
    assert github.merge("acme/shop", number, sha, "merge")


def test_a_merge_is_one_call_and_gives_the_commit(pretend: PretendGitHub, github: GitHub, ask: Ask) -> None:
    number, sha = ask()
    commit = github.merge("acme/shop", number, sha, "merge")
    assert calls_of(pretend) == [f"PUT /repos/acme/shop/pulls/{number}/merge"]
    pull = github.pull_request("acme/shop", number)
    assert (pull.merged, pull.merge_commit, pull.open) == (True, commit, False)


def test_a_merge_of_another_head_has_moved(pretend: PretendGitHub, github: GitHub, ask: Ask) -> None:
    number, sha = ask()
    pretend.commit("acme/shop", "topic", {"more.txt": "more"}, "More", "sam")
    with pytest.raises(Moved):
        github.merge("acme/shop", number, sha, "merge")
    assert not github.pull_request("acme/shop", number).merged


def test_a_merge_whose_answer_is_lost_is_unknown_and_never_sent_twice(
    pretend: PretendGitHub, github: GitHub, ask: Ask
) -> None:
    number, sha = ask()
    pretend.fail("PUT", r"/merge$", None, after=True)
    with pytest.raises(TryAgain):
        github.merge("acme/shop", number, sha, "merge")
    assert calls_of(pretend) == [f"PUT /repos/acme/shop/pulls/{number}/merge"]
    assert github.pull_request("acme/shop", number).merged


@pytest.mark.parametrize("status", [None, 301, 307, 500, 502, 503, 504, 204])
def test_a_write_without_a_definite_answer_is_unknown_and_sent_once(
    pretend: PretendGitHub, github: GitHub, ask: Ask, status: int | None
) -> None:
    number, sha = ask()
    writes: list[Callable[[], object]] = [
        lambda: github.say_status("acme/shop", Status("success", "x", sha, "qa-gate/development")),
        lambda: github.say_review("acme/shop", number, sha, Choice.REJECT, "no"),
        lambda: github.say_comment("acme/shop", number, "no"),
        lambda: github.edit_comment("acme/shop", 1, "no"),
        lambda: github.merge("acme/shop", number, sha, "merge"),
        lambda: github.update_branch("acme/shop", number, sha),
    ]
    for write in writes:
        calls_of(pretend)
        pretend.fail("*", ".*", status, {"message": "Moved", "url": f"{pretend.url}/repositories/1"})
        with pytest.raises(TryAgain):
            write()
        assert len(calls_of(pretend)) == 1


@pytest.mark.parametrize("merged", [False, None, "true", 1])
def test_only_merged_true_is_a_merge(pretend: PretendGitHub, github: GitHub, ask: Ask, merged: Any) -> None:
    number, sha = ask()
    pretend.fail("PUT", "/merge$", 200, {"merged": merged, "sha": sha, "message": "Pull Request merged"})
    with pytest.raises(TryAgain):
        github.merge("acme/shop", number, sha, "merge")


def test_the_proxy_that_the_environment_names_is_used_and_read_once(
    pretend: PretendGitHub, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, _ = ask()
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", pretend.url)
    github = GitHub("http://github.test", token=TOKEN, timeout=5)  # no such host: only the proxy can answer
    assert github.pull_request("acme/shop", number).number == number
    monkeypatch.delenv("HTTP_PROXY")
    assert github.pull_request("acme/shop", number).number == number


def test_reading_survives_a_rename_and_says_the_new_name(
    pretend: PretendGitHub, github: GitHub, ask: Ask
) -> None:
    number, _ = ask()
    pretend.rename("acme/shop", "acme/store")
    assert github.pull_request("acme/shop", number).repository == "acme/store"


def test_writing_under_an_old_name_is_not_success(pretend: PretendGitHub, github: GitHub, ask: Ask) -> None:
    number, sha = ask()
    pretend.rename("acme/shop", "acme/store")
    with pytest.raises(TryAgain):
        github.merge("acme/shop", number, sha, "merge")
    assert not github.pull_request("acme/store", number).merged


def test_a_permission_is_one_call_and_only_that_accounts(pretend: PretendGitHub, github: GitHub) -> None:
    kim = pretend.add_person("kim", permission="maintain")
    calls_of(pretend)
    assert github.permission("acme/shop", Person(kim.id, "kim")) == "write"
    assert calls_of(pretend) == ["GET /repos/acme/shop/collaborators/kim/permission"]
    assert github.permission("acme/shop", Person(kim.id + 1, "kim")) == "none"
    assert github.permission("acme/shop", Person(7, "no/../body")) == "none"
    pretend.fail("GET", "/permission$", 200, {"permission": "admin", "user": None})
    with pytest.raises(TryAgain):
        github.permission("acme/shop", Person(kim.id, "kim"))


def test_all_remarks_are_read_past_a_page_of_each_kind(
    pretend: PretendGitHub, github: GitHub, ask: Ask
) -> None:
    number, _ = ask()
    for place in range(101):
        pretend.comment(number, f"comment {place}")
        pretend.review_as("lea", number, "COMMENT", f"review {place}")
        pretend.comment_on_code(number, f"line {place}", by="lea")
    remarks = github.remarks("acme/shop", number)
    assert len(remarks) == 303
    assert {remark.place for remark in remarks} == {"comment", "review", "line"}
    assert remarks[0].by == Person(pretend.world.person("sam").id, "sam")


@pytest.mark.parametrize(
    "event, action",
    [
        ("issue_comment", "created"),
        ("issue_comment", "edited"),
        ("pull_request_review", "submitted"),
        ("pull_request_review", "edited"),
        ("pull_request_review_comment", "created"),
        ("pull_request_review_comment", "edited"),
    ],
)
def test_every_way_to_write_about_a_pull_request_is_told(event: str, action: str) -> None:
    about: dict[str, Any] = {"pull_request": {"number": 2}}
    if event == "issue_comment":
        about = {"issue": {"number": 2, "pull_request": {}}}
    repository = {"id": 7, "full_name": "acme/shop"}
    body = json.dumps({"action": action, "repository": repository, **about}).encode()
    assert parse(event, JSON, body) == CommentEvent(repository_id=7, repository="acme/shop", number=2)
    gone = json.dumps({"action": "deleted", "repository": repository, **about}).encode()
    assert parse(event, JSON, gone) is None


def test_a_branch_that_is_not_there_is_named_where_github_only_says_404(
    github: GitHub,
) -> None:
    one, both = "It has no branch trunk, or", "It has no branch live or no branch trunk, or"
    with pytest.raises(Refused, match=one) as refused:
        github.branch_head("acme/shop", "trunk")
    assert refused.value.kind == "gone"
    with pytest.raises(Refused, match=both):
        github.steps("acme/shop", "live", "trunk")
    with pytest.raises(Refused, match=one):
        github.steps("acme/shop", "0" * 40, "trunk")


def test_a_wrong_token_is_refused_and_never_shown(
    pretend: PretendGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(Refused) as refused:
        GitHub(pretend.url, token=TOKEN[::-1]).pull_request("acme/shop", 1)
    assert refused.value.kind == "rights"
    assert TOKEN[::-1] not in caplog.text + "".join(traceback.format_exception(refused.value))


def test_a_token_that_is_none_is_refused_and_never_shown(pretend: PretendGitHub) -> None:
    with pytest.raises(Refused) as refused:
        GitHub(pretend.url, token=f"{TOKEN}\n{TOKEN}").pull_request("acme/shop", 1)
    assert "GITHUB_TOKEN" in refused.value.reason
    assert TOKEN not in "".join(traceback.format_exception(refused.value))


def test_nobody_there_is_for_trying_again() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        github = GitHub(f"http://127.0.0.1:{unused.getsockname()[1]}", token=TOKEN, timeout=1)
        with pytest.raises(TryAgain):
            github.pull_request("acme/shop", 1)


def test_a_branch_is_updated_only_from_the_expected_head(
    pretend: PretendGitHub, github: GitHub, ask: Ask
) -> None:
    number, sha = ask()
    pretend.commit("acme/shop", "development", {"other.txt": "x"}, "Meanwhile", "sam")
    with pytest.raises(Moved):
        github.update_branch("acme/shop", number, "f" * 40)
    calls_of(pretend)
    github.update_branch("acme/shop", number, sha)
    assert calls_of(pretend) == [f"PUT /repos/acme/shop/pulls/{number}/update-branch"]
    assert github.pull_request("acme/shop", number).head_sha != sha


# --- Trees, lists, checks, comments -------------------------------------------------------------------------


def test_a_tree_is_one_call_and_all_of_it(pretend: PretendGitHub, github: GitHub) -> None:
    files = {"a/b/c.txt": "x\n", "run": ("100755", "x\n")}
    sha = pretend.commit("acme/shop", "topic", files, "Add", "sam")
    tree = github.tree("acme/shop", sha)
    assert [f"{call.method} {call.path}?{call.query}" for call in pretend.calls] == [
        f"GET /repos/acme/shop/git/trees/{sha}?recursive=1"
    ]
    assert tree is not None
    found = {path: (mode, blob) for path, mode, blob in tree}
    x = hashlib.sha1(b"blob 2\0x\n", usedforsecurity=False).hexdigest()
    assert (found["a/b/c.txt"], found["run"]) == (("100644", x), ("100755", x))
    assert "a" not in found


def test_a_tree_read_under_an_old_name_is_none_rather_than_one_level_of_it(
    pretend: PretendGitHub, github: GitHub
) -> None:
    sha = pretend.commit("acme/shop", "topic", {"a/b.txt": "x"}, "Add", "sam")
    pretend.rename("acme/shop", "acme/store")
    assert github.tree("acme/shop", sha) is None
    assert github.tree("acme/store", sha) is not None


class Look:
    """Lists the pull requests of acme/shop, and counts the pages that were announced."""

    def __init__(self, github: GitHub) -> None:
        self.github, self.announced = github, 0

    def __call__(self, state: Any = "all", etag: str | None = None, until: datetime | None = None) -> Listing:
        return self.github.pull_requests(
            "acme/shop", state=state, etag=etag, until=until, on_page=self._announce
        )

    def _announce(self) -> None:
        self.announced += 1


@pytest.fixture
def look(github: GitHub) -> Look:
    return Look(github)


@pytest.fixture
def ask_often(pretend: PretendGitHub, ask: Ask) -> Callable[[int], None]:
    """Opens so many pull requests, number n updated at NOW + n seconds."""

    def ask_often(many: int) -> None:
        ask("topic-1")
        repo = pretend.pull(1).repo
        repo.pulls |= {n: copy.copy(repo.pulls[1]) for n in range(2, many + 1)}
        for number, pull in repo.pulls.items():
            pull.number, pull.updated_at = number, NOW + timedelta(seconds=number)

    return ask_often


def test_review_requests_are_one_call_for_each_hundred_events(
    pretend: PretendGitHub, github: GitHub, ask: Ask
) -> None:
    number, _ = ask()
    pretend.request_review(number, "kim", by="lea")
    for place in range(98):
        pretend.label(number, f"label-{place}")
    (first,) = github.review_requests("acme/shop", number)
    assert (first[0], len(calls_of(pretend))) == (Person(pretend.add_person("lea").id, "lea"), 1)
    assert first[1] == pretend.pull(number).events[0].at
    pretend.label(number, "one-more")
    pretend.make_ghost(number)
    pretend.request_review(number, "kim")
    assert [by.login for by, _ in github.review_requests("acme/shop", number)] == ["lea", "ghost"]
    assert len(calls_of(pretend)) == 2


def test_a_list_is_one_call_the_latest_updated_first(pretend: PretendGitHub, ask: Ask, look: Look) -> None:
    (one, sha), (two, _), (three, _) = ask("one"), ask("two"), ask("three")
    for seconds, number in enumerate((three, one, two)):
        pretend.pull(number).updated_at = NOW + timedelta(seconds=seconds)
    pretend.convert_to_draft(one)
    pretend.pull(one).updated_at = NOW + timedelta(seconds=1)
    listing = look("open")
    assert calls_of(pretend) == ["GET /repos/acme/shop/pulls"]
    assert [pull.number for pull in listing.pulls] == [two, one, three]
    pull = listing.pulls[1]
    assert pull.seen == Seen(
        head_sha=sha,
        base="development",
        open=True,
        draft=True,
        merged=False,
        title="Add one",
        words=words_digest("Add one", pretend.pull(one).body or ""),
    )
    assert (pull.repository, pull.author, pull.author_id) == (
        "acme/shop",
        "sam",
        pretend.world.person("sam").id,
    )
    assert (pull.updated_at, pull.closed_at) == (NOW + timedelta(seconds=1), None)
    assert not pull.is_from_fork
    assert (listing.is_unchanged, look.announced) == (False, 0)


def test_open_ones_or_all_are_listed(pretend: PretendGitHub, github: GitHub, ask: Ask, look: Look) -> None:
    (merged, sha), (closed, _), (living, _) = ask("merged"), ask("closed"), ask("living")
    github.merge("acme/shop", merged, sha, "merge")
    pretend.close(closed)
    assert [pull.number for pull in look("open").pulls] == [living]
    seen = {pull.number: (pull.seen.open, pull.seen.merged) for pull in look("all").pulls}
    assert seen == {merged: (False, True), closed: (False, False), living: (True, False)}


def test_an_unchanged_list_is_one_call_and_empty(pretend: PretendGitHub, ask: Ask, look: Look) -> None:
    ask()
    first = look()
    assert first.etag is not None
    calls_of(pretend)
    again = look(etag=first.etag)
    assert (again.is_unchanged, again.pulls, again.etag) == (True, (), first.etag)
    assert [call.status for call in pretend.calls] == [304]
    pretend.edit(1, title="Other")
    changed = look(etag=first.etag)
    assert (changed.is_unchanged, [pull.seen.title for pull in changed.pulls]) == (False, ["Other"])
    assert changed.etag != first.etag


def test_only_the_first_page_is_conditional(
    pretend: PretendGitHub, ask_often: Callable[[int], None], look: Look
) -> None:
    ask_often(101)
    first = look()
    calls_of(pretend)
    pretend.pull(101).title = "Other"
    second = look(etag=first.etag)
    assert [call.status for call in pretend.calls] == [200, 200]
    assert len(second.pulls) == 101


def test_304_to_a_further_page_is_no_answer(
    pretend: PretendGitHub, ask_often: Callable[[int], None], github: GitHub, look: Look
) -> None:
    ask_often(101)
    etag = look().etag
    pretend.pull(101).title = "Other"

    def answer_304() -> None:
        pretend.fail("GET", "/pulls$", 304, "")

    with pytest.raises(TryAgain):
        github.pull_requests("acme/shop", state="all", etag=etag, until=None, on_page=answer_304)


def test_304_to_a_question_without_an_etag_is_no_answer(pretend: PretendGitHub, look: Look) -> None:
    pretend.fail("GET", "/pulls$", 304, "")
    with pytest.raises(TryAgain):
        look()


def test_a_full_page_is_not_followed_by_an_empty_one(
    pretend: PretendGitHub, ask_often: Callable[[int], None], look: Look
) -> None:
    ask_often(100)
    calls_of(pretend)
    assert len(look().pulls) == 100
    assert (len(calls_of(pretend)), look.announced) == (1, 0)


def test_a_list_goes_down_to_the_last_look_and_no_further(
    pretend: PretendGitHub, ask_often: Callable[[int], None], look: Look
) -> None:
    ask_often(250)
    pretend.pull(198).updated_at = pretend.pull(199).updated_at
    calls_of(pretend)
    numbers = [pull.number for pull in look(until=NOW + timedelta(seconds=199)).pulls]
    assert numbers == list(range(250, 197, -1)), "those of the very second are included"
    assert (len(calls_of(pretend)), look.announced) == (1, 0)
    assert look(until=NOW + timedelta(hours=1)).pulls == ()


def test_one_that_slips_to_the_next_page_meanwhile_is_listed_once(
    pretend: PretendGitHub, ask_often: Callable[[int], None], github: GitHub
) -> None:
    ask_often(150)

    def update_one() -> None:
        pretend.pull(1).updated_at = NOW + timedelta(hours=1)

    listing = github.pull_requests("acme/shop", state="all", etag=None, until=None, on_page=update_one)
    numbers = [pull.number for pull in listing.pulls]
    assert numbers == list(range(150, 1, -1))
    newest = github.pull_requests(
        "acme/shop", state="all", etag=listing.etag, until=listing.pulls[0].updated_at, on_page=update_one
    )
    assert [pull.number for pull in newest.pulls] == [1, 150], "and what was missed comes next"


def test_a_failed_further_page_fails_the_whole_list(
    pretend: PretendGitHub, ask_often: Callable[[int], None], github: GitHub
) -> None:
    ask_often(101)

    def break_down() -> None:
        pretend.fail("GET", "/pulls$", 502, "<html>Bad gateway</html>")

    with pytest.raises(TryAgain):
        github.pull_requests("acme/shop", state="all", etag=None, until=None, on_page=break_down)


def test_a_list_under_an_old_name_is_refused(pretend: PretendGitHub, ask: Ask, look: Look) -> None:
    ask()
    pretend.rename("acme/shop", "acme/store")
    with pytest.raises(Refused) as refused:
        look()
    assert (refused.value.kind, "GITHUB_REPOSITORIES" in refused.value.reason) == ("renamed", True)


@pytest.mark.parametrize("body", ["", "null", "[null]", "[1]", "{}", '{"message": "Moved"}', "<html>", "["])
def test_a_strange_answer_is_for_trying_again(
    pretend: PretendGitHub, github: GitHub, look: Look, body: str
) -> None:
    reads: list[Callable[[], object]] = [
        look,
        lambda: github.tree("acme/shop", "a" * 40),
        lambda: github.checks("acme/shop", "a" * 40),
        lambda: github.say_comment("acme/shop", 1, "no"),
        lambda: github.edit_comment("acme/shop", 1, "no"),
    ]
    for read in reads:
        pretend.fail("*", ".*", 201 if read is reads[3] else 200, body)
        with pytest.raises(TryAgain):
            read()


def test_checks_are_two_calls_and_both_kinds_count(pretend: PretendGitHub, github: GitHub, ask: Ask) -> None:
    _, sha = ask()
    github.say_status("acme/shop", Status("pending", "x", sha, "qa-gate/development"))
    calls_of(pretend)
    assert github.checks("acme/shop", sha) == Checks("none", ())
    commit = f"GET /repos/acme/shop/commits/{sha}"
    assert calls_of(pretend) == [f"{commit}/status", f"{commit}/check-runs"]
    pretend.set_status("acme/shop", sha, "success", context="ci", by="sam")
    assert github.checks("acme/shop", sha) == Checks("green", ())
    pretend.set_check("acme/shop", sha, "lint", "in_progress", None)
    assert github.checks("acme/shop", sha) == Checks("pending", ("lint",))
    pretend.set_status("acme/shop", sha, "failure", context="ci", by="sam")
    assert github.checks("acme/shop", sha) == Checks("red", ("ci",))
    pretend.set_status("acme/shop", sha, "success", context="CI", by="sam")
    pretend.set_check("acme/shop", sha, "lint")
    assert github.checks("acme/shop", sha) == Checks("green", ()), "the newest of each counts"


def test_checks_past_a_page_are_read_too(pretend: PretendGitHub, github: GitHub, ask: Ask) -> None:
    _, sha = ask()
    for number in range(100):
        pretend.set_check("acme/shop", sha, f"job {number}")
    pretend.set_check("acme/shop", sha, "the last", conclusion="failure")
    calls_of(pretend)
    assert github.checks("acme/shop", sha) == Checks("red", ("the last",))
    assert len(calls_of(pretend)) == 3


def test_a_list_of_checks_that_is_shorter_than_told_ends(pretend: PretendGitHub, github: GitHub) -> None:
    empty = {"total_count": 9, "check_runs": []}
    pretend.fail("GET", "/status$", 200, {"total_count": 0, "statuses": []})
    pretend.fail("GET", "/check-runs$", 200, empty)
    assert github.checks("acme/shop", "a" * 40) == Checks("none", ())


def test_without_the_right_to_read_checks_only_statuses_count(
    pretend: PretendGitHub, github: GitHub, ask: Ask
) -> None:
    _, sha = ask()
    pretend.set_check("acme/shop", sha, "lint", conclusion="failure")
    pretend.set_status("acme/shop", sha, "success", context="ci", by="sam")
    pretend.rights.difference_update({"checks", "checks:read"})
    calls_of(pretend)
    assert github.checks("acme/shop", sha) == Checks("green", ())
    assert len(calls_of(pretend)) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, None])
def test_checks_that_cannot_be_read_are_never_none(
    pretend: PretendGitHub, github: GitHub, ask: Ask, status: int | None
) -> None:
    _, sha = ask()
    limit = {"message": "You have exceeded a secondary rate limit."} if status == 403 else None
    pretend.fail("GET", "/check-runs$", status, limit)
    with pytest.raises((TryAgain, Refused)):
        github.checks("acme/shop", sha)


def test_a_comment_is_found_and_edited_in_place(pretend: PretendGitHub, github: GitHub, ask: Ask) -> None:
    number, _ = ask()
    marker = "<!-- qa-gate 1 held -->"
    github.say_comment("acme/shop", number, "Something else")
    assert github.find_comment("acme/shop", number, marker) is None
    comment = github.say_comment("acme/shop", number, f"It clashes.\n{marker}")
    calls_of(pretend)
    assert github.find_comment("acme/shop", number, marker) == comment
    assert calls_of(pretend) == [f"GET /repos/acme/shop/issues/{number}/comments"]
    github.edit_comment("acme/shop", comment, f"It does not clash any more.\n{marker}")
    assert calls_of(pretend) == [f"PATCH /repos/acme/shop/issues/comments/{comment}"]
    assert [said.body for said in pretend.pull(number).repo.comments.values()] == [
        "Something else",
        f"It does not clash any more.\n{marker}",
    ]


def test_a_comment_on_the_second_page_is_found(pretend: PretendGitHub, github: GitHub, ask: Ask) -> None:
    number, _ = ask()
    ids = [github.say_comment("acme/shop", number, f"<!-- {count} -->") for count in range(101)]
    calls_of(pretend)
    assert github.find_comment("acme/shop", number, "<!-- 100 -->") == ids[100]
    assert len(calls_of(pretend)) == 2


def test_an_edit_of_another_comment_than_asked_is_not_success(pretend: PretendGitHub, github: GitHub) -> None:
    pretend.fail("PATCH", "/comments/7$", 200, {"id": 8, "body": "x"})
    with pytest.raises(TryAgain):
        github.edit_comment("acme/shop", 7, "x")


def test_threads_do_not_mix_up_their_answers(github: GitHub, ask: Ask) -> None:
    heads = dict(ask(f"topic-{count}") for count in range(6))
    with ThreadPoolExecutor(6) as pool:
        pulls = list(pool.map(lambda number: github.pull_request("acme/shop", number), [*heads] * 10))
    assert [(pull.number, pull.head_sha) for pull in pulls] == [*heads.items()] * 10


def test_calls_do_not_wait_for_each_other(github: GitHub, ask: Ask) -> None:
    _, sha = ask()
    start = monotonic()
    for _ in range(3):
        github.say_status("acme/shop", Status("pending", "x", sha, "qa-gate/development"))
    assert monotonic() - start < 2, "PyGithub's own pauses are off"


# --- Who the gate is ----------------------------------------------------------------------------------------


def test_a_token_knows_under_which_name_it_acts_and_asks_once(github: GitHub, pretend: PretendGitHub) -> None:
    bot = Person(pretend.world.person("qa-gate-bot").id, "qa-gate-bot")
    assert [github.own_account("acme/shop") for _ in range(2)] == [bot, bot]
    assert calls_of(pretend) == ["GET /user"]


def test_who_may_not_know_its_name_has_none_and_who_gets_no_answer_tries_again(
    github: GitHub, pretend: PretendGitHub
) -> None:
    pretend.fail("GET", "^/user$", 403, {"message": "Resource not accessible by integration"})
    assert github.own_account("acme/shop") is None
    pretend.fail("GET", "^/user$", 502)
    with pytest.raises(TryAgain):
        github.own_account("acme/shop")


# --- As a GitHub App ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def app_key() -> tuple[str, str]:
    """A private key for an App, and its public one, both in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


@pytest.fixture
def app_pretend(tmp_path: Path, app_key: tuple[str, str]) -> Iterator[PretendGitHub]:
    pretend = PretendGitHub(
        tmp_path / "github",
        token=TOKEN,
        webhook_secret=SECRET,
        webhook_url=None,
        app_id=4711,
        app_public_key=app_key[1],
    )
    pretend.commit(pretend.create_repository("acme/shop"), "topic", {"a": "b"}, "Add", "sam")
    assert pretend.open_pull_request("acme/shop", "topic", title="Add", body=None, author="sam") == 1
    pretend.start()
    yield pretend
    pretend.stop()


INSTALLATION = "GET /repos/acme/shop/installation"
NEW_TOKEN = "POST /app/installations/1001/access_tokens"
READ = "GET /repos/acme/shop/pulls/1"


def test_an_app_that_meets_a_limit_asks_for_no_installation_meanwhile(
    app_pretend: PretendGitHub, app_key: tuple[str, str]
) -> None:
    github = GitHub(app_pretend.url, app=(4711, app_key[0]), timeout=5)
    app_pretend.fail("GET", "/installation$", 403, {"message": "x"}, {"Retry-After": "600"})
    for _ in range(2):
        with pytest.raises(TryAgain):
            github.pull_request("acme/shop", 1)
    assert calls_of(app_pretend) == [INSTALLATION]


def test_an_app_looks_up_its_installation_once_and_keeps_its_token(
    app_pretend: PretendGitHub, app_key: tuple[str, str]
) -> None:
    github = GitHub(app_pretend.url, app=(4711, app_key[0]), timeout=5)
    assert github.pull_request("acme/shop", 1).number == 1
    assert github.pull_request("Acme/Shop", 1).number == 1
    assert calls_of(app_pretend) == [INSTALLATION, NEW_TOKEN, READ, "GET /repos/Acme/Shop/pulls/1"]


def test_an_app_acts_under_the_name_of_its_robot(
    app_pretend: PretendGitHub, app_key: tuple[str, str]
) -> None:
    github = GitHub(app_pretend.url, app=(4711, app_key[0]), timeout=5)
    robot = Person(0, "qa-gate[bot]", is_bot=True)
    assert [github.own_account("acme/shop") for _ in range(2)] == [robot, robot]
    assert calls_of(app_pretend) == ["GET /app"]


def test_each_thread_of_an_app_has_its_own_token(
    app_pretend: PretendGitHub, app_key: tuple[str, str]
) -> None:
    github = GitHub(app_pretend.url, app=(4711, app_key[0]), timeout=5)
    github.pull_request("acme/shop", 1)
    calls_of(app_pretend)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(github.pull_request, "acme/shop", 1).result().number == 1
    assert calls_of(app_pretend) == [NEW_TOKEN, READ]


def test_an_app_that_was_installed_anew_is_found_again(
    app_pretend: PretendGitHub, app_key: tuple[str, str]
) -> None:
    github = GitHub(app_pretend.url, app=(4711, app_key[0]), timeout=5)
    github.pull_request("acme/shop", 1)
    calls_of(app_pretend)
    app_pretend.fail("GET", "/pulls/1$", 401, {"message": "Bad credentials"})
    with pytest.raises(Refused):
        github.pull_request("acme/shop", 1)
    assert github.pull_request("acme/shop", 1).number == 1
    assert calls_of(app_pretend) == [READ, INSTALLATION, NEW_TOKEN, READ]


def test_a_key_that_is_none_is_refused_and_never_shown(app_pretend: PretendGitHub) -> None:
    with pytest.raises(Refused) as refused:
        GitHub(app_pretend.url, app=(4711, TOKEN)).pull_request("acme/shop", 1)
    assert "GITHUB_APP_PRIVATE_KEY" in refused.value.reason
    assert TOKEN not in "".join(traceback.format_exception(refused.value))
    assert calls_of(app_pretend) == []
