"""Jobs: a row of `jobs` is something to be done, and is gone when it is done. `Queue` claims and ends them.

A job names what it is about ("review 12"), so that one thing is never queued twice. `revision` counts its wake-ups:
what was woken while somebody worked on it is due again at once. A lease ends by itself, so that a worker may die at any
instant. `NEEDS` says which service a job needs: while that is out of order, one job at a time asks whether it is back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, String, and_, bindparam, case, cast, literal, or_, select, update

from app.db.columns import insert
from app.db.database import StorePart
from app.db.tables import jobs, reviews, timers
from app.domain.problems import What

# Longer than any step between two checkpoints takes; after it another worker takes over.
LEASE = timedelta(seconds=120)
# No job is put further ahead, so what is due later than this was put there by a clock that jumped.
FURTHEST = timedelta(hours=1)
CLOCK_SLACK = timedelta(minutes=5)


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


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one job until the lease ends; `attempts`: failures in a row."""

    kind: Kind
    about: str
    lease: str
    attempts: int
    revision: int = 0

    @property
    def id(self) -> int:
        """Return the number of the row that the job is about, where it is about one."""
        return int(self.about)


@dataclass(frozen=True, slots=True)
class Rest:
    """How a job's step ended: due again after `wait` (None: when something happens), and the `problem` if it failed.

    A failed step with no `wait` is for the worker to space out; `refused`: it was answered, with a no. `failed_in` is
    the service that gave no answer, `cause` whose matter the failure is.
    """

    wait: timedelta | None = None
    problem: str | None = None
    refused: bool = False
    failed_in: Service | None = None
    cause: What | None = None


def wake(
    connection: Connection, kind: Kind, about: str, due: datetime, *, take: bool = False, afresh: bool = False
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
    """Make the jobs of these reviews due then, as `wake` does."""
    found = select(literal(Kind.REVIEW.value), cast(reviews.c.id, String), literal(now, jobs.c.due_at.type))
    # In one order, wherever many are woken: else each waits for the other.
    new = insert(jobs).from_select(["kind", "about", "due_at"], found.where(*which).order_by(reviews.c.id))
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


_LEASED = select(jobs.c.id).where(
    jobs.c.kind == bindparam("kind"), jobs.c.about == bindparam("about"), jobs.c.lease.is_not(None)
)


def is_leased(connection: Connection, kind: Kind, about: str) -> bool:
    """Tell whether somebody works on this."""
    return connection.scalar(_LEASED, {"kind": kind, "about": about}) is not None


# --- What is done again and again, a poll of a repository, its release, the daily digest: each has a job of its own.


# The first word of the timer that keeps a repository's release pull request.
RELEASE = "release"
NAMED = (Kind.RELEASE, Kind.DIGEST, Kind.PROBLEMS, Kind.BOUNCES)


@dataclass(frozen=True, slots=True)
class Timer:
    """How far the last one came: `seen` and `etag`, None before the first. One row a name, whichever machine made it.

    A repository's own name is its poll, "release NAME" its release; the others are called as their kind. `branches` are
    those that were gated at the last poll.
    """

    id: int
    name: str
    created_at: datetime
    seen: datetime | None
    etag: str | None
    branches: tuple[str, ...] | None


class Timers(StorePart):
    """Timers by name."""

    def set(self, name: str) -> None:
        """Make the timer, due at once, or make it due at once; names of repositories have no case."""
        with self._database.write() as connection:
            put_timer(connection, name, self._database.now(connection))

    def get(self, name: str) -> Timer | None:
        """Return one timer."""
        return self._database.one(Timer, select(timers).where(timers.c.name == name.casefold()))

    def note(
        self, timer_id: int, seen: datetime | None, etag: str | None, branches: tuple[str, ...] | None = None
    ) -> None:
        """Remember how far a look came."""
        with self._database.write() as connection:
            values = {"seen": seen, "etag": etag, "branches": branches}
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
