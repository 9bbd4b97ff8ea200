"""Settings: every problem is told at once, says how to mend it, and never shows a value."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from app.settings import Settings, file, values
from app.settings.file import SettingsError

KEY, OLD_KEY = "Kn3w-" * 8, "K0ld_" * 8
PEM_LINES = [
    "-----BEGIN RSA PRIVATE KEY-----",
    "MIIEowIBAAKCAQEAx1/+abc",
    "ZZ9==",
    "-----END RSA PRIVATE KEY-----",
]
PEM = "\n".join(PEM_LINES) + "\n"
NEEDED = {
    "PUBLIC_URL": "https://gate.example.com",
    "SECRET_KEY": KEY,
    "GITHUB_WEBHOOK_SECRET": "It's a Secret to Everybody",
    "GITHUB_TOKEN": "ghp_0123456789abcdef",
    "GITHUB_REPOSITORIES": "acme/shop",
    "QA_REVIEWERS": "Lily <lily@example.com>",
    "MAIL_FROM": "QA gate <gate@example.com>",
}


NAMES = [field.upper() for field in Settings.model_fields]


def load(**given_settings: str) -> Settings:
    return Settings.load(NEEDED | given_settings)


def problems_of(**given_settings: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(**given_settings)
    return caught.value.problems


def problem_of(**given_settings: str) -> str:
    (problem,) = problems_of(**given_settings)
    return problem


def test_defaults_are_those_of_the_design() -> None:
    settings = Settings.load(NEEDED)
    assert settings.github_api_url == "https://api.github.com"
    assert (settings.development_branch, settings.release_branch) == ("development", "master")
    assert settings.merge_method == "merge"
    assert settings.database_url == "sqlite:///data/qa-gate.db"
    assert settings.timezone == ZoneInfo("UTC")
    assert settings.digest_at == time(9, 0)
    assert (settings.quiet_minutes, settings.link_days, settings.look_minutes) == (10, 30, 5)
    assert settings.wait_for_checks is False
    assert settings.listen == ("127.0.0.1", 8000)
    assert (settings.worker, settings.log_format) == ("embedded", "text")
    assert settings.preview_url is settings.ses_configuration_set is None
    assert settings.github_app_id is settings.github_app_private_key is None


def test_where_nothing_is_set_up_the_first_sentence_is_the_command_that_does_it() -> None:
    for nothing in ({}, {"PUBLIC_URL": "https://gate.example.com", "LISTEN": "0.0.0.0:8000"}):
        with pytest.raises(SettingsError) as caught:
            Settings.load(nothing)
        assert "run qa-gate setup" in caught.value.problems[0]
        assert caught.value.problems[-1].startswith("MAIL_FROM is missing")
    assert not any("qa-gate setup" in one for one in problems_of(SECRET_KEY=""))


def test_needed_settings_are_read_into_their_types() -> None:
    settings = load(
        SECRET_KEY=f"{KEY},{OLD_KEY}",
        GITHUB_REPOSITORIES="acme/shop, acme/till",
        QA_REVIEWERS='Lily <lily@example.com>, "Doe, Jo" <jo@example.com>, sam@example.com, Žofie <z@example.com>',
    )
    assert settings.secret_key == (KEY, OLD_KEY)
    assert settings.github_repositories == ("acme/shop", "acme/till")
    assert settings.qa_reviewers == (
        ("Lily", "lily@example.com"),
        ("Doe, Jo", "jo@example.com"),
        ("sam", "sam@example.com"),
        ("Žofie", "z@example.com"),
    )


def test_an_empty_value_is_not_set() -> None:
    # compose passes every variable that it mentions, the unset ones as empty strings
    names = set(NAMES) - NEEDED.keys() - {"RELEASE_BRANCH"}
    blank = Settings.load(NEEDED | dict.fromkeys(names, "") | {f"{name}_FILE": "" for name in NEEDED})
    assert blank == Settings.load(NEEDED)


def test_an_empty_release_branch_means_no_release_gate() -> None:
    assert load(RELEASE_BRANCH="").release_branch == ""


def test_nothing_set_names_every_missing_setting_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({})
    named = [problem.split()[0] for problem in caught.value.problems[1:]]
    assert named == list(NEEDED)
    missing = caught.value.problems[1:]
    assert all(re.fullmatch(r"[A-Z_]+ is missing\. .{10,}", problem) for problem in missing)
    assert str(caught.value) == "\n".join(caught.value.problems)


def test_a_missing_secret_says_how_to_make_one() -> None:
    sentence = (
        "SECRET_KEY is missing. Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
    )
    assert problem_of(SECRET_KEY="") == sentence


def test_bad_and_missing_and_unreadable_are_told_together() -> None:
    problems = problems_of(
        PUBLIC_URL="gate",
        SECRET_KEY="",
        GITHUB_WEBHOOK_SECRET="",
        GITHUB_WEBHOOK_SECRET_FILE="/nowhere/secret",
        QUIET_MINUTES="soon",
        LOG_FORMAT="xml",
    )
    assert [problem.split()[0] for problem in problems] == [
        "PUBLIC_URL",
        "SECRET_KEY",
        "GITHUB_WEBHOOK_SECRET_FILE",
        "QUIET_MINUTES",
        "LOG_FORMAT",
    ]


def test_the_environment_is_read_when_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == Settings.load(NEEDED)
    monkeypatch.setenv("LINK_DAYS", "3")
    assert Settings.load().link_days == 3
    assert Settings.load(NEEDED).link_days == 30
    assert Settings.load(os.environ).link_days == 3


def test_names_that_are_not_ours_are_left_alone() -> None:
    others = {"PATH": "/bin", "LINES": "40", "USER": "olga", "GITHUB_REPOSITORY": "x", "qa_reviewers": "y"}
    assert load(**others, AWS_DEFAULT_REGION="eu-central-1", GH_TOKEN="t") == Settings.load(NEEDED)


@pytest.mark.parametrize(
    "name,meant",
    [
        ("QA_REVIEWER", "QA_REVIEWERS"),
        ("LINK_DAY", "LINK_DAYS"),
        ("LSITEN", "LISTEN"),
        ("GITHUB_APPID", "GITHUB_APP_ID"),
        ("PUBLIK_URI", "PUBLIC_URL"),
        ("SECRET_KEYFILE", "SECRET_KEY_FILE"),
        ("GITHUB_TOKENS", "GITHUB_TOKEN"),
        ("OPERATOR_", "OPERATOR"),
    ],
)
def test_a_name_one_or_two_letters_off_is_an_error_that_names_the_setting(name: str, meant: str) -> None:
    assert problem_of(**{name: "zqx"}) == f"{name} is no setting: did you mean {meant}?"


@given(st.sampled_from(NAMES), st.integers(0, 30), st.sampled_from("XQ_"))
def test_any_one_wrong_letter_is_noticed(name: str, place: int, letter: str) -> None:
    wrong = name[: place % len(name)] + letter + name[place % len(name) + 1 :]
    if wrong not in NAMES:
        assert any(wrong in problem for problem in problems_of(**{wrong: "x"}))


# --- The settings file --------------------------------------------------------------------------------------


@pytest.fixture
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No setting in the environment but the place of the settings file, which is not there yet."""
    for name in list(os.environ):
        if name in NAMES or name.startswith("AWS_"):
            monkeypatch.delenv(name)
    path = tmp_path / "data" / "settings.env"
    monkeypatch.setenv("SETTINGS_FILE", str(path))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")  # so that what the file sets is undone after the test
    return path


