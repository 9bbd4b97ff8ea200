"""The sizes and names of app/, and what ruff and import-linter cannot see (their part is in pyproject.toml).

Each law is a function that takes the parsed modules of a tree and yields breaches as `file:line: what`.
The same functions run on app/ and on a small planted tree, which proves that each law can be broken.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parent.parent
PURE = frozenset({"domain", "text"})  # they only calculate: time is told to them
CLOCKS = frozenset({"now", "utcnow", "today"})
MOST_MODULES, MOST_CODE = 109, 12_470
VAGUE = frozenset({"util", "utils", "manager", "managers", "handler", "handlers"})


@dataclass(frozen=True)
class Module:
    path: Path  # from the root
    tree: ast.Module
    source: str

    def breach(self, line: int, what: str) -> str:
        return f"{self.path.as_posix()}:{line}: {what}"


def modules_of(root: Path) -> list[Module]:
    return [_module(path, root) for path in sorted((root / "app").rglob("*.py"))]


def _module(path: Path, root: Path) -> Module:
    source = path.read_text(encoding="utf-8")
    return Module(path.relative_to(root), ast.parse(source), source)


# --- The laws -----------------------------------------------------------------------------------------------

Law = Callable[[list[Module]], Iterator[str]]


def who_only_calculates_asks_no_clock(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.path.with_suffix("").parts[1] not in PURE:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and (used := _impure(node)):
                yield module.breach(node.lineno, f"no {used}() here")


def _impure(call: ast.Call) -> str | None:
    if isinstance(call.func, ast.Attribute) and call.func.attr in CLOCKS:
        return call.func.attr
    if isinstance(call.func, ast.Name) and call.func.id in {"open", "print", "input"}:
        return call.func.id
    return None


def names_say_what_a_thing_is(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        named = [(1, module.path.stem)]
        named += [
            (node.lineno, node.name) for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)
        ]
        for line, name in named:
            if VAGUE & {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)}:
                yield module.breach(line, f"{name} is a vague name")


def functions(modules: list[Module]) -> list[tuple[Module, ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """Every function with its length in lines, docstring included, decorators not."""
    return [
        (module, node, (node.end_lineno or node.lineno) - node.lineno + 1)
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def no_function_passes_60_lines(modules: list[Module]) -> Iterator[str]:
    for module, function, size in functions(modules):
        if size > 60:
            yield module.breach(function.lineno, f"{function.name} has {size} lines, at most 60 are allowed")


def most_functions_are_short(modules: list[Module]) -> Iterator[str]:
    sizes = [size for _, _, size in functions(modules)]
    if len(sizes) < 2:
        return
    if median(sizes) > 10:
        yield f"app: half of the functions have more than 10 lines (median {median(sizes):g})"
    if (ninth := quantiles(sizes, n=10, method="inclusive")[-1]) > 25:
        yield f"app: a tenth of the functions have more than 25 lines (90th percentile {ninth:g})"


def no_module_passes_300_lines(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        lines = sum(1 for line in module.source.splitlines() if line.strip())
        if lines > 300:
            yield module.breach(1, f"{lines} lines that are not blank, at most 300 are allowed")


def code_lines(source: str, tree: ast.Module) -> int:
    """Count the lines that are neither blank nor comment nor docstring; imports count."""
    quiet = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in quiet:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        explained = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if explained and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(lines)


def the_whole_grows_no_more(modules: list[Module]) -> Iterator[str]:
    """Bounds that only ever go down: what is added is taken away elsewhere."""
    code = sum(code_lines(module.source, module.tree) for module in modules)
    if len(modules) > MOST_MODULES:
        yield f"app: {len(modules)} modules, at most {MOST_MODULES} are allowed"
    if code > MOST_CODE:
        yield f"app: {code} lines of code, at most {MOST_CODE} are allowed"


LAWS: tuple[Law, ...] = (
    who_only_calculates_asks_no_clock,
    names_say_what_a_thing_is,
    no_function_passes_60_lines,
    most_functions_are_short,
    no_module_passes_300_lines,
    the_whole_grows_no_more,
)


def unescaped(root: Path) -> list[str]:
    """Places in templates/ that switch escaping off."""
    off = re.compile(r"\|\s*safe\b|autoescape\s+false")
    return [
        f"{path.relative_to(root).as_posix()}:{number}: {line.strip()}"
        for path in sorted((root / "templates").rglob("*"))
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if off.search(line)
    ]


# --- The tests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_app_keeps(law: Law) -> None:
    breaches = list(law(modules_of(ROOT)))
    assert not breaches, "\n" + "\n".join(breaches)


def test_templates_never_switch_escaping_off() -> None:
    assert unescaped(ROOT) == []


SHORT = "def f():\n    '''Do it.'''\n"
BODY = "    x = 1\n"
BREACHES: list[tuple[Law, str, str, int]] = [
    (
        who_only_calculates_asks_no_clock,
        "domain/rules.py",
        "from datetime import datetime\ndatetime.now()",
        2,
    ),
    (who_only_calculates_asks_no_clock, "text.py", "open('a')", 1),
    (names_say_what_a_thing_is, "db/utils.py", "", 1),
    (names_say_what_a_thing_is, "db.py", "class RowManager:\n    '''Rows.'''", 1),
    (names_say_what_a_thing_is, "mail/mail_manager.py", "", 1),
    (no_function_passes_60_lines, "db.py", SHORT + BODY * 59, 1),
    (no_module_passes_300_lines, "db.py", "x = 1\n" * 301, 1),
]


def plant(root: Path, files: dict[str, str]) -> list[Module]:
    for name, source in files.items():
        path = root / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return modules_of(root)


@pytest.mark.parametrize("law, file, source, line", BREACHES)
def test_a_breach_is_found_where_it_is(tmp_path: Path, law: Law, file: str, source: str, line: int) -> None:
    found = list(law(plant(tmp_path, {file: source})))
    assert len(found) == 1
    assert found[0].startswith(f"app/{file}:{line}: ")


@pytest.mark.parametrize("size", [12, 26])
def test_long_functions_are_found_when_they_are_many(tmp_path: Path, size: int) -> None:
    many, few = (6, 4) if size == 12 else (2, 9)
    source = (SHORT + BODY * (size - 2)) * many + SHORT * few
    assert len(list(most_functions_are_short(plant(tmp_path, {"db.py": source})))) == 1


def test_too_much_of_everything_is_found(tmp_path: Path) -> None:
    many = {f"db/m{number}.py": "x = 1\n" * 120 for number in range(MOST_MODULES + 1)}
    modules, code = the_whole_grows_no_more(plant(tmp_path, many))
    assert modules == f"app: {MOST_MODULES + 1} modules, at most {MOST_MODULES} are allowed"
    assert code.startswith(f"app: {120 * (MOST_MODULES + 1)} lines of code, ")


def test_blanks_comments_and_docstrings_are_no_code() -> None:
    source = '''"""Doc."""

import os  # counts

# a comment
def f(a, b="""two
lines"""):
    """Of
    two lines."""
    return (
        a
    )
'''
    assert code_lines(source, ast.parse(source)) == 6


def test_every_law_has_a_planted_breach() -> None:
    assert {law for law, *_ in BREACHES} | {most_functions_are_short, the_whole_grows_no_more} == set(LAWS)


def test_an_honest_tree_breaks_no_law(tmp_path: Path) -> None:
    modules = plant(
        tmp_path,
        {
            "domain.py": "from datetime import datetime\ndef f(now: datetime) -> datetime:\n    return now\n",
            "worker.py": "from datetime import UTC, datetime\ndatetime.now(UTC)\n" + SHORT * 20 + BODY * 38,
        },
    )
    assert [breach for law in LAWS for breach in law(modules)] == []


@pytest.mark.parametrize("line", ["{{ body|safe }}", "{{ body | safe }}", "{% autoescape false %}"])
def test_unescaped_text_in_a_template_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "templates" / "mail").mkdir(parents=True)
    (tmp_path / "templates" / "mail" / "a.html").write_text(f"<p>\n{line}\n", encoding="utf-8")
    assert unescaped(tmp_path) == [f"templates/mail/a.html:2: {line}"]
