"""Who is asked while somebody is away: the first of QA_REVIEWERS who is there.

The pages note an absence and wake the rows that it concerns; the worker hands each over here. Somebody is back by
the calendar alone: no timer has to run for it. What was handed over stays with who has it.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime

from app.db.letters import NewLetter
from app.db.rows import Happening
from app.domain.calendar import day_begins
from app.domain.known import Action
from app.domain.policy import Reviewer
from app.domain.problems import What
from app.domain.review import Happened, Review
from app.jobs.gate import Gate, Work


def who_is_away(gate: Gate) -> dict[str, datetime]:
    """Return the reviewers who are away now, by id, each with the moment when they are back."""
    now, named = gate.store.now(), {person.id for person in gate.policy.reviewers}
    back = {id_: day_begins(until, gate.timezone) for id_, until in gate.store.absences.all().items()}
    return {id_: moment for id_, moment in back.items() if id_ in named and moment > now}


def first_there(gate: Gate, away: Container[str]) -> Reviewer | None:
    """Return who is asked now, or None when everybody is away; whom no mail reaches only if there is nobody else."""
    there = [person for person in gate.policy.reviewers if person.id not in away]
    unreached = gate.store.problems.noted(What.SUPPRESSED)
    return next((person for person in there if person.id not in unreached), there[0] if there else None)


def lacks_reviewer(gate: Gate, row: Review, away: Container[str]) -> bool:
    """Tell whether a question waits for nobody: its reviewer is away or not named any more, or gets no mail and another does."""
    holder = gate.policy.reviewer(row.reviewer)
    if holder is None or holder.id in away:
        return True
    return holder.id in gate.store.problems.noted(What.SUPPRESSED) and first_there(gate, away) != holder


def hand_over(work: Work, _action: Action) -> None:
    """Give a question that waits to the first reviewer who is there, with a letter of their own.

    Somebody who is not named any more counts as away.
    """
    gate, row = work.gate, work.row
    away = who_is_away(gate)
    heir, holder = first_there(gate, away), gate.policy.reviewer(row.reviewer)
    if heir is None:
        return
    is_unreached = holder is not None and holder.id not in away
    # Each time that somebody goes away is another cause.
    key = f"instead {row.id} {row.round} {work.claim.lease} {heir.id}"
    work.keep(
        reviewer=heir.id,
        news=[NewLetter(key, "instead", heir.id, row.id, row.round)],
        happened=[
            Happening(Happened.HANDED_OVER, holder.name, heir.name, row.reviewer if is_unreached else None)
            if holder
            else Happening(Happened.ASKED, heir.name)
        ],
    )


def hand_over_unheld(gate: Gate) -> None:
    """Wake what waits for somebody who is away, gets no mail, or is not in QA_REVIEWERS any more: another may be there."""
    away = {*who_is_away(gate), *gate.store.problems.noted(What.SUPPRESSED)}
    gate.store.reviews.wake_unheld([person.id for person in gate.policy.reviewers if person.id not in away])


def first_back(gate: Gate, away: dict[str, datetime]) -> str:
    """Return the day when the first of them is back."""
    return f"{min(away.values()).astimezone(gate.timezone):%d %b %Y}"
