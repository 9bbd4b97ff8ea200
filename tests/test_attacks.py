"""The door under attack: odd requests, floods of bodies, slow senders, a port that is taken, and who reads the files."""

from __future__ import annotations

import logging
import re
import signal
import socket
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from jinja2 import DictLoader

from app.settings import Settings
from app.wiring import create_app
from tests.test_cli import Command, Stage
from tests.world import World, environment, wait_until

MEGABYTE = 1024 * 1024
TOKEN = "a-link-that-nobody-may-read"
BAD_HOSTS = [
    *(
        "a..b",
        ".a",
        "..",
        "a" * 64,
        ".".join(["a" * 63] * 5),
        "a b",
        "a@b",
        "a/b",
        "a:b",
        "a,b",
        "%00",
        "-:-",
    ),
    *("xn--a", "xn--zzzzzzzz99999999", "[1::2::3]", "[:]", "[::1", "[::1]x", "a:1:2", "a" * 5000),
]
GOOD_HOSTS = [
    "a",
    "a.",
    "gate_1:8000",
    "127.0.0.1:8000",
    "[::1]:8000",
    "GATE.example.com",
    "xn--bcher-kva.example",
]


class Door:
    """A real server, and raw requests to it."""

    def __init__(self, stage: Stage, gate: Command) -> None:
        self.stage = stage
        self.gate = gate
        self.address = ("127.0.0.1", int(stage.url.rpartition(":")[2]))

    def connect(self, request: str, body: bytes = b"") -> socket.socket:
        """Send a request's head, lines with bars between them, and what of a body there is."""
        connection = socket.create_connection(self.address, timeout=60)
        connection.sendall(
            "".join(f"{line}\r\n" for line in request.split(" | ")).encode("latin-1") + b"\r\n" + body
        )
        return connection

    def ask(self, request: str, body: bytes = b"") -> str:
        """Return the head of the answer."""
        with self.connect(f"{request} | Connection: close", body) as connection:
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return answer.partition(b"\r\n\r\n")[0].decode("latin-1")

    def lines_of(self, request: str, body: bytes = b"") -> tuple[str, list[str]]:
        """Return the head of the answer, and the log lines that the request made."""
        before = len(self.gate.said())
        head = self.ask(request, body)
        said = self.gate.said()[before:].splitlines()
        # What the start found wrong at GitHub and SES, which are not there, may come at any moment.
        return head, [line for line in said if " qa-gate.doctor " not in line]

    def memory(self) -> int:
        """Return how many megabytes the server process has resident."""
        (line,) = [line for line in self._status() if line.startswith("VmRSS")]
        return int(line.split()[1]) // 1024

    def _status(self) -> list[str]:
        main = self.gate.process.pid
        server = Path(f"/proc/{main}/task/{main}/children").read_text().split()[-1]
        return Path(f"/proc/{server}/status").read_text().splitlines()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    stage = Stage(tmp_path_factory.mktemp("door"))
    yield Door(stage, stage.serve())
    stage.stop()


@pytest.fixture
def new_stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.stop()


# --- Odd requests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_host_that_cannot_be_is_refused_with_our_headers_and_one_line_without_the_path(
    door: Door, host: str
) -> None:
    head, lines = door.lines_of(f"GET /decide/{TOKEN} HTTP/1.1 | Host: {host}")
    assert head.startswith("HTTP/1.1 400")
    assert "default-src 'none'" in head
    assert "no-store" in head
    assert len(lines) == 1
    assert TOKEN not in lines[0]


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_a_host_that_can_be_is_let_in(door: Door, host: str) -> None:
    assert door.ask(f"GET /healthz HTTP/1.1 | Host: {host}").startswith("HTTP/1.1 200")


def test_a_request_without_a_host_is_let_in(door: Door) -> None:
    assert door.ask("GET /healthz HTTP/1.0").startswith("HTTP/1.0 200")


