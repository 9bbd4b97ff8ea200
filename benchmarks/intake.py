"""How fast webhooks are taken in, beside bare Flask on the same server: a ratio, taken in turns in one run.

Real processes: Granian, SQLite (WAL, synchronous=FULL), signed `pull_request` webhooks of 24 KB over 16 connections that
stay open, each for a pull request of its own. An answer counts when it is 202, which the gate gives after its commit.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import selectors
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from threading import Timer
from time import monotonic, sleep

from demo.world import free_port

ROOT = Path(__file__).parent.parent
PAYLOAD = ROOT / "tests" / "payloads" / "pull_request.opened.json"
SECRET = "It's a Secret to Everybody"
BYTES, CONNECTIONS = 24 * 1024, 16
# In turns of this many requests, so that the machine's drift falls on both alike.
TURNS, REQUESTS = 5, 1_500

_BARE = """
from flask import Flask
app = Flask(__name__)
@app.post("/webhook")
def take():
    from flask import request
    request.get_data()
    return "", 204
"""


@dataclass(frozen=True, slots=True)
class Intake:
    """Requests a second, and the longest times to an answer (99 of 100), in seconds."""

    gate: float
    bare: float
    p99: float

    @property
    def ratio(self) -> float:
        """Return the gate's speed as a part of bare Flask's."""
        return self.gate / self.bare


def settings(folder: Path, port: int, worker: str) -> dict[str, str]:
    """Return the environment of a gate that needs nobody: GitHub and SES are not there."""
    return {
        **os.environ,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LISTEN": f"127.0.0.1:{port}",
        "SECRET_KEY": "k" * 40,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "GITHUB_TOKEN": "a-token",
        "GITHUB_API_URL": "http://127.0.0.1:9",
        "GITHUB_REPOSITORIES": "Codertocat/Hello-World",
        "QA_REVIEWERS": "Lily <lily@example.com>",
        "MAIL_FROM": "gate@example.com",
        "AWS_ENDPOINT_URL_SESV2": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "DATABASE_URL": f"sqlite:///{folder}/qa-gate.db",
        "WORKER": worker,
    }


@contextmanager
def process(command: list[str], port: int, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until it is no longer needed; give it once it answers."""
    log = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=dict(environ), stdout=log, stderr=log) as started:
        try:
            end = monotonic() + 30
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert monotonic() < end, command
                sleep(0.02)
            yield started
        finally:
            started.send_signal(signal.SIGTERM)
            started.wait(30)


