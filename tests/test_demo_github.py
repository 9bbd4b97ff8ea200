"""The pretend GitHub is as strict as the real one: shapes, refusals, real git, signed webhooks.

Every answer and every webhook that a test here sees is held against GitHub's own OpenAPI description, reduced to
these calls in payloads/github-openapi.json; a field that GitHub does not know is as wrong as a missing one.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from demo.github import PretendGitHub, Refusal, Repo
from demo.serving import end, serve

PAYLOADS = Path(__file__).parent / "payloads"
DESCRIPTION = json.loads((PAYLOADS / "github-openapi.json").read_text())
SECRET = "It's a Secret to Everybody"
TOKEN = "a-token"
APP = 4711
GATE = "qa-gate/development"


# --- GitHub's description ------------------------------------------------------------------------------------


def closed(schema: Any) -> Any:
    """The same schema, in which an object has no other fields than those described."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    # What is put together of several parts ("allOf") has fields that none of its parts describes alone.
    answer = {name: one if name == "allOf" else closed(one) for name, one in schema.items()}
    if isinstance(answer.get("properties"), dict) and "type" in answer:
        answer.setdefault("additionalProperties", False)
    return answer


CLOSED = closed(DESCRIPTION)


def operations() -> dict[str, tuple[str, re.Pattern[str]]]:
    """Name of each call, with its method and what its paths look like; the most literal first."""
    found = {}
    for name in sorted(DESCRIPTION["answers"], key=lambda name: (name.count("{"), -len(name))):
        method, _, path = name.partition(" ")
        pattern = re.sub(r"\\\{(ref|branch|basehead|tree_sha)\\\}", ".+", re.escape(path))
        found[name] = (method, re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", pattern)))
    return found


OPERATIONS = operations()


def hold_against_description(method: str, path: str, status: int, body: Any) -> None:
    path = re.sub(r"^/repositories/\d+", "/repos/acme/shop", path)
    name = next(name for name, (verb, like) in OPERATIONS.items() if verb == method and like.fullmatch(path))
    answers = CLOSED["answers"][name]
    error = {"$ref": "#/$defs/basic-error"}
    if status < 300:
        assert str(status) in answers, f"GitHub never answers {name} with {status}"
    if status >= 400:
        # GitHub sends it since 2024, its description does not have it everywhere.
        body = {**body}
        assert body.pop("status", str(status)) == str(status)
        error = {"$ref": "#/$defs/validation-error"} if "errors" in body else error
    schema = answers.get(str(status), error)
    jsonschema.Draft202012Validator({**schema, "$defs": CLOSED["$defs"]}).validate(body)


def hold_webhook_against_description(event: str, action: str | None, payload: dict[str, Any]) -> None:
    name = "-".join([event, *([action] if action else [])]).replace("_", "-")
    schema = {**DESCRIPTION["webhooks"][name], "$defs": DESCRIPTION["$defs"]}
    jsonschema.Draft202012Validator(schema).validate(payload)


# --- Fixtures ------------------------------------------------------------------------------------------------


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **much: float) -> None:
        self.now += timedelta(**much)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public.decode()


@pytest.fixture
def github(tmp_path: Path, clock: Clock, key: rsa.RSAPrivateKey) -> Iterator[PretendGitHub]:
    made = PretendGitHub(
        tmp_path / "github",
        token=TOKEN,
        webhook_secret=SECRET,
        clock=clock,
        app_id=APP,
        app_public_key=pem(key),
    )
    yield made.start()
    made.stop()


@pytest.fixture
def repo(github: PretendGitHub) -> Repo:
    return github.create_repository("acme/shop")


@pytest.fixture
def number(github: PretendGitHub, repo: Repo) -> int:
    """An open pull request, coupons into development."""
    github.commit(repo, "coupons", {"src/coupons.py": "OFF = 5\n"}, "Add coupons")
    return github.open_pull_request(repo, "coupons", title="Coupons", body="Five off.")


class Answer:
    def __init__(self, answer: requests.Response) -> None:
        self.status, self.headers, self.text = answer.status_code, answer.headers, answer.text
        self.body: Any = answer.json() if answer.text else None

    @property
    def message(self) -> str:
        return str(self.body["message"])


Ask = Callable[..., Answer]


@pytest.fixture
def raw(github: PretendGitHub) -> Iterator[Ask]:
    """Asks the API; follows no redirect, checks no shape."""
    with requests.Session() as session:
        session.trust_env = False

        def ask(method: str, path: str, body: Any = None, **headers: str) -> Answer:
            sent = {
                "Authorization": f"token {TOKEN}",
                **{name.replace("_", "-"): one for name, one in headers.items()},
            }
            url = path if path.startswith("http") else github.url + path
            return Answer(
                session.request(method, url, json=body, headers=sent, allow_redirects=False, timeout=10)
            )

        yield ask


