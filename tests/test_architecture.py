"""The house laws: who may import whom, where each library lives, and how long things may be.

Each law is a function that takes the parsed modules of a tree and yields breaches as `file:line: what`.
The same functions run on app/ and on a small planted tree, which proves that each law can be broken.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parent.parent

# What each room may import from app. `__main__` is only the way in for `python -m app`.
_ROOMS = (
    "settings domain text wording pictures db links mail github jobs web worker operator metrics "
    "wiring server parent cli"
)
EVERY_ROOM = frozenset({"__init__", *_ROOMS.split()})
MAY_IMPORT: dict[str, frozenset[str]] = {
    "__init__": frozenset(),
    "__main__": frozenset({"cli"}),
    "settings": frozenset(),
    "domain": frozenset(),
    "text": frozenset(),
    "wording": frozenset(),
    "pictures": frozenset(),
    "db": frozenset({"domain", "pictures"}),
    "links": frozenset({"domain"}),
    "mail": frozenset({"domain", "text", "wording", "links"}),
    "github": frozenset({"domain"}),
    "jobs": frozenset({"domain", "text", "pictures", "db", "links", "mail", "github"}),
    "web": frozenset(
        {"__init__", "mail", "jobs", "pictures", "db", "links", "github", "domain", "text", "wording"}
    ),
    "worker": frozenset({"jobs", "db", "domain"}),
    "operator": frozenset({"settings", "github", "mail", "domain", "db", "wording"}),
    "wiring": EVERY_ROOM,
    "parent": frozenset({"server"}),
    "metrics": frozenset({"__init__", "jobs", "db"}),
    "server": frozenset(
        {"__init__", "parent", "cli", "metrics", "settings", "operator", "wiring", "worker", "jobs"}
    ),
    "cli": EVERY_ROOM,
}

# Where each outside library lives; one that is not here has no room yet.
FLASK_ROOMS = frozenset({"wiring", "server", "parent", "web", "operator", "metrics", "cli"})
LIVES_IN: dict[str, frozenset[str]] = {
    "PIL": frozenset({"pictures"}),
    "sqlalchemy": frozenset({"db"}),
    "alembic": frozenset({"db"}),
    "psycopg": frozenset({"db"}),
    "boto3": frozenset({"mail"}),
    "botocore": frozenset({"mail"}),
    "types_boto3_sesv2": frozenset({"mail"}),
    "jinja2": frozenset({"mail"}),
    "github": frozenset({"github"}),
    "requests": frozenset({"github"}),  # PyGithub lets its exceptions through
    "jwt": frozenset({"github"}),  # so does PyJWT's, which signs for an App
    "itsdangerous": frozenset({"links"}),
    "cmarkgfm": frozenset({"text"}),
    "emoji": frozenset({"text"}),
    "nh3": frozenset({"text"}),
    "markupsafe": frozenset({"text", "mail", "web"}),
    "dotenv": frozenset({"settings"}),
    "pydantic": frozenset({"settings", "domain", "db", "github"}),
    "pydantic_core": frozenset({"settings", "github"}),
    "granian": frozenset({"parent"}),
    "flask": FLASK_ROOMS,
    "werkzeug": FLASK_ROOMS,
    "click": frozenset({"operator", "cli"}),
    "prometheus_client": frozenset({"metrics"}),
}

# Rooms that only calculate, and what they therefore have no use for.
PURE_ROOMS = frozenset({"domain", "text"})
IMPURE = frozenset({"os", "io", "pathlib", "socket", "subprocess", "threading", "time", "random", "secrets"})
CLOCKS = frozenset({"now", "utcnow", "today"})

VAGUE = frozenset({"util", "utils", "manager", "managers", "handler", "handlers"})


@dataclass(frozen=True)
class Module:
    path: Path
    name: tuple[str, ...]  # ("app", "db", "tables"); a package's own file ends with its folder's name
    tree: ast.Module
    source: str

    @property
    def room(self) -> str:
        return self.name[1] if len(self.name) > 1 else "__init__"

    def breach(self, line: int, what: str) -> str:
        return f"{self.path.as_posix()}:{line}: {what}"

    def package(self, level: int) -> tuple[str, ...]:
        """Package that a relative import with `level` dots starts from."""
        return self.name[: len(self.name) - level + (self.path.name == "__init__.py")]


def modules_of(root: Path) -> list[Module]:
    return [_module(path, root) for path in sorted((root / "app").rglob("*.py"))]


def _module(path: Path, root: Path) -> Module:
    source = path.read_text(encoding="utf-8")
    name = path.relative_to(root).with_suffix("").parts
    own = name[:-1] if name[-1] == "__init__" else name
    return Module(path.relative_to(root), own, ast.parse(source), source)


# --- The laws -----------------------------------------------------------------------------------------------

Law = Callable[[list[Module]], Iterator[str]]


def imports(module: Module) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and full dotted name of everything that a module imports, absolute or relative."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, tuple(alias.name.split("."))) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = module.package(node.level) if node.level else ()
            source = (*start, *(node.module.split(".") if node.module else ()))
            yield from ((node.lineno, (*source, alias.name)) for alias in node.names)


def every_room_is_on_the_map(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.room not in MAY_IMPORT:
            yield module.breach(1, f"no room is called {module.room}")


def rooms_import_only_what_they_may(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for line, name in imports(module):
            if name[0] != "app":
                continue
            # `from app import __version__` names something of app/__init__.py, not a room.
            room = name[1] if len(name) > 1 and name[1] in MAY_IMPORT else "__init__"
            if room != module.room and room not in MAY_IMPORT.get(module.room, ()):
                yield module.breach(line, f"{module.room} may not import {room}")


def each_library_lives_in_its_room(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for line, (library, *_) in imports(module):
            if library == "app" or library in sys.stdlib_module_names:
                continue
            if module.room not in LIVES_IN.get(library, ()):
                rooms = ", ".join(sorted(LIVES_IN.get(library, ()))) or "no room yet"
                yield module.breach(line, f"{library} in {module.room}: it lives in {rooms}")


def nothing_imports_what_stands_outside(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for line, (package, *_) in imports(module):
            if package in {"demo", "tests", "benchmarks"}:
                yield module.breach(line, f"app may not know of {package}")


def only_settings_reads_the_environment(modules: list[Module]) -> Iterator[str]:
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    for module in modules:
        if module.room == "settings":
            continue
        for line, name in [*imports(module), *_attributes_of_os(module)]:
            if name[0] == "os" and names & set(name[1:]):
                yield module.breach(line, f"{'.'.join(name)} outside settings")


def _attributes_of_os(module: Module) -> Iterator[tuple[int, tuple[str, ...]]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            yield node.lineno, ("os", node.attr)


def pure_rooms_only_calculate(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.room not in PURE_ROOMS:
            continue
        for line, (library, *_) in imports(module):
            if library in IMPURE:
                yield module.breach(line, f"{module.room} is pure: no {library}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and (used := _impure_call(node)):
                yield module.breach(node.lineno, f"{module.room} is pure: no {used}()")


def _impure_call(call: ast.Call) -> str | None:
    if isinstance(call.func, ast.Attribute) and call.func.attr in CLOCKS:
        return call.func.attr
    if isinstance(call.func, ast.Name) and call.func.id in {"open", "print", "input"}:
        return call.func.id
    return None


def there_is_no_abstract_base_class(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for line, name in imports(module):
            if name[0] == "abc":
                yield module.breach(line, "no abstract base classes")


def names_say_what_a_thing_is(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        named = [(1, module.name[-1])]
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


def every_module_says_its_duty(modules: list[Module]) -> Iterator[str]:
    """Three lines at least, and at most six of prose: a tree of errors, which is indented, does not count."""
    for module in modules:
        lines = (ast.get_docstring(module.tree) or "").splitlines()
        prose = sum(1 for line in lines if line.strip() and not line.startswith(" "))
        if len(lines) < 3 or prose > 6:
            yield module.breach(1, f"the docstring has {len(lines)} lines ({prose} of prose), not 3 to 6")


def what_is_public_is_explained(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for node in module.tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            if not node.name.startswith("_") and not first.endswith("."):
                yield module.breach(
                    node.lineno, f"{node.name} has no docstring whose first line ends with a period"
                )


LAWS: tuple[Law, ...] = (
    every_room_is_on_the_map,
    rooms_import_only_what_they_may,
    each_library_lives_in_its_room,
    nothing_imports_what_stands_outside,
    only_settings_reads_the_environment,
    pure_rooms_only_calculate,
    there_is_no_abstract_base_class,
    names_say_what_a_thing_is,
    no_function_passes_60_lines,
    most_functions_are_short,
    no_module_passes_300_lines,
    every_module_says_its_duty,
    what_is_public_is_explained,
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


DUTY = '''"""The duty.

