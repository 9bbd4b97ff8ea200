"""`qa-gate doctor`: green where all is well, and red, with what to do, for each thing that can be wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import cli
from app.db.jobs import Kind
from app.db.store import Store
from app.db.tables import jobs, problems
from app.domain.problems import What
from app.operator.doctor import exit_code, run_checks, ses_checks, work_checks
from app.operator.github_side import TOKEN_RIGHTS, GitHubSide
from app.settings import Settings
from demo.github import PretendGitHub
from demo.inbox import PretendInbox
from demo.world import free_port
from tests.test_cli import Command
from tests.test_protect import APP, MINE, PEM, PUBLIC
from tests.world import SHOP, TOKEN, WEBHOOK_SECRET, aws, environment, wait_until

ROOT = Path(__file__).parent.parent
NEEDED = {
    *("checks:read", "contents", "deployments:read", "issues", "metadata:read", "pull_requests"),
    *("statuses", "workflows"),
}
AS_TOKEN = {"GITHUB_TOKEN": TOKEN, "GITHUB_APP_ID": "", "GITHUB_APP_PRIVATE_KEY": ""}


@dataclass
class Found:
    """What the doctor said, and how it ended."""

    code: int
    checks: list[dict[str, str]]

    def of(self, check: str) -> list[tuple[str, str]]:
        return [(one["verdict"], one["says"]) for one in self.checks if one["check"] == check]

    def one(self, check: str) -> tuple[str, str]:
        (found,) = self.of(check)
        return found

    @property
    def bad(self) -> dict[str, str]:
        return {one["check"]: one["verdict"] for one in self.checks if one["verdict"] != "ok"}


class Clinic:
    """A gate that is set up as it should be and runs, between the stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inbox = PretendInbox().start()
        self.github = PretendGitHub(
            folder / "git", token=TOKEN, webhook_secret=WEBHOOK_SECRET, app_id=APP, app_public_key=PUBLIC
        ).start()
        self.number = self.github.create_repository(SHOP).id
        self.github.add_token(MINE, "olga", "administration", "contents")
        self.github.world.app_rights = set(NEEDED)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.github.webhook_url = f"{self.url}/webhook"
        app = {"GITHUB_TOKEN": "", "GITHUB_APP_ID": str(APP), "GITHUB_APP_PRIVATE_KEY": PEM}
        self.environ = {
            **environment(self.github, self.url, **app),
            **aws(self.inbox),
            "OPERATOR": "Olga <olga@example.com>",
            "LISTEN": f"127.0.0.1:{self.port}",
            "DATABASE_URL": f"sqlite:///{folder / 'gate.db'}",
        }
        assert self.command("protect", SHOP, "--yes", GH_TOKEN=MINE)[0] == 0
        self.gate = Command(folder, self.environ, "serve")
        try:
            wait_until(lambda: self.doctor().code == 0, 90)
        except BaseException:
            self.stop()
            raise

    def command(self, *words: str, **more: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, list(words), env={**self.environ, **more})
        return done.exit_code, done.output

    def doctor(self, *words: str, **more: str) -> Found:
        code, said = self.command("doctor", "--json", *words, **more)
        return Found(code, json.loads(said)["checks"])

    def github_checks(self, **more: str) -> Found:
        settings = Settings.load({**self.environ, **more})
        results = list(run_checks(GitHubSide(settings, {SHOP: self.number}.get).checks()))
        return Found(exit_code(results), [asdict(one) for one in results])

    def ses_checks(self, **more: str) -> Found:
        results = list(run_checks(ses_checks(Settings.load({**self.environ, **more}))))
        return Found(exit_code(results), [asdict(one) for one in results])

    def stop(self) -> None:
        self.gate.end()
        self.github.stop()
        self.inbox.stop()


@pytest.fixture(scope="module")
def the_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    with pytest.MonkeyPatch.context() as environ:
        made = Clinic(tmp_path_factory.mktemp("clinic"))
        for name, value in aws(made.inbox).items():
            environ.setenv(name, value)
        yield made
        made.stop()


