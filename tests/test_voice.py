"""The voice: phrases that nobody writes today stay out of everything that people read.

Looked at are templates, papers, and the strings of our own code (not its comments and docstrings).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLACES = (
    "templates/mail/*",
    "templates/pages/*",
    "templates/static/*.js",
    "templates/github/*",
    "templates/cautions.html",
    "app/mail/*.py",
    "app/domain/*.py",
    "app/jobs/*.py",
    "app/text/words.py",
    "app/settings/*.py",
    "app/cli.py",
    "app/github/*.py",
    "app/db/*.py",
    "app/worker.py",
    "app/web/webhook.py",
    "app/links.py",
    "app/web/*.py",
    "demo/**/*.py",
    "demo/templates/**/*",
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    ".env.example",
)
# What is said instead is in the second column.
BANNED = {
    r"\be-mails?\b": "email",
    r"\ba yes\b|\ba no\b|\byour yes\b|\bstanding yes\b|\bsays? yes\b|\bsaid yes\b|\b[Ww]ith a yes\b|\bher yes\b|\bearlier yes\b|\bthe yes\b": "approve, approval",
    r"\bdecides? nothing\b|decides nothing any more": "doesn’t approve or reject anything",
    r"\b(that|what) waits?\b(?! for checks)|(?<!will )\bwaits? for you\b|\bwaits? for a new answer\b": "is waiting",
    r"(?<![/\"])\b[Mm]end(s|ed|ing)?\b": "fix",
    r"\bthe gate goes on\b|\bgoes on waiting\b": "stays on your list",
    r"\b(your|her|own|its|in the developers['’]) words\b": "message",
    r"\bneed not\b|\bneeds not\b": "don’t need to",
    r"\btook the answer back\b|\btake (it|your answer|your approval) back\b": "withdraw",
    r"\bdoes not stand any more\b|\bdo(es)? not count any more\b|\bstands? no more\b": "no longer counts",
    r"\bpast (this|the) gate\b|\baround the gate\b": "without asking",
    r"\bMail me\b|\byour button\b|\ba way in\b": "email me a sign-in link",
    r"\bgladly\b|\bperhaps\b": "we’ll",
    r"\b[Gg]ood to know first\b": "Before you start",
    r"\bsteps? on the way\b": "commits",
    r"\bunusual letters\b": "imitates another one",
    r"\bclashes with\b": "changed the same part",
    r"\bis red\b|\bAll green\b": "is failing, passed",
    r"\bbranch beneath\b": "updating from development",
    r"\bsomebody\b(?= asked)": "someone",
    r"\bYou will be asked once more\b": "Nothing happens until you confirm",
    r"\bHello \{": "Hi",
    r"\bSomebody (who|else)\b|\bis no reviewer\b": "Someone who isn’t a reviewer",
    r"\bwritten anew\b|\bcode lives\b|\bused up\b|\bmisses the\b": "say what happened",
}
BANS = [(re.compile(pattern), instead) for pattern, instead in BANNED.items()]


def shown(path: Path) -> Iterator[tuple[int, str]]:
    """What people may read of a file, with its line: strings of code that are no docstrings, else all but comments."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from strings_of(ast.parse(source))
        return
    if path.suffix in (".html", ".md", ".txt"):
        source = re.sub(r"\{#.*?#\}", lambda found: "\n" * found[0].count("\n"), source, flags=re.DOTALL)
    for number, line in enumerate(source.splitlines(), 1):
        yield number, re.sub(r"`[^`]*`|\{%.*?%\}", "", line) if path.suffix == ".md" else line


def strings_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, kinds) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, "" if node.value.isidentifier() else node.value


def breaches(path: Path) -> list[str]:
    return [
        f"{path.name}:{number}: “{found[0]}”: say {instead}"
        for number, words in shown(path)
        for pattern, instead in BANS
        if (found := pattern.search(words))
    ]


@pytest.mark.parametrize("place", PLACES)
def test_no_phrase_of_the_old_voice_is_shown(place: str) -> None:
    files = [path for path in ROOT.glob(place) if path.is_file()]
    assert files, "nothing is there"
    assert [breach for path in files for breach in breaches(path)] == []


def test_the_old_voice_is_heard_in_code_and_templates(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""A yes."""\n# a yes\nx = f"Without {1} a yes"\n')
    (tmp_path / "a.html").write_text("{# a yes #}\n<p>3 changes wait for you, by e-mail</p>\n")
    assert [breach.partition(":")[2].partition(":")[0] for breach in breaches(tmp_path / "a.py")] == ["3"]
    assert len(breaches(tmp_path / "a.html")) == 2