@pytest.fixture
def ask(github: PretendGitHub, raw: Ask) -> Ask:
    """Asks the API, and holds the answer against GitHub's description."""

    def ask(method: str, path: str, body: Any = None, **headers: str) -> Answer:
        answer = raw(method, path, body, **headers)
        if answer.status not in (204, 301, 304, 307):
            hold_against_description(
                method, path.removeprefix(github.url).partition("?")[0], answer.status, answer.body
            )
        return answer

    return ask


PULL = "/repos/acme/shop/pulls/1"


# --- The description itself ----------------------------------------------------------------------------------


def test_description_catches_a_missing_and_an_unknown_field(ask: Ask, number: int) -> None:
    body = ask("GET", PULL).body
    hold_against_description("GET", PULL, 200, body)
    with pytest.raises(jsonschema.ValidationError, match="'head' is a required property"):
        hold_against_description(
            "GET", PULL, 200, {name: one for name, one in body.items() if name != "head"}
        )
    with pytest.raises(jsonschema.ValidationError, match="'invented' was unexpected"):
        hold_against_description("GET", PULL, 200, {**body, "invented": 1})
    with pytest.raises(jsonschema.ValidationError, match="is not of type"):
        hold_against_description("GET", PULL, 200, {**body, "title": None})


# --- Every read has GitHub's shape ---------------------------------------------------------------------------

READS = """
/user
/repos/acme/shop
/repos/acme/shop/branches/development
/repos/acme/shop/branches/master
/repos/acme/shop/branches/development/protection
/repos/acme/shop/pulls?state=all
/repos/acme/shop/pulls/1
/repos/acme/shop/pulls/2
/repos/acme/shop/pulls/3
/repos/acme/shop/pulls/1/reviews
/repos/acme/shop/pulls/1/comments
/repos/acme/shop/collaborators/lea/permission
/repos/acme/shop/issues/1/comments
/repos/acme/shop/issues/1/events
/repos/acme/shop/compare/development...coupons
/repos/acme/shop/compare/development...eva:idea
/repos/acme/shop/commits/coupons/status
/repos/acme/shop/commits/coupons/pulls
/repos/acme/shop/commits/coupons/check-runs
/repos/acme/shop/git/trees/coupons?recursive=1
/repos/acme/shop/git/trees/development
/repos/acme/shop/git/commits/SHA
/repos/acme/shop/deployments
/repos/acme/shop/deployments/NUMBER/statuses
""".split()


def fill(github: PretendGitHub, repo: Repo, number: int) -> str:
    """Make one of everything; return the head of the first pull request."""
    sha = github.pull(number).head_sha
    github.protect(repo, "development", [GATE], approvals=1)
    github.set_status(repo, sha, "pending", GATE, description="Waiting for Lily")
    github.set_check(repo, sha, "tests")
    github.set_check(repo, sha, "lint", "in_progress")
    github.review_as("lea", number, "COMMENT", "Nice")
    github.comment_on_code(number, "Why?", by="lea")
    github.add_deployment(repo, sha, "preview", "https://preview.example.com")
    github.request_review(number, "kim")
    github.label(number, "soon")
    fork = github.fork(repo, "eva")
    github.commit(fork, "idea", {"src/shop.py": None, "shop.py": "PRICE = 10\n"}, "Move", "eva")
    github.open_pull_request(repo, "idea", title="Idea", body=None, author="eva", from_fork=fork)
    github.commit(repo, "done", {"done.md": "x\n"}, "Done")
    github.merge_as("boss", github.open_pull_request(repo, "done"))
    return sha


def test_every_read_has_githubs_shape(github: PretendGitHub, repo: Repo, number: int, ask: Ask) -> None:
    sha = fill(github, repo, number)
    for read in READS:
        path = read.replace("SHA", sha).replace("NUMBER", str(repo.deployments[0].id))
        first, second = ask("GET", path), ask("GET", path)
        assert (path, first.status, second.status) == (path, 200, 200)
        assert first.headers["X-RateLimit-Resource"] == "core"


# --- Mergeable -----------------------------------------------------------------------------------------------


def states(ask: Ask, path: str = PULL) -> tuple[Any, str]:
    body = ask("GET", path).body
    return body["mergeable"], body["mergeable_state"]


