"""The settings file: what `qa-gate setup` writes, and the gate reads where the environment says nothing.

Called by `Settings.load` and by `setup`. It has one line a setting, as in `.env`. A file with secrets is made anew for its
owner alone, and put in its place whole.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

DEFAULT = "data/settings.env"
WHERE = f".env with Docker, {DEFAULT} without"  # what an operator sets by hand
# boto3 reads these by itself, and from the environment only.
AWS = "AWS_"


class SettingsError(Exception):
    """The gate cannot start as configured; `problems` says why, a sentence each, never with a value."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SettingsFile:
    """The settings file beside the environment, which goes before it. Raises SettingsError where it can't be read.

    A setting counts as given by NAME or NAME_FILE, and as not given when it is empty.
    """

    def __init__(self) -> None:
        self._own = dict(os.environ)
        self.path = Path(self._own.get("SETTINGS_FILE") or DEFAULT).absolute()
        self.kept = read(self.path)
        self._tell_boto3()

    @property
    def environ(self) -> Mapping[str, str]:
        """Return the environment with what the file adds to it."""
        added = {name: value for name, value in self.kept.items() if not self.is_fixed(name)}
        return {**self._own, **added}

    def has(self, name: str) -> bool:
        """Tell whether a setting is known."""
        return any(self.environ.get(given) for given in (name, f"{name}_FILE"))

    def is_fixed(self, name: str) -> bool:
        """Tell whether the environment sets it, which nothing here can change."""
        plain = name.removesuffix("_FILE")
        return any(self._own.get(given) for given in (name, plain, f"{plain}_FILE"))

    def put(self, *gone: str, **values: str) -> None:
        """Write what the environment does not set, and take out what is gone. Raises OSError."""
        kept = {name: value for name, value in self.kept.items() if name not in gone}
        self.kept = kept | {name: value for name, value in values.items() if not self.is_fixed(name)}
        write(self.path, self.kept)
        self._tell_boto3()

    def _tell_boto3(self) -> None:
        os.environ.update({name: value for name, value in self.environ.items() if name.startswith(AWS)})


def read(path: Path) -> dict[str, str]:
    """Return what the file sets; nothing where there is none. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(_unreadable("SETTINGS_FILE", error)) from None
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def _unreadable(name: str, error: OSError | ValueError) -> str:
    # Never its path: somebody may have put the secret itself there.
    why = getattr(error, "strerror", None) or "not a text file"
    return f"{name} names a file that cannot be read ({why})."


def value_of(environ: Mapping[str, str], name: str) -> str:
    """Return a setting from NAME, or the file that NAME_FILE names; "" for none. Raises ValueError with a sentence."""
    value, path = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if value.strip() and path:
        raise ValueError(f"{name} and {name}_FILE are both set: keep one.")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise ValueError(_unreadable(f"{name}_FILE", error)) from None
    if not value.strip() or name == "GITHUB_APP_PRIVATE_KEY":  # the only one of several lines
        return value.strip()
    if value != value.strip() or not value.isprintable():
        raise ValueError(
            f"{name} must be one line of characters that can be printed, without blanks around it."
        )
    return value


def write(path: Path, values: Mapping[str, str]) -> None:
    """Replace the settings file. Raises OSError."""
    text = "# Written by qa-gate setup. The environment goes before this file.\n"
    for name, value in values.items():
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        text += f"{name}='{escaped}'\n"
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    create(new, text)
    new.replace(path)


def create(path: Path, text: str) -> None:
    """Make a file that only its owner may read, and that was not there before, not even as a link. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
