"""Whatever developers, GitHub, webhooks and Lily do, and whenever a worker dies: the promises hold.

A hypothesis state machine plays random lives of up to three pull requests on real git, SQLite and HTTP. Webhooks
are lost, doubled and reordered, answers of GitHub and SES too, workers die at any commit or request, others
overtake them, and people act in the midst of the gate's calls. At the end all works again, time passes, and
everything has to be as promised. PROMISES_LIVES (5 from each of nine beginnings) and PROMISES_STEPS (40 in each)
make it larger: 100 and 60 for a night.
"""

from __future__ import annotations

import http.client
import os
import re
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count, pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from app.db.rows import HistoryRow
from app.domain.facts import State
from app.domain.review import Review
from app.domain.statuses import context_of
from app.links import DecideLink, ExpiredLink
from app.worker import work_once
from demo.github.rules import base_tip
from demo.github.state import Pull, Refusal
from tests.world import SHOP, TOKEN, WEBHOOK_SECRET, World

LIVES = int(os.environ.get("PROMISES_LIVES", "5"))
STEPS = int(os.environ.get("PROMISES_STEPS", "40"))
# hypothesis likes to vary what it has; with several beginnings it has more.
BEGINNINGS = 9
SECRETS = (TOKEN, WEBHOOK_SECRET, "k" * 40, "/decide/", "/sign-in/", "/status/")
GATED = ("development", "master")
MOST_PULLS = 3
# After so many waits of an hour everything that is tried again was tried again.
MOST_WAITS = 12
# What a click makes of a state, as DESIGN has it; everything else changes nothing at all.
CLICKS = {
    (State.TO_ASK, "approve"): State.TO_MERGE,
    (State.WAITING, "approve"): State.TO_MERGE,
    (State.REJECTED, "approve"): State.TO_MERGE,
    (State.TO_ASK, "reject"): State.REJECTED,
    (State.WAITING, "reject"): State.REJECTED,
    (State.REJECTED, "take_back"): State.WAITING,
    (State.TO_MERGE, "take_back"): State.WAITING,
}
# The lines of a history after which a yes stands no longer.
ENDS = {"rejected", "taken_back", "round", "again", "draft", "closed", "to_ask"}
SAID = {
    State.DRAFT: "pending",
    State.TO_ASK: "pending",
    State.WAITING: "pending",
    State.REJECTED: "failure",
    State.TO_MERGE: "success",
}

which = st.integers(0, MOST_PULLS - 1)
# What a person may do: each is a method below.
deeds = st.sampled_from(
    "push old_head fresh close reopen draft ready retarget ungate merge update clash move_base title request "
    "approve reject take_back".split()
)
# (method, path, status, after the work was done); None: no answer at all.
faults = st.sampled_from(
    [
        ("GET", ".*", 502, False),
        ("*", ".*", 503, False),
        ("*", ".*", None, True),
        ("*", ".*", None, False),
        ("GET", "/pulls/", 403, False),
        ("*", ".*", 429, False),
        ("PUT", "/merge$", 502, True),
        ("PUT", "/merge$", None, True),
        ("PUT", "/merge$", 500, False),
        ("PUT", "/update-branch$", 502, True),
        ("POST", "/statuses/", 502, True),
        ("POST", "/statuses/", 500, False),
        ("POST", "/reviews$", None, True),
        ("POST", "/reviews$", 502, False),
        ("POST", "/comments$", None, True),
    ]
)
instants = st.integers(1, 25)
# (at which call from now, before or after its work, what happens then, to which pull request)
moments = st.tuples(
    st.integers(1, 9), st.sampled_from(["before", "after"]), st.one_of(deeds, st.just("stall")), which
)


class Death(BaseException):
    """The process is gone, at this very instant."""


class Instants:
    """Kills a worker at the n-th instant from now: just before a commit or a request, as `mortal` has it."""

    def __init__(self) -> None:
        self.left = 0
        self._mortal: int | None = None

    @contextmanager
    def count(self) -> Iterator[None]:
        """Count what this thread does in the meantime."""
        self._mortal = threading.get_ident()
        try:
            yield
        finally:
            self._mortal = None

    def __call__(self, *_: object) -> None:
        if self.left and threading.get_ident() == self._mortal:
            self.left -= 1
            if not self.left:
                raise Death