def test_mergeable_is_unknown_at_the_first_read_after_every_change(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask
) -> None:
    assert [states(ask), states(ask), states(ask)] == [(None, "unknown"), (True, "clean"), (True, "clean")]
    github.commit(repo, "coupons", {"src/coupons.py": "OFF = 6\n"})
    assert [states(ask), states(ask)] == [(None, "unknown"), (True, "clean")]
    github.commit(repo, "development", {"other.md": "x\n"})
    assert [states(ask), states(ask)] == [(None, "unknown"), (True, "clean")]
    github.retarget(number, "master")
    assert [states(ask), states(ask)] == [(None, "unknown"), (True, "clean")]
    github.close(number)
    assert states(ask) == (None, "unknown")


def test_mergeable_state_says_why(github: PretendGitHub, repo: Repo, number: int, ask: Ask) -> None:
    github.world.instant = True
    sha = github.pull(number).head_sha
    github.set_check(repo, sha, "lint", conclusion="failure")
    assert states(ask) == (True, "unstable")
    github.protect(repo, "development", [GATE], strict=True)
    assert states(ask) == (True, "blocked")
    github.set_status(repo, sha, "success", GATE)
    assert states(ask) == (True, "unstable")
    github.set_check(repo, sha, "lint")
    assert states(ask) == (True, "clean")
    github.commit(repo, "development", {"other.md": "x\n"})
    assert states(ask) == (True, "behind")
    github.convert_to_draft(number)
    assert states(ask) == (True, "draft")
    github.commit(repo, "development", {"src/coupons.py": "OFF = 7\n"})
    assert states(ask) == (False, "dirty")


# --- Merging -------------------------------------------------------------------------------------------------


def git(repo: Repo, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=repo.git.path, capture_output=True, text=True, check=True
    ).stdout


def test_merge_makes_a_real_merge_commit(github: PretendGitHub, repo: Repo, number: int, ask: Ask) -> None:
    base, head = repo.git.branches["development"], github.pull(number).head_sha
    answer = ask("PUT", f"{PULL}/merge", {"sha": head, "merge_method": "merge"})
    made = github.log(repo, "development")[0]
    assert answer.body == {"sha": made.sha, "merged": True, "message": "Pull Request successfully merged"}
    assert made.message == "Merge pull request #1 from acme/coupons\n\nCoupons"
    assert made.parents == (base, head)
    assert github.read(repo, "development", "src/coupons.py") == b"OFF = 5\n"
    assert git(repo, "rev-parse", "refs/heads/development").strip() == made.sha
    body = ask("GET", PULL).body
    assert (body["merged"], body["state"], body["merged_by"]["login"]) == (True, "closed", "qa-gate-bot")
    assert (body["merge_commit_sha"], body["commits"], body["changed_files"]) == (made.sha, 1, 1)
    assert git(repo, "fsck", "--strict") == ""


def test_squash_makes_one_commit_by_the_author(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask
) -> None:
    github.commit(repo, "coupons", {"src/more.py": "MORE = 1\n"}, "Add more")
    base = repo.git.branches["development"]
    assert ask("PUT", f"{PULL}/merge", {"merge_method": "squash"}).status == 200
    made = github.log(repo, "development")[0]
    assert (made.parents, made.author.name) == ((base,), "sam")
    assert made.message == "Coupons (#1)\n\n* Add coupons\n\n* Add more"
    assert github.read(repo, "development", "src/more.py") == b"MORE = 1\n"


def test_rebase_puts_each_commit_onto_the_base(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask
) -> None:
    github.commit(repo, "coupons", {"src/more.py": "MORE = 1\n"}, "Add more")
    base = github.commit(repo, "development", {"other.md": "x\n"}, "Elsewhere")
    assert ask("PUT", f"{PULL}/merge", {"merge_method": "rebase"}).status == 200
    log = github.log(repo, "development")
    assert [one.message for one in log[:3]] == ["Add more", "Add coupons", "Elsewhere"]
    assert (log[2].sha, len(log[0].parents)) == (base, 1)
    assert [github.read(repo, "development", path) for path in ("src/more.py", "other.md")] == [
        b"MORE = 1\n",
        b"x\n",
    ]


def test_merge_takes_the_words_it_is_given(github: PretendGitHub, repo: Repo, number: int, ask: Ask) -> None:
    ask("PUT", f"{PULL}/merge", {"commit_title": "Coupons, at last", "commit_message": "Lily said yes."})
    assert github.log(repo, "development")[0].message == "Coupons, at last\n\nLily said yes."


def make_conflict(github: PretendGitHub, number: int) -> None:
    github.commit(None, "development", {"src/coupons.py": "OFF = 7\n"})


def switch_off(*methods: str) -> Callable[[PretendGitHub, int], None]:
    return lambda github, _: github.repo().methods.difference_update(methods)


