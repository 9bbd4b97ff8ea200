"""The gate as people install it without Docker: the wheel, in an environment of its own, away from this folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest

from app import __version__
from tests.test_cli import Stage
from tests.world import wait_until

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path = ROOT, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "UV_OFFLINE": "1", **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release builds it, but with the build tools that are here."""
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of the installed wheel. Its libraries are this environment's, which has the project's own code
    only by a .pth file, and such files are read in an environment's own folder alone."""
    place = tmp_path_factory.mktemp("installed")
    run(UV, "venv", "--python", sys.executable, place / "venv")
    python = place / "venv" / "bin" / "python"
    run(UV, "pip", "install", "--no-deps", "--python", python, wheel)
    (packages,) = (place / "venv" / "lib").glob("python3.*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return place / "venv" / "bin" / "qa-gate"


def test_the_wheel_holds_the_code_its_templates_and_migrations_and_nothing_else(wheel: Path) -> None:
    beside = ("app", "templates", "migrations")
    tracked = run("git", "ls-files", "-co", "--exclude-standard", *beside).splitlines()
    wanted = {
        re.sub(r"^(templates|migrations)/", r"app/\1/", name) for name in tracked if (ROOT / name).exists()
    }
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in packed if ".dist-info/" not in name} == wanted


def test_the_wheel_asks_for_what_the_project_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    asked = re.findall(r"^Requires-Dist: ([\w-]+)", archive.read(metadata).decode(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert asked == [re.split(r"[^\w-]", line)[0] for line in project["dependencies"]]


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "--version", cwd=tmp_path) == f"qa-gate {__version__}\n"


def test_the_installed_gate_serves_its_pages(installed: Path, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    with (tmp_path / "said.log").open("wb") as said:
        gate = subprocess.Popen(
            [installed, "serve"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **stage.environ},
            stdout=said,
            stderr=said,
        )
    try:
        wait_until(lambda: stage.get("/readyz") == 200)
        with urllib.request.urlopen(f"{stage.url}/sign-in", timeout=5) as answer:
            page = answer.read().decode()
        assert "Email me a sign-in link" in page
        (style,) = re.findall(r'href="(/assets/[^"]+style\.css)"', page)
        assert stage.get(style) == 200
    finally:
        gate.terminate()
        gate.wait(timeout=60)
        stage.stop()
