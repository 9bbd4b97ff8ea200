"""A gate's pages over a real store, and the hands that move its rows as the worker does, without GitHub or a mailer."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import select
from werkzeug.test import Client, TestResponse

from app import web
from app.db.columns import metadata
from app.db.jobs import Kind, Rest
from app.db.letters import NewLetter
from app.db.rows import Happening
from app.db.store import Store
from app.domain.approval import Choice
from app.domain.events import PullRequestEvent
from app.domain.facts import Seen, State
from app.domain.policy import Policy, Reviewer
from app.domain.review import Review
from app.domain.rules import Event, Move, next_move
from app.jobs.gate import Gate
from app.links import Links, SignInLink, decide_link
from app.web.pictures import FormRequest
from tests.builders import HEAD, LILY, Clock, columns, snapshot, told
from tests.world import compiled_once

TEMPLATES = Path(__file__).parent.parent / "templates"
MAX = Reviewer("Max", "max@example.com")
_numbers = count(1)
_COPIED = "base head head_sha open draft merged title author url private".split()


class Desk:
    """A gate's pages, and the hands that move its rows."""

    def __init__(self, url: str, preview_url: str | None = "https://{branch}.shop.example") -> None:
        self.clock = Clock()
        self.store = Store(url, self.clock)
        self.store.create()
        self.gate = self._gate(Policy((LILY, MAX), ("acme/shop",)), preview_url)
        self.app = self._app(self.gate)
        self.client = self.app.test_client()
        self.get = partial(self.client.get, buffered=True)  # so that files are closed

    def _gate(self, policy: Policy, preview_url: str | None = None, url: str = "http://localhost") -> Gate:
        links = Links(["k" * 40], url, 30)
        zone = ZoneInfo("Europe/Berlin")
        return Gate(policy, self.store, links, None, None, url, zone, preview_url)  # type: ignore[arg-type]

    def _app(self, gate: Gate) -> Flask:
        app = Flask("app", template_folder=str(TEMPLATES), static_folder=None)
        app.request_class = FormRequest
        app.config["SECRET_KEY"] = "s" * 40
        app.register_blueprint(web.blueprint(gate))
        return compiled_once(app)

    def without(self, reviewer: Reviewer) -> Client:
        """The same gate, after this reviewer was taken from QA_REVIEWERS."""
        named = tuple(person for person in self.gate.policy.reviewers if person != reviewer)
        return self._app(self._gate(Policy(named, ("acme/shop",)))).test_client()

    # --- Rows -----------------------------------------------------------------------------------------------

    def new(self, number: int = 12) -> Review:
        """A row that a webhook just made."""
        self._wake(number, "Add gift cards")
        return self.row(number)

    def ask(self, number: int = 12, asks: Reviewer = LILY, **facts: Any) -> Review:
        """A row that waits for an answer."""
        self.new(number)
        return self.ask_again(number, asks, **facts)

    def ask_again(self, number: int = 12, asks: Reviewer = LILY, **facts: Any) -> Review:
        row = self.row(number)
        asked = snapshot(number=number, **{"head_sha": row.head_sha or HEAD, **facts})
        return self.change(
            number,
            next_move(State.TO_ASK, Event.ASKED),
            asked=asked,
            letter=NewLetter(f"ask {row.id} {row.round}", "ask", asks.id, row.id, row.round),
            reviewer=asks.id,
            happened=[Happening("asked", asks.name)],
            **{name: getattr(asked.pull, name) for name in _COPIED},
        )

    def change(self, number: int, move: Move | None, problem: str | None = None, **changes: Any) -> Review:
        """What the worker does to a row: claim it, write, give it back."""
        self._wake(number, f"title {next(_numbers)}")
        row = self.row(number)
        while True:
            claim = self.store.queue.claim((Kind.REVIEW,))
            assert claim is not None
            if claim.id == row.id:
                break
            self.store.queue.finish(claim, Rest())
        changes = columns(row.facts, changes)
        self.store.checkpoints.write(claim, row, move=move, seen_rev=row.rev, **changes)
        self.store.queue.finish(claim, Rest(wait=timedelta(minutes=5) if problem else None, problem=problem))
        return self.row(number)

    def follow(self, number: int, event: Event, **changes: Any) -> Review:
        """Let a row follow an event by the rules."""
        move = next_move(self.row(number).state, event)
        assert move is not None
        if event is Event.NEW_HEAD:
            changes = {"head_sha": f"{next(_numbers):040x}", "base": self.row(number).base, **changes}
        return self.change(number, move, **changes)

    def row(self, number: int) -> Review:
        rows = (self.store.reviews.get(review_id) for review_id in range(1, 50))
        return next(row for row in rows if row and row.number == number)

    def _wake(self, number: int, title: str) -> None:
        seen = Seen("f" * 40, "development", True, False, False, title, "0" * 16)
        self.told(told(seen, number))

    def told(self, event: PullRequestEvent) -> None:
        """A webhook tells of a pull request."""
        self.store.inbox.put(f"delivery-{next(_numbers)}", event)
        self.store.inbox.fold(self.gate.policy)

    # --- Links and clicks -----------------------------------------------------------------------------------

    def link(self, row: Review, choice: Choice = Choice.APPROVE, reader: Reviewer = LILY) -> str:
        """The path of a link to the row's current round."""
        url = self.gate.links.decide_url(decide_link(row, reader.id, choice), self.clock())
        return url.removeprefix("http://localhost")

    def post(self, path: str, choice: str, note: str = "", **options: Any) -> TestResponse:
        return self.client.post(path, data={"choice": choice, "note": note}, **options)

    def see(self, path: str) -> str:
        return said(self.get(path))

    def sign_in_link(self, reader: Reviewer = LILY) -> str:
        """The path of the link in a sign-in letter."""
        self.clock.pass_(minutes=2)
        self.store.letters.request(NewLetter(f"sign_in {next(_numbers)}", "sign_in", reader.id))
        letter = max(self.tables()["letters"], key=lambda letter: letter["id"])["nonce"]
        url = self.gate.links.sign_in_url(SignInLink(letter, reader.id), self.clock())
        return url.removeprefix("http://localhost")

    def sign_in(self, reader: Reviewer = LILY) -> None:
        assert self.client.post(self.sign_in_link(reader)).status_code == 303

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """All that is in the database."""
        with self.store.database.read() as connection:
            return {
                table.name: [dict(row._mapping) for row in connection.execute(select(table))]
                for table in metadata.sorted_tables
            }


def said(answer: TestResponse) -> str:
    """What a page says, without its markup, in one line."""
    page = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("&#39;", "'").split())
