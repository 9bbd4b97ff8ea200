"""The store, on SQLite and on a real PostgreSQL: what is acknowledged is kept, and twice is once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from sqlalchemy import JSON, event, literal, select, text, update
from sqlalchemy.exc import DBAPIError

from app.db.database import Unavailable
from app.db.inbox import Recorded
from app.db.jobs import LEASE, Claim, Kind, Rest, Service
from app.db.jobs import wake as make_due
from app.db.letters import NewLetter
from app.db.queue import Overtaken, note_up
from app.db.rows import Happening
from app.db.store import Store
from app.db.tables import jobs, reviews, rounds
from app.domain.approval import Choice
from app.domain.events import CheckEvent, PullRequestEvent
from app.domain.facts import Seen, Snapshot, State
from app.domain.policy import Policy
from app.domain.problems import What
from app.domain.review import Facts, Post, Review
from app.domain.rules import Event, next_move
from tests.builders import HEAD, LILY, OLD_HEAD, WORDS, Clock, columns, snapshot, told
from tests.world import wait_until

POLICY = Policy((LILY,), ("acme/shop",))
KNOWN = Seen(HEAD, "development", True, False, False, "Add gift cards", WORDS)
PUSHED = replace(KNOWN, head_sha=OLD_HEAD)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[Store]:
    store = Store(database_url, clock)
    store.create()
    yield store
    store.close()


def wake(store: Store, delivery: str = "d1", event: PullRequestEvent | None = None) -> Recorded | None:
    """Put an event into the inbox and fold it; None for a delivery that is known."""
    is_new = store.inbox.put(delivery, event or told(KNOWN))
    outcomes = store.inbox.fold(POLICY)
    return outcomes[-1] if is_new and outcomes else None


def take(store: Store) -> tuple[Claim, Review]:
    """Claim the one due review."""
    claim = store.queue.claim((Kind.REVIEW,))
    assert claim
    row = store.reviews.get(claim.id)
    assert row
    return claim, row


def read_facts(store: Store, claim: Claim, row: Review) -> Review:
    """Write the facts of a first read."""
    facts = {
        "base": "development",
        "head": "gift-cards",
        "head_sha": HEAD,
        "author": "sam",
        "words": WORDS,
    }
    return store.checkpoints.write(claim, row, seen_rev=row.rev, **columns(row.facts, facts))


def ask(store: Store) -> Review:
    """Bring a new review to waiting."""
    wake(store)
    claim, row = take(store)
    row = read_facts(store, claim, row)
    key = f"ask {row.id} {row.round} {LILY.id}"
    row = store.checkpoints.write(
        claim,
        row,
        move=next_move(State.TO_ASK, Event.ASKED),
        asked=snapshot(),
        letter=NewLetter(key, "ask", LILY.id, row.id, row.round),
        reviewer=LILY.id,
        happened=[Happening("asked", "Lily")],
    )
    store.queue.finish(claim, Rest())
    return row


def test_a_save_and_an_event_about_the_same_review_never_wait_for_each_other(
    postgres_url: str, clock: Clock
) -> None:
    """Found by tests/test_promises_together.py: PostgreSQL ended one of them, and the review then waited for its lease."""
    store = Store(postgres_url, clock)
    wake(store)
    claim, row = take(store)
    with ThreadPoolExecutor(1) as pool:
        # As a fold does: first the review, then its job; meanwhile its worker saves.
        with store.database.write() as connection:
            connection.execute(update(reviews).where(reviews.c.id == row.id).values(rev=reviews.c.rev + 1))
            saving = pool.submit(store.checkpoints.write, claim, row, title="Another title")
            wait_until(lambda: is_waiting(store))
            make_due(connection, Kind.REVIEW, str(row.id), clock())
        assert saving.result().title == "Another title"
    store.close()


def test_a_save_and_several_events_about_the_same_review_never_wait_for_each_other(
    postgres_url: str, clock: Clock
) -> None:
    store = Store(postgres_url, clock)
    wake(store)
    claim, row = take(store)
    row = read_facts(store, claim, row)
    store.inbox.put("d2", CheckEvent(repository_id=7, repository="acme/shop", sha=HEAD))
    store.inbox.put("d3", told(PUSHED))
    with ThreadPoolExecutor(2) as pool:
        with store.database.write() as connection:
            connection.execute(select(reviews.c.id).with_for_update())
            saving = pool.submit(store.checkpoints.write, claim, row, title="Another title")
            wait_until(lambda: is_waiting(store))
            folding = pool.submit(store.inbox.fold, POLICY)
            wait_until(lambda: is_waiting(store, 2) or folding.done())
        assert saving.result().title == "Another title"
        assert folding.result()
    store.close()


def is_waiting(store: Store, statements: int = 1) -> bool:
    """Whether so many statements wait for a lock."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with store.database.read() as connection:
        return bool(connection.execute(waiting).scalar_one() >= statements)