FORM = "Content-Type: application/x-www-form-urlencoded"
ODD = {
    "forwarded": "GET /decide/{} HTTP/1.1 | Host: x | X-Forwarded-Host: a..b | X-Forwarded-Proto: javascript",
    "forwarded for": "GET /decide/{} HTTP/1.1 | Host: x | X-Forwarded-For: ' OR 1 | Forwarded: for=\"",
    "origin": "POST /decide/{} HTTP/1.1 | Host: x | Origin: http://a..b | Content-Length: 0",
    "other site": "POST /decide/{} HTTP/1.1 | Host: x | Sec-Fetch-Site: cross-site | Content-Length: 0",
    "absolute": "GET http://a..b/decide/{} HTTP/1.1 | Host: x",
    "two hosts": "GET /decide/{} HTTP/1.1 | Host: a | Host: b..c",
    "length": f"POST /decide/{{}} HTTP/1.1 | Host: x | {FORM} | Content-Length: 1000000000000",
    "chunks": f"POST /decide/{{}} HTTP/1.1 | Host: x | {FORM} | Transfer-Encoding: chunked",
    "boundary": "POST /decide/{} HTTP/1.1 | Host: x | Content-Type: multipart/form-data | Content-Length: 0",
    "charset": f"POST /decide/{{}} HTTP/1.1 | Host: x | {FORM}; charset=nosuch | Content-Length: 0",
    "cookie": 'GET /decide/{} HTTP/1.1 | Host: x | Cookie: qa-gate=.eJx\xff; ;=;a="\\777',
    "authorization": "GET /decide/{} HTTP/1.1 | Host: x | Authorization: Digest \xff=",
    "method": "PROPFIND /decide/{} HTTP/1.1 | Host: x",
    "bytes": "GET /decide/%ff%00{} HTTP/1.1 | Host: x",
    "slashes": "GET //a..b/decide/{} HTTP/1.1 | Host: x",
    "query": "GET /history?text=%ff%00&after=99999999999999999999&back=/decide/{} HTTP/1.1 | Host: x",
    "delivery": "POST /webhook HTTP/1.1 | Host: x | X-GitHub-Delivery: /decide/{} | Content-Length: 0",
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_a_request_holds_it_gets_our_headers_and_at_most_a_line_without_the_path(
    door: Door, name: str
) -> None:
    head, lines = door.lines_of(ODD[name].format(TOKEN), b"zz\r\n" if name == "chunks" else b"")
    assert 200 <= int(head.split()[1]) < 500
    assert "default-src 'none'" in head
    assert len(lines) <= 1
    assert TOKEN not in "".join(lines)


def test_where_even_the_error_page_fails_a_plain_one_says_so_and_logs_no_path(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(world.settings, world.gate)
    app.jinja_env.loader = DictLoader({})  # as when the folder of templates is gone
    answer = app.test_client().get(f"/decide/{TOKEN}")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert TOKEN not in caplog.text


# --- https --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme, told", [("https", "max-age=31536000"), ("http", None)])
def test_browsers_are_told_to_use_https_alone_where_the_gate_is_reached_so(
    make_world: Callable[..., World], scheme: str, told: str | None
) -> None:
    world = make_world(PUBLIC_URL=f"{scheme}://gate.example.com")
    for path in ("/healthz", "/", "/nowhere", "/assets/style.css", "/webhook"):
        for headers in ({}, {"Host": "a..b"}):
            answer = world.browser.get(path, headers=headers)
            assert answer.headers.get("Strict-Transport-Security") == told


@pytest.mark.parametrize(
    "url, is_warned",
    [
        ("http://gate.example.com", True),
        ("http://203.0.114.9:8000", True),
        ("http://[2a00::1]", True),
        ("https://gate.example.com", False),
        ("http://127.0.0.1:8000", False),
        ("http://localhost:8000", False),
        ("http://gate.localhost", False),
        ("http://192.168.1.4", False),
        ("http://[::1]:8000", False),
        ("http://gate", False),
        ("http://gate.internal:8000", False),
    ],
)
def test_http_is_warned_of_where_the_internet_can_see_it(world: World, url: str, is_warned: bool) -> None:
    settings = Settings.load(environment(world.github, url))
    assert (len(settings.warnings) == 1) is is_warned


def test_the_warning_of_http_is_in_the_log(new_stage: Stage) -> None:
    gate = new_stage.serve(PUBLIC_URL="http://gate.example.com")
    assert gate.said().count("WARNING qa-gate PUBLIC_URL is http") == 1


# --- Floods, slow senders, taken ports ----------------------------------------------------------------------


def test_a_flood_of_large_unproven_bodies_is_refused_and_its_memory_given_back(door: Door) -> None:
    before, answers, highest = door.memory(), [], 0
    size = 25 * MEGABYTE

    def send(number: int) -> None:
        head = (
            f"POST /webhook HTTP/1.1 | Host: x | X-Hub-Signature-256: sha256={'0' * 64} | Connection: close"
        )
        with door.connect(
            f"{head} | X-GitHub-Delivery: {number} | Content-Length: {size}", b"x" * size
        ) as sent:
            answers.append(sent.recv(12).decode())

    threads = [threading.Thread(target=send, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        highest = max(highest, door.memory())
        threads[-1].join(0.02)
    said = Counter(answers)
    assert said.keys() <= {"HTTP/1.1 401", "HTTP/1.1 503"}
    assert said.total() == 24
    assert said["HTTP/1.1 401"] >= 2
    assert highest - before < 64 + 40
    assert door.memory() - before < 40
    again = (
        f"POST /webhook HTTP/1.1 | Host: x | X-Hub-Signature-256: sha256={'0' * 64} | Content-Length: {size}"
    )
    assert door.ask(again, b"x" * size).startswith("HTTP/1.1 401"), "the room was not given back"


UNFINISHED = [
    ("POST /sign-in HTTP/1.1 | Host: x | Content-Length: 100", b"half"),
    ("POST /webhook HTTP/1.1 | Host: x | X-Hub-Signature-256: sha256=0 | Content-Length: 100", b"half"),
    ("POST /sign-in HTTP/1.1 | Host: x | Transfer-Encoding: chunked", b"40\r\nhalf"),
]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_requests_that_never_end_do_not_hold_up_a_stop(new_stage: Stage, stop: signal.Signals) -> None:
    door = Door(new_stage, new_stage.serve())
    with ExitStack() as unfinished:
        for request, body in UNFINISHED:
            unfinished.enter_context(door.connect(request, body))
        silent = unfinished.enter_context(socket.create_connection(door.address))
        silent.sendall(b"GET / HTTP/1.1\r\nHo")
        wait_until(lambda: new_stage.get("/healthz") == 200)
        began = monotonic()
        assert door.gate.end(stop) == 0, door.gate.said()
        assert monotonic() - began < 5


def test_a_taken_port_stops_the_start_with_a_sentence(door: Door) -> None:
    second = door.stage.start("serve")
    assert second.wait() == 2
    assert f"LISTEN (127.0.0.1:{door.address[1]}): Address already in use." in second.said()
    assert "Traceback" not in second.said()
    assert door.stage.get("/healthz") == 200


@pytest.mark.parametrize("listen", ["192.0.2.1:8000", "no.such.host.invalid:8000"])
def test_an_address_of_another_machine_stops_the_start_with_a_sentence(door: Door, listen: str) -> None:
    second = door.stage.start("serve", LISTEN=listen)
    assert second.wait() == 2
    assert "Nothing can listen at LISTEN" in second.said()
    assert "Traceback" not in second.said()


# --- Files --------------------------------------------------------------------------------------------------


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}


def test_the_files_of_the_database_are_their_owners_alone(door: Door) -> None:
    folder = door.stage.folder / "data"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {modes(folder)[f"qa-gate.db{end}"] for end in ("", "-wal", "-shm")} == {"0o600"}


# --- Mail that anybody may ask for ----------------------------------------------------------------------------


def test_whoever_asks_every_minute_neither_floods_lily_nor_locks_her_out(world: World) -> None:
    """Five an hour, and at every moment the newest of them lets her in."""
    sent_at: list[datetime] = []
    for _ in range(180):
        said = world.browser.post("/sign-in", data={"address": "lily@example.com"}, follow_redirects=True)
        assert "Use the newest email" in said.text
        world.settle()
        sent_at += [world.clock()] * (len(world.inbox.mails) - len(sent_at))
        assert "Sign in" in world.browser.get(way_in(world)).text
        world.clock.pass_(minutes=1)
    assert len(sent_at) == 15
    assert all(
        later - earlier >= timedelta(hours=1) for earlier, later in zip(sent_at, sent_at[5:], strict=False)
    )
    assert world.browser.post(way_in(world)).status_code == 303


def way_in(world: World) -> str:
    """The path of the link in the newest mail."""
    return re.findall(r"/sign-in/[\w.-]+", world.inbox.mails[-1].text)[0]


# --- What the log says of all this --------------------------------------------------------------------------


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Gives what was logged about security since it was asked last."""
    caplog.set_level(logging.INFO)

    def new() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.name.startswith("qa-gate.")]
        caplog.clear()
        return found

    return new


def test_signing_in_and_out_and_a_used_link_are_a_line_each(
    world: World, lines: Callable[[], list[str]]
) -> None:
    world.browser.post("/sign-in", data={"address": "lily@example.com"})
    assert lines() == ["Lily asked for a sign-in link."]
    world.browser.post("/sign-in", data={"address": "nobody@example.com"})
    assert lines() == ["Someone who isn't a reviewer asked for a sign-in link."]
    world.settle()
    (mailed,) = lines()
    assert mailed.startswith("mailed sign_in to Lily, SES id ")
    path = way_in(world)
    world.browser.post(path)
    assert lines() == ["Lily signed in."]
    world.browser.post(path)
    assert lines() == ["POST pages.enter refused: sign_in_used"]
    world.browser.post("/sign-out", data={"csrf": "made up"})
    assert lines() == ["POST pages.sign_out refused: stale"]
    page = world.see("/")
    csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
    world.browser.post("/sign-out", data={"csrf": csrf})
    assert lines() == ["Lily signed out."]


def test_a_refused_link_and_a_refused_form_are_a_line_each_without_the_link(
    world: World, lines: Callable[[], list[str]]
) -> None:
    world.open()
    world.settle()
    link = world.link()
    lines()
    for path in ("/decide/nonsense", "/sign-in/nonsense", "/status/nonsense", link[:-3]):
        world.browser.get(path)
    world.browser.post(link, headers={"Sec-Fetch-Site": "cross-site"})
    world.browser.post(link, data={"note": "x" * 200_000})
    world.clock.pass_(days=31)
    world.browser.post(link, data={"choice": "approve"})
    assert lines() == [
        "GET pages.question refused: bad_link",
        "GET pages.way_in refused: bad_link",
        "GET pages.details refused: bad_details",
        "GET pages.question refused: bad_link",
        "POST pages.decide refused: elsewhere",
        "POST pages.decide refused: too_large",
        "POST pages.decide refused: expired",
    ]


def test_a_share_that_is_used_up_is_a_line(world: World, lines: Callable[[], list[str]]) -> None:
    world.open()
    world.settle()
    link = world.link()
    for _ in range(5):
        world.browser.post("/sign-in", data={"address": "lily@example.com"})
    world.browser.post(f"{link}/fresh")
    lines()
    world.browser.post("/sign-in", data={"address": "lily@example.com"})
    assert lines() == ["Lily asked for a sign-in link: not sent, this hour's limit is reached."]
    world.browser.post(f"{link}/fresh")
    assert lines() == ["Lily asked for a fresh link: not sent, this hour's limit is reached."]
