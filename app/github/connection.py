"""The way to GitHub: clients, an App's installations, one place where a failure becomes one of `answers`' errors.

`client` adds the calls. It never sleeps and sends nothing twice, and nothing at all while GitHub asks to slow down; a
client is used by one thread only. What PyGithub and requests raise may hold a token or an address, so it never leaves
this package.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from json import loads
from typing import Any, NamedTuple

import github
from github.Repository import Repository

from app.domain.blocked import Why
from app.domain.facts import Person
from app.github.answers import (
    LONGEST_WAIT,
    GitHubError,
    Limited,
    NoAnswer,
    Refused,
    TryAgain,
    is_githubs,
    meaning_of,
    sent_at,
)
from app.github.pulls import Account

log = logging.getLogger("qa-gate.github")

# https://docs.github.com/en/rest/about-the-rest-api/api-versions
API_VERSION = "2022-11-28"
CLOCKS_DIFFER = timedelta(minutes=5)
# https://www.rfc-editor.org/rfc/rfc9110#name-etag
_ETAG = re.compile(r'(?:W/)?"[!#-~]{1,200}"')
UNSAID = "GitHub didn’t confirm that it’s done: the repository may have been renamed or moved."


Told = Callable[[int, Mapping[str, Any]], None]


class Answer(NamedTuple):
    """What GitHub answered; `data` is None where there was no JSON."""

    status: int
    headers: Mapping[str, Any]
    data: Any


class _Clients(threading.local):
    """One client a thread, and for an App one an installation: a client shared by threads mixes up requests."""

    def __init__(self) -> None:
        self.known: dict[int | None, github.Github] = {}
        self.has_answered = False


class Connection:
    """The way to GitHub with one token or one App; may be used by many threads.

    `app` is (App id, private key in PEM); `timeout` in seconds is for connecting and for each wait for data. `recall`
    and `remember` keep until when an identity may not call; a limit is that of a token or an installation, whichever
    job or machine has met it.
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
        self._api_url = api_url.rstrip("/")
        self._token = token
        self._app = github.Auth.AppAuth(*app) if app else None
        self._clock = clock
        self._clients = _Clients()
        self._installations: dict[str, int] = {}
        limits: dict[str, datetime] = {}
        self._recall = recall or limits.get
        self._remember = remember or limits.__setitem__
        self._login: str | None = None
        self._account: int | None = None
        # How far GitHub's clock is ahead of ours, as its last answer said.
        self.ahead = timedelta(0)
        # Who counts the calls: is told each one's status, 0 without an answer, and headers.
        self.told: Told | None = None
        self._options: dict[str, Any] = {
            "base_url": self._api_url,
            "timeout": timeout,
            "user_agent": "qa-gate",
            "api_version": API_VERSION,
            "per_page": 100,
            "lazy": True,  # else each object is read before it is used
            "retry": None,  # the default sends PUT and POST again, and sleeps until a rate limit ends
            "seconds_between_requests": None,
            "seconds_between_writes": None,
        }

    def own_login(self, repository: str) -> str | None:
        """Return the name under which the gate acts at GitHub, None where it may not know: one GET, and only once.

        https://docs.github.com/en/rest/users/users#get-the-authenticated-user
        https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app
        """
        if self._login is None:
            try:
                with self._repository(repository) as found:
                    self._login = self._read_login(found)
            except Refused:
                return None
        return self._login

    def is_own(self, repository: str, person: Person) -> bool | None:
        """Tell whether the gate itself acts under this account, None where it may not know: one GET, and only once.

        An App's account is a program's, and no person's.
        """
        if self._app is not None:
            return False
        if self._account is None:
            try:
                with self._repository(repository) as found:
                    self._account = _account(found).id
            except Refused:
                return None
        return self._account == person.id

    def _read_login(self, found: Repository) -> str:
        if self._app is None:
            login = _account(found).login
            insist(bool(login))
            return str(login)
        with github.GithubIntegration(auth=self._app, **self._options) as app:
            return f"{app.get_app().slug}[bot]"

    @contextmanager
    def _repository(self, repository: str, *branches: str) -> Iterator[Repository]:
        """Give the repository, unread, and map what fails of GitHub while it is used; a bug of ours stays what it is.

        `branches` are those without which GitHub answers that there is nothing.
        """
        installation = None
        try:
            installation = self._installation(repository)
            self._keep_off(installation)
            yield self._client(installation).get_repo(repository)
            self._clients.has_answered = True
        except GitHubError:
            raise
        except Exception as error:
            if not is_githubs(error):
                raise
            told = meaning_of(error, self._clock())
            if branches and isinstance(told, Refused) and told.kind is Why.GONE:
                which = " or no branch ".join(branches)
                told = Refused(f"It has no branch {which}, or the gate has no access to it.", Why.GONE)
            log.warning("%s: %s (%s)", repository, told.reason, type(error).__name__)
            self._clients.has_answered |= not isinstance(told, NoAnswer)
            if isinstance(told, Limited) and told.after:
                self._remember(self._identity(installation), self._clock() + told.after)
            if isinstance(told, Refused) and told.kind in (Why.RIGHTS, Why.GONE):
                self._forget(repository)
            # Not "from error": what PyGithub and requests raise may hold a header or an address.
            raise told from None

    def _keep_off(self, installation: int | None) -> None:
        """Raise Limited while GitHub wants no call of this installation; None: the token, or the App itself.

        https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
        """
        until = self._recall(self._identity(installation))
        left = until - self._clock() if until else timedelta(0)
        # GitHub's limits end within the hour: a later end is that of a clock that was wrong.
        if timedelta(0) < left <= LONGEST_WAIT + CLOCKS_DIFFER:
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

    def _client(self, installation: int | None) -> github.Github:
        if installation not in self._clients.known:
            client = github.Github(auth=self._auth(installation), **self._options)
            _read_environment(client, self._api_url)
            if self.told:
                _tell_calls(client, self.told)
            self._clients.known[installation] = client
        return self._clients.known[installation]

    def _auth(self, installation: int | None) -> github.Auth.Auth | None:
        if self._app and installation is not None:
            return self._app.get_installation_auth(installation)  # renews its token by itself
        return github.Auth.Token(self._token) if self._token else None

    def _installation(self, repository: str) -> int | None:
        """Return where the App is installed, None with a token; looked up once for each repository.

        https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app
        """
        if self._app is None:
            return None
        key = repository.casefold()
        if key not in self._installations:
            self._keep_off(None)
            with github.GithubIntegration(auth=self._app, **self._options) as app:
                found = app.get_repo_installation(*repository.split("/")).id
            insist(isinstance(found, int))
            self._installations[key] = found
        return self._installations[key]

    def _forget(self, repository: str) -> None:
        """Look everything up afresh: an App that was installed anew has another id and other tokens."""
        self._installations.pop(repository.casefold(), None)
        while self._clients.known:
            self._clients.known.popitem()[1].close()


