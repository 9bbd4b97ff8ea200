"""What the events since the last read tell: what no read shows any more, and whether reading again can show anything new. Pure.

A read shows how things are; only the events tell what was in between: it was closed for a while, or somebody asked
for a review. A payload that shows just what is known costs no call.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from app.domain.change import Checks
from app.domain.events import CheckEvent, PullRequestEvent
from app.domain.facts import Since, State
from app.domain.record import Review
from app.domain.rules import tells_nothing_new

# GitHub's times have whole seconds.
SLACK = timedelta(seconds=2)


def since(row: Review, events: Sequence[PullRequestEvent], ahead: timedelta) -> Since:
    """Return what the events since the last read say; `ahead`: how far GitHub's clock is ahead of ours."""
    interrupted = any(interrupts(row, event) for event in events)
    asked_again = any(asks_again(row, event, ahead) for event in events)
    is_known = bool(events) and all(tells_nothing_new(row, event.seen) for event in events)
    return Since(interrupted, asked_again, is_known and not interrupted and not asked_again)


def interrupts(row: Review, event: PullRequestEvent) -> bool:
    """Tell whether it was closed, a draft or for another base after the last read; what comes late interrupts nothing."""
    seen = event.seen
    is_news = row.facts.updated_at is not None and event.updated_at > row.facts.updated_at
    is_closed = row.open and not seen.open and not seen.merged
    return is_news and (is_closed or (seen.draft and not row.facts.draft) or seen.base != row.base)


def asks_again(row: Review, event: PullRequestEvent, ahead: timedelta = timedelta(0)) -> bool:
    """Tell whether somebody asked for a review after it was rejected.

    Only people with the right to write can request one of somebody else's change. A late word, from before the
    rejection, asks nothing.
    https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/proposing-changes-to-your-work-with-pull-requests/requesting-a-pull-request-review
    """
    if not event.requests or row.decision is None or row.state is not State.REJECTED:
        return False
    return max(at for _, at in event.requests) + SLACK >= row.decision.at + ahead


def changes_checks(known: Checks | None, events: Sequence[CheckEvent]) -> bool:
    """Tell whether what all checks say together may be another than what was read last.

    Of what is red already, another red says nothing new; of what still ran, only the last one to pass does.
    """
    if known is None or known.state == "none" or any(not event.says for event in events):
        return bool(events)
    red = {event.check for event in events if event.says == "red"}
    green = {event.check for event in events if event.says == "green"}
    names = set(known.names)
    if known.state == "red":
        return bool(red - names - {""} or names & green)
    return bool(red) or (known.state == "pending" and names <= green)
