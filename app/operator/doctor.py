"""`qa-gate doctor`: look at everything that the gate needs, change nothing, and say of each what to do.

Called by `commands`, and its cheap half by `serve` at start. The checks of GitHub are in `at_github`, those of Amazon SES in
`at_ses`, those of this machine here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from app.db.inspection import Inspected, look
from app.domain.policy import Reviewer
from app.mail.problem import tell
from app.operator.at_github import GitHubChecks, repository_id
from app.operator.at_ses import ses_checks
from app.operator.doors import knock, near
from app.operator.findings import Finding, failure, looked, ok, warning
from app.settings import Settings, SettingsError

WORKER_SILENT = timedelta(seconds=60)  # it gives a sign of life every 15
OVERDUE, LONG_OVERDUE = timedelta(minutes=5), timedelta(hours=1)
CLOCK_OFF = timedelta(seconds=5)


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield what every check finds. Makes no change anywhere."""
    yield from of_settings(settings)
    yield from _of_doors(settings)
    found: list[Inspected] = []
    yield from looked("database", lambda: _of_database(settings, found))
    pinned = dict(found[0].ids) if found else {}
    github = GitHubChecks(settings)
    yield from github.all()
    for name in settings.github_repositories:
        known = pinned.get(name)
        yield from looked(f"repository {name}", partial(repository_id, github, name, known))
    yield from ses_checks(settings)


def of_problems(error: SettingsError) -> Iterator[Finding]:
    """Yield what is wrong with settings that cannot be used."""
    for problem in error.problems:
        yield failure("settings", problem)


def of_settings(settings: Settings) -> Iterator[Finding]:
    """Yield what is allowed in the settings, but should not stay so."""
    found = [*settings.warnings]
    if not settings.operator:
        found.append("OPERATOR is not set: nobody is mailed when something lasting is wrong.")
    yield from (warning("settings", one) for one in found)
    if not found:
        yield ok("settings", "All are there.")


def warn_at_start(settings: Settings) -> None:
    """Log what the checks of GitHub and Amazon SES find wrong; for a thread of its own, as they are slow."""
    log = logging.getLogger("qa-gate.doctor")
    for one in (*GitHubChecks(settings).all(), *ses_checks(settings)):
        if one.verdict != "ok":
            log.warning("%s: %s", one.check, one.says)


# --- This machine --------------------------------------------------------------------------------------------


def _of_doors(settings: Settings) -> Iterator[Finding]:
    for check, url, hint in (
        ("listener", near(settings), "Start it with qa-gate serve, or see why it ended."),
        ("public address", settings.public_url, "Check DNS, the proxy before the gate, and its certificate."),
    ):
        wrong = knock(url, settings.github_webhook_secret[0])
        yield failure(check, f"{wrong} {hint}") if wrong else ok(check, f"{url} is this gate.")


def _of_database(settings: Settings, found: list[Inspected]) -> Iterator[Finding]:
    seen = look(settings.database_url, settings.github_repositories)
    if seen is None:
        yield failure("database", "There is no database yet: qa-gate serve makes it when it starts.")
        return
    wrong = _wrong_schema(seen)
    if wrong:
        yield failure("database", wrong)
        return
    found.append(seen)
    yield ok("database", f"It opens, and its schema is this version's ({seen.schema}).")
    off = abs(seen.clock_off)
    if off > CLOCK_OFF:
        yield warning(
            "clock", f"This machine and the database differ by {off.seconds} s: switch time sync on at both."
        )
    yield from of_work(seen)
    yield from of_lasting(seen, settings)


def _wrong_schema(seen: Inspected) -> str:
    """Return what is wrong with the database's schema, and what to do; "" where nothing is."""
    shown = ", ".join(seen.missing[:3])
    if seen.schema is None:
        return f"Its schema has no version (missing: {shown}). Start qa-gate serve: it says what to do."
    if seen.wanted and seen.schema > seen.wanted:
        return f"Its schema ({seen.schema}) is newer than this version's ({seen.wanted}). Install the newer version."
    if seen.schema != seen.wanted:
        return (
            f"Its schema ({seen.schema}) is older than this version's ({seen.wanted}). Restart qa-gate serve."
        )
    if seen.missing:
        return f"Its schema should be this version's ({seen.schema}), but misses {shown}. Restore a backup."
    return ""


def of_work(seen: Inspected) -> Iterator[Finding]:
    """Yield whether the work is done."""
    if seen.worker_seen is None or seen.worker_seen > WORKER_SILENT:
        yield failure("worker", "No worker gives a sign of life: start qa-gate serve, or qa-gate worker.")
    else:
        yield ok("worker", "It's alive.")
    due = seen.oldest_due or timedelta(0)
    if due > OVERDUE:
        verdict = failure if due > LONG_OVERDUE else warning
        minutes = due // timedelta(minutes=1)
        yield verdict(
            "oldest job", f"It has been due for {minutes} minutes. Read the log for what holds it up."
        )
    else:
        yield ok("oldest job", "Nothing is overdue.")


def of_lasting(seen: Inspected, settings: Settings) -> Iterator[Finding]:
    """Yield the problems that last, and what jobs that failed wait for."""
    people = [Reviewer(*one) for one in (*settings.qa_reviewers, *(settings.operator or ()))]
    branches = [name for name in (settings.development_branch, settings.release_branch) if name]
    for problem in seen.problems:
        yield warning("problems", tell(problem, people, branches, seen.troubles).sentence)
    for reason in seen.failed:
        yield warning("problems", f"{reason} After fixing it, run qa-gate sync.")
    if not (seen.problems or seen.failed):
        yield ok("problems", "None.")
