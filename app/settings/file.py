"""The settings file: what `qa-gate setup` writes, and the gate reads where the environment says nothing.

Called by `Settings.load` and by `setup`. One line a setting, as in `.env`. A name in it that is no setting is an error: the
file is ours. A file with secrets is made anew for its owner alone, and put in its place whole.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, MutableMapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

DEFAULT = "data/settings.env"
# boto3 reads these by itself, and from the environment only.
AWS = "AWS_"


def place(environ: Mapping[str, str]) -> Path:
    """Return where the settings file is, or would be."""
    return Path(environ.get("SETTINGS_FILE") or DEFAULT)


def read(path: Path) -> dict[str, str]:
    """Return what the file sets; nothing where there is none. Raises ValueError with a sentence."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or "not a text file"
        raise ValueError(f"SETTINGS_FILE names a file that cannot be read ({why}).") from None
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def added(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Return the environment with what the file adds to it; AWS settings go into the environment itself, for boto3.

    A setting counts as given by NAME or NAME_FILE, and as not given when it is empty. Raises ValueError.
    """
    merged = dict(environ)
    for name, value in read(place(environ)).items():
        plain = name.removesuffix("_FILE")
        if not any(environ.get(given) for given in (name, plain, f"{plain}_FILE")):
            merged[name] = value
            if name.startswith(AWS):
                environ[name] = value
    return merged


def write(path: Path, values: Mapping[str, str]) -> None:
    """Replace the settings file. Raises OSError."""
    lines = [f"{name}='{_escaped(value)}'" for name, value in values.items()]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    create(
        new, "# Written by qa-gate setup. The environment goes before this file.\n" + "\n".join(lines) + "\n"
    )
    new.replace(path)


def create(path: Path, text: str) -> None:
    """Make a file that only its owner may read, and that was not there before, not even as a link. Raises OSError."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
