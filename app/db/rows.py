"""Rows as the rules see them, and the few writes that every part of the store makes.

Only this package uses it.
"""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    String,
    bindparam,
    cast,
    func,
    select,
    type_coerce,
    update,
)
from sqlalchemy.sql.functions import coalesce

from app.db.columns import insert
from app.db.database import StorePart
from app.db.tables import covers, decisions, history, jobs, posts, reviews, rounds
from app.domain.approval import Choice, Cover, Decision, Merged
from app.domain.facts import State
from app.domain.review import Happened, Post, Review

log = logging.getLogger("qa-gate.review")

_FIELDS = tuple(
    name
    for name in Review.__dataclass_fields__
    if name not in ("decision", "merged_how", "posts", "problem", "state")
)
_DECISION = ("id", "number", "choice", "reviewer", "by", "at", "note", "basis", "head_sha", "round")

# Reviews with the decision that stands.
REVIEWS = select(reviews, *(decisions.c[name].label(f"decision_{name}") for name in _DECISION[1:])).join_from(
    reviews, decisions, reviews.c.decision_id == decisions.c.id, isouter=True
)
_JOB = (jobs.c.kind == "review", jobs.c.about == cast(reviews.c.id, String))
# The same with why the last run of their job failed, as the pages show it.
WITH_PROBLEM = REVIEWS.add_columns(select(jobs.c.problem).where(*_JOB).scalar_subquery().label("problem"))
_ONE = WITH_PROBLEM.where(reviews.c.id == bindparam("review"))
_DECISION_OF = select(decisions).where(decisions.c.id == bindparam("decision"))
_POSTS = select(posts).where(posts.c.review_id == bindparam("review"))
_NEW_POST = insert(posts)
_PUT_POST = _NEW_POST.on_conflict_do_update(
    index_elements=["review_id", "key"],
    set_={name: _NEW_POST.excluded[name] for name in Post.__slots__ if name != "key"},
)
_COVERS = select(covers).where(covers.c.decision_id == bindparam("decision")).order_by(covers.c.id)


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, as the history keeps it; `reviewer` is the id, where a reviewer did it."""

    what: Happened
    who: str
    detail: str = ""
    reviewer: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of the timeline."""

    at: datetime
    who: str
    what: Happened
    base: str
    head_sha: str
    round: int
    detail: str
    reviewer: str | None = None


def review_from(row: Row[Any]) -> Review:
    """Read one row of `REVIEWS`; posts and covers are not in it."""
    values = row._mapping
    return _review(values, _standing(values) if values["decision_id"] is not None else None)


def written(connection: Connection, row: Row[Any], before: Review) -> Review:
    """Read one row of `reviews` that was just written; the decision is the one from `before` where it still stands."""
    values, decision = row._mapping, before.decision
    if values["decision_id"] != (decision.id if decision else None):
        found = connection.execute(_DECISION_OF, {"decision": values["decision_id"]}).first()
        decision = with_covers(connection, decision_from(found._mapping) if found else None)
    return _review(values, decision)


def _review(values: RowMapping, decision: Decision | None) -> Review:
    plain: dict[str, Any] = {name: values[name] for name in _FIELDS}
    how = values["merged_how"]
    return Review(
        **plain,
        state=State(values["state"]),
        decision=decision,
        merged_how=Merged(how) if how else None,
        problem=values.get("problem"),
    )


def _standing(values: RowMapping) -> Decision:
    return decision_from({name: values[f"decision_{name}"] for name in _DECISION})


def decision_from(values: Mapping[str, Any] | RowMapping) -> Decision:
    """Read one row of `decisions`; its covers are not in it."""
    plain = {name: values[name] for name in _DECISION}
    return Decision(**{**plain, "choice": Choice(values["choice"])})


def load(connection: Connection, review_id: int, *, lock: bool = False) -> Review | None:
    """Return a review with its posts and what its approval covers; `lock` it until the transaction ends."""
    if lock:
        lock_review(connection, reviews.c.id == review_id)
    row = connection.execute(_ONE, {"review": review_id}).first()
    return complete(connection, review_from(row)) if row else None