@pytest.fixture
def clinic(the_clinic: Clinic) -> Iterator[Clinic]:
    """The same for every test, which leaves it as it was: `monkeypatch` sets the stand-ins' state and takes it back."""
    yield the_clinic
    the_clinic.github.front.failures.clear()


Set = Callable[[object, str, object], None]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Set:
    return monkeypatch.setattr


def test_where_all_is_well_every_check_is_green_and_nothing_is_changed(clinic: Clinic) -> None:
    clinic.github.calls.clear()
    before = len(clinic.inbox.mails)
    found = clinic.doctor()
    assert (found.bad, found.code) == ({}, 0)
    written = [call for call in clinic.github.calls if call.method not in ("GET",)]
    assert [call.path.rpartition("/")[2] for call in written] in ([], ["access_tokens"] * len(written))
    assert len(clinic.inbox.mails) == before
    names = {one["check"] for one in found.checks}
    assert names >= {
        *("settings", "listener", "public address", "database", "worker", "oldest job", "problems"),
        *("GitHub identity", "clock", "webhook", "rights on acme/shop", "merge method of acme/shop"),
        *("lock of acme/shop development", "lock of acme/shop master", "repository acme/shop"),
        *("SES identity", "SES account", "SES quota", "click tracking", "suppression list"),
    }


def test_for_people_it_is_a_list_with_the_verdict_first(clinic: Clinic) -> None:
    code, said = clinic.command("doctor")
    assert code == 0
    assert "ok       lock of acme/shop development  Locked." in said


def test_it_never_shows_a_secret(clinic: Clinic) -> None:
    said = clinic.command("doctor")[1] + str(clinic.doctor(GITHUB_APP_ID="12").checks)
    assert not any(secret in said for secret in (PEM[40:80], WEBHOOK_SECRET, "k" * 40, TOKEN))


def test_with_mail_lily_gets_a_test_email(clinic: Clinic) -> None:
    found = clinic.doctor("--mail")
    assert found.one("test email")[0] == "ok"
    mail = clinic.inbox.mails[-1]
    assert (mail.to, mail.subject) == ("Lily <lily@example.com>", "Test email: you’ll be asked like this")
    assert "/decide/" not in mail.html + mail.text


def test_a_test_email_that_is_refused_is_a_failure(clinic: Clinic) -> None:
    clinic.inbox.fail(400, "MessageRejected", "Email address is not verified.")
    found = clinic.doctor("--mail")
    assert (found.one("test email")[0], found.code) == ("failure", 2)


# --- Settings and this machine -------------------------------------------------------------------------------


def test_bad_settings_are_each_a_failure(clinic: Clinic) -> None:
    found = clinic.doctor(LINK_DAYS="soon", QA_REVIEWER="x")
    assert (len(found.of("settings")), found.bad, found.code) == (2, {"settings": "failure"}, 2)


def test_without_an_operator_it_warns(clinic: Clinic) -> None:
    found = clinic.doctor(OPERATOR="")
    assert (found.bad, found.code) == ({"settings": "warning"}, 1)
    assert "Set OPERATOR=You <you@example.com>" in found.one("settings")[1]


def test_without_a_region_the_bad_settings_are_not_all(clinic: Clinic) -> None:
    found = clinic.doctor(LINK_DAYS="soon", AWS_DEFAULT_REGION="")
    assert [says.split()[0] for _, says in found.of("settings")] == ["LINK_DAYS", "No"]
    assert "AWS_DEFAULT_REGION" in found.of("settings")[1][1]


def test_a_gate_that_does_not_run_is_a_failure(clinic: Clinic) -> None:
    found = clinic.doctor(LISTEN=f"127.0.0.1:{free_port()}")
    assert (found.bad, found.code) == ({"listener": "failure"}, 2)
    assert "qa-gate serve" in found.one("listener")[1]