class Lives(RuleBasedStateMachine):
    """Random lives; `make` gives a fresh world of a database's path and settings."""

    def __init__(
        self, make: Callable[..., tuple[World, Path]], instants: Instants, caplog: pytest.LogCaptureFixture
    ) -> None:
        super().__init__()
        self.make, self.instants, self.log = make, instants, caplog
        self.instants.left = 0
        self.heads: dict[str, list[str]] = {}
        self.numbers = count(1)
        self.deaths = self.lost_mails = 0
        self.troubles: list[str] = []
        self.asked: list[
            tuple[str, str]
        ] = []  # every request of the gate's as it came in, and every answer read
        self.in_between: tuple[int, str, str, int] | None = None
        self.is_final = False

    @initialize(
        method=st.sampled_from(["merge", "merge", "squash", "rebase"]),
        protected=st.sampled_from(["yes", "no", "strict"]),
        early=st.booleans(),
    )
    def begin(self, method: str, protected: str, early: bool) -> None:
        self.world, self.file = self.make(MERGE_METHOD=method)
        self.github = self.world.github
        for engine in self.world.store.database.engines:
            event.listen(engine, "commit", self.instants)
        self.github.on_call = self.on_call
        self.log.clear()
        self.github.commit(SHOP, "side", {"side.py": "side\n"}, "Side", "sam")
        if protected != "no":
            for base in GATED:
                self.github.protect(SHOP, base, [context_of(base)], strict=protected == "strict")
        if early:  # it was there before the gate
            self.opens("feature", "development", False)
            self.world.clock.pass_(hours=1)
        self.world.look()
        self.opens("feature", "development", False)
        self.work(1000)

    # --- Developers -----------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.github.repo().pulls) < MOST_PULLS)
    @rule(
        kind=st.sampled_from(["feature", "feature", "release", "twin"]),
        base=st.sampled_from(["development", "development", "development", "master", "side"]),
        draft=st.sampled_from([False, False, True]),
    )
    def opens(self, kind: str, base: str, draft: bool) -> None:
        number = next(self.numbers)
        branch = f"feature-{number}"
        if kind == "release":
            self.github.commit(SHOP, "development", {f"r{number}.py": "ready\n"}, "Prepare", "sam")
            branch, base = "development", "master"
        elif kind == "twin" and self.heads:
            self.github.force_push(SHOP, branch, next(iter(self.heads.values()))[-1])
        else:
            self.commits(branch)
        with suppress(Refusal):
            self.github.open_pull_request(SHOP, branch, base, f"Change {number}", "Asked for.", draft=draft)

    def commits(self, branch: str, **more: Any) -> None:
        text = f"{branch} {next(self.numbers)}\n"
        sha = self.github.commit(SHOP, branch, {f"{branch}.py": text}, text.strip(), "sam", **more)
        self.heads.setdefault(branch, []).append(sha)

    @precondition(lambda self: self.github.repo().pulls)
    @rule(deed=deeds, pull=which, work=st.integers(0, 9))
    def somebody_acts(self, deed: str, pull: int, work: int) -> None:
        self.act(deed, pull)
        self.work(work)

    def act(self, deed: str, chosen: int) -> None:
        """Do what people do; GitHub refuses what is not possible."""
        numbers = sorted(self.github.repo().pulls)
        number = numbers[chosen % len(numbers)]
        with suppress(Refusal):
            getattr(self, f"_{deed}")(number, self.github.pull(number))

    def _push(self, _: int, pull: Pull) -> None:
        self.commits(pull.head)

    def _old_head(self, _: int, pull: Pull) -> None:
        if pull.head != "development":
            self.github.force_push(SHOP, pull.head, self.heads.get(pull.head, [pull.head_sha])[0])

    def _fresh(self, _: int, pull: Pull) -> None:
        """Rebase: the same file on the newest base."""
        if pull.head != "development":
            text = self.github.read(SHOP, pull.head_sha, f"{pull.head}.py") or b"gone\n"
            name = f"fresh-{next(self.numbers)}"
            sha = self.github.commit(SHOP, name, {f"{pull.head}.py": text}, "Rebased", "sam", pull.base)
            self.github.force_push(SHOP, pull.head, sha)

    def _close(self, number: int, _: Pull) -> None:
        self.github.close(number)

    def _reopen(self, number: int, _: Pull) -> None:
        self.github.reopen(number)

    def _draft(self, number: int, _: Pull) -> None:
        self.github.convert_to_draft(number)

    def _ready(self, number: int, _: Pull) -> None:
        self.github.ready(number)

    def _retarget(self, number: int, pull: Pull) -> None:
        """To master, and back."""
        self.github.retarget(number, "master" if pull.base == "development" else "development")

    def _ungate(self, number: int, _: Pull) -> None:
        self.github.retarget(number, "side")

    def _merge(self, number: int, _: Pull) -> None:
        self.github.merge_as("kim", number)

    def _update(self, _: int, pull: Pull) -> None:
        if pull.head != "development":
            tip = self.github.repo().git.branches[pull.base]
            tree = self.github.repo().git.merge(pull.head_sha, tip)
            if tree and not self.github.repo().git.contains(pull.head_sha, tip):
                who = self.github.world.github_signature()
                parents = (pull.head_sha, tip)
                name = f"refs/heads/update-{next(self.numbers)}"
                sha = self.github.repo().git.write(name, parents, tree, "Update", who)
                self.github.force_push(SHOP, pull.head, sha)

    def _title(self, number: int, _: Pull) -> None:
        self.github.edit(number, f"Title {next(self.numbers)}")

    def _request(self, number: int, _: Pull) -> None:
        self.github.request_review(number, "kim")

    def _clash(self, _: int, pull: Pull) -> None:
        self.github.commit(SHOP, pull.base, {f"{pull.head}.py": "another\n"}, "Clash", "kim")

    def _move_base(self, _: int, pull: Pull) -> None:
        name = f"other-{next(self.numbers)}"
        self.github.commit(SHOP, pull.base, {f"{name}.py": "other\n"}, name, "kim")

    # --- Lily -----------------------------------------------------------------------------------------------

    def _approve(self, number: int, _pull: Pull) -> None:
        self.click("approve", self.open_question(number))

    def _reject(self, number: int, _pull: Pull) -> None:
        self.click("reject", self.open_question(number))

    def _take_back(self, number: int, _pull: Pull) -> None:
        found = [path for path in self.links() if read_link(self.world, path)[0].number == number]
        self.click("take_back", found[-1] if found else None)

    @precondition(lambda self: self.world.inbox.mails)
    @rule(choice=st.sampled_from(["approve", "approve", "reject", "take_back"]), back=st.integers(0, 7))
    def lily_clicks(self, choice: str, back: int) -> None:
        """In any mail that she finds, however old."""
        paths = self.links()
        self.click(choice, paths[-1 - back % len(paths)] if paths else None)

    def links(self) -> list[str]:
        """Every link that came in some mail, the newest last."""
        words = "\n".join(mail.text for mail in self.world.inbox.mails)
        return list(dict.fromkeys(re.findall(r"/decide/[\w.-]+", words)))

    def click(self, choice: str, path: str | None) -> None:
        """Decide by a link: it does just what it may do, or nothing at all."""
        if path is None:
            return
        link, is_expired = read_link(self.world, path)
        (review, round_), tables = about(self.world, link), self.tables()
        before = self.world.store.reviews.get(review)
        assert before is not None
        try:
            with self.instants.count():
                self.world.decide(choice, "The total is wrong.", path)
        except Death:
            self.deaths += 1
            return
        after = self.world.store.reviews.get(review)
        may = not is_expired and round_ == before.round
        wanted = CLICKS.get((before.state, choice)) if may else None
        if wanted is None:
            assert self.tables() == tables, f"{choice} by {link} changed something; it was {before}"
        else:
            assert after is not None
            assert after.state == wanted, f"{choice} by {link} made {after} of {before}"

    @precondition(lambda self: self.world.inbox.mails)
    @rule(back=st.integers(0, 7))
    def a_scanner_opens_every_link_of_a_mail(self, back: int) -> None:
        mails = self.world.inbox.mails
        self.open_links(mails[-1 - back % len(mails)])

    def open_links(self, *mails: Any) -> None:
        tables = self.tables()
        text = "".join(mail.text + mail.html for mail in mails)
        found = set(re.findall(rf"{re.escape(self.world.url)}(/[\w./-]*)", text))
        assert found or not mails
        for path in found:
            for method in (self.world.browser.get, self.world.browser.head):
                answer = method(path)
                assert answer.status_code < 500, path
                assert not any(secret in answer.text for secret in SECRETS[:3])
        assert self.tables() == tables, "opening a link changed a table"

    # --- Webhooks -------------------------------------------------------------------------------------------

    @rule(how=st.sampled_from(["lost", "held", "fine"]))
    def webhooks_change(self, how: str) -> None:
        self.github.webhooks_paused = how == "lost"
        if how == "held":
            self.github.hold()
        if how == "fine":
            self.github.release()

    @rule(chance=st.randoms(use_true_random=False), lose=st.booleans(), double=st.booleans())
    def webhooks_come_in_any_order(self, chance: Any, lose: bool, double: bool) -> None:
        def order(held: list[Any]) -> list[Any]:
            mixed = held * (2 if double else 1)
            chance.shuffle(mixed)
            return mixed[: len(mixed) // 2] if lose else mixed

        self.github.release(order)
        self.github.settle()

    @precondition(lambda self: self.github.deliveries)
    @rule(back=st.integers(0, 12), same_id=st.booleans())
    def a_webhook_comes_again(self, back: int, same_id: bool) -> None:
        delivery = self.github.deliveries[-1 - back % len(self.github.deliveries)]
        if same_id:
            self.github.redeliver(delivery.id)
            self.github.settle()
        else:
            assert self.world.post_webhook(delivery.event, delivery.payload).status_code == 202

    # --- The gate, and what goes wrong ----------------------------------------------------------------------

    @rule(steps=st.integers(1, 4))
    def the_gate_works_a_little(self, steps: int) -> None:
        self.work(steps)

    @rule()
    def the_gate_works(self) -> None:
        self.work(1000)

    def work(self, steps: int) -> None:
        """Run due steps until they are done, or the worker dies; its lease has to end by itself then."""
        self.github.settle()
        try:
            for _ in range(steps):
                with self.instants.count():
                    is_done = not work_once(self.world.gate)
                self.github.settle()
                if is_done:
                    return
        except Death:
            self.deaths += 1
            return
        assert steps < 1000, f"the gate finds no rest\n{self.story()}"

    @rule(seconds=st.sampled_from([1, 5, 61, 121, 11 * 60, 3700, 3700, 31 * 86400]), work=st.booleans())
    def time_passes(self, seconds: int, work: bool) -> None:
        self.world.clock.pass_(seconds=seconds)
        if work:
            self.work(1000)

    @rule(
        answer=st.sampled_from(["approve", "approve", "approve", "reject"]),
        mishap=st.one_of(st.none(), instants, faults, moments),
        pull=which,
        then=st.sampled_from([0, 1, 3, 1000, 1000]),
    )
    def lily_gets_round_to_it(self, answer: str, mishap: Any, pull: int, then: int) -> None:
        """Time enough for her to be asked; she answers an open question, and something else comes in between."""
        self.time_passes(3700, True)
        self.time_passes(121, True)
        path = self.open_question(pull)
        if path:
            self.click(answer, path)
        self.goes_wrong(mishap)
        self.work(then)

    def goes_wrong(self, mishap: Any) -> None:
        match mishap:
            case int(instant):
                self.instants.left = instant
            case (int(), _, _, _) as moment:
                self.in_between = moment
            case (method, path, status, after):
                self.fail(method, path, status, after)

    def open_question(self, pull: int) -> str | None:
        """Return a link of a question that is open."""
        waiting = {(row.id, row.round) for row in self.world.all_rows() if row.state is State.WAITING}
        found = {}
        for path in self.links():
            link, is_expired = read_link(self.world, path)
            if about(self.world, link) in waiting and not is_expired:
                found[link.number] = path
        paths = list(found.values())
        return paths[pull % len(paths)] if paths else None

    @rule(mishap=st.one_of(instants, faults, moments), work=st.booleans())
    def something_goes_wrong(self, mishap: Any, work: bool) -> None:
        self.goes_wrong(mishap)
        self.work(1000 if work else 0)

    @rule(status=st.sampled_from([503, 429, None]), after=st.booleans())
    def ses_fails(self, status: int | None, after: bool) -> None:
        self.lost_mails += after
        self.world.inbox.fail(status, "ServiceUnavailable", "down", after=after)

    def fail(self, method: str, path: str, status: int | None, after: bool) -> None:
        body, headers = None, None
        if status in (403, 429):
            body, headers = {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "77"}
        self.github.fail(method, path, status, body, headers, after=after)

    def on_call(self, method: str, path: str, phase: str) -> None:
        """Watch each call of the gate's, and let things happen in its midst. Runs in GitHub's own thread."""
        try:
            self.watch(path, phase)
            self.interrupt(method, phase)
            self.github.settle()  # else it would be chance what comes first
        except Exception as trouble:  # noqa: BLE001
            self.troubles.append(f"{method} {path} {phase}: {type(trouble).__name__}: {trouble}")

    def interrupt(self, method: str, phase: str) -> None:
        if self.in_between is None or self.in_between[1] != phase:
            return
        calls, _, deed, pull = self.in_between
        self.in_between = (calls - 1, phase, deed, pull) if calls > 1 else None
        if calls > 1:
            return
        if deed != "stall":
            self.act(deed, pull)
        elif (
            method == "GET"
        ):  # no fence reaches GitHub: what a worker has sent before it fell asleep still arrives
            self.world.clock.pass_(seconds=121)
            work_once(self.world.gate)

    def watch(self, path: str, phase: str) -> None:
        found = re.fullmatch(r"/repos/acme/shop/pulls/(\d+)(/merge)?", path)
        if not found:
            return
        calls = reversed(self.github.calls) if phase == "after" else ()
        call = next((one for one in calls if one.path == path), None)
        if found[2] is None and call and call.status == 200:
            self.asked.append(("read", found[1]))
        elif found[2] and phase == "before":
            self.asked.append(("merge", found[1]))
        elif found[2] and call and self.github.pull(int(found[1])).merge_commit_sha:
            self.watch_merge(int(found[1]), call.body["sha"])

    def watch_merge(self, number: int, sha: str) -> None:
        row = self.world.row(number)
        yes = standing_yes(self.world, row)
        assert yes is not None, f"merged {sha} without a yes\n{self.story()}"
        assert yes[1] == sha, f"merged {sha} with a yes for {yes}\n{self.story()}"

    # --- What must hold -------------------------------------------------------------------------------------

    def tables(self) -> str:
        """Everything in the database, once the webhooks on their way have come."""
        self.github.settle()
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True) as database:
            lines = "\n".join(database.iterdump())
        database.close()
        return lines

    def story(self) -> str:
        """What a reader of a failure has to know."""
        return tell(self.world)

    @invariant()
    def so_far_so_good(self) -> None:
        assert not self.troubles, "\n".join(self.troubles)
        log = self.log.text
        assert "unexpected" not in log, log
        assert not any(secret in log for secret in SECRETS), log
        sent: set[str] = set()
        for what, number in self.asked:
            assert what == "read" or number not in sent, f"#{number} was sent twice unread: {self.asked}"
            sent = sent - {number} if what == "read" else sent | {number}

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if sys.exc_info()[0] is None:
                self.all_works_again()
                self.check()
        finally:
            self.instants.left = 0
            self.world.stop()

    def all_works_again(self) -> None:
        """Webhooks come, GitHub and SES answer, nobody dies; wait until nothing changes any more."""
        self.instants.left, self.in_between = 0, None
        self.github.webhooks_paused = False
        self.github.release()
        self.github.front.failures.clear()
        self.world.inbox.failures.clear()
        self.world.settle()
        self.world.pass_(seconds=121)
        self.world.look()
        seen = [self.outline()]
        for _ in range(MOST_WAITS):
            self.world.pass_(minutes=61)
            seen.append(self.outline())
            if len(seen) > 3 and seen[-1] == seen[-2] == seen[-3]:
                break
        else:
            raise AssertionError(f"it finds no rest\n{self.story()}")
        self.so_far_so_good()

    def outline(self) -> list[Any]:
        told = sum(map(len, self.github.repo().statuses.values()))
        rows = [
            (
                r.id,
                r.state,
                r.round,
                r.head_sha,
                r.blocked and r.blocked.key,
                self.world.problem(r.number),
                r.title,
            )
            for r in self.world.all_rows()
        ]
        return [rows, told, len(self.world.inbox.mails), len(self.github.repo().comments)]

    def check(self) -> None:
        """The promises, now that nothing goes wrong any more."""
        for number, pull in self.github.repo().pulls.items():
            rows = [row for row in self.world.all_rows() if row.number == number]
            assert len(rows) == 1 or (not rows and pull.base not in GATED), self.story()
            for row in rows:
                self.agrees(row, pull)
                self.is_nobodys_loss(row, pull)
                self.is_merged_with_a_yes(row, pull)
        self.success_stands_for_a_yes()
        self.twice_is_once()
        self.open_links(*self.world.inbox.mails)

    def agrees(self, row: Review, pull: Pull) -> None:
        ours = (row.title, row.base, row.head_sha, row.open, row.facts.merged, row.rev)
        theirs = (pull.title, pull.base, pull.head_sha, pull.open, pull.merged, row.seen_rev)
        assert ours == theirs, f"#{row.number} is not as GitHub has it: {ours}, {theirs}\n{self.story()}"
        assert row.state in may_be(pull), (
            f"#{row.number} is {row.state}, and should be one of {may_be(pull)}\n{self.story()}"
        )

    def is_nobodys_loss(self, row: Review, pull: Pull) -> None:
        """Nothing goes quiet."""
        if row.state in (State.TO_ASK, State.TO_MERGE):
            assert row.blocked or self.world.problem(row.number), (
                f"#{row.number} waits and nobody knows why\n{self.story()}"
            )
        if row.state is State.WAITING:
            asked = {
                about(self.world, link)
                for mail in self.world.inbox.mails
                for link in asked_in(self.world, mail)
            }
            assert (row.id, row.round) in asked, f"#{row.number} waits for Lily unasked\n{self.story()}"
        assert row.state is not State.MERGING, f"#{row.number} is left between\n{self.story()}"
        problem = self.world.problem(row.number)
        assert not problem, f"#{row.number}: {problem}\n{self.story()}"
        is_twin = any(twin.open for twin in self.world.store.reviews.twins(row))
        if row.state in SAID and not is_twin:
            said = newest(self.world, pull.head_sha).get(context_of(row.base))
            assert said == SAID[row.state], f"#{row.number} shows {said}\n{self.story()}"
        if row.state in (State.REJECTED, State.TO_MERGE):
            assert row.decision is not None
            mark = f"{row.nonce}.{row.round}.{row.decision.number}"
            assert mark in markers(self.world), f"#{row.number}: the developer was not told\n{self.story()}"

    def is_merged_with_a_yes(self, row: Review, pull: Pull) -> None:
        if not pull.merged or row.state is State.CLOSED:
            return
        yes = standing_yes(self.world, row)
        covered = yes == (pull.base, pull.head_sha)
        assert row.bypassed != covered or (not covered and self.approved_elsewhere(row)), (
            f"#{row.number}: bypassed is {row.bypassed}, yes for {yes}\n{self.story()}"
        )
        told = [m for m in self.world.inbox.mails if m.preview.startswith("Not approved by QA")]
        told = [mail for mail in told if f"#{row.number})" in mail.subject]
        most = (1 + self.deaths + self.lost_mails) if row.bypassed else 0
        assert row.bypassed <= len(told) <= most, f"#{row.number}: {len(told)} mails\n{self.story()}"

    def approved_elsewhere(self, row: Review) -> bool:
        """Whether another yes covers these commits: a twin's, as long as it stands, or that of the merge that brought them."""
        others = [other for other in self.world.all_rows() if other.id != row.id]
        lines = (line for other in others for line in self.world.store.reviews.history(other.id))
        yeses = {(line.base, line.head_sha) for line in lines if line.what in ("approved", "same_change")}
        merged = (other for other in others if other.state is State.MERGED and not other.bypassed)
        return (row.base, row.head_sha) in yeses or any(
            (one.base, one.merge_commit) == (row.base, row.merge_commit)
            and self.github.repo().git.contains(one.head_sha, row.head_sha)
            for one in merged
        )

    def success_stands_for_a_yes(self) -> None:
        good = {
            (row.head_sha, context_of(row.base))
            for row in self.world.all_rows()
            if row.is_approved and not row.bypassed and row.state in (State.TO_MERGE, State.MERGED)
            if row.state is State.TO_MERGE or self.world.gate.policy.method_for(row) == "merge"
        }
        shown = {
            (sha, context)
            for sha in self.github.repo().statuses
            for context, state in newest(self.world, sha).items()
            if state == "success"
        }
        assert shown <= good, f"a loose success: {shown - good}\n{self.story()}"

    def twice_is_once(self) -> None:
        spare = self.deaths + self.lost_mails
        mails = [mail for mail in self.world.inbox.mails if is_question(mail)]
        asked = Counter(
            frozenset(about(self.world, link) for link in asked_in(self.world, mail)) for mail in mails
        )
        assert len(mails) - len(asked) <= spare, f"asked too often: {asked}\n{self.story()}"
        said = markers(self.world)
        assert sum(said.values()) - len(said) == 0, f"said too often: {said}\n{self.story()}"
        for row in self.world.all_rows():
            what = [line.what for line in self.world.store.reviews.history(row.id)]
            # Both: the gate merged it into a branch to which it was retargeted in the last instant.
            assert max(what.count("merged"), what.count("bypassed")) <= 1, what
        for one, two in pairwise(self.world.inbox.mails):
            assert one.message_id != two.message_id


