"""A whole gate between a pretend GitHub and a pretend inbox, with a clock that tests turn by hand.

Real PyGithub, boto3, database and HTTP; the worker's steps run when a test says `settle()`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import event, select
from werkzeug.serving import make_server
from werkzeug.test import Client, TestResponse

from app.db.jobs import Kind
from app.db.rows import REVIEWS, complete
from app.db.store import Store
from app.db.tables import jobs, reviews
from app.domain.review import Review
from app.jobs.poll import set_looks
from app.mail.compose import why_for_developer
from app.settings import Settings
from app.wiring import create_app, create_gate
from app.worker import work_once
from demo.github import PretendGitHub
from demo.inbox import PretendInbox
from demo.serving import end, serve
from demo.world import free_port
from tests.builders import Clock
from tests.databases import fill

TOKEN = "a-token-of-the-pretend-github"
WEBHOOK_SECRET = "It's a Secret to Everybody"
SHOP = "acme/shop"


class _Compiled(BytecodeCache):
    """Templates as code, by their text."""

    def __init__(self) -> None:
        self._code: dict[str, Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get(bucket.key + bucket.checksum)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key + bucket.checksum] = bucket.code


_COMPILED = _Compiled()


def compiled_once(app: Flask) -> Flask:
    """Let all the apps of a test run share what Jinja compiled, which each would do anew."""
    app.jinja_env.bytecode_cache = _COMPILED
    return app


def environment(github: PretendGitHub, public_url: str, **more: str) -> dict[str, str]:
    """The settings of a gate between the stand-ins."""
    return {
        "PUBLIC_URL": public_url,
        "SECRET_KEY": "k" * 40,
        "GITHUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORIES": SHOP,
        "QA_REVIEWERS": "Lily <lily@example.com>",
        "MAIL_FROM": "QA gate <gate@example.com>",
        **more,
    }


def aws(inbox: PretendInbox) -> dict[str, str]:
    """What boto3 reads by itself."""
    return {
        "AWS_ENDPOINT_URL_SESV2": inbox.url,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }


def _without_waiting_for_the_disk(connection: Any, _record: object) -> None:
    """No machine loses its power during these tests; test_kill.py and the like keep the gate's own setting."""
    connection.execute("PRAGMA synchronous=OFF")


