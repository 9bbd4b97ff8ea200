"""What goes wrong in a life: webhooks, GitHub, SES, the gate's processes, its database and its disk.

Each trouble is chosen by the seed, begins, lasts a while and ends; several may be under way. `heal` ends them all.
A pause is as long as a lease and more now and then: so long that another process has taken the work over.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Collection
from random import Random
from time import time

from benchmarks.soak.record import Record, Trouble
from benchmarks.soak.stage import Gate, Stage
from demo.faults import Fault
from demo.github.webhooks import Delivery

LEASE = 120.0  # seconds that the gate leases a job for
CALLS = (
    ("GET", r"/pulls/\d+$"),
    ("GET", "/compare/"),
    ("GET", "/pulls$"),
    ("POST", "/statuses/"),
    ("POST", r"/pulls/\d+/reviews$"),
    ("PUT", "/merge$"),
    ("PUT", "/update-branch$"),
    ("*", "/comments"),
    ("*", ".*"),
)
ANSWERS: tuple[int | None, ...] = (None, 500, 502, 503, 401, 403, 404, 422, 429)
# What strikes the gate's processes.
OF_A_PROCESS = {"kill", "kill at a call", "pause", "disk"}
HTML = "<html><body>A proxy had a bad day.</body></html>"
End = Callable[[], object]


class Troubles:
    """Those that are under way, and the chance that makes new ones."""

    def __init__(
        self, stage: Stage, record: Record, chance: Random, only: Collection[str] | None = None
    ) -> None:
        self._stage, self._record, self._chance = stage, record, chance
        self._under_way: list[tuple[str, float, float, End]] = []  # what, began, ends, how
        self._faults: list[Fault] = []
        self._doomed: tuple[str, int] | None = None
        stage.github.on_call = self._on_call
        kinds: dict[str, tuple[int, Callable[[], tuple[float, End]]]] = {
            "webhooks": (6, self._webhooks),
            "github": (10, self._github),
            "github away": (1, self._github_away),
            "mail": (5, self._mail),
            "kill": (3, self._kill),
            "kill at a call": (3, self._kill_at_a_call),
            "pause": (2, self._pause),
            "disk": (1 if stage.database else 0, self._disk),
            "database": (0 if stage.database else 1, self._database),
        }
        self._kinds = {what: kind for what, kind in kinds.items() if only is None or what in only}

    def strike(self) -> None:
        """End what is over, and begin something, or nothing."""
        now = time()
        for trouble in [one for one in self._under_way if one[2] <= now]:
            self._end(trouble)
        busy = {what for what, *_ in self._under_way}
        if busy & OF_A_PROCESS or not all(gate.is_up for gate in self._stage.gates):
            busy |= OF_A_PROCESS  # one of them at a time, else nothing would ever be done
        free = {what: weight for what, (weight, _) in self._kinds.items() if what not in busy}
        if not any(free.values()):
            return
        what = self._chance.choices([*free], [*free.values()])[0]
        lasts, end = self._kinds[what][1]()
        self._record.counts[what] += 1
        self._under_way.append((what, now, now + lasts, end))

    def heal(self) -> None:
        """Let all work again."""
        while self._under_way:
            self._end(self._under_way[0])
        self._doomed = None
        for fault in self._faults:
            fault.lift()
        self._record.counts["faults"] += sum(fault.met for fault in self._faults)
        self._stage.github.webhooks_paused = False
        self._stage.github.release()

    def _end(self, trouble: tuple[str, float, float, End]) -> None:
        self._under_way.remove(trouble)
        what, began, _, end = trouble
        end()
        what = "kill" if what == "kill at a call" else what
        self._record.troubles.append(Trouble(what, began, time()))

    # --- Outside ---------------------------------------------------------------------------------------------

    def _webhooks(self) -> tuple[float, End]:
        """Lose them for a while; or hold them, then send them in any order, some twice, some never; or send one again."""
        github = self._stage.github
        # As a proxy does: each time to whichever process.
        github.webhook_url = f"http://127.0.0.1:{self._chance.choice(self._stage.ports)}/webhook"
        match self._chance.choice(["lost", "held", "again"]):
            case "lost":
                github.webhooks_paused = True
                return self._chance.uniform(1, 8), lambda: setattr(github, "webhooks_paused", False)
            case "held":
                github.hold()
                return self._chance.uniform(1, 15), lambda: github.release(self._mixed)
        for delivery in self._chance.sample(github.deliveries, min(3, len(github.deliveries))):
            github.redeliver(delivery.id)
        return 0, lambda: None

    def _mixed(self, held: list[Delivery]) -> list[Delivery]:
        sent = [one for one in held for _ in range(self._chance.choice([0, 1, 1, 1, 2]))]
        self._chance.shuffle(sent)
        return sent

    def _github(self) -> tuple[float, End]:
        """Let one to three calls of a kind be answered wrongly, late, in part or never, with their work done or not."""
        github, chance = self._stage.github, self._chance
        (method, path), times = chance.choice(CALLS), chance.randint(1, 3)
        match chance.choice(["answer"] * 5 + ["slow", "silence", "cut", "html"]):
            case "slow":
                fault: Fault = github.slow(method, path, chance.uniform(1, 8), times)
            case "silence":
                fault = github.silence(method, path, 1, after=chance.random() < 0.5)
            case "cut":
                fault = github.cut(method, path, times)
            case "html":
                fault = github.fail(method, path, 200, HTML, times=times, after=chance.random() < 0.5)
            case _:
                status = chance.choice(ANSWERS)
                is_refusal = status is not None and 400 < status < 500
                headers = {"Retry-After": str(chance.randint(1, 5))} if status == 429 else None
                # One odd refusal: of several a courtesy may be dropped, and that would be right.
                fault = github.fail(
                    method,
                    path,
                    status,
                    headers=headers,
                    times=1 if is_refusal else times,
                    after=not is_refusal and chance.random() < 0.5,
                )
        self._faults.append(fault)
        return chance.uniform(2, 12), fault.lift

    def _github_away(self) -> tuple[float, End]:
        return self._chance.uniform(1, 20), self._stage.github.refuse()

    def _mail(self) -> tuple[float, End]:
        """The same for SES."""
        inbox, chance = self._stage.inbox, self._chance
        if chance.random() < 0.1:
            return chance.uniform(1, 15), inbox.refuse()
        match chance.choice(["answer", "answer", "slow", "silence", "cut"]):
            case "slow":
                fault: Fault = inbox.slow(chance.uniform(1, 5), chance.randint(1, 3))
            case "silence":
                fault = inbox.silence(1, after=chance.random() < 0.5)
            case "cut":
                fault = inbox.cut(1)
            case _:
                status = chance.choice([None, 429, 500, 503, 403])
                after = status in (None, 500, 503) and chance.random() < 0.3
                fault = inbox.fail(status, "ServiceUnavailable", "A bad day.", chance.randint(1, 2), after)
        self._faults.append(fault)
        return chance.uniform(2, 12), fault.lift

    # --- The gate itself -------------------------------------------------------------------------------------

    def _kill(self) -> tuple[float, End]:
        """`kill -9` of all of a gate, or only of the server that its first process started and starts again."""
        gate = self._chance.choice(self._stage.gates)
        gate.kill(only_child=self._chance.random() < 0.25)
        return self._chance.uniform(0, 4), gate.start

    def _kill_at_a_call(self) -> tuple[float, End]:
        """The same in the midst of a call to GitHub, just before its work or just after it."""
        gate = self._chance.choice(self._stage.gates)
        self._doomed = (self._chance.choice(["before", "after"]), self._stage.gates.index(gate))
        return self._chance.uniform(2, 12), lambda: self._spare(gate)

    def _spare(self, gate: Gate) -> None:
        self._doomed = None
        gate.start()

    def _on_call(self, _method: str, _path: str, phase: str) -> None:
        if self._doomed and self._doomed[0] == phase and self._chance.random() < 0.3:
            gate = self._stage.gates[self._doomed[1]]
            self._doomed = None
            gate.kill()

    def _pause(self) -> tuple[float, End]:
        """Let a process sleep: a moment, or longer than a lease."""
        gate = self._chance.choice(self._stage.gates)
        gate.signal(signal.SIGSTOP)
        # With one gate alone nothing else happens meanwhile.
        is_long = self._chance.random() < (0.2 if self._stage.database else 0.6)
        self._record.counts["pauses longer than a lease"] += is_long
        lasts = LEASE + self._chance.uniform(2, 10) if is_long else self._chance.uniform(1, 15)
        return lasts, lambda: gate.signal(signal.SIGCONT)

    def _disk(self) -> tuple[float, End]:
        """Let no file of the gate grow any more, as when the disk is full."""
        database, gate = self._stage.database, self._stage.gates[0]
        if database is None:
            return 0, lambda: None
        files = [database, database.with_name(f"{database.name}-wal")]
        gate.limit_files(max(file.stat().st_size for file in files if file.exists()))
        return self._chance.uniform(1, 10), lambda: gate.limit_files(resource.RLIM_INFINITY)

    def _database(self) -> tuple[float, End]:
        """Let PostgreSQL crash and come again."""
        if self._stage.postgres:
            self._stage.postgres.crash()
        return 0, lambda: None
