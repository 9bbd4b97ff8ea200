"""What reached the development branch, commit by commit, from its first known head on.

Called by `workflow`. What GitHub said is kept here once and for all; whether a commit had a reviewer's yes is never
kept but found when it is asked for, from the merges that the reviews record: by its SHA, never by its words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, select, update

from app.review import Decision, Passed, Release, State, Unseen
from app.store.database import Database
from app.store.tables import branches, landed, reviews, rounds

# So many names in one question to the database: each has a limit.
MOST_NAMES = 500


@dataclass(frozen=True, slots=True)
class Landing:
    """One commit that came onto the branch itself; `merged_as`: the merge that put it there, itself if unknown."""

    sha: str
    merged_as: str
    title: str
    author: str


class Landings:
    """How far each branch is known, and what came onto it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self, repository_id: int, branch: str) -> str | None:
        """Return the last known head of a branch, None before the first."""
        with self._database.read() as connection:
            known = select(branches.c.head_sha).where(*_branch(repository_id, branch))
            return connection.scalar(known)

    def begin(self, repository_id: int, branch: str, head: str) -> None:
        """Remember the head of day one: what is below it is nobody's to account for."""
        with self._database.write() as connection:
            values = {"repository_id": repository_id, "branch": branch, "head_sha": head}
            connection.execute(self._database.insert(branches).values(values).on_conflict_do_nothing())

    def land(
        self,
        repository_id: int,
        branch: str,
        *,
        before: str,
        head: str,
        came: Sequence[Landing],
        is_rewritten: bool,
    ) -> None:
        """Note what came between two heads, the oldest first, and the new head, in one transaction.

        `is_rewritten`: the head before is no longer below the new one. Twice is once.
        """
        with self._database.write() as connection:
            for step in came:
                row = {name: getattr(step, name) for name in Landing.__slots__}
                row |= {"repository_id": repository_id, "is_rewritten": is_rewritten}
                new = self._database.insert(landed).values(row)
                connection.execute(new.on_conflict_do_nothing(index_elements=["repository_id", "sha"]))
            still = (*_branch(repository_id, branch), branches.c.head_sha == before)
            connection.execute(update(branches).where(*still).values(head_sha=head))

    def is_merging(self, repository_id: int, branch: str) -> bool:
        """Tell whether a merge of our own into the branch is out whose commit is not known yet."""
        out = (
            reviews.c.repository_id == repository_id,
            reviews.c.base == branch,
            reviews.c.state == State.MERGING,
        )
        with self._database.read() as connection:
            return connection.execute(select(reviews.c.id).where(*out).limit(1)).first() is not None

    def merges(self, repository_id: int, branch: str, shas: Sequence[str]) -> set[str]:
        """Return which of these commits are merges of pull requests into the branch, with a yes or without."""
        into = (reviews.c.repository_id == repository_id, reviews.c.base == branch)
        known = select(reviews.c.merge_commit).where(*into)
        with self._database.read() as connection:
            found = [
                connection.scalars(known.where(reviews.c.merge_commit.in_(part))) for part in _parts(shas)
            ]
            return {sha for part in found for sha in part if sha}

    def rebased(self, repository_id: int, shas: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Return where each of these merges began that the gate made by a rebase, and of how many commits."""
        begun: dict[str, tuple[str, int]] = {}
        asked = and_(rounds.c.review_id == reviews.c.id, rounds.c.round == reviews.c.round)
        both = select(reviews.c.merge_commit, reviews.c.merged_onto, rounds.c.snapshot).join_from(
            reviews, rounds, asked
        )
        with self._database.read() as connection:
            for part in _parts(shas):
                ours = (reviews.c.repository_id == repository_id, reviews.c.merge_commit.in_(part))
                for row in connection.execute(both.where(*ours, reviews.c.merged_onto.is_not(None))):
                    begun[row.merge_commit] = (row.merged_onto, row.snapshot.pull.commits)
        return begun

    def unknown(self, repository_id: int) -> list[str]:
        """Return the commits that no merge we know of put there and that nobody asked about, the newest first."""
        merge = and_(reviews.c.repository_id == repository_id, reviews.c.merge_commit == landed.c.merged_as)
        commits = select(landed.c.sha).join_from(landed, reviews, merge, isouter=True)
        unknown = (landed.c.repository_id == repository_id, ~landed.c.was_asked, reviews.c.id.is_(None))
        with self._database.read() as connection:
            return list(connection.scalars(commits.where(*unknown).order_by(landed.c.id.desc())))

    def note_brought(self, repository_id: int, sha: str, pull: int | None, title: str | None) -> None:
        """Remember what GitHub says of a commit: the pull request that brought it, or none."""
        values: dict[str, Any] = {"was_asked": True, "pull": pull}
        values |= {"title": title} if title else {}
        with self._database.write() as connection:
            one = (landed.c.repository_id == repository_id, landed.c.sha == sha)
            connection.execute(update(landed).where(*one).values(values))

    def release(self, repository_id: int, shas: Collection[str], path: Collection[str]) -> Release:
        """Return what a release with these commits holds; `path` are those of them that came onto the branch itself."""
        with self._database.read() as connection:
            parts = list(_parts(sorted(shas)))
            rows = [row for part in parts for row in _rows(connection, repository_id, part)]
            # What did not land under our eyes may be a merge of ours all the same.
            merges = [row for part in parts for row in _merges(connection, repository_id, part)]
        rows.sort(key=lambda row: row.id)
        passed = {row.review_id: _passed(row) for row in (*rows, *merges) if _has_yes(row)}
        # One merge may settle several pull requests; it was the one with the yes that was merged.
        approved = {row.sha for row in rows if _has_yes(row)}
        unseen = {row.sha: _unseen(row) for row in rows if row.sha not in approved}
        return Release(
            passed=tuple(passed.values()),
            unseen=tuple(unseen.values()),
            earlier=len(set(path) - {row.sha for row in rows} - {row.merge_commit for row in merges}),
            is_rewritten=any(row.is_rewritten for row in rows),
        )


def _branch(repository_id: int, branch: str) -> tuple[Any, Any]:
    return (branches.c.repository_id == repository_id, branches.c.branch == branch)


def _parts(shas: Sequence[str]) -> Iterator[Sequence[str]]:
    return (shas[start : start + MOST_NAMES] for start in range(0, len(shas), MOST_NAMES))


_REVIEW = [
    reviews.c.id.label("review_id"),
    reviews.c.number,
    reviews.c.merged_by_gate,
    reviews.c.bypassed,
    reviews.c.decision,
    reviews.c.title.label("review_title"),
    reviews.c.author.label("review_author"),
]


def _rows(connection: Connection, repository_id: int, shas: Sequence[str]) -> list[Any]:
    """Return what landed of these, each with the review whose merge put it there, if there is one."""
    merge = and_(reviews.c.repository_id == repository_id, reviews.c.merge_commit == landed.c.merged_as)
    both = select(landed, *_REVIEW).join_from(landed, reviews, merge, isouter=True)
    ours = (landed.c.repository_id == repository_id, landed.c.sha.in_(shas))
    return list(connection.execute(both.where(*ours)))


def _merges(connection: Connection, repository_id: int, shas: Sequence[str]) -> list[Any]:
    """Return the reviews that were merged with a yes as one of these commits, in the order in which they came."""
    ours = (reviews.c.repository_id == repository_id, reviews.c.merge_commit.in_(shas))
    with_yes = (reviews.c.merged_by_gate, reviews.c.decision.is_not(None), ~reviews.c.bypassed)
    found = select(reviews.c.merge_commit, *_REVIEW).where(*ours, *with_yes)
    return list(connection.execute(found.order_by(reviews.c.id)))


def _has_yes(row: Any) -> bool:
    """Tell whether the gate itself merged it, where it was asked for. What others push may hold an approved head, and more."""
    return bool(row.merged_by_gate and row.decision and not row.bypassed)


def _passed(row: Any) -> Passed:
    decision: Decision = row.decision
    return Passed(
        number=row.number,
        title=row.review_title,
        author=row.review_author,
        reviewer=decision.by,
        at=decision.at,
        note=decision.note,
    )


def _unseen(row: Any) -> Unseen:
    """Return a commit without a yes, in the words of the pull request that brought it where we know that."""
    author = row.review_author or row.author
    pull, title = row.number or row.pull, row.review_title or row.title
    return Unseen(row.sha, title, author, pull, was_asked=row.was_asked)
