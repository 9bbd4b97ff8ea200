"""The frame around the code: what the papers say is what the code does, and the locks lock."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from app.settings import Settings
from app.settings.file import SettingsError
from tests.test_settings import NAMES, NEEDED

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --- Settings -----------------------------------------------------------------------------------------------


def rows_of_readme() -> list[tuple[str, ...]]:
    """Cells of the README's settings table, without the code marks around them."""
    section = read("README.md").partition("\n## Settings\n")[2].partition("\n## ")[0]
    lines = [line.strip() for line in section.splitlines() if line.strip().startswith("|")]
    rows = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    return [tuple(plain(cell) for cell in row) for row in rows if not set("".join(row)) <= set("|-: ")]


def plain(cell: str) -> str:
    return cell.replace(r"\|", "|").replace("`", "").strip()


def test_readme_lists_the_settings_as_the_code_knows_them() -> None:
    header, *rows = rows_of_readme()
    assert header == ("setting", "default", "meaning")
    (code,) = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(code, ast.ClassDef)
    meanings = {
        field.target.id.upper(): plain(meaning.value.value).replace("\n    ", " ")
        for field, meaning in pairwise(code.body)
        if isinstance(field, ast.AnnAssign) and isinstance(meaning, ast.Expr)
    }
    assert list(meanings) == NAMES
    assert [(name, meaning) for name, _, meaning in rows] == list(meanings.items())
    required = [name.upper() for name, field in Settings.model_fields.items() if field.is_required()]
    assert [name for name, default, _ in rows if default == "required"] == required
    assert Settings.load(NEEDED | defaults_of_readme()) == Settings.load(NEEDED)


def defaults_of_readme() -> dict[str, str]:
    return {
        name: default
        for name, default, _ in rows_of_readme()
        if default not in ("default", "required", "none")
    }


def example_settings() -> list[str]:
    """Names in .env.example that the gate reads, those in a comment too, but NAME_FILE."""
    named = re.findall(r"^#?([A-Z][A-Z_]+)=", read(".env.example"), re.MULTILINE)
    of_compose = [*re.findall(r"\$\{([A-Z_]+)", read("docker-compose.yml")), "COMPOSE_PROFILES"]
    return [name for name in named if name in NAMES or not (name.endswith("_FILE") or name in of_compose)]


def test_env_example_names_every_setting_once() -> None:
    shown = [name for name in example_settings() if not name.startswith("AWS_")]
    assert sorted(shown) == sorted(NAMES)


def test_env_example_is_refused_until_it_is_filled_in() -> None:
    live = dict(re.findall(r"^([A-Z_]+)=(.*)$", read(".env.example"), re.MULTILINE))
    with pytest.raises(SettingsError) as refused:
        Settings.load(live)
    said = "\n".join(refused.value.problems)
    assert [name for name in live if name not in said] == []


def test_env_example_shows_the_defaults() -> None:
    shown = re.findall(r"^#([A-Z_]+)=(.+)$", read(".env.example"), re.MULTILINE)
    assert {name: value for name, value in shown if name in NAMES} == defaults_of_readme()


# --- Locks --------------------------------------------------------------------------------------------------


def pins(name: str) -> Iterator[tuple[str, str, int]]:
    """Project, version and number of hashes of every requirement in a lock file."""
    for stanza in re.split(r"\n(?=\S)", read(name)):
        if not stanza.startswith("#"):
            project, _, version = stanza.partition(" ")[0].strip().partition("==")
            yield project, version, len(re.findall(r"--hash=sha256:[0-9a-f]{64}", stanza))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_project_has_one_version_and_hashes(lock: str) -> None:
    locked = list(pins(lock))
    assert locked
    assert [project for project, version, hashes in locked if not version or not hashes] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_record_no_address(lock: str) -> None:
    assert re.findall(r"http|index-url|find-links|file:| @ |(?<=\s)/\S+", read(lock)) == []


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    asked = project["project"]["dependencies"]
    for lock, wanted in zip(LOCKS, (asked, asked + project["dependency-groups"]["dev"]), strict=True):
        names = {re.split(r"[^\w-]", requirement)[0] for requirement in wanted}
        assert names - {name for name, *_ in pins(lock)} == set()


