"""The front of the HTTP server: who asks, what was recorded, failures on order, ETag, limits, redirects.

`api` and `desk` hang their routes on it. Every request goes before() -> route -> after(); errors of the routes
come as `Refusal` and leave as GitHub writes them. Knows nothing of pull requests.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt
from flask import Flask, Response, g, request
from werkzeug.http import http_date

from demo.faults import Fault
from demo.github.state import Person, Refusal, Repo
from demo.github.world import World

DOCUMENTATION = "https://docs.github.com/rest"
LIMIT = 5000
# The website, its files, and what the API tells anybody.
SITE = ("/settings/apps/", "/organizations/", "/user-attachments/", "/private-user-images/")
OPEN = (*SITE, "/apps/", "/app-manifests/", "/users/")
OnCall = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API; status is None when the answer was lost on purpose."""

    method: str
    path: str
    status: int | None
    query: str
    body: Any
    at: datetime


@dataclass(eq=False, kw_only=True)
class Failure(Fault):
    """An answer on order for the requests that fit."""

    method: str
    path: re.Pattern[str]
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Front:
    world: World
    token: str
    user: Person
    on_call: OnCall | None = None
    calls: list[Call] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)  # those that are not over
    ordered: list[Failure] = field(default_factory=list)  # all there ever were
    others: dict[str, tuple[Person, set[str]]] = field(
        default_factory=dict
    )  # tokens of people, and their rights
    installation_tokens: dict[str, datetime] = field(default_factory=dict)
    used: int = 0  # of this hour's requests

    def __post_init__(self) -> None:
        self.app = Flask("demo.github", static_folder=None)
        self.app.json.sort_keys = False  # type: ignore[attr-defined]
        self.app.before_request(self._before)
        self.app.after_request(self._after)
        self.app.register_error_handler(Refusal, _refused)
        for code in (404, 405):
            self.app.register_error_handler(code, lambda _: _refused(Refusal(404, "Not Found")))

    # --- Before ----------------------------------------------------------------------------------------------

    def _before(self) -> Response | None:
        g.failure = self._take_failure()
        self._phase("before")
        if g.failure and not g.failure.after:
            g.failure.wait()
            if not g.failure.true:
                return self._as_ordered(g.failure)
        with self.world.lock:
            self.used += 1
            if not request.path.startswith(OPEN):
                self._authenticate()
            if self.used > LIMIT:
                raise Refusal(403, f"API rate limit exceeded for user ID {g.actor.id}.")
        return None

    def _phase(self, phase: str) -> None:
        if self.on_call is not None:
            self.on_call(request.method, request.path, phase)

    def _take_failure(self) -> Failure | None:
        with self.world.lock:
            self.failures = [failure for failure in self.failures if not failure.is_over]
            for failure in self.failures:
                if failure.method in ("*", request.method) and failure.path.search(request.path):
                    failure.take()
                    return failure
        return None

    def _as_ordered(self, failure: Failure) -> Response:
        g.lost = failure.status is None
        body = failure.body
        if body is None:
            body = {"message": "Server Error", "documentation_url": DOCUMENTATION}
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html" if isinstance(body, str) else "application/json; charset=utf-8"
        return Response(text, failure.status or 500, failure.headers, content_type=kind)

    def _cut(self, response: Response) -> None:
        """Promise the whole body and send half of it; the server hangs up after every answer."""
        whole = response.data
        response.data = whole[: len(whole) // 2]
        response.headers["Content-Length"] = str(len(whole))

    def _authenticate(self) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        g.kind = None
        if scheme.lower() not in ("token", "bearer"):
            raise Refusal(401, "Requires authentication" if not scheme else "Bad credentials")
        if given == self.token:
            g.kind, g.actor = "user", self.user
        elif given in self.others:
            g.kind, (g.actor, g.rights) = "user", self.others[given]
        elif (
            self.installation_tokens.get(given, datetime.min.replace(tzinfo=self.world.now().tzinfo))
            > self.world.now()
        ):
            g.rights = self.world.rights if self.world.app_rights is None else self.world.app_rights
            g.kind, g.actor = "installation", self.world.person(f"{self.world.app_slug}[bot]")
            g.actor.type = "Bot"
        elif scheme.lower() == "bearer" and given.count(".") == 2:
            self._authenticate_app(given)
        else:
            raise Refusal(401, "Bad credentials")

    def _authenticate_app(self, token: str) -> None:
        """Accept a JSON web token as GitHub does.

        https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
        """
        if self.world.app_key is None:
            raise Refusal(401, "A JSON web token could not be decoded")
        try:
            options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
            claims = jwt.decode(token, self.world.app_key, algorithms=["RS256"], options=options)
            expires, issued = (int(claims[name]) for name in ("exp", "iat"))
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            raise Refusal(401, "A JSON web token could not be decoded") from None
        now = self.world.clock().timestamp()
        if str(claims.get("iss")) != str(self.world.app_id):
            raise Refusal(401, "'Issuer' claim ('iss') must be an Integer")
        if expires <= now:
            wanted = "must be a numeric value representing the future time at which the assertion expires"
            raise Refusal(401, f"'Expiration time' claim ('exp') {wanted}")
        if expires > now + 600:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        if issued > now:
            raise Refusal(401, "'Issued at' claim ('iat') must be an Integer representing a time in the past")
        g.kind, g.actor = "app", self.world.person(f"{self.world.app_slug}[bot]")

    def new_installation_token(self) -> tuple[str, datetime]:
        """Return a token that works for an hour, and until when."""
        until = self.world.now() + timedelta(hours=1)
        token = f"ghs_{len(self.installation_tokens):036d}"
        self.installation_tokens[token] = until
        return token, until

    # --- After -----------------------------------------------------------------------------------------------

    def _after(self, response: Response) -> Response:
        failure = g.get("failure")
        if failure and failure.after:
            failure.wait()
            response = response if failure.true or failure.cut else self._as_ordered(failure)
        lost = g.get("lost", False)
        self._dress(response)
        if failure and failure.cut:
            self._cut(response)
        with self.world.lock:
            body = request.get_json(silent=True) if request.data else None
            status, query = None if lost else response.status_code, request.query_string.decode()
            self.calls.append(Call(request.method, request.path, status, query, body, self.world.now()))
        self._phase("after")
        if lost:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return response

    def _dress(self, response: Response) -> None:
        if request.method == "GET" and response.status_code == 200:
            response.headers["ETag"] = f'W/"{hashlib.sha256(response.data).hexdigest()}"'
            response.headers["Cache-Control"] = "private, max-age=60, s-maxage=60"
            if response.headers["ETag"] in request.headers.get("If-None-Match", ""):
                self.used -= 1  # a 304 does not count against the limit
                response.status_code, response.data = 304, b""
        remaining = max(LIMIT - self.used, 0)
        reset = int((self.world.now() + timedelta(hours=1)).timestamp())
        numbers = {"Limit": LIMIT, "Remaining": remaining, "Reset": reset, "Used": min(self.used, LIMIT)}
        for name, number in numbers.items():
            response.headers.setdefault(f"X-RateLimit-{name}", str(number))
        response.headers["Date"] = http_date(self.world.now())  # one clock for all that an answer tells
        response.headers.setdefault("X-RateLimit-Resource", "core")
        response.headers.setdefault("X-GitHub-Media-Type", "github.v3; format=json")
        response.headers.setdefault("X-GitHub-Request-Id", f"C0DE:{len(self.calls):X}")


def _refused(refusal: Refusal) -> Response:
    body: dict[str, Any] = {"message": refusal.message}
    if isinstance(refusal, Redirect):
        body["url"] = refusal.target
    if refusal.errors is not None:
        body["errors"] = refusal.errors
    body |= {"documentation_url": DOCUMENTATION, "status": str(refusal.status)}
    return Response(
        json.dumps(body), refusal.status, refusal.headers, content_type="application/json; charset=utf-8"
    )


def need(world: World, right: str) -> None:
    """Refuse with 403 unless the token has a right ('statuses'; or 'statuses:read' for a read)."""
    name, _, level = right.partition(":")
    rights = g.get("rights", world.rights)
    if name in rights or (level == "read" and right in rights):
        return
    by = "integration" if g.kind == "installation" else "personal access token"
    wanted = {"x-accepted-github-permissions": f"{name}={level or 'write'}"}
    raise Refusal(403, f"Resource not accessible by {by}", headers=wanted)


def find_repository(world: World, owner: str | None, name: str | None, repository_id: int | None) -> Repo:
    """Return the repository of a path; one under an earlier name is answered with a redirect.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
    """
    if repository_id is not None:
        repo = world.repos.get(repository_id)
        if repo is None or repo.deleted:
            raise Refusal(404, "Not Found")
        return repo
    repo = world.find(f"{owner}/{name}")
    if repo.full_name.casefold() != f"{owner}/{name}".casefold():
        rest = request.full_path.rstrip("?").split("/", 4)[4:]
        target = "/".join([f"{world.api}/repositories/{repo.id}", *rest])
        code, word = (301, "Moved Permanently") if request.method == "GET" else (307, "Temporary Redirect")
        raise Redirect(code, word, target)
    return repo


class Redirect(Refusal):
    """The way to a repository that has moved."""

    def __init__(self, status: int, message: str, target: str) -> None:
        super().__init__(status, message, headers={"Location": target})
        self.target = target
