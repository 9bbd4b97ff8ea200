"""`qa-gate setup`: what it asks, what it writes, whom its page lets in, and that a second run makes nothing twice."""

from __future__ import annotations

import html
import http.cookiejar
import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import cli
from app.operator.github_side import EVENTS, PERMISSIONS, TOKEN_RIGHTS
from app.operator.setup import manifest
from app.operator.setup_page import Registration, create_page
from app.settings import Settings, file
from demo.github import PretendGitHub
from demo.world import free_port
from tests.test_cli import Command
from tests.world import SHOP, TOKEN, wait_until

ROOT = Path(__file__).parent.parent


class Person:
    """A browser without scripts: opens pages, fills in their one form, keeps cookies."""

    def __init__(self) -> None:
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        self.status, self.page, self.url = 0, "", ""

    def open(self, url: str, fields: dict[str, str] | None = None) -> str:
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        try:
            answer = self._opener.open(url, data, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.status, self.page, self.url = answer.status, answer.read().decode(), answer.geturl()
        return self.page

    def submit(self, **typed: str) -> str:
        """Send the page's form."""
        action = re.search(r'<form method="post" action="([^"]+)"', self.page)
        assert action, self.page
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', self.page)
        fields = {name: html.unescape(value) for name, value in hidden} | typed
        return self.open(urllib.parse.urljoin(self.url, html.unescape(action[1])), fields)


class Stage:
    """A pretend GitHub, an empty server, and the command on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.github = PretendGitHub(folder / "git", token=TOKEN, webhook_secret="none-yet")
        self.github.start()
        self.github.world.site = self.github.url
        self.github.create_repository(SHOP)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.path = folder / "data" / "settings.env"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LISTEN": f"127.0.0.1:{self.port}",
            "SETTINGS_FILE": str(self.path),
            "GITHUB_API_URL": self.github.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.running: list[subprocess.Popen[str]] = []

    @property
    def answers(self) -> list[str]:
        lily, gate, olga = (
            f"{name} <{name.split()[-1].lower()}@example.com>" for name in ("Lily", "QA gate", "Olga")
        )
        return [self.url, SHOP, lily, gate, "eu-central-1", olga]

    def start(
        self, *arguments: str, answers: list[str] | None = None, **environ: str
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "app", "setup", *arguments],
            cwd=ROOT,
            env={**self.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.append(process)
        assert process.stdin
        process.stdin.write("".join(f"{line}\n" for line in (self.answers if answers is None else answers)))
        process.stdin.flush()
        return process

    def run(self, *arguments: str, answers: list[str] | None = None, **environ: str) -> tuple[int, str]:
        """Run it to its end, without the second that a process takes to start."""
        lines = "".join(f"{line}\n" for line in (self.answers if answers is None else answers))
        others: dict[str, str | None] = dict.fromkeys(os.environ)
        done = CliRunner().invoke(
            cli, ["setup", *arguments], input=lines, env={**others, **self.environ, **environ}
        )
        return done.exit_code, done.output

    def kept(self) -> dict[str, str]:
        return file.read(self.path)

    def stop(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.github.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.stop()


def said_with_code(process: subprocess.Popen[str]) -> str:
    """Read what the terminal shows until the code comes."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if "enter this code:" in line:
            return said
    raise AssertionError(said)


def code_of(process: subprocess.Popen[str]) -> str:
    return said_with_code(process).rpartition("enter this code: ")[2].strip()


def register(stage: Stage, process: subprocess.Popen[str]) -> Person:
    """Go the whole way in the browser, up to the page that says where to install."""
    person = Person()
    code = code_of(process)
    person.open(f"{stage.url}/setup")
    person.submit(code=code)
    assert "Register the App" in person.page
    person.submit()
    assert "Create GitHub App" in person.page
    person.submit()
    assert "Install the App" in person.page, person.page
    return person


def install(stage: Stage, process: subprocess.Popen[str], person: Person) -> str:
    """Install the App, see the page say so, and return what the terminal says at the end."""
    link = re.search(r'href="([^"]+/installations/new)"', person.page)
    assert link
    Person().open(link[1], {})
    wait_until(lambda: "GitHub is connected" in person.open(f"{stage.url}/setup"))
    said, _ = process.communicate(timeout=60)
    return said


# --- The whole way ------------------------------------------------------------------------------------------


def test_setup_registers_an_app_with_exactly_what_the_gate_needs_and_writes_it_down(stage: Stage) -> None:
    process = stage.start()
    person = register(stage, process)
    said = install(stage, process, person)
    assert (process.returncode, "qa-gate protect acme/shop" in said) == (0, True), said
    world, kept = stage.github.world, stage.kept()
    assert kept["GITHUB_APP_ID"] == str(world.app_id)
    assert world.app_rights == {
        "checks:read",
        "contents",
        "deployments:read",
        "issues",
        "metadata:read",
        "pull_requests",
        "statuses",
        "workflows",
    }
    assert sorted(world.app_events or []) == sorted(EVENTS)
    assert stage.github.webhook_url == f"{stage.url}/webhook"
    assert kept["GITHUB_WEBHOOK_SECRET"] == stage.github.webhooks.secret
    settings = Settings.load(kept | {"GITHUB_API_URL": stage.github.url})
    assert (settings.qa_reviewers, settings.github_repositories) == (
        (("Lily", "lily@example.com"),),
        (SHOP,),
    )
    key = Path(kept["GITHUB_APP_PRIVATE_KEY_FILE"])
    assert [oct(path.stat().st_mode & 0o777) for path in (key, stage.path)] == ["0o600", "0o600"]
    assert key.read_text() not in said
    assert kept["SECRET_KEY"] not in said


def test_running_it_again_asks_nothing_makes_nothing_and_puts_the_webhook_right(stage: Stage) -> None:
    process = stage.start()
    install(stage, process, register(stage, process))
    before, number = stage.kept(), stage.github.world.app_id
    stage.github.webhooks.url, stage.github.webhooks.secret = "http://127.0.0.1:9/old", "another"
    done, said = stage.run(answers=[])
    assert done == 0, said
    assert (stage.kept(), stage.github.world.app_id, stage.github.world.apps) == (before, number, {})
    assert stage.github.webhook_url == f"{stage.url}/webhook"
    assert stage.github.webhooks.secret == before["GITHUB_WEBHOOK_SECRET"]


def test_what_the_app_lacks_is_said_with_where_to_give_it(stage: Stage) -> None:
    process = stage.start()
    install(stage, process, register(stage, process))
    assert stage.github.world.app_rights
    assert stage.github.world.app_events
    stage.github.world.app_rights.remove("statuses")
    stage.github.world.app_rights.add("statuses:read")
    stage.github.world.app_events.remove("push")
    stage.github.world.app_installed = False
    done, said = stage.run(answers=[])
    assert done == 1
    slug = stage.github.world.app_slug
    assert f"Give the App what it lacks (statuses=write; push) in its settings at {stage.github.url}" in said
    assert f"Install the App on acme/shop: {stage.github.url}/apps/{slug}/installations/new" in said


def test_a_setup_that_was_interrupted_after_registering_goes_on_with_the_same_app(stage: Stage) -> None:
    process = stage.start()
    register(stage, process)
    process.kill()
    process.communicate()
    assert stage.kept()["GITHUB_WEBHOOK_SECRET"] == stage.github.webhooks.secret
    number = stage.github.world.app_id
    done, said = stage.run(answers=[])
    assert (done, stage.github.world.app_id) == (1, number)
    assert "Install the App on acme/shop" in said
    assert said.endswith("Then run qa-gate setup again.\n")


def test_the_environment_goes_before_what_is_asked_and_is_not_written_down(stage: Stage) -> None:
    environ = {"QA_REVIEWERS": "Max <max@example.com>", "SECRET_KEY": "k" * 40}
    answers = [line for line in stage.answers if not line.startswith("Lily")]
    process = stage.start(answers=answers, **environ)
    register(stage, process)
    assert not {"QA_REVIEWERS", "SECRET_KEY", "LISTEN"} & stage.kept().keys()


def test_a_wrong_answer_is_asked_again_with_the_reason(stage: Stage) -> None:
    answers = [
        "gate.example.com",
        stage.url,
        "shop",
        SHOP,
        "Lily",
        *stage.answers[2:4],
        "Frankfurt",
        "eu-central-1",
        "Olga",
        "Olga <olga@example.com>",
    ]
    process = stage.start(answers=answers)
    said = said_with_code(process)
    for problem in (
        "PUBLIC_URL must be a web address",
        "GITHUB_REPOSITORIES must hold owner/name",
        "QA_REVIEWERS must look like",
        "AWS_DEFAULT_REGION must be a region",
        "OPERATOR must look like",
    ):
        assert problem in said
    kept = stage.kept()
    assert [kept["PUBLIC_URL"], kept["GITHUB_REPOSITORIES"], kept["AWS_DEFAULT_REGION"]] == [
        stage.url,
        SHOP,
        "eu-central-1",
    ]


def test_who_runs_the_gate_may_be_left_out_and_is_not_asked_again(stage: Stage) -> None:
    done, said = stage.run("--token", answers=[*stage.answers[:5], "", TOKEN])
    assert (done, Settings.load(stage.kept() | {"GITHUB_API_URL": stage.github.url}).operator) == (0, ()), (
        said
    )
    assert "mailed when something is wrong" in said
    assert "mailed when something is wrong" not in stage.run("--token", answers=[])[1]


def test_missing_keys_of_amazon_are_a_warning_that_says_where_to_put_them(stage: Stage) -> None:
    done, said = stage.run("--token", answers=[*stage.answers, TOKEN])
    assert (done, "! AWS credentials are missing" in said, "data/settings.env" in said) == (0, True, True)
    with stage.path.open("a") as file:
        file.write("AWS_ACCESS_KEY_ID=testing\nAWS_SECRET_ACCESS_KEY=testing\n")
    assert "AWS credentials" not in stage.run("--token", answers=[])[1]


# --- The page ------------------------------------------------------------------------------------------------


def test_after_five_wrong_codes_the_page_is_closed_for_the_right_one_too(stage: Stage) -> None:
    process = stage.start()
    code, person = code_of(process), Person()
    for left in (4, 3, 2, 1):
        person.open(f"{stage.url}/setup", {"code": "0" * 32})
        assert (person.status, f"{left} tr" in person.page) == (403, True)
    person.open(f"{stage.url}/setup", {"code": "0" * 32})
    assert "This page is closed" in person.page
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, "Five wrong codes" in said) == (2, True)
    with pytest.raises(urllib.error.URLError):
        person.open(f"{stage.url}/setup", {"code": code})
    assert "GITHUB_APP_ID" not in stage.kept()