def test_a_public_address_that_leads_elsewhere_is_a_failure(clinic: Clinic) -> None:
    elsewhere = clinic.doctor(PUBLIC_URL=clinic.inbox.url)
    assert elsewhere.one("public address")[0] == "failure"
    nowhere = clinic.doctor(PUBLIC_URL="http://127.0.0.1:9")
    assert "Nobody answers at http://127.0.0.1:9" in nowhere.one("public address")[1]


def test_another_gate_at_the_public_address_is_told_from_ours(clinic: Clinic) -> None:
    found = clinic.doctor(GITHUB_WEBHOOK_SECRET="the-secret-of-another-gate")
    assert "another GITHUB_WEBHOOK_SECRET" in found.one("public address")[1]


def test_a_database_that_is_not_there_is_a_failure_and_is_not_made(clinic: Clinic, tmp_path: Path) -> None:
    found = clinic.doctor(DATABASE_URL=f"sqlite:///{tmp_path / 'none.db'}")
    assert (found.one("database")[0], list(tmp_path.iterdir())) == ("failure", [])


def test_a_database_that_cannot_be_opened_is_a_failure(clinic: Clinic) -> None:
    found = clinic.doctor(DATABASE_URL="postgresql://nobody:nothing@127.0.0.1:1/none")
    assert "can't be used" in found.one("database")[1]


@pytest.mark.parametrize(
    "change", ["DROP TABLE alembic_version", "UPDATE alembic_version SET version_num = 'x'"]
)
def test_another_schema_is_a_failure(clinic: Clinic, sqlite_url: str, change: str) -> None:
    store = Store(sqlite_url)
    store.create()
    store.close()
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(change)
    found = clinic.doctor(DATABASE_URL=sqlite_url)
    assert found.one("database")[0] == "failure"
    assert "schema" in found.one("database")[1]


def test_a_worker_that_gives_no_sign_of_life_is_a_failure(clinic: Clinic, database_url: str) -> None:
    store = Store(database_url)
    store.create()
    assert clinic.doctor(DATABASE_URL=database_url).one("worker")[0] == "failure"
    store.queue.beat("a worker")
    store.close()
    assert clinic.doctor(DATABASE_URL=database_url).bad == {}


@pytest.mark.parametrize(
    "minutes,worker,job", [(0, "ok", "ok"), (4, "failure", "ok"), (6, "failure", "failure")]
)
def test_work_that_is_not_done_is_told(
    clinic: Clinic, sqlite_url: str, minutes: int, worker: str, job: str
) -> None:
    begin = now = datetime.now(UTC)
    store = Store(sqlite_url, lambda: now)
    store.create()
    store.queue.beat("a worker")
    with store.database.write() as connection:
        connection.execute(jobs.insert().values(kind=Kind.POLL, about=SHOP, due_at=begin))
    now = begin + timedelta(minutes=minutes, seconds=1)
    verdicts = {
        one.check: one.verdict for one in run_checks(work_checks(store, Settings.load(clinic.environ)))
    }
    store.close()
    assert (verdicts["worker"], verdicts["oldest job"]) == (worker, job)


def test_what_lasts_and_what_waits_after_a_failure_are_warnings_that_say_what_to_do(
    clinic: Clinic, sqlite_url: str
) -> None:
    store = Store(sqlite_url)
    store.create()
    now = store.now()
    lasts = {"what": What.BRANCH, "place": SHOP, "since": now, "seen_at": now, "begun_at": now}
    waits = {
        "kind": Kind.POLL,
        "about": SHOP,
        "due_at": now,
        "cause": What.STUCK,
        "problem": "GitHub said no.",
    }
    with store.database.write() as connection:
        connection.execute(problems.insert().values(**lasts))
        connection.execute(jobs.insert().values(**waits))
    results = list(run_checks(work_checks(store, Settings.load(clinic.environ))))
    store.close()
    lasting, failed = (one for one in results if one.check == "problems")
    assert (lasting.verdict, failed.verdict) == ("warning", "warning")
    assert "acme/shop has no branch development, or no branch master" in lasting.says
    assert "RELEASE_BRANCH" in lasting.says
    assert failed.says == "acme/shop: GitHub said no. After fixing it, run qa-gate sync."


