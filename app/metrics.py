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
from app.db import Store
from app.db.database import Unavailable
from app.db.figures import Figures, figures
from app.db.jobs import Service
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
    ProcessCollector(registry=found)
    Gauge("qa_gate_info", "The version that runs.", ["version"], registry=found).labels(__version__).set(1)
    found.register(Stored(gate.store))
    _count_calls(gate, found)
    _count_mails(gate, found)
    if app is not None:
        _count_webhooks(app, found)
    return found


class Stored(Collector):
    """What is in the database, read at each scrape."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; of a database that is away, only that."""
        up = GaugeMetricFamily("qa_gate_database_up", "1 while the database can be read.")
        try:
            now, health = figures(self._store.database), self._store.problems.health()
            beat = self._store.queue.last_beat()
        except Unavailable:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _gauges(now)
        services = _by("qa_gate_service_up", "1 while it answers.", "service")
        for service in Service:
            services.add_metric([service], health[service].failing_since is None)
        yield services
        if beat is not None:
            seen = "Seconds since any worker gave a sign of life; every 15 it does."
            yield GaugeMetricFamily("qa_gate_worker_seen_seconds", seen, beat.total_seconds())


def _gauges(now: Figures) -> Iterator[GaugeMetricFamily]:
    reviews = _by("qa_gate_reviews", "Pull requests and releases by state.", "state")
    for state, number in now.reviews.items():
        reviews.add_metric([state], number)
    yield reviews
    waited = (now.now - now.waiting_since).total_seconds() if now.waiting_since else 0
    yield GaugeMetricFamily(
        "qa_gate_oldest_waiting_seconds", "How long the oldest question has waited.", waited
    )
    due = _by("qa_gate_jobs_due", "Jobs that are due.", "kind")
    age = _by("qa_gate_oldest_due_seconds", "For how long the oldest of them has been due.", "kind")
    for kind, (number, first) in now.due.items():
        due.add_metric([kind], number)
        age.add_metric([kind], (now.now - first).total_seconds())
    yield due
    yield age
    yield GaugeMetricFamily("qa_gate_mails_unsent", "Emails that are still to be sent.", now.unsent)
    problems = _by("qa_gate_problems", "Problems that last.", "what")
    for what, number in now.problems.items():
        problems.add_metric([what], number)
    yield problems


def _by(name: str, meaning: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=[label])


def _count_calls(gate: Gate, found: CollectorRegistry) -> None:
    calls = Counter(
        "qa_gate_github_calls", "Calls to GitHub by status; 0: no answer.", ["status"], registry=found
    )
    left = Gauge(
        "qa_gate_github_rate_left", "Calls that GitHub still allows, as its last answer said.", registry=found
    )

    def count(status: int, headers: Mapping[str, Any]) -> None:
        calls.labels(status).inc()
        remaining = str(headers.get("x-ratelimit-remaining", ""))
        if remaining.isdecimal():
            left.set(int(remaining))

    gate.github.told = count


def _count_mails(gate: Gate, found: CollectorRegistry) -> None:
    meaning = "Emails by outcome: sent, refused, later, unanswered."
    mails = Counter("qa_gate_mails", meaning, ["outcome"], registry=found)
    gate.mailer.told = lambda outcome: mails.labels(outcome).inc()


def _count_webhooks(app: Flask, found: CollectorRegistry) -> None:
    times = Histogram(
        "qa_gate_webhook_seconds", "Webhooks by answer.", ["status"], buckets=BUCKETS, registry=found
    )
    refused = Counter(
        "qa_gate_refused_signatures", "Webhooks with no signature, or a wrong one.", registry=found
    )

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
