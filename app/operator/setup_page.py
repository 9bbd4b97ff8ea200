"""The one guarded page of `qa-gate setup`: it leads to GitHub to register the App, and then to install it.

Served by `setup` alone, never beside the gate. A code of 128 bits, shown in the terminal, opens it once; after five wrong
ones it is closed. GitHub's way back counts only in the browser that was let in, and only once.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flask import Flask, Response, redirect, render_template, request, send_from_directory, session
from flask.typing import ResponseReturnValue
from werkzeug.serving import WSGIRequestHandler, make_server

from app import folder
from app.github.answers import GitHubError


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
    code: str = field(default_factory=partial(secrets.token_hex, 16))
    step: str = "code"
    install_url: str = ""
    problem: str = ""
    tries_left: int = 5
    state: str = field(default_factory=secrets.token_urlsafe)  # comes back with GitHub's code
    seen: threading.Event = field(default_factory=threading.Event)  # its end, by the person
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def let_in(self, given: str) -> bool:
        """Tell whether this is the right code; it is so only once."""
        with self._lock:
            if self.step != "code":
                return False
            if _same(given.strip().lower(), self.code):
                self.step = "register"
                return True
            self.tries_left -= 1
            self.step = "code" if self.tries_left else "closed"
            return False

    def come_back(self, state: str, code: str) -> bool:
        """Take GitHub's code, once, for what was asked there; else False."""
        with self._lock:
            if not self.state or not _same(state, self.state):
                return False
            self.state = ""
        try:
            self.install_url = self.register(code)
        except GitHubError as error:
            self.problem = error.reason
        except OSError as error:
            self.problem = f"The key could not be written beside the settings file ({error.strerror})."
        self.step = "failed" if self.problem else "install"
        return True


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode(), wanted.encode())


def create_page(about: Registration) -> Flask:
    """Return the page as an application."""
    app = Flask("app.operator", template_folder=str(folder("templates")), static_folder=None)
    is_https = about.public_url.startswith("https://")
    app.config.update(
        MAX_CONTENT_LENGTH=8 * 1024,
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME="__Host-qa-gate-setup" if is_https else "qa-gate-setup",
        SESSION_COOKIE_SECURE=is_https,
        SESSION_COOKIE_SAMESITE="Lax",
    )

    def page(step: str, status: int = 200) -> ResponseReturnValue:
        return render_template("setup/page.html", step=step, about=about), status

    @app.get("/setup")
    def show() -> ResponseReturnValue:
        if about.step == "closed":
            return page("closed", 403)
        if "is_let_in" not in session:
            return page("code")
        if about.step in ("done", "failed"):
            about.seen.set()
        return page(about.step, 502 if about.problem else 200)

    @app.post("/setup")
    def enter() -> ResponseReturnValue:
        if not about.let_in(request.form.get("code", "")):
            return page("closed" if about.step == "closed" else "wrong", 403)
        session["is_let_in"] = True
        return redirect(f"{about.public_url}/setup", 303)

    @app.get("/setup/registered")
    def registered() -> ResponseReturnValue:
        state, code = request.args.get("state", ""), request.args.get("code", "")
        if "is_let_in" not in session or not about.come_back(state, code):
            return page("stray", 403)
        return redirect(f"{about.public_url}/setup", 303)

    @app.get("/setup/<any('style.css', 'favicon.svg'):name>")
    def look(name: str) -> Response:
        return send_from_directory(folder("templates") / "static", name)

    @app.after_request
    def guard(answer: Response) -> Response:
        site = "/".join(about.form_url.split("/")[:3])
        policy = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action"
        answer.headers |= {
            "Content-Security-Policy": f"{policy} 'self' {site};",
            "Referrer-Policy": "strict-origin",  # GitHub wants to know whose form it is
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
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
    with make_server(host, port, app, threaded=True, request_handler=_Quiet, fd=line.fileno()) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), name="setup", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
