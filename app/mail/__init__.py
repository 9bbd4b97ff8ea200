"""Letters to reviewers and words for pull requests: `compose` writes them (pure), `send` hands one to Amazon SES.

`jobs` calls both. boto3 and its errors stay in here; what comes out is a `MailError` with a reason of our own.
Never sends twice by itself, and never puts anything of a pull request into a header but through `compose`.
"""

from __future__ import annotations

from app.mail.blocked import next_step, why_for_developer, why_for_reviewer
from app.mail.compose import (
    Mail,
    comment,
    compose_request,
    compose_sign_in,
    held,
    pictures_link,
    question,
)
from app.mail.errors import MailError, MailLater, MailRefused, MailUnanswered
from app.mail.live import Item, compose_live, live_text, what_went_live
from app.mail.news import About, DigestItem, Held, compose_bypass, compose_digest, compose_outcome
from app.mail.problem import Told, compose_problem, tell
from app.mail.push import Pushed, compose_push
from app.mail.release import has_part, is_release_title, release_title, with_part, without_part
from app.mail.request import Line, Request
from app.mail.restored import Restored, compose_restored
from app.mail.send import Mailer
from app.mail.trial import compose_trial

__all__ = [
    "About",
    "DigestItem",
    "Held",
    "Item",
    "Line",
    "Mail",
    "MailError",
    "MailLater",
    "MailRefused",
    "MailUnanswered",
    "Mailer",
    "Pushed",
    "Request",
    "Restored",
    "Told",
    "comment",
    "compose_bypass",
    "compose_digest",
    "compose_live",
    "compose_outcome",
    "compose_problem",
    "compose_push",
    "compose_request",
    "compose_restored",
    "compose_sign_in",
    "compose_trial",
    "has_part",
    "held",
    "is_release_title",
    "live_text",
    "next_step",
    "pictures_link",
    "question",
    "release_title",
    "tell",
    "what_went_live",
    "why_for_developer",
    "why_for_reviewer",
    "with_part",
    "without_part",
]
