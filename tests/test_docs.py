"""What the README draws is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from app.review import TABLE, State

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _drawn() -> set[tuple[str, str]]:
    """Arrows of the state diagram; one from the group `open` stands for one from each of its members."""
    diagram = README.partition("stateDiagram-v2")[2].partition("```")[0]
    members = re.findall(r"^ {8}(\w+)$", diagram, re.MULTILINE)
    arrows = re.findall(r"^ {4}(\w+) --> (\w+)", diagram, re.MULTILINE)
    return {
        (member, end)
        for start, end in arrows
        for member in (members if start == "open" else [start])
        if member != end
    }


def test_the_state_diagram_is_the_table() -> None:
    moves = {(state, move.to) for state in State for move in TABLE[state].values()}
    assert _drawn() == {(str(state), str(to)) for state, to in moves if state is not to}


def test_every_room_is_on_the_map() -> None:
    rooms = {path.stem for path in (ROOT / "app").iterdir() if not path.name.startswith("_")}
    section = README.partition("## The rooms")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == rooms


def test_every_local_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r'src="([^"]+)"', README)
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []


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
