"""What is done for each kind of job, and what becomes of a failure."""

from __future__ import annotations

from app.db.jobs import Claim, Kind, Service
from app.domain.problems import Cause
from app.github.answers import GitHubError
from app.jobs.digests import send_digests
from app.jobs.gate import Gate, Rest, failure
from app.jobs.letters import send_letter
from app.jobs.poll import look_around
from app.jobs.problems import find_bounces, find_problems
from app.jobs.release import keep_release
from app.jobs.run import advance
from app.mail.send import MailError, MailRefused, MailUnanswered


def step(gate: Gate, claim: Claim) -> Rest:
    """Do all that can be done now for one claimed row. Raises Overtaken when somebody else moved it."""
    try:
        return STEPS[claim.kind](gate, claim)
    except GitHubError as error:
        return failure(error)
    except MailError as error:
        down = Service.MAIL if isinstance(error, MailUnanswered) else None
        wait, refused = getattr(error, "after", None), isinstance(error, MailRefused)
        return Rest(wait, error.reason, failed=True, refused=refused, failed_in=down, cause=Cause.MAIL)


def tick(gate: Gate, claim: Claim) -> Rest:
    """Do what is done again and again."""
    timer = gate.store.timers.get(claim.about)
    return TIMERS[claim.kind](gate, claim, timer) if timer else Rest()


TIMERS = {
    Kind.POLL: look_around,
    Kind.DIGEST: send_digests,
    Kind.RELEASE: keep_release,
    Kind.PROBLEMS: find_problems,
    Kind.BOUNCES: find_bounces,
}
STEPS = {Kind.MAIL: send_letter, Kind.REVIEW: advance, **dict.fromkeys(TIMERS, tick)}