def protect(**options: Any) -> Callable[[PretendGitHub, int], None]:
    return lambda github, _: github.protect(None, "development", **options)


def gate_says(*states: str, check: str = "") -> Callable[[PretendGitHub, int], None]:
    def prepare(github: PretendGitHub, number: int) -> None:
        github.protect(None, "development", [GATE, *([check] if check else [])])
        for state in states:
            github.set_status(None, github.pull(number).head_sha, state, GATE)

    return prepare


def run_check(github: PretendGitHub, number: int) -> None:
    github.protect(None, "development", ["tests"])
    github.set_check(None, github.pull(number).head_sha, "tests", "in_progress")


def merge_it(github: PretendGitHub, number: int) -> None:
    github.merge_as("boss", number)


def fall_behind(github: PretendGitHub, number: int) -> None:
    github.protect(None, "development", strict=True)
    github.commit(None, "development", {"other.md": "x\n"})


REFUSED_MERGES = [
    (make_conflict, {}, 405, "Pull Request is not mergeable"),
    (PretendGitHub.close, {}, 405, "Pull Request is not mergeable"),
    (merge_it, {}, 405, "Pull Request is not mergeable"),
    (PretendGitHub.convert_to_draft, {}, 405, "Pull Request is still a draft"),
    (switch_off(), {"sha": "0" * 40}, 409, "Head branch was modified. Review and try the merge again."),
    (switch_off("merge"), {}, 405, "Merge commits are not allowed on this repository."),
    (
        switch_off("squash"),
        {"merge_method": "squash"},
        405,
        "Squash merges are not allowed on this repository.",
    ),
    (
        switch_off("rebase"),
        {"merge_method": "rebase"},
        405,
        "Rebase merges are not allowed on this repository.",
    ),
    (switch_off(), {"merge_method": "octopus"}, 422, "Validation Failed"),
    (gate_says(), {}, 405, f'Required status check "{GATE}" is expected.'),
    (gate_says("success", "pending"), {}, 405, f'Required status check "{GATE}" is pending.'),
    (gate_says("success", "failure"), {}, 405, f'Required status check "{GATE}" is failing.'),
    (gate_says("error"), {}, 405, f'Required status check "{GATE}" is failing.'),
    (run_check, {}, 405, 'Required status check "tests" is in progress.'),
    (gate_says("success", check="tests"), {}, 405, 'Required status check "tests" is expected.'),
    (gate_says(check="tests"), {}, 405, "2 of 2 required status checks are expected."),
    (
        gate_says("failure", check="tests"),
        {},
        405,
        "2 of 2 required status checks have not succeeded: 1 expected and 1 failing.",
    ),
    (
        protect(approvals=1),
        {},
        405,
        "At least 1 approving review is required by reviewers with write access.",
    ),
    (fall_behind, {}, 405, "Head branch is out of date"),
]


@pytest.mark.parametrize("prepare, body, status, message", REFUSED_MERGES)
def test_merge_is_refused_in_githubs_words(
    github: PretendGitHub,
    repo: Repo,
    number: int,
    ask: Ask,
    prepare: Callable[[PretendGitHub, int], None],
    body: dict[str, Any],
    status: int,
    message: str,
) -> None:
    prepare(github, number)
    before = dict(repo.git.branches)
    answer = ask("PUT", f"{PULL}/merge", body)
    assert (answer.status, answer.message) == (status, message)
    assert repo.git.branches == before


def test_context_bound_to_an_app_counts_from_it_only(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask, key: rsa.RSAPrivateKey, clock: Clock
) -> None:
    github.protect(repo, "development", [GATE], app_id=APP)
    path = f"/repos/acme/shop/statuses/{github.pull(number).head_sha}"
    said = {"state": "success", "context": GATE}
    assert ask("POST", path, said).status == 201
    assert ask("PUT", f"{PULL}/merge").message == f'Required status check "{GATE}" is expected.'
    assert ask("POST", path, said, Authorization=f"token {app_token(ask, key, clock)}").status == 201
    assert ask("PUT", f"{PULL}/merge").status == 200


# --- Statuses, reviews, comments -----------------------------------------------------------------------------


