"""docs/operate.md, typed word for word: a backup while the gate runs, what was lost after it, and a move to PostgreSQL.

What needs Docker, root or a cloud is marked so in the papers; the rest of them is run here or by the newcomer.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.db.schema import revisions
from demo.story.browser import Browser
from tests.test_cli import Stage
from tests.test_newcomer import COMMANDS as NEWCOMERS
from tests.world import SHOP, wait_until

ROOT = Path(__file__).parent.parent
PAPERS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/operate.md")}
# What a block needs that no test has.
MARKS = {"docker", "aws", "root"}
# The README's own: the demo's tests run the first, and CI the second.
BY_OTHERS = {"make demo", "make test"}


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """Every block of commands: its mark, and its lines without remarks."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [
        (mark, [re.sub(r" +# .*", "", line).strip() for line in lines.splitlines()])
        for _, mark, lines in found
    ]


def section(heading: str) -> list[str]:
    """The commands of a section of docs/operate.md that are run as they stand."""
    text = PAPERS["docs/operate.md"].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for mark, lines in blocks(text) if not mark for line in lines]


MINE = [*section("Back up"), *section("Restore"), *section("Move")]


class Server(Stage):
    """A machine on which commands are typed in the folder that holds data/."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.github.add_person("sam")
        self.environ |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "DATABASE_URL": "sqlite:///data/qa-gate.db",
            "OPERATOR": "Olga <olga@example.com>",
            "PYTHONUNBUFFERED": "1",
        }
        self.gate: subprocess.Popen[bytes] | None = None

    def type(self, command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def start_gate(self) -> None:
        with (self.folder / "gate.log").open("ab") as log:
            self.gate = subprocess.Popen(
                ["qa-gate", "serve"], cwd=self.folder, env=self.environ, stdout=log, stderr=log
            )
        wait_until(lambda: self.get("/readyz") == 200, 90)

    def stop_gate(self) -> None:
        if self.gate:
            self.gate.terminate()
            assert self.gate.wait(60) == 0
            self.gate = None

    def stop(self) -> None:
        self.stop_gate()
        super().stop()

    def ask(self, branch: str) -> tuple[int, str]:
        """Open a pull request; return its number and the link in Lily's mail."""
        self.github.commit(SHOP, branch, {f"{branch}.py": f"{branch}\n"}, f"Add {branch}")
        number = self.github.open_pull_request(SHOP, branch, title=f"Add {branch}")
        mail = self.inbox.wait_for(f"Add {branch}", timeout=60)
        return number, next(one["url"] for one in mail.links if "/decide/" in one["url"])

    def approve(self, number: int, link: str) -> None:
        browser = Browser()
        browser.press(browser.open(link), "approve")
        wait_until(lambda: self.github.pull(number).merged, 60)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.stop()


def test_back_up_restore_and_move_word_for_word(server: Server, new_postgres_url: Callable[..., str]) -> None:
    (back_up,), (put_aside, restore), (back_up_to_move, move) = (
        section(heading) for heading in ("Back up", "Restore", "Move")
    )
    server.start_gate()
    cards, link = server.ask("cards")
    code, said = server.type(back_up)
    assert code == 0, said
    assert "Keep your settings and keys" in said
    server.approve(cards, link)  # and nothing knows of it any more
    code, said = server.type(restore)
    assert (code, "The gate still answers at" in said) == (2, True)
    server.stop_gate()
    code, said = server.type(restore)
    assert (code, "isn't empty" in said) == (2, True)
    assert server.type(put_aside) == (0, "")
    code, said = server.type(restore)
    assert code == 0, said
    assert "is restored" in said
    server.start_gate()
    server.inbox.wait_for("restored from a backup", timeout=60)
    wine, link = server.ask("wine")
    assert {"lily@example.com", "olga@example.com"} <= {mail.address for mail in server.inbox.mails}

    assert server.type(back_up_to_move.replace("move.gz", "running.gz"))[0] == 0
    server.stop_gate()
    assert server.type(back_up_to_move)[0] == 0
    server.environ["DATABASE_URL"] = new_postgres_url("template1")
    code, said = server.type(move.replace("move.gz", "running.gz"))
    assert (code, "was running when" in said) == (2, True)
    code, said = server.type(move)
    assert code == 0, said
    server.start_gate()
    server.approve(wine, link)
    assert f"its schema is this version's ({revisions()[-1]})" in server.type("qa-gate doctor")[1]


@pytest.mark.parametrize("paper", PAPERS)
def test_every_command_of_the_papers_is_run_by_a_test_or_marked(paper: str) -> None:
    run = {*NEWCOMERS, *MINE, *BY_OTHERS}
    shown = blocks(PAPERS[paper])
    assert shown
    assert {mark for mark, _ in shown} <= {"", *MARKS}
    left = [line for mark, lines in shown if not mark for line in lines if line not in run]
    assert left == []
    for mark, lines in shown:
        needs = {"docker": "docker ", "aws": "aws ", "root": "sudo "}.get(mark, "")
        assert any(needs in line for line in lines), lines  # else it is marked in vain


@pytest.mark.parametrize("paper", PAPERS)
def test_what_is_not_run_is_at_least_what_a_shell_can_read(paper: str) -> None:
    for _, lines in blocks(PAPERS[paper]):
        subprocess.run(["bash", "-n"], input="\n".join(lines), text=True, check=True)