def _read_environment(client: github.Github, url: str) -> None:
    """Let a client read which proxy and certificates the environment names once, and not before each of its calls.

    That takes as long as all the rest of requests. PyGithub shows nobody its session, and to give it another one ends
    that connections stay open.
    """
    way = getattr(client.requester, "_Requester__createConnection")()  # noqa: B009 - it is not mypy's to know
    found = way.session.merge_environment_settings(url, {}, None, None, None)
    way.session.proxies, way.verify, way.session.trust_env = found["proxies"], found["verify"], False


def _tell_calls(client: github.Github, told: Told) -> None:
    """Let somebody know of each call of a client; all that PyGithub sends of JSON goes through this one method."""
    plain = client.requester.requestJson

    def request(*args: Any, **kwargs: Any) -> Any:
        try:
            status, headers, data = plain(*args, **kwargs)
        except Exception:
            told(0, {})
            raise
        told(status, headers)
        return status, headers, data

    setattr(client.requester, "requestJson", request)  # noqa: B010 - mypy knows it as a method


def call(
    found: Repository,
    method: str,
    path: str,
    *,
    wanted: Collection[int] = (200,),
    query: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Answer:
    """Make one call below a repository. Raises GithubException for a status that is not wanted, a redirect included.

    For what PyGithub's own methods hide: ids, ETags, reasons. Of a 301 it follows the path only: the query is lost.
    """
    status, told, text = found.requester.requestJson(
        method, f"{found.url}{path}", dict(query or {}), dict(headers or {}), body
    )
    try:
        data = loads(text) if text else None
    except ValueError:  # an error page; its status says enough
        data = None
    if status not in wanted:
        raise github.GithubException(status, data, told)
    return Answer(status, told, data)


def _account(found: Repository) -> Account:
    return Account.model_validate(found.requester.requestJsonAndCheck("GET", "/user")[1])


def insist(is_done: bool) -> None:
    """Raise TryAgain unless GitHub said for certain that it is done."""
    if not is_done:
        raise TryAgain(UNSAID)


def etag_of(headers: Mapping[str, Any]) -> str | None:
    """Return an answer's ETag, or None where it has none that could be sent back."""
    etag = str(headers.get("etag", ""))
    return etag if _ETAG.fullmatch(etag) else None
