"""What is known of the services that the gate needs: outages, and until when one wants no call.

Shared by all machines, and kept through restarts. An outage is no answer, or only trouble, for three different jobs
in a row; a job that fails while others succeed is its own affair.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, case, select, update

from app.db.columns import insert
from app.db.database import StorePart
from app.db.jobs import PROBE_EVERY, Service
from app.db.tables import jobs, services

OUTAGE_AFTER = 3
# What failed in an outage is tried again within this time of its end, not all at once.
SPREAD = timedelta(minutes=1)


_LIMITED = select(services.c.limited_until).where(services.c.name == bindparam("name"))
_TROUBLED = (services.c.name == bindparam("service"), services.c.failures > 0)
_FAILING, _UP = select(services.c.failing_since).where(*_TROUBLED), update(services).where(*_TROUBLED)


class Services(StorePart):
    """Limits by the name of a service, or of one identity at it ("github 123")."""

    def limit(self, name: str, until: datetime) -> None:
        """Remember until when it wants no call; the later end counts."""
        with self._database.write() as connection:
            limit(connection, name, until)

    def limited_until(self, name: str) -> datetime | None:
        """Return until when it wants no call, None where it never said so."""
        with self._database.read() as connection:
            found: datetime | None = connection.scalar(_LIMITED, {"name": name})
            return found


def note_down(connection: Connection, service: Service, about: str, now: datetime) -> None:
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
    ended = {"failures": 0, "last_job": None, "failing_since": None, "probe_at": None, "answered_at": now}
    connection.execute(_UP, {"service": service, **ended})
    if before.failing_since is None:
        return False
    for row in connection.execute(select(jobs.c.id).where(jobs.c.failed_in == service)).all():
        due = now + SPREAD * random.random()
        is_held = jobs.c.lease.is_not(None)
        woken = {"due_at": case((is_held, jobs.c.due_at), else_=due), "failed_in": None, "attempts": 0}
        connection.execute(update(jobs).where(jobs.c.id == row.id).values(woken))
    return True


def limit(connection: Connection, service: str, until: datetime) -> None:
    """Remember until when a service wants no call; the later end counts."""
    new = insert(services).values(name=service, limited_until=until, failures=0)
    later = case(
        (services.c.limited_until > new.excluded.limited_until, services.c.limited_until),
        else_=new.excluded.limited_until,
    )
    connection.execute(new.on_conflict_do_update(index_elements=["name"], set_={"limited_until": later}))
