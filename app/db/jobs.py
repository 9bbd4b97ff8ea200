"""The queue: a row of `jobs` is something to be done, and is gone when it is done.

Only this package uses it; `Queue` is what the others see. A job names what it is about ("review 12"), so that one
thing is never queued twice. `revision` counts its wake-ups: what was woken while somebody worked on it is due again
at once. A lease ends by itself, so that a worker may die at any instant.

    service   who a job needs: while one is out of order, one job at a time asks whether it is back
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    String,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    update,
)

from app.db.columns import UtcTime, insert
from app.db.database import StorePart
from app.db.tables import jobs, reviews, services, timers
from app.domain.facts import State
from app.domain.problems import What

# Longer than any step between two checkpoints takes; after it another worker takes over.
LEASE = timedelta(seconds=120)
# No job is put further ahead, so what is due later than this was put there by a clock that jumped.
FURTHEST = timedelta(hours=1)
SLACK = timedelta(minutes=5)
# So often one job finds out whether a service is back that is out of order.
PROBE_EVERY = timedelta(seconds=15)


class Kind(StrEnum):
    """What there is to do; the values are what the database holds."""

    REVIEW = "review"
    MAIL = "mail"
    POLL = "poll"
    RELEASE = "release"
    DIGEST = "digest"
    PROBLEMS = "problems"
    BOUNCES = "bounces"


class Service(StrEnum):
    """Whom a job needs outside the gate."""

    GITHUB = "github"
    MAIL = "mail"

    @property
    def label(self) -> str:
        """Return its name as people say it."""
        return {"github": "GitHub", "mail": "Amazon SES"}[self.value]


NEEDS: dict[Kind, Service] = {
    Kind.REVIEW: Service.GITHUB,
    Kind.POLL: Service.GITHUB,
    Kind.RELEASE: Service.GITHUB,
    Kind.MAIL: Service.MAIL,
    Kind.BOUNCES: Service.MAIL,
}
# Reviews that somebody decided on: a person waits for these.
DECIDED = (State.TO_MERGE, State.MERGING)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one job until the lease ends; `attempts`: failures in a row, `problem`: the last one."""

    kind: Kind
    about: str
    lease: str
    attempts: int
    revision: int = 0
    problem: str | None = None

    @property
    def id(self) -> int:
        """Return the number of the row that the job is about, where it is about one."""
        return int(self.about)


def wake(
    connection: Connection,
    kind: Kind,
    about: str,
    due: datetime,
    *,
    take: bool = False,
    afresh: bool = False,
) -> None:
    """Make a job, or make it due at `due` unless it is due sooner.

    Who holds the lease goes on at once after the step; with `take` they lose it, and `due` counts. `afresh`: earlier
    failures count no more.
    """
    connection.execute(_wake(take, afresh), {"kind": kind, "about": about, "due_at": due})


@cache
def _wake(take: bool, afresh: bool) -> Any:
    new = insert(jobs)
    forgotten = {"attempts": 0, "problem": None, "cause": None, "failed_in": None} if afresh else {}
    woken = {**_woken(new, take), **forgotten}
    return new.on_conflict_do_update(index_elements=["kind", "about"], set_=woken)


def wake_reviews(connection: Connection, now: datetime, *which: Any) -> None:
    """Make the jobs of these reviews due now."""
    found = select(literal(Kind.REVIEW.value), cast(reviews.c.id, String), literal(now, jobs.c.due_at.type))
    new = insert(jobs).from_select(["kind", "about", "due_at"], found.where(*which))
    connection.execute(new.on_conflict_do_update(index_elements=["kind", "about"], set_=_woken(new)))


def _woken(new: Any, take: bool = False) -> dict[str, Any]:
    # A leased job stays with its holder, who sees the new revision at the end.
    is_held = and_(jobs.c.lease.is_not(None), literal(not take))
    is_sooner = and_(jobs.c.due_at < new.excluded.due_at, jobs.c.lease.is_(None))
    return {
        "revision": jobs.c.revision + 1,
        "due_at": case((or_(is_held, is_sooner), jobs.c.due_at), else_=new.excluded.due_at),
        **({"lease": None} if take else {}),
    }