def gate(folder: Path, port: int, worker: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run a gate."""
    return process([sys.executable, "-m", "app", "serve"], port, settings(folder, port, worker))


def bare(folder: Path, port: int) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run bare Flask on the same server with the same threads."""
    Path(folder, "bare_flask.py").write_text(_BARE)
    granian = str(Path(sys.executable).with_name("granian"))
    options = ["--interface", "wsgi", "--port", str(port), "--workers", "1", "--blocking-threads", "16"]
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    return process([granian, *options, "--no-ws", "bare_flask:app"], port, environ)


def requests(count: int, port: int, prefix: str) -> list[bytes]:
    """Return so many signed requests, each for another pull request."""
    data = json.loads(PAYLOAD.read_text())
    data["pull_request"]["body"] = "x" * (BYTES - len(json.dumps(data)))
    made = []
    for number in range(1, count + 1):
        data["pull_request"]["number"] = number
        data["pull_request"]["head"]["sha"] = f"{number:040x}"
        body = json.dumps(data).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        head = (
            f"POST /webhook HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"X-GitHub-Event: pull_request\r\nX-GitHub-Delivery: {prefix}-{number}\r\n"
            f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def send(made: list[bytes], port: int) -> tuple[float, list[float], int]:
    """Send all over 16 connections, one after the other on each; return the seconds, each one's, and how many got 2xx."""
    chosen, waiting, times, taken = selectors.DefaultSelector(), iter(made), [], 0
    began = monotonic()

    def next_on(connection: socket.socket) -> None:
        request = next(waiting, None)
        if request is None:
            chosen.unregister(connection)
            connection.close()
            return
        connection.sendall(request)
        chosen.modify(connection, selectors.EVENT_READ, monotonic())

    for _ in range(min(CONNECTIONS, len(made))):
        connection = socket.create_connection(("127.0.0.1", port))
        chosen.register(connection, selectors.EVENT_READ, 0.0)
        next_on(connection)
    while chosen.get_map():
        for key, _ in chosen.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            answer = _answer(connection)
            times.append(monotonic() - key.data)
            taken += answer[9:10] == b"2"
            next_on(connection)
    return monotonic() - began, times, taken


def _answer(connection: socket.socket) -> bytes:
    """Read one answer to its end: its head and its body may come apart."""
    answer = b""
    while True:
        piece = connection.recv(65536)
        assert piece, "the server closed the connection"
        answer += piece
        head, is_there, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.I)
        if is_there and (length is None or len(body) >= int(length[1])):
            return answer


def intake(folder: Path, worker: str) -> Intake:
    """Measure a gate with its worker `embedded`, or `none` beside it, and bare Flask, in turns."""
    ports = free_port(), free_port()
    speeds: tuple[list[float], list[float]] = ([], [])
    waits: list[float] = []
    folder.mkdir()
    with gate(folder, ports[0], worker), bare(folder, ports[1]):
        for turn in range(TURNS + 1):
            for which, port in enumerate(ports):
                seconds, times, taken = send(requests(REQUESTS, port, f"t{turn}"), port)
                assert taken == REQUESTS
                if turn:  # the first warms up
                    speeds[which].append(REQUESTS / seconds)
                    waits += times if which == 0 else []
    return Intake(median(speeds[0]), median(speeds[1]), quantiles(waits, n=100)[98])


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process and all that came of it. What they share is counted for each, or (`shared`) once in all."""

    resident: int
    shared: int


def memory(pid: int) -> Memory:
    """Return what a process and all that came of it hold in memory.

    RSS and PSS: https://docs.kernel.org/filesystems/proc.html
    """
    resident, shared, found = 0, 0, [pid]
    while found:
        one = found.pop()
        with suppress(OSError):  # it has ended by now
            told = Path(f"/proc/{one}/smaps_rollup").read_text()
            resident += _kilobytes("Rss", told)
            shared += _kilobytes("Pss", told)
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return Memory(resident * 1024, shared * 1024)


def _kilobytes(name: str, told: str) -> int:
    return int(told.partition(f"\n{name}:")[2].split()[0])


def start(folder: Path) -> tuple[float, Memory, Memory]:
    """Start a gate with its worker; return the seconds to its first answer, and its memory then and 10,000 webhooks on."""
    port = free_port()
    folder.mkdir()
    began = monotonic()
    with gate(folder, port, "embedded") as started:
        for request in requests(1, port, "first"):
            assert send([request], port)[2] == 1
        seconds = monotonic() - began
        for turn in range(2):  # what is loaded at the first use is loaded then
            assert send(requests(500, port, f"warm{turn}"), port)[2] == 500
        sleep(3)
        first = memory(started.pid)
        for turn in range(10):
            assert send(requests(1_000, port, f"more{turn}"), port)[2] == 1_000
        return seconds, first, memory(started.pid)


def burst(folder: Path, count: int = 1_000) -> tuple[float, int]:
    """Send so many deliveries for as many pull requests, kill the gate over it, send the rest again, and count.

    Returns the seconds until all were answered, without the kill, and how many acknowledged ones are not in the inbox.
    """
    port = free_port()
    folder.mkdir()
    acknowledged: set[str] = set()
    made = requests(count, port, "burst")
    command = [sys.executable, "-m", "app", "serve"]
    with subprocess.Popen(
        command, cwd=ROOT, env=settings(folder, port, "embedded"), stderr=subprocess.DEVNULL
    ) as doomed:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            sleep(0.02)
        pids = [
            doomed.pid,
            *map(int, Path(f"/proc/{doomed.pid}/task/{doomed.pid}/children").read_text().split()),
        ]
        killing = Timer(0.5, lambda: [os.kill(pid, signal.SIGKILL) for pid in pids])
        killing.start()
        with suppress(OSError):  # from the kill on
            for number, request in enumerate(made, 1):
                with closing(socket.create_connection(("127.0.0.1", port))) as connection:
                    connection.sendall(request)
                    if connection.recv(65536)[9:12] == b"202":
                        acknowledged.add(f"burst-{number}")
        killing.join()
        while not socket.socket().connect_ex(("127.0.0.1", port)):
            sleep(0.02)
    with closing(sqlite3.connect(folder / "qa-gate.db")) as database:
        kept = {row[0] for row in database.execute("SELECT delivery FROM inbox")}
    lost = len(acknowledged - kept)
    assert acknowledged, "nothing was acknowledged before the kill"
    with gate(folder, port, "embedded"):
        seconds, _, taken = send(made, port)
        assert taken == count
    with closing(sqlite3.connect(folder / "qa-gate.db")) as database:
        kept = {row[0] for row in database.execute("SELECT delivery FROM inbox")}
    return seconds, lost + count - len(kept)
