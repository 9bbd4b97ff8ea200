"""The commands, as processes of their own: start, refuse to start, stop, and be killed."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from demo.github import PretendGitHub
from demo.inbox import PretendInbox
from demo.world import free_port
from tests.world import SHOP, TOKEN, WEBHOOK_SECRET, aws, environment, wait_until

ROOT = Path(__file__).parent.parent


class Command:
    """A `qa-gate` process and what it printed."""

    def __init__(self, folder: Path, environ: dict[str, str], *arguments: str) -> None:
        self.output = folder / f"{arguments[0]}-{free_port()}.log"
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", *arguments],
                env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text()


class Stage:
    """Stand-ins, settings for a gate between them, and the processes that a test starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inbox = PretendInbox()
        self.inbox.start()
        self.github = PretendGitHub(folder / "git", token=TOKEN, webhook_secret=WEBHOOK_SECRET)
        self.github.start()
        self.github.create_repository(SHOP)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.github.webhook_url = f"{self.url}/webhook"
        self.environ = {
            **environment(self.github, self.url),
            **aws(self.inbox),
            "LISTEN": f"127.0.0.1:{port}",
            "DATABASE_URL": f"sqlite:///{folder / 'data' / 'qa-gate.db'}",
        }
        self.commands: list[Command] = []

    def start(self, *arguments: str, **environ: str) -> Command:
        command = Command(self.folder, {**self.environ, **environ}, *arguments)
        self.commands.append(command)
        return command

    def serve(self, **environ: str) -> Command:
        command = self.start("serve", **environ)
        # What is there at a worker's first look comes in a list, ten minutes later.
        page = "/healthz" if environ.get("WORKER") == "none" else "/readyz"
        wait_until(lambda: self.get(page) == 200)
        return command

    def get(self, path: str) -> int:
        """The status of a page; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def open_pull_request(self) -> None:
        self.github.commit(SHOP, "gift-cards", {"cards.py": "cards\n"}, "Add gift cards")
        self.github.open_pull_request(SHOP, "gift-cards", title="Add gift cards")

    def stop(self) -> None:
        for command in self.commands:
            if command.process.poll() is None:
                command.process.terminate()
                command.process.wait(60)
        self.github.stop()
        self.inbox.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.stop()


def test_serve_does_the_whole_job_and_stops_when_told(stage: Stage) -> None:
    gate = stage.serve()
    wait_until(lambda: stage.get("/readyz") == 200)
    stage.open_pull_request()
    stage.inbox.wait_for("Lily", timeout=60)
    gate.process.send_signal(signal.SIGTERM)
    assert gate.process.wait(60) == 0, gate.said()
    assert stage.get("/healthz") == 0
    assert "acme/shop#1" in gate.said()
    lines = gate.said().splitlines()
    assert re.fullmatch(r"[-0-9:, ]+ INFO qa-gate qa-gate [0-9.]+ starts\.", lines[0])
    assert not any("_granian" in line for line in lines)


def test_a_log_line_never_holds_a_link(stage: Stage) -> None:
    gate = stage.serve()
    stage.open_pull_request()
    mail = stage.inbox.wait_for("Lily", timeout=60)
    link = next(found["url"] for found in mail.links if "/decide/" in found["url"])
    assert stage.get(link.removeprefix(stage.url)) == 200
    assert stage.get("/decide/nonsense") == 404
    assert link.rpartition("/")[2] not in gate.said()
    assert "k" * 40 not in gate.said()
    assert TOKEN not in gate.said()


def end_leases(database: Path) -> None:
    """Let the two minutes be over for which a job stays with whoever was killed over it."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE jobs SET due_at = '2000-01-01 00:00:00.000000' WHERE lease IS NOT NULL")


def test_a_killed_server_leaves_nothing_behind_and_the_next_one_goes_on(stage: Stage) -> None:
    gate = stage.serve()
    stage.inbox.fail(503, "ServiceUnavailable", "down", times=1)
    stage.open_pull_request()
    stage.github.settle()
    gate.process.kill()
    gate.process.wait()
    wait_until(lambda: stage.get("/healthz") == 0)
    end_leases(stage.folder / "data" / "qa-gate.db")
    stage.serve()
    stage.inbox.wait_for("Lily", timeout=60)


