"""What is known of one pull request when it is decided what to do next, and what can be done. Plain data.

A run notes in one `Known` what it reads and does; `jobs.run.load_known` adds the rest before each action, `action` decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from app.domain.blocked import Blocked, Why
from app.domain.facts import State, Status

# GitHub updates a branch in its own time, and says so by a webhook.
A_MOMENT = timedelta(seconds=30)


class Do(StrEnum):
    """One thing that is done, by one function of `jobs.run`."""

    READ = "read the pull request"
    LET_GO = "let it go: its repository is not in the settings"
    VOID = "void the approval: its giver isn't a reviewer any more"
    VOID_REWRITTEN = "void the approval: the base's history was rewritten"
    HAND_OVER = "hand it over to a reviewer who is there"
    READ_VOUCHERS = "read who may vouch for it"
    READ_CHECKS = "read its checks"
    READ_CHANGE = "compare it with its base"
    READ_EXTRAS = "read where it can be tried"
    READ_RELEASE = "read what the release holds"
    READ_BASE = "read where it meets its base"
    READ_SETTING = "read whether GitHub would delete its branch"
    READ_ANSWERS = "read what was answered"
    ASK = "ask the reviewer"
    MERGE = "send the merge"
    UPDATE = "bring its branch up to date"
    SAY = "say it at GitHub"
    SAY_AGAIN = "say again what GitHub seems to have lost"
    NOTE = "note what is in the way"
    REST = "rest"


class Read(StrEnum):
    """When the pull request was read in this run: what is written needs a read before it, a merge one after all that."""

    NOT = "not"
    BEFORE = "before the last word"
    NOW = "now"


class Base(StrEnum):
    """Where the head meets its base, next to where it did when the reviewer was asked."""

    UNREAD = "not read"
    SAME = "same or further on"
    UNKNOWN = "unknown"
    REWRITTEN = "elsewhere"


@dataclass(frozen=True, slots=True)
class Owed:
    """What GitHub is to be told: what it is, and what it is about.

    `is_lock`: the merge waits for it, or it takes back a success. `status` is what a status should be.
    """

    kind: str
    key: str
    is_lock: bool = False
    status: Status | None = None


@dataclass(slots=True)
class Known:
    """All that the decision needs; the defaults are those of a change about which nothing else is to be said.

    `is_news`: something happened that only a read of the pull request can tell; `is_gated` is None where only a read
    tells whether the repository is in the settings. `owed` is what GitHub was not told yet, in order, without what it
    refused in this run. `blocked` is what was noted last, `is_noted` in this run. `twin` has the same commits and goes
    first: one that is open, or, where an approval stands, one that was rejected.
    `quiet` is how long a change is to be left alone, `outside` why it is not asked about where it comes from outside and
    nobody vouched for it. `just_checked`: it waits for its checks, with what that blocks, and for how long they are not
    read again, since that was done just now; `check_names` are the red or else the running ones. `away` is how long
    nobody is there to be asked, `back` the day when somebody is.
    `is_conflicting` is GitHub's word of the last read. `is_carried`: the approval was given to an earlier head.
    `may_update` is False once it was found out that the approval could not be carried over.
    `merge_refused` is why GitHub took no merge in this run, `status_refused` what follows where it took no status.
    `is_stopped`: a read that the duty needs failed in this run; `soon` is when to look again where a merge of the gate's
    own is out.
    """

    state: State
    is_news: bool = False
    is_gated: bool | None = True
    read: Read = Read.NOT
    owed: tuple[Owed, ...] = ()
    blocked: Blocked | None = None
    is_noted: bool = False
    twin: str | None = None
    # Nobody is asked yet.
    quiet: timedelta | None = None
    outside: Why | None = None
    are_vouchers_read: bool = False
    waits_for_checks: bool = False
    checks: str | None = None
    just_checked: tuple[Blocked, timedelta] | None = None
    check_names: tuple[str, ...] = ()
    away: timedelta | None = None
    back: str = ""
    is_release: bool = False
    is_merge_out: bool = False
    is_compared: bool = False
    has_extras: bool = False
    has_release: bool | None = None
    # A question stands.
    is_held_by_reviewer: bool = True
    has_answers: bool = False
    are_extras_due: bool = False
    # An approval stands.
    is_giver_there: bool = True
    head: str = ""
    keeps_branch: bool | None = True
    base: Base = Base.UNREAD
    is_conflicting: bool = False
    merge_refused: Blocked | None = None
    is_carried: bool = False
    may_update: bool = True
    is_updated: bool = False
    status_refused: Blocked | None = None
    # It is merged.
    is_kept: bool = True
    # This run.
    is_stopped: bool = False
    soon: timedelta = A_MOMENT


@dataclass(frozen=True, slots=True)
class Action:
    """What to do: `owed` is what to say, `blocked` what to note; `wait` ends a rest that nothing else ends."""

    do: Do
    owed: Owed | None = None
    blocked: Blocked | None = None
    wait: timedelta | None = None
