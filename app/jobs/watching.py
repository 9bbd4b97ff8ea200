"""What was pushed past the gate where no release names it: told once, by mail.

What a pull request brought is not told here: whoever merged it without asking is told of by a mail of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.domain.policy import Reviewer
from app.domain.record import Review
from app.github.answers import Refused
from app.github.commits import Steps
from app.jobs.accounting import Place, approved, dropped_by, origins_of, push_to, sort, with_missing
from app.jobs.gate import Gate
from app.mail.compose import Mail
from app.mail.problem import Pushed, compose_push


def since_last(place: Place, etag: str | None) -> Steps | None:
    """Read what came onto the branch since the last look; None on the first, and where nothing is left of what was known.

    One GET, free where nothing came and `etag` is that of the last answer; more past 250 commits.
    """
    known = place.gate.store.releases.known(place.repository_id, place.branch)
    if known is None:
        return None
    try:
        return place.gate.github.steps(
            place.repository, known.head, place.branch, etag=etag, on_page=place.renew
        )
    except Refused as refusal:
        if refusal.kind != "missing":
            raise
        return None


def tell(place: Place, since: Steps | None, merged: Sequence[Review], began: datetime) -> bool:
    """Note where the branch stands, and let every reviewer be told of what was pushed directly.

    `merged` are the merges since the last look, `began` is when this one did.
    False while GitHub was not asked about all of it yet. Raises Refused where there is no such branch.
    """
    releases = place.gate.store.releases
    known = releases.known(place.repository_id, place.branch)
    if known is None or since is None:
        head = place.gate.github.branch_head(place.repository, place.branch)
        if known is None:
            releases.begin(place.repository_id, place.branch, head)
            return True
        push = push_to(place, head, approved(place, None))
    elif since.head == known.head and not merged:
        return True
    else:
        sorted_ = sort(place, since)
        origins = origins_of(place, sorted_)
        if not origins.keys() >= set(sorted_.rest):
            return False
        is_kept = since.merge_base == known.head
        dropped = None if is_kept else dropped_by(place, known.head, since.head)
        push = push_to(place, since.head, with_missing(place, since, merged, dropped))
        unseen = sorted_.release(origins).unseen
        push = replace(push, unseen=tuple(item for item in unseen if item.pull is None))
    releases.move(known.head, push, began, [person.id for person in place.gate.policy.reviewers])
    return True


def mail_about_push(gate: Gate, push_id: int | None, reviewer: Reviewer) -> Mail | None:
    """Return the mail that tells a reviewer of a push, None where there is no such push."""
    push = gate.store.releases.push(push_id or 0)
    if push is None:
        return None
    gone = gate.store.releases.merged(push.repository_id, push.branch, push.gone) if push.gone else []
    place = push.repository if len(gate.policy.repositories) > 1 else ""
    titles = tuple(row.title for row in gone)
    pushed = Pushed(push.branch, place, push.unseen, titles, is_rewritten=push.is_forced)
    return compose_push(reviewer, pushed, f"{gate.public_url}/")
