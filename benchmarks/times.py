"""How long the gate itself takes: from a webhook to the mail for Lily, and from her click to the merge call.

The real gate as a process, with its worker, which is idle when each of them comes. Both times end when the stand-in
hears the call; the time in which a stand-in had a call of the gate's before that is measured there, and taken off.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic, sleep, time
from typing import Any
from urllib.parse import urlencode

from benchmarks.intake import SECRET, process, settings
from demo.github import PretendGitHub
from demo.inbox import PretendInbox
from demo.world import free_port
from tests.world import SHOP, TOKEN

# Lily gets at most ten emails an hour, five about one author's changes: so few lives are lived by one gate.
GATES, LIVES = 2, 9
WARM = 2  # the first few load what is loaded at its first use
AUTHORS = ("sam", "kim")
IDLE = 0.4  # seconds without any call, after which the worker has nothing to do
PATIENCE = 20.0


@dataclass
class Calls:
    """When each call of the gate's began and ended, measured around the stand-in's whole work, in seconds."""

    app: Callable[..., Any]
    spent: list[tuple[float, float, str]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        began = time()
        try:
            return self.app(environ, start_response)
        finally:
            self.spent.append((began, time(), f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"))

    def within(self, began: float, end: float) -> float:
        """Return the seconds between two moments in which at least one call was at the stand-in."""
        total, last = 0.0, began
        for start, stop, _ in sorted(self.spent):
            start, stop = max(start, last), min(stop, end)  # noqa: PLW2901
            if stop > start:
                total, last = total + stop - start, stop
        return total

    def first(self, what: str, after: float) -> float:
        """Wait for a call, and return when it came."""
        return _wait(
            lambda: next((b for b, _, call in self.spent if b > after and re.search(what, call)), None)
        )

    def rest(self) -> None:
        """Wait until the gate has made no call for a while."""
        end = monotonic() + PATIENCE
        while self.spent and time() - max(stop for _, stop, _ in self.spent) < IDLE:
            assert monotonic() < end, "the gate finds no rest"
            sleep(0.05)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of the gate's own, the middle one of many; `with_calls`: with the stand-ins' time in them."""

    to_mail: float
    to_mail_with_calls: float
    to_merge: float
    to_merge_with_calls: float


def times(folder: Path) -> Times:
    """Live some lives, one after the other, and return what was taken."""
    folder.mkdir()
    taken: list[tuple[float, ...]] = []
    for gate in range(GATES):
        with running(folder / str(gate)) as (port, github, inbox, calls, _):
            lives = [_live(port, github, inbox, calls, number) for number in range(LIVES)]
            taken += lives[WARM:]
    return Times(*(median(column) for column in zip(*taken, strict=True)))


def _live(
    port: int, github: PretendGitHub, inbox: PretendInbox, calls: Calls, number: int
) -> tuple[float, ...]:
    return (*to_mail(port, github, inbox, calls, number), *_to_merge(port, inbox, calls))


@contextmanager
def running(folder: Path) -> Iterator[tuple[int, PretendGitHub, PretendInbox, Calls, int]]:
    """Run a gate between the stand-ins; webhooks are sent by whoever measures. The last is the number of its process."""
    folder.mkdir()
    port, inbox = free_port(), PretendInbox()
    github = PretendGitHub(folder / "git", token=TOKEN, webhook_secret=SECRET)
    calls = Calls(github.front.app.wsgi_app)
    github.front.app.wsgi_app = calls  # type: ignore[method-assign]
    github.start()
    inbox.start()
    github.create_repository(SHOP)
    environ = {
        **settings(folder, port, "embedded"),
        "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORIES": SHOP,
        "GITHUB_TOKEN": TOKEN,
        "AWS_ENDPOINT_URL_SESV2": inbox.url,
        "QUIET_MINUTES": "0",
    }
    try:
        with process([sys.executable, "-m", "app", "serve"], port, environ) as started:
            calls.first("GET .*/pulls", 0.0)  # the look at the start
            yield port, github, inbox, calls, started.pid
    finally:
        github.stop()
        inbox.stop()


def to_mail(
    port: int, github: PretendGitHub, inbox: PretendInbox, calls: Calls, number: int, body: str = ""
) -> tuple[float, float]:
    """Open a pull request; return the seconds from its webhook to the mail: the gate's own, and all."""
    author = AUTHORS[number % len(AUTHORS)]
    github.commit(SHOP, f"branch-{number}", {f"file-{number}.py": f"{number}\n"}, "Add gift cards", author)
    github.open_pull_request(
        SHOP, f"branch-{number}", title=f"Add gift cards {number}", body=body, author=author
    )
    delivery, mails = github.deliveries[-1], len(inbox.mails)
    calls.rest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Delivery": delivery.id,
        "X-Hub-Signature-256": "sha256="
        + hmac.new(SECRET.encode(), delivery.body, hashlib.sha256).hexdigest(),
    }
    began = time()
    assert post(port, "/webhook", delivery.body, headers) == 202
    mail = _wait(lambda: inbox.mails[mails] if len(inbox.mails) > mails else None)
    end = mail.received_at.timestamp()
    return end - began - calls.within(began, end), end - began


def _to_merge(port: int, inbox: PretendInbox, calls: Calls) -> tuple[float, float]:
    """Approve what came last; return the seconds from the click to the merge call: the gate's own, and all."""
    link = re.findall(r"/decide/[\w.-]+", inbox.mails[-1].text)[0]
    calls.rest()
    form = urlencode({"choice": "approve", "note": ""}).encode()
    began = time()
    assert post(port, link, form, {"Content-Type": "application/x-www-form-urlencoded"}) == 303
    end = calls.first("^PUT .*/merge$", began)
    return end - began - calls.within(began, end), end - began


def post(port: int, path: str, body: bytes, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _wait(found: Callable[[], Any]) -> Any:
    end = monotonic() + PATIENCE
    while (one := found()) is None:
        assert monotonic() < end, "it did not happen in time"
        sleep(0.005)
    return one
