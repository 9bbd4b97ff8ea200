"""Why a change does not go on by itself: nobody is asked yet, or an approval is not merged. Pure data.

One enum for both, made of what was read or of GitHub's answer to a merge; never a sentence. Its words for reviewers and for
developers are in templates/blocked.txt. How often in a row it came is kept beside it, and says how soon to try again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

# The first wait, which doubles each time.
FIRST_WAIT = timedelta(seconds=2)
A_WHILE, AN_HOUR = timedelta(minutes=10), timedelta(hours=1)


class Why(StrEnum):
    """What is in the way."""

    # Nobody is asked yet.
    SAME_COMMITS = "same_commits"  # another open pull request has the same commits
    OUTSIDE = "outside"  # from outside, and nobody vouched for it
    OUTSIDE_UNKNOWN = "outside_unknown"  # GitHub does not say whether its author belongs here
    CHECKS_TO_PASS = "checks_to_pass"  # its checks are red
    CHECKS_TO_END = "checks_to_end"  # its checks are running
    CHECKS_TO_BEGIN = "checks_to_begin"  # no check was seen yet
    AWAY = "away"  # every reviewer is away
    # An approval is not merged.
    MOVED = "moved"  # the head is said to be another
    CONFLICT = "conflict"  # a conflict
    UPDATING = "updating"  # the gate asked GitHub to bring it up to date
    BEHIND = "behind"  # behind its base
    CHECKS_RUNNING = "checks_running"  # checks are running
    CHECKS_RED = "checks_red"  # checks are red
    CHECK_MISSING = "check_missing"  # a required check never reported
    REVIEW_REQUIRED = "review_required"  # a review is required
    QUEUE_REQUIRED = "queue_required"  # a merge queue is required
    METHOD_OFF = "method_off"  # the merge method is switched off
    RIGHTS = "rights"  # the gate has not the right
    ARCHIVED = "archived"  # the repository is archived
    GONE = "gone"  # it cannot be found
    BUSY = "busy"  # GitHub puts it off
    REFUSED = "refused"  # GitHub refuses it
    STATUS_UNSEEN = "status_unseen"  # GitHub does not count the gate's status
    STATUS_REFUSED = "status_refused"  # GitHub refuses the gate's status
    BRANCH_LOST = "branch_lost"  # GitHub would delete a gated branch
    UNCOMPARED = "uncompared"  # it cannot be compared with its base
    REJECTED_TWIN = "rejected_twin"  # another pull request with the same commits was rejected


@dataclass(frozen=True, slots=True)
class Handling:
    """How a reason is handled: after so many tries in a row it is shown, told and mailed.

    `is_passing`: it ends by itself, so nobody is mailed. `for_developer`: a comment asks a developer to act.
    `longest`: the longest wait between two tries.
    """

    patience: int = 3
    is_passing: bool = False
    for_developer: bool = False
    longest: timedelta = A_WHILE


_AT_ONCE = Handling(patience=1, for_developer=True)
_NOT_YET = Handling(patience=1, is_passing=True)
# Only a setting or a right ends these.
_SETTING = Handling(longest=AN_HOUR)

HANDLING: dict[Why, Handling] = {
    **dict.fromkeys(
        (Why.SAME_COMMITS, Why.OUTSIDE, Why.OUTSIDE_UNKNOWN, Why.CHECKS_TO_PASS, Why.CHECKS_TO_END), _NOT_YET
    ),
    **dict.fromkeys((Why.CHECKS_TO_BEGIN, Why.AWAY), _NOT_YET),
    **dict.fromkeys((Why.CONFLICT, Why.BEHIND, Why.CHECKS_RED, Why.BRANCH_LOST, Why.REJECTED_TWIN), _AT_ONCE),
    **dict.fromkeys((Why.REVIEW_REQUIRED, Why.QUEUE_REQUIRED, Why.REFUSED), Handling(for_developer=True)),
    # A check may need a minute to begin.
    Why.CHECK_MISSING: Handling(patience=6, for_developer=True),
    Why.UPDATING: Handling(patience=1_000, is_passing=True),
    **dict.fromkeys((Why.MOVED, Why.BUSY, Why.STATUS_UNSEEN, Why.UNCOMPARED), Handling()),
    **dict.fromkeys((Why.RIGHTS, Why.ARCHIVED, Why.GONE), _SETTING),
    **dict.fromkeys((Why.METHOD_OFF, Why.STATUS_REFUSED), Handling(for_developer=True, longest=AN_HOUR)),
    Why.CHECKS_RUNNING: _NOT_YET,
}


@dataclass(frozen=True, slots=True)
class Blocked:
    """What is in the way, and how often in a row something was.

    `names` are the checks, the branch or the pull request that it is about, as `why` tells; `said` is what GitHub said.
    """

    why: Why
    names: tuple[str, ...] = ()
    said: str = ""
    tries: int = 1

    @property
    def handling(self) -> Handling:
        """Return how it is handled."""
        return HANDLING[self.why]

    @property
    def is_told(self) -> bool:
        """Tell whether it came often enough to be shown; what passes in seconds worries nobody."""
        return self.tries >= self.handling.patience

    @property
    def wait(self) -> timedelta:
        """Return how soon to try again, should nothing happen before."""
        wait: timedelta = min(self.handling.longest, FIRST_WAIT * 2 ** min(self.tries - 1, 20))
        return wait

    @property
    def key(self) -> str:
        """Return what tells it from another reason."""
        return "\n".join((self.why, *self.names, self.said))

    def after(self, before: Blocked | None) -> Blocked:
        """Return this with the count of what came before it in a row."""
        return replace(self, tries=before.tries + 1) if before else self

    def is_like(self, other: Blocked | None) -> bool:
        """Tell whether people would read the same of both."""
        return other is not None and self.key == other.key
