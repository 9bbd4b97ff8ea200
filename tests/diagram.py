"""Draws docs/workflow.svg from the sequence diagram in docs/workflow.md: `python -m tests.diagram`, or make screens.

It knows as much of Mermaid as that diagram uses: actor, participant, ->> and -->>, and <br/> in a name.
"""

from __future__ import annotations

import re
import textwrap
from html import escape
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
COLUMN, TOP, LINE, GAP = 170, 78, 17, 22  # pixels
LETTERS = 0.158  # letters a pixel, at 12.5 pixels a letter's height
STYLE = """
  text { font: 12.5px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .name { font-weight: 600; font-size: 13px; } .soft { fill: #59636e; }
  .box { fill: #f6f8fa; stroke: #d1d9e0; } .life { stroke: #d1d9e0; stroke-dasharray: 3 4; }
  .arrow { stroke: #0969da; stroke-width: 1.5; fill: none; } .head { fill: #0969da; } .back { stroke-dasharray: 5 4; }
  .dot { fill: #0969da; } .number { fill: #fff; font-size: 10.5px; font-weight: 600; }
  .halo { stroke: #fff; stroke-width: 4px; paint-order: stroke; } .paper { fill: #fff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .soft { fill: #9198a1; } .box { fill: #151b23; stroke: #3d444d; }
    .life { stroke: #3d444d; } .arrow { stroke: #4493f8; } .head, .dot { fill: #4493f8; }
    .number { fill: #0d1117; } .halo { stroke: #0d1117; } .paper { fill: #0d1117; }
  }"""


def source(page: str) -> tuple[list[tuple[str, list[str]]], list[tuple[str, str, bool, str]]]:
    """Return participants (id, lines of the name) and messages (from, to, is an answer, text)."""
    diagram = page.partition("sequenceDiagram")[2].partition("```")[0]
    named = re.findall(r"^ +(?:actor|participant) (\w+)(?: as (.+))?$", diagram, re.MULTILINE)
    sent = re.findall(r"^ +(\w+)(--?>>)(\w+): (.+)$", diagram, re.MULTILINE)
    people = [(name, re.split(r"<br/>", shown or name)) for name, shown in named]
    return people, [(start, end, arrow.startswith("--"), said) for start, arrow, end, said in sent]


def draw(page: str) -> str:
    """Return the diagram of a page as SVG."""
    people, messages = source(page)
    place = {name: COLUMN // 2 + COLUMN * number for number, (name, _) in enumerate(people)}
    width, y, drawn = COLUMN * len(people), TOP + 12, []
    for number, (start, end, is_answer, said) in enumerate(messages, 1):
        x1, x2 = place[start], place[end]
        lines = textwrap.wrap(said, int((abs(x2 - x1) - 30) * LETTERS))
        y += GAP + LINE * len(lines)
        drawn += _message(number, x1, x2, y, lines, is_answer)
    height = y + 28
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>From a pull request to a merge, in {len(messages)} steps</title><style>{STYLE}\n</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
    ]
    for name, lines in people:
        parts.append(f'<path class="life" d="M{place[name]} {TOP - 10}V{height - 12}"/>')
        parts.append(
            f'<rect class="box" x="{place[name] - 74}" y="14" width="148" height="{TOP - 26}" rx="8"/>'
        )
        first = 44 if len(lines) == 1 else 36
        for down, line in enumerate(lines):
            kind = "soft" if down else "name"
            parts.append(_text(place[name], first + LINE * down, line, kind))
    return "\n".join([*parts, *drawn, "</svg>"]) + "\n"


def _message(number: int, x1: int, x2: int, y: int, lines: list[str], is_answer: bool) -> list[str]:
    way = 1 if x2 > x1 else -1
    above = y - 7 - LINE * (len(lines) - 1)
    return [
        *(_text((x1 + x2) // 2, above + LINE * down, line, "halo") for down, line in enumerate(lines)),
        f'<path class="arrow{" back" if is_answer else ""}" d="M{x1} {y}H{x2 - 7 * way}"/>',
        f'<path class="head" d="M{x2} {y}l{-9 * way} -4.5v9z"/>',
        f'<circle class="dot" cx="{x1}" cy="{y}" r="9"/>',
        _text(x1, y + 4, str(number), "number"),
    ]


def _text(x: int, y: int, said: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="middle">{escape(said)}</text>'


if __name__ == "__main__":
    (DOCS / "workflow.svg").write_text(
        draw((DOCS / "workflow.md").read_text(encoding="utf-8")), encoding="utf-8"
    )
