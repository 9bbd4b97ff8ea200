"""The way to GitHub: as whom, with an App by which installation, and when not at all.

`client` adds the calls. It sends nothing while GitHub asks to slow down.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import github

from app.domain.blocked import Why
from app.domain.calendar import time_left
from app.domain.facts import Person
from app.github.answers import (
    LONGEST_LIMIT,
    GitHubError,
    Limited,
    NoAnswer,
    Refused,
    TryAgain,
    sent_at,
)
from app.github.api import Answer, Api, CallCounter, Data, Query, count_nothing
from app.github.models import Id, Model, Text
from app.github.pulls import Account

CLOCKS_DIFFER = timedelta(minutes=5)
PER_PAGE = 100
# https://www.rfc-editor.org/rfc/rfc9110#name-etag
_ETAG = re.compile(r'(?:W/)?"[!#-~]{1,200}"')
UNSAID = "GitHub didn’t confirm that it’s done: the repository may have been renamed or moved."


def nothing() -> None:
    """Do nothing before a further page."""


class _Installation(Model):
    """https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app ."""

    id: Id


class _App(Model):
    """https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app ."""

    slug: Text

    def person(self) -> Person:
        return Person(0, f"{self.slug}[bot]", is_bot=True)


class _Clients(threading.local):
    """One client a thread, and for an App one an installation: a client shared by threads mixes up requests."""

    def __init__(self) -> None:
        self.known: dict[int | None, Api] = {}
        self.has_answered = False


class Connection:
    """The way to GitHub with one token or one App; may be used by many threads.

    `app` is (App id, private key in PEM); `timeout` is as in `Api`. `recall` and `remember` keep until when an identity may
    not call; a limit is that of a token or an installation, whichever job or machine has met it.
    """

    def __init__(
        self,
        api_url: str,
        token: str | None = None,
        app: tuple[int, str] | None = None,
        timeout: int = 10,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        recall: Callable[[str], datetime | None] | None = None,
        remember: Callable[[str, datetime], None] | None = None,
    ) -> None:
        self._api_url, self._timeout, self._clock = api_url.rstrip("/"), timeout, clock
        self._app = github.Auth.AppAuth(*app) if app else None
        self._own: github.Auth.Auth | None = self._app or (github.Auth.Token(token) if token else None)
        self._clients = _Clients()
        self._installations: dict[str, int] = {}
        limits: dict[str, datetime] = {}
        self._recall = recall or limits.get
        self._remember = remember or limits.__setitem__
        self._account: Person | None = None
        # How far GitHub's clock is ahead of ours, as its last answer said.
        self.ahead = timedelta(0)
        self.count_call: CallCounter = count_nothing

    def own_account(self, repository: str) -> Person | None:
        """Return as whom the gate acts at GitHub, None where it may not know: one GET, and only once.

        An App acts as a program, which is no account: it has only a name.
        """
        if self._account is None:
            path, reads = ("/app", _App.model_validate) if self._app else ("/user", Account.model_validate)
            with suppress(Refused), self._client_of(repository, None) as client:
                self._account = client.call("GET", path, reads=reads).data.person()
        return self._account

    def call(
        self,
        repository: str,
        method: str,
        path: str,
        reads: Callable[[Any], Data],
        body: Mapping[str, Any] | None = None,
        wanted: Collection[int] = (200, 201),
        *,
        query: Query | None = None,
        etag: str | None = None,
        accept: str | None = None,
        branches: Collection[str] = (),
    ) -> Answer[Data]:
        """Make one call below a repository, as `Api.call` does.

        `branches` are those without which GitHub answers that there is nothing.
        """
        path = f"/repos/{repository}{path}"
        with self._client_of(repository, self._installation(repository), branches) as client:
            return client.call(method, path, body, wanted, query=query, etag=etag, accept=accept, reads=reads)

    def get(
        self, repository: str, path: str, reads: Callable[[Any], Data], query: Query | None = None
    ) -> Data:
        """Return what one GET below a repository says."""
        return self.call(repository, "GET", path, reads, query=query).data

    def pages(
        self,
        repository: str,
        path: str,
        reads: Callable[[Any], Data],
        query: Query | None = None,
        etag: str | None = None,
        on_page: Callable[[], None] = nothing,
    ) -> Iterator[Answer[Data]]:
        """Give page after page of a list, each asked for when it is needed; `etag` is that of an earlier first page.

        `on_page` is called before each further page.
        https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
        """
        for number in count(1):
            whole = {**(query or {}), "per_page": PER_PAGE, "page": number}
            page = self.call(repository, "GET", path, reads, query=whole, etag=etag)
            yield page
            if 'rel="next"' not in str(page.headers.get("link", "")):
                return
            on_page()
            etag = None  # further pages are read whole

    def each(self, repository: str, path: str, reads: Callable[[Any], list[Data]]) -> Iterator[Data]:
        """Give everything of a list, page after page: one GET for each 100."""
        for page in self.pages(repository, path, reads):
            yield from page.data

    @contextmanager
    def _client_of(
        self, repository: str, installation: int | None, branches: Collection[str] = ()
    ) -> Iterator[Api]:
        """Give the client of an installation (None: the token, or the App itself), and note how its call ends.

        Raises Limited while GitHub wants no call of it.
        """
        self._keep_off(installation)
        try:
            yield self._client(installation)
        except GitHubError as told:
            self._clients.has_answered |= not isinstance(told, NoAnswer)
            if isinstance(told, Limited) and told.after:
                self._remember(self._identity(installation), self._clock() + told.after)
            kind = told.kind if isinstance(told, Refused) else None
            if self._app and kind in (Why.RIGHTS, Why.GONE):
                self._forget(repository)
            if branches and kind is Why.GONE:
                which = " or no branch ".join(branches)
                sentence = f"It has no branch {which}, or the gate has no access to it."
                raise Refused(sentence, Why.GONE) from None
            raise
        self._clients.has_answered = True

    def _keep_off(self, installation: int | None) -> None:
        # https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
        until = self._recall(self._identity(installation))
        # GitHub's limits end within the hour.
        left = time_left(until, LONGEST_LIMIT + CLOCKS_DIFFER, self._clock()) if until else None
        if left:
            raise Limited(left)

    def _identity(self, installation: int | None) -> str:
        if installation is not None:
            return f"github {installation}"
        return "github app" if self._app else "github"

    def note_clock(self, headers: Mapping[str, Any]) -> None:
        """Note how far GitHub's clock is ahead of ours, from the headers of an answer; it tells whole seconds."""
        now = self._clock()
        self.ahead = sent_at(headers, now) - now

    def has_answered(self) -> bool:
        """Tell whether GitHub gave this thread any answer since it was last asked, a refusal included."""
        answered, self._clients.has_answered = self._clients.has_answered, False
        return answered

    def _client(self, installation: int | None) -> Api:
        if installation not in self._clients.known:
            auth = self._own
            if self._app and installation is not None:
                auth = self._app.get_installation_auth(installation)  # renews its token by itself
            self._clients.known[installation] = Api(
                self._api_url, auth, self._timeout, self._clock, self.count_call
            )
        return self._clients.known[installation]

    def _installation(self, repository: str) -> int | None:
        """Return where the App is installed, None with a token; looked up once for each repository."""
        if self._app is None:
            return None
        key = repository.casefold()
        if key not in self._installations:
            with self._client_of(repository, None) as client:
                path, reads = f"/repos/{repository}/installation", _Installation.model_validate
                self._installations[key] = client.call("GET", path, reads=reads).data.id
        return self._installations[key]

    def _forget(self, repository: str) -> None:
        """Look everything up afresh: an App that was installed anew has another id and other tokens."""
        self._installations.pop(repository.casefold(), None)
        while self._clients.known:
            self._clients.known.popitem()[1].close()


def insist(is_done: bool) -> None:
    """Raise TryAgain unless GitHub said for certain that it is done."""
    if not is_done:
        raise TryAgain(UNSAID)


def etag_of(headers: Mapping[str, Any]) -> str | None:
    """Return an answer's ETag, or None where it has none that could be sent back."""
    etag = str(headers.get("etag", ""))
    return etag if _ETAG.fullmatch(etag) else None
