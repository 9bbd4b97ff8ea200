"""What libraries do anew for each app and engine, done once a test run: half of its time went there.

Flask compiles every route of every app, and SQLAlchemy every statement for each engine. Both only depend on what does
not change while the tests run.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine.base import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

_compile_builder = Rule._compile_builder
_builders: dict[Any, Any] = {}


def _compiled_once(self: Rule, append_unknown: bool = True) -> Any:
    key = (self.rule, tuple(self._trace), repr(self.defaults), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(self, append_unknown)
    return _builders[key]


# SQLAlchemy keeps what it compiled by engine and by the dialect's object: those of one class write the same SQL here.
_statements: dict[type, Any] = {}


def _statements_of(engine: Engine) -> Any:
    return _statements.setdefault(type(engine.dialect), LRUCache(5_000))


def install() -> None:
    """Let both be done once from now on."""
    Rule._compile_builder = _compiled_once  # type: ignore[method-assign]
    Engine._compiled_cache = property(_statements_of, lambda *_: None)  # type: ignore[assignment]
    DefaultDialect.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign,assignment]
    DefaultDialect.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