# --- Reading the world --------------------------------------------------------------------------------------


def tell(world: World) -> str:
    """Every row with its history, what GitHub shows, the last calls and mails."""
    lines = []
    for row in world.all_rows():
        pull = world.github.pull(row.number)
        lines.append(
            f"#{row.number} {row.state} r{row.round} {row.base}@{row.head_sha[:7]} blocked={row.blocked} problem={world.problem(row.number)} "
            f"rev={row.rev}/{row.seen_rev} bypassed={row.bypassed} decision={row.decision and row.decision.choice}"
        )
        lines.append(
            f"   GitHub: {pull.state} draft={pull.draft} merged={pull.merged} {pull.base}@{pull.head_sha[:7]} "
            f"{newest(world, pull.head_sha)} '{pull.title}'"
        )
        lines += [
            f"   {line.at:%d %H:%M:%S} r{line.round} {line.base}@{line.head_sha[:7]} {line.what}: {line.detail}"
            for line in world.store.reviews.history(row.id)
        ]
    lines += [
        f"{call.at:%d %H:%M:%S} {call.method} {call.path} {call.status}" for call in world.github.calls[-25:]
    ]
    lines += [f"mail: {mail.subject}" for mail in world.inbox.mails]
    return "\n".join(lines)


def may_be(pull: Pull) -> set[State]:
    """What a row may say of a pull request."""
    if pull.base not in GATED:
        # Merged into a branch that nobody guards; or while a yes for a guarded one was on its way.
        return {State.CLOSED, State.MERGED} if pull.merged else {State.CLOSED}
    if not pull.open:
        return {State.MERGED if pull.merged else State.CLOSED}
    return {State.DRAFT} if pull.draft else {State.TO_ASK, State.WAITING, State.REJECTED, State.TO_MERGE}