def claim(
    connection: Connection, now: datetime, kinds: Collection[Kind], *, decided_only: bool = False
) -> Claim | None:
    """Lease the earliest due job of these kinds; None when nothing is due.

    While a service is out of order, one job that needs it is given every 15 seconds, due or not, to find out whether
    it is back.
    """
    moments = _moments(now)
    states = {row.name: row for row in connection.execute(_TROUBLED_SERVICES, moments)}
    query = _earliest(tuple(kinds), decided_only)
    if states:
        query = _in_trouble(states, now, kinds, decided_only)
    row = connection.execute(query, moments).first()
    if row is None:
        return None
    kind = Kind(row.kind)
    found = Claim(kind, row.about, secrets.token_hex(8), row.attempts, row.revision, row.problem)
    connection.execute(_LEASE, {"job": row.id, "lease": found.lease, "due_at": now + LEASE})
    if NEEDS.get(kind) in states:
        put_off = update(services).where(services.c.name == NEEDS[kind])
        connection.execute(put_off.values(probe_at=now + PROBE_EVERY))
    return found


def _in_trouble(states: dict[str, Any], now: datetime, kinds: Collection[Kind], decided_only: bool) -> Any:
    free = [kind for kind in kinds if NEEDS.get(kind) not in states]
    which = [and_(jobs.c.kind.in_(free), _IS_DUE)]
    for name, state in states.items():
        if state.failing_since is not None and _is_over(state.probe_at, now) and not _limited(state, now):
            probing = [kind for kind in kinds if NEEDS.get(kind) == name]
            which.append(
                and_(
                    jobs.c.kind.in_(probing),
                    or_(_IS_DUE, and_(jobs.c.failed_in == name, jobs.c.lease.is_(None))),
                )
            )
    return _first(or_(*which), decided_only)


@cache
def _earliest(kinds: tuple[Kind, ...], decided_only: bool) -> Any:
    return _first(and_(jobs.c.kind.in_(kinds), _IS_DUE), decided_only)


def _first(which: Any, decided_only: bool) -> Any:
    query = select(jobs).where(which).order_by(jobs.c.due_at, jobs.c.id)
    if decided_only:
        decided = select(cast(reviews.c.id, String)).where(reviews.c.state.in_(DECIDED))
        query = query.where(jobs.c.about.in_(decided))
    return query.limit(1).with_for_update(skip_locked=True)


def _moments(now: datetime) -> dict[str, datetime]:
    """Return the moments that the statements below are about."""
    return {"now": now, "leased": now + LEASE + SLACK, "furthest": now + FURTHEST + SLACK}


_NOW, _LEASED, _FURTHEST = (bindparam(name, type_=UtcTime) for name in ("now", "leased", "furthest"))
# What is due too far ahead was put there by a clock that was wrong.
_IS_DUE = or_(
    jobs.c.due_at <= _NOW,
    jobs.c.due_at > case((jobs.c.lease.is_not(None), _LEASED), else_=_FURTHEST),
)
_IS_LIMITED = and_(services.c.limited_until > _NOW, services.c.limited_until <= _FURTHEST)
_TROUBLED = or_(services.c.failing_since.is_not(None), _IS_LIMITED)
_TROUBLED_SERVICES = select(services).where(_TROUBLED).order_by(services.c.name).with_for_update()
_LEASE = update(jobs).where(jobs.c.id == bindparam("job"))
# The job while a claim holds, and what is left of it.
HELD = (
    jobs.c.kind == bindparam("held_kind"),
    jobs.c.about == bindparam("held_about"),
    jobs.c.lease == bindparam("held_lease"),
)
_RENEWED = update(jobs).where(*HELD).returning(jobs.c.id)
_DONE = jobs.delete().where(*HELD, jobs.c.revision == bindparam("held_revision")).returning(jobs.c.id)
_LEASED_JOB = select(jobs.c.id).where(
    jobs.c.kind == bindparam("kind"), jobs.c.about == bindparam("about"), jobs.c.lease.is_not(None)
)


def _limited(state: Any, now: datetime) -> bool:
    until = state.limited_until
    return until is not None and now < until <= now + FURTHEST + SLACK


def _is_over(moment: datetime | None, now: datetime) -> bool:
    return moment is None or moment <= now or moment > now + FURTHEST


