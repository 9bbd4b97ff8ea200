"""The pure rules: what a pull request is, whose turn it is, what follows what, and why.

Read first `facts` (the nouns), then `rules` (the transition table), then `wanted` (what GitHub should show),
`cautions` (what could fool a reviewer).
Everybody imports from here; nothing here reads a clock, a network, a database or a setting.
"""

from __future__ import annotations

from app.review.cautions import Caution, Kind, cautions
from app.review.days import day_begins, digest_on, next_digest
from app.review.decisions import Basis, Choice, Decision
from app.review.facts import (
    Change,
    ChangedFile,
    Checks,
    Commit,
    PullRequest,
    Remark,
    Review,
    Seen,
    Snapshot,
    State,
    Status,
    Tree,
    words_digest,
)
from app.review.people import INSIDERS, Person
from app.review.policy import Policy, Reviewer
from app.review.release import Passed, Release, Unseen
from app.review.rules import (
    TABLE,
    Event,
    Move,
    Signpost,
    Verdict,
    ask_at,
    consequences,
    covers,
    decide,
    delta,
    event_of,
    follow,
    is_dead_end,
    may_ask,
    may_be_carried,
    next_move,
    tells_nothing_new,
)
from app.review.wanted import (
    context_of,
    mark_of,
    said,
    stale_successes,
    statuses_to_say,
    success_key,
    wants_review,
)
from app.review.weeks import Answer, Week, by_week, first_week, median_wait

__all__ = [
    "INSIDERS",
    "TABLE",
    "Answer",
    "Basis",
    "Caution",
    "Change",
    "ChangedFile",
    "Checks",
    "Choice",
    "Commit",
    "Decision",
    "Event",
    "Kind",
    "Move",
    "Passed",
    "Person",
    "Policy",
    "PullRequest",
    "Release",
    "Remark",
    "Review",
    "Reviewer",
    "Seen",
    "Signpost",
    "Snapshot",
    "State",
    "Status",
    "Tree",
    "Unseen",
    "Verdict",
    "Week",
    "ask_at",
    "by_week",
    "cautions",
    "consequences",
    "context_of",
    "covers",
    "day_begins",
    "decide",
    "delta",
    "digest_on",
    "event_of",
    "first_week",
    "follow",
    "is_dead_end",
    "mark_of",
    "may_ask",
    "may_be_carried",
    "median_wait",
    "next_digest",
    "next_move",
    "said",
    "stale_successes",
    "statuses_to_say",
    "success_key",
    "tells_nothing_new",
    "wants_review",
    "words_digest",
]
