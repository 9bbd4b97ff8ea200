"""What libraries do anew for each app and client, done once a test run: half of its time went there.

Flask compiles every route of every app, and boto3 reads its description of Amazon's services for each session. Both
only depend on what does not change while the tests run.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader
from werkzeug.routing import Rule

_compile_builder = Rule._compile_builder
_builders: dict[Any, Any] = {}


def _compiled_once(self: Rule, append_unknown: bool = True) -> Any:
    key = (self.rule, tuple(self._trace), repr(self.defaults), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(self, append_unknown)
    return _builders[key]


def install() -> None:
    """Let both be done once from now on."""
    Rule._compile_builder = _compiled_once  # type: ignore[method-assign]
    load = cache(JSONFileLoader().load_file)
    JSONFileLoader.load_file = lambda _self, path: load(path)  # type: ignore[method-assign]