def test_a_killed_server_process_is_started_again(stage: Stage) -> None:
    gate = stage.serve()
    children = Path(f"/proc/{gate.process.pid}/task/{gate.process.pid}/children").read_text().split()
    servers = [int(child) for child in children]
    assert servers, gate.said()
    os.kill(servers[-1], signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{servers[-1]}/cmdline").exists())
    wait_until(lambda: stage.get("/healthz") == 200)
    assert gate.process.poll() is None


def test_the_worker_can_run_apart(stage: Stage) -> None:
    stage.serve(WORKER="none")
    assert stage.get("/readyz") == 503
    worker = stage.start("worker")
    wait_until(lambda: stage.get("/readyz") == 200)  # what is there at its first look comes in a list, later
    stage.open_pull_request()
    stage.inbox.wait_for("Lily", timeout=60)
    worker.process.terminate()
    assert worker.process.wait(60) == 0


def test_every_wrong_setting_is_named_at_once_and_no_secret_is_shown(stage: Stage) -> None:
    wrong = {"SECRET_KEY": "too short", "MERGE_METHOD": "fling", "QA_REVIEWERS": "", "LISTEN": "nowhere"}
    gate = stage.start("serve", **wrong, AWS_DEFAULT_REGION="")
    assert gate.process.wait(60) == 2
    assert all(name in gate.said() for name in wrong)
    assert "No AWS region is set" in gate.said()
    assert "too short" not in gate.said()
    assert "Traceback" not in gate.said()


@pytest.mark.parametrize(
    "environ,word",
    [
        ({"AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": "/nowhere"}, "AWS_DEFAULT_REGION"),
        ({"DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/none"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://gate:nothing/none"}, "DATABASE_URL must be"),
        ({"DATABASE_URL": "sqlite:////proc/nowhere/qa-gate.db"}, "DATABASE_URL"),
    ],
)
def test_what_cannot_be_used_stops_the_start_with_a_sentence(
    stage: Stage, environ: dict[str, str], word: str
) -> None:
    gate = stage.start("serve", **environ)
    assert gate.process.wait(60) == 2
    assert word in gate.said()
    assert "Traceback" not in gate.said()
    assert "nothing" not in gate.said()


@pytest.mark.parametrize(
    "module, spared",
    [
        (
            "app.cli",
            {
                "flask",
                "sqlalchemy",
                "github",
                "boto3",
                "botocore",
                "jinja2",
                "granian",
                "app.db",
                "app.web",
            },
        ),
        ("app.parent", {"click", "pydantic", "flask", "sqlalchemy", "app.cli", "app.settings", "app.server"}),
        ("app.server", {"boto3", "botocore", "prometheus_client"}),
    ],
)
def test_a_process_loads_only_what_it_needs(module: str, spared: set[str]) -> None:
    """The server's parent lives as long as the gate, for nothing else; boto3 is loaded after the first answer."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & spared == set()


def test_log_lines_can_be_json(stage: Stage) -> None:
    gate = stage.serve(LOG_FORMAT="json")
    stage.open_pull_request()
    stage.inbox.wait_for("Lily", timeout=60)
    lines = [json.loads(line) for line in gate.said().splitlines()]
    assert any("acme/shop#1" in line["message"] for line in lines)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)


def test_another_repository_is_trusted_only_when_the_operator_says_so(stage: Stage) -> None:
    stage.serve()
    stage.open_pull_request()
    stage.inbox.wait_for("Lily", timeout=60)
    trust = stage.start("trust", SHOP)
    assert trust.process.wait(60) == 0
    unknown = stage.start("trust", "acme/other")
    assert unknown.process.wait(60) == 2
    assert "acme/other" in unknown.said()


def test_sync_looks_at_every_repository_and_says_what_it_found(stage: Stage) -> None:
    stage.github.webhook_url = None
    stage.open_pull_request()
    sync = stage.start("sync")
    assert sync.process.wait(60) == 0, sync.said()
    *found, last = sync.said().splitlines()
    assert "acme/shop#1: asked" in found
    assert last == "Looked at acme/shop; all that was due is done."


@pytest.mark.parametrize(
    "environ,why",
    [
        ({"GITHUB_TOKEN": "a-wrong-token"}, "acme/shop: GitHub does not accept the gate's token"),
        ({"GITHUB_API_URL": "http://127.0.0.1:9"}, "acme/shop: GitHub did not answer"),
    ],
)
def test_sync_fails_and_says_why_when_it_could_look_at_nothing(
    stage: Stage, environ: dict[str, str], why: str
) -> None:
    sync = stage.start("sync", **environ)
    assert sync.process.wait(60) == 1, sync.said()
    assert why in sync.said()
    assert "is done" not in sync.said()
    assert "Traceback" not in sync.said()


def test_sync_finds_the_release_that_no_webhook_told(stage: Stage) -> None:
    stage.github.webhook_url = None
    stage.github.commit(SHOP, "development", {"till.py": "till\n"}, "Mend the till", "kim")
    sync = stage.start("sync")
    assert sync.process.wait(60) == 0, sync.said()
    found = [(pull.title, pull.head, pull.base) for pull in stage.github.repo().pulls.values()]
    assert found == [("Release of 1 change", "development", "master")]


def test_help_names_the_commands(stage: Stage) -> None:
    help_ = stage.start("--help")
    assert help_.process.wait(60) == 0
    assert all(word in help_.said() for word in ("serve", "worker", "trust"))
