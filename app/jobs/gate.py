"""What every step works with: the gate's parts, one leased review, and how a step may end.

Only this package uses `Work`; `create_app` builds the one `Gate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.db.jobs import Claim, Rest, Service
from app.db.store import Store
from app.domain.blocked import Why
from app.domain.facts import INSIDERS, Change, Checks, Person, PullRequest, Since, Snapshot
from app.domain.known import Known, Read
from app.domain.policy import Policy, Reviewer
from app.domain.problems import What
from app.domain.review import Review
from app.domain.rules import since
from app.github.answers import GitHubError, NoAnswer, Refused, Unauthorized
from app.github.client import GitHub
from app.links import Links
from app.mail.send import Mailer, MailError, MailRefused, MailUnanswered

# GitHub reads may lag behind its own answers for a moment.
SOON = timedelta(seconds=2)
OTHER_REPOSITORY = "Another repository now has the name {}."


# --- What every job works with.


@dataclass(frozen=True, slots=True)
class Gate:
    """Everything that the gate works with, wired once by `create_app`."""

    policy: Policy
    store: Store
    links: Links
    github: GitHub
    mailer: Mailer
    public_url: str
    timezone: ZoneInfo
    preview_url: str | None = None
    digest_at: time = time(9)
    operators: tuple[Reviewer, ...] = ()

    @property
    def people(self) -> tuple[Reviewer, ...]:
        """Return everybody who gets mail: the reviewers, and who runs the gate."""
        return (*self.policy.reviewers, *self.operators)

    def is_gated(self, row: Review) -> bool | None:
        """Tell whether a review's repository is one of the settings', by its id; None while only GitHub can tell.

        Names are reused: what now has the name of its repository may be another one.
        """
        ids = self.store.repositories.ids(self.policy.repositories)
        return True if row.repository_id in ids else None if None in ids else False

    def operator(self, operator_id: str) -> Reviewer | None:
        """Return the person of OPERATOR with this id, or None when no longer named."""
        return next((one for one in self.operators if one.id == operator_id), None)


_DOWN = {NoAnswer: Service.GITHUB, MailUnanswered: Service.MAIL}
_CAUSES: dict[object, What] = {Why.RIGHTS: What.RIGHTS, Why.ARCHIVED: What.RIGHTS, Why.GONE: What.REPOSITORY}


def failure(error: GitHubError | MailError) -> Rest:
    """Return how a step ends that GitHub or Amazon SES stopped."""
    match error:
        case Unauthorized():
            cause = What.IDENTITY
        case Refused():
            cause = _CAUSES.get(error.kind, What.STUCK)
        case _:
            cause = What.UNSENT if isinstance(error, MailError) else What.STUCK
    return Rest(
        getattr(error, "after", None),
        error.reason,
        refused=isinstance(error, (Refused, MailRefused)),
        failed_in=_DOWN.get(type(error)),
        cause=cause,
    )


class Work:
    """One review in the hands of a worker: the lease, the row as last written, and what this run has read and done.

    `known` is the part of that which the rules decide by.
    `read_rev` is the row's `rev` from before the facts were asked for: what came later may not be in them. `unanswered`
    is why GitHub did not say who belongs here, where something depends on it. What is None was not read. `refused` are
    the keys of what GitHub would not take, `failure` is what stopped the run's duty, `wait` when to look again at the latest.
    """

    def __init__(self, gate: Gate, claim: Claim, row: Review) -> None:
        self.gate = gate
        self.claim = claim
        self.row = row
        self.known = Known(row.state, is_gated=None, keeps_branch=None)
        self.facts: PullRequest | None = None
        self.read_rev = row.rev
        self.unanswered: GitHubError | None = None
        self.checks: Checks | None = None
        self.change: Change | None = None
        self.has_pictures = False
        self.held: Snapshot | None = None
        self.is_heard = False
        self.refused: set[str] = set()
        self.failure: GitHubError | None = None
        self.wait: timedelta | None = None

    def keep(self, **changes: Any) -> None:
        """Write a checkpoint; see `Checkpoints.write`. Raises Overtaken."""
        checkpoints, at_once = self.gate.store.checkpoints, self.gate.policy.is_release(self.row)
        held = None if changes else checkpoints.read(self.claim, self.row)
        self.row = held or checkpoints.write(self.claim, self.row, at_once=at_once, **changes)

    def since(self) -> Since:
        """Return what the events since the last read tell, up to those that came before this one."""
        events = self.gate.store.inbox.since(self.row.id, self.row.seen_rev, self.read_rev)
        found = since(self.row, events, self.gate.github.ahead)
        # Events that are forgotten by now may have told anything.
        return found if len(events) == self.read_rev - self.row.seen_rev else replace(found, is_known=False)

    @property
    def pull(self) -> PullRequest:
        """Return the pull request as this run has read it; no action that needs it comes before that."""
        if self.facts is None:
            raise LookupError("it was not read")
        return self.facts

    def read(self) -> PullRequest:
        """Read the pull request from GitHub, once a call."""
        self.read_rev = self.row.rev
        self.known.read = Read.NOW
        self.facts = self.gate.github.pull_request(self.row.repository, self.row.number)
        if self.facts.repository_id != self.row.repository_id:
            self.known.read = Read.NOT
            raise Refused(OTHER_REPOSITORY.format(self.row.repository), Why.GONE)
        if not self.facts.is_own and self.facts.open and self.gate.policy.gates(self.facts.base):
            # That GitHub does not tell stops nothing else.
            self.facts = replace(self.facts, belongs=self.belongs(self.facts.writer))
        return self.facts

    def forget_version(self) -> None:
        """Forget what this run found out about a version or a round that is over."""
        self.checks = self.change = self.held = None
        self.has_pictures = self.known.has_extras = False
        self.known.has_release = self.known.merge_refused = None

    def belongs(self, person: Person | None) -> bool | None:
        """Tell whether somebody may write to the repository; None, with `unanswered`, where GitHub does not say.

        GitHub is asked once a person and day. No program belongs here, nor who is gone.
        """
        if person is None or person.is_bot:
            return False
        repositories, row = self.gate.store.repositories, self.row
        permission = repositories.permission(row.repository_id, person)
        if permission is None:
            try:
                permission = self.gate.github.permission(row.repository, person)
            except GitHubError as error:
                self.unanswered = error
                return None
            repositories.note_permission(row.repository_id, person, permission)
        return permission in INSIDERS
