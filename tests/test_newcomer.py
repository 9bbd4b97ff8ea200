"""The newcomer's half hour: docs/operate.md's first section, each command word for word, up to the first merge."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import file
from demo.inbox import PretendInbox
from demo.story.browser import Browser
from tests.test_protect import MINE
from tests.test_setup import Stage, install, register, status_of
from tests.world import SHOP, aws, wait_until

ROOT = Path(__file__).parent.parent
SECTION = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8").partition("## Set it up")[2]
COMMANDS = [
    line
    for block in re.findall(r"^```\n(.*?)^```$", SECTION.partition("\n## ")[0], re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


class Server(Stage):
    """The same stage, on which commands are typed as they stand in the document."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.inbox = PretendInbox().start()
        self.done: list[str] = []
        # "AWS_* keys go into data/settings.env" (README, without Docker).
        keys = {name: value for name, value in aws(self.inbox).items() if name != "AWS_DEFAULT_REGION"}
        file.write(self.path, keys)
        programs = Path(sys.executable).parent
        self.environ |= {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "DATABASE_URL": f"sqlite:///{folder / 'data' / 'qa-gate.db'}",
            "PYTHONUNBUFFERED": "1",
        }

    def type(self, command: str, **environ: str) -> subprocess.Popen[str]:
        """Type one command of the document, in the document's order."""
        assert command == COMMANDS[len(self.done)]
        self.done.append(command)
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env={**self.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.append(process)
        return process

    def see(self, command: str, **environ: str) -> tuple[int, str]:
        process = self.type(command, **environ)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
            process.communicate(timeout=60)
        super().stop()
        self.inbox.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.stop()


def test_a_newcomer_gets_from_nothing_to_a_locked_branch_and_the_first_merge(server: Server) -> None:
    github = server.github
    setup = server.type("qa-gate setup")
    assert setup.stdin
    setup.stdin.write("".join(f"{line}\n" for line in server.answers))
    setup.stdin.flush()
    install(server, setup, register(server, setup))
    assert setup.returncode == 0
    assert server.kept()["OPERATOR"] == "Olga <olga@example.com>"

    server.type("qa-gate serve")
    wait_until(lambda: status_of(f"{server.url}/readyz") == "200", 90)
    code, said = server.see("qa-gate doctor")
    assert code == 2
    bad = [line for line in said.splitlines() if not line.startswith("ok")]
    assert len(bad) == 2, said
    assert all("run qa-gate protect acme/shop." in line for line in bad)

    github.add_token(MINE, "olga", "administration", "contents")
    assert "--yes" in server.see("qa-gate protect acme/shop", GH_TOKEN=MINE)[1]
    assert github.repo().rulesets == {}
    assert server.see("qa-gate protect acme/shop --yes", GH_TOKEN=MINE)[0] == 0

    code, said = server.see("qa-gate doctor --mail")
    assert code == 0, said
    assert server.inbox.mails[-1].address == "lily@example.com"
    code, said = server.see("qa-gate doctor --json")
    assert (code, {one["verdict"] for one in json.loads(said)["checks"]}) == (0, {"ok"})
    assert server.done == COMMANDS

    github.commit(SHOP, "gift-cards", {"cards.py": "cards\n"}, "Add gift cards")
    number = github.open_pull_request(SHOP, "gift-cards", title="Add gift cards")
    mail = server.inbox.wait_for("gift cards", timeout=60)
    link = next(
        one["url"] for one in mail.links if one["url"].endswith("#approve") or "/decide/" in one["url"]
    )
    browser = Browser()
    browser.press(browser.open(link), "approve")
    wait_until(lambda: github.pull(number).merged, 60)
    assert github.read(SHOP, "development", "cards.py") == b"cards\n"
