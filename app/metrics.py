"""What Prometheus asks for, on a listener of its own that is not for the public.

`server` and `qa-gate worker` start it where METRICS_LISTEN is set, and only then is this loaded. What is in the database is
read when somebody asks; calls, mails and webhooks are counted in this process. It names no change and no person.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask, Response, g, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app import __version__
from app.db.database import Unavailable
from app.db.jobs import Service
from app.db.store import Store
from app.jobs.gate import Gate

# In seconds; GitHub waits for ten.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def serve_metrics(listen: tuple[str, int], gate: Gate, app: Flask | None = None) -> None:
    """Count from now on, and serve what is counted, in a thread. Raises OSError where nobody can listen there."""
    host, port = listen
    start_http_server(port, host, registry(gate, app))


def registry(gate: Gate, app: Flask | None = None) -> CollectorRegistry:
    """Return everything that is counted of a gate and, in the server, of its webhook."""
    found = CollectorRegistry()
    ours: dict[str, Any] = {"namespace": "qa_gate", "registry": found}
    ProcessCollector(registry=found)
    Gauge("info", "The version that runs.", ["version"], **ours).labels(__version__).set(1)
    found.register(Stored(gate.store))
    _count_calls(gate, ours)
    mails = Counter("mails", "Emails by outcome: sent, refused, later, unanswered.", ["outcome"], **ours)
    gate.mailer.count_mail = lambda outcome: mails.labels(outcome).inc()
    if app is not None:
        _count_webhooks(app, ours)
    return found


class Stored(Collector):
    """What is in the database, read at each scrape."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; of a database that is away, only that."""
        try:
            now, health = self._store.problems.figures(), self._store.problems.health()
            beat = self._store.queue.last_beat()
        except Unavailable:
            yield _gauge("database_up", "1 while the database can be read.", 0)
            return
        yield _gauge("database_up", "1 while the database can be read.", 1)
        yield _gauge("reviews", "Pull requests and releases by state.", now.reviews, "state")
        waited = now.now - (now.waiting_since or now.now)
        yield _gauge(
            "oldest_waiting_seconds", "How long the oldest question has waited.", waited.total_seconds()
        )
        due = {kind: number for kind, (number, _) in now.due.items()}
        yield _gauge("jobs_due", "Jobs that are due.", due, "kind")
        ages = {kind: (now.now - first).total_seconds() for kind, (_, first) in now.due.items()}
        yield _gauge("oldest_due_seconds", "For how long the oldest of them has been due.", ages, "kind")
        yield _gauge("mails_unsent", "Emails that are still to be sent.", now.unsent)
        yield _gauge("problems", "Problems that last.", now.problems, "what")
        services = {service: health[service] != "no answer" for service in Service}
        yield _gauge("service_up", "1 while it answers.", services, "service")
        if beat is not None:
            seen = "Seconds since any worker gave a sign of life; every 15 it does."
            yield _gauge("worker_seen_seconds", seen, beat.total_seconds())


def _gauge(name: str, meaning: str, value: float | Mapping[Any, float], label: str = "") -> GaugeMetricFamily:
    """Return one value, or one for each of a label's."""
    if not isinstance(value, Mapping):
        return GaugeMetricFamily(f"qa_gate_{name}", meaning, value)
    found = GaugeMetricFamily(f"qa_gate_{name}", meaning, labels=[label])
    for key, number in value.items():
        found.add_metric([key], number)
    return found


def _count_calls(gate: Gate, ours: Mapping[str, Any]) -> None:
    calls = Counter("github_calls", "Calls to GitHub by status; 0: no answer.", ["status"], **ours)
    left = Gauge("github_rate_left", "Calls that GitHub still allows, as its last answer said.", **ours)

    def count(status: int, headers: Mapping[str, Any]) -> None:
        calls.labels(status).inc()
        remaining = str(headers.get("x-ratelimit-remaining", ""))
        if remaining.isdecimal():
            left.set(int(remaining))

    gate.github.count_call = count


def _count_webhooks(app: Flask, ours: Mapping[str, Any]) -> None:
    times = Histogram("webhook_seconds", "Webhooks by answer.", ["status"], buckets=BUCKETS, **ours)
    refused = Counter("refused_signatures", "Webhooks with no signature, or a wrong one.", **ours)

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def end(answer: Response) -> Response:
        if request.endpoint == "webhook.receive":
            times.labels(answer.status_code).observe(time.perf_counter() - g.began)
            if answer.status_code == 401:
                refused.inc()
        return answer
