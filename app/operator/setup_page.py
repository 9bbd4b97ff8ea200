"""The one guarded page of `qa-gate setup`: it leads to GitHub to register the App, and then to install it.

Served by `setup` alone, never beside the gate. A code of 128 bits, shown in the terminal, opens it once; after five wrong
ones it is closed. GitHub's way back counts only in the browser that was let in, and only once.
"""

from __future__ import annotations

import base64
import logging
import secrets
import socket
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, redirect, render_template, request, send_from_directory
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as Answered

from app import wording
from app.github.answers import GitHubError

TRIES = 5
LARGEST_FORM = 8 * 1024
Answer = Answered | tuple[str, int]


def new_code() -> str:
    """Return 128 random bits, as a person can type them."""
    letters = base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=")
    return "-".join(textwrap.wrap(letters, 5))


@dataclass(eq=False)
class Registration:
    """How far it is. `register` takes GitHub's code, and returns where to install the App.

    The steps are those of the page: code, register, install, done; or closed, or failed.
    """

    public_url: str
    form_url: str  # at GitHub
    manifest: str  # in JSON, as GitHub's form takes it
    register: Callable[[str], str]
    repositories: tuple[str, ...]
    code: str = field(default_factory=new_code)
    step: str = "code"
    install_url: str = ""
    problem: str = ""
    tries_left: int = TRIES
    seen: threading.Event = field(default_factory=threading.Event)  # its end, by the person
    _cookie: str = ""  # of the browser that was let in
    _state: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def let_in(self, given: str) -> str | None:
        """Return the cookie for who gives the right code, once; None for who does not."""
        typed = given.upper().replace("-", "").replace(" ", "").encode()
        with self._lock:
            if self.tries_left <= 0 or self._cookie:
                return None
            if not secrets.compare_digest(typed, self.code.replace("-", "").encode()):
                self.tries_left -= 1
                self.step = self.step if self.tries_left else "closed"
                return None
            self._cookie, self._state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
            self.step = "register"
            return self._cookie

    def is_in(self, cookie: str) -> bool:
        """Tell whether this is the browser that was let in."""
        return bool(self._cookie) and secrets.compare_digest(cookie.encode(), self._cookie.encode())

    def come_back(self, cookie: str, state: str, code: str) -> bool:
        """Take GitHub's code, once, from the browser that was let in, for what was asked there; else False."""
        with self._lock:
            if not self.is_in(cookie) or not self._state:
                return False
            if not secrets.compare_digest(state.encode(), self._state.encode()):
                return False
            self._state = ""
        try:
            self.install_url = self.register(code)
        except GitHubError as error:
            self.problem = error.reason
        except OSError as error:
            self.problem = f"The key could not be written beside the settings file ({error.strerror})."
        self.step = "failed" if self.problem else "install"
        return True

    @property
    def target(self) -> str:
        """Return where the form goes."""
        return f"{self.form_url}?state={self._state}"


def create_page(about: Registration) -> Flask:
    """Return the page as an application."""
    app = Flask("app.operator", template_folder=str(wording.templates()), static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FORM
    is_https = about.public_url.startswith("https://")
    cookie_name = "__Host-qa-gate-setup" if is_https else "qa-gate-setup"

    def page(step: str, status: int = 200) -> Answer:
        return render_template("setup/page.html", step=step, about=about), status

    def cookie() -> str:
        return request.cookies.get(cookie_name, "")

    @app.get("/setup")
    def show() -> Answer:
        if about.step == "closed":
            return page("closed", 403)
        if not about.is_in(cookie()):
            return page("code")
        if about.step in ("done", "failed"):
            about.seen.set()
        return page(about.step, 502 if about.problem else 200)

    @app.post("/setup")
    def enter() -> Answer:
        given = about.let_in(request.form.get("code", ""))
        if given is None:
            return page("closed" if about.step == "closed" else "wrong", 403)
        answer = redirect(f"{about.public_url}/setup", 303)
        answer.set_cookie(cookie_name, given, secure=is_https, httponly=True, samesite="Lax", path="/")
        return answer

    @app.get("/setup/registered")
    def registered() -> Answer:
        if not about.come_back(cookie(), request.args.get("state", ""), request.args.get("code", "")):
            return page("stray", 403)
        return redirect(f"{about.public_url}/setup", 303)

    @app.get("/setup/style.css")
    def style() -> Answer:
        return send_from_directory(wording.templates() / "static", "style.css")

    @app.after_request
    def guard(answer: Response) -> Response:
        site = "/".join(about.form_url.split("/")[:3])
        policy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action"
        answer.headers.update(
            {
                "Content-Security-Policy": f"{policy} 'self' {site};",
                "Referrer-Policy": "strict-origin",  # GitHub wants to know whose form it is
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            }
        )
        return answer

    return app


class _Quiet(WSGIRequestHandler):
    timeout = 20  # who sends nothing is not waited for

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing: a path may hold GitHub's code."""


@contextmanager
def served(app: Flask, line: socket.socket) -> Iterator[None]:
    """Serve on a socket that listens already."""
    logging.getLogger("app.operator").setLevel(logging.CRITICAL)
    host, port = line.getsockname()[:2]
    server = make_server(host, port, app, threaded=True, request_handler=_Quiet, fd=line.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="setup", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
