"""GitHub's door: what is let in, what is answered, what is kept. With real payloads."""

from __future__ import annotations

import ast
import hashlib
import hmac
import io
import json
import logging
import lzma
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.db import inbox
from app.db.jobs import Kind
from app.db.store import Store
from app.domain.facts import State
from app.domain.policy import Policy
from app.web import webhook
from tests.databases import ON_BOTH, fill
from tests.world import WEBHOOK_SECRET, World

PAYLOADS = Path(__file__).parent / "payloads"
SECRET = "It's a Secret to Everybody"
POLICY = Policy(reviewers=(), repositories=("Codertocat/Hello-World",))
MASTER = "Codertocat/Hello-World#2"

Post = Callable[..., TestResponse]


def sign(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def real(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def every_example() -> Iterator[tuple[str, bytes]]:
    """Event and body of each example payload that octokit publishes."""
    packed = (PAYLOADS / "webhooks-examples.json.xz").read_bytes()
    for event, examples in json.loads(lzma.decompress(packed)):
        yield from ((event, json.dumps(example).encode()) for example in examples)


def changed(name: str = "pull_request.opened", **changes: Any) -> bytes:
    """A real payload with other values; a key is a path with two underscores for the dot."""
    data = json.loads(real(name))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = data
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = value
    return json.dumps(data).encode()


@pytest.fixture
def store(usual_url: str) -> Iterator[Store]:
    store = Store(usual_url)
    store.create()
    yield store
    store.close()


def client_of(store: Store) -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(webhook.blueprint((SECRET,), store, POLICY))
    return app.test_client()


@pytest.fixture
def post(store: Store) -> Post:
    """Posts a body as GitHub would: post(body, event=..., delivery=..., **headers); None leaves a header out."""
    client = client_of(store)

    def post(
        body: bytes, event: str | None = "pull_request", delivery: str | None = "d-1", **more: Any
    ) -> TestResponse:
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": sign(body),
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery,
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        kept = {name: value for name, value in headers.items() if value is not None}
        answer = client.post("/webhook", data=body, headers=kept)
        if (answer.json or {}).get("outcome") == "recorded":
            folded[answer] = store.inbox.fold(POLICY)[-1].value
        return answer

    return post


folded: WeakKeyDictionary[TestResponse, str] = WeakKeyDictionary()


def outcome(answer: TestResponse) -> tuple[int, str]:
    """The status, and what became of the event when it was folded, or why it was not kept."""
    return answer.status_code, folded.get(answer) or (answer.json or {})["outcome"]


@ON_BOTH
def test_every_example_payload_of_github_is_answered_with_success(post: Post) -> None:
    answers = [
        (event, post(body, event, f"d-{number}").status_code)
        for number, (event, body) in enumerate(every_example())
    ]
    assert len(answers) == 329
    assert [answer for answer in answers if not 200 <= answer[1] < 300] == []


@pytest.mark.parametrize("event", ["projects_v2_item", "x1", "2fa_enforced", "a" * 64])
def test_an_event_may_have_any_name_that_github_could_give(post: Post, event: str) -> None:
    answer = post(b'{"action": "v2_edited"}', event)
    assert outcome(answer) == (202, "not needed")


def refusal(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, (answer.json or {})["error"]


# --- What is let in and kept --------------------------------------------------------------------------------


@ON_BOTH
def test_a_real_event_makes_a_row(post: Post, store: Store) -> None:
    heard = store.work_made.listen([Kind.REVIEW])
    assert outcome(post(real("pull_request.opened"))) == (202, "woken")
    (row,) = store.reviews.pending()
    assert (row.repository_id, row.repository, row.number) == (186853002, "Codertocat/Hello-World", 2)
    assert (row.state, row.rev, row.seen_rev) == (State.TO_ASK, 1, 0)
    assert row.title == "Update the README with new information."
    assert not row.was_read, "a payload never fills in facts"
    assert heard.is_set()


@ON_BOTH
def test_a_redelivery_changes_nothing(post: Post, store: Store) -> None:
    post(real("pull_request.opened"))
    before = store.reviews.pending()
    assert outcome(post(real("pull_request.opened"))) == (202, "repeated delivery")
    assert store.reviews.pending() == before


@ON_BOTH
def test_the_next_event_wakes_the_same_row(post: Post, store: Store) -> None:
    post(real("pull_request.opened"))
    assert outcome(post(real("pull_request.synchronize"), delivery="d-2")) == (202, "woken")
    (row,) = store.reviews.pending()
    assert row.rev == 2


@ON_BOTH
def test_racing_first_events_make_one_row_and_none_is_lost(store: Store) -> None:
    body = real("pull_request.opened")
    headers = {
        "X-Hub-Signature-256": sign(body),
        "X-GitHub-Event": "pull_request",
        "Content-Type": "application/json",
    }

    def send(number: int) -> int:
        mine = {**headers, "X-GitHub-Delivery": f"race-{number}"}
        return client_of(store).post("/webhook", data=body, headers=mine).status_code

    with ThreadPoolExecutor(40) as pool:
        assert set(pool.map(send, range(40))) == {202}
    while store.inbox.fold(POLICY):
        pass
    (row,) = store.reviews.pending()
    assert row.rev == 40


@ON_BOTH
def test_racing_redeliveries_count_once(store: Store) -> None:
    body = real("pull_request.opened")
    headers = {
        "X-Hub-Signature-256": sign(body),
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": "same",
        "Content-Type": "application/json",
    }
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(
            lambda _: client_of(store).post("/webhook", data=body, headers=headers).json, range(20)
        )
        assert sorted(answer["outcome"] for answer in answers) == ["recorded"] + ["repeated delivery"] * 19
    assert len(store.inbox.fold(POLICY)) == 1
    (row,) = store.reviews.pending()
    assert row.rev == 1


def test_a_base_that_is_not_gated_is_forgotten(post: Post, store: Store) -> None:
    body = changed(pull_request__base__ref="topic")
    assert outcome(post(body)) == (202, "not gated and not known")
    assert store.reviews.pending() == []


def test_a_base_that_is_not_gated_any_more_wakes_the_row(post: Post, store: Store) -> None:
    post(real("pull_request.opened"))
    assert outcome(post(changed(pull_request__base__ref="topic"), delivery="d-2")) == (202, "woken")
    (row,) = store.reviews.pending()
    assert row.rev == 2


@ON_BOTH
def test_a_retarget_away_from_a_gated_base_is_recorded_even_without_a_row(post: Post, store: Store) -> None:
    body = changed(action="edited", pull_request__base__ref="topic", changes__base__ref__from="development")
    assert outcome(post(body)) == (202, "woken")
    assert len(store.reviews.pending()) == 1


def test_a_retarget_between_ungated_bases_is_forgotten(post: Post) -> None:
    body = changed(action="edited", pull_request__base__ref="topic", changes__base__ref__from="other")
    assert outcome(post(body)) == (202, "not gated and not known")


def test_a_repository_that_is_not_configured_is_forgotten(post: Post, store: Store) -> None:
    assert outcome(post(changed(pull_request__base__repo__full_name="evil/twin"))) == (
        202,
        "repository not configured",
    )
    assert store.reviews.pending() == []


# --- Checks -------------------------------------------------------------------------------------------------

HEAD = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
CHECK_EVENTS = ["status", "check_run", "check_suite"]


def checked(event: str, sha: str = HEAD, context: str = "ci/test", **repository: Any) -> bytes:
    """What GitHub sends, in short, when a check of a commit has ended; a fork's names no pull request."""
    about: dict[str, Any] = {"action": "completed", event: {"head_sha": sha, "pull_requests": []}}
    if event == "status":
        about = {"sha": sha, "context": context, "state": "success"}
    known = {"id": 186853002, "full_name": "Codertocat/Hello-World"}
    return json.dumps({**about, "repository": known | repository}).encode()


@pytest.fixture
def looked(post: Post, store: Store) -> None:
    """A row whose head is known, as after a worker's look; nothing has happened since."""
    post(real("pull_request.opened"), delivery="d-0")
    with store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE reviews SET head_sha = '{HEAD}'")


@ON_BOTH
@pytest.mark.parametrize("event", CHECK_EVENTS)
@pytest.mark.usefixtures("looked")
def test_a_check_wakes_the_row_with_that_head(post: Post, store: Store, event: str) -> None:
    heard = store.work_made.listen([Kind.REVIEW])
    assert outcome(post(checked(event), event=event)) == (202, "woken")
    assert heard.is_set()
    assert outcome(post(checked(event), event=event)) == (202, "repeated delivery")


@pytest.mark.usefixtures("looked")
@pytest.mark.parametrize(
    "event, body, outcome_",
    [
        ("status", checked("status", sha="f" * 40), "not gated and not known"),
        ("check_run", checked("check_run", id=7), "not gated and not known"),
        ("check_suite", checked("check_suite", id=7, full_name="evil/twin"), "repository not configured"),
        ("status", checked("status", context="qa-gate/development"), "not needed"),
    ],
    ids=["another commit", "another repository", "not configured", "our own"],
)
def test_a_check_of_anything_else_wakes_nothing(
    post: Post, store: Store, event: str, body: bytes, outcome_: str
) -> None:
    assert outcome(post(body, event=event)) == (202, outcome_)
    assert store.problems.troubles([]) == []


@pytest.mark.parametrize("event", CHECK_EVENTS)
def test_a_bad_check_is_refused_with_a_sentence(post: Post, event: str) -> None:
    status, sentence = refusal(post(checked(event, sha="HEAD"), event=event))
    assert (status, 'sha": ' in sentence) == (400, True)


def test_a_check_is_one_line_in_the_log(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    post(checked("check_suite"), event="check_suite")
    assert caplog.messages == [
        "d-1 check_suite Codertocat/Hello-World@ec26c3e recorded",
        "d-1 check not gated and not known",
    ]


# --- The rest -----------------------------------------------------------------------------------------------


def test_ping_is_answered(post: Post, store: Store) -> None:
    assert outcome(post(real("ping"), event="ping")) == (200, "pong")


def test_an_event_that_is_not_needed_is_forgotten(post: Post, store: Store) -> None:
    assert outcome(post(changed("push", ref="refs/heads/gift-cards"), event="push")) == (
        202,
        "not gated and not known",
    )
    assert outcome(post(changed("push", ref="refs/tags/master"), event="push", delivery="d-2")) == (
        202,
        "not needed",
    )
    assert store.reviews.pending() == []


@ON_BOTH
def test_a_push_to_a_gated_branch_wakes_the_release(post: Post, store: Store) -> None:
    for branch in ("development", "master"):
        body = changed("push", ref=f"refs/heads/{branch}")
        assert outcome(post(body, event="push", delivery=branch)) == (202, "woken")
    assert store.timers.get("release Codertocat/Hello-World") is not None
    assert store.queue.claim() is None
    foreign = changed("push", ref="refs/heads/master", repository__id=8)
    assert outcome(post(foreign, event="push")) == (202, "another repository under a known name")


# --- What is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, sign(b"another body"), "sha256=ÿé"],
)
def test_a_body_without_its_signature_is_refused_and_nothing_kept(
    post: Post, store: Store, caplog: pytest.LogCaptureFixture, signature: str | None
) -> None:
    status, sentence = refusal(post(real("pull_request.opened"), X_Hub_Signature_256=signature))
    assert status == 401
    assert "GITHUB_WEBHOOK_SECRET" in sentence
    assert store.reviews.pending() == []
    (line,) = caplog.messages
    assert line.startswith("d-1 401 ")
    assert outcome(post(real("pull_request.opened"))) == (202, "woken"), "the delivery id was not used up"


def test_the_signature_is_checked_before_anything_is_parsed(post: Post) -> None:
    assert post(b"[" * 100_000, X_Hub_Signature_256="sha256=" + "0" * 64).status_code == 401


def test_one_changed_byte_breaks_the_signature(post: Post) -> None:
    body = real("pull_request.opened")
    assert post(body.replace(b"open", b"OPEN", 1), X_Hub_Signature_256=sign(body)).status_code == 401


@pytest.mark.parametrize("delivery", [None, "", "x" * 65, "two words", "dé", "tab\tbed"])
def test_an_odd_delivery_id_is_refused(
    post: Post, caplog: pytest.LogCaptureFixture, delivery: str | None
) -> None:
    status, sentence = refusal(post(real("pull_request.opened"), delivery=delivery))
    assert (status, "X-GitHub-Delivery" in sentence) == (400, True)
    assert caplog.messages[0].startswith("- 400 ")


@pytest.mark.parametrize("event", [None, "", "Pull Request", "x" * 65])
def test_an_odd_event_name_is_refused(post: Post, event: str | None) -> None:
    status, sentence = refusal(post(real("pull_request.opened"), event=event))
    assert (status, "X-GitHub-Event" in sentence) == (400, True)


@pytest.mark.parametrize(
    "body, words",
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not an object"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a":' * 100_000, "too deeply"),
        (b"{}", '"action"'),
    ],
    ids=["empty", "half", "not UTF-8", "a list", "brackets", "braces", "no keys"],
)
def test_a_bad_body_is_refused_with_a_sentence(post: Post, store: Store, body: bytes, words: str) -> None:
    status, sentence = refusal(post(body))
    assert (status, words in sentence) == (400, True), sentence
    assert store.reviews.pending() == []


def test_a_body_over_25_megabytes_is_refused(post: Post) -> None:
    assert post(b"x" * (26 * 1024 * 1024)).status_code == 413


def test_a_body_whose_length_is_not_said_is_cut_at_25_megabytes(store: Store) -> None:
    stream = io.BytesIO(b"x" * (30 * 1024 * 1024))
    answer = client_of(store).post(
        "/webhook",
        input_stream=stream,
        headers={"X-Hub-Signature-256": "sha256=" + "0" * 64},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert answer.status_code == 413
    assert stream.tell() <= 25 * 1024 * 1024 + 1


def test_a_body_of_just_25_megabytes_is_read(post: Post) -> None:
    body = changed()
    body += b" " * (25 * 1024 * 1024 - len(body))
    assert outcome(post(body)) == (202, "woken")


def test_only_post_is_allowed(store: Store) -> None:
    assert client_of(store).get("/webhook").status_code == 405


def test_a_database_that_is_away_is_answered_503(store: Store, post: Post, tmp_path: Path) -> None:
    body = real("pull_request.opened")
    headers = {
        "X-Hub-Signature-256": sign(body),
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": "d-1",
        "Content-Type": "application/json",
    }
    for url in (f"sqlite:///{tmp_path / 'empty.db'}", "postgresql+psycopg://nobody@127.0.0.1:9/nothing"):
        away = Store(url)
        if away.database.is_sqlite:
            (tmp_path / "empty.db").mkdir()
        answer = client_of(away).post("/webhook", data=body, headers=headers)
        assert refusal(answer) == (503, "The gate's database cannot be used right now. Nothing was kept.")
        away.close()
    assert outcome(post(body)) == (202, "woken"), "the delivery id was not used up"


# --- Logs ---------------------------------------------------------------------------------------------------


def test_each_hop_is_one_line(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    post(real("pull_request.opened"), delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958")
    delivery = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    assert caplog.messages == [
        f"{delivery} pull_request {MASTER} recorded",
        f"{delivery} pull_request woken",
    ]


def test_no_secret_is_logged_or_answered(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = real("pull_request.opened")
    answers = [post(body), post(body, X_Hub_Signature_256="sha256=" + "1" * 64), post(b"{", delivery="d-2")]
    said = caplog.text + "".join(answer.text for answer in answers)
    assert SECRET not in said
    assert sign(body) not in said


def test_while_the_secret_is_changed_both_are_good_and_afterwards_only_the_new_one(
    make_world: Callable[..., World],
) -> None:
    old, new = WEBHOOK_SECRET, "another-secret-of-the-webhook"
    both = make_world(GITHUB_WEBHOOK_SECRET=f"{new},{old}")
    for secret in (old, new):
        both.github.webhooks.secret = secret
        both.github.ping()
    both.github.settle()
    assert [delivery.status for delivery in both.github.deliveries[-2:]] == [200, 200]
    both.stop_gate()
    after = make_world(GITHUB_WEBHOOK_SECRET=new)
    after.github.ping()
    after.github.settle()
    assert after.github.deliveries[-1].status == 401


def statements(file: Path, lines: set[int]) -> set[int]:
    """Where the innermost statements begin that these lines belong to."""
    found = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.stmt)]
    inner = [
        max((node for node in found if node.lineno <= line <= (node.end_lineno or 0)), key=lambda n: n.lineno)
        for line in lines
    ]
    return {node.lineno for node in inner}


def test_a_webhook_is_kept_by_fewer_than_forty_statements_of_our_own(tmp_path: Path) -> None:
    """Counted in the intake's two modules, on SQLite; what verifies, reads and commits is beside it."""
    store = Store(fill(f"sqlite:///{tmp_path / 'gate.db'}"))
    client, lines = client_of(store), defaultdict[Path, set[int]](set)

    def count(frame: FrameType, what: str, _: Any) -> Any:
        if what == "line":
            lines[Path(frame.f_code.co_filename)].add(frame.f_lineno)
        return count if frame.f_code.co_filename in (webhook.__file__, inbox.__file__) else None

    def send(delivery: str) -> TestResponse:
        body = real("pull_request.opened")
        headers = {"X-Hub-Signature-256": sign(body), "X-GitHub-Event": "pull_request"}
        headers["X-GitHub-Delivery"] = delivery
        return client.post("/webhook", data=body, headers=headers, content_type="application/json")

    assert send("first").json == {"outcome": "recorded"}
    before = sys.gettrace()
    sys.settrace(count)
    try:
        answer = send("second")
    finally:
        sys.settrace(before)
    assert answer.json == {"outcome": "recorded"}
    taken = {file.name: len(statements(file, lines[file])) for file in lines}
    assert taken.keys() == {"webhook.py", "inbox.py"}
    assert sum(taken.values()) < 40, taken
    store.close()