def lock_review(connection: Connection, *which: Any) -> None:
    """Lock a review until the transaction ends; it is read after that.

    What is joined to a row that is locked and read in one statement may be older than the row itself on PostgreSQL.
    """
    if connection.dialect.name != "sqlite":  # which lets nobody else write anyway
        connection.execute(select(reviews.c.id).where(*which).with_for_update())


def complete(connection: Connection, review: Review) -> Review:
    """Return a review with its posts and what its approval covers."""
    found = connection.execute(_POSTS, {"review": review.id})
    told = {
        row.key: Post(row.key, row.said, row.remote_id, row.tries, row.is_success, row.after) for row in found
    }
    return replace(review, posts=told, decision=with_covers(connection, review.decision))


def with_covers(connection: Connection, decision: Decision | None) -> Decision | None:
    """Return a decision with what it covers."""
    if decision is None:
        return None
    found = connection.execute(_COVERS, {"decision": decision.id})
    fields = tuple(Cover(row.base, row.head_sha, row.merge_base, row.merged_as) for row in found)
    return replace(decision, covers=fields)


def put_post(connection: Connection, review_id: int, post: Post) -> None:
    """Write what GitHub was told, or that it is to be told."""
    values = {name: getattr(post, name) for name in Post.__slots__}
    connection.execute(_PUT_POST, {"review_id": review_id, **values})


def put_decision(connection: Connection, row: Review, decision: Decision) -> int:
    """Append a decision on a review as it stands, with what an approval covers; GitHub is to be told. Return its id."""
    values = {name: getattr(decision, name) for name in _DECISION if name not in ("id", "head_sha", "round")}
    values |= {"review_id": row.id, "round": row.round, "head_sha": row.head_sha}
    made = int(connection.execute(insert(decisions).values(values).returning(decisions.c.id)).scalar_one())
    if decision.choice is Choice.APPROVE:
        put_cover(connection, made, Cover(row.base, row.head_sha, row.merge_base), "asked")
    put_post(connection, row.id, Post(f"decision {decision.number}"))
    return made


def record_merge(connection: Connection, decision_id: int, row: Review, merged_as: str) -> None:
    """Record the approval of this head with the one merge that it covers."""
    this = (covers.c.decision_id == decision_id, covers.c.base == row.base, covers.c.head_sha == row.head_sha)
    connection.execute(update(covers).where(*this).values(merged_as=merged_as))


def put_cover(connection: Connection, decision_id: int, cover: Cover, why: str) -> None:
    """Add what an approval covers: it was given for that, or carried over to it."""
    values = {"base": cover.base, "head_sha": cover.head_sha, "merge_base": cover.merge_base, "why": why}
    connection.execute(insert(covers).values(decision_id=decision_id, **values))


def history_from(row: Row[Any]) -> HistoryRow:
    """Read one row of `history`."""
    values = {name: row._mapping[name] for name in HistoryRow.__slots__}
    return HistoryRow(**{**values, "what": Happened(values["what"])})


def new_nonce() -> str:
    """Return 24 random hex digits, which nobody guesses and which never come again."""
    return secrets.token_hex(12)


def note_history(connection: Connection, now: datetime, row: Review, happened: list[Happening]) -> None:
    """Append what happened to the row's history, in the transaction that made it so."""
    if happened:
        facts = {
            "review_id": row.id,
            "at": now,
            "base": row.base,
            "head_sha": row.head_sha,
            "round": row.round,
        }
        connection.execute(insert(history), [{**facts, **asdict(thing)} for thing in happened])


def log_happened(row: Review, happened: list[Happening]) -> None:
    """Write one log line for each thing that happened, once it is kept; what people wrote is not in it."""
    for thing in happened:
        log.info("%s#%d: %s, by %s (round %d)", row.repository, row.number, thing.what, thing.who, row.round)