def test_all_that_fails_is_told_however_much_it_is(clinic: Clinic, sqlite_url: str) -> None:
    store = Store(sqlite_url)
    store.create()
    failed = {"kind": Kind.POLL, "due_at": store.now(), "cause": What.STUCK}
    with store.database.write() as connection:
        for number in range(5):
            said = {"about": f"{number} {SHOP}", "problem": f"GitHub said no to {number}."}
            connection.execute(jobs.insert().values(**failed, **said))
    found = [one.says for one in run_checks(work_checks(store, Settings.load(clinic.environ)))]
    store.close()
    assert all(any(f"no to {number}." in says for says in found) for number in range(5))


# --- GitHub --------------------------------------------------------------------------------------------------


def test_a_key_that_github_does_not_take_is_the_only_thing_said_of_it(clinic: Clinic, put: Set) -> None:
    put(clinic.github.world, "app_id", 12)
    found = clinic.github_checks()
    verdict, says = found.one("GitHub identity")
    assert (verdict, "then restart" in says) == ("failure", True)
    assert not any(one["check"].startswith(("webhook", "lock")) for one in found.checks)


def test_an_app_that_is_not_installed_is_a_failure(clinic: Clinic, put: Set) -> None:
    put(clinic.github.world, "app_installed", False)
    verdict, says = clinic.github_checks().one("rights on acme/shop")
    assert (verdict, "qa-gate setup" in says) == ("failure", True)


def test_a_suspended_app_is_a_failure(clinic: Clinic, put: Set) -> None:
    put(clinic.github.world, "app_suspended", True)
    assert "suspended" in clinic.github_checks().one("rights on acme/shop")[1]


@pytest.mark.parametrize("right", sorted(NEEDED - {"metadata:read"}))
def test_each_right_that_is_missing_is_named(clinic: Clinic, put: Set, right: str) -> None:
    put(clinic.github.world, "app_rights", NEEDED - {right})
    verdict, says = clinic.github_checks().one("rights on acme/shop")
    assert (verdict, right.partition(":")[0] + "=" in says) == ("failure", True)


def test_an_event_that_the_app_does_not_hear_is_named(clinic: Clinic, put: Set) -> None:
    put(clinic.github.world, "app_events", ["push"])
    verdicts = [verdict for verdict, says in clinic.github_checks().of("webhook") if "pull_request" in says]
    assert verdicts == ["failure"]


