"""The settings while they are being completed: what is known from the environment and the settings file, and what is added.

Called by `setup` only. What the environment sets is never written to the file, as it goes before it in any case.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from app.settings import Settings, SettingsError, file


class Draft:
    """What is known so far. Raises SettingsError when the settings file cannot be read."""

    def __init__(self) -> None:
        self._own = {name: value for name, value in os.environ.items() if value}
        self.path = file.place(self._own).absolute()
        try:
            self._kept = file.read(self.path)
            file.added(os.environ)  # for boto3
        except ValueError as error:
            raise SettingsError((str(error),)) from None

    @property
    def environ(self) -> Mapping[str, str]:
        """Return everything that is known, as `Settings.load` takes it."""
        plain = {name.removesuffix("_FILE") for name in self._own}
        added = {name: value for name, value in self._kept.items() if name.removesuffix("_FILE") not in plain}
        return {**added, **self._own}

    def has(self, name: str) -> bool:
        """Tell whether a setting is known, by itself or by a file that holds it."""
        return any(self.environ.get(given) for given in (name, f"{name}_FILE"))

    def is_fixed(self, name: str) -> bool:
        """Tell whether the environment sets it, which nothing here can change."""
        return any(self._own.get(given) for given in (name, f"{name}_FILE"))

    def problems(self, **more: str) -> dict[str, str]:
        """Return what is wrong with the settings, were these added: sentences by name."""
        try:
            Settings.load({**self.environ, **more})
        except SettingsError as error:
            return {problem.split()[0].removesuffix("_FILE"): problem for problem in error.problems}
        return {}

    def settings(self) -> Settings:
        """Return the complete settings. Raises SettingsError."""
        return Settings.load(self.environ)

    def put(self, *gone: str, **values: str) -> None:
        """Write settings to the file, and take out those that are gone. Raises OSError."""
        kept = {name: value for name, value in self._kept.items() if name not in gone}
        self._kept = kept | {name: value for name, value in values.items() if not self.is_fixed(name)}
        file.write(self.path, self._kept)

    def keep_key(self, name: str, text: str) -> Path:
        """Write a private key beside the settings file, for its owner alone. Raises OSError."""
        path = self.path.with_name(name)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.create(path, text)
        return path
