"""`qa-gate doctor`: look at everything that the gate needs, change nothing, and say of each what to do.

`serve` makes those of GitHub and Amazon SES at its start. Those of GitHub are in `github_side`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from functools import partial
from itertools import chain

import click

from app import Explained
from app.db.queue import A_WORKERS_SILENCE, OVERDUE
from app.db.schema import is_there, revisions, version_of
from app.db.store import Store
from app.domain.blocked import Why
from app.domain.policy import Reviewer
from app.github.answers import NoPlan, Refused, TryAgain, Unauthorized
from app.mail.news import compose_trial, problem_words, reasons_of
from app.mail.send import Mailer, MailError, MailLater
from app.mail.ses import NotAllowed, Ses, aws_problems
from app.operator.github_side import Check, Findings, GitHubSide
from app.operator.is_running import near, ping
from app.settings import Settings
from app.settings.file import WHERE, SettingsError

VERDICTS = ("ok", "warning", "failure")  # the exit code is the place of the worst
DATABASE_CLOCK_OFF = timedelta(seconds=5)
NEARLY = 0.8  # of a day's quota


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found; `says` is the fact, or what is wrong and what to do."""

    check: str
    verdict: str
    says: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.option("--mail", is_flag=True, help="Also send the first reviewer a test email.")
def doctor(as_json: bool, mail: bool) -> None:
    """Look at everything that the gate needs, and say what to do. Exit code: 1 with warnings, 2 with failures."""
    try:
        settings = Settings.load()
        results = list(run_checks(all_checks(settings, mail)))
    except SettingsError as error:
        results = [Result("settings", "failure", one) for one in (*error.problems, *aws_problems())]
    if as_json:
        click.echo(json.dumps({"checks": [asdict(one) for one in results]}, indent=2))
    else:
        width = max(len(one.check) for one in results)
        for one in results:
            click.echo(f"{one.verdict:<8} {one.check:<{width}}  {one.says}")
    sys.exit(exit_code(results))


def exit_code(results: Iterable[Result]) -> int:
    """Return 0 when all is well, 1 with warnings, 2 with failures."""
    return max((VERDICTS.index(one.verdict) for one in results), default=0)


def run_checks(checks: Iterable[Check]) -> Iterator[Result]:
    """Make checks one after the other; what kept one from looking is a result, too."""
    for name, well, look_for_problems in checks:
        try:
            found = list(look_for_problems()) or [("ok", well)]
        except (NoPlan, NotAllowed) as error:
            found = [("warning", error.reason)]
        except Explained as error:
            found = [("failure", f"{error.reason} {_to_do(error)}".rstrip())]
        yield from (Result(name, verdict, says) for verdict, says in found)


def _to_do(error: Explained) -> str:
    """Say what to do where the reason does not."""
    match error:
        case TryAgain() | MailLater():
            return "Is there a way out of this machine? Try again in a minute."
        case Unauthorized():
            return f"Put a new one into {WHERE}, then restart."
        case Refused(kind=Why.GONE):
            return "Let the token or the App use it, or correct GITHUB_REPOSITORIES."
    return ""


def warn_at_start(settings: Settings) -> None:
    """Log what the checks of GitHub and Amazon SES find wrong; for a thread of its own, as they are slow."""
    log = logging.getLogger("qa-gate.doctor")
    for one in run_checks(chain(GitHubSide(settings).checks(), ses_checks(settings))):
        if one.verdict != "ok":
            log.warning("%s: %s", one.check, one.says)


def all_checks(settings: Settings, mail: bool = False) -> Iterator[Check]:
    """Yield every check, to be made at once: what follows depends on it."""
    yield "settings", "All are there.", partial(_settings, settings)
    for name, url in (("listener", near(settings)), ("public address", settings.public_url)):
        yield name, f"{url} is this gate.", partial(_answers, settings, url)
    stores: list[Store] = []
    yield "database", "", partial(_database, settings, stores)
    for store in stores:
        yield from work_checks(store, settings)
    yield from GitHubSide(settings, stores[0].repositories.id_of if stores else None).checks()
    for store in stores:
        store.close()
    yield from ses_checks(settings)
    if mail:
        reader = Reviewer(*settings.qa_reviewers[0])
        well = f"Sent to {reader.address}: ask whether it came, and not as spam."
        yield "test email", well, partial(_test_email, settings, reader)


def _settings(settings: Settings) -> Findings:
    yield from (("warning", one) for one in settings.warnings)
    if not settings.operator:
        to_do = f"Set OPERATOR=You <you@example.com> in {WHERE}, then restart."
        yield "warning", f"Nobody is mailed when something lasting is wrong. {to_do}"


def _answers(settings: Settings, url: str) -> Findings:
    if wrong := ping(url, settings.github_webhook_secret[0]):
        yield "failure", wrong


def _test_email(settings: Settings, reader: Reviewer) -> Findings:
    mailer = Mailer(settings.mail_from, settings.ses_configuration_set)
    mailer.send(compose_trial(reader.name, reader.address, settings.public_url))
    return iter(())


