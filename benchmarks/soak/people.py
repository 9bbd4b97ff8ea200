"""What people do in a life: developers at the pretend GitHub, Lily in her inbox and on the gate's pages.

Each act is chosen by the seed. Lily sees and clicks as a browser does, and writes down what she was told.
"""

from __future__ import annotations

import http.client
import re
from contextlib import suppress
from itertools import count
from random import Random
from time import time

from benchmarks.soak.record import Answer, Deed, Outcome, Record
from benchmarks.soak.stage import SHOP, Stage, call, until
from demo.github.state import Pull, Refusal
from demo.inbox import Mail

MOST_OPEN = 6
_LINK = re.compile(r"/decide/([\w.~-]+)")
_HIDDEN = re.compile(r'<input[^>]*type="hidden"[^>]*name="(\w+)"[^>]*value="([^"]*)"')
_SHOWN = re.compile(r"https://preview\.example/(\d+)/([0-9a-f]{40})")
# Acts by how often they are chosen.
DEEDS = {"push": 9, "update": 2, "close": 1, "reopen": 3, "draft": 1, "ready": 4, "title": 1, "around": 1}
CHOICES = {"approve": 12, "reject": 3, "take_back": 3, "question": 2}


def links_of(mail: Mail) -> list[str]:
    """Return the paths of the links in a mail by which something can be decided, each once."""
    return list(dict.fromkeys(f"/decide/{token.rstrip('.')}" for token in _LINK.findall(mail.text)))


def about(path: str) -> str:
    """Return what a link is about: its part before the time and the signature, the same in every such link."""
    return path.rsplit("/", 1)[1].rsplit(".", 2)[0]


def newest_links(mails: list[Mail]) -> dict[str, str]:
    """Return the newest link to approve by the subject of its mail; a list counts as one."""
    return {mail.subject: links_of(mail)[0] for mail in mails if links_of(mail)}


class Developers:
    """They open, push, close and merge."""

    def __init__(self, stage: Stage, record: Record, chance: Random) -> None:
        self._github, self._record, self._chance = stage.github, record, chance
        self._numbers = count(1)

    def act(self) -> None:
        """Do one thing; GitHub refuses what is not possible."""
        pulls = list(self._github.repo().pulls.values())
        are_few = sum(pull.open for pull in pulls) < MOST_OPEN
        what = self._chance.choices(["open", "base", "clash", *DEEDS], [7 * are_few, 2, 1, *DEEDS.values()])[
            0
        ]
        ours = [pull for pull in pulls if pull.base == "development" and not pull.merged]
        ours = [pull for pull in ours if pull.open is not (what == "reopen")]
        with suppress(Refusal):
            if what == "open":
                self.open()
            elif not ours:
                return
            elif what in ("base", "clash"):
                self._push_to_base(self._chance.choice(ours) if what == "clash" else None)
            else:
                self._change(what, self._chance.choice(ours))

    def open(self) -> int:
        """Open a pull request of an author of its own: of one author's only a few are asked about alone."""
        name = f"part-{next(self._numbers)}"
        self._commit(name, name)
        draft = self._chance.random() < 0.15
        number = self._github.open_pull_request(
            SHOP, name, title=f"Add {name}", body=f"About {name}.", author=f"dev-{name}", draft=draft
        )
        self._note("open", number)
        return number

    def _commit(self, branch: str, file: str) -> None:
        text = f"{branch} {next(self._numbers)}\n"
        self._github.commit(SHOP, branch, {f"{file}.py": text}, f"Work on {text.strip()}", f"dev-{branch}")

    def _push_to_base(self, clash: Pull | None) -> None:
        """Move the base, or change on it the very file that a pull request changes."""
        name = clash.head if clash else f"base-{next(self._numbers)}"
        text = f"base {next(self._numbers)}\n"
        sha = self._github.commit(SHOP, "development", {f"{name}.py": text}, f"Change {name}", "kim")
        self._record.pushed.add(sha)

    def _change(self, what: str, pull: Pull) -> None:
        is_possible = {
            "reopen": not pull.open and not pull.merged,
            "draft": pull.open and not pull.draft,
            "ready": pull.open and pull.draft,
            "around": pull.open and self._chance.random() < 0.3,
        }
        if not is_possible.get(what, pull.open):
            return
        # Noted before it is done: what comes of it may come sooner than a note after it.
        self._note(what, pull.number)
        match what:
            case "push":
                self._commit(pull.head, pull.head)
            case "update":
                self._update(pull)
            case "close":
                self._github.close(pull.number)
            case "reopen":
                self._github.reopen(pull.number)
            case "draft":
                self._github.convert_to_draft(pull.number)
            case "ready":
                self._github.ready(pull.number)
            case "title":
                self._github.edit(pull.number, f"Add {pull.head}, take {next(self._numbers)}")
            case "around":
                self._merge_around(pull)

    def _merge_around(self, pull: Pull) -> None:
        try:
            self._github.merge_as("kim", pull.number)
        except Refusal:
            self._record.deeds.pop()
            raise

    def _update(self, pull: Pull) -> None:
        """Bring a branch up to date with its base, as GitHub's button does."""
        world, git = self._github.world, self._github.repo().git
        with world.lock:
            tip = git.branches[pull.base]
            tree = git.merge(pull.head_sha, tip)
            if not tree or git.contains(pull.head_sha, tip):
                return
            who, parents = world.github_signature(), (pull.head_sha, tip)
            sha = git.write(f"refs/soak/{next(self._numbers)}", parents, tree, "Update", who)
        self._github.force_push(SHOP, pull.head, sha)

    def _note(self, what: str, number: int) -> None:
        self._record.deeds.append(Deed(time(), number, what))
        self._record.counts["acts"] += 1


