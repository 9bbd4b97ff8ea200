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

from app.cli import main
from demo.github import PretendGitHub
from demo.inbox import PretendInbox
from demo.world import free_port
from tests.mortal import processes
from tests.world import SHOP, TOKEN, WEBHOOK_SECRET, aws, environment, wait_until

ROOT = Path(__file__).parent.parent


class Command:
    """A `qa-gate` process and what it printed; it is forked where the libraries are loaded, which saves half a second."""

    def __init__(self, folder: Path, environ: dict[str, str], *arguments: str) -> None:
        self.output = folder / f"{arguments[0]}-{free_port()}.log"
        self.output.touch()
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **environ}
        self.process = processes.Process(target=_run, args=(environ, str(self.output), arguments))
        self.process.start()

    def wait(self) -> int | None:
        """Wait for its end, and return its exit code."""
        self.process.join(60)
        return self.process.exitcode

    def end(self, by: signal.Signals = signal.SIGTERM) -> int | None:
        """Tell it to stop, wait for its end, and return its exit code."""
        if self.process.pid and self.process.is_alive():
            os.kill(self.process.pid, by)
        return self.wait()

    def said(self) -> str:
        return self.output.read_text()


def _run(environ: dict[str, str], output: str, arguments: tuple[str, ...]) -> None:
    with open(output, "wb") as file:  # noqa: PTH123 - for its number
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["qa-gate", *arguments]
    main()


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
            command.end()
        self.github.stop()
        self.inbox.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.stop()


def end_leases(database: Path) -> None:
    """Let the two minutes be over for which a job stays with whoever was killed over it."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE jobs SET due_at = '2000-01-01 00:00:00.000000' WHERE lease IS NOT NULL")


def test_a_killed_gate_leaves_nothing_behind_and_the_next_does_the_whole_job_and_stops_when_told(
    stage: Stage,
) -> None:
    gate = stage.serve()
    stage.inbox.fail(503, "ServiceUnavailable", "down", times=1)
    stage.open_pull_request()
    stage.github.settle()
    gate.end(signal.SIGKILL)
    wait_until(lambda: stage.get("/healthz") == 0)
    end_leases(stage.folder / "data" / "qa-gate.db")
    gate = stage.serve()
    stage.inbox.wait_for("Lily", timeout=60)
    assert gate.end() == 0, gate.said()
    assert stage.get("/healthz") == 0
    assert "acme/shop#1: mailed" in gate.said()
    lines = gate.said().splitlines()
    assert re.fullmatch(r"[-0-9:, ]+ INFO qa-gate qa-gate [0-9.]+ starts\.", lines[0])
    assert not any("_granian" in line for line in lines)


# --- One gate that runs, and has asked Lily -------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("running"))
    stage.serve(LOG_FORMAT="json")
    stage.open_pull_request()
    stage.inbox.wait_for("Lily", timeout=60)
    yield stage
    stage.stop()


def test_log_lines_can_be_json_and_never_hold_a_link(running: Stage) -> None:
    (gate,), mail = running.commands, running.inbox.mails[0]
    link = next(found["url"] for found in mail.links if "/decide/" in found["url"])
    assert running.get(link.removeprefix(running.url)) == 200
    assert running.get("/decide/nonsense") == 404
    assert link.rpartition("/")[2] not in gate.said()
    assert "k" * 40 not in gate.said()
    assert TOKEN not in gate.said()
    lines = [json.loads(line) for line in gate.said().splitlines()]
    assert any("acme/shop#1" in line["message"] for line in lines)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)


def test_another_repository_is_trusted_only_when_the_operator_says_so(running: Stage, tmp_path: Path) -> None:
    trust = Command(tmp_path, running.environ, "trust", SHOP)
    assert trust.wait() == 0
    unknown = Command(tmp_path, running.environ, "trust", "acme/other")
    assert unknown.wait() == 2
    assert "acme/other" in unknown.said()


def test_a_killed_server_process_is_started_again(running: Stage) -> None:
    gate = running.commands[0]
    children = Path(f"/proc/{gate.process.pid}/task/{gate.process.pid}/children").read_text().split()
    servers = [int(child) for child in children]
    assert servers, gate.said()
    os.kill(servers[-1], signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{servers[-1]}/cmdline").exists())
    wait_until(lambda: running.get("/healthz") == 200)
    assert gate.process.is_alive()


# --- Other commands, and what stops the start -----------------------------------------------------------------


def test_the_worker_can_run_apart(stage: Stage) -> None:
    stage.serve(WORKER="none")
    assert stage.get("/readyz") == 503
    worker = stage.start("worker")
    wait_until(lambda: stage.get("/readyz") == 200)  # what is there at its first look comes in a list, later
    stage.open_pull_request()
    stage.inbox.wait_for("Lily", timeout=60)
    assert worker.end() == 0


def test_every_wrong_setting_is_named_at_once_and_no_secret_is_shown(stage: Stage) -> None:
    wrong = {"SECRET_KEY": "too short", "MERGE_METHOD": "fling", "QA_REVIEWERS": "", "LISTEN": "nowhere"}
    gate = stage.start("serve", **wrong, AWS_DEFAULT_REGION="")
    assert gate.wait() == 2
    assert all(name in gate.said() for name in wrong)
    assert "No AWS region is set" in gate.said()
    assert "too short" not in gate.said()
    assert "Traceback" not in gate.said()


@pytest.mark.parametrize(
    "environ,word",
    [
        ({"AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": "/nowhere"}, "AWS_DEFAULT_REGION"),
        ({"DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/none"}, "DATABASE_URL"),
    ],
)
def test_what_cannot_be_used_stops_the_start_with_a_sentence(
    stage: Stage, environ: dict[str, str], word: str
) -> None:
    gate = stage.start("serve", **environ)
    assert gate.wait() == 2
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


def test_sync_looks_at_every_repository_and_says_what_it_found(stage: Stage) -> None:
    stage.github.webhook_url = None
    stage.open_pull_request()
    sync = stage.start("sync")
    assert sync.wait() == 0, sync.said()
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
    assert sync.wait() == 1, sync.said()
    assert why in sync.said()
    assert "is done" not in sync.said()
    assert "Traceback" not in sync.said()


def test_sync_finds_the_release_that_no_webhook_told(stage: Stage) -> None:
    stage.github.webhook_url = None
    stage.github.commit(SHOP, "development", {"till.py": "till\n"}, "Mend the till", "kim")
    sync = stage.start("sync")
    assert sync.wait() == 0, sync.said()
    found = [(pull.title, pull.head, pull.base) for pull in stage.github.repo().pulls.values()]
    assert found == [("Release of 1 change", "development", "master")]


def test_help_names_the_commands(stage: Stage) -> None:
    help_ = stage.start("--help")
    assert help_.wait() == 0
    assert all(word in help_.said() for word in ("serve", "worker", "trust"))
