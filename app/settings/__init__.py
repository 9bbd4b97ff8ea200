"""Typed settings, read once from the environment (NAME, or the file that NAME_FILE names).

Called by `create_app` and the commands; packages get what they need as arguments, never this object.
Must never print a value, and never guess: a missing secret stops the start with how to make one.

    SettingsError    .problems: one plain sentence for each bad or missing setting, all at once
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from datetime import time
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from app.settings import values
from app.settings.file import AWS, DEFAULT, SettingsFile, value_of

MergeMethod = Literal["merge", "squash", "rebase"]
Worker = Literal["embedded", "none"]
LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

NOTHING_YET = "Nothing is set up yet: run qa-gate setup. It asks for what it can't know and makes the rest."


class SettingsError(Exception):
    """The gate cannot start as configured; `problems` says why, a sentence each, never with a value."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _required(meaning: str, fix: str, secret: bool = False) -> Any:
    return Field(description=meaning, json_schema_extra={"fix": fix}, repr=not secret)


def _default(text: str | None, meaning: str, secret: bool = False) -> Any:
    """Declare a default as an operator would write it, so that the same parser reads it."""
    checked = text is not None
    return Field(default=text, validate_default=checked, description=meaning, repr=not secret)  # type: ignore[call-overload]


class Settings(BaseModel):
    """What an operator decides. Times are minutes or days as the names say; secrets stay out of repr()."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    public_url: Annotated[str, BeforeValidator(values.web_address)] = _required(
        "Where people reach the gate. http is for trying it out; over https the session cookie is Secure.",
        "Set it to the address that people open, such as https://gate.example.com.",
    )
    secret_key: Annotated[tuple[str, ...], values.SECRET_KEYS] = _required(
        "Signs links and sessions. To change it, put the new key first: new,old.",
        values.MAKE_SECRET,
        secret=True,
    )
    github_webhook_secret: Annotated[tuple[str, ...], values.WEBHOOK_SECRETS] = _required(
        "Proves that a webhook comes from GitHub; the same as in GitHub's webhook settings. To change it, put the new "
        "one first: new,old.",
        values.MAKE_SECRET,
        secret=True,
    )
    github_token: Annotated[str, values.TOKEN] | None = _default(
        None, "A token to act on GitHub with; or use an App instead.", secret=True
    )
    github_app_id: Annotated[int, values.whole(1, 10**15)] | None = _default(
        None, "The number of the GitHub App to act as."
    )
    github_app_private_key: Annotated[str, BeforeValidator(values.private_key)] | None = _default(
        None, "The App's private key, the .pem file that GitHub made.", secret=True
    )
    github_api_url: Annotated[str, BeforeValidator(values.api_address)] = _default(
        "https://api.github.com", "Where GitHub's API is; a GitHub Enterprise Server has its own."
    )
    github_repositories: Annotated[tuple[str, ...], BeforeValidator(values.repositories)] = _required(
        "The gated repositories, owner/name, with commas between them.",
        "Set it to owner/name, with commas between several.",
    )
    development_branch: Annotated[str, BeforeValidator(values.branch)] = _default(
        "development", "The branch that daily work is merged into."
    )
    release_branch: Annotated[str, BeforeValidator(values.release_branch)] = _default(
        "master", "The branch that is released from; empty for no release gate."
    )
    merge_method: Annotated[MergeMethod, values.one_of(MergeMethod)] = _default(
        "merge", "How pull requests are merged: merge, squash or rebase; a release always by a merge."
    )
    qa_reviewers: Annotated[tuple[tuple[str, str], ...], BeforeValidator(values.mailboxes)] = _required(
        "Who may decide, as in a mail's To line; the first one available is asked.",
        "Set it to a name and an address, such as Lily <lily@example.com>.",
    )
    operator: Annotated[tuple[tuple[str, str], ...], BeforeValidator(values.mailboxes)] | None = _default(
        None, "Who runs the gate and is mailed when something lasting is wrong, as in a mail's To line."
    )
    mail_from: Annotated[str, BeforeValidator(values.sender)] = _required(
        "Who the mails come from; SES must have verified the address or its domain.",
        "Set it to an address that SES has verified, such as QA gate <gate@example.com>.",
    )
    ses_configuration_set: Annotated[str, values.CONFIGURATION_SET] | None = _default(
        None, "The SES configuration set to send with."
    )
    database_url: Annotated[str, BeforeValidator(values.database)] = _default(
        "sqlite:///data/qa-gate.db",
        "Where the gate keeps everything: a SQLite file or PostgreSQL.",
        secret=True,
    )
    timezone: Annotated[ZoneInfo, BeforeValidator(values.timezone)] = _default(
        "UTC", "The zone that times are shown in, such as Europe/Prague."
    )
    digest_at: Annotated[time, BeforeValidator(values.time_of_day)] = _default(
        "09:00", "When the daily list of what is pending goes out, on working days."
    )
    quiet_minutes: Annotated[int, values.whole(0, 1440)] = _default(
        "10", "How long a pull request must be still before it is asked about again."
    )
    wait_for_checks: Annotated[bool, BeforeValidator(values.yes_or_no)] = _default(
        "false", "Whether to ask only when the automatic checks are green."
    )
    ignore_checks: Annotated[tuple[str, ...], BeforeValidator(values.check_names)] = _default(
        "",
        "The checks that nobody waits for, by the names that GitHub shows, with commas between them; a name with "
        'a comma stands in quotation marks: lint, "test (3.11, linux)".',
    )
    ask_despite_conflict: Annotated[bool, BeforeValidator(values.yes_or_no)] = _default(
        "false", "Whether to ask about a change that conflicts with its base, too."
    )
    preview_url: Annotated[str, BeforeValidator(values.preview_address)] | None = _default(
        None,
        "Where a change can be tried; may hold {number}, {sha} and, in its path, {branch}, which shows nothing for "
        "forks: theirs may have the name of a branch here.",
    )
    link_days: Annotated[int, values.whole(1, 365)] = _default(
        "30", "How many days the links in a mail can decide."
    )
    look_minutes: Annotated[int, values.whole(1, 1440)] = _default(
        "5", "How often GitHub is looked at for what a webhook missed."
    )
    listen: Annotated[tuple[str, int], BeforeValidator(values.listen)] = _default(
        "127.0.0.1:8000", "The host and port that the server listens on."
    )
    worker: Annotated[Worker, values.one_of(Worker)] = _default(
        "embedded", "Where the work is done: embedded in the server, or none to run it apart."
    )
    log_format: Annotated[LogFormat, values.one_of(LogFormat)] = _default(
        "text", "How log lines look: text or json."
    )
    log_level: Annotated[LogLevel, values.one_of(LogLevel)] = _default(
        "info", "Which log lines are written: debug, info, warning or error, and what is worse."
    )
    metrics_listen: Annotated[tuple[str, int], BeforeValidator(values.listen)] | None = _default(
        None,
        "The host and port where Prometheus finds metrics, for each process its own; not for the public.",
    )

    settings_file: Annotated[str, values.FILE] = _default(
        DEFAULT,
        "The file that `qa-gate setup` writes: what the environment does not set is read from it.",
    )

    @field_validator("release_branch", mode="after")
    @classmethod
    def _two_branches(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("development_branch"):
            raise ValueError("must differ from DEVELOPMENT_BRANCH; leave it empty for no release gate.")
        return value

    @field_validator("metrics_listen", mode="after")
    @classmethod
    def _not_for_the_public(
        cls, value: tuple[str, int] | None, info: ValidationInfo
    ) -> tuple[str, int] | None:
        if value is not None and value[1] == info.data.get("listen", ("", 0))[1]:
            raise ValueError("must have another port than LISTEN: metrics are not for the public.")
        return value

    @property
    def branches(self) -> tuple[str, ...]:
        """Return the gated branches."""
        return tuple(name for name in (self.development_branch, self.release_branch) if name)

    @property
    def people(self) -> tuple[tuple[str, str], ...]:
        """Return everybody who gets mail: the reviewers, and who runs the gate."""
        return (*self.qa_reviewers, *(self.operator or ()))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return, a sentence each, what is allowed but should not stay so."""
        is_http = self.public_url.startswith("http://")
        if is_http and values.is_public(urlsplit(self.public_url).hostname or ""):
            return (values.PLAIN_HTTP,)
        return ()

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read and check everything: `environ`, or else the true environment and the settings file.

        Raises SettingsError with every problem.
        """
        environ, strange = _everything() if environ is None else (environ, {})
        given, problems = _read(environ)
        # With Docker, PUBLIC_URL is there before all else, for Caddy.
        needed = {name for name, field in cls.model_fields.items() if field.is_required()} - {"public_url"}
        first = (NOTHING_YET,) if needed.isdisjoint(given | problems) else ()
        problems = _login_problems(given.keys() | problems.keys()) | problems
        strange |= _misspelt(environ)
        settings = None
        try:
            settings = cls(**given)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            problems = {str(one["loc"][0]): _sentence(one) for one in found} | problems
        if settings is None or problems or strange:
            # Raised outside of `except`: pydantic's own error is not to be chained to it.
            found_in_order = [problems[name] for name in cls.model_fields if name in problems]
            raise SettingsError((*first, *found_in_order, *strange.values()))
        return settings


def table() -> list[tuple[str, str, str]]:
    """Return (name, default, meaning) of each setting, as the README's table shows them."""
    return [
        (name.upper(), _default_words(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _known() -> set[str]:
    """Return every name that a setting is given by."""
    names = {name.upper() for name in Settings.model_fields}
    return names | {f"{name}_FILE" for name in names} | {"GH_TOKEN"}


def _everything() -> tuple[Mapping[str, str], dict[str, str]]:
    """Return the environment with what the settings file adds, and what is wrong with the file, by name."""
    try:
        file = SettingsFile()
    except ValueError as error:
        return os.environ, {"SETTINGS_FILE": str(error)}
    strange = sorted(name for name in file.kept.keys() - _known() if not name.startswith(AWS))
    remove = "is no setting: remove it from the settings file."
    return file.environ, {name: f"{name} {remove}" for name in strange}


def _misspelt(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is one or two letters off a setting's name: a slip of the pen must not leave the default in place."""
    known, found = sorted(_known()), {}
    for name in sorted({name for name, value in environ.items() if value}.difference(known)):
        near = next((one for letters in (1, 2) for one in known if _is_near(name, one, letters)), None)
        if near:
            found[name] = f"{name} is no setting: did you mean {near}?"
    return found


def _is_near(name: str, known: str, letters: int) -> bool:
    """Tell whether so many letters, or fewer, are wrong, missing, too many or swapped with their neighbour."""
    if name and known and name[0] == known[0]:
        return _is_near(name[1:], known[1:], letters)
    if letters == 0 or not name or not known:
        return len(name) + len(known) <= letters
    left = [(name[1:], known[1:]), (name[1:], known), (name, known[1:])]
    if name[:2] == known[1::-1]:
        left.append((name[2:], known[2:]))
    return any(_is_near(*both, letters - 1) for both in left)


def _default_words(field: FieldInfo) -> str:
    return "required" if field.is_required() else str(field.default or "none")


def _read(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what is given and what is wrong with it, by field. Empty is not set: compose passes it so."""
    given: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in Settings.model_fields:
        name = field.upper()
        try:
            value = value_of(environ, name)
        except ValueError as error:
            problems[field] = str(error)
            continue
        if value or (field == "release_branch" and {name, f"{name}_FILE"} & environ.keys()):
            given[field] = value
    return given, problems


def _login_problems(given: Set[str]) -> dict[str, str]:
    of_app = {"github_app_id", "github_app_private_key"}
    token, app = "github_token" in given, given & of_app
    if token and app:
        return {"github_token": "GITHUB_TOKEN and a GitHub App are both set: keep one."}
    if not token and not app:
        why = "GITHUB_TOKEN is missing. Set it, or GITHUB_APP_ID with GITHUB_APP_PRIVATE_KEY."
        return {"github_token": why}
    why = "is missing. A GitHub App needs its number and its key."
    return {name: f"{name.upper()} {why}" for name in of_app - app if app}


def _sentence(error: ErrorDetails) -> str:
    field = str(error["loc"][0])
    if error["type"] == "missing":
        extra = Settings.model_fields[field].json_schema_extra
        return f"{field.upper()} is missing. {extra['fix']}" if isinstance(extra, dict) else ""
    return f"{field.upper()} {error['ctx']['error']}"


def operators_token() -> str:
    """Return the operator's own token, which only the commands that need it read; '' for none."""
    return os.environ.get("GH_TOKEN", "").strip()