def test_another_repository_under_the_name_is_a_failure(
    clinic: Clinic, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = clinic.github.repo()
    monkeypatch.setitem(clinic.github.world.repos, 999, repo)
    put(repo, "id", 999)
    verdict, says = clinic.github_checks().one("repository acme/shop")
    assert (verdict, "qa-gate trust acme/shop" in says) == ("failure", True)


def test_an_archived_repository_is_a_failure(clinic: Clinic, put: Set) -> None:
    put(clinic.github.repo(), "archived", True)
    assert clinic.github_checks().one("repository acme/shop")[0] == "failure"


def test_a_branch_that_is_not_there_is_a_failure(clinic: Clinic) -> None:
    found = clinic.github_checks(DEVELOPMENT_BRANCH="develop")
    verdict, says = found.one("lock of acme/shop develop")
    assert (verdict, "has no branch develop: make it, or change DEVELOPMENT_BRANCH" in says) == (
        "failure",
        True,
    )


def test_a_webhook_that_goes_elsewhere_is_a_failure(clinic: Clinic, put: Set) -> None:
    put(clinic.github.webhooks, "url", "http://127.0.0.1:9/webhook")
    assert clinic.github_checks().one("webhook")[0] == "failure"


def test_a_webhook_that_was_not_taken_is_a_failure(clinic: Clinic, put: Set) -> None:
    put(clinic.github.webhooks, "deliveries", [])
    put(clinic.github.webhooks, "secret", "another-secret")
    clinic.github.commit(SHOP, "unheard", {"a.py": "a\n"}, "Unheard")
    clinic.github.settle()
    verdict, says = clinic.github_checks().one("webhook")
    assert (verdict, "answered 401" in says) == ("failure", True)


def test_a_ping_that_nobody_took_is_no_failure(clinic: Clinic, put: Set) -> None:
    put(clinic.github.webhooks, "deliveries", [])
    put(clinic.github.webhooks, "secret", "another-secret")
    clinic.github.ping()
    clinic.github.settle()
    assert clinic.github_checks().one("webhook")[0] == "ok"


def rules(clinic: Clinic, branch: str = "development") -> dict[str, Any]:
    return next(one for one in clinic.github.repo().rulesets.values() if one["name"].endswith(branch))


@pytest.mark.parametrize(
    "rule,word",
    [
        ("pull_request", "a pull request for every change"),
        ("non_fast_forward", "no forced pushes"),
        ("deletion", "no deletion"),
        ("required_status_checks", "the status qa-gate/development, from the App"),
    ],
)
def test_each_part_of_the_lock_that_is_missing_is_named(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, rule: str, word: str
) -> None:
    kept = [one for one in rules(clinic)["rules"] if one["type"] != rule]
    monkeypatch.setitem(rules(clinic), "rules", kept)
    verdict, says = clinic.github_checks().one("lock of acme/shop development")
    assert (verdict, word in says, "qa-gate protect" in says) == ("failure", True, True)


@pytest.mark.parametrize(
    "check,word",
    [
        ({"context": "qa-gate/development"}, "lacks the status qa-gate/development, from the App"),
        ({"context": "qa-gate/development", "integration_id": 99}, "from another App (99)"),
        (
            {"context": "qa-gate/dev", "integration_id": APP},
            "qa-gate/dev is required, which the gate never sets",
        ),
    ],
)
def test_a_lock_of_a_wrong_name_or_bound_to_nobody_or_to_another_app_is_a_failure(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, check: dict[str, Any], word: str
) -> None:
    parameters = {"strict_required_status_checks_policy": False, "required_status_checks": [check]}
    other = [one for one in rules(clinic)["rules"] if one["type"] != "required_status_checks"]
    changed = [*other, {"type": "required_status_checks", "parameters": parameters}]
    monkeypatch.setitem(rules(clinic), "rules", changed)
    found = clinic.github_checks().of("lock of acme/shop development")
    assert {verdict for verdict, _ in found} == {"failure"}
    assert any(word in says for _, says in found)


def test_where_the_plan_has_no_lock_the_doctor_says_that_the_gate_only_advises(
    clinic: Clinic, put: Set
) -> None:
    put(clinic.github.repo(), "private", True)
    put(clinic.github.repo(), "free_plan", True)
    found = clinic.github_checks()
    assert found.bad == {f"lock of acme/shop {name}": "warning" for name in ("development", "master")}
    assert "only advises" in found.one("lock of acme/shop master")[1]


def test_classic_branch_protection_is_a_lock_too(
    clinic: Clinic, put: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clinic.github.world, "has_rulesets", False)
    put(clinic.github.repo(), "protections", {})
    for branch in ("development", "master"):
        clinic.github.protect(SHOP, branch, [f"qa-gate/{branch}"], app_id=APP, enforce_admins=True)
    found = clinic.github_checks()
    assert {verdict for verdict, _ in found.of("lock of acme/shop development")} <= {"ok", "warning"}
    put(clinic.github.repo(), "protections", {})
    assert clinic.github_checks().one("lock of acme/shop development")[0] == "failure"


def test_a_merge_method_that_is_switched_off_is_a_failure(clinic: Clinic, put: Set) -> None:
    put(clinic.github.repo(), "methods", {"merge"})
    assert clinic.github_checks().one("merge method of acme/shop")[0] == "ok"
    verdict, says = clinic.github_checks(MERGE_METHOD="squash").one("merge method of acme/shop")
    assert (verdict, "squash is switched off" in says) == ("failure", True)


@pytest.mark.parametrize("seconds,verdict", [(5, "ok"), (30, "warning"), (90, "failure")])
def test_a_clock_that_is_off_githubs_is_told(clinic: Clinic, put: Set, seconds: int, verdict: str) -> None:
    put(clinic.github.world, "clock", lambda: datetime.now(UTC) + timedelta(seconds=seconds))
    assert clinic.github_checks().one("clock")[0] == verdict


def test_a_github_that_does_not_answer_is_a_failure(clinic: Clinic) -> None:
    found = clinic.github_checks(GITHUB_API_URL="http://127.0.0.1:9")
    assert (found.one("GitHub identity")[0], found.code) == ("failure", 2)


# --- With a token --------------------------------------------------------------------------------------------


def test_with_a_token_it_warns_that_the_status_can_be_forged(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = {
        "id": 5,
        "name": "web",
        "active": True,
        "events": ["*"],
        "config": {"url": f"{clinic.url}/webhook"},
    }
    monkeypatch.setitem(clinic.github.repo().hooks, 5, hook)
    found = clinic.github_checks(**AS_TOKEN)
    assert (found.bad, found.code) == ({"rights on acme/shop": "warning"}, 1)


def test_a_token_without_the_right_to_write_is_a_failure(clinic: Clinic) -> None:
    clinic.github.add_token("ghp_reader", "kim")
    found = clinic.github_checks(**{**AS_TOKEN, "GITHUB_TOKEN": "ghp_reader"})
    verdict, says = found.one("rights on acme/shop")
    assert (verdict, TOKEN_RIGHTS in says) == ("failure", True)


def test_a_repository_that_is_not_there_is_a_failure_that_names_the_setting(clinic: Clinic) -> None:
    found = clinic.github_checks(**AS_TOKEN, GITHUB_REPOSITORIES="acme/none")
    verdict, says = found.one("repository acme/none")
    assert (verdict, "GITHUB_REPOSITORIES" in says) == ("failure", True)


def test_a_repositorys_webhook_that_is_missing_off_or_unreadable_is_told(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "has no webhook" in clinic.github_checks(**AS_TOKEN).one("webhook")[1]
    hook = {
        "id": 5,
        "name": "web",
        "active": False,
        "events": ["*"],
        "config": {"url": f"{clinic.url}/webhook"},
    }
    monkeypatch.setitem(clinic.github.repo().hooks, 5, hook)
    assert "is off or lacks events" in clinic.github_checks(**AS_TOKEN).one("webhook")[1]
    hook |= {"active": True, "events": ["push"]}
    assert "is off or lacks events" in clinic.github_checks(**AS_TOKEN).one("webhook")[1]
    monkeypatch.setattr(
        clinic.github.front, "others", {"ghp_few": (clinic.github.world.person("kim"), {"contents"})}
    )
    found = clinic.github_checks(**{**AS_TOKEN, "GITHUB_TOKEN": "ghp_few"})
    assert found.one("webhook")[0] == "warning"


# --- Amazon SES ----------------------------------------------------------------------------------------------


def test_a_sender_that_ses_does_not_know_or_has_not_verified_is_a_failure(clinic: Clinic, put: Set) -> None:
    put(clinic.inbox.account, "identities", {})
    assert "gate@example.com isn't verified" in clinic.ses_checks().one("SES identity")[1]
    put(clinic.inbox.account, "identities", {"example.com": False})
    assert clinic.ses_checks().one("SES identity")[0] == "failure"
    put(clinic.inbox.account, "identities", {"gate@example.com": True, "example.com": False})
    assert clinic.ses_checks().one("SES identity")[0] == "ok"


def test_in_the_sandbox_each_reader_must_be_verified(clinic: Clinic, put: Set) -> None:
    put(clinic.inbox.account, "production", False)
    verified = {"gate@example.com": True, "olga@example.com": True}
    put(clinic.inbox.account, "identities", verified)
    verdict, says = clinic.ses_checks().one("SES account")
    assert (verdict, "lily@example.com isn't verified" in says) == ("failure", True)
    put(clinic.inbox.account, "identities", verified | {"lily@example.com": True})
    verdict, says = clinic.ses_checks().one("SES account")
    assert (verdict, "sandbox" in says) == ("ok", True)


@pytest.mark.parametrize(
    "name,value,verdict",
    [("enabled", False, "failure"), ("health", "SHUTDOWN", "failure"), ("health", "PROBATION", "warning")],
)
def test_an_account_that_aws_has_paused_or_watches_is_told(
    clinic: Clinic, put: Set, name: str, value: object, verdict: str
) -> None:
    put(clinic.inbox.account, name, value)
    assert clinic.ses_checks().of("SES account")[0][0] == verdict


@pytest.mark.parametrize("sent,verdict", [(150.0, "ok"), (170.0, "warning"), (200.0, "failure")])
def test_a_quota_that_is_nearly_or_wholly_used_is_told(
    clinic: Clinic, put: Set, sent: float, verdict: str
) -> None:
    put(clinic.inbox.account, "most", 200.0)
    put(clinic.inbox.account, "sent", sent)
    assert clinic.ses_checks().one("SES quota")[0] == verdict


def test_click_tracking_is_a_failure_in_whichever_configuration_set_is_used(clinic: Clinic, put: Set) -> None:
    put(clinic.inbox.account, "clicks", {"mails"})
    assert clinic.ses_checks().one("click tracking")[0] == "ok"
    assert clinic.ses_checks(SES_CONFIGURATION_SET="mails").one("click tracking")[0] == "failure"
    put(clinic.inbox.account, "configuration_set", "mails")
    assert clinic.ses_checks().one("click tracking")[0] == "failure"
    assert clinic.ses_checks(SES_CONFIGURATION_SET="others").one("click tracking")[0] == "ok"


def test_a_reviewer_on_the_suppression_list_is_a_failure(clinic: Clinic, put: Set) -> None:
    put(clinic.inbox.account, "suppressed", {"lily@example.com": "BOUNCE"})
    verdict, says = clinic.ses_checks().one("suppression list")
    assert (verdict, "lily@example.com (BOUNCE)" in says) == ("failure", True)


def test_what_the_role_may_not_read_is_a_warning_that_names_the_right(clinic: Clinic, put: Set) -> None:
    actions = "GetAccount GetEmailIdentity GetSuppressedDestination".split()
    put(clinic.inbox.account, "forbidden", set(actions))
    found = clinic.ses_checks()
    assert found.code == 1
    assert all(any(f"allow ses:{action}" in one["says"] for one in found.checks) for action in actions)


# --- At the start --------------------------------------------------------------------------------------------


def test_serve_warns_of_what_is_wrong_at_its_start(clinic: Clinic, put: Set, tmp_path: Path) -> None:
    put(clinic.github.world, "app_rights", NEEDED - {"statuses"})
    port = free_port()
    other = {"LISTEN": f"127.0.0.1:{port}", "DATABASE_URL": f"sqlite:///{tmp_path / 'gate.db'}"}
    gate = Command(tmp_path, {**clinic.environ, **other}, "serve")
    try:
        wait_until(lambda: "The App lacks statuses=write" in gate.said())
    finally:
        gate.end()


def test_as_a_process_it_ends_with_its_exit_code(clinic: Clinic, put: Set) -> None:
    put(clinic.inbox.account, "enabled", False)
    done = subprocess.run(
        [sys.executable, "-m", "app", "doctor"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **clinic.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert "failure  SES account" in done.stdout