def newest(world: World, sha: str) -> dict[str, str]:
    """The gate's words on a commit, by context."""
    said = world.github.repo().statuses.get(sha, [])
    return {one.context: one.state for one in said if one.context.startswith("qa-gate/")}


def read_link(world: World, path: str) -> tuple[DecideLink, bool]:
    """What a link of the gate's says, and whether it is too old to decide."""
    try:
        return world.gate.links.read_decide(path.removeprefix("/decide/"), world.clock()), False
    except ExpiredLink as expired:
        return cast(DecideLink, expired.link), True


def about(world: World, link: DecideLink) -> tuple[int, int]:
    """The review and round that a link was made for."""
    found = world.store.reviews.by_round(link.nonce, link.repository_id, link.number)
    assert found is not None
    return found[0].id, found[1]


def is_question(mail: Any) -> bool:
    """Tell whether a mail asks about one pull request, and is no list and no news."""
    return "#" in mail.subject and not mail.preview.startswith(
        ("Not approved by QA", "Approved, not in yet", "It’s live")
    )


def asked_in(world: World, mail: Any) -> list[DecideLink]:
    """What the links of a mail are about."""
    return [read_link(world, path)[0] for path in re.findall(r"/decide/[\w.-]+", mail.text)]


def markers(world: World) -> Counter[str]:
    """How often each decision was said at GitHub, as review or comment, and how often each hold."""
    repo = world.github.repo()
    bodies = [review.body for pull in repo.pulls.values() for review in pull.reviews]
    bodies += [comment.body for comment in repo.comments.values()]
    return Counter(mark for body in bodies for mark in re.findall(r"<!-- qa-gate (.*?) \w+ -->", body))


