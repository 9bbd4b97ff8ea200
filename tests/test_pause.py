"""A process that sleeps in the midst of its work: the others go on without it. On PostgreSQL, where there are others."""

from __future__ import annotations

import threading
from time import monotonic

from app.db.database import FOLD_LOCK, Unavailable, lock
from app.db.store import Store
from app.domain.policy import Policy
from tests.builders import LILY


def test_a_process_that_sleeps_in_a_transaction_holds_up_nobody_for_long(postgres_url: str) -> None:
    """A machine may be stopped at any instant for as long as it likes; its connection stays open."""
    sleeping, awake = Store(postgres_url), Store(postgres_url)
    awake.create()
    is_asleep, may_wake = threading.Event(), threading.Event()
    ends: list[str] = []

    def sleep() -> None:
        try:
            with sleeping.database.write() as connection:
                lock(connection, FOLD_LOCK)
                is_asleep.set()
                may_wake.wait(90)
        except Unavailable:
            ends.append("nothing of it was kept")

    thread = threading.Thread(target=sleep)
    thread.start()
    is_asleep.wait(60)
    began = monotonic()
    waker = threading.Timer(60, may_wake.set)
    waker.start()
    awake.inbox.fold(Policy((LILY,), ("acme/shop",)))
    assert monotonic() - began < 30
    waker.cancel()
    may_wake.set()
    thread.join()
    assert ends == ["nothing of it was kept"]
    assert sleeping.now()
    for store in (sleeping, awake):
        store.close()
