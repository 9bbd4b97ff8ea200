"""The mail that says that a backup was restored, to who decides and to who runs the gate. Pure.

`jobs` calls it just before it goes out; the wording is in templates/mail/restored.*.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.domain import Reviewer
from app.mail.compose import Mail, mail_of, waiting_since
from app.mail.templates import say


@dataclass(frozen=True, slots=True)
class Restored:
    """What happened from `since` to `until` is lost. Who `decides` is asked again, who `operates` can look further."""

    since: datetime
    until: datetime
    decides: bool
    operates: bool


def compose_restored(
    reader: Reviewer, restored: Restored, public_url: str, now: datetime, timezone: ZoneInfo
) -> Mail:
    """Return the mail; its one link leads to the list and decides nothing."""
    since, until = (waiting_since(moment, now, timezone) for moment in (restored.since, restored.until))
    values: dict[str, Any] = {
        "subject": say("restored_subject"),
        "preheader": say("restored_preview", since=since),
        "place": "",
        "name": reader.name,
        "since": since,
        "until": until,
        "decides": restored.decides,
        "operates": restored.operates,
        "url": f"{public_url}/",
    }
    return mail_of(reader, "restored", values)
