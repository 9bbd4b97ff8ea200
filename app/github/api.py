"""GitHub's REST API by path, for the operator's commands: JSON in, JSON out.

`operator` calls it. It never sleeps, sends nothing twice, and raises nothing but this package's errors; an answer that is
wanted although it is no success (404: there is none) is given back.

    NoPlan    the account's plan has no rules for branches in private repositories
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import github

from app.github.answers import GitHubError, TryAgain, is_githubs, meaning_of
from app.github.connection import API_VERSION, Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from github.Auth import Auth

MOST_PAGES = 10  # of 100 each
ADVISES = (
    "This plan has no rulesets and no branch protection for this repository, so the gate only advises: "
    "whoever may push can merge without QA. A paid plan or a public repository lifts that."
)


class NoPlan(GitHubError):
    """The plan has no rulesets and no branch protection here, so nothing can be locked."""


class Api:
    """GitHub with one identity: a person's token, an App, an installation of it, or nobody."""

    def __init__(self, url: str, auth: Auth | None = None) -> None:
        self._url, self._auth = url.rstrip("/"), auth
        self._github = github.Github(
            auth=auth,
            base_url=self._url,
            timeout=10,
            user_agent="qa-gate",
            api_version=API_VERSION,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )

    @classmethod
    def with_token(cls, url: str, token: str) -> Self:
        """Act with a person's token."""
        return cls(url, github.Auth.Token(token))

    @classmethod
    def as_app(cls, url: str, app_id: int, key: str) -> Self:
        """Act as the App itself, which may read about itself and its installations. Raises Refused for a bad key."""
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
    ) -> Answer:
        """Make one call. Raises NoPlan, or another GitHubError for a status that is not wanted."""
        with _our_errors():
            status, headers, text = self._github.requester.requestJson(method, path, input=body)
            try:
                data = json.loads(text) if text else None
            except ValueError:  # a proxy's page
                data = None
            if status == 403 and _is_about_the_plan(data):
                raise NoPlan(ADVISES)
            if status not in wanted:
                raise github.GithubException(status, data, headers)
            return Answer(status, headers, data)

    def get(self, path: str) -> Any:
        """Return what is at a path, None for a 404."""
        answer = self.call("GET", path, wanted=(200, 404))
        return answer.data if answer.status == 200 else None

    def all(self, path: str) -> list[Any]:
        """Return every item of a list, at most 1,000."""
        found: list[Any] = []
        sign = "&" if "?" in path else "?"
        for number in range(1, MOST_PAGES + 1):
            items = self.call("GET", f"{path}{sign}per_page=100&page={number}").data
            if not isinstance(items, list):
                raise TryAgain("GitHub did not answer as it should: this is no list.")
            found += items
            if len(items) < 100:
                break
        return found


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except GitHubError:
        raise
    except Exception as error:
        if not is_githubs(error):
            raise
        # Not "from error": what PyGithub and requests raise may hold a header or an address.
        raise meaning_of(error, datetime.now(UTC)) from None


def _is_about_the_plan(data: Any) -> bool:
    """Tell whether GitHub asks for a plan with more in it; of that it says nothing but this sentence.

    "Upgrade to GitHub Pro or make this repository public to enable this feature."
    """
    return isinstance(data, dict) and str(data.get("message", "")).startswith("Upgrade to GitHub")