def test_what_was_written_to_the_settings_file_is_read_from_it(empty_environment: Path) -> None:
    hard = {
        "QA_REVIEWERS": 'Lily <lily@example.com>, "O\'Neil, \\ #1 $X" <jo@example.com>',
        "RELEASE_BRANCH": "",
    }
    file.write(empty_environment, NEEDED | hard | {"AWS_DEFAULT_REGION": "eu-west-1"})
    environ = NEEDED | hard | {"SETTINGS_FILE": str(empty_environment)}
    assert Settings.load() == Settings.load(environ)
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_the_environment_goes_before_the_settings_file(
    empty_environment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(OLD_KEY)
    file.write(empty_environment, NEEDED | {"LINK_DAYS": "3", "TIMEZONE": "Europe/Prague"})
    monkeypatch.setenv("LINK_DAYS", "5")
    monkeypatch.setenv("TIMEZONE", "")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    settings = Settings.load()
    assert (settings.link_days, str(settings.timezone)) == (5, "Europe/Prague")
    assert settings.secret_key == (OLD_KEY,)


def test_a_strange_name_in_the_settings_file_is_an_error(empty_environment: Path) -> None:
    file.write(empty_environment, NEEDED | {"COLOUR": "zqx", "QA_REVEIWERS": "zqx"})
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert set(caught.value.problems) == {
        "COLOUR is no setting: remove it from the settings file.",
        "QA_REVEIWERS is no setting: did you mean QA_REVIEWERS?",
    }


def test_a_settings_file_that_cannot_be_read_is_told(empty_environment: Path) -> None:
    empty_environment.mkdir(parents=True)
    with pytest.raises(SettingsError, match="SETTINGS_FILE names a file that cannot be read"):
        Settings.load()


def test_the_settings_file_is_for_its_owner_alone_and_replaces_no_link(empty_environment: Path) -> None:
    file.write(empty_environment, NEEDED)
    file.write(empty_environment, NEEDED)
    assert oct(empty_environment.stat().st_mode & 0o777) == "0o600"
    assert oct(empty_environment.parent.stat().st_mode & 0o777) == "0o700"
    assert [path.name for path in empty_environment.parent.iterdir()] == ["settings.env"]
    elsewhere = empty_environment.with_name("elsewhere")
    (empty_environment.parent / "key.pem").symlink_to(elsewhere)
    with pytest.raises(FileExistsError):
        file.create(empty_environment.parent / "key.pem", "secret")
    assert not elsewhere.exists()


# --- Files --------------------------------------------------------------------------------------------------


def test_every_setting_may_come_from_a_file(tmp_path: Path) -> None:
    example = {name: value for name, value, _ in GOOD if name != "METRICS_LISTEN"}
    everything = example | NEEDED | {"METRICS_LISTEN": "127.0.0.1:9100"}
    for name, value in everything.items():
        (tmp_path / name).write_text(value + "\n")
    environ = {f"{name}_FILE": str(tmp_path / name) for name in everything}
    assert Settings.load(environ) == Settings.load(everything)


def test_a_value_and_a_file_for_it_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    problem = problem_of(SECRET_KEY_FILE=str(tmp_path / "key"))
    assert problem == "SECRET_KEY and SECRET_KEY_FILE are both set: keep one."


def test_an_unreadable_file_is_told_without_what_was_given_as_its_path(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in ("/nowhere/file", str(tmp_path), str(tmp_path / "binary"), KEY * 100, "a\0b"):
        problem = problem_of(GITHUB_WEBHOOK_SECRET="", GITHUB_WEBHOOK_SECRET_FILE=path)
        assert problem.startswith("GITHUB_WEBHOOK_SECRET_FILE names a file that cannot be read (")
        assert path not in problem


# --- No value is ever shown ---------------------------------------------------------------------------------


def test_repr_shows_no_secret() -> None:
    settings = load(DATABASE_URL="postgresql://gate:pa55word@db/gate", SECRET_KEY=f"{KEY},{OLD_KEY}")
    app = load(GITHUB_TOKEN="", GITHUB_APP_ID="12", GITHUB_APP_PRIVATE_KEY=PEM)
    shown = f"{settings!r} {settings} {app!r} {app}"
    assert "gate.example.com" in shown
    for secret in (KEY, OLD_KEY, "Everybody", "ghp_", "pa55word", "PRIVATE", PEM_LINES[1]):
        assert secret not in shown


@pytest.mark.parametrize("name", NAMES)
def test_a_problem_never_shows_the_value(name: str) -> None:
    for bad in ("\x07zqx zqx", "zqx ,,zqx", "zqx:\\zqx "):
        with pytest.raises(SettingsError) as caught:
            Settings.load(NEEDED | {name: bad})
        assert "zqx" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
        assert any(problem.startswith(name) for problem in caught.value.problems)
        assert all(problem.endswith((".", "'")) for problem in caught.value.problems)


def test_pydantics_own_error_shows_no_secret_either() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(secret_key="zqx", github_token="zqx zqx")
    assert "secret_key" in str(caught.value)
    assert "zqx" not in str(caught.value)


@given(st.sampled_from(NAMES), st.text(max_size=60))
def test_any_text_is_a_value_or_a_problem(name: str, value: str) -> None:
    with suppress(SettingsError):
        assert Settings.load(NEEDED | {name: value}).public_url.startswith("http")


# --- One setting at a time ----------------------------------------------------------------------------------

GOOD: list[tuple[str, str, Any]] = [
    ("PUBLIC_URL", "https://gate.example.com/", "https://gate.example.com"),
    ("PUBLIC_URL", "http://[::1]:8000", "http://[::1]:8000"),
    ("PUBLIC_URL", "HTTPS://Gate.Example.COM", "https://gate.example.com"),
    ("GITHUB_API_URL", "https://ghe.example.com/api/v3/", "https://ghe.example.com/api/v3"),
    ("GITHUB_REPOSITORIES", "a/b,a_b-c/.github", ("a/b", "a_b-c/.github")),
    ("DEVELOPMENT_BRANCH", "feature/čaj-1.2_x", "feature/čaj-1.2_x"),
    (
        "GITHUB_WEBHOOK_SECRET",
        "a-new-long-secret, an-old-long-secret",
        ("a-new-long-secret", "an-old-long-secret"),
    ),
    ("OPERATOR", "Olga <olga@example.com>", (("Olga", "olga@example.com"),)),
    ("MAIL_FROM", "gate@example.com", "gate@example.com"),
    ("MAIL_FROM", "Čaj <gate@example.com>", "=?utf-8?q?=C4=8Caj?= <gate@example.com>"),
    ("MAIL_FROM", '"Gate, QA" <gate@example.com>', '"Gate, QA" <gate@example.com>'),
    ("DATABASE_URL", "sqlite:////var/lib/gate.db", "sqlite:////var/lib/gate.db"),
    ("DATABASE_URL", "postgres://u:p%40s@h:5432/d", "postgresql+psycopg://u:p%40s@h:5432/d"),
    ("DATABASE_URL", "postgresql://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
    ("DATABASE_URL", "postgresql+psycopg:///d?host=/run", "postgresql+psycopg:///d?host=/run"),
    ("DATABASE_URL", "postgresql://u:p:/?[@[::1]:5432/d", "postgresql+psycopg://u:p:/?[@[::1]:5432/d"),
    ("TIMEZONE", "Europe/Prague", ZoneInfo("Europe/Prague")),
    ("DIGEST_AT", "23:59", time(23, 59)),
    ("QUIET_MINUTES", "0", 0),
    ("LINK_DAYS", "365", 365),
    ("WAIT_FOR_CHECKS", "True", True),
    ("WAIT_FOR_CHECKS", "no", False),
    ("IGNORE_CHECKS", "", ()),
    ("IGNORE_CHECKS", 'lint, "test (3.11, linux)"', ("lint", "test (3.11, linux)")),
    ("PREVIEW_URL", "https://pr-{number}.example.com/", "https://pr-{number}.example.com/"),
    (
        "PREVIEW_URL",
        "http://x.example.com/{branch}?v={sha}#{number}",
        "http://x.example.com/{branch}?v={sha}#{number}",
    ),
    ("LISTEN", "0.0.0.0:80", ("0.0.0.0", 80)),
    ("LISTEN", "[::1]:8000", ("::1", 8000)),
    ("METRICS_LISTEN", "127.0.0.1:9100", ("127.0.0.1", 9100)),
]


@pytest.mark.parametrize("name,value,expected", GOOD)
def test_a_good_value_is_taken(name: str, value: str, expected: Any) -> None:
    assert getattr(load(**{name: value}), name.lower()) == expected


BAD: dict[str, list[str]] = {
    "PUBLIC_URL": [
        "gate.example.com",
        "ftp://gate.example.com",
        "https://",
        "https://gate.example.com/path",
        "https://gate.example.com?",
        "https://gate.example.com#x",
        "https://me:pw@gate.example.com",
        "https://gate.example.com:99999",
        "https://gate\\example.com",
    ],
    "SECRET_KEY": [
        "k" * 31,
        f"{KEY},",
        f"{KEY},{KEY}",
        f"{KEY},short",
        KEY + " " + KEY,
    ],
    "GITHUB_WEBHOOK_SECRET": [
        "short",
        "a secret that ends with a blank ",
        "long-enough-secret,short",
        "long-enough-secret,long-enough-secret",
    ],
    "OPERATOR": ["Olga", "olga@example.com,"],
    "SETTINGS_FILE": ["data/", "a,b", "x" * 5000],
    "GITHUB_TOKEN": ["two words", "ghp_é"],
    "GITHUB_API_URL": ["api.github.com", "https://api.github.com/?x=1", "https://u@api.github.com"],
    "GITHUB_REPOSITORIES": [
        "shop",
        "acme/..",
        "acme/shop,",
        "acme/shop,Acme/Shop",
        "https://github.com/acme/shop",
    ],
    "DEVELOPMENT_BRANCH": [
        "a b",
        "a..b",
        "-a",
        "a//b",
        "a.lock",
        "a.",
        "a~",
        "a@{b",
        "@",
        "HEAD",
        "a\x7f",
    ],
    "RELEASE_BRANCH": ["a b", "development"],
    "MERGE_METHOD": ["Merge", "fast-forward"],
    "QA_REVIEWERS": [
        "lily@localhost",
        "Lily <lily@example.com>,",
        "Lily <lily@example.com>; Jo <jo@example.com>",
        "Doe, Jo <jo@example.com>",
        "Lily <lily@example.com>, Lil <LILY@example.com>",
        "Lily\r\nBcc: x <lily@example.com>",
        "Lily\u202e <lily@example.com>",
        "Lily <lily@exämple.com>",
    ],
    "MAIL_FROM": ["gate", "a@example.com, b@example.com", "Gate <gate@example.com>\nBcc: x@example.com"],
    "SES_CONFIGURATION_SET": ["a b", "gäte", "x" * 65],
    "DATABASE_URL": [
        "data/gate.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///data/",
        "mysql://h/d",
        "postgresql://h/",
        "postgresql://gate:hunter2secret/d",
        "postgresql://u:p@h:notaport/d",
    ],
    "TIMEZONE": ["Europe", "Prague", "../etc/passwd", "/etc/localtime", "x" * 5000],
    "DIGEST_AT": ["9:00", "24:00", "09:60", "09:00:00", "morning", "٠٩:٠٠"],
    "QUIET_MINUTES": ["-1", "1441", "1.5", "1_0", "ten", "٣", "9" * 5000],
    "LINK_DAYS": ["0", "366"],
    "LOOK_MINUTES": ["0", "1441"],
    "WAIT_FOR_CHECKS": ["maybe", "2"],
    "ASK_DESPITE_CONFLICT": ["maybe", "2"],
    "IGNORE_CHECKS": [",", "lint,", "lint,,build", '"test (3.11'],
    "PREVIEW_URL": [
        "pr-{number}.example.com",
        "https://{branch}.example.com/",
        "https://x.example.com/?b={branch}",
        "https://x.example.com/{title}",
        "https://x.example.com/{branch.__class__}",
        "https://{branch}@x.example.com/",
        "javascript:alert({number})",
        "https://x.example.com/a b",
    ],
    "LISTEN": [
        "8000",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "[::g]:80",
    ],
    "WORKER": ["thread"],
    "LOG_FORMAT": ["xml"],
    "LOG_LEVEL": ["loud", "INFO "],
    "METRICS_LISTEN": ["9100", "0.0.0.0:8000"],
}


@pytest.mark.parametrize("name,value", [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_value_is_refused_in_one_sentence(name: str, value: str) -> None:
    problem = problem_of(**{name: value})
    assert problem.startswith(name + " ")
    assert "\n" not in problem


def test_every_setting_has_a_bad_example() -> None:
    apart = {"GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"}  # they go together, and have tests of their own
    assert set(NAMES) - BAD.keys() == apart


def test_problems_point_at_the_entry_that_is_wrong() -> None:
    assert "repository 2" in problem_of(GITHUB_REPOSITORIES="acme/shop,till")
    assert "address 2" in problem_of(QA_REVIEWERS="Lily <lily@example.com>, Jo")
    assert "key 2" in problem_of(SECRET_KEY=f"{KEY},short")


def test_the_branches_must_differ_whichever_was_set() -> None:
    expected = "RELEASE_BRANCH must differ from DEVELOPMENT_BRANCH; leave it empty for no release gate."
    assert problem_of(DEVELOPMENT_BRANCH="master") == expected
    assert problem_of(RELEASE_BRANCH="development") == expected
    assert load(DEVELOPMENT_BRANCH="master", RELEASE_BRANCH="").development_branch == "master"


# --- A token or an App --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [PEM, PEM.strip(), "\\n".join(PEM_LINES), "\r\n".join(PEM_LINES), PEM + "\n"])
def test_an_app_is_taken_instead_of_a_token(key: str) -> None:
    settings = load(GITHUB_TOKEN="", GITHUB_APP_ID="12345", GITHUB_APP_PRIVATE_KEY=key)
    assert settings.github_token is None
    assert settings.github_app_id == 12345
    assert settings.github_app_private_key == PEM


def test_a_token_and_an_app_are_one_too_many() -> None:
    expected = "GITHUB_TOKEN and a GitHub App are both set: keep one."
    assert problem_of(GITHUB_APP_ID="12345", GITHUB_APP_PRIVATE_KEY=PEM) == expected
    assert problem_of(GITHUB_APP_ID="12345") == expected


def test_an_app_needs_number_and_key() -> None:
    why = "is missing. A GitHub App needs its number and its key."
    assert problem_of(GITHUB_TOKEN="", GITHUB_APP_ID="12345") == f"GITHUB_APP_PRIVATE_KEY {why}"
    assert problem_of(GITHUB_TOKEN="", GITHUB_APP_PRIVATE_KEY=PEM) == f"GITHUB_APP_ID {why}"


@pytest.mark.parametrize(
    "key",
    [
        "MIIEowIBAAKCAQEA",
        PEM_LINES[0],
        "\n".join(PEM_LINES[:-1]),
        PEM.replace("PRIVATE", "PUBLIC"),
        PEM.replace("RSA", "ENCRYPTED"),
        PEM.replace("END RSA", "END"),
        PEM.replace("MII", "M*I"),
        PEM + PEM,
    ],
)
def test_what_is_no_private_key_is_refused(key: str) -> None:
    problem = problem_of(GITHUB_TOKEN="", GITHUB_APP_ID="12345", GITHUB_APP_PRIVATE_KEY=key)
    assert problem.startswith("GITHUB_APP_PRIVATE_KEY must be the whole .pem file")


@pytest.mark.parametrize("number", ["0", "-5", "abc", "1" * 30])
def test_an_app_id_is_a_number(number: str) -> None:
    problem = problem_of(GITHUB_TOKEN="", GITHUB_APP_ID=number, GITHUB_APP_PRIVATE_KEY=PEM)
    assert problem.startswith("GITHUB_APP_ID must be a whole number")


@given(st.from_regex(r"(u(:[p:@/]{0,4})?@)?[h:@\[\]1]{0,8}(:[0-9x]{0,3})?/d(\?[a=&]{0,3})?", fullmatch=True))
def test_whatever_address_of_a_database_is_taken_can_be_read(rest: str) -> None:
    try:
        taken = values.database(f"postgresql://{rest}")
    except ValueError:
        return
    assert make_url(taken).database
