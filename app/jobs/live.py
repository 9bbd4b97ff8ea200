"""When a release went live: one mail to who approved it, with what it held.

`reading` and `merging` queue it in the transaction in which the release is merged; `letters` composes it.
"""

from __future__ import annotations

from datetime import timedelta

from app.db.letters import Letter, NewLetter
from app.domain.facts import State
from app.domain.policy import Reviewer
from app.domain.record import Review
from app.jobs.gate import Gate, Rest
from app.links import decide_link
from app.mail.compose import Mail
from app.mail.news import About, compose_live
from app.text.words import when as when_text

# What it held may be known only after its merge.
SOON, PATIENCE = timedelta(minutes=1), timedelta(days=1)


def live_letters(gate: Gate, row: Review) -> list[NewLetter]:
    """Return the letter that says that a release which was approved is merged; none for anything else."""
    if row.decision is None or not row.has_yes or not gate.policy.is_release(row):
        return []
    return [NewLetter(f"live {row.id} {row.decision.number}", "live", row.decision.reviewer, row.id)]


def live_mail(gate: Gate, letter: Letter, reviewer: Reviewer) -> Mail | Rest | None:
    """Compose it; None where the release is not merged as it was approved."""
    row = gate.store.reviews.get(letter.review_id or 0)
    if row is None or row.state is not State.MERGED or row.bypassed:
        return None
    now, asked = gate.store.now(), gate.store.reviews.round(row.id, row.round)
    release = asked.snapshot.release if asked else None
    if release is None:
        return Rest(wait=SOON) if now < letter.created_at + PATIENCE else None
    about = About(
        row,
        row.author,
        gate.policy.place(row),
        gate.links.decide_url(decide_link(row, reviewer.id), now),
        f"{gate.public_url}/",
        gate.store.reviews.count_waiting(reviewer, besides=row),
        is_release=True,
    )
    # A mail is read later than it is sent, so it never says "today".
    when = when_text(letter.created_at, gate.timezone, now + timedelta(days=3))
    return compose_live(reviewer, about, release, f"on {when}")
