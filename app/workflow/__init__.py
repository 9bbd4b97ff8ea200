"""The story of a pull request, one function a step; the worker calls `step` for every row it has claimed.

Look at GitHub and ask Lily (`asking`) or who is there (`away`), say what GitHub should show (`saying`), pass on
questions (`talking`), merge (`merging`), mail (`letters`, `digests`), look for what no webhook told (`looking`), and
keep the release pull request (`releasing`, `accounting`).
Every outside call is followed by a checkpoint, so that a step can be cut anywhere and run again: what was done is
read from the row, or from GitHub, never guessed. It never merges without a standing yes for this head and base.
"""

from __future__ import annotations

from app.github_client import GitHubError, Refused
from app.mail import MailError, MailRefused
from app.review import State
from app.store import RELEASE, Claim
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
from app.workflow.digests import DIGEST, send_digests, set_digest
from app.workflow.extras import find_try_url
from app.workflow.gate import HOURLY, Gate, Rest, Work
from app.workflow.letters import (
    cautions_of,
    new_commits,
    request_fresh_link,
    request_sign_in,
    send_letter,
    what_is_new,
    where_to_try,
)
from app.workflow.looking import look_around, set_looks
from app.workflow.merging import disown, merge
from app.workflow.releasing import keep_release
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
    "set_digest",
    "set_looks",
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
    except (GitHubError, MailError) as error:
        lasting = isinstance(error, Refused | MailRefused)
        return Rest(HOURLY if lasting else getattr(error, "after", None), error.reason, failed=True)


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
    find_try_url(work)
    wait = TURNS.get(work.row.state, ask)(work)
    if not read_before_writing(work):
        return Rest(wait=AT_ONCE)
    say(work)
    talk(work)
    if work.row.state is State.TO_MERGE:
        return merge(work)
    return wait


def tick(gate: Gate, claim: Claim) -> Rest:
    """Do what a timer is for: the first word of its name says it, a repository's name is a look at it."""
    timer = gate.store.timers.get(claim.id)
    return TIMERS.get(timer.name.partition(" ")[0], look_around)(gate, claim, timer) if timer else Rest()


TURNS = {State.WAITING: hand_over, State.MERGED: keep_list}
STEPS = {"letter": send_letter, "review": advance, "timer": tick}
TIMERS = {DIGEST: send_digests, RELEASE: keep_release}