def test_an_end_and_a_claim_in_an_outage_never_wait_for_each_other(postgres_url: str, clock: Clock) -> None:
    store = Store(postgres_url, clock)
    for number in range(4):
        wake(store, f"d{number}", told(replace(KNOWN, head_sha=f"{number}" * 40), number=number + 1))
    for _ in range(3):
        claim, _ = take(store)
        store.queue.finish(claim, Rest(wait=timedelta(hours=1), failed_in=Service.GITHUB))
    clock.pass_(seconds=16)
    probing, _ = take(store)
    clock.pass_(seconds=16)
    with ThreadPoolExecutor(1) as pool:
        # As the end of a job does: first the service, then the jobs that failed in it; meanwhile somebody claims.
        with store.database.write() as connection:
            note_up(connection, Service.GITHUB, clock())
            claiming = pool.submit(store.queue.claim, (Kind.REVIEW,))
            wait_until(lambda: is_waiting(store))
            connection.execute(update(jobs).values(attempts=0))
        claiming.result()
    assert probing
    store.close()


# --- Webhooks -----------------------------------------------------------------------------------------------


def test_the_same_delivery_counts_once(store: Store) -> None:
    wake(store)
    assert wake(store) is None
    assert take(store)[1].rev == 1


def test_another_repository_under_a_known_name_is_a_problem_and_no_match(store: Store) -> None:
    wake(store)
    assert wake(store, "d2", told(KNOWN, repository_id=8, repository="Acme/Shop")) is Recorded.FOREIGN
    assert len(store.reviews.pending()) == 1
    assert [one.what for one in store.problems.troubles(["Acme/Shop"])] == [What.TAKEN]
    assert store.repositories.trust("acme/SHOP")
    assert wake(store, "d3", told(KNOWN, repository_id=8)) is Recorded.WOKEN
    assert store.problems.troubles(["Acme/Shop"]) == []


def test_what_came_since_the_last_read_is_kept_in_order(store: Store) -> None:
    row = ask(store)
    wake(store, "d2", told(PUSHED))
    wake(store, "d3", told(KNOWN, number=13))
    wake(store, "d4", told(replace(PUSHED, title="Other")))
    fresh = store.reviews.get(row.id)
    assert fresh
    assert (fresh.rev, fresh.seen_rev) == (3, 1)
    events = store.inbox.since(row.id, fresh.seen_rev, fresh.rev)
    assert [event.seen for event in events] == [PUSHED, replace(PUSHED, title="Other")]
    assert store.inbox.since(row.id, 2, 2) == []


def test_a_force_push_back_while_a_worker_reads_is_not_lost(store: Store) -> None:
    row = ask(store)
    store.queue.claim((Kind.MAIL,))
    wake(store, "d2", told(PUSHED))
    claim, seen = take(store)
    # The worker has read the pushed head; now the old one comes back, just as the row still shows it.
    assert wake(store, "d3") is Recorded.WOKEN
    store.checkpoints.write(claim, seen, seen_rev=seen.rev, head_sha=OLD_HEAD, base="development")
    store.queue.finish(claim, Rest())
    _claim, again = take(store)
    assert (again.id, again.rev > again.seen_rev) == (row.id, True)


def test_old_delivery_ids_are_forgotten(store: Store, clock: Clock) -> None:
    ask(store)
    clock.pass_(days=6)
    store.inbox.forget()
    assert wake(store) is None
    clock.pass_(days=2)
    store.inbox.forget()
    assert wake(store) is Recorded.NOTHING_NEW


# --- The queue ----------------------------------------------------------------------------------------------