@pytest.fixture
def page() -> Iterator[tuple[Registration, Callable[..., object]]]:
    """The page by itself, with what would be written."""
    taken: list[str] = []

    def keep(code: str) -> str:
        taken.append(code)
        return "https://github.example.com/apps/qa-gate/installations/new"

    about = Registration(
        "https://gate.example.com",
        "https://github.example.com/settings/apps/new",
        json.dumps(manifest("acme", "https://gate.example.com")),
        keep,
        (SHOP,),
    )
    yield about, create_page(about).test_client
    assert taken in ([], ["a-code"])


def state_of(text: str) -> str:
    found = re.search(r"state=([\w-]+)", text)
    assert found
    return found[1]


def test_the_code_has_128_bits_and_is_in_no_address(page) -> None:  # type: ignore[no-untyped-def]
    about, client = page
    assert re.fullmatch(r"[0-9a-f]{32}", about.code)
    assert about.code not in client().get("/setup").text


def test_a_get_with_the_code_lets_nobody_in(page) -> None:  # type: ignore[no-untyped-def]
    about, client = page
    answer = client().get(f"/setup?code={about.code}")
    assert "Set up the gate" in answer.text
    assert about.tries_left == 5


def test_the_code_works_once(page) -> None:  # type: ignore[no-untyped-def]
    about, client = page
    assert client().post("/setup", data={"code": about.code.upper()}).status_code == 303
    assert client().post("/setup", data={"code": about.code}).status_code == 403


