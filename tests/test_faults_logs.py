"""Log lines: what the gate does has one each, and an outage has one and not a traceback a second."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import make_url, text

from tests.outside import MakeOutside, Outside, given
from tests.world import SHOP


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The gate's own log lines since the last look."""
    found = [one.getMessage() for one in caplog.records if one.name.startswith("qa-gate")]
    caplog.clear()
    return found


@pytest.mark.parametrize("step", ["asked", "mailed", "decided", "status", "merged"])
def test_what_the_gate_does_has_a_log_line(
    outside: Outside, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    caplog.set_level(logging.INFO)
    number = outside.open("cards")
    outside.github.settle()
    outside.github.webhooks_paused = True  # so that no line is one about a webhook
    lines(caplog)
    outside.settle()
    given(len(outside.mails) == 1, "not asked")
    told = {"asked": lines(caplog)}
    told["mailed"] = [line for line in told["asked"] if outside.mails[0].message_id in line]
    outside.choose()
    told["decided"] = lines(caplog)
    outside.settle()
    given(outside.is_merged(number), "not merged")
    last = lines(caplog)
    told["status"] = [line for line in last if "success" in line]
    told["merged"] = [line for line in last if "success" not in line]
    assert [line for line in told[step] if f"{SHOP}#{number}" in line] != []


@contextmanager
def database_away(url: str, admin_url: str) -> Iterator[None]:
    """Let a PostgreSQL database take no connection, and cut those there are."""
    name = make_url(url).database
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_a_database_that_is_away_makes_one_line_and_no_traceback(
    make_outside: MakeOutside,
    postgres_server: Callable[[str], str],
    postgres_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    outside = make_outside(postgres_url)
    with outside.at_work():
        given(outside.comes(lambda: outside.readyz()[0] == 200), "never ready")
        caplog.clear()
        with database_away(postgres_url, postgres_server("postgres")):
            outside.comes(lambda: False, seconds=3.5)
            found = [one for one in caplog.records if one.name.startswith("qa-gate")]
    assert [one.getMessage() for one in found if one.exc_info] == []
    assert len(found) == 1


def test_a_push_past_the_gate_is_told_once_without_a_release_branch(make_outside: MakeOutside) -> None:
    outside = make_outside(RELEASE_BRANCH="")
    outside.start()
    outside.commit("development", by="kim", haste_py="haste\n")
    outside.settle()
    outside.pass_(hours=2, step=300)
    assert [mail.address for mail in outside.mails] == ["lily@example.com"]
    assert "Work on development" in outside.mails[0].text


def test_a_push_past_the_gate_that_no_webhook_told_is_told_all_the_same(make_outside: MakeOutside) -> None:
    outside = make_outside(RELEASE_BRANCH="")
    outside.start()
    outside.github.webhooks_paused = True
    outside.commit("development", by="kim", haste_py="haste\n")
    outside.pass_(hours=2, step=300)
    assert [mail.address for mail in outside.mails] == ["lily@example.com"]


def test_each_page_that_meets_a_full_disk_makes_one_line_and_no_traceback(
    outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    outside.asked()
    with outside.world.store.database.write() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    caplog.clear()
    given(outside.choose("reject", "n" * 4_000) == 503, "there was room for it")
    (line,) = [
        one for one in caplog.records if one.name.startswith("qa-gate") and one.levelno >= logging.WARNING
    ]
    assert "the database cannot be used right now" in line.getMessage()
    assert line.exc_info is None