def held(claim: Claim) -> dict[str, Any]:
    """Return what `HELD` compares with."""
    return {"held_kind": claim.kind, "held_about": claim.about, "held_lease": claim.lease}


def renew(connection: Connection, claim: Claim, now: datetime) -> bool:
    """Renew the lease; False when it is gone."""
    return connection.execute(_RENEWED, {**held(claim), "due_at": now + LEASE}).first() is not None


def finish(
    connection: Connection,
    claim: Claim,
    now: datetime,
    *,
    wait: timedelta | None,
    attempts: int = 0,
    problem: str | None = None,
    cause: What | None = None,
    failed_in: Service | None = None,
) -> bool:
    """Give a job back: due again after `wait`, gone if that is None; False when the lease is gone.

    One that was woken meanwhile is due at once.
    """
    if wait is None:
        done = {**held(claim), "held_revision": claim.revision}
        if connection.execute(_DONE, done).first() is not None:
            return True
    due = now + min(wait, FURTHEST) if wait is not None else now
    values = {
        "lease": None,
        "due_at": case((jobs.c.revision > claim.revision, now), else_=due),
        "attempts": attempts,
        "problem": problem,
        "cause": cause,
        "failed_in": failed_in,
    }
    given = _RENEWED.values(values)
    return connection.execute(given, held(claim)).first() is not None


def wake_failed(connection: Connection, now: datetime) -> None:
    """Make due now whatever waits after a failure: the operator may have put right what was wrong."""
    waits = (jobs.c.lease.is_(None), jobs.c.problem.is_not(None))
    connection.execute(update(jobs).where(*waits).values(due_at=now, attempts=0))
    connection.execute(update(services).values(probe_at=None))


def is_leased(connection: Connection, kind: Kind, about: str) -> bool:
    """Tell whether somebody works on this."""
    return connection.execute(_LEASED_JOB, {"kind": kind, "about": about}).first() is not None


def oldest_due(connection: Connection, now: datetime) -> datetime | None:
    """Return since when the most overdue job has been due, of those that no service keeps waiting."""
    states = connection.scalars(select(services.c.name).where(_TROUBLED), _moments(now)).all()
    waiting = [kind for kind, service in NEEDS.items() if service in states]
    first: datetime | None = connection.scalar(
        select(func.min(jobs.c.due_at)).where(jobs.c.kind.not_in(waiting))
    )
    return first


# --- What is done again and again, a poll of a repository, its release, the daily digest: each has a job of its own.


# The first word of the timer that keeps a repository's release pull request.
RELEASE = "release"
NAMED = (Kind.RELEASE, Kind.DIGEST, Kind.PROBLEMS, Kind.BOUNCES)


@dataclass(frozen=True, slots=True)
class Timer:
    """How far the last one came: `seen` and `etag`, None before the first. One row a name, whichever machine made it.

    A repository's own name is its poll, "release NAME" its release; the others are called as their kind.
    """

    id: int
    name: str
    created_at: datetime
    seen: datetime | None
    etag: str | None


class Timers(StorePart):
    """Timers by name."""

    def set(self, name: str) -> None:
        """Make the timer, due at once, or make it due at once; names of repositories have no case."""
        with self._database.write() as connection:
            put_timer(connection, name, self._database.now(connection))

    def get(self, name: str) -> Timer | None:
        """Return one timer."""
        return self._database.one(Timer, select(timers).where(timers.c.name == name.casefold()))

    def note(self, timer_id: int, seen: datetime | None, etag: str | None) -> None:
        """Remember how far a look came."""
        with self._database.write() as connection:
            values = {"seen": seen, "etag": etag}
            connection.execute(update(timers).where(timers.c.id == timer_id).values(values))


def put_timer(connection: Connection, name: str, now: datetime, delay: timedelta = timedelta(0)) -> None:
    """Make the timer due, inside another transaction: in a while, unless it is due sooner already."""
    name = name.casefold()
    made = insert(timers).values(name=name, created_at=now)
    connection.execute(made.on_conflict_do_nothing(index_elements=["name"]))
    first = name.partition(" ")[0]
    kind = Kind(first) if first in NAMED else Kind.POLL
    # Who holds the lease may have looked already, and loses it.
    wake(connection, kind, name, now + delay, take=True)
