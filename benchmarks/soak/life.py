"""One life: people act and troubles strike for a while; then all works again, and it is judged.

It is judged again and again until nothing is wrong any more and nothing changes, for what failed may still be on its
way: a killed process' work is free when its lease ends. What is still wrong then is a violation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import sleep, time

from benchmarks.soak.judge import judge
from benchmarks.soak.people import Developers, Lily, about, links_of
from benchmarks.soak.record import Mail, Pull, Record, Sight
from benchmarks.soak.stage import SHOP, Postgres, Stage, staged
from benchmarks.soak.troubles import LEASE, Troubles
from demo.github.git import Git

# Longer than a lease and the longest wait after it; a restart has tried again all else.
CALM = LEASE + 90.0
STILL = 4.0  # seconds without a change that count as rest
STEP = 0.25  # seconds from one act to the next
# So many questions an hour come alone; the rest comes in a list, ten minutes after the first of it.
MOST_ALONE = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a life."""

    seed: int
    counts: Counter[str]
    violations: tuple[str, ...]


def live(
    kind: str,
    folder: Path,
    seed: int,
    seconds: float,
    postgres: Postgres | None,
    only: Collection[str] | None = None,
) -> Verdict:
    """Play one life of so many seconds, not counting the calm after it, and judge it; `only` with these troubles."""
    chance, record = Random(seed), Record()
    with staged(kind, folder, postgres) as stage:
        lily, developers = Lily(stage, record, chance), Developers(stage, record, chance)
        lily.sign_in()
        stage.github.webhook_url = f"http://127.0.0.1:{stage.ports[0]}/webhook"
        troubles = Troubles(stage, record, chance, only)
        end, next_trouble = time() + seconds, time() + 2
        while time() < end:
            is_hers = chance.random() < (0.6 if stage.may_answer else 0.05)
            (lily.act if is_hers else developers.act)()
            if time() > next_trouble:
                troubles.strike()
                next_trouble = time() + chance.uniform(0.5, 3)
            sleep(STEP)
        troubles.heal()
        stage.restart()
        violations = _after_calm(stage, record, lily)
        record.counts |= Counter(
            {"pull requests": len(stage.github.repo().pulls), "mails": len(stage.inbox.mails)}
        )
        record.counts["merges"] = sum(pull.merged for pull in stage.github.repo().pulls.values())
    return Verdict(seed, record.counts, tuple(violations))


def _after_calm(stage: Stage, record: Record, lily: Lily) -> list[str]:
    """Wait until all is well and still, or for as long as that may take; return what is wrong."""
    end, seen, still_since = time() + CALM, (0, 0), time()
    while True:
        stage.github.settle()
        now = (len(stage.github.calls), len(stage.inbox.mails))
        still_since, seen = (still_since, seen) if now == seen else (time(), now)
        is_still = time() - still_since > STILL
        violations = judge(record, look(stage, lily)) if is_still else ["it finds no rest"]
        if not violations or time() > end:
            return violations
        sleep(1)


def look(stage: Stage, lily: Lily) -> Sight:
    """Return what is to be seen: in git, at GitHub and in Lily's hands."""
    repo, github = stage.github.repo(), stage.github
    answerable = _in_hand(stage, lily)
    with github.world.lock:
        branches = {base: _since(repo.git, base, began) for base, began in stage.began.items()}
        pulls = tuple(
            Pull(
                number=pull.number,
                base=pull.base,
                head=pull.head_sha,
                open=pull.open,
                draft=pull.draft,
                merge_commit=pull.merge_commit_sha if pull.merged else None,
                merged_at=pull.merged_at.timestamp() if pull.merged_at else 0.0,
                said=_said(stage, pull.number),
                can_answer=pull.number in answerable,
            )
            for pull in repo.pulls.values()
        )
        statuses = {
            (sha, one.context): (one.state, one.description or "")
            for sha, all_said in repo.statuses.items()
            for one in all_said
        }
    mails = tuple(
        Mail(
            at=mail.received_at.timestamp(),
            subject=mail.subject,
            preview=mail.preview,
            about=tuple(map(about, links_of(mail))),
            is_lost=mail.message_id in stage.inbox.lost,
        )
        for mail in stage.inbox.mails
    )

    def same(old: str, new: str, base: str) -> bool:
        with github.world.lock:
            return _change(repo.git, old, base) == _change(repo.git, new, base)

    return Sight(pulls, branches, statuses, mails, same)


def _said(stage: Stage, number: int) -> tuple[str, ...]:
    repo, gate = stage.github.repo(SHOP), stage.github.front.user
    reviews = [one.body for one in repo.pulls[number].reviews if one.user is gate]
    return (
        *reviews,
        *(one.body for one in repo.comments.values() if one.number == number and one.user is gate),
    )


def _in_hand(stage: Stage, lily: Lily) -> set[int]:
    """Return what Lily can decide by what she got: a mail, or her page where a list is still on its way."""
    newest: dict[str, str] = {}
    alone = 0
    for mail in stage.inbox.mails:
        paths = links_of(mail)
        alone += len(paths) == 2
        newest |= {about(path): path for path in paths}
    paths = [path for path in newest.values() if path]
    if alone >= MOST_ALONE:
        paths += lily.listed()
    return {number for path in paths if (number := lily.may_answer(path)) is not None}


def _since(git: Git, branch: str, began: str) -> dict[str, tuple[str, ...]]:
    commits: dict[str, tuple[str, ...]] = {}
    for sha in git.first_parents(branch):
        if sha == began:
            break
        commits[sha] = tuple(git.commit(sha).parents)
    return commits


def _change(git: Git, head: str, base: str) -> set[tuple[str, str, str, str]]:
    """Return what git says that a head does to its base: each path with both modes and blobs."""
    since = git.base(base, head)
    before, after = (
        {(entry.path, entry.mode, entry.sha) for entry in git.tree(sha, True) if entry.kind != "tree"}
        for sha in (since or base, head)
    )
    return {("-", *entry) for entry in before - after} | {("+", *entry) for entry in after - before}
