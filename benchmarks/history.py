"""A long history, made in a second: merges that the gate knows as its own, as after a busy year.

Used by the benchmark of a release. Written straight into git and into the database, for three hundred lives of a
pull request would take minutes; what a release is made of is then read as ever.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from sqlalchemy import update

from app.db.releases import compared
from app.db.tables import decisions, reviews
from app.domain.approval import Basis, Choice, Merged
from app.domain.facts import State
from demo.github.state import Repo
from tests.builders import LILY, NOON
from tests.world import SHOP, World

MERGED, COMMITS = 300, 2_000
WHO = f"Sam <sam@example.com> {int(NOON.timestamp())} +0000"


def grow(world: World) -> str:
    """Make the commits, and the rows about them; return the head that development is to be pushed to."""
    repo = world.github.repo()
    shas = _import(repo, list(_stream(repo.git.branches["development"])))
    merged: list[list[str]] = [[] for _ in range(MERGED)]
    for mark, sha in sorted(shas.items()):
        merged[-(-mark // 100) - 1].append(sha)
    with world.store.database.write() as connection:
        for number, (*took_in, merge) in enumerate(merged, 1_001):
            put = reviews.insert().values(_row(repo.id, number, merge, took_in[-1]))
            place = {"base": "development", "head_sha": took_in[-1], "shas": tuple(took_in), "merges": 0}
            review_id = connection.execute(put.returning(reviews.c.id)).scalar_one()
            connection.execute(compared.insert().values(review_id=review_id, **place))
            given = {
                "review_id": review_id,
                "number": 1,
                "round": 1,
                "choice": Choice.APPROVE,
                "by": LILY.name,
            }
            more = {
                "reviewer": LILY.id,
                "at": NOON,
                "note": "Fine.",
                "basis": Basis(),
                "head_sha": took_in[-1],
            }
            made = connection.execute(decisions.insert().values(**given, **more).returning(decisions.c.id))
            standing = update(reviews).where(reviews.c.id == review_id)
            connection.execute(standing.values(decision_id=made.scalar_one()))
    return merged[-1][-1]


def _stream(root: str) -> Iterator[str]:
    """Give the history as `git fast-import` takes it; the mark of each merge is a multiple of 100."""
    base = root
    for number in range(1, MERGED + 1):
        size, side = COMMITS // MERGED - 1 + (number <= COMMITS % MERGED), base
        files = [f"{number}-{step}.txt" for step in range(size)]
        for step, file in enumerate(files, 1):
            yield _commit(number * 100 - size - 1 + step, f"Step {step} of {number}", [side], [file])
            side = f":{number * 100 - size - 1 + step}"
        yield _commit(number * 100, f"Merge pull request #{number + 1_000}", [base, side], files)
        base = f":{number * 100}"


def _commit(mark: int, message: str, parents: list[str], files: list[str]) -> str:
    lines = ["commit refs/grown", f"mark :{mark}", f"committer {WHO}", f"data {len(message)}", message]
    lines += [f"{word} {parent}" for word, parent in zip(("from", "merge"), parents, strict=False)]
    lines += [line for file in files for line in (f"M 100644 inline {file}", "data 2", "a", "")]
    return "\n".join(lines)


def _import(repo: Repo, commits: list[str]) -> dict[int, str]:
    marks = repo.git.path / "marks"
    command = ["git", "fast-import", "--quiet", "--force", f"--export-marks={marks}"]
    subprocess.run(command, cwd=repo.git.path, input="\n".join(commits).encode(), check=True)
    pairs = (line.split() for line in marks.read_text().splitlines())
    return {int(mark.removeprefix(":")): sha for mark, sha in pairs}


def _row(repository_id: int, number: int, sha: str, head: str) -> dict[str, object]:
    return {
        "repository_id": repository_id,
        "repository": SHOP,
        "number": number,
        "nonce": f"merge-{number}",
        "round_nonce": f"merge-{number}.1",
        "state": State.MERGED,
        "base": "development",
        "head_sha": head,
        "open": False,
        "title": f"Change number {number}, as developers call it",
        "author": "sam",
        "changed_at": NOON,
        "restless_since": NOON,
        "created_at": NOON,
        "seen_rev": 1,
        "merge_commit": sha,
        "merged_how": Merged.BY_GATE,
    }