def test_tests_run_with_the_versions_that_are_deployed() -> None:
    deployed, tested = (dict(pin[:2] for pin in pins(lock)) for lock in LOCKS)
    assert {name: tested.get(name) for name in deployed} == deployed


# --- Files --------------------------------------------------------------------------------------------------


def own_files() -> Iterator[Path]:
    """Every file of the project, without what is made or installed."""
    made = {"data", "build", "dist", "htmlcov", "__pycache__", "node_modules"}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name == ".ci" or not (name in made or name.startswith(".") or name.endswith(".egg-info"))
        ]
        yield from (Path(folder, file) for file in files if file not in {".env", ".coverage", ".git"})


def test_no_file_names_the_machine_it_was_written_on() -> None:
    place = re.compile(rb"(?<![\w./>-])/work/")
    here = Path(__file__)
    assert [str(path) for path in own_files() if path != here and place.search(path.read_bytes())] == []


def test_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "\n## [Unreleased]\n" in read("CHANGELOG.md")


def test_make_help_knows_every_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    explained = set(re.findall(r"^([a-z]+):.*## \S", read("Makefile"), re.MULTILINE))
    assert targets == explained
    assert targets >= {"install", "demo", "test", "check", "bench", "lock", "clean", "help"}


# --- Image --------------------------------------------------------------------------------------------------


def instructions(name: str) -> list[str]:
    """A Dockerfile's instructions of a name, continued lines joined."""
    joined = read("Dockerfile").replace("\\\n", " ")
    return [" ".join(line.split()) for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_image_stands_on_a_named_base() -> None:
    bases = {line.split()[1] for line in instructions("FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", bases.pop())


def test_image_installs_only_what_the_lock_names() -> None:
    installs = [line for line in instructions("RUN") if "pip " in line]
    assert installs
    wanted = ("--no-deps", "--require-hashes", "--requirement requirements.txt")
    assert all(part in installs[0] for part in wanted)
    assert installs[0].count(" install ") == 1


def test_image_runs_the_command_as_a_plain_user_and_tells_its_health() -> None:
    assert re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", instructions("USER")[-1])
    assert instructions("ENTRYPOINT") == ['ENTRYPOINT ["qa-gate"]']
    assert instructions("CMD") == ['CMD ["serve"]']
    assert "/healthz" in "".join(instructions("HEALTHCHECK"))


def test_the_image_holds_all_that_its_command_needs(tmp_path: Path) -> None:
    sent = {rule[1:] for rule in read(".dockerignore").splitlines() if rule.startswith("!")}
    for line in instructions("COPY"):
        _, *sources, target = line.split()
        if sources[0].startswith("--from") or "requirements.txt" in sources:
            continue
        assert set(sources) <= sent
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tmp_path / target)
            else:
                shutil.copy(ROOT / source, tmp_path / target)
    command = ["-c", "from app.cli import main; main()", "--version"]
    environ = {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
    said = subprocess.run(
        [sys.executable, *command], env=environ, cwd="/", capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("qa-gate ")
    where = "import app; print(app.__file__, app.folder('templates'))"
    found = subprocess.run(
        [sys.executable, "-c", where], env=environ, cwd="/", capture_output=True, text=True, check=True
    ).stdout.split()
    assert found == [str(tmp_path / "app" / "__init__.py"), str(tmp_path / "templates")]


def test_no_secret_is_sent_to_the_builder() -> None:
    rules = [line for line in read(".dockerignore").splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not any("env" in rule for rule in rules if rule.startswith("!"))


# --- What the tests stand on --------------------------------------------------------------------------------


SKIPPING = "import pytest\n\n@pytest.mark.skip(reason='no time')\ndef test_a(): ...\n"


def test_a_skipped_test_fails_in_ci(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(SKIPPING, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {**os.environ, "CI": "true"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "1 error" in done.stdout) == (1, True), done.stdout
