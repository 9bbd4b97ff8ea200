"""GitHub's REST API by path, as one identity: JSON in, JSON out. The one place where PyGithub sends something.

`connection` and `operator` call it. It never sleeps, sends nothing twice, and raises nothing but this package's errors; an
answer that is wanted although it is no success (404: there is none) is given back. What PyGithub and requests raise may
hold a token or an address, so it never leaves this module.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, Self, TypeVar

import github
from pydantic import ValidationError

from app.github.answers import TryAgain, meaning_of

# https://docs.github.com/en/rest/about-the-rest-api/api-versions
API_VERSION = "2022-11-28"
MOST_PAGES = 10  # of 100 each

Data = TypeVar("Data")
Query = Mapping[str, str | int]
# Who counts the calls: is told each one's status, 0 without an answer, and headers.
CallCounter = Callable[[int, Mapping[str, Any]], None]


class Answer(NamedTuple, Generic[Data]):
    """What GitHub answered; `data` is what was read of a success's JSON, and the JSON itself, if any, of all else."""

    status: int
    headers: Mapping[str, Any]
    data: Data


def count_nothing(_status: int, _headers: Mapping[str, Any]) -> None:
    """Count no calls."""


class Api:
    """GitHub with one identity: a token, an App, an installation of it, or nobody; used by one thread only.

    `timeout` in seconds is for connecting and for each wait for data.
    """

    def __init__(
        self,
        url: str,
        auth: github.Auth.Auth | None = None,
        timeout: int = 10,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        count_call: CallCounter = count_nothing,
    ) -> None:
        self._url, self._auth, self._clock, self._count_call = url.rstrip("/"), auth, clock, count_call
        self._github = github.Github(
            auth=auth,
            base_url=self._url,
            timeout=timeout,
            user_agent="qa-gate",
            api_version=API_VERSION,
            retry=None,  # the default sends PUT and POST again, and sleeps until a rate limit ends
            seconds_between_requests=None,
            seconds_between_writes=None,
        )
        _read_environment(self._github, self._url)

    @classmethod
    def with_token(cls, url: str, token: str) -> Self:
        """Act with a person's token."""
        return cls(url, github.Auth.Token(token))

    @classmethod
    def as_app(cls, url: str, app_id: int, key: str) -> Self:
        """Act as the App itself, which may read about itself and its installations."""
        return cls(url, github.Auth.AppAuth(app_id, key))

    def installed(self, number: int) -> Api:
        """Act as an installation of this App."""
        if not isinstance(self._auth, github.Auth.AppAuth):
            raise TypeError("only an App has installations")
        return Api(self._url, self._auth.get_installation_auth(number))

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        wanted: Collection[int] = (200, 201, 204),
        *,
        query: Query | None = None,
        etag: str | None = None,
        accept: str | None = None,
        reads: Callable[[Any], Any] | None = None,
    ) -> Answer[Any]:
        """Make one call. Raises a GitHubError for a status that is not wanted, and for a success that `reads` refuses.

        With an `etag` 304 is wanted, too. Of a 301 PyGithub follows the path only: the query is lost.
        """
        wishes = {"If-None-Match": etag, "Accept": accept}
        headers = {name: value for name, value in wishes.items() if value}
        send = self._github.requester.requestJson
        try:
            status, got, text = send(method, path, dict(query or {}), headers, body)
        except Exception as error:  # noqa: BLE001 - PyGithub raises whatever Python does on an answer of an odd shape
            self._count_call(0, {})
            raise meaning_of(error, self._clock()) from None
        self._count_call(status, got)
        try:
            data = json.loads(text) if text else None
        except ValueError:  # an error page; its status says enough
            data = None
        if status not in wanted and not (etag and status == 304):
            raise meaning_of(github.GithubException(status, data, got), self._clock())
        try:
            return Answer(status, got, reads(data) if reads and status < 300 else data)
        except ValidationError as error:
            raise meaning_of(error, self._clock()) from None

    def close(self) -> None:
        """Let the connections go."""
        self._github.close()

    def get(self, path: str) -> Any:
        """Return what is at a path, None for a 404."""
        answer = self.call("GET", path, wanted=(200, 404))
        return answer.data if answer.status == 200 else None

    def all(self, path: str) -> list[Any]:
        """Return every item of a list, at most 1,000."""
        found: list[Any] = []
        for number in range(1, MOST_PAGES + 1):
            items = self.call("GET", path, query={"per_page": 100, "page": number}).data
            if not isinstance(items, list):
                raise TryAgain("GitHub did not answer as it should: this is no list.")
            found += items
            if len(items) < 100:
                break
        return found


def _read_environment(client: github.Github, url: str) -> None:
    """Let a client read which proxy and certificates the environment names once, and not before each of its calls.

    That takes as long as all the rest of requests. PyGithub shows nobody its session, and to give it another one ends
    that connections stay open.
    """
    way = getattr(client.requester, "_Requester__createConnection")()  # noqa: B009 - it is not mypy's to know
    found = way.session.merge_environment_settings(url, {}, None, None, None)
    way.session.proxies, way.verify, way.session.trust_env = found["proxies"], found["verify"], False
