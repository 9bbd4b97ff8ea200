"""The test mail of `qa-gate doctor --mail`: it shows a reviewer, and the operator, that mails arrive. Pure.

Called by the operator's commands; the wording is in templates/mail/trial.*.
"""

from __future__ import annotations

from typing import Any

from app.domain import Reviewer
from app.mail.compose import Mail, mail_of
from app.mail.templates import say


def compose_trial(name: str, address: str, public_url: str) -> Mail:
    """Return the mail; its one link leads to the sign-in page and decides nothing."""
    values: dict[str, Any] = {
        "subject": say("trial_subject"),
        "preheader": say("trial_preview"),
        "place": "",
        "name": name,
        "url": f"{public_url}/",
    }
    return mail_of(Reviewer(name, address), "trial", values)