def test_status_is_kept_and_combined(github: PretendGitHub, repo: Repo, number: int, ask: Ask) -> None:
    sha = github.pull(number).head_sha
    path = f"/repos/acme/shop/commits/{sha}"
    assert ask("GET", f"{path}/status").body["state"] == "pending"
    said = {
        "state": "pending",
        "context": GATE,
        "description": "x" * 140,
        "target_url": "https://gate.example.com/1",
    }
    first = ask("POST", f"/repos/acme/shop/statuses/{sha}", said)
    assert (first.status, first.headers["Location"]) == (201, first.body["url"])
    assert {name: first.body[name] for name in said} == said
    ask("POST", f"/repos/acme/shop/statuses/{sha}", {"state": "success", "context": GATE.upper()})
    combined = ask("GET", f"{path}/status").body
    assert (combined["state"], combined["total_count"]) == ("success", 1)
    github.set_status(repo, sha, "error", "ci")
    assert ask("GET", f"{path}/status").body["state"] == "failure"


@pytest.mark.parametrize(
    "body, field",
    [
        ({"state": "good"}, "state"),
        ({}, "state"),
        ({"state": "success", "description": "x" * 141}, "description"),
        ({"state": "success", "context": "x" * 256}, "context"),
        ({"state": "success", "target_url": "javascript:alert(1)"}, "target_url"),
    ],
)
def test_bad_status_is_refused(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask, body: dict[str, str], field: str
) -> None:
    answer = ask("POST", f"/repos/acme/shop/statuses/{github.pull(number).head_sha}", body)
    assert (answer.status, answer.message, answer.body["errors"][0]["field"]) == (
        422,
        "Validation Failed",
        field,
    )
    assert repo.statuses == {}


def test_status_of_an_unknown_commit_is_refused(ask: Ask, number: int) -> None:
    answer = ask("POST", f"/repos/acme/shop/statuses/{'0' * 40}", {"state": "success"})
    assert (answer.status, answer.message) == (422, f"No commit found for SHA: {'0' * 40}")


def test_thousandth_status_of_a_context_is_the_last(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask
) -> None:
    sha = github.pull(number).head_sha
    for _ in range(1000):
        github.set_status(repo, sha, "pending", GATE)
    path = f"/repos/acme/shop/statuses/{sha}"
    answer = ask("POST", path, {"state": "success", "context": GATE.upper()})
    assert answer.status == 422
    assert (
        answer.body["errors"][0]["message"]
        == "This SHA and context has reached the maximum number of statuses."
    )
    assert ask("POST", path, {"state": "success", "context": "other"}).status == 201


@pytest.mark.parametrize(
    "author, body, words",
    [
        ("qa-gate-bot", {"event": "APPROVE"}, "Can not approve your own pull request"),
        (
            "qa-gate-bot",
            {"event": "REQUEST_CHANGES", "body": "No"},
            "Can not request changes on your own pull request",
        ),
        ("sam", {"event": "REQUEST_CHANGES"}, "Body can't be blank"),
        ("sam", {"event": "COMMENT", "body": " "}, "Body can't be blank"),
        ("sam", {"event": "MAYBE"}, "invalid value"),
        ("sam", {"event": "APPROVE", "commit_id": "0" * 40}, "not part of the pull request"),
    ],
)
def test_bad_review_is_refused(
    github: PretendGitHub, repo: Repo, ask: Ask, author: str, body: dict[str, str], words: str
) -> None:
    github.commit(repo, "coupons", {"a": "x\n"}, author=author)
    number = github.open_pull_request(repo, "coupons", author=author)
    answer = ask("POST", f"{PULL}/reviews", body)
    assert answer.status == 422
    assert words in answer.body["errors"][0]
    assert github.pull(number).reviews == []


@pytest.mark.parametrize("body", [{}, {"body": ""}, {"body": 1}, {"body": "x" * 65_537}])
def test_bad_comment_is_refused(ask: Ask, number: int, body: dict[str, Any]) -> None:
    answer = ask("POST", "/repos/acme/shop/issues/1/comments", body)
    assert (answer.status, answer.message) == (422, "Validation Failed")


# --- Opening and editing by the API --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, words",
    [
        ({}, "title"),
        ({"title": "x", "head": "none", "base": "development"}, "head"),
        ({"title": "x", "head": "coupons", "base": "none"}, "base"),
        ({"title": "x", "head": "bob:coupons", "base": "development"}, "head"),
        (
            {"title": "x", "head": "coupons", "base": "development"},
            "A pull request already exists for acme:coupons.",
        ),
        (
            {"title": "x", "head": "master", "base": "development"},
            "No commits between development and master",
        ),
        (
            {"title": "x" * 257, "head": "coupons", "base": "development"},
            "title is too long (maximum is 256 characters)",
        ),
        (
            {"title": "x", "body": "x" * 65_537, "head": "coupons", "base": "development"},
            "body is too long (maximum is 65536 characters)",
        ),
    ],
)
def test_bad_pull_request_is_refused(ask: Ask, number: int, body: dict[str, str], words: str) -> None:
    answer = ask("POST", "/repos/acme/shop/pulls", body)
    assert answer.status == 422
    assert words in (answer.body["errors"][0].get("field"), answer.body["errors"][0].get("message"))


