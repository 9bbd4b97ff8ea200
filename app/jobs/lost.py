"""What was lost when a backup was restored: whether a merge fell into those hours, and the mail that tells of it.

`asking` and `letters` ask here; the store keeps when it was (`store.epoch`).
"""

from __future__ import annotations

from datetime import datetime

from app.db.jobs import LEASE
from app.domain.policy import Reviewer
from app.jobs.gate import Gate
from app.mail.compose import Mail
from app.mail.problem import Restored, compose_restored


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