def test_githubs_way_back_counts_only_in_the_browser_that_was_let_in(page) -> None:  # type: ignore[no-untyped-def]
    about, client = page
    mine, other = client(), client()
    cookie = mine.post("/setup", data={"code": about.code}).headers["Set-Cookie"]
    assert cookie.startswith("__Host-qa-gate-setup=")
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    # The test client speaks http, and sends no Secure cookie by itself.
    headers = {"Cookie": cookie.partition(";")[0]}
    plain = client(use_cookies=False)
    state = state_of(plain.get("/setup", headers=headers).text)
    back = f"/setup/registered?code=a-code&state={state}"
    assert other.get(back).status_code == 403
    assert plain.get("/setup/registered?code=a-code&state=forged", headers=headers).status_code == 403
    assert plain.get("/setup/registered?code=a-code&state=f%C3%A9", headers=headers).status_code == 403
    assert about.step == "register"
    assert plain.get(back, headers=headers).status_code == 303
    assert plain.get(back, headers=headers).status_code == 403
    assert "Install the App" in plain.get("/setup", headers=headers).text


def test_the_page_goes_into_no_cache_and_no_frame_and_its_form_only_to_github(page) -> None:  # type: ignore[no-untyped-def]
    _, client = page
    headers = client().get("/setup").headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "form-action 'self' https://github.example.com;" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "strict-origin"
    assert client().post("/setup", data={"code": "x" * 20_000}).status_code == 413