# --- Compare and trees ---------------------------------------------------------------------------------------


def test_compare_tells_commits_and_files(github: PretendGitHub, repo: Repo, ask: Ask) -> None:
    start = repo.git.branches["development"]
    github.commit(
        repo,
        "coupons",
        {
            "src/shop.py": None,
            "src/store.py": "PRICE = 10\n",
            "README.md": "A shop.\nOpen.\n",
            "logo.png": b"\x89PNG\0",
            "run.sh": ("100755", "echo\n"),
        },
    )
    github.commit(repo, "development", {"other.md": "x\n"})
    body = ask("GET", "/repos/acme/shop/compare/development...coupons").body
    assert (body["status"], body["ahead_by"], body["behind_by"], body["total_commits"]) == (
        "diverged",
        1,
        1,
        1,
    )
    assert body["merge_base_commit"]["sha"] == start
    files = {one["filename"]: one for one in body["files"]}
    assert {name: one["status"] for name, one in files.items()} == {
        "README.md": "modified",
        "logo.png": "added",
        "run.sh": "added",
        "src/store.py": "renamed",
    }
    assert files["src/store.py"]["previous_filename"] == "src/shop.py"
    assert files["README.md"]["patch"] == "@@ -1 +1,2 @@\n A shop.\n+Open."
    assert (files["README.md"]["additions"], files["README.md"]["changes"]) == (1, 1)
    assert "patch" not in files["logo.png"]
    assert ask("GET", "/repos/acme/shop/compare/coupons...coupons").body["status"] == "identical"
    assert ask("GET", f"/repos/acme/shop/compare/{'0' * 40}...coupons").status == 404


# --- Ghosts and forks ----------------------------------------------------------------------------------------


def test_pull_request_of_a_fork(github: PretendGitHub, repo: Repo, ask: Ask) -> None:
    github.add_person("eva", association="FIRST_TIME_CONTRIBUTOR")
    fork = github.fork(repo, "eva")
    sha = github.commit(fork, "idea", {"idea.md": "x\n"}, author="eva")
    number = github.open_pull_request(repo, "idea", author="eva", from_fork=fork)
    body = ask("GET", PULL).body
    assert body["head"]["repo"]["full_name"] == "eva/shop"
    assert (body["head"]["label"], body["head"]["sha"]) == ("eva:idea", sha)
    assert (body["author_association"], body["head"]["repo"]["fork"]) == ("FIRST_TIME_CONTRIBUTOR", True)
    assert ask("GET", f"/repos/acme/shop/compare/development...{sha}").body["ahead_by"] == 1
    github.set_check(repo, sha, "tests")
    runs = ask("GET", f"/repos/acme/shop/commits/{sha}/check-runs").body
    assert [one["pull_requests"] for one in runs["check_runs"]] == [[]]
    github.commit(fork, "idea", {"idea.md": "y\n"}, author="eva")
    assert github.deliveries[-1].action == "synchronize"
    assert ask("PUT", f"{PULL}/merge").status == 200
    assert github.pull(number).merged
    assert github.log(repo, "development")[0].message.startswith("Merge pull request #1 from eva/idea")


# --- Webhooks ------------------------------------------------------------------------------------------------


