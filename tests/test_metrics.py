"""Metrics for Prometheus: on a listener of their own, and true."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from app import __version__
from app.metrics import registry
from demo.world import free_port
from tests.outside import Outside, given
from tests.test_cli import Stage, stage  # noqa: F401 - a fixture


def value(found: CollectorRegistry, name: str, **labels: str | int) -> float | None:
    return found.get_sample_value(f"qa_gate_{name}", {key: str(one) for key, one in labels.items()})


@pytest.fixture
def watched(outside: Outside) -> CollectorRegistry:
    return registry(outside.world.gate, outside.world.browser.application)


def test_reviews_waiting_and_due_jobs_are_counted_from_the_database(
    outside: Outside, watched: CollectorRegistry
) -> None:
    outside.start()
    outside.github.world.instant = True  # or a second look is due soon
    outside.asked("cards")
    outside.approved("tea")
    outside.world.clock.pass_(minutes=10)
    assert value(watched, "reviews", state="waiting") == 1
    assert value(watched, "reviews", state="to_merge") == 1
    assert value(watched, "reviews", state="rejected") == 0
    assert value(watched, "oldest_waiting_seconds") == 600
    assert value(watched, "jobs_due", kind="review") == 1
    assert value(watched, "oldest_due_seconds", kind="review") == 600
    outside.settle()
    assert value(watched, "reviews", state="merged") == 1
    assert value(watched, "jobs_due", kind="review") is None


def test_every_call_to_github_is_counted_by_its_status_with_what_the_limit_leaves(
    outside: Outside, watched: CollectorRegistry
) -> None:
    outside.github.calls.clear()
    outside.approved("cards")
    outside.settle()
    given(outside.is_merged(), "not merged")
    statuses = [call.status for call in outside.github.calls]
    for status in set(statuses):
        assert value(watched, "github_calls_total", status=status) == statuses.count(status), status
    assert (value(watched, "github_rate_left") or 0) > 0


def test_a_call_that_github_does_not_answer_is_counted_as_that(
    outside: Outside, watched: CollectorRegistry
) -> None:
    outside.start()
    outside.github.fail("*", ".*", None)
    outside.open("cards")
    outside.settle()
    assert value(watched, "github_calls_total", status=0) == 1


def test_mails_are_counted_by_outcome(outside: Outside, watched: CollectorRegistry) -> None:
    outside.world.inbox.fail(400, "MessageRejected", "No.")
    outside.world.inbox.fail(429, "TooManyRequestsException", "Slower.")
    outside.world.inbox.fail(None)
    outside.open("cards")
    outside.settle()
    assert value(watched, "mails_unsent") == 1
    outside.pass_(minutes=10, step=10)
    given(len(outside.mails) == 1, "not mailed")
    counted = {
        one: value(watched, "mails_total", outcome=one) for one in ("refused", "later", "unanswered", "sent")
    }
    assert counted == {"refused": 1, "later": 1, "unanswered": 1, "sent": 1}
    assert value(watched, "mails_unsent") == 0


def test_webhooks_are_timed_by_their_answer_and_refused_signatures_counted(
    outside: Outside, watched: CollectorRegistry
) -> None:
    outside.open("cards")
    outside.github.settle()
    taken = value(watched, "webhook_seconds_count", status=202) or 0
    assert taken >= 1
    assert 0 < (value(watched, "webhook_seconds_sum", status=202) or 0) < 60
    outside.world.post_webhook("ping", {}, **{"X-Hub-Signature-256": "sha256=" + "0" * 64})
    assert value(watched, "refused_signatures_total") == 1
    assert value(watched, "webhook_seconds_count", status=401) == 1
    outside.world.browser.get("/readyz")
    assert value(watched, "webhook_seconds_count", status=202) == taken


def test_outages_and_lasting_problems_are_metrics_too(outside: Outside, watched: CollectorRegistry) -> None:
    outside.start()
    assert value(watched, "service_up", service="github") == 1
    outside.open("cards")
    outside.github.fail("*", ".*", 502, times=None)
    outside.pass_(minutes=30, step=60)
    assert value(watched, "service_up", service="github") == 0
    assert value(watched, "service_up", service="mail") == 1
    assert value(watched, "problems", what="github") == 1


def test_a_database_that_is_away_is_said_and_the_counters_are_still_there(
    outside: Outside, watched: CollectorRegistry, tmp_path: Path
) -> None:
    assert value(watched, "database_up") == 1
    file = Path(outside.world.database_url.removeprefix("sqlite:///"))
    outside.world.store.close()
    file.rename(tmp_path / "aside.db")
    file.mkdir()
    assert value(watched, "database_up") == 0
    assert value(watched, "reviews", state="waiting") is None
    assert value(watched, "refused_signatures_total") == 0


def test_served_on_its_own_listener_and_never_on_the_public_one(stage: Stage) -> None:  # noqa: F811
    port = free_port()
    gate = stage.serve(METRICS_LISTEN=f"127.0.0.1:{port}")
    stage.open_pull_request()
    stage.inbox.wait_for("Lily", timeout=60)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        said = answer.read().decode()
    names = {family.name for family in text_string_to_metric_families(said)}
    assert {"qa_gate_reviews", "qa_gate_github_calls", "qa_gate_mails", "process_cpu_seconds"} <= names
    assert "acme" not in said
    assert "lily" not in said.casefold()
    assert stage.get("/metrics") == 404
    assert f"qa-gate {__version__} starts." in gate.said()


def test_a_taken_port_stops_the_start_with_a_sentence(stage: Stage) -> None:  # noqa: F811
    port = int(stage.github.url.rpartition(":")[2])
    gate = stage.start("serve", METRICS_LISTEN=f"127.0.0.1:{port}")
    assert gate.wait() == 2
    assert f"Nothing can listen at METRICS_LISTEN (127.0.0.1:{port})" in gate.said()


def test_with_fewer_log_lines_only_what_is_wrong_is_said(stage: Stage) -> None:  # noqa: F811
    gate = stage.serve(LOG_LEVEL="error")
    stage.open_pull_request()
    stage.inbox.wait_for("Lily", timeout=60)
    assert gate.said() == ""
