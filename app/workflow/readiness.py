"""Whether a change is ready to be asked about, and if not, what it still lacks.

The reason is shown in the pull request's status. A webhook wakes the row when it is over; should none come, the
row looks again by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.github_client import Refused
from app.workflow.gate import Work

# A commit without any check after this time has none.
NO_CHECKS_AFTER = timedelta(minutes=2)
NOT_SAID = "It comes from a fork, and GitHub hasn’t said yet whether its author belongs here. QA is asked after that."


@dataclass(frozen=True, slots=True)
class Unready:
    """Why nobody is asked yet, and when to look again should no webhook come.

    `problem` is what went wrong, where that is the reason, `refused` whether that was a definite no; then `wait` may
    be None: ever later.
    """

    why: str
    wait: timedelta | None = timedelta(minutes=10)
    problem: str | None = None
    refused: bool = False


def why_not_ready(work: Work) -> Unready | None:
    """Return what a change must still get before anybody is asked about it, or None."""
    gate = work.gate
    is_strange = strange(work)  # first: who vouches for it makes it a twin like any other
    twins = gate.store.reviews.twins(work.row)
    if twins:
        return Unready(
            f"Pull request #{twins[0].number} has the same commits and base: close one of the two."
        )
    return is_strange or (unchecked(work) if gate.policy.wait_for_checks else None)


def strange(work: Work) -> Unready | None:
    """Return what a fork still lacks: an author who may write here, or somebody who may and asks for a review of it."""
    if work.row.vouched or not (work.row.is_from_outside or work.unanswered):
        return None
    for person in work.gate.store.people.requesters(work.row.id):
        if person.id != work.row.facts.author_id and work.asked_whether_belongs(person):
            work.keep(vouched=True)
            return None
    if work.unanswered:
        error = work.unanswered
        after = getattr(error, "after", None)
        return Unready(NOT_SAID, after, error.reason, isinstance(error, Refused))
    return Unready("It comes from outside: somebody with write access must request a review first.")


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
