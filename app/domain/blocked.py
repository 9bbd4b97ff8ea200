"""Why a change does not go on by itself: nobody is asked yet, or an approval is not merged. Pure data.

One enum for both, made of what was read or of GitHub's answer to a merge; never a sentence. Its words for reviewers and for
developers are in templates/blocked.txt. How often in a row it came is kept beside it, and says how soon to try again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from app.domain.calendar import AN_HOUR

# The first wait, which doubles each time.
FIRST_WAIT = timedelta(seconds=2)
A_WHILE = timedelta(minutes=10)


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


_NOT_YET = Handling(patience=1, is_passing=True)
_AT_ONCE = Handling(patience=1, for_developer=True)
_MAY_PASS, _FOR_DEVELOPER = Handling(), Handling(for_developer=True)
# Only a setting or a right ends these.
_SETTING, _THEIR_SETTING = Handling(longest=AN_HOUR), Handling(for_developer=True, longest=AN_HOUR)


class Why(StrEnum):
    """What is in the way, and how that is handled."""

    handling: Handling

    def __new__(cls, value: str, handling: Handling) -> Why:
        member = str.__new__(cls, value)
        member._value_, member.handling = value, handling
        return member

    # Nobody is asked yet.
    SAME_COMMITS = "same_commits", _NOT_YET  # another open pull request has the same commits
    OUTSIDE = "outside", _NOT_YET  # from outside, and nobody vouched for it
    OUTSIDE_UNKNOWN = "outside_unknown", _NOT_YET  # GitHub does not say whether its author belongs here
    CHECKS_TO_PASS = "checks_to_pass", _NOT_YET  # its checks are red
    CHECKS_TO_END = "checks_to_end", _NOT_YET  # its checks are running
    CHECKS_TO_BEGIN = "checks_to_begin", _NOT_YET  # no check was seen yet
    AWAY = "away", _NOT_YET  # every reviewer is away
    # An approval is not merged.
    MOVED = "moved", _MAY_PASS  # the head is said to be another
    CONFLICT = "conflict", _AT_ONCE  # a conflict
    UPDATING = "updating", Handling(1_000, is_passing=True)  # the gate asked GitHub to bring it up to date
    BEHIND = "behind", _AT_ONCE  # behind its base
    CHECKS_RUNNING = "checks_running", _NOT_YET  # checks are running
    CHECKS_RED = "checks_red", _AT_ONCE  # checks are red
    # A required check never reported; it may need a minute to begin.
    CHECK_MISSING = "check_missing", Handling(patience=6, for_developer=True)
    REVIEW_REQUIRED = "review_required", _FOR_DEVELOPER  # a review is required
    QUEUE_REQUIRED = "queue_required", _FOR_DEVELOPER  # a merge queue is required
    METHOD_OFF = "method_off", _THEIR_SETTING  # the merge method is switched off
    RIGHTS = "rights", _SETTING  # the gate has not the right
    ARCHIVED = "archived", _SETTING  # the repository is archived
    GONE = "gone", _SETTING  # it cannot be found
    BUSY = "busy", _MAY_PASS  # GitHub puts it off
    REFUSED = "refused", _FOR_DEVELOPER  # GitHub refuses it
    STATUS_UNSEEN = "status_unseen", _MAY_PASS  # GitHub does not count the gate's status
    STATUS_REFUSED = "status_refused", _THEIR_SETTING  # GitHub refuses the gate's status
    BRANCH_LOST = "branch_lost", _AT_ONCE  # GitHub would delete a gated branch
    UNCOMPARED = "uncompared", _MAY_PASS  # it cannot be compared with its base
    REJECTED_TWIN = "rejected_twin", _AT_ONCE  # another pull request with the same commits was rejected


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
    def is_told(self) -> bool:
        """Tell whether it came often enough to be shown; what passes in seconds worries nobody."""
        return self.tries >= self.why.handling.patience

    @property
    def wait(self) -> timedelta:
        """Return how soon to try again, should nothing happen before."""
        wait: timedelta = min(self.why.handling.longest, FIRST_WAIT * 2 ** min(self.tries - 1, 20))
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