class World:
    """Everything that one story needs; `stop()` ends what it started."""

    def __init__(
        self, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, **settings: str
    ) -> None:
        self.clock = Clock()
        self.inbox = PretendInbox()
        self.inbox.start()
        for name, value in aws(self.inbox).items():
            monkeypatch.setenv(name, value)
        self.github = PretendGitHub(
            folder, token=TOKEN, webhook_secret=WEBHOOK_SECRET, webhook_url=None, clock=self.clock
        )
        self.github.start()
        self.github.create_repository(SHOP)
        self.github.add_person("sam")
        self.database_url = database_url if database_url.startswith("postgresql") else fill(database_url)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.github.webhook_url = f"{self.url}/webhook"
        self.settings = Settings.load(environment(self.github, self.url, **settings))
        self.start_gate()

    def start_gate(self) -> None:
        """Start the gate, as its process does; the worker's steps still run only when a test says so."""
        self.store = Store(self.database_url, self.clock)
        if self.store.database.is_sqlite:
            for engine in self.store.database.engines:
                event.listen(engine, "connect", _without_waiting_for_the_disk)
        self.store.create()
        self.gate = create_gate(self.settings, self.store)
        app = compiled_once(create_app(self.settings, self.gate))
        self.browser = Client(app)
        port = int(self.url.rpartition(":")[2])
        self._server = make_server("127.0.0.1", port, app, threaded=True)
        self._thread = serve(self._server)

    def stop_gate(self) -> None:
        """Stop the gate; what is in its database stays."""
        end(self._server, self._thread)
        self.store.close()

    def stop(self) -> None:
        """End the servers."""
        self.stop_gate()
        self.github.stop()
        self.inbox.stop()

    # --- The developer --------------------------------------------------------------------------------------

    def commit(self, branch: str, message: str = "Add gift cards", **files: Any) -> str:
        """Commit files (name without dots: their content), on a new branch from development unless it is there."""
        contents = {name.replace("_py", ".py"): text for name, text in files.items()}
        # One and the same commit on two branches would make twins of them.
        contents = contents or {f"{branch.partition('-')[2] or branch}.py": f"{message}\n"}
        return self.github.commit(SHOP, branch, contents, message, "sam")

    def open(self, branch: str = "gift-cards", **more: Any) -> int:
        """Open a pull request with one commit."""
        self.commit(branch)
        facts = {"title": "Add gift cards", "body": "Customers asked for them.", **more}
        return self.github.open_pull_request(SHOP, branch, **facts)

    def statuses(self, sha: str) -> list[str]:
        """What was said on a commit, oldest first."""
        return [f"{said.context} {said.state}" for said in self.github.repo().statuses.get(sha, [])]

    def merges(self, branch: str = "development") -> int:
        """How many commits the branch got since the repository was made."""
        return len(self.github.log(SHOP, branch)) - 1

    # --- The gate -------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let every webhook arrive and every due step run, until nothing is due."""
        for _ in range(1000):
            self.github.settle()
            if not work_once(self.gate):
                return
        raise AssertionError("the gate finds no rest")

    def look(self) -> None:
        """Look at the repository now, as the worker does at its start and `qa-gate sync` when told."""
        set_looks(self.gate)
        self.settle()

    def pass_(self, **time: float) -> None:
        """Let time pass, and do what falls due."""
        self.clock.pass_(**time)
        self.settle()

    def row(self, number: int = 1) -> Review:
        """The row of a pull request."""
        return self._rows(reviews.c.number == number)[0]

    def successes(self, number: int = 1) -> list[str]:
        """Where the gate thinks that a success of a pull request may stand at GitHub."""
        return [post.key.partition(" ")[2] for post in self.row(number).posts.values() if post.is_success]

    def held(self, number: int = 1) -> str:
        """What is in the way of a pull request, as its developers read it; "" where nothing is told."""
        row = self.row(number)
        return why_for_developer(row.held, row.base) if row.held else ""

    def problem(self, number: int = 1) -> str | None:
        """Why the last run of a pull request's job failed."""
        return self._job(number)[0]

    def attempts(self, number: int = 1) -> int:
        """How often in a row a pull request's job has failed."""
        return self._job(number)[1]

    def _job(self, number: int) -> tuple[str | None, int]:
        about = (jobs.c.kind == Kind.REVIEW, jobs.c.about == str(self.row(number).id))
        with self.store.database.read() as connection:
            found = connection.execute(select(jobs.c.problem, jobs.c.attempts).where(*about)).first()
            return (found.problem, found.attempts) if found else (None, 0)

    def all_rows(self) -> list[Review]:
        """Every row, ended ones too."""
        return self._rows()

    def _rows(self, *which: Any) -> list[Review]:
        with self.store.database.read() as connection:
            found = connection.execute(REVIEWS.where(*which).order_by(reviews.c.id)).all()
            return [complete(connection, row) for row in found]

    def post_webhook(self, event: str, payload: dict[str, Any], **headers: str) -> TestResponse:
        """Deliver a payload, signed as GitHub signs it."""
        body = json.dumps(payload).encode()
        signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
        sent = {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid4()),
            "X-Hub-Signature-256": f"sha256={signature}",
            **headers,
        }
        return self.browser.post("/webhook", data=body, headers=sent, content_type="application/json")

    # --- Lily -----------------------------------------------------------------------------------------------

    def link(self, choice: str = "approve", mail: int = -1) -> str:
        """The path of a link in one of her mails; a list has one for each change, which leads to both."""
        links = re.findall(r"/decide/\S+", self.inbox.mails[mail].text)
        assert links, self.inbox.mails[mail].text
        return links[0 if choice == "approve" else min(1, len(links) - 1)].rstrip(">)")

    def decide(self, choice: str = "approve", note: str = "", path: str | None = None) -> TestResponse:
        """Send the decide page's form as a browser does."""
        return self.browser.post(path or self.link(choice), data={"choice": choice, "note": note})

    def details(self, number: int = 1) -> str:
        """The path of the page to which "Details" beside the status leads."""
        return self.gate.links.details_url(self.row(number).nonce).removeprefix(self.url)

    def see(self, path: str | None = None) -> str:
        """The text of a page."""
        return self.browser.get(path or self.link()).text


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that happens in another thread or process."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it did not happen in time"
        sleep(0.02)