def note_event(connection: Connection, now: datetime, happened: Happening) -> None:
    """Append to the history what is about no review in particular."""
    nothing = {"review_id": None, "base": "", "head_sha": "", "round": 0}
    connection.execute(insert(history).values(at=now, **nothing, **asdict(happened)))


# --- What a list shows of each change, read for all of them at once: the questions without their files, and the history.


@dataclass(frozen=True, slots=True)
class Asked:
    """What one round asked about; `holds` counts the changes in a release, None for any other pull request.

    `names` are what those who committed call themselves, by login; whoever commits writes any name there.
    """

    round: int
    was_mailed: bool
    base: str
    head_sha: str
    author_is_bot: bool
    additions: int
    deletions: int
    changed_files: int
    names: dict[str, str]
    holds: int | None


class Lists(StorePart):
    """Facts of many reviews, by the review's id."""

    def asked(self, rows: Sequence[Review]) -> dict[int, list[Asked]]:
        """Return what was asked about each review, the first round first."""
        found: dict[int, list[Asked]] = defaultdict(list)
        with self._database.read() as connection:
            for line in connection.execute(_ASKED.where(rounds.c.review_id.in_([row.id for row in rows]))):
                found[line.review_id].append(_asked_from(line))
        return found

    def names(self, ids: Collection[int]) -> dict[str, str]:
        """Return what the developers of these reviews, given by id, are called, by login; nobody from outside, and no program."""
        asked = _NAMES.where(rounds.c.review_id.in_(ids)).order_by(rounds.c.review_id, rounds.c.round)
        with self._database.read() as connection:
            found = [
                line for line in connection.execute(asked) if not (line.author_is_bot or line.is_from_outside)
            ]
        return {login: name for line in found for login, name in _names(line.commits).items()}

    def history(self, rows: Sequence[Review]) -> dict[int, list[HistoryRow]]:
        """Return the timeline of each review, oldest first."""
        found: dict[int, list[HistoryRow]] = defaultdict(list)
        lines = select(history).where(history.c.review_id.in_([row.id for row in rows]))
        with self._database.read() as connection:
            for line in connection.execute(lines.order_by(history.c.id)):
                found[line.review_id].append(history_from(line))
        return found


def _length(list_: ColumnElement[Any]) -> ColumnElement[Any]:
    return coalesce(func.json_array_length(list_), 0)


_snapshot = type_coerce(rounds.c.snapshot, JSON)
_pull, _release = _snapshot["pull"], _snapshot["release"]
# The database takes the few facts out of the document: with its patches, it may be very long.
_ASKED = select(
    rounds.c.review_id,
    rounds.c.round,
    rounds.c.was_mailed,
    _pull["base"].as_string().label("base"),
    _pull["head_sha"].as_string().label("head_sha"),
    _pull["author_is_bot"].as_boolean().label("author_is_bot"),
    _pull["additions"].as_integer().label("additions"),
    _pull["deletions"].as_integer().label("deletions"),
    _pull["changed_files"].as_integer().label("changed_files"),
    _snapshot["change"]["commits"].as_json().label("commits"),
    _release["earlier"].as_integer().label("earlier"),
    (_length(_release["passed"]) + _length(_release["unseen"])).label("holds"),
).order_by(rounds.c.review_id, rounds.c.round)

_NAMES = select(
    _pull["author_is_bot"].as_boolean().label("author_is_bot"),
    reviews.c.is_from_outside,
    _snapshot["change"]["commits"].as_json().label("commits"),
).join_from(rounds, reviews, reviews.c.id == rounds.c.review_id)


def _asked_from(line: Any) -> Asked:
    holds = None if line.earlier is None else line.holds
    known: dict[str, Any] = {"names": _names(line.commits), "holds": holds}
    plain = {name: line._mapping[name] for name in Asked.__slots__ if name not in known}
    return Asked(**plain, **known)


def _names(commits: Any) -> dict[str, str]:
    """Return the name by login from a snapshot's commits, the newest commit's where they differ."""
    return {one["author"]: one["name"] for one in commits if one.get("name")}
