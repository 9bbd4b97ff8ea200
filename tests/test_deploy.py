"""The gate as people deploy it: the proxy before it is a real Caddy; `make check` lints the other papers first."""

from __future__ import annotations

import configparser
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import parent
from app.settings import Settings
from demo.world import free_port
from tests.test_cli import Stage
from tests.test_settings import NAMES
from tests.world import wait_until

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

# A signed delivery of which only a part comes.
UNFINISHED = (
    b"POST /webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\nContent-Length: 100000\r\n\r\n" + b"{" * 9000
)


class Caddy:
    """A Caddy with our Caddyfile, before the gate of a stage, over plain HTTP."""

    def __init__(self, stage: Stage) -> None:
        self.gate_port = stage.url.rpartition(":")[2]
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = stage.folder / "caddy.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [BIN / "caddy", "run", "--config", ROOT / "deploy" / "Caddyfile"],
                env={
                    "HOME": str(stage.folder),
                    "PUBLIC_URL": self.url,
                    "GATE_HOST": "127.0.0.1",
                    "GATE_PORT": self.gate_port,
                },
                stdout=out,
                stderr=out,
            )
        wait_until(self.answers)

    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.url.rpartition(":")[2])

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(self.address()) == 0

    def ask(self, path: str, body: bytes | None = None) -> int:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", data=body, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.stop()


@pytest.fixture
def caddy(stage: Stage) -> Iterator[Caddy]:
    caddy = Caddy(stage)
    stage.environ["PUBLIC_URL"] = caddy.url
    stage.github.webhook_url = f"{caddy.url}/webhook"
    yield caddy
    caddy.stop()


# --- Caddy --------------------------------------------------------------------------------------------------


def test_a_pull_request_becomes_a_mail_and_a_page_through_the_proxy(stage: Stage, caddy: Caddy) -> None:
    stage.serve()
    stage.open_pull_request()
    mail = stage.inbox.wait_for("Lily", timeout=60)
    link = next(found["url"] for found in mail.links if "/decide/" in found["url"])
    assert link.startswith(caddy.url)
    assert caddy.ask(link.removeprefix(caddy.url)) == 200


def test_many_who_send_slowly_keep_nobody_waiting(stage: Stage, caddy: Caddy) -> None:
    stage.serve()
    slow = []
    for _ in range(40):
        connection = socket.create_connection(caddy.address())
        connection.sendall(UNFINISHED)
        slow.append(connection)
    time.sleep(0.5)  # what is sent on is with the gate by then
    began = time.monotonic()
    assert caddy.ask("/sign-in") == 200
    assert time.monotonic() - began < 5
    for connection in slow:
        connection.close()


class Counting(BaseHTTPRequestHandler):
    """Somebody at the gate's port, who counts what comes."""

    received = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left > 0 and (piece := self.rfile.read1(min(left, 65536))):
            Counting.received += len(piece)
            left -= len(piece)
        if not left:
            self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def counting(caddy: Caddy) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", int(caddy.gate_port)), Counting)
    serving = threading.Thread(target=server.serve_forever, args=(0.1,))
    serving.start()
    yield
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.mark.parametrize("path, largest", [("/webhook", 25 * 1024 * 1024), ("/sign-in", 256 * 1024)])
def test_the_proxy_passes_on_no_more_than_is_sent_in_good_faith(
    caddy: Caddy, path: str, largest: int
) -> None:
    with counting(caddy):
        Counting.received = 0
        assert caddy.ask(path, b"x" * largest) == 200
        assert Counting.received == largest
        Counting.received = 0
        assert caddy.ask(path, b"x" * (largest + 100_000)) in (413, 502)
        assert Counting.received <= largest


def test_a_request_waits_while_the_gate_restarts(caddy: Caddy) -> None:
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(caddy.ask, "/healthz")
        time.sleep(2)
        assert not asked.done()
        with counting(caddy):
            assert asked.result(20) == 200


def test_the_proxys_log_holds_no_link_even_when_the_gate_is_down(caddy: Caddy) -> None:
    assert caddy.ask("/decide/a-secret-link?and=this") in (502, 503)
    said = caddy.log.read_text()
    assert re.search(r'"level":"error".*"status":50[23]', said), said
    assert "secret" not in said
    assert "and=this" not in said