def test_five_guesses_at_once_are_still_five(page) -> None:  # type: ignore[no-untyped-def]
    about, _ = page
    threads = [threading.Thread(target=about.let_in, args=("WRONG",)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (about.tries_left, about.step) == (0, "closed")
    assert not about.let_in(about.code)


# --- Beside a running gate -----------------------------------------------------------------------------------


def test_beside_a_running_gate_it_refuses(stage: Stage) -> None:
    stage.run(answers=[*stage.answers], GITHUB_APP_ID="7")  # asks, and stops for want of the key
    gate = Command(
        stage.folder,
        {
            **stage.environ,
            **stage.kept(),
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_WEBHOOK_SECRET": "s" * 20,
            "DATABASE_URL": f"sqlite:///{stage.folder / 'gate.db'}",
            "AWS_DEFAULT_REGION": "eu-central-1",
        },
        "serve",
    )
    try:
        wait_until(lambda: "200" in status_of(f"{stage.url}/healthz"))
        done, said = stage.run(answers=[])
        assert (done, "A gate is running at" in said) == (2, True)
    finally:
        gate.end()


def status_of(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return str(answer.status)
    except OSError:
        return ""


def test_a_taken_port_is_told(stage: Stage) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", stage.port))
        other.listen(1)
        process = stage.start(answers=[stage.url.replace(str(stage.port), "9"), *stage.answers[1:]])
        said, _ = process.communicate(timeout=60)
    assert (process.returncode, f"Nothing can listen at LISTEN (127.0.0.1:{stage.port})" in said) == (2, True)


# --- With a token --------------------------------------------------------------------------------------------


def test_with_a_token_it_makes_the_webhook_once_and_then_puts_it_right(stage: Stage) -> None:
    done, said = stage.run("--token", answers=[*stage.answers, TOKEN])
    assert (done, "the webhook is made" in said, TOKEN in said) == (0, True, False), said
    unnamed = [right for right in PERMISSIONS if right.replace("_", " ") not in TOKEN_RIGHTS.lower()]
    assert (TOKEN_RIGHTS in said, unnamed) == (True, ["checks", "metadata"])
    (hook,) = stage.github.repo().hooks.values()
    assert hook["config"]["url"] == f"{stage.url}/webhook"
    assert hook["config"]["content_type"] == "json"
    assert sorted(hook["events"]) == sorted(EVENTS)
    assert stage.github.webhooks.secret == stage.kept()["GITHUB_WEBHOOK_SECRET"]
    hook |= {"active": False, "events": ["push"]}
    done, said = stage.run("--token", answers=[])
    assert (done, "the webhook is right" in said) == (0, True), said
    (hook,) = stage.github.repo().hooks.values()
    assert (hook["active"], len(hook["events"])) == (True, len(EVENTS))


def test_the_webhook_can_be_made_with_the_operators_own_token(stage: Stage) -> None:
    stage.github.rights.discard("repository_hooks")
    done, said = stage.run("--token", answers=[*stage.answers, TOKEN])
    assert (done, "Resource not accessible" in said) == (2, True), said
    stage.github.add_token("ghp_mine", "olga", "repository_hooks")
    done, said = stage.run("--token", answers=[], GH_TOKEN="ghp_mine")
    assert done == 0, said
    assert "ghp_mine" not in stage.path.read_text() + said


def test_a_token_beside_an_app_is_refused_in_words(stage: Stage) -> None:
    done, said = stage.run("--token", answers=stage.answers, GITHUB_APP_ID="7")
    assert (done, "A GitHub App is set up already" in said) == (2, True)
    done, said = stage.run(answers=[], GITHUB_TOKEN=TOKEN)
    assert (done, "GITHUB_TOKEN is set in the environment" in said) == (2, True)


# --- What it knows by itself ---------------------------------------------------------------------------------


def test_an_app_of_a_person_is_registered_with_the_person(stage: Stage) -> None:
    stage.github.repo().owner.type = "User"
    process = stage.start()
    person, code = Person(), code_of(process)
    person.open(f"{stage.url}/setup")
    person.submit(code=code)
    assert f'action="{stage.github.url}/settings/apps/new?state=' in person.page
