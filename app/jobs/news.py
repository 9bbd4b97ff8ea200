"""The mails of a release that went live and of a restored backup: who gets one, and what it says."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.db.jobs import LEASE
from app.db.letters import Letter, NewLetter
from app.domain.facts import State
from app.domain.policy import Reviewer
from app.domain.review import Review
from app.jobs.gate import Gate, Rest
from app.links import decide_link
from app.mail.compose import Mail
from app.mail.news import About, compose_live
from app.mail.problem import Restored, compose_restored
from app.text.words import when as when_text

# --- What was lost when a backup was restored: whether a merge fell into those hours, and the mail that tells of it.


def was_merged_in_lost_hours(gate: Gate, merged_at: datetime | None) -> bool:
    """Tell whether it was merged when a restored backup knows nothing of: whether that was approved can't be said.

    A merge that was out when the backup was made may be a little older. `merged_at` is by GitHub's clock.
    """
    epoch = gate.store.epochs.current
    if epoch.lost_since is None or merged_at is None:
        return False
    return epoch.lost_since - LEASE <= merged_at - gate.github.ahead <= epoch.began_at


def restored_mail(gate: Gate, reader: Reviewer) -> Mail | None:
    """Compose the news that a backup was restored, in the words of who decides, or runs the gate, or both."""
    epoch = gate.store.epochs.current
    if epoch.lost_since is None:
        return None
    decides, operates = gate.policy.reviewer(reader.id) is not None, gate.operator(reader.id) is not None
    restored = Restored(epoch.lost_since, epoch.began_at, decides, operates)
    return compose_restored(reader, restored, gate.public_url, gate.store.now(), gate.timezone)


# --- What went live.


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