def test_the_proxy_gets_a_certificate_by_itself() -> None:
    adapted = subprocess.run(
        [BIN / "caddy", "adapt", "--validate", "--config", ROOT / "deploy" / "Caddyfile"],
        env={"PUBLIC_URL": "https://gate.example.com", "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert '"listen":[":443"]' in adapted
    assert '"host":["gate.example.com"]' in adapted
    assert "automatic_https" not in adapted  # nothing switches it off


# --- Linters ------------------------------------------------------------------------------------------------


def test_make_check_lints_every_paper_that_a_deployment_needs() -> None:
    check = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    linted = set(
        re.findall(r"(?<= )(?:\.github/workflows/\*\.yml|deploy/\S+|Dockerfile|docker-compose\.yml)", check)
    )
    in_tests = {"deploy/Caddyfile", "deploy/qa-gate.service"}
    there = {f"deploy/{path.name}" for path in (ROOT / "deploy").iterdir()}
    assert there | {"Dockerfile", "docker-compose.yml", ".github/workflows/*.yml"} == linted | in_tests


# --- Compose ------------------------------------------------------------------------------------------------


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def test_one_command_starts_one_gate_behind_the_proxy_and_a_profile_two_with_postgresql(
    services: dict[str, Any],
) -> None:
    usual = {name for name, service in services.items() if not service.get("profiles")}
    assert usual == {"gate", "caddy"}
    assert {name for name, service in services.items() if service.get("profiles") == ["postgres"]} == {
        "gate2",
        "postgres",
    }
    assert services["gate2"]["networks"]["default"]["aliases"] == ["gate"]  # where the proxy looks for gates


def test_only_the_proxy_can_be_reached_from_outside(services: dict[str, Any]) -> None:
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "caddy": ["80:80", "443:443"]
    }


def test_every_container_has_a_memory_limit_and_no_new_rights(services: dict[str, Any]) -> None:
    for service in services.values():
        assert service["mem_limit"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"
    for name in ("gate", "gate2", "caddy"):
        assert (services[name]["read_only"], services[name]["cap_drop"]) == (True, ["ALL"])


def test_a_stopped_container_gets_as_long_as_the_gate_gives_a_step(services: dict[str, Any]) -> None:
    assert int(services["gate"]["stop_grace_period"].removesuffix("s")) >= parent.GRACE + 5


def test_a_key_file_that_env_example_names_is_on_the_volume_of_every_gate(services: dict[str, Any]) -> None:
    example = (ROOT / ".env.example").read_text()
    (named,) = re.findall(r"^#GITHUB_APP_PRIVATE_KEY_FILE=(\S+)", example, re.MULTILINE)
    assert named.startswith("/data/")
    assert [services[name]["volumes"] for name in ("gate", "gate2")] == [["data:/data"]] * 2
    assert "data:/data" not in services["caddy"]["volumes"]


def test_env_example_filled_in_is_a_settings_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "PUBLIC_URL": "https://gate.example.com",
        "SECRET_KEY": "k" * 40,
        "GITHUB_WEBHOOK_SECRET": "w" * 40,
        "GITHUB_TOKEN": "github_pat_1",
        "GITHUB_REPOSITORIES": "acme/shop",
        "QA_REVIEWERS": "Lily <lily@example.com>",
        "MAIL_FROM": "QA gate <gate@example.com>",
    }
    text = (ROOT / ".env.example").read_text()
    for name, value in values.items():
        text = re.sub(rf"^{name}=$", f"{name}={value}", text, flags=re.MULTILINE)
    (tmp_path / "settings.env").write_text(text)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SETTINGS_FILE", str(tmp_path / "settings.env"))
    loaded = Settings.load()
    assert (loaded.public_url, loaded.github_repositories) == ("https://gate.example.com", ("acme/shop",))


# --- systemd ------------------------------------------------------------------------------------------------


def test_the_unit_starts_the_installed_command_where_its_defaults_lead_to_a_place_of_its_own() -> None:
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    unit.read(ROOT / "deploy" / "qa-gate.service")
    service = unit["Service"]
    assert service["ExecStart"].endswith("/qa-gate serve")
    fields = Settings.model_fields
    assert fields["database_url"].default == "sqlite:///data/qa-gate.db"
    assert fields["settings_file"].default == "data/settings.env"
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert (service["ProtectSystem"], service["UMask"]) == ("strict", "0077")
    assert int(service["TimeoutStopSec"]) >= parent.GRACE + 5


# --- AWS ----------------------------------------------------------------------------------------------------


class Template(yaml.SafeLoader):
    """CloudFormation's short forms, such as !Ref, as {"Ref": ...}."""


def _short_form(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    read = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}
    return {name: read[type(node)](node, *([True] if isinstance(node, yaml.SequenceNode) else []))}


Template.add_multi_constructor("!", _short_form)


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    text = (ROOT / "deploy" / "aws.yaml").read_text()
    found: dict[str, Any] = yaml.load(text, Template)["Resources"]
    return found


def of_type(resources: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one["Properties"] for one in resources.values() if one["Type"] == kind]


def test_on_aws_nothing_is_open_but_the_web(resources: dict[str, Any]) -> None:
    (group,) = of_type(resources, "AWS::EC2::SecurityGroup")
    opened = [
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupIngress"]
    ]
    assert opened == [("tcp", 80, 80), ("tcp", 443, 443)]
    assert not of_type(resources, "AWS::EC2::SecurityGroupIngress")
    (machine,) = of_type(resources, "AWS::EC2::Instance")
    assert machine["SecurityGroupIds"] == [{"Ref": "WebOnly"}]
    assert "KeyName" not in machine


def test_on_aws_a_container_gets_the_role_by_tokens_only(resources: dict[str, Any]) -> None:
    (machine,) = of_type(resources, "AWS::EC2::Instance")
    assert machine["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}


def test_on_aws_the_machine_may_send_from_one_identity_and_otherwise_only_read(
    resources: dict[str, Any],
) -> None:
    statements = resources["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    send, see = statements
    assert send["Action"] == "ses:SendEmail"
    assert "*" not in str(send["Resource"]).replace("configuration-set/*", "")
    assert "identity/${SenderIdentity}" in str(send["Resource"][0])
    assert all(action.startswith("ses:Get") for action in see["Action"])


def test_on_aws_the_data_outlives_the_machine_and_is_kept_every_night(resources: dict[str, Any]) -> None:
    disk = resources["Data"]
    assert (disk["DeletionPolicy"], disk["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")
    assert "Condition" not in disk
    for one in ("Instance", "DataAttachment", "AddressAssociation"):
        assert resources[one]["Condition"] == "HasMachine"
    assert disk["Properties"]["AvailabilityZone"] == {"GetAtt": "Subnet.AvailabilityZone"}
    (policy,) = of_type(resources, "AWS::DLM::LifecyclePolicy")
    (tag,) = policy["PolicyDetails"]["TargetTags"]
    assert tag in disk["Properties"]["Tags"]


def test_the_machines_first_start_is_a_script_that_bash_can_read(resources: dict[str, Any]) -> None:
    script, values = resources["Instance"]["Properties"]["UserData"]["Fn::Base64"]["Sub"]
    # CloudFormation replaces ${NAME}; what the shell is to see is written without braces.
    parameters = set(re.findall(r"\$\{([\w:]+)\}", script))
    known = {"Version", "Source", "PublicUrl", "AWS::Region", *values}
    assert parameters == known
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


# --- Workflows ----------------------------------------------------------------------------------------------


def test_ci_runs_what_runs_everywhere_and_a_release_waits_for_it() -> None:
    ci, release = (
        yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
        for name in ("ci.yml", "release.yml")
    )
    assert {"run": "bash .ci/run"} in ci["jobs"]["test"]["steps"]
    assert ci["permissions"] == release["permissions"] == {"contents": "read"}
    assert release[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads "on" as true
    assert release["jobs"]["test"]["uses"] == "./.github/workflows/ci.yml"
    assert (release["jobs"]["image"]["needs"], release["jobs"]["release"]["needs"]) == ("test", "image")


def test_a_release_finds_what_the_changelog_says_of_its_version() -> None:
    release = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    (script,) = [step["run"] for step in release["jobs"]["release"]["steps"] if "awk" in step.get("run", "")]
    (awk,) = re.findall(r"awk -v .*? ('.*?') CHANGELOG", script)
    changelog = "# C\n\n## [Unreleased]\n\nnot yet\n\n## [1.2.3] - 2026-01-01\n\nthis\n\n## [1.2.2]\n\nold\n"
    said = subprocess.run(
        ["bash", "-c", f"awk -v version=1.2.3 {awk}"],
        input=changelog,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "this" in said
    assert "old" not in said
    assert "not yet" not in said
