"""The pretend inbox as a server: one HTTP port for what the gate calls of SES.

Made by `make demo` and by tests, started and stopped by them. It never sends anything anywhere.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from typing import Any

from demo.faults import Fault, lift_all, refusing
from demo.inbox.account import Account
from demo.inbox.mail import Mail
from demo.inbox.ses import SEND_EMAIL, Refusal, checked_request
from demo.serving import end, serve


@dataclass(eq=False, kw_only=True)
class Failure(Fault):
    """An answer to give instead of the true one."""

    error_type: str = ""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Answered(Exception):
    """An answer on order, which is none of SES's errors: HTML, a redirect, or half of the true one."""

    def __init__(self, failure: Failure, message_id: str | None) -> None:
        super().__init__(failure.message)
        self.failure, self.message_id = failure, message_id


class PretendInbox:
    """Takes SendEmail calls and keeps the mails. `mails` is in order of arrival; `calls` counts every attempt."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.mails: list[Mail] = []
        self.account = Account()
        self.calls = 0
        self._clock = clock
        self.failures: list[Failure] = []  # those that are not over
        self._ordered: list[Failure] = []
        self._changed = threading.Condition()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self, port: int = 0) -> PretendInbox:
        """Serve on 127.0.0.1 in threads of this process; port 0 takes a free one."""
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = serve(self._server)
        return self

    def refuse(self) -> Callable[[], object]:
        """Refuse every connection, as a service that is down; call what is returned to serve again."""
        port = int(self.url.rpartition(":")[2])
        self.stop()
        return refusing(port, self.start)

    def stop(self) -> None:
        """Stop serving; what came stays in `mails`."""
        lift_all(self._ordered)
        if self._server and self._thread:
            end(self._server, self._thread)

    @property
    def url(self) -> str:
        """Return where it serves."""
        if self._server is None:
            raise RuntimeError("start it first")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(
        self,
        status: int | None,
        error_type: str = "",
        message: str = "",
        times: int | None = 1,
        after: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Failure:
        """Answer the next calls with this error; None ends the connection without an answer.

        With `after` the mail is taken all the same: its answer is what gets lost. times None: until the failure,
        which is returned, is lifted. A message that begins with "<" is sent as a page.
        """
        told = dict(headers or {})
        return self._order(
            Failure(status, times, after, error_type=error_type, message=message, headers=told)
        )

    def slow(self, seconds: float, times: int | None = None) -> Failure:
        """Give the true answer so many seconds late, until lifted."""
        return self._order(Failure(None, times, delay=seconds, true=True))

    def silence(self, times: int | None = None, after: bool = False) -> Failure:
        """Take calls and never answer them, until lifted; after: their mails are taken."""
        return self._order(Failure(None, times, after, inf))

    def cut(self, times: int | None = 1) -> Failure:
        """Take the mail, and break off in the midst of the answer."""
        return self._order(Failure(200, times, True, cut=True))

    def _order(self, failure: Failure) -> Failure:
        with self._changed:
            self.failures.append(failure)
            self._ordered.append(failure)
        return failure

    def wait_for(self, wanted: str | Callable[[Mail], bool], timeout: float = 10.0) -> Mail:
        """Return the newest mail that is wanted, waiting for it if need be; a string is looked for in address and subject.

        Raises TimeoutError, which names what came instead.
        """
        matches = _matcher(wanted) if isinstance(wanted, str) else wanted
        with self._changed:
            if self._changed.wait_for(lambda: any(map(matches, self.mails)), timeout):
                return next(mail for mail in reversed(self.mails) if matches(mail))
            came = [f"{mail.address}: {mail.subject}" for mail in self.mails]
        raise TimeoutError(f"no such mail in {timeout:g} s; there are {came}")

    def take(self, body: bytes, authorization: str) -> str | None:
        """Do one SendEmail call; return the message id, or None where the connection ends without an answer."""
        with self._changed:
            self.calls += 1
            failure = self._next_failure()
        if failure is None:
            return self._accept(body, authorization)
        message_id = self._accept(body, authorization) if failure.after else None
        failure.wait()
        if failure.true:
            return self._accept(body, authorization)
        if failure.status is None:
            return None
        if failure.error_type:
            raise Refusal(failure.status, failure.error_type, failure.message)
        raise Answered(failure, message_id)

    def _next_failure(self) -> Failure | None:
        self.failures = [failure for failure in self.failures if not failure.is_over]
        for failure in self.failures:
            failure.take()
            return failure
        return None

    def _accept(self, body: bytes, authorization: str) -> str:
        request = checked_request(body, authorization)
        message_id = f"0107{secrets.token_hex(6)}-{secrets.token_hex(4)}-000000"
        simple = request["Content"]["Simple"]
        headers = {header["Name"]: header["Value"] for header in simple.get("Headers", [])}
        with self._changed:
            self._keep(message_id, request, headers)
        return message_id

    def _keep(self, message_id: str, request: dict[str, Any], headers: dict[str, str]) -> None:
        simple = request["Content"]["Simple"]
        mail = Mail(
            id=len(self.mails) + 1,
            to=", ".join(request["Destination"]["ToAddresses"]),
            from_=request["FromEmailAddress"],
            subject=simple["Subject"]["Data"],
            text=simple["Body"].get("Text", {}).get("Data", ""),
            html=simple["Body"].get("Html", {}).get("Data", ""),
            headers={"Message-ID": f"<{message_id}@email.amazonses.com>", **headers},
            message_id=message_id,
            received_at=self._clock(),
            configuration_set=request.get("ConfigurationSetName"),
        )
        self.mails.append(mail)
        self._changed.notify_all()


def _matcher(words: str) -> Callable[[Mail], bool]:
    return lambda mail: words.casefold() in f"{mail.to} {mail.subject}".casefold()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], inbox: PretendInbox) -> None:
        self.inbox = inbox
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was gone before its answer, as one that was killed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != SEND_EMAIL:
            self._refuse(Refusal(404, "NotFoundException", "This stand-in knows SendEmail only"))
            return
        try:
            message_id = self.server.inbox.take(body, self.headers.get("Authorization", ""))
        except Refusal as refusal:
            self._refuse(refusal)
            return
        except Answered as answered:
            self._as_ordered(answered)
            return
        if message_id:
            self._answer(200, "application/json", json.dumps({"MessageId": message_id}))

    def do_GET(self) -> None:
        if not self.path.startswith("/v2/email/"):
            self._answer(404, "text/plain", "This stand-in knows SES only.")
            return
        try:
            told = self.server.inbox.account.answer(self.path, self.headers.get("Authorization", ""))
        except Refusal as refusal:
            self._refuse(refusal)
        else:
            self._answer(200, "application/json", json.dumps(told))

    def _refuse(self, refusal: Refusal) -> None:
        headers = {"x-amzn-ErrorType": refusal.error_type} if refusal.error_type else {}
        self._answer(refusal.status, "application/json", json.dumps({"message": refusal.message}), headers)

    def _as_ordered(self, answered: Answered) -> None:
        failure = answered.failure
        kind = "text/html" if failure.message.startswith("<") else "application/json"
        body = failure.message if kind == "text/html" else json.dumps({"message": failure.message})
        if failure.cut:
            whole = json.dumps({"MessageId": answered.message_id})
            self._answer(
                200, "application/json", whole[: len(whole) // 2], {"Content-Length": str(len(whole))}
            )
        else:
            self._answer(failure.status or 500, kind, body, failure.headers)

    def _answer(self, status: int, kind: str, body: str, headers: dict[str, str] | None = None) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing: the paths of tests and tours are no news."""
