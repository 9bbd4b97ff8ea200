"""The pure rules: what a pull request is, whose turn it is, what follows what, and why.

Read first `facts` (the nouns), then `rules` (the transition table), then `wanted` (what GitHub should show),
`cautions` (what could fool a reviewer).
Everybody imports from here; nothing here reads a clock, a network, a database or a setting.
"""

from __future__ import annotations

from app.domain.action import next_action
from app.domain.approval import MergeCommit, cover_of, how_merged
from app.domain.blocked import Blocked, Why
from app.domain.cautions import CONFLICT, Caution, Kind, cautions
from app.domain.change import UNKNOWN_CHANGE, Change, ChangedFile, Checks, Commit, Tree
from app.domain.contents import Account, Merge, Origin, account, is_approved_merge, lacks_commits
from app.domain.days import day_begins, digest_on, next_digest
from app.domain.decisions import Basis, Choice, Cover, Decision, Merged
from app.domain.events import (
    EVENT,
    POLLED,
    CheckEvent,
    CommentEvent,
    DeploymentEvent,
    GitHubEvent,
    PullRequestEvent,
    PushEvent,
)
from app.domain.facts import NOTHING, PullRequest, Remark, Seen, Since, Snapshot, State, Status, words_digest
from app.domain.happened import Happened
from app.domain.known import Action, Base, Do, Known, Outside, Owed, Read, Refusal, Told
from app.domain.people import INSIDERS, Person
from app.domain.policy import Policy, Reviewer
from app.domain.record import DROPPED, OVERTAKEN, Facts, Post, Review
from app.domain.release import Passed, Release, Step, Unseen
from app.domain.rules import (
    TABLE,
    Event,
    Move,
    Signpost,
    Verdict,
    ask_at,
    consequences,
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
from app.domain.since import asks_again, interrupts, since
from app.domain.wanted import (
    context_of,
    head_key,
    mark_of,
    place_of,
    said,
    speaker,
    stale_successes,
    statuses_to_say,
    unsaid_words,
)
from app.domain.weeks import Answer, Week, by_week, first_week, median_wait

__all__ = [
    "CONFLICT",
    "DROPPED",
    "EVENT",
    "INSIDERS",
    "NOTHING",
    "OVERTAKEN",
    "POLLED",
    "TABLE",
    "UNKNOWN_CHANGE",
    "Account",
    "Action",
    "Answer",
    "Base",
    "Basis",
    "Blocked",
    "Caution",
    "Change",
    "ChangedFile",
    "CheckEvent",
    "Checks",
    "Choice",
    "CommentEvent",
    "Commit",
    "Cover",
    "Decision",
    "DeploymentEvent",
    "Do",
    "Event",
    "Facts",
    "GitHubEvent",
    "Happened",
    "Kind",
    "Known",
    "Merge",
    "MergeCommit",
    "Merged",
    "Move",
    "Origin",
    "Outside",
    "Owed",
    "Passed",
    "Person",
    "Policy",
    "Post",
    "PullRequest",
    "PullRequestEvent",
    "PushEvent",
    "Read",
    "Refusal",
    "Release",
    "Remark",
    "Review",
    "Reviewer",
    "Seen",
    "Signpost",
    "Since",
    "Snapshot",
    "State",
    "Status",
    "Step",
    "Told",
    "Tree",
    "Unseen",
    "Verdict",
    "Week",
    "Why",
    "account",
    "ask_at",
    "asks_again",
    "by_week",
    "cautions",
    "consequences",
    "context_of",
    "cover_of",
    "day_begins",
    "decide",
    "delta",
    "digest_on",
    "event_of",
    "first_week",
    "follow",
    "head_key",
    "how_merged",
    "interrupts",
    "is_approved_merge",
    "is_dead_end",
    "lacks_commits",
    "mark_of",
    "may_ask",
    "may_be_carried",
    "median_wait",
    "next_action",
    "next_digest",
    "next_move",
    "place_of",
    "said",
    "since",
    "speaker",
    "stale_successes",
    "statuses_to_say",
    "tells_nothing_new",
    "unsaid_words",
    "words_digest",
]
