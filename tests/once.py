"""What libraries do anew for each app, engine and client, done once a test run: half of its time went there.

Flask reads and compiles every route of every app, SQLAlchemy every statement for each engine, botocore the names of every
event for each client and whether each of its handlers takes what it is told, jwt checks an App's key for each token. All
of it only depends on what does not change while the tests run.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jwt.algorithms
from botocore import hooks
from botocore.hooks import EventAliaser
from sqlalchemy.engine.base import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

_compile = Rule.compile
_rules: dict[Any, Any] = {}


def _compiled_once(self: Rule) -> None:
    assert self.map
    key = (self.rule, self.host if self.map.host_matching else self.subdomain, repr(self.defaults))
    key = (*key, self.merge_slashes)
    if key not in _rules:
        _compile(self)
        builders = [bound.__func__ for bound in (self._build, self._build_unknown)]  # type: ignore[attr-defined]
        _rules[key] = (self._parts, self._trace, self._converters, builders)
        return
    self._parts, self._trace, self._converters, builders = _rules[key]
    self.arguments.update(self._converters)
    self._build, self._build_unknown = (builder.__get__(self, None) for builder in builders)


# botocore looks each event of each client up among its old names.
_names: dict[str, str] = {}
_begin_aliaser = EventAliaser.__init__


def _named_once(self: Any, emitter: Any, aliases: Any = None) -> None:
    _begin_aliaser(self, emitter, aliases)
    if aliases is None:
        self._alias_name_cache = _names


# SQLAlchemy keeps what it compiled by engine and by the dialect's object: those of one class write the same SQL here.
_statements: dict[type, Any] = {}


def _statements_of(engine: Engine) -> Any:
    return _statements.setdefault(type(engine.dialect), LRUCache(5_000))


def install() -> None:
    """Let all of it be done once from now on."""
    Rule.compile = _compiled_once  # type: ignore[method-assign]
    EventAliaser.__init__ = _named_once
    hooks.accepts_kwargs = lambda _: True
    jwt.algorithms.load_pem_private_key = cache(jwt.algorithms.load_pem_private_key)
    Engine._compiled_cache = property(_statements_of, lambda *_: None)  # type: ignore[assignment]
    DefaultDialect.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign,assignment]
    DefaultDialect.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