class Listener:
    """Receives webhooks over HTTP, as the gate would."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 202
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.got.append((dict(self.headers), body))
                self.send_response(listener.status)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = serve(self.server)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook"

    def events(self) -> list[str]:
        return [
            ".".join(filter(None, [headers["X-GitHub-Event"], json.loads(body).get("action")]))
            for headers, body in self.got
        ]


@pytest.fixture
def listener(github: PretendGitHub, repo: Repo) -> Iterator[Listener]:
    made = Listener()
    github.webhook_url = made.url
    yield made
    end(made.server, made.thread)


def test_everything_that_happens_is_told_in_githubs_shape(
    github: PretendGitHub, repo: Repo, listener: Listener, ask: Ask
) -> None:
    github.commit(repo, "coupons", {"a": "x\n"})
    number = github.open_pull_request(repo, "coupons", body=None)
    sha = github.commit(repo, "coupons", {"a": "y\n"})
    github.edit(number, title="Better", body="Why")
    github.retarget(number, "master")
    github.retarget(number, "development")
    github.convert_to_draft(number)
    github.ready(number)
    github.request_review(number, "lea")
    github.label(number, "gift cards")
    github.edit_comment(github.comment(number, "Have a look."), "Have a close look.")
    github.edit_review(number, github.review_as("kim", number, "APPROVE"), "Nice")
    github.comment_on_code(number, "Because.", by="", edits=github.comment_on_code(number, "Why?", by="kim"))
    github.close(number)
    github.reopen(number)
    github.set_deployment_status(
        repo, github.add_deployment(repo, sha, "preview", "", "in_progress"), "failure"
    )
    github.set_check(repo, sha, "tests", "in_progress")
    github.set_check(repo, sha, "tests")
    ask("POST", f"/repos/acme/shop/statuses/{sha}", {"state": "success", "context": GATE})
    ask("PUT", f"{PULL}/merge", {"sha": sha})
    github.force_push(repo, "coupons", None)
    github.ping()
    github.settle()
    assert (
        listener.events()
        == """push pull_request.opened push pull_request.synchronize pull_request.edited pull_request.edited
        pull_request.edited pull_request.converted_to_draft pull_request.ready_for_review
        pull_request.review_requested pull_request.labeled issue_comment.created issue_comment.edited
        pull_request_review.submitted pull_request_review.edited pull_request_review.submitted
        pull_request_review_comment.created pull_request_review_comment.edited pull_request.closed
        pull_request.reopened deployment_status.created deployment_status.created check_run.created
        check_run.completed check_suite.completed status pull_request.closed push push ping""".split()
    )
    for delivery in github.deliveries:
        assert delivery.status == 202
        hold_webhook_against_description(delivery.event, delivery.action, delivery.payload)


@pytest.mark.parametrize(
    "given, permission, role",
    [
        ({"association": "OWNER"}, "admin", "admin"),
        ({}, "write", "write"),
        ({"association": "CONTRIBUTOR"}, "read", "read"),
        ({"association": "CONTRIBUTOR", "permission": "write"}, "write", "write"),
        ({"permission": "maintain"}, "write", "maintain"),
        ({"permission": "triage"}, "read", "triage"),
        ({"permission": "none"}, "none", "none"),
    ],
)
def test_who_may_do_what_is_told_in_two_words(
    github: PretendGitHub, repo: Repo, ask: Ask, given: dict[str, str], permission: str, role: str
) -> None:
    person = github.add_person("eva", **given)
    answer = ask("GET", "/repos/acme/shop/collaborators/Eva/permission").body
    assert (answer["permission"], answer["role_name"], answer["user"]["id"]) == (permission, role, person.id)
    assert ask("GET", "/repos/acme/shop/collaborators/nobody/permission").status == 404
    github.rename_person("eva", "evelyn")
    assert ask("GET", "/repos/acme/shop/collaborators/eva/permission").status == 404
    assert ask("GET", "/repos/acme/shop/collaborators/evelyn/permission").body["user"]["id"] == person.id


def test_pull_request_of_a_webhook_is_that_of_a_read(github: PretendGitHub, number: int, ask: Ask) -> None:
    github.edit(number, title="Better")
    told = github.deliveries[-1].payload
    assert told["pull_request"] == ask("GET", PULL).body
    assert told["repository"] == told["pull_request"]["base"]["repo"]


def test_edit_tells_what_it_was(github: PretendGitHub, repo: Repo, number: int) -> None:
    github.edit(number, title="Better", body="Why")
    assert github.deliveries[-1].payload["changes"] == {
        "title": {"from": "Coupons"},
        "body": {"from": "Five off."},
    }
    base = repo.git.branches["development"]
    github.retarget(number, "master")
    assert github.deliveries[-1].payload["changes"] == {
        "base": {"ref": {"from": "development"}, "sha": {"from": base}}
    }


def test_push_to_the_base_is_no_synchronize(github: PretendGitHub, repo: Repo, number: int) -> None:
    tip = github.pull(number).base_sha
    github.commit(repo, "development", {"other.md": "x\n"})
    assert github.deliveries[-1].event == "push"
    assert github.pull(number).base_sha == tip  # as on GitHub: it follows the head's pushes only


# --- The App -------------------------------------------------------------------------------------------------


def app_jwt(
    key: rsa.RSAPrivateKey, now: datetime, issuer: object = APP, lasts: int = 600, since: int = -60
) -> str:
    at = int(now.timestamp())
    return jwt.encode({"iat": at + since, "exp": at + lasts, "iss": str(issuer)}, key, "RS256")


def app_token(ask: Ask, key: rsa.RSAPrivateKey, clock: Clock) -> str:
    bearer = f"Bearer {app_jwt(key, clock.now)}"
    installation = ask("GET", "/repos/acme/shop/installation", Authorization=bearer).body
    made = ask("POST", f"/app/installations/{installation['id']}/access_tokens", Authorization=bearer)
    assert made.status == 201
    return str(made.body["token"])


def test_bad_app_token_is_refused(
    github: PretendGitHub, repo: Repo, ask: Ask, key: rsa.RSAPrivateKey, clock: Clock
) -> None:
    other = rsa.generate_private_key(65537, 2048)
    bad = {
        app_jwt(other, clock.now): "A JSON web token could not be decoded",
        app_jwt(key, clock.now, issuer=1): "'Issuer' claim ('iss') must be an Integer",
        app_jwt(key, clock.now, lasts=-1): "'Expiration time' claim ('exp') must be a numeric value",
        app_jwt(key, clock.now, lasts=700): "'Expiration time' claim ('exp') is too far in the future",
        app_jwt(
            key, clock.now, since=60
        ): "'Issued at' claim ('iat') must be an Integer representing a time in",
        "a.b.c": "A JSON web token could not be decoded",
    }
    for token, message in bad.items():
        answer = ask("GET", "/app", Authorization=f"Bearer {token}")
        assert answer.status == 401
        assert answer.message.startswith(message)
    assert ask("GET", "/app").status == 401
    assert ask("GET", "/repos/acme/shop", Authorization=f"Bearer {app_jwt(key, clock.now)}").status == 401


# --- What GitHub does by itself, and what it refuses for good -------------------------------------------------


def test_histories_that_share_nothing_cannot_be_compared_opened_or_merged(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask
) -> None:
    other = github.commit(repo, "other", {"other.py": "other\n"}, start_from="")
    with pytest.raises(Refusal, match="no history in common"):
        github.open_pull_request(repo, "other")
    github.force_push(repo, "coupons", other)
    assert ask("GET", f"/repos/acme/shop/compare/development...{other}").status == 404
    ask("GET", PULL)
    assert ask("GET", PULL).body["mergeable_state"] == "dirty"


@pytest.mark.parametrize("method, signed", [("merge", True), ("squash", True), ("rebase", False)])
def test_github_signs_the_merges_that_it_makes_and_no_rebase(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask, method: str, signed: bool
) -> None:
    made = ask("GET", f"/repos/acme/shop/git/commits/{github.merge_as('kim', number, method=method)}").body
    assert made["verification"]["verified"] is signed
    assert (made["committer"]["name"] == "GitHub") is signed
    by_hand = github.commit(repo, "development", {"by_hand.py": "by hand\n"})
    unsigned = ask("GET", f"/repos/acme/shop/git/commits/{by_hand}").body
    assert not unsigned["verification"]["verified"]


def test_a_pull_request_is_merged_by_itself_in_the_name_of_whoever_wished_it(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask
) -> None:
    with pytest.raises(Refusal, match="clean status"):
        github.enable_auto_merge(number, by="kim")
    github.protect(repo, "development", [GATE])
    github.enable_auto_merge(number, by="kim", method="squash")
    assert ask("GET", PULL).body["auto_merge"]["merge_method"] == "squash"
    said = {"state": "success", "context": GATE}
    ask("POST", f"/repos/acme/shop/statuses/{github.pull(number).head_sha}", said)
    merged = ask("GET", PULL).body
    assert (merged["merged"], merged["merged_by"]["login"]) == (True, "kim")


def test_a_merge_queue_and_an_archive_refuse_in_githubs_words(
    github: PretendGitHub, repo: Repo, number: int, ask: Ask
) -> None:
    github.protect(repo, "development", queue=True)
    refused = ask("PUT", f"{PULL}/merge", {})
    assert (refused.status, refused.message) == (405, "Changes must be made through the merge queue")
    repo.archived = True
    refused = ask("POST", "/repos/acme/shop/issues/1/comments", {"body": "Hello"})
    assert (refused.status, refused.message) == (403, "Repository was archived so is read-only.")
    assert ask("GET", "/repos/acme/shop").body["archived"] is True


def test_what_is_based_on_a_branch_that_was_merged_and_deleted_is_retargeted(
    github: PretendGitHub, repo: Repo, number: int
) -> None:
    github.commit(repo, "upper", {"upper.py": "upper\n"}, start_from="coupons")
    upper = github.open_pull_request(repo, "upper", "coupons")
    repo.delete_branch_on_merge = True
    github.merge_as("kim", number)
    assert (github.pull(upper).base, github.pull(upper).state) == ("development", "open")
    (edited,) = (one for one in github.deliveries if one.action == "edited")
    assert edited.payload["changes"]["base"]["ref"] == {"from": "coupons"}
