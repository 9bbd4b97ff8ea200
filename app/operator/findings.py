"""What `doctor` finds: a verdict a check, and what to do.

Made by the checks, printed by `commands`. What goes wrong while a check looks is a finding, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from app.db.database import Unavailable
from app.github.answers import GitHubError, TryAgain
from app.github.api import NoPlan
from app.mail.send import MailError, MailLater
from app.mail.ses import NotAllowed

Verdict = Literal["ok", "warning", "failure"]
ORDER: tuple[Verdict, ...] = ("ok", "warning", "failure")  # the exit code is the worst one's place
ADVISES = (
    "This plan has no rulesets and no branch protection for this repository, so the gate only advises: "
    "whoever may push can merge without QA. A paid plan or a public repository lifts that."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `says` is the fact, or what is wrong and what to do."""

    check: str
    verdict: Verdict
    says: str


def ok(check: str, says: str) -> Finding:
    """Say that all is well."""
    return Finding(check, "ok", says)


def warning(check: str, says: str) -> Finding:
    """Say what works, but should be looked at."""
    return Finding(check, "warning", says)


def failure(check: str, says: str) -> Finding:
    """Say what keeps the gate from its work."""
    return Finding(check, "failure", says)


def worst(findings: Iterable[Finding]) -> int:
    """Return the exit code: 0 all well, 1 with warnings, 2 with failures."""
    return max((ORDER.index(one.verdict) for one in findings), default=0)


def looked(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Run a check, and turn what kept it from looking into a finding."""
    try:
        yield from list(look())
    except NoPlan:
        yield warning(check, ADVISES)
    except NotAllowed as error:
        yield warning(check, error.reason)
    except (TryAgain, MailLater) as error:
        yield failure(check, f"{error.reason} Is there a way out of this machine? Try again in a minute.")
    except (GitHubError, MailError) as error:
        yield failure(check, error.reason)
    except Unavailable:
        yield failure(check, "The database of DATABASE_URL can't be opened: is it there, running, writable?")
