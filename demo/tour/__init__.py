"""The tour: one page on loopback that shows a developer's desk, Lily's inbox and the repository side by side.

Made by `demo.world`. It stands where GitHub's website would be, too: the links to "the code" lead here. It never
talks to the gate: what the page shows was read from the pretend GitHub and from the pretend inbox.
"""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from flask import Flask, Response, abort, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from demo.github.state import Pull
from demo.inbox import PretendInbox
from demo.tour import git
from demo.tour.desk import Desk, NotPossible
from demo.tour.picture import picture

_TEMPLATES = Path(__file__).parent.parent / "templates" / "tour"
_ACTIONS = frozenset({"push", "clash", "resolve", "fail", "fix", "merge", "answer"})
_PAGE = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
_MAIL = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
_SHOP = "default-src 'self'; style-src 'self' 'unsafe-inline'; sandbox"


def create_tour(desk: Desk, inbox: PretendInbox) -> Flask:
    """Return the tour's web application; it keeps which mails were opened, and nothing else."""
    app = Flask(__name__, template_folder=str(_TEMPLATES), static_folder=str(_TEMPLATES / "static"))
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
    app.after_request(_add_headers)
    app.register_error_handler(NotPossible, lambda why: (jsonify(problem=str(why)), 409))
    _show_everything(app, desk, inbox)
    _take_the_buttons(app, desk)
    _show_code(app, desk)
    return app


def _show_everything(app: Flask, desk: Desk, inbox: PretendInbox) -> None:
    opened: set[int] = set()

    @app.get("/")
    def tour() -> str:
        return render_template("tour.html", example=desk.next, is_first=not desk.repo.pulls)

    @app.get("/state.json")
    def state() -> Response:
        answer = jsonify(picture(desk, inbox, opened))
        answer.cache_control.no_cache = True
        answer.add_etag()
        answer.make_conditional(request)
        return answer

    @app.get("/mails/<int:number>")
    def mail(number: int) -> Response:
        if not 0 < number <= len(inbox.mails):
            abort(404)
        opened.add(number)
        # As a mail program does, each link opens beside the mail.
        html = re.sub("<head>", '<head><base target="_blank">', inbox.mails[number - 1].html, count=1)
        return Response(html, headers={"Content-Security-Policy": _MAIL})


def _take_the_buttons(app: Flask, desk: Desk) -> None:
    @app.post("/pulls")
    def open_pull() -> ResponseReturnValue:
        words = _words()
        title = str(words.get("title", "")).strip()
        if not title:
            raise NotPossible("It needs a title.")
        return jsonify(number=desk.open(title, str(words.get("body", "")))), 201

    @app.post("/push")
    def push_directly() -> ResponseReturnValue:
        _words()
        desk.push_directly()
        return jsonify(number=0)

    @app.post("/pulls/<int:number>/<action>")
    def act(number: int, action: str) -> ResponseReturnValue:
        _words()
        if action not in _ACTIONS:
            abort(404)
        getattr(desk, action)(number)
        return jsonify(number=number)


def _words() -> dict[str, object]:
    """Return the JSON object of a request; only our own page can send one, another site's cannot."""
    words = request.get_json(silent=True)
    if not isinstance(words, dict):
        abort(415)
    return words


def _show_code(app: Flask, desk: Desk) -> None:
    repository = desk.repo.git.path

    @app.get("/acme/shop/pull/<int:number>")
    def code(number: int) -> str:
        pull = desk.repo.pulls.get(number) or abort(404)
        return show_code(pull.base_sha, pull.head_sha, pull)

    @app.get("/acme/shop/compare/<base>...<head>")
    def compare(base: str, head: str) -> str:
        before, after = (desk.repo.git.resolve(name) or abort(404) for name in (base, head))
        return show_code(before, after)

    def show_code(base: str, head: str, pull: Pull | None = None) -> str:
        lines = [(_kind(line), line) for line in git.diff(repository, base, head).splitlines()]
        return render_template("code.html", pull=pull, base=base, head=head, lines=lines)

    @app.get("/preview/<int:number>")
    def preview_root(number: int) -> ResponseReturnValue:
        return redirect(f"/preview/{number}/")

    @app.get("/preview/<int:number>/")
    @app.get("/preview/<int:number>/<path:path>")
    def preview(number: int, path: str = "index.html") -> Response:
        pull = desk.repo.pulls.get(number) or abort(404)
        file = git.file_at(repository, pull.head_sha, f"site/{path}")
        if file is None:
            abort(404)
        kind = mimetypes.guess_type(path)[0] or "text/plain"
        return Response(
            file, content_type=f"{kind}; charset=utf-8", headers={"Content-Security-Policy": _SHOP}
        )


def _kind(line: str) -> str:
    """Return how a line of a diff looks: of a file's head, of a place, added, removed, or as it was."""
    if re.match(r"diff --git |index |--- |\+\+\+ |new file |deleted file |similarity |rename ", line):
        return "file"
    return {"@": "place", "+": "added", "-": "removed"}.get(line[:1], "same")


def _add_headers(answer: Response) -> Response:
    answer.headers.setdefault("Content-Security-Policy", _PAGE)
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
