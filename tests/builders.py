"""Facts and rows for tests, each with one plain default; name only what the test is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.approval import Choice, Cover, Decision
from app.domain.events import PullRequestEvent
from app.domain.facts import (
    Change,
    ChangedFile,
    Commit,
    PullRequest,
    Release,
    Seen,
    Snapshot,
    State,
    words_digest,
)
from app.domain.policy import Policy, Reviewer
from app.domain.review import Facts, Post, Review

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LILY = Reviewer("Lily", "lily@example.com")
POLICY = Policy(reviewers=(LILY,), repositories=("acme/shop",))
OLD_HEAD, HEAD, BASE = "a" * 40, "b" * 40, "c" * 40
WORDS = words_digest("Add gift cards", "Customers asked for them.")


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


def pull(**facts: Any) -> PullRequest:
    """What a read of GitHub might say."""
    known: dict[str, Any] = {
        "repository_id": 7,
        "repository": "acme/shop",
        "private": False,
        "number": 12,
        "title": "Add gift cards",
        "body": "Customers asked for them.",
        "author": "sam",
        "author_is_bot": False,
        "author_id": 5,
        "url": "https://github.com/acme/shop/pull/12",
        "open": True,
        "draft": False,
        "merged": False,
        "merge_commit": None,
        "merged_by": None,
        "base": "development",
        "base_sha": BASE,
        "head": "gift-cards",
        "head_sha": HEAD,
        "head_repository": "acme/shop",
        "mergeable": True,
        "mergeable_state": "clean",
        "additions": 10,
        "deletions": 2,
        "changed_files": 1,
        "commits": 1,
        "updated_at": NOON,
    }
    return PullRequest(**{**known, **facts})


def row(state: State = State.WAITING, **fields: Any) -> Review:
    """A row about the same pull request, read once."""
    known: dict[str, Any] = {
        "id": 1,
        "repository_id": 7,
        "repository": "acme/shop",
        "number": 12,
        "nonce": "a" * 24,
        "round_nonce": "b" * 24,
        "state": state,
        "round": 1,
        "base": "development",
        "head": "gift-cards",
        "head_sha": HEAD,
        "is_from_outside": False,
        "open": state not in (State.CLOSED, State.MERGED),
        "title": "Add gift cards",
        "author": "sam",
        "facts": Facts(
            draft=state is State.DRAFT,
            merged=state is State.MERGED,
            words=WORDS,
            author_id=5,
            url="https://github.com/acme/shop/pull/12",
            private=False,
            updated_at=NOON,
        ),
        "reviewer": LILY.id,
        "changed_at": NOON,
        "restless_since": NOON,
        "asked_at": NOON,
        "decision": None,
        "decisions": 0,
        "merge_base": None,
        "merge_commit": None,
        "merge_sent": None,
        "merged_onto": None,
        "merged_how": None,
        "vouched": False,
        "blocked": None,
        "rev": 1,
        "seen_rev": 1,
        "created_at": NOON,
    }
    return Review(**{**known, **columns(known["facts"], fields)})


def columns(facts: Facts, fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields of a row by its columns: what is a fact goes into their document."""
    told = {name: fields[name] for name in fields if name in Facts.__dataclass_fields__}
    return {**{name: fields[name] for name in fields if name not in told}, "facts": replace(facts, **told)}


def decision(choice: Choice = Choice.APPROVE, number: int = 1, note: str = "") -> Decision:
    """What Lily said of the head that a row has."""
    covers = (Cover("development", HEAD),) if choice is Choice.APPROVE else ()
    return Decision(number, choice, LILY.name, LILY.id, NOON, note, round=1, head_sha=HEAD, covers=covers)


def posts(*told: Post) -> dict[str, Post]:
    """What GitHub was told."""
    return {post.key: post for post in told}


def shown(said: str | None, head: str = HEAD, base: str = "development", *, is_success: bool = False) -> Post:
    """A status as GitHub was told it."""
    return Post(f"status {head} qa-gate/{base}", said, is_success=is_success)


CARDS = ChangedFile("shop/cards.py", "added", 10, 2)


def snapshot(
    files: tuple[ChangedFile, ...] = (CARDS,), release: Release | None = None, **facts: Any
) -> Snapshot:
    """What Lily might be asked about."""
    change = Change(
        merge_base=BASE,
        commits=(Commit(HEAD, "Add gift cards", "sam"),),
        files=files,
    )
    return Snapshot(pull(**{"changed_files": len(files), **facts}), change, None, release)


def told(seen: Seen, number: int = 12, **more: Any) -> PullRequestEvent:
    """What a webhook says of a pull request of acme/shop."""
    facts = {"repository_id": 7, "repository": "acme/shop", **more}
    return PullRequestEvent(number=number, seen=seen, **{"updated_at": NOON, **facts})


NOT_YET = "GitHub, where the code is kept, isn’t letting it in yet."
