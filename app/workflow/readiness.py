"""Whether a change is ready to be asked about, and if not, what it still lacks.

The reason is shown in the pull request's status. A webhook wakes the row when it is over; should none come, the
row looks again by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.workflow.gate import Work

# A commit without any check after this time has none.
NO_CHECKS_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Unready:
    """Why nobody is asked yet, and when to look again should no webhook come."""

    why: str
    wait: timedelta = timedelta(minutes=10)


def why_not_ready(work: Work) -> Unready | None:
    """Return what a change must still get before anybody is asked about it, or None."""
    gate, row = work.gate, work.row
    twins = gate.store.reviews.twins(row)
    if twins:
        return Unready(
            f"Pull request #{twins[0].number} has the same commits and base: close one of the two."
        )
    if row.is_strangers:
        return Unready("It comes from outside: somebody with write access must request a review first.")
    return unchecked(work) if gate.policy.wait_for_checks else None


def unchecked(work: Work) -> Unready | None:
    """Return what the automatic checks still lack; where none has shown up for two minutes, there is none."""
    ignored = work.gate.policy.ignore_checks
    checks = work.checks = work.gate.github.checks(work.row.repository, work.row.head_sha, ignored)
    names = ", ".join(checks.names)
    if checks.state == "red":
        return Unready(f"QA is asked when its automatic checks are green; red now: {names}.")
    if checks.state == "pending":
        return Unready(f"QA is asked when its automatic checks are green; running now: {names}.")
    early = work.row.changed_at + NO_CHECKS_AFTER - work.gate.store.now()
    if checks.state == "none" and early > timedelta(0):
        return Unready("QA will be asked soon.", early)
    return None