class Lily:
    """She reads her mail and her page, and clicks."""

    def __init__(self, stage: Stage, record: Record, chance: Random) -> None:
        self._stage, self._record, self._chance = stage, record, chance
        self._numbers = count(1)
        self._cookie = ""

    def sign_in(self) -> None:
        """Ask for a link and use it, once and before anything goes wrong. Raises TimeoutError."""
        self._request("POST", "/sign-in", {"address": "lily@example.com"})
        mails, found = self._stage.inbox.mails, re.compile(r"/sign-in/[\w.~-]+")
        if not until(lambda: any(found.search(mail.text) for mail in mails), 20):
            raise TimeoutError("no sign-in mail came")
        path = next(hit[0] for mail in mails if (hit := found.search(mail.text)))
        answer = self._request("POST", path, {})
        self._cookie = (answer[1].get("set-cookie", "") if answer else "").partition(";")[0]

    def act(self) -> None:
        """Answer something: mostly what is newest, from a mail or from her page, at times an old link."""
        roll, mails = self._chance.random(), self._stage.inbox.mails
        newest = list(newest_links(mails).values())
        paths = self.listed() if roll < 0.2 else newest
        if is_old := roll > 0.75:
            current = set(map(about, newest))
            paths = [path for mail in mails for path in links_of(mail)[:1] if about(path) not in current]
        if not paths:
            return
        path = self._chance.choice(paths)
        if roll > 0.95:
            self._request("GET", path)  # a scanner
            return
        self.answer(path, self._chance.choices([*CHOICES], [*CHOICES.values()])[0], is_blind=is_old)

    def listed(self) -> list[str]:
        """Return the links of her page."""
        answer = self._request("GET", "/", cookie=self._cookie)
        return [f"/decide/{token}" for token in _LINK.findall(answer[2])] if answer else []

    def may_answer(self, path: str) -> int | None:
        """Return the number of the pull request that a link lets her approve now, None where it lets her approve none."""
        page = self._request("GET", path)
        shown = _SHOWN.search(page[2]) if page and 'value="approve"' in page[2] else None
        return int(shown[1]) if shown else None

    def answer(self, path: str, choice: str, *, is_blind: bool = False) -> None:
        """Open a link and press a button; `is_blind`: also where the page has none, as an old page that is still open would."""
        page = self._request("GET", path)
        if page and choice == "approve" and "?again=" in page[2]:
            page = self._request("GET", f"{path}?again=1")  # what was rejected, after all
        number = self._number(path, page[2]) if page else None
        if page is None or number is None:
            return
        shown = _SHOWN.search(page[2]) if f'value="{choice}"' in page[2] else None
        if shown is None and not is_blind:
            return  # there is nothing to press
        # Letters and digits only, so that it reads the same wherever it is said.
        note = "" if choice == "take_back" else f"note{next(self._numbers)}x"
        sent = time()
        form = {**dict(_HIDDEN.findall(page[2])), "choice": choice, "note": note}
        told = self._request("POST", path, form)
        outcome: Outcome = "unknown" if told is None else "recorded" if told[0] == 303 else "refused"
        head, asked_at = shown[2] if shown else "", self._asked_at(path)
        answer = Answer(number, choice, note, head, asked_at, sent, time(), outcome)
        self._record.answers.append(answer)
        self._record.counts["acts"] += 1
        self._record.counts[f"answers {outcome}"] += 1

    def _number(self, path: str, page: str) -> int | None:
        """Return which pull request a link is about, as the mail or the page says that it came in."""
        for mail in self._stage.inbox.mails:
            if path in links_of(mail) and (found := re.search(r"#(\d+)", mail.subject)):
                return int(found[1])
        found = _SHOWN.search(page) or re.search(r"#(\d+)\b", page)
        return int(found[1]) if found else None

    def _asked_at(self, path: str) -> float | None:
        mails = (mail for mail in self._stage.inbox.mails if about(path) in map(about, links_of(mail)))
        return next((mail.received_at.timestamp() for mail in mails), None)

    def _request(
        self, method: str, path: str, form: dict[str, str] | None = None, cookie: str = ""
    ) -> tuple[int, dict[str, str], str] | None:
        """Make a request to whichever gate takes it; None where no answer came."""
        ports = self._stage.ports
        self._chance.shuffle(ports)
        for port in ports:
            try:
                return call(port, method, path, form, cookie)
            except ConnectionRefusedError:
                continue
            except (OSError, http.client.HTTPException):
                return None
        return None