def test_many_workers_never_share_a_row(store: Store) -> None:
    for number in range(12):
        wake(store, f"d{number}", told(KNOWN, number=number))
    got: list[int] = []

    def work() -> None:
        while claim := store.queue.claim():
            got.append(claim.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 12


def test_a_dead_ones_row_falls_due_when_its_lease_ends(store: Store, clock: Clock) -> None:
    wake(store)
    dead, row = take(store)
    clock.pass_(seconds=LEASE.total_seconds() - 1)
    assert store.queue.claim() is None
    clock.pass_(seconds=1)
    heir, row = take(store)
    with pytest.raises(Overtaken):
        read_facts(store, dead, row)
    assert read_facts(store, heir, row).was_read


def test_a_checkpoint_renews_the_lease(store: Store, clock: Clock) -> None:
    wake(store)
    claim, row = take(store)
    clock.pass_(seconds=100)
    read_facts(store, claim, row)
    clock.pass_(seconds=100)
    assert store.queue.claim() is None


def test_a_checkpoint_never_overwrites_a_decision(store: Store) -> None:
    row = ask(store)
    wake(store, "d2", told(PUSHED))
    assert store.queue.claim((Kind.MAIL,))
    claim, seen = take(store)
    assert store.reviews.decide(row.id, 1, Choice.APPROVE, "", LILY) is None
    with pytest.raises(Overtaken):
        store.checkpoints.write(claim, seen, posts=[Post("blocked", "x")])
    store.queue.finish(claim, Rest(wait=timedelta(0)))
    claim, seen = take(store)
    assert (seen.state, seen.is_approved) == (State.TO_MERGE, True)


def test_a_decision_just_before_the_worker_lets_go_is_not_left_lying(store: Store) -> None:
    wake(store)
    claim, row = take(store)
    row = read_facts(store, claim, row)
    letter = NewLetter("ask", "ask", LILY.id, row.id, 1)
    asked = next_move(State.TO_ASK, Event.ASKED)
    store.checkpoints.write(claim, row, move=asked, asked=snapshot(), letter=letter)
    assert store.reviews.decide(row.id, 1, Choice.APPROVE, "", LILY) is None
    store.queue.finish(claim, Rest())
    store.queue.claim((Kind.MAIL,))
    _claim, row = take(store)
    assert (row.state, row.rev) == (State.TO_MERGE, row.seen_rev)


def test_a_failed_checkpoint_keeps_nothing(store: Store) -> None:
    wake(store)
    claim, row = take(store)
    stale = replace(row, round=2)
    letter = NewLetter("ask 1 2 x", "ask", LILY.id, row.id, 2)
    with pytest.raises(Overtaken):
        store.checkpoints.write(claim, stale, letter=letter, happened=[Happening("asked", "Lily")])
    assert store.reviews.history(row.id) == []
    store.queue.finish(claim, Rest())
    assert store.letters.get(1) is None


def test_an_event_during_the_work_makes_it_due_again(store: Store) -> None:
    wake(store)
    claim, row = take(store)
    row = read_facts(store, claim, row)
    wake(store, "d2", told(PUSHED))
    assert store.queue.claim() is None
    store.queue.finish(claim, Rest())
    assert take(store)[1].rev == 2


def test_a_row_that_waits_is_due_when_its_time_comes(store: Store, clock: Clock) -> None:
    wake(store)
    claim, row = take(store)
    read_facts(store, claim, row)
    store.queue.finish(claim, Rest(wait=timedelta(minutes=5), problem="GitHub is down."))
    clock.pass_(minutes=4)
    assert store.queue.claim() is None
    assert store.queue.oldest_due() is None
    clock.pass_(minutes=2)
    assert store.queue.oldest_due() == timedelta(minutes=1)
    again, row = take(store)
    assert (again.attempts, row.problem) == (1, "GitHub is down.")


def test_a_claim_takes_only_the_kinds_it_names(store: Store) -> None:
    ask(store)
    wake(store, "d2", told(KNOWN, number=13))
    assert store.queue.claim((Kind.POLL, Kind.DIGEST)) is None
    letter, review = store.queue.claim((Kind.MAIL,)), store.queue.claim((Kind.REVIEW,))
    assert letter
    assert review
    assert (letter.kind, review.kind) == (Kind.MAIL, Kind.REVIEW)


def test_a_claim_for_decided_reviews_leaves_the_others(store: Store) -> None:
    row = ask(store)
    wake(store, "d2", told(KNOWN, number=13))
    assert store.queue.claim((Kind.REVIEW,), approved_only=True) is None
    assert store.reviews.decide(row.id, 1, Choice.APPROVE, "", LILY) is None
    claim = store.queue.claim((Kind.REVIEW,), approved_only=True)
    assert claim
    assert claim.id == row.id


# --- Decisions ----------------------------------------------------------------------------------------------


def test_of_many_clicks_at_once_one_decides(store: Store) -> None:
    row = ask(store)
    moves: list[bool] = []
    barrier = threading.Barrier(8)

    def click(choice: Choice) -> None:
        barrier.wait()
        moves.append(store.reviews.decide(row.id, 1, choice, "why", LILY) is None)

    threads = [threading.Thread(target=click, args=(Choice.APPROVE,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert moves.count(True) == 1
    assert len([line for line in store.reviews.history(row.id) if line.what == "approved"]) == 1


# --- Rounds, letters, the rest ------------------------------------------------------------------------------


def test_documents_of_an_older_or_a_newer_program_stay_readable(store: Store) -> None:
    row = ask(store)
    asked = json.loads(TypeAdapter(Snapshot).dump_json(snapshot()))
    asked["pull"]["from_a_newer_one"] = {}
    for name in ("author_id", "belongs"):
        del asked["pull"][name]
    del asked["checks"], asked["release"], asked["change"]["is_unique"]
    with store.database.write() as connection:
        connection.execute(update(reviews).values(facts=literal({"url": "https://x", "more": 1}, JSON)))
        connection.execute(update(rounds).values(snapshot=literal(asked, JSON)))
    read, question = store.reviews.get(row.id), store.reviews.round(row.id, 1)
    assert read
    assert read.facts == Facts(url="https://x")
    assert question
    assert question.snapshot == snapshot(author_id=None)


def test_a_review_has_only_as_many_columns_as_are_searched_or_kept_by_the_gate() -> None:
    assert len(reviews.columns) <= 40


@pytest.mark.parametrize("kind, share", [("sign_in", 5), ("fresh", 1)])
def test_of_many_requests_at_once_only_the_share_is_granted(database_url: str, kind: str, share: int) -> None:
    store = Store(database_url)
    store.create()
    barrier = threading.Barrier(12)

    def request(number: int) -> bool:
        barrier.wait()
        return store.letters.request(NewLetter(f"{kind} {number}", kind, LILY.id))

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(request, range(12))).count(True) == share
    store.close()


def test_an_unknown_address_costs_what_a_known_one_does_and_gets_nothing(store: Store) -> None:
    statements: list[str] = []
    for engine in store.database.engines:
        event.listen(
            engine, "before_cursor_execute", lambda *told: statements.append(told[2].partition(" ")[0])
        )
    asked = []
    for number, is_known in enumerate((True, True, False, False)):
        granted = store.letters.request(NewLetter(f"s{number}", "sign_in", LILY.id), is_known=is_known)
        asked.append((granted, statements.count("INSERT"), statements.count("SELECT")))
        statements.clear()
    assert [granted for granted, *_ in asked] == [True, True, False, False]
    assert len({tuple(cost) for _, *cost in asked}) == 1
    assert store.letters.get(2)
    assert store.letters.get(3) is None


def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    folder = tmp_path / "a folder, not a database"
    folder.mkdir()
    with pytest.raises(Unavailable):
        Store(f"sqlite:///{folder}").create()


@pytest.mark.parametrize(
    "wrong", ["SELECT x FROM nowhere", "SELEC 1", "INSERT INTO workers (name) VALUES ('d')"]
)
def test_a_wrong_statement_is_a_bug_and_not_a_database_that_is_away(database_url: str, wrong: str) -> None:
    store = Store(database_url)
    store.create()
    with pytest.raises(DBAPIError), store.database.write() as connection:
        connection.execute(text(wrong))
    store.close()


def test_a_full_disk_loses_nothing_that_was_acknowledged(sqlite_url: str, clock: Clock) -> None:
    store = Store(sqlite_url, clock)
    store.create()
    wake(store)
    with store.database.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    store.database.execute_raw(
        f"PRAGMA max_page_count = {pages}", ()
    )  # of the connection that takes webhooks in
    long = told(replace(KNOWN, title="t" * 100_000), number=13)
    with pytest.raises(Unavailable):
        wake(store, "d2", long)
    assert [row.number for row in store.reviews.pending()] == [12]
    store.database.execute_raw("PRAGMA max_page_count = 1000000", ())
    assert wake(store, "d2", long) is Recorded.WOKEN
    store.close()


def test_the_tables_can_be_created_by_two_at_once(empty_database_url: str) -> None:
    stores = [Store(empty_database_url) for _ in range(4)]
    threads = [threading.Thread(target=store.create) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.reviews.pending() for store in stores] == [[], [], [], []]
    for store in stores:
        store.close()


def test_new_files_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
    for number in range(60):
        stores = [Store(f"sqlite:///{tmp_path}/{number}.db") for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(Store.create, stores))
        for store in stores:
            store.close()


def test_times_come_from_the_database_when_no_clock_is_given(database_url: str) -> None:
    store = Store(database_url)
    assert store.now().utcoffset() == timedelta(0)
    store.close()
