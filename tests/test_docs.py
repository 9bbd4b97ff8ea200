"""What the papers draw, list and link is there, and is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from app import cli
from app.domain.rules import TABLE
from tests import diagram
from tests.screens import DOCS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / "docs" / "workflow.md").read_text(encoding="utf-8")
PAPERS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def _drawn() -> set[tuple[str, str]]:
    """Arrows of the state diagram; one from the group `open` stands for one from each of its members."""
    drawn = WORKFLOW.partition("stateDiagram-v2")[2].partition("```")[0]
    members = re.findall(r"^ {8}(\w+)$", drawn, re.MULTILINE)
    arrows = re.findall(r"^ {4}(\w+) --> (\w+)", drawn, re.MULTILINE)
    return {
        (member, end)
        for start, end in arrows
        for member in (members if start == "open" else [start])
        if member != end
    }


def test_the_state_diagram_is_the_table() -> None:
    moves = {(state, move.to) for (state, _), move in TABLE.items()}
    assert _drawn() == {(str(state), str(to)) for state, to in moves if state is not to}


def test_every_room_is_on_the_map() -> None:
    rooms = {path.stem for path in (ROOT / "app").iterdir() if not path.name.startswith("_")}
    section = README.partition("## The map")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == rooms


def test_the_picture_of_the_workflow_is_its_diagram() -> None:
    people, messages = diagram.source(WORKFLOW)
    assert (len(people), len(messages)) == (7, 18)
    assert (ROOT / "docs" / "workflow.svg").read_text(encoding="utf-8") == diagram.draw(WORKFLOW)


def test_the_steps_of_the_workflow_have_their_tools_each_once() -> None:
    table = WORKFLOW.partition("## Which tool at each step")[2].partition("## ")[0]
    steps = [
        step
        for first, last in re.findall(r"^\| (\d+)(?:–(\d+))? \|", table, re.MULTILINE)
        for step in range(int(first), int(last or first) + 1)
    ]
    assert steps == list(range(1, len(diagram.source(WORKFLOW)[1]) + 1))


def test_the_readme_is_read_in_ten_minutes() -> None:
    assert len(README.splitlines()) <= 200


def _anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_every_local_link_leads_somewhere(paper: Path) -> None:
    page = paper.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", page) + re.findall(r'src="([^"]+)"', page)
    wrong = []
    for link in links:
        place, _, anchor = link.partition("#")
        if "://" in place:
            continue
        leads_to = paper.parent / place if place else paper
        if not leads_to.exists() or (anchor and anchor not in _anchors(leads_to.read_text(encoding="utf-8"))):
            wrong.append(link)
    assert wrong == []


def _commands() -> list[str]:
    """Every command there is, the operator's too, which are loaded when they are asked for."""
    return cli.cli.list_commands(click.Context(cli.cli))


def _code(page: str) -> str:
    """What a page shows as code."""
    return "\n".join(re.findall(r"```\w*\n(.*?)```", page, re.DOTALL) + re.findall(r"`([^`\n]+)`", page))


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_every_command_that_is_shown_exists(paper: Path) -> None:
    shown = re.findall(r"(?<!-u )(?<![\w-])(?:qa-)?gate ([a-z]+)\b", _code(paper.read_text(encoding="utf-8")))
    assert set(shown) - {"qa", *_commands()} == set()


def test_the_papers_show_every_command_and_how_to_make_each_thing() -> None:
    code = "\n".join(_code(paper.read_text(encoding="utf-8")) for paper in PAPERS)
    own = {name for name in _commands() if name not in ("run", "shell", "routes")}  # Flask's
    assert own - set(re.findall(r"\bgate ([a-z]+)\b", code)) == set()


def test_there_are_links_to_check() -> None:
    assert "docs/workflow.svg" in README
    assert len(PAPERS) >= 8


def test_the_pictures_are_few_small_and_all_taken_by_make_screens() -> None:
    pictures = list((ROOT / "docs" / "screens").iterdir())
    assert {path.name for path in pictures} == {
        f"{name}-{width}-{scheme}.png" for name, width, scheme in DOCS
    }
    assert len(pictures) <= 12
    assert max(path.stat().st_size for path in pictures) < 100_000


def test_every_row_of_the_behaviour_page_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "behaviour.md").read_text(encoding="utf-8")
    rows = [
        line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| situation")
    ]
    named = {row: set(re.findall(r"`(test_\w+)`", row.rsplit("|", 2)[1])) for row in rows}
    written = {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(rows) > 50
    assert [row for row, names in named.items() if not names or row.count("|") != 7] == []
    assert set().union(*named.values()) - written == set()
