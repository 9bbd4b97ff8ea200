"""The story of a pull request, one function a step; the worker calls `step` for every row it has claimed.

Look at GitHub and ask Lily (`asking`) or who is there (`away`), say what GitHub should show (`saying`), pass on
questions (`talking`), merge (`merging`), mail (`letters`, `digests`), look for what no webhook told (`looking`), keep
the release pull request (`releasing`, `accounting`), and find what is wrong for long (`problems`).
Every outside call is followed by a checkpoint, so that a step can be cut anywhere and run again: what was done is
read from the row, or from GitHub, never guessed. It never merges without a standing yes for this head and base.
"""

from __future__ import annotations

from datetime import timedelta

from app.github_client import GitHubError, Limited
from app.mail import MailError, MailRefused, MailUnanswered
from app.review import State
from app.review.problems import Cause
from app.store import Claim, Kind, Service
from app.workflow.again import asked_again, why_again
from app.workflow.asking import AT_ONCE, ask, keep_list, look
from app.workflow.away import (
    come_back,
    first_there,
    go_away,
    hand_over,
    hand_over_unheld,
    nobody_is_there,
    who_is_away,
)
from app.workflow.belonging import belongs_here, let_go, read_before_writing
from app.workflow.digests import send_digests, set_digest
from app.workflow.extras import find_try_url
from app.workflow.gate import Gate, Rest, Work, failure
from app.workflow.letters import (
    cautions_of,
    new_commits,
    send_letter,
    what_is_new,
    where_to_try,
)
from app.workflow.looking import look_around, set_looks
from app.workflow.merging import disown, merge
from app.workflow.pictures import find_pictures
from app.workflow.problems import find_bounces, find_problems, said_of, set_watch
from app.workflow.releasing import keep_release
from app.workflow.requests import request_fresh_link, request_sign_in
from app.workflow.saying import say
from app.workflow.talking import talk

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


def advance(gate: Gate, claim: Claim) -> Rest:
    """Bring one review as far as it can go now."""
    row = gate.store.reviews.get(claim.id)
    if row is None:
        return Rest()
    work = Work(gate, claim, row)
    if not belongs_here(work):
        return let_go(work)
    look(work)
    disown(work)
    is_found = find_try_url(work)
    wait = take_turn(work)
    if not is_found and wait.wait is None and not wait.failed:
        wait = Rest(wait=ASK_AGAIN)
    if not read_before_writing(work):
        return Rest(wait=AT_ONCE)
    say(work)
    talk(work)
    if work.row.state is State.TO_MERGE:
        return merge(work)
    if not find_pictures(work) and wait.wait is None and not wait.failed:
        return Rest(wait=ASK_AGAIN)
    return wait


def take_turn(work: Work) -> Rest:
    """Do what is next for the people. Where GitHub stops that, what should be said is still said."""
    try:
        return TURNS.get(work.row.state, ask)(work)
    except Limited:
        raise
    except GitHubError as error:
        return failure(error)


def tick(gate: Gate, claim: Claim) -> Rest:
    """Do what is done again and again."""
    timer = gate.store.timers.get(claim.about)
    return TIMERS[claim.kind](gate, claim, timer) if timer else Rest()


# GitHub did not say where a change can be tried, or did not give a picture: it is asked again after this time.
ASK_AGAIN = timedelta(minutes=1)
TURNS = {State.WAITING: hand_over, State.MERGED: keep_list}
TIMERS = {
    Kind.POLL: look_around,
    Kind.DIGEST: send_digests,
    Kind.RELEASE: keep_release,
    Kind.PROBLEMS: find_problems,
    Kind.BOUNCES: find_bounces,
}
STEPS = {Kind.MAIL: send_letter, Kind.REVIEW: advance, **dict.fromkeys(TIMERS, tick)}
