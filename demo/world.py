"""Everything that the demo runs: a pretend GitHub, a pretend inbox, the tour, and the real gate as a process.

`running` starts it all on free ports of 127.0.0.1 and ends it all. The gate is not changed for it: it gets an
environment, as any operator would give it, and cannot tell the difference.

    GateStopped    the gate did not start, or ended by itself; .words are its own
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from demo.github import PretendGitHub, Repo
from demo.github.server import Server
from demo.inbox import PretendInbox
from demo.tour import create_tour
from demo.tour.desk import DEVELOPMENT, RELEASE, Desk
from demo.tour.shop import FIRST

ROOT = Path(__file__).parent.parent
REPOSITORY = "acme/shop"
LILY = "Lily <lily@example.com>"
PEOPLE = (("sam", "User", "MEMBER"), ("kim", "User", "MEMBER"), ("shop-bot", "Bot", "COLLABORATOR"))
LOG = "gate.log"
START = 60.0  # seconds that the gate may take to be ready: a laptop that has just woken up is slow
END = 15.0  # seconds that it gets to finish what it is doing
LINES = 20  # of the log, when something went wrong


class GateStopped(Exception):
    """The gate is not running; `words` is what it said last, `log` is the file with all of it."""

    def __init__(self, log: Path) -> None:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        self.log, self.words = log, "\n".join(lines[-LINES:])
        super().__init__(self.words)


@dataclass
class World:
    """What runs; `url` is the tour's, the one address to open."""

    folder: Path
    github: PretendGitHub
    repo: Repo
    inbox: PretendInbox
    url: str
    gate: subprocess.Popen[bytes]
    keeps_log: bool = False

    @property
    def log(self) -> Path:
        """Return the file with all that the gate says."""
        return self.folder / LOG

    def wait(self) -> None:
        """Wait until the gate ends, which it does only when something is wrong. Raises GateStopped."""
        self.gate.wait()
        raise GateStopped(self.log)


@contextmanager
def running(port: int = 0, **settings: str) -> Iterator[World]:
    """Run everything until the block ends; `port` is the tour's, 0 takes a free one.

    `settings` replace those of the gate. Raises GateStopped, and OSError when the port is taken.
    """
    folder = Path(tempfile.mkdtemp(prefix="qa-gate-demo-"))
    keeps_log = False
    try:
        with _stage(folder, port, settings) as world:
            yield world
            keeps_log = world.keeps_log
    except GateStopped:
        keeps_log = True
        raise
    finally:
        _clear(folder, keeps_log)


@contextmanager
def _stage(folder: Path, port: int, settings: dict[str, str]) -> Iterator[World]:
    gate_port = free_port()
    gate_url = f"http://127.0.0.1:{gate_port}"
    token, webhook_secret = f"ghp_{secrets.token_hex(18)}", secrets.token_urlsafe(32)
    github = PretendGitHub(folder / "github", token=token, webhook_secret=webhook_secret)
    inbox = PretendInbox()
    desk = desk_of(github)
    github.webhook_url = f"{gate_url}/webhook"
    tour = Server(create_tour(desk, inbox), port)
    url = f"http://127.0.0.1:{tour.port}"
    github.world.site = url
    try:
        github.start()
        inbox.start()
        environment = _environment(folder, gate_port, url, github, inbox) | settings
        environment |= {"GITHUB_TOKEN": token, "GITHUB_WEBHOOK_SECRET": webhook_secret}
        with _gate(folder / LOG, environment, f"{gate_url}/readyz") as gate:
            yield World(folder, github, desk.repo, inbox, url, gate)
    finally:
        tour.stop()
        github.stop()
        inbox.stop()


def desk_of(github: PretendGitHub) -> Desk:
    """Make acme/shop, with its people, what they did so far, and the lock that the gate holds the key to."""
    for login, kind, association in PEOPLE:
        github.add_person(login, kind, association)
    desk = Desk(github, github.create_repository(REPOSITORY, files=FIRST))
    desk.prepare()
    for branch in (DEVELOPMENT, RELEASE):
        github.protect(desk.repo, branch, required_contexts=[f"qa-gate/{branch}"])
    return desk


def _environment(
    folder: Path, port: int, tour: str, github: PretendGitHub, inbox: PretendInbox
) -> dict[str, str]:
    """Return the gate's whole environment: nothing of the operator's own settings or accounts gets in."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return kept | {
        "HOME": str(folder),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LISTEN": f"127.0.0.1:{port}",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORIES": REPOSITORY,
        "QA_REVIEWERS": LILY,
        "MAIL_FROM": "QA gate <gate@example.com>",
        "AWS_ENDPOINT_URL_SESV2": inbox.url,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DATABASE_URL": f"sqlite:///{folder / 'qa-gate.db'}",
        "PREVIEW_URL": f"{tour}/preview/{{number}}/",
        "QUIET_MINUTES": "0",
        "TIMEZONE": _timezone(),
    }


def _timezone() -> str:
    """Return the operator's own zone, so that the pages tell the time that the browser tells."""
    name = os.environ.get("TZ") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    return name if name in zoneinfo.available_timezones() else "UTC"


@contextmanager
def _gate(log: Path, environment: dict[str, str], ready: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "app", "serve"]
    with log.open("wb") as out:
        # A session of its own: Ctrl-C in the terminal reaches this process only, which then ends the gate.
        gate = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(gate, ready, log)
        yield gate
    finally:
        _end(gate)


def _wait_until_ready(gate: subprocess.Popen[bytes], ready: str, log: Path) -> None:
    until = time.monotonic() + START
    while gate.poll() is None and time.monotonic() < until:
        if _answers(ready):
            return
        time.sleep(0.1)
    raise GateStopped(log)


def _answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:  # urllib's own errors are ones, too
        return False


def _end(gate: subprocess.Popen[bytes]) -> None:
    gate.terminate()
    try:
        gate.wait(END)
    except subprocess.TimeoutExpired:
        gate.kill()
        gate.wait()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on just now.

    It is not one of those that connections get by themselves: such a one may be gone before it is used.
    """
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _clear(folder: Path, keeps_log: bool) -> None:
    """Remove the folder; the gate's log stays where somebody was told of it."""
    if not keeps_log:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOG:
            path.unlink()
