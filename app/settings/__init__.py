"""Typed settings, read once from the environment (NAME, or the file that NAME_FILE names).

Called by `create_app` and the commands; packages get what they need as arguments, never this object.
Must never print a value, and never guess: a missing secret stops the start with how to make one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from datetime import time
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from app.settings import values
from app.settings.file import AWS, DEFAULT, SettingsError, SettingsFile, value_of

NOTHING_YET = "Nothing is set up yet: run qa-gate setup. It asks for what it can't know and makes the rest."


class Settings(BaseModel):
    """What an operator decides. Times are minutes or days as the names say; secrets stay out of repr().

    What has an example must be set; the meanings are those of the README's table.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    public_url: values.WebAddress = Field(examples=["https://gate.example.com"])
    """Where people reach the gate. http is for trying it out; over https the session cookie is Secure."""
    secret_key: values.SecretKeys = Field(repr=False)
    """Signs links and sessions. To change it, put the new key first: new,old."""
    github_webhook_secret: values.WebhookSecrets = Field(repr=False)
    """Proves that a webhook comes from GitHub; the same as in GitHub's webhook settings. To change it, put the new one
    first: new,old."""
    github_token: values.ApiToken | None = Field(None, repr=False)
    """A token to act on GitHub with; or use an App instead."""
    github_app_id: Annotated[int, values.whole(1, 10**15)] | None = None
    """The number of the GitHub App to act as."""
    github_app_private_key: values.PrivateKey | None = Field(None, repr=False)
    """The App's private key, the .pem file that GitHub made."""
    github_api_url: values.ApiAddress = "https://api.github.com"
    """Where GitHub's API is; a GitHub Enterprise Server has its own."""
    github_repositories: values.RepositoryNames = Field(examples=["owner/name"])
    """The gated repositories, owner/name, with commas between them."""
    development_branch: values.BranchName = "development"
    """The branch that daily work is merged into."""
    release_branch: values.BranchName = Field("master", validate_default=True)
    """The branch that is released from; empty for no release gate."""
    merge_method: Literal["merge", "squash", "rebase"] = "merge"
    """How pull requests are merged: merge, squash or rebase; releases always by a merge commit."""
    qa_reviewers: values.Mailboxes = Field(examples=["Lily <lily@example.com>"])
    """Who may decide, as in a mail's To line; the first one available is asked."""
    operator: values.Mailboxes = ()
    """Who runs the gate and is mailed when something lasting is wrong, as in a mail's To line."""
    mail_from: values.Sender = Field(examples=["QA gate <gate@example.com>"])
    """Who the mails come from; SES must have verified the address or its domain."""
    ses_configuration_set: values.ConfigurationSet | None = None
    """The SES configuration set to send with."""
    database_url: values.DatabaseAddress = Field("sqlite:///data/qa-gate.db", repr=False)
    """Where the gate keeps everything: a SQLite file or PostgreSQL."""
    timezone: values.Zone = ZoneInfo("UTC")
    """The zone that times are shown in, such as Europe/Prague."""
    digest_at: values.TimeOfDay = time(9)
    """When the daily list of what is pending goes out, on working days."""
    quiet_minutes: Annotated[int, values.whole(0, 1440)] = 10
    """How long a pull request must be still before it is asked about again."""
    wait_for_checks: values.YesOrNo = False
    """Whether to ask only when the automatic checks are green."""
    ignore_checks: values.CheckNames = ()
    """The checks that nobody waits for, by the names that GitHub shows, with commas between them; a name with a comma
    stands in quotation marks: lint, "test (3.11, linux)"."""
    ask_despite_conflict: values.YesOrNo = False
    """Whether to ask about a change that conflicts with its base, too."""
    preview_url: values.PreviewAddress | None = None
    """Where a change can be tried; may hold {number}, {sha} and, in its path, {branch}, which shows nothing for forks:
    theirs may have the name of a branch here."""
    link_days: Annotated[int, values.whole(1, 365)] = 30
    """How many days the links in a mail can decide."""
    look_minutes: Annotated[int, values.whole(1, 1440)] = 5
    """How often GitHub is looked at for what a webhook missed."""
    listen: values.Listen = ("127.0.0.1", 8000)
    """The host and port that the server listens on."""
    worker: Literal["embedded", "none"] = "embedded"
    """Where the work is done: embedded in the server, or none to run it apart."""
    log_format: Literal["text", "json"] = "text"
    """How log lines look: text or json."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Which log lines are written: debug, info, warning or error, and what is worse."""
    metrics_listen: values.Listen | None = None
    """The host and port where Prometheus finds metrics, for each process its own; not for the public."""
    settings_file: values.File = DEFAULT
    """The file that `qa-gate setup` writes: what the environment does not set is read from it."""

    @field_validator("release_branch")
    @classmethod
    def _is_another_branch(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("development_branch"):
            raise ValueError("must differ from DEVELOPMENT_BRANCH; leave it empty for no release gate.")
        return value

    @field_validator("metrics_listen")
    @classmethod
    def _has_another_port(cls, value: tuple[str, int] | None, info: ValidationInfo) -> tuple[str, int] | None:
        if value and value[1] == info.data.get("listen", ("", 0))[1]:
            raise ValueError("must have another port than LISTEN: metrics are not for the public.")
        return value

    @property
    def branches(self) -> tuple[str, ...]:
        """Return the gated branches."""
        return tuple(name for name in (self.development_branch, self.release_branch) if name)

    @property
    def people(self) -> tuple[tuple[str, str], ...]:
        """Return everybody who gets mail: the reviewers, and who runs the gate."""
        return (*self.qa_reviewers, *self.operator)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return, a sentence each, what is allowed but should not stay so."""
        url = urlsplit(self.public_url)
        return (values.PLAIN_HTTP,) if url.scheme == "http" and values.is_public(url.hostname or "") else ()

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read and check everything: `environ`, or else the true environment and the settings file.

        Raises SettingsError with every problem.
        """
        kept: Set[str] = set()
        if environ is None:
            file = SettingsFile()
            environ, kept = file.environ, file.kept.keys()
        given: dict[str, str] = {}
        problems: dict[str, str] = {}
        for field in cls.model_fields:
            name = field.upper()
            try:
                value = value_of(environ, name)
            except ValueError as error:
                problems[field] = str(error)
                continue
            # Empty is not set: compose passes it so. But for this one it means: none.
            if value or (field == "release_branch" and {name, f"{name}_FILE"} & environ.keys()):
                given[field] = value
        problems = _login_problems(given.keys() | problems.keys()) | problems
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            problems = {str(one["loc"][0]): _sentence(one) for one in error.errors()} | problems
        in_order = [problems[field] for field in cls.model_fields if field in problems]
        if all_wrong := [*in_order, *_strange_names(environ, kept)]:
            # With Docker, PUBLIC_URL is there before all else, for Caddy.
            required = {name for name, about in cls.model_fields.items() if about.is_required()}
            is_new = not given.keys() & (required - {"public_url"})
            raise SettingsError(*([NOTHING_YET] if is_new else []), *all_wrong)
        return settings


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
    """Say what is wrong with a setting, never its value."""
    field, context = str(error["loc"][0]), error.get("ctx", {})
    if error["type"] == "missing":
        examples = Settings.model_fields[field].examples
        how = f"Set it, for example to {examples[0]}." if examples else values.MAKE_SECRET
        return f"{field.upper()} is missing. {how}"
    return f"{field.upper()} {context.get('error') or 'must be {expected}.'.format(**context)}"


def _strange_names(environ: Mapping[str, str], kept: Set[str]) -> Iterator[str]:
    """Yield what is one or two letters off a setting's name, which would leave the default in place; of our file, all."""
    names = {name.upper() for name in Settings.model_fields}
    known = sorted({*names, *(f"{name}_FILE" for name in names), "GH_TOKEN"})
    for name in sorted(environ.keys() - set(known)):
        near = next((one for letters in (1, 2) for one in known if _is_near(name, one, letters)), None)
        if near and environ[name]:
            yield f"{name} is no setting: did you mean {near}?"
        elif name in kept and not name.startswith(AWS):
            yield f"{name} is no setting: remove it from the settings file."


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


def operators_token() -> str:
    """Return the operator's own token, which only the commands that need it read; '' for none."""
    return os.environ.get("GH_TOKEN", "").strip()
