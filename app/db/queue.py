"""The worker's side of the queue: claim a job, give it back, and what its end tells of the services that it needed.

Called by the worker and `jobs`. A claim is a lease: when its holder dies, the job falls due again by itself. What is
known of a service is shared by all machines, and kept through restarts. An outage is no answer, or only trouble, for
three different jobs in a row; a job that fails while others succeed is its own affair.

    Overtaken   the row moved on, or the lease is gone: read it afresh
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, String, and_, bindparam, case, cast, func, or_, select, true, update

from app.db.columns import UtcTime, insert, put
from app.db.database import StorePart, row_as
from app.db.jobs import CLOCK_SLACK, FURTHEST, LEASE, NEEDS, Claim, Kind, Rest, Service, wake, wake_reviews
from app.db.rows import put_post
from app.db.tables import jobs, reviews, services, workers
from app.domain.review import Post
from app.domain.rules import APPROVED

log = logging.getLogger("qa-gate.review")

# A worker that has been silent for longer is dead; one that was seen in the future is of a clock that was wrong.
A_WORKERS_SILENCE = timedelta(seconds=60)
# So long may work be due that no service keeps waiting; more is a fault of the gate's own.
OVERDUE = timedelta(minutes=5)
OUTAGE_AFTER = 3
# So often one job finds out whether a service is back that is out of order.
PROBE_EVERY = timedelta(seconds=15)
# What failed in an outage is tried again within this time of its end, not all at once.
SPREAD = timedelta(minutes=1)

_NOW, _LEASED, _FURTHEST = (bindparam(name, type_=UtcTime) for name in ("now", "leased", "furthest"))
# What is due too far ahead was put there by a clock that was wrong.
_IS_DUE = or_(
    jobs.c.due_at <= _NOW, jobs.c.due_at > case((jobs.c.lease.is_not(None), _LEASED), else_=_FURTHEST)
)
_IS_LIMITED = and_(services.c.limited_until > _NOW, services.c.limited_until <= _FURTHEST)
_IS_PROBE_DUE = or_(
    services.c.probe_at.is_(None), services.c.probe_at <= _NOW, services.c.probe_at > _FURTHEST
)
_IN_TROUBLE = (services.c.name.in_(tuple(Service)), or_(services.c.failing_since.is_not(None), _IS_LIMITED))
_TO_PROBE = and_(services.c.failing_since.is_not(None), _IS_PROBE_DUE, _IS_LIMITED.is_not(true()))
_TROUBLED = (
    select(services.c.name, _TO_PROBE.label("is_probed"))
    .where(*_IN_TROUBLE)
    .order_by(services.c.name)
    .with_for_update()
)
_LEASE = update(jobs).where(jobs.c.id == bindparam("job"))
# The job while a claim holds, and what is left of it.
HELD = (
    jobs.c.kind == bindparam("held_kind"),
    jobs.c.about == bindparam("held_about"),
    jobs.c.lease == bindparam("held_lease"),
)
_RENEWED = update(jobs).where(*HELD).returning(jobs.c.id)
_DONE = jobs.delete().where(*HELD, jobs.c.revision == bindparam("held_revision")).returning(jobs.c.id)
_LIMITED_UNTIL = select(services.c.limited_until).where(services.c.name == bindparam("name"))
_FAILED = (services.c.name == bindparam("service"), services.c.failures > 0)
_FAILING, _UP = select(services.c.failing_since).where(*_FAILED), update(services).where(*_FAILED)


class Overtaken(Exception):
    """The row moved on, or the lease ran out; what was to be written was not."""


class Queue(StorePart):
    """Claims and ends."""

    def claim(self, kinds: Collection[Kind] = tuple(Kind), *, approved_only: bool = False) -> Claim | None:
        """Lease the earliest due job of these kinds, or of approved reviews only, for whose merge a person waits; None when none is due.

        While a service is out of order, one job that needs it is given every 15 seconds, due or not, to find out
        whether it is back.
        """
        with self._database.write_now() as (connection, now):
            moments = _moments(now)
            troubled = {row.name: row.is_probed for row in connection.execute(_TROUBLED, moments)}
            probed = tuple(name for name, is_probed in troubled.items() if is_probed)
            earliest = _earliest(tuple(kinds), tuple(troubled), probed, approved_only)
            row = connection.execute(earliest, moments).first()
            if row is None:
                return None
            claim = row_as(Claim, row, kind=Kind(row.kind), lease=secrets.token_hex(8))
            connection.execute(_LEASE, {"job": row.id, "lease": claim.lease, "due_at": now + LEASE})
            needed = NEEDS.get(claim.kind)
            if needed in troubled:
                put_off = update(services).where(services.c.name == needed)
                connection.execute(put_off.values(probe_at=now + PROBE_EVERY))
            return claim

    def finish(self, claim: Claim, rest: Rest, answered: Collection[Service] = ()) -> None:
        """Give a job back: due again after `rest.wait`, or gone where that is None; woken meanwhile, it is due at once.

        `answered` are the services that gave an answer. Does nothing when the lease is gone.
        """
        is_failed, failed_in = rest.problem is not None, rest.failed_in
        with self._database.write_now() as (connection, now):
            # The services before any job, and in one order, as at every claim: else each waits for the other.
            for service in sorted({*answered, *((failed_in,) if failed_in else ())}):
                if service == failed_in:
                    _note_down(connection, service, f"{claim.kind} {claim.about}", now)
                elif note_up(connection, service, now):
                    log.warning("%s answers again; what failed meanwhile is tried again.", service.label)
            done = {**lease_of(claim), "held_revision": claim.revision}
            if rest.wait is None and connection.execute(_DONE, done).first() is not None:
                return
            due = now + min(rest.wait or timedelta(0), FURTHEST)
            given = _RENEWED.values(
                lease=None,
                due_at=case((jobs.c.revision > claim.revision, now), else_=due),
                attempts=claim.attempts + 1 if is_failed else 0,
                problem=rest.problem,
                cause=rest.cause,
                failed_in=failed_in,
            )
            connection.execute(given, lease_of(claim))

    def renew(self, claim: Claim) -> None:
        """Renew a lease during a long step. Raises Overtaken when it is gone."""
        with self._database.write_now() as (connection, now):
            renew(connection, claim, now)

    def wake_failed(self) -> None:
        """Let everything that waits after a failure be tried again now: the operator may have put right what was wrong."""
        with self._database.write_now() as (connection, now):
            for service in Service:  # before any job, as at every end of one
                connection.execute(update(services).where(services.c.name == service).values(probe_at=None))
            waits = jobs.c.id.in_(_locked(connection, jobs.c.lease.is_(None), jobs.c.problem.is_not(None)))
            connection.execute(update(jobs).where(waits).values(due_at=now, attempts=0))
        with self._database.write_now() as (connection, now):
            wake_reviews(connection, now, reviews.c.blocked.is_not(None))

    def admit(self, review_id: int, post: Post) -> None:
        """Note what was said after the lease was gone: whoever holds the row next finds out whether it should stand.

        A call that is out cannot be fenced at GitHub.
        """
        with self._database.write() as connection:
            put_post(connection, review_id, post)
            wake(connection, Kind.REVIEW, str(review_id), self._database.now(connection))

    def oldest_due(self) -> timedelta | None:
        """Return for how long the most overdue job has been due, of those that no service keeps waiting; None: none is."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            troubled = connection.scalars(select(services.c.name).where(*_IN_TROUBLE), _moments(now)).all()
            waiting = [kind for kind, service in NEEDS.items() if service in troubled]
            due = select(func.min(jobs.c.due_at)).where(jobs.c.kind.not_in(waiting))
            first: datetime | None = connection.scalar(due)
            return now - first if first is not None and first <= now else None

    def beat(self, worker: str) -> None:
        """Note that this worker is alive."""
        with self._database.write_now() as (connection, now):
            connection.execute(put(workers, {"name": worker}, {"seen_at": now}))

    def leave(self, worker: str) -> None:
        """Note that this worker has ended: it is known at once, and not only once it has been silent for a while."""
        with self._database.write() as connection:
            connection.execute(workers.delete().where(workers.c.name == worker))

    def last_beat(self) -> timedelta | None:
        """Return how long ago any worker was last alive; None: never. What was seen in the future counts for nothing."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            known = select(func.max(workers.c.seen_at)).where(workers.c.seen_at <= now + A_WORKERS_SILENCE)
            seen: datetime | None = connection.scalar(known)
            return max(now - seen, timedelta(0)) if seen else None

    def limit(self, name: str, until: datetime) -> None:
        """Remember until when a service, or one identity at it ("github 123"), wants no call; the later end counts."""
        new = insert(services).values(name=name, limited_until=until, failures=0)
        later = case(
            (services.c.limited_until > new.excluded.limited_until, services.c.limited_until),
            else_=new.excluded.limited_until,
        )
        with self._database.write() as connection:
            connection.execute(
                new.on_conflict_do_update(index_elements=["name"], set_={"limited_until": later})
            )

    def limited_until(self, name: str) -> datetime | None:
        """Return until when it wants no call, None where it never said so."""
        found: datetime | None = self._database.scalar(_LIMITED_UNTIL, {"name": name})
        return found


def _moments(now: datetime) -> dict[str, datetime]:
    """Return the moments that the statements above are about."""
    return {"now": now, "leased": now + LEASE + CLOCK_SLACK, "furthest": now + FURTHEST + CLOCK_SLACK}


@cache
def _earliest(
    kinds: tuple[Kind, ...], troubled: tuple[str, ...], probed: tuple[str, ...], approved_only: bool
) -> Any:
    free = [kind for kind in kinds if NEEDS.get(kind) not in troubled]
    which = and_(jobs.c.kind.in_(free), _IS_DUE)
    for name in probed:
        needing = jobs.c.kind.in_([kind for kind in kinds if NEEDS.get(kind) == name])
        has_failed = and_(jobs.c.failed_in == name, jobs.c.lease.is_(None))
        which = or_(which, and_(needing, or_(_IS_DUE, has_failed)))
    query = select(jobs).where(which).order_by(jobs.c.due_at, jobs.c.id)
    if approved_only:
        approved = select(cast(reviews.c.id, String)).where(reviews.c.state.in_(APPROVED))
        query = query.where(jobs.c.about.in_(approved))
    return query.limit(1).with_for_update(skip_locked=True)


def lease_of(claim: Claim) -> dict[str, Any]:
    """Return what `HELD` compares with."""
    return {"held_kind": claim.kind, "held_about": claim.about, "held_lease": claim.lease}


def renew(connection: Connection, claim: Claim, now: datetime) -> None:
    """Renew a lease in the transaction of a step. Raises Overtaken when it is gone."""
    if connection.execute(_RENEWED, {**lease_of(claim), "due_at": now + LEASE}).first() is None:
        raise Overtaken


# --- What is known of the services that the gate needs.


def _note_down(connection: Connection, service: Service, about: str, now: datetime) -> None:
    """Note that a service gave no answer to a job; for the third job in a row, that is an outage."""
    new = insert(services).values(name=service, failures=1, last_job=about)
    is_another = services.c.last_job.is_distinct_from(about)
    failures = services.c.failures + case((is_another, 1), else_=0)
    is_out = and_(failures >= OUTAGE_AFTER, services.c.failing_since.is_(None))
    counted = {
        "failures": failures,
        "last_job": about,
        "failing_since": case((is_out, now), else_=services.c.failing_since),
        "probe_at": case((is_out, now + PROBE_EVERY), else_=services.c.probe_at),
    }
    connection.execute(new.on_conflict_do_update(index_elements=["name"], set_=counted))


def note_up(connection: Connection, service: Service, now: datetime) -> bool:
    """Note that a service answers; at the end of an outage, wake what failed in it and return True."""
    before = connection.execute(_FAILING, {"service": service}).first()
    if before is None:
        return False
    ended = {"failures": 0, "last_job": None, "failing_since": None, "probe_at": None}
    connection.execute(_UP, {"service": service, **ended})
    if before.failing_since is None:
        return False
    for job in _locked(connection, jobs.c.failed_in == service):
        due = now + SPREAD * random.random()
        is_held = jobs.c.lease.is_not(None)
        woken = {"due_at": case((is_held, jobs.c.due_at), else_=due), "failed_in": None, "attempts": 0}
        connection.execute(update(jobs).where(jobs.c.id == job).values(woken))
    return True


def _locked(connection: Connection, *which: Any) -> Sequence[int]:
    """Return the ids of these jobs, locked in the order in which `wake_reviews` wakes them: by number."""
    found = select(jobs.c.id).where(*which).order_by(func.length(jobs.c.about), jobs.c.about)
    return connection.scalars(found.with_for_update()).all()