def standing_yes(world: World, row: Review) -> tuple[str, str] | None:
    """Base and head that Lily's yes stands for, told from the history alone; a carried one is proved by git."""
    stands: HistoryRow | None = None
    pull = world.github.pull(row.number)
    for line in world.store.reviews.history(row.id):
        if line.what in ENDS:
            stands = None
        elif line.what == "approved" or (line.what == "same_change" and stands):
            stands = line
            asked = world.store.reviews.round(row.id, line.round)
            assert asked, f"a yes to what was never asked: {line}"
            assert asked.snapshot.pull.base == line.base
            if line.what == "same_change" and (line.base, line.head_sha) == (pull.base, pull.head_sha):
                shown = asked.snapshot.pull
                now = change(world, base_tip(pull), pull.head_sha)
                assert change(world, asked.snapshot.change.base_sha, shown.head_sha) == now, (
                    f"not the same: {line}"
                )
    return (stands.base, stands.head_sha) if stands else None


def change(world: World, base: str, head: str) -> set[Any]:
    """What git says that a head does to its base, each path with both modes and blobs."""
    git = world.github.repo().git
    since = git.base(base, head)
    assert since
    before, after = (
        {(e.path, e.mode, e.sha) for e in git.tree(sha, True) if e.kind != "tree"} for sha in (since, head)
    )
    return {("-", *entry) for entry in before - after} | {("+", *entry) for entry in after - before}


@contextmanager
def mortality(instants: Instants, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Count every HTTP request of this thread as an instant."""
    put = http.client.HTTPConnection.putrequest

    def counted(self: http.client.HTTPConnection, *words: Any, **more: Any) -> None:
        instants()
        put(self, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(http.client.HTTPConnection, "putrequest", counted)
        yield


@pytest.mark.parametrize("beginning", range(BEGINNINGS))
def test_the_promises_hold_in_any_life(
    beginning: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = count(1)
    instants = Instants()
    caplog.set_level("INFO")

    def make(**more: str) -> tuple[World, Path]:
        folder = tmp_path / str(next(numbers))
        file = folder / "gate.db"
        return World(folder / "git", f"sqlite:///{file}", monkeypatch, **more), file

    size = settings(
        max_examples=LIVES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )

    def lives() -> Lives:
        return Lives(make, instants, caplog)

    if size.derandomize:  # else each beginning is another one anyway
        lives = seed(beginning)(lives)
    with mortality(instants, monkeypatch):
        run_state_machine_as_test(lives, settings=size)
