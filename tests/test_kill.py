"""`kill -9` at every instant of the story, on both databases: still merged once, still mailed.

Each try kills the gate's process at the next instant, starts a new one after the lease has ended, and goes on.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.db.jobs import LEASE
from app.db.store import Store
from app.domain.facts import State
from demo.github import PretendGitHub
from demo.inbox import PretendInbox
from tests.builders import NOON, Clock
from tests.databases import fill
from tests.mortal import Mortal
from tests.world import SHOP, TOKEN, WEBHOOK_SECRET, aws, environment

PUBLIC_URL = "http://127.0.0.1:1"
# More instants than a life has; the test stops by itself when a life was not killed.
MOST_INSTANTS = 240


@pytest.fixture
def inbox() -> Iterator[PretendInbox]:
    inbox = PretendInbox()
    inbox.start()
    yield inbox
    inbox.stop()


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives a fresh database for every try."""
    if request.param == "postgresql":
        create: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        return create
    numbers = count(1)
    return lambda: fill(f"sqlite:///{tmp_path / f'{next(numbers)}.db'}")


class Story:
    """One pull request from opening to merge, by processes that may be killed."""

    def __init__(self, folder: Path, database_url: str, inbox: PretendInbox) -> None:
        self.clock = Clock(NOON)
        self.inbox = inbox
        self.inbox.mails.clear()
        self.github = PretendGitHub(
            folder, token=TOKEN, webhook_secret=WEBHOOK_SECRET, webhook_url=None, clock=self.clock
        )
        self.github.start()
        settings = environment(self.github, PUBLIC_URL, DATABASE_URL=database_url)
        self.environ = {**settings, **aws(inbox)}
        self.store = Store(database_url, self.clock)
        self.store.create()
        self.gate: Mortal | None = None
        self.was_killed = False

    def stop(self) -> None:
        if self.gate:
            self.gate.end()
        self.github.stop()
        self.store.close()

    def run(self, task: str, *arguments: Any) -> Any:
        """Run one task to its end, in a second process if it kills the first."""
        while True:
            self.gate = self.gate or Mortal(self.environ)
            told = self.gate.run(self.clock(), task, *arguments)
            if told is not None:
                return told[0]
            self.gate, self.was_killed = None, True
            self.clock.pass_(seconds=(LEASE + timedelta(seconds=1)).total_seconds())

    def rest(self) -> None:
        """Work until nothing is left to do, now and after the waits."""
        for _ in range(2):
            self.run("work")
            self.clock.pass_(seconds=5)

    def play(self, kill_at: int) -> None:
        """Open, ask, approve, merge; every answer that was acknowledged is not asked for again."""
        self.run("doom", kill_at)
        self.begin()
        self.rest()
        link = re.findall(r"/decide/[\w.-]+", self.inbox.mails[0].text)[0]
        assert self.run("post", link, {"data": {"choice": "approve", "note": ""}}) == 303
        self.rest()

    def begin(self) -> None:
        """Open a pull request, and let its webhook arrive."""
        self.github.create_repository(SHOP)
        self.github.add_person("sam")
        self.github.commit(SHOP, "gift-cards", {"cards.py": "gift cards\n"}, "Add gift cards", "sam")
        self.github.open_pull_request(SHOP, "gift-cards", title="Add gift cards")
        body = self.github.deliveries[-1].body
        signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "X-GitHub-Event": "pull_request",
            "X-GitHub-Delivery": "first",
            "X-Hub-Signature-256": f"sha256={signature}",
            "Content-Type": "application/json",
        }
        assert self.run("post", "/webhook", {"data": body, "headers": headers}) == 202

    def check(self) -> None:
        """The promises."""
        # On PostgreSQL a kill may leave a gap in the numbers.
        (row,) = filter(None, map(self.store.reviews.get, range(1, 5)))
        assert (row.state, row.bypassed, self.store.problems.troubles([])) == (State.MERGED, False, [])
        assert self.github.log(SHOP, "development")[0].sha == row.merge_commit
        assert len(self.github.log(SHOP, "development")) == 2
        merges = [call for call in self.github.calls if call.method == "PUT" and call.status == 200]
        assert len(merges) == 1
        reviews = [review.state for review in self.github.pull(1).reviews]
        assert reviews == ["APPROVED"]
        assert self.github.repo().statuses[row.head_sha][-1].state == "success"
        assert 1 <= len(self.inbox.mails) <= 2
        asked = [line.what for line in self.store.reviews.history(row.id)]
        assert [asked.count(what) for what in ("asked", "approved", "merged")] == [1, 1, 1]


@pytest.mark.parametrize("new_database", ["sqlite", "postgresql"], indirect=True)
def test_killed_at_every_instant_it_is_still_merged_once(
    tmp_path: Path, inbox: PretendInbox, new_database: Callable[[], str]
) -> None:
    copies = 0
    for instant in range(1, MOST_INSTANTS):
        story = Story(tmp_path / f"git{instant}", new_database(), inbox)
        try:
            story.play(instant)
            story.check()
        except AssertionError as error:
            raise AssertionError(f"killed at instant {instant}: {error}") from error
        finally:
            story.stop()
        copies += len(inbox.mails) > 1
        if not story.was_killed:
            break
    assert not story.was_killed, "the story has more instants than MOST_INSTANTS"
    assert instant > 20, "the story was hardly killed"
    # Only between SES's answer and its being kept nobody knows that the mail went out.
    assert copies <= 1, f"at {copies} instants the mail came twice"
