"""The technical side of the pretend GitHub: serving, failures on order, the record of calls, the webhooks' knobs.

The base of PretendGitHub, which adds all that can happen on GitHub. Nothing here knows a pull request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any, Self

from demo.faults import lift_all, refusing
from demo.github.api import RepositoryApi, Routes
from demo.github.app_api import AppApi
from demo.github.attachments import Attachment, Attachments
from demo.github.front import LIMIT, Failure, Front, OnCall
from demo.github.pull_api import PullApi
from demo.github.registration import RegistrationApi
from demo.github.rulesets import RulesetApi
from demo.github.server import Server
from demo.github.webhooks import Webhooks
from demo.github.world import World, utc_now


class Served:
    """A GitHub on 127.0.0.1, without anything in it."""

    def __init__(
        self,
        folder: Path,
        *,
        token: str,
        webhook_secret: str,
        webhook_url: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        login: str = "qa-gate-bot",
        app_id: int | None = None,
        app_public_key: str | None = None,
        site: str = "https://github.com",
    ) -> None:
        self.webhooks = Webhooks(webhook_url, webhook_secret)
        self.world = World(folder, clock, site=site, notify=self.webhooks.notify)
        self.world.app_id, self.world.app_key = app_id, app_public_key
        self.front = Front(self.world, token, self.world.person(login))
        # Every request to the API so far, failed and lost ones too; .clear() it as you like.
        self.calls = self.front.calls
        # Every webhook so far, in the order of what happened; not in that of arrival.
        self.deliveries = self.webhooks.deliveries
        self.hold, self.release = self.webhooks.hold, self.webhooks.release
        self.settle, self.redeliver = self.webhooks.settle, self.webhooks.redeliver
        self._server: Server | None = None
        routes = Routes(self.front)
        self.attachments = Attachments(routes)
        for group in (RepositoryApi, AppApi, RulesetApi):
            group(routes)
        PullApi(routes, self.attachments)
        RegistrationApi(routes, self.webhooks)

    # --- Serving ---------------------------------------------------------------------------------------------

    def start(self, port: int = 0) -> Self:
        """Serve from now on; 0 takes a free port. Returns itself."""
        self._server = Server(self.front.app, port)
        self.world.api = f"http://127.0.0.1:{self._server.port}"
        return self

    def refuse(self) -> Callable[[], object]:
        """Refuse every connection, as a service that is down; call what is returned to serve again."""
        server, self._server = self._server, None
        if server is None:
            raise RuntimeError("start it first")
        server.refuse()
        return refusing(server.port, self.start)

    def stop(self) -> None:
        """Stop serving and sending; what is known stays, and `start` serves it again."""
        lift_all(self.front.ordered)
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        self.webhooks.stop()

    @property
    def url(self) -> str:
        """The root of the API: the gate's GITHUB_API_URL."""
        return self.world.api

    @property
    def rights(self) -> set[str]:
        """What the token may do: of RIGHTS; "statuses" to write and read, "statuses:read" to read only."""
        return self.world.rights

    @property
    def on_call(self) -> OnCall | None:
        """Called with (method, path, 'before' | 'after') around each call's work, outside the lock."""
        return self.front.on_call

    @on_call.setter
    def on_call(self, called: OnCall | None) -> None:
        self.front.on_call = called

    def fail(
        self,
        method: str,
        path: str,
        status: int | None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        after: bool = False,
    ) -> Failure:
        """Answer the next calls that fit (method or "*", regex searched in the path) with this status.

        status None closes the connection without an answer. after: the work is done first. times None: until the
        failure, which is returned, is lifted.
        """
        return self._order(method, path, status, times, after=after, body=body, headers=dict(headers or {}))

    def slow(self, method: str, path: str, seconds: float, times: int | None = None) -> Failure:
        """Give the true answer to calls that fit so many seconds late, until lifted."""
        return self._order(method, path, None, times, delay=seconds, true=True)

    def silence(self, method: str, path: str, times: int | None = None, after: bool = False) -> Failure:
        """Take calls that fit and never answer them, until lifted; after: their work is done."""
        return self._order(method, path, None, times, after=after, delay=inf)

    def cut(self, method: str, path: str, times: int | None = 1) -> Failure:
        """Do the work of calls that fit, and break off in the midst of their true answer."""
        return self._order(method, path, 200, times, after=True, cut=True)

    def _order(self, method: str, path: str, status: int | None, times: int | None, **how: Any) -> Failure:
        failure = Failure(status, times, method=method, path=re.compile(path), **how)
        with self.world.lock:
            self.front.failures.append(failure)
            self.front.ordered.append(failure)
        return failure

    def use_up_rate_limit(self, left: int = 0) -> None:
        """Leave so many of this hour's 5,000 requests."""
        self.front.used = LIMIT - left

    def attach(
        self, data: bytes, type_: str = "image/png", *, is_private: bool = False, leads_to: str | None = None
    ) -> str:
        """Drop a file into a text; return its address, which a private one's does not work without a session."""
        return self.attachments.add(Attachment(data, type_, is_private, leads_to))

    # --- Webhooks --------------------------------------------------------------------------------------------

    @property
    def webhook_url(self) -> str | None:
        """Where webhooks go; None: nowhere."""
        return self.webhooks.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self.webhooks.url = url

    @property
    def webhooks_paused(self) -> bool:
        """While true, what happens is recorded and never sent (unless redelivered)."""
        return self.webhooks.paused

    @webhooks_paused.setter
    def webhooks_paused(self, paused: bool) -> None:
        self.webhooks.paused = paused
