"""What `doctor` looks at in Amazon SES. Reads only.

Called by `doctor`. The calls are in `mail.account`; what a role may not read is a warning that names the right.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parseaddr

from app.mail.send import MailError
from app.mail.ses import Account
from app.operator.findings import Finding, failure, looked, ok, warning
from app.settings import Settings

NEARLY = 0.8  # of a day's quota


def ses_checks(settings: Settings) -> Iterator[Finding]:
    """Yield what is found."""
    try:
        account = Account()
    except MailError as error:
        yield failure("SES identity", error.reason)
        return
    yield from looked("SES identity", lambda: _identity(account, settings))
    yield from looked("SES account", lambda: _account(account, settings))
    yield from looked("click tracking", lambda: _tracking(account, settings))
    yield from looked("suppression list", lambda: _suppressed(account, settings))


def _identity(account: Account, settings: Settings) -> Iterator[Finding]:
    sender = parseaddr(settings.mail_from)[1]
    found = account.identity(sender)
    if found is None:
        yield failure("SES identity", f"SES doesn't know {sender} in this region: verify it, or its domain.")
    elif not found.is_verified:
        yield failure(
            "SES identity",
            f"{sender} isn't verified yet: answer the email that SES sent, or set the DNS records.",
        )
    else:
        yield ok("SES identity", f"{sender} is verified.")


def _account(account: Account, settings: Settings) -> Iterator[Finding]:
    sending = account.sending()
    if not sending.is_enabled or sending.health == "SHUTDOWN":
        yield failure("SES account", "AWS has paused its sending: see SES's account dashboard for why.")
        return
    if sending.health != "HEALTHY":
        yield warning("SES account", "AWS watches it for bounces or complaints: see SES's account dashboard.")
    if sending.is_production:
        yield ok("SES account", "It may send to anybody.")
    else:
        yield from _in_sandbox(account, settings)
    if 0 < sending.most <= sending.sent:
        yield failure("SES quota", f"Today's {sending.most} emails are used up: ask AWS for more.")
    elif sending.sent >= NEARLY * sending.most > 0:
        yield warning(
            "SES quota", f"{sending.sent} of today's {sending.most} emails are used: ask AWS for more."
        )
    else:
        yield ok("SES quota", f"{sending.sent} of {sending.most} emails in 24 hours.")


def _in_sandbox(account: Account, settings: Settings) -> Iterator[Finding]:
    people = [*settings.qa_reviewers, *(settings.operator or ())]
    for _, address in people:
        found = account.identity(address)
        if found is None or not found.is_verified:
            yield failure(
                "SES account",
                f"It's in the sandbox, and {address} isn't verified: verify it, or ask for production.",
            )
            return
    yield ok("SES account", "It's in the sandbox, and everybody who gets mail is verified.")


def _tracking(account: Account, settings: Settings) -> Iterator[Finding]:
    identity = account.identity(settings.mail_from)
    used = settings.ses_configuration_set or (identity.configuration_set if identity else None)
    if used and account.tracks_clicks(used):
        yield failure(
            "click tracking", f"The configuration set {used} rewrites links: take CLICK out of its events."
        )
    else:
        yield ok("click tracking", "It's off.")


def _suppressed(account: Account, settings: Settings) -> Iterator[Finding]:
    people = [*settings.qa_reviewers, *(settings.operator or ())]
    found = {address: account.suppressed(address) for _, address in people}
    for address, reason in found.items():
        if reason:
            yield failure(
                "suppression list", f"SES drops every email to {address} ({reason}): take it off the list."
            )
    if not any(found.values()):
        yield ok("suppression list", "Nobody who gets mail is on it.")
