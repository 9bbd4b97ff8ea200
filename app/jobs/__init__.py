"""The story of a pull request; the worker calls `step` for every job it has claimed.

One pull request is one loop: read `run` first. Besides: mail (`letters`, `digests`), what no webhook told (`looking`), the
release (`releasing`, `accounting`), and what is wrong for long (`problems`). Every outside call is followed by a
checkpoint, so that a step can be cut anywhere and run again. It never merges without a standing approval.
"""

from __future__ import annotations

from app.db.jobs import Claim, Kind, Service
from app.domain.problems import Cause
from app.github.answers import GitHubError
from app.jobs.again import asked_again, why_again
from app.jobs.away import come_back, first_there, go_away, hand_over_unheld, nobody_is_there, who_is_away
from app.jobs.digests import send_digests, set_digest
from app.jobs.extras import where_to_try
from app.jobs.gate import Gate, Rest, failure
from app.jobs.letters import cautions_of, new_commits, send_letter, what_is_new
from app.jobs.looking import look_around, set_looks
from app.jobs.problems import find_bounces, find_problems, said_of, set_watch
from app.jobs.releasing import keep_release
from app.jobs.requests import request_fresh_link, request_sign_in
from app.jobs.run import advance
from app.mail.send import MailError, MailRefused, MailUnanswered

__all__ = [
    "Gate",
    "Rest",
    "advance",
    "asked_again",
    "cautions_of",
    "come_back",
    "first_there",
    "go_away",
    "hand_over_unheld",
    "new_commits",
    "nobody_is_there",
    "request_fresh_link",
    "request_sign_in",
    "said_of",
    "set_digest",
    "set_looks",
    "set_watch",
    "step",
    "what_is_new",
    "where_to_try",
    "who_is_away",
    "why_again",
]


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