Who calls it.
What it must never do.
"""
'''
SHORT = "def f():\n    '''Do it.'''\n"
BODY = "    x = 1\n"
BREACHES: list[tuple[Law, str, str, int]] = [
    (every_room_is_on_the_map, "email.py", "", 1),
    (every_room_is_on_the_map, "helpers/mend.py", "", 1),
    (rooms_import_only_what_they_may, "domain.py", "from app import db", 6),
    (rooms_import_only_what_they_may, "domain.py", "import app.db.tables", 6),
    (rooms_import_only_what_they_may, "db/tables.py", "from ..mail import send", 6),
    (rooms_import_only_what_they_may, "db/__init__.py", "from .. import mail", 6),
    (rooms_import_only_what_they_may, "domain.py", "def f():\n    from app.web import frame", 7),
    (rooms_import_only_what_they_may, "web.py", "from app.wiring import create_app", 6),
    (rooms_import_only_what_they_may, "__init__.py", "from app.wiring import create_app", 6),
    (rooms_import_only_what_they_may, "__main__.py", "from app.settings import Settings", 6),
    (each_library_lives_in_its_room, "web.py", "from sqlalchemy.orm import Session", 6),
    (each_library_lives_in_its_room, "web.py", "import jinja2", 6),
    (each_library_lives_in_its_room, "worker.py", "import flask", 6),
    (each_library_lives_in_its_room, "db.py", "import numpy", 6),
    (nothing_imports_what_stands_outside, "cli.py", "from demo.github import PretendGitHub", 6),
    (nothing_imports_what_stands_outside, "cli.py", "import tests.conftest", 6),
    (only_settings_reads_the_environment, "cli.py", "import os\nos.environ['A']", 7),
    (only_settings_reads_the_environment, "cli.py", "import os\nos.getenv('A')", 7),
    (only_settings_reads_the_environment, "mail.py", "from os import environ", 6),
    (pure_rooms_only_calculate, "domain.py", "import time", 6),
    (pure_rooms_only_calculate, "domain/rules.py", "from datetime import datetime\ndatetime.now()", 7),
    (pure_rooms_only_calculate, "text.py", "open('a')", 6),
    (there_is_no_abstract_base_class, "db.py", "from abc import ABC", 6),
    (names_say_what_a_thing_is, "db/utils.py", "", 1),
    (names_say_what_a_thing_is, "db.py", "class RowManager:\n    '''Rows.'''", 6),
    (names_say_what_a_thing_is, "mail/mail_manager.py", "", 1),
    (no_function_passes_60_lines, "db.py", SHORT + BODY * 59, 6),
    (no_module_passes_300_lines, "db.py", "x = 1\n" * 297, 1),
    (what_is_public_is_explained, "db.py", "def f():\n    '''Do it'''", 6),
    (what_is_public_is_explained, "db.py", "class Row:\n    x = 1", 6),
]


def plant(root: Path, files: dict[str, str]) -> list[Module]:
    for name, source in files.items():
        path = root / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return modules_of(root)


@pytest.mark.parametrize("law, file, source, line", BREACHES)
def test_a_breach_is_found_where_it_is(tmp_path: Path, law: Law, file: str, source: str, line: int) -> None:
    found = list(law(plant(tmp_path, {"__init__.py": DUTY, file: DUTY + source})))
    assert len(found) == 1
    assert found[0].startswith(f"app/{file}:{line}: ")


@pytest.mark.parametrize("docstring", ["", "The duty.", "The duty.\nWho calls it.", "A line.\n" * 7])
def test_a_module_that_says_too_little_or_too_much_is_found(tmp_path: Path, docstring: str) -> None:
    found = list(every_module_says_its_duty(plant(tmp_path, {"text.py": f"'''{docstring}'''"})))
    assert len(found) == 1
    assert found[0].startswith("app/text.py:1: ")


@pytest.mark.parametrize("size", [12, 26])
def test_long_functions_are_found_when_they_are_many(tmp_path: Path, size: int) -> None:
    many, few = (6, 4) if size == 12 else (2, 9)
    source = DUTY + (SHORT + BODY * (size - 2)) * many + SHORT * few
    assert len(list(most_functions_are_short(plant(tmp_path, {"db.py": source})))) == 1


def test_every_law_has_a_planted_breach() -> None:
    assert {law for law, *_ in BREACHES} | {most_functions_are_short, every_module_says_its_duty} == set(LAWS)


def test_an_honest_tree_breaks_no_law(tmp_path: Path) -> None:
    modules = plant(
        tmp_path,
        {
            "__init__.py": DUTY,
            "wiring.py": DUTY + "from app.cli import main\nfrom .web import blueprint\nimport flask\n",
            "__main__.py": DUTY + "from app.cli import main\n",
            "cli.py": DUTY + "from app.wiring import create_app\nfrom app.settings import Settings\n",
            "parent.py": DUTY + "import granian\n",
            "settings.py": DUTY + "import os\nos.environ\n",
            "db/__init__.py": DUTY + "from .tables import a\nfrom ..domain import State\n",
            "db/tables.py": DUTY + "from collections.abc import Iterator\nimport sqlalchemy as sa\n",
            "links.py": DUTY[:-4] + "\n    BadLink\n      ExpiredLink\n" * 4 + '"""\nimport itsdangerous\n',
            "worker.py": DUTY + SHORT + "def _g():\n    pass\n" + SHORT * 20 + BODY * 38,
        },
    )
    assert [breach for law in LAWS for breach in law(modules)] == []


@pytest.mark.parametrize("line", ["{{ body|safe }}", "{{ body | safe }}", "{% autoescape false %}"])
def test_unescaped_text_in_a_template_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "templates" / "mail").mkdir(parents=True)
    (tmp_path / "templates" / "mail" / "a.html").write_text(f"<p>\n{line}\n", encoding="utf-8")
    assert unescaped(tmp_path) == [f"templates/mail/a.html:2: {line}"]
