"""A gate seen from outside: what tests of faults may do to it and see of it, whatever its inside looks like.

Pages, mails, statuses, merges in git, calls, log lines, /readyz. How today's gate is started, worked and restored is
known here only. A premise that does not hold raises `Broken`, never an AssertionError: then the test is wrong, not the gate.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

from werkzeug.test import Client

from app.db.backup import back_up, restore
from app.db.epoch import begin_epoch
from app.db.store import Store
from app.operator.backups import readers
from app.wiring import create_gate
from app.worker import Worker, wake_up, work_once
from demo.github import PretendGitHub
from demo.github.front import Call
from demo.github.state import Pull
from demo.inbox import Mail
from tests.world import SHOP, World, aws, environment

ROOT = Path(__file__).parent.parent
GATE = "qa-gate/development"


class Broken(Exception):
    """The test itself went wrong before it came to its point."""


def given(holds: object, what: str) -> None:
    """Insist on a premise."""
    if not holds:
        raise Broken(what)


@dataclass
class Outside:
    """One gate between the stand-ins, with a clock that is turned by hand."""

    world: World
    settings: dict[str, str]

    @property
    def github(self) -> PretendGitHub:
        return self.world.github

    @property
    def mails(self) -> list[Mail]:
        return self.world.inbox.mails

    # --- Time and work --------------------------------------------------------------------------------------

    def settle(self, most: int = 1000) -> None:
        """Let every webhook arrive and everything that is due be done."""
        for _ in range(most):
            self.github.settle()
            if not work_once(self.world.gate):
                return
        raise Broken("the gate finds no rest")

    def pass_(self, *, step: float = 0, **time: float) -> None:
        """Let time pass, at once or in steps of so many seconds, and do what falls due."""
        before = self.world.clock.now
        self.world.clock.pass_(**time)
        end, self.world.clock.now = self.world.clock.now, before
        while self.world.clock.now < end:
            left = (end - self.world.clock.now).total_seconds()
            self.world.clock.pass_(seconds=min(step or left, left))
            self.settle()

    def start(self) -> None:
        """Do what the worker does when it starts."""
        wake_up(self.world.gate)
        self.settle()

    def restart(self) -> None:
        """End the process and start another."""
        self.world.stop_gate()
        self.world.start_gate()
        self.start()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let the worker's own threads work meanwhile."""
        worker = Worker(self.world.gate)
        worker.start()
        try:
            yield
        finally:
            worker.stop()

    @contextmanager
    def second_process(self) -> Iterator[None]:
        """Let a second process with the same settings and database do the work meanwhile."""
        mine = self.world.gate
        self.world.gate = create_gate(self.world.settings, self.world.store)
        try:
            yield
        finally:
            self.world.gate = mine

    def command(self, name: str) -> tuple[int, str]:
        """Run one of the operator's commands; return its exit code and what it said. It uses the true time."""
        environ = {
            **{key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "HOME")},
            **environment(self.github, self.world.url, DATABASE_URL=self.world.database_url, **self.settings),
            **aws(self.world.inbox),
        }
        done = subprocess.run(
            [sys.executable, "-m", "app", name],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def keep_true_time(self, minutes_ago: float = 0) -> None:
        """Set the clock to now, or a while ago, for tests that also run commands."""
        self.world.clock.now = datetime.now(UTC) - timedelta(minutes=minutes_ago)

    # --- Backups --------------------------------------------------------------------------------------------

    def back_up(self, to: Path) -> Path:
        """Back up while the gate runs, as `qa-gate backup` does, by the clock that is turned by hand."""
        back_up(self.world.store.database, to)
        return to

    def restore(self, backup: Path, into: str = "", *, move: bool = False) -> None:
        """Go back to a backup as `qa-gate restore` does; webhooks held meanwhile are still held.

        It goes into a database of its own, a new SQLite file in place of the old one unless `into` names another.
        """
        self.world.stop_gate()
        if not into:
            for file in Path(self._file).parent.glob(f"{Path(self._file).name}*"):
                file.unlink()
        self.world.database_url = into or self.world.database_url
        store = Store(self.world.database_url, self.world.clock)
        begin = partial(begin_epoch, database=store.database, readers=readers(self.world.settings))
        restore(store.database, backup, begin=None if move else begin, is_move=move)
        store.close()
        self.world.start_gate()

    @property
    def _file(self) -> str:
        return self.world.database_url.removeprefix("sqlite:///")

    # --- Developers -----------------------------------------------------------------------------------------

    def open(self, branch: str = "gift-cards", base: str = "development", **more: Any) -> int:
        """Open a pull request with one commit on a branch of its own."""
        title = more.pop("title", f"Change {branch}")
        if branch not in self.github.repo().git.branches:
            self.commit(branch)
        return self.github.open_pull_request(SHOP, branch, base, title, f"About {branch}.", **more)

    def commit(self, branch: str, start_from: str = "development", by: str = "sam", **files: Any) -> str:
        """Push a commit; names of files without dots."""
        contents = {name.replace("_py", ".py"): text for name, text in files.items()}
        contents = contents or {f"{branch}.py": f"{branch}\n"}
        return self.github.commit(SHOP, branch, contents, f"Work on {branch}", by, start_from)

    def tip(self, branch: str = "development") -> str:
        return self.github.repo().git.branches[branch]

    def updated(self, head: str, base: str = "development", branch: str = "updated") -> str:
        """Merge a base into a commit, on a branch of its own, as the button does it; return the merge."""
        git, world = self.github.repo().git, self.github.world
        with world.lock:
            tree = git.merge(head, self.tip(base))
            given(tree, "a conflict")
            sha = git.write(
                "refs/tests/updated", (head, self.tip(base)), tree or "", "Update", world.github_signature()
            )
        self.github.force_push(SHOP, branch, sha)
        return sha

    # --- What GitHub shows ----------------------------------------------------------------------------------

    def pull(self, number: int) -> Pull:
        return self.github.pull(number)

    def is_merged(self, number: int = 1) -> bool:
        return self.pull(number).merged

    def status(self, number: int = 1, sha: str | None = None, context: str = GATE) -> str:
        """The newest state of the gate's status on a pull request's head, "" where there is none."""
        said = self.github.repo().statuses.get(sha or self.pull(number).head_sha, [])
        own = [one.state for one in said if one.context == context]
        return own[-1] if own else ""

    def comments(self, number: int = 1) -> int:
        """How many comments the gate wrote under a pull request."""
        bot = self.github.front.user
        return sum(one.number == number and one.user is bot for one in self.github.repo().comments.values())

    def said(self, words: str, number: int = 1) -> int:
        """How many reviews and comments under a pull request hold these words."""
        comments = (one for one in self.github.repo().comments.values() if one.number == number)
        return sum(words in one.body for one in (*self.pull(number).reviews, *comments))

    def calls(self, method: str = "", path: str = "") -> list[Call]:
        """The calls so far of this method and with this in their path."""
        return [
            call for call in self.github.calls if method in ("", call.method) and re.search(path, call.path)
        ]

    def release_text(self) -> str:
        """The text of the open release pull request, without numbers and SHAs of its own."""
        (text,) = (
            pull.body or ""
            for pull in self.github.repo().pulls.values()
            if pull.open and pull.base == "master"
        )
        return re.sub(r"\b[0-9a-f]{7,40}\b", "SHA", text)

    # --- Lily -----------------------------------------------------------------------------------------------

    def link(self, choice: str = "approve", mail: int | None = None) -> str:
        """The path of a link in one of her mails: the newest that asks something, unless said."""
        asking = [one for one in self.mails if len(decide_links(one)) >= 2]
        given(asking, "no mail with links")
        links = decide_links(asking[-1] if mail is None else self.mails[mail])
        given(len(links) >= 2, "no links in that mail")
        return links[0 if choice == "approve" else 1]

    def told(self, about: str, since: int = 0) -> list[str]:
        """The subjects of the mails that name this, from a number of mails on."""
        return [mail.subject for mail in self.mails[since:] if about in f"{mail.subject} {mail.text}"]

    def choose(self, choice: str = "approve", note: str = "", path: str | None = None) -> int:
        """Open the page of a link and press one of its buttons, as a browser does; return the answer's status.

        Where the page has no such button it is pressed all the same, as an old page that is still open would.
        """
        path = path or self.link(choice)
        page = self.world.browser.get(path).text
        hidden = re.findall(r'<input[^>]*type="hidden"[^>]*name="(\w+)"[^>]*value="([^"]*)"', page)
        return self.world.browser.post(
            path, data={**dict(hidden), "choice": choice, "note": note}
        ).status_code

    def may_approve(self, path: str) -> bool:
        """Tell whether the page of a link offers to approve."""
        return 'value="approve"' in self.world.browser.get(path).text

    def details(self, number: int = 1) -> str:
        """The path to which "Details" beside the status leads."""
        said = self.github.repo().statuses.get(self.pull(number).head_sha, [])
        given(said and said[-1].target_url, "no status with a link")
        return urlsplit(said[-1].target_url or "").path

    def asked(self, branch: str = "gift-cards", **more: Any) -> int:
        """Open a pull request and let Lily be asked about it."""
        mails, number = len(self.mails), self.open(branch, **more)
        self.settle()
        asking = [mail for mail in self.mails[mails:] if decide_links(mail)]
        given(any(self.pull(number).title in mail.text for mail in asking), "Lily was not asked")
        return number

    def approved(self, branch: str = "gift-cards", **more: Any) -> int:
        """Open, ask, approve; nothing is merged before the next settle."""
        number = self.asked(branch, **more)
        given(self.choose() < 400, "not approved")
        return number

    def ask_about(self, how_many: int) -> dict[int, str]:
        """Let Lily be asked about several people's changes; return the link to approve each by its number."""
        numbers = range(how_many)
        return {self.asked(f"change{number}", author=f"dev{number}"): self.link() for number in numbers}

    def approve_all(self, links: dict[int, str]) -> list[int]:
        """Approve these at one instant; return their numbers."""
        for path in links.values():
            given(self.choose(path=path) < 400, "not approved")
        return list(links)

    def browser(self) -> Client:
        """A browser that knows nothing yet."""
        return Client(self.world.browser.application)

    def sign_in_link(self) -> str:
        """The path of a sign-in link that Lily has asked for; its mail is thrown away."""
        self.browser().post("/sign-in", data={"address": "lily@example.com"})
        self.settle()
        links = re.findall(r"/sign-in/[\w.~-]+", self.mails.pop().text) if self.mails else []
        given(links, "no sign-in mail")
        return links[0]

    def sign_in(self) -> Client:
        """A browser in which Lily is signed in."""
        browser = self.browser()
        given(browser.post(self.sign_in_link()).status_code == 303, "not signed in")
        return browser

    @staticmethod
    def comes(condition: Callable[[], bool], seconds: float = 60) -> bool:
        """Tell whether something comes true in true time, while `at_work`."""
        end = monotonic() + seconds
        while not (holds := condition()) and monotonic() < end:
            sleep(0.03)
        return holds

    # --- The operator ---------------------------------------------------------------------------------------

    def readyz(self) -> tuple[int, dict[str, Any]]:
        """What /readyz says."""
        answer = self.world.browser.get("/readyz")
        return answer.status_code, answer.get_json()


def decide_links(mail: Mail) -> list[str]:
    """The paths of the links in a mail by which something can be decided."""
    return re.findall(r"/decide/[\w.~-]+", mail.text)


def words_of(browser: Client, path: str = "/") -> str:
    """What a page says, without markup, numbers and times."""
    page = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", browser.get(path).text, flags=re.DOTALL)
    return " ".join(re.sub(r"[^A-Za-z]+", " ", re.sub(r"<[^>]+>", " ", page)).split())


MakeOutside = Callable[..., Outside]