def _database(settings: Settings, stores: list[Store]) -> Findings:
    if not is_there(settings.database_url):
        yield "failure", "There is no database yet: qa-gate serve makes it when it starts."
        return
    store = Store(settings.database_url)
    with store.database.read() as connection:
        found, ours = version_of(connection), revisions()[-1]
    if found == ours:
        stores.append(store)
        yield "ok", f"It opens, and its schema is this version's ({ours})."
    else:
        store.close()
        to_do = "Restart qa-gate serve: it brings an older one up to date, or says what to do."
        yield "failure", f"Its schema ({found}) is not this version's ({ours}). {to_do}"


def work_checks(store: Store, settings: Settings) -> Iterator[Check]:
    """Yield what a database of this version tells of the work."""
    yield "database clock", "It agrees with this machine's.", partial(_database_clock, store)
    yield "worker", "It's alive.", partial(_worker, store)
    yield "oldest job", "Nothing is overdue.", partial(_oldest_job, store)
    yield "problems", "None.", partial(_problems, store, settings)


def _database_clock(store: Store) -> Findings:
    off = abs(datetime.now(UTC) - store.now())
    if off > DATABASE_CLOCK_OFF:
        yield "warning", f"It is {off.seconds} s off this machine's: switch time sync on at both."


def _worker(store: Store) -> Findings:
    seen = store.queue.last_beat()
    if seen is None or seen > A_WORKERS_SILENCE:
        yield "failure", "No worker gives a sign of life: start qa-gate serve, or qa-gate worker."


def _oldest_job(store: Store) -> Findings:
    due = store.queue.oldest_due()
    if due and due > OVERDUE:
        minutes = due // timedelta(minutes=1)
        yield "failure", f"It has been due for {minutes} minutes. Read the log for what holds it up."


def _problems(store: Store, settings: Settings) -> Findings:
    people = [Reviewer(*one) for one in settings.people]
    troubles = store.problems.troubles(settings.github_repositories)
    for problem in store.problems.begun():
        yield "warning", problem_words(problem, people, settings.branches, troubles).sentence
    for reason in reasons_of(troubles, people):
        yield "warning", f"{reason} After fixing it, run qa-gate sync."


# --- Amazon SES ----------------------------------------------------------------------------------------------


def ses_checks(settings: Settings) -> Iterator[Check]:
    """Yield the checks of Amazon SES; where the AWS settings are not usable, that is all."""
    try:
        ses = Ses()
    except MailError as error:
        wrong = [("failure", error.reason)]
        yield "SES identity", "", lambda: iter(wrong)
        return
    for name, well, check in (
        ("SES identity", "The sender is verified.", _identity),
        ("SES account", "It may send to anybody.", _account),
        ("SES quota", "", _quota),
        ("click tracking", "It's off.", _tracking),
        ("suppression list", "Nobody who gets mail is on it.", _suppressed),
    ):
        yield name, well, partial(check, ses, settings)


def _identity(ses: Ses, settings: Settings) -> Findings:
    sender = parseaddr(settings.mail_from)[1]
    found = ses.identity(sender)
    if not (found and found.is_verified):
        to_do = "verify it, or its domain, and answer the email that SES sends."
        yield "failure", f"{sender} isn't verified at SES in this region: {to_do}"


def _account(ses: Ses, settings: Settings) -> Findings:
    sending = ses.sending()
    state = sending.health if sending.is_enabled else "PAUSED"
    if state != "HEALTHY":
        verdict = "warning" if state == "PROBATION" else "failure"
        yield verdict, f"Its state at AWS is {state}: see SES's account dashboard for why."
    if sending.is_production:
        return
    found = {address: ses.identity(address) for _, address in settings.people}
    unverified = [address for address, identity in found.items() if not (identity and identity.is_verified)]
    for address in unverified:
        to_do = "verify it, or ask for production."
        yield "failure", f"It's in the sandbox, and {address} isn't verified: {to_do}"
    if not unverified:
        yield "ok", "It's in the sandbox, and everybody who gets mail is verified."


def _quota(ses: Ses, _settings: Settings) -> Findings:
    sending = ses.sending()
    used = f"{sending.sent} of {sending.most} emails in 24 hours"
    if sending.sent >= NEARLY * sending.most > 0:
        yield "failure" if sending.sent >= sending.most else "warning", f"{used}: ask AWS for more."
    else:
        yield "ok", f"{used}."


def _tracking(ses: Ses, settings: Settings) -> Findings:
    identity = ses.identity(settings.mail_from)
    used = settings.ses_configuration_set or (identity.configuration_set if identity else None)
    if used and ses.tracks_clicks(used):
        yield "failure", f"The configuration set {used} rewrites links: take CLICK out of its events."


def _suppressed(ses: Ses, settings: Settings) -> Findings:
    for _, address in settings.people:
        if reason := ses.suppressed(address):
            yield "failure", f"SES drops every email to {address} ({reason}): take it off the list."
