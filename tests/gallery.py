"""Every page in every state that a person can meet, in one world: for the checks of accessibility and for pictures.

`Gallery` tells a small story in a shop; `pages` are the addresses that it leads to, by name. Nothing here asserts.
"""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.datastructures import FileStorage

from app.db.jobs import Kind
from app.domain.approval import Choice
from app.domain.policy import Reviewer
from app.domain.problems import Problem, Trouble, What
from app.links import DecideLink, SignInLink, decide_link
from app.mail.compose import waiting_since
from app.mail.news import compose_problem, compose_restored, problem_words
from tests.pictures import photo
from tests.world import SHOP, World

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
MAX = "Max <max@example.com>"
BODY = """\
Customers ask for a present that always fits.

- There are two cards, for **25** and for **50**
- They are valid for three years

## How to test

1. Open the shop and go to *Gifts*
2. Put a card into the cart
3. It should look right on a phone, too
"""


class Gallery:
    """A shop whose pull requests have each come to another end, after so many weeks in which it had the gate."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, weeks: int = 2) -> None:
        self.world = World(
            folder / "git",
            f"sqlite:///{folder}/qa-gate.db",
            monkeypatch,
            QA_REVIEWERS=f"Lily <lily@example.com>, {MAX}",
            PREVIEW_URL="https://preview.example.com/{number}/",
        )
        self.world.github.add_person("kim").name = "Kim Berg"
        self.world.github.world.person("sam").name = "Sam Meyer"
        self.pages: dict[str, str] = {}
        self.mails: dict[str, str] = {}
        self._sessions: dict[str, Any] = {}
        self._live(weeks)

    def stop(self) -> None:
        """End what was started."""
        self.world.stop()

    @property
    def lily(self) -> Reviewer:
        """The reviewer whose pages these are."""
        return self.world.gate.policy.reviewers[0]

    @property
    def max(self) -> Reviewer:
        """The other reviewer."""
        return self.world.gate.policy.reviewers[1]

    def session(self, browser: Browser, reviewer: Reviewer | None = None) -> Any:
        """The cookies of a reviewer, Lily unless another is named, from signing in once."""
        reviewer = reviewer or self.lily
        if reviewer.id not in self._sessions:
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"{self.world.url}{self._way_in_by_mail(reviewer)}")
            page.get_by_role("button", name="Sign in").click()
            expect(page).to_have_url(f"{self.world.url}/")
            self._sessions[reviewer.id] = context.storage_state()
            context.close()
        return self._sessions[reviewer.id]

    def digest(self) -> str:
        """The list of the next morning: let the night pass."""
        self.world.pass_(minutes=12)
        self.world.store.timers.set(Kind.DIGEST)
        self.world.pass_(hours=21)
        return next(mail.html for mail in reversed(self.world.inbox.mails) if "for you" in mail.subject)

    def _way_in_by_mail(self, reviewer: Reviewer) -> str:
        self.world.clock.pass_(minutes=1)
        self.world.browser.post("/sign-in", data={"address": reviewer.address})
        self.world.settle()
        found = re.search(r"/sign-in/\S+", self.world.inbox.mails[-1].text)
        return found[0] if found else ""

    def _mail(self, words: str) -> str:
        """The last mail whose subject, or what a list shows behind it, begins so."""
        mails = list(reversed(self.world.inbox.mails))
        return next(m.html for m in mails if m.subject.startswith(words) or m.preview.startswith(words))

    def link(self, number: int, choice: Choice = Choice.APPROVE, *, days_ago: int = 0) -> str:
        """The path of a link about a pull request's round as it is now."""
        row, links = self.world.row(number), self.world.gate.links
        moment = self.world.clock.now - timedelta(days=days_ago)
        url = links.decide_url(decide_link(row, self.lily.id, choice), moment)
        return url.removeprefix(self.world.url)

    def _url(self, link: DecideLink) -> str:
        return self._path(self.world.gate.links.decide_url(link, self.world.clock.now))

    def _way_in(self, letter: str, ago: timedelta = timedelta(0)) -> str:
        links, now = self.world.gate.links, self.world.clock.now
        return self._path(links.sign_in_url(SignInLink(letter, self.lily.id), now - ago))

    def _path(self, url: str) -> str:
        return url.removeprefix(self.world.url)

    def _asked(self, branch: str, title: str, body: str = "The supplier's new list came in.\n") -> int:
        number = self.world.open(branch, title=title, body=body)
        self.world.settle()
        self.world.pass_(minutes=7)
        return number

    def _live(self, weeks: int) -> None:
        world = self.world
        world.look()  # so that what is merged from here on did not come before the gate
        self._live_through(weeks)
        self._went_live()
        self._asked("tea-bags", "Sell tea in bags, too")
        world.clock.pass_(hours=51)
        self._question()
        self._ends()
        asked = self._asked("night-colours", "Be kind to eyes at night")
        self.pages["old round"] = self.link(asked)
        world.commit("night-colours", "More contrast", style_css="night\n")
        world.settle()
        world.pass_(minutes=10)
        release = next(row.number for row in world.all_rows() if row.title.startswith("Release"))
        self.pages |= {
            "asked again": self.link(asked),
            "release": self.link(release),
            "cautions": self._cautions(),
            "pictures": self._pictures(),
            "details, pictures": self._with_her_pictures(),
            "a question with pictures": self._question_with_pictures(),
            **self._worth_testing(),
            "question sent": self._question_sent(),
            "withdrawn": self._withdrawn(),
            "details, ticks": self._ticked(),
            "preparing": self._preparing(),
            "way in": self._way_in_by_mail(self.max),
            "wrong way": "/sign-out",
            "expired": self.link(asked, days_ago=31),
            "tampered": "/decide/not-a-link",
            "fresh link sent": f"{self.pages['old round']}/fresh",
            "sign in": "/sign-in",
            "sign in: mail sent": "/sign-in/sent",
            "missing": "/nothing-here",
            "pending": "/",
            "way in, used": self._way_in("9" * 24),
            "way in, too old": self._way_in("9" * 24, timedelta(hours=2)),
            "not a reviewer": self._url(DecideLink("1" * 24, 1, 1, "0" * 12, Choice.APPROVE)),
            "forgotten": self._url(DecideLink("9" * 24, 999, 1, self.lily.id, Choice.APPROVE)),
            "details: tampered": "/status/not-a-link",
            "history": "/history",
            "history of nothing": "/history?text=no-such-thing",
            "history, bad day": "/history?from=yesterday",
        }
        self.mails |= {
            "mail-outcome": self._mail("Approved, not in yet"),
            "mail-bypass": self._mail("Not approved by QA"),
            "mail-release": self._mail("Release into"),
            "mail-sign-in": self._mail("Your sign-in link"),
            "mail-new-version": self._mail("New version: Sam Meyer"),
            "mail-new-link": self._new_link(asked),
            "mail-restored": self._restored(),
            "mail-problem": self._problem(),
        }

    def _restored(self) -> str:
        """The news that a backup from this morning was restored."""
        now, gate = self.world.clock.now, self.world.gate
        since, until = (waiting_since(one, now, gate.timezone) for one in (now - timedelta(hours=3), now))
        return compose_restored(self.lily, since, until, gate.public_url, decides=True, operates=False).html

    def _problem(self) -> str:
        """What whoever runs the gate gets of a problem that has lasted."""
        now, gate = self.world.clock.now, self.world.gate
        problem, said = Problem(1, What.RIGHTS, SHOP, now, now, now), "GitHub does not let the gate do this."
        told = problem_words(problem, [], [], [Trouble(What.RIGHTS, SHOP, f"{SHOP}#12", said)])
        return compose_problem(self.lily, problem, told, gate.public_url, gate.timezone).html

    def _live_through(self, weeks: int) -> None:
        """Live the last of eleven weeks in which little was decided, and nothing of it came in."""
        world, approved, rejected = (
            self.world,
            (3, 1, 2, 4, 2, 0, 3, 5, 2, 3, 1),
            (1, 0, 1, 0, 2, 0, 1, 1, 0, 1, 0),
        )
        today = world.clock.now
        world.clock.now = today - timedelta(weeks=weeks + 1)
        for week, (good, bad) in list(enumerate(zip(approved, rejected, strict=True)))[-weeks:]:
            for turn in range(good + bad):
                number = self._asked(f"week-{week}-{turn}", f"Tea of the week {week + 1}, part {turn + 1}")
                world.clock.pass_(minutes=40 + 35 * ((week * 5 + turn * 3) % 7))
                choice = "approve" if turn < good else "reject"
                world.decide(choice, "The picture is missing.", path=self.link(number))
                world.github.close(number)
                world.settle()
            world.clock.now = today - timedelta(weeks=11 - week)
        world.clock.now = today

    def _question_sent(self) -> str:
        number = self._asked("pick-up", "Pick it up in the shop", BODY)
        self.world.decide("question", "From what time on?", path=self.link(number))
        self.world.settle()
        return f"{self.link(number)}?done=question"

    def _withdrawn(self) -> str:
        number = self._asked("samples", "A sample with every order")
        self.world.decide(path=self.link(number))
        self.world.decide("take_back", path=self.link(number))
        return f"{self.link(number)}?done=take_back"

    def _ticked(self) -> str:
        repository = self.world.github.repo()
        repository.private = True  # else Details keeps her message to itself
        number = self._asked("vouchers", "Take vouchers at the till", BODY)
        path = self.link(number)
        ticks = re.findall(r'name="works" value="(\w+)"', self.world.browser.get(path).text)[:2]
        form = {"choice": "reject", "note": "It’s cut off on my phone.", "works": ticks, "seen": "0"}
        self.world.browser.post(path, data=form, headers={"User-Agent": IPHONE})
        self.world.settle()
        repository.private = False
        return self.world.details(number)

    def _new_link(self, number: int) -> str:
        self.world.browser.post(f"{self.link(number).partition('?')[0]}/fresh")
        self.world.settle()
        return self._mail("New link")

    def _went_live(self) -> None:
        """Let two changes go out to customers, one of them with a message."""
        world = self.world
        for branch, title, note in (
            ("green-tea", "Green tea from Uji", "Tried all three sizes. Lovely."),
            ("tea-cups", "Larger pictures of cups", ""),
        ):
            world.decide(note=note, path=self.link(self._asked(branch, title)))
            world.settle()
        world.pass_(seconds=31)
        world.pass_(minutes=10)
        number = next(row.number for row in world.all_rows() if row.title.startswith("Release"))
        self.pages["went live"] = self.link(number)
        world.decide(path=self.link(number))
        world.settle()
        self.mails["mail-went-live"] = self._mail("Release into")

    def _pictures(self) -> str:
        """A change whose description shows pictures: beside each other in a table, a tall one, and one from elsewhere."""
        attach = self.world.github.attach
        before, after, tall = (
            attach(photo(900, 600)),
            attach(photo(900, 620, "PNG")),
            attach(photo(500, 1400)),
        )
        body = (
            f"| Before | After |\n|---|---|\n| ![The old cart]({before}) | ![The new cart]({after}) |\n\n"
            f"On a phone:\n\n![The cart on a phone]({tall})\n\n![Elsewhere](https://example.com/x.png)\n"
        )
        return self.link(self._asked("cart-pictures", "A new look for the cart", body))

    def _with_pictures(self, number: int, choice: str, note: str) -> None:
        files = [
            FileStorage(BytesIO(photo(*size)), "a.jpg", "pictures") for size in ((900, 700), (600, 1300))
        ]
        form = {"choice": choice, "note": note, "seen": "0", "pictures": files}
        self.world.browser.post(self.link(number), data=form, content_type="multipart/form-data")
        self.world.settle()

    def _with_her_pictures(self) -> str:
        self.world.github.repo().private = True  # else Details keeps her message to itself
        number = self._asked("small-screens", "Fit small screens", BODY)
        self._with_pictures(number, "reject", "The button is cut off, see the pictures.")
        self.pages["rejected with pictures"] = self.link(number)
        self.world.github.repo().private = False
        return self.world.details(number)

    def _question_with_pictures(self) -> str:
        number = self._asked("round-corners", "Round corners")
        self._with_pictures(number, "question", "Is it meant to look like this?")
        return self.link(number)

    def _worth_testing(self) -> dict[str, str]:
        """What came in the way of a question while she was asked: an overlap, a red check, both, one that is over."""
        world, found = self.world, dict[str, str]()
        names = {"overlap": "sale", "red check": "tax", "green again": "coupons", "overlap and red": "wishes"}
        asked = {name: self._asked(branch, f"Show {branch}", BODY) for name, branch in names.items()}
        for name, number in asked.items():
            head = world.github.pull(number)
            if "overlap" in name:
                world.github.commit(SHOP, "development", {f"{head.head}.py": "clash\n"}, "Clash", "kim")
            if name != "overlap":
                for check in ("checkout (mobile)", "unit tests"):
                    world.github.set_check(None, head.head_sha, check, conclusion="failure")
                world.settle()
            found[name] = self.link(number)
        world.pass_(seconds=40)
        world.pass_(seconds=40)
        for check in ("checkout (mobile)", "unit tests"):
            world.github.set_check(None, world.github.pull(asked["green again"]).head_sha, check)
        world.settle()
        return found | {"details, red check": world.details(asked["red check"])} | self._held_back()

    def _held_back(self) -> dict[str, str]:
        """A new version of which GitHub knows that it overlaps: nobody is asked about it."""
        world = self.world
        number = self._asked("gift-wrap", "Gift wrap for all")
        old = self.link(number)
        world.github.commit(SHOP, "development", {"wrap.py": "clash\n"}, "Clash", "kim")
        world.github.commit(SHOP, "gift-wrap", {"wrap.py": "another\n"}, "Another paper", "sam")
        world.settle()
        for _ in range(3):
            world.pass_(minutes=6)
            world.github.edit(number, title=f"Gift wrap for all{'' if _ else ' of us'}")
            world.settle()
        return {
            "held back": self.link(number),
            "held back, the old link": old,
            "details, held back": world.details(number),
        }

    def _cautions(self) -> str:
        files = {".github/workflows/ci.yml": "on: push\n", "logo.png": b"\x00\x01\x02" * 99}
        self.world.github.commit(SHOP, "gift-саrds", files, "A new logo", "sam")
        return self.link(self._asked("gift-саrds", "A logo for gift cards"))

    def _preparing(self) -> str:
        number = self._asked("wrapping", "Wrap it as a present")
        self.world.commit("wrapping", "With a ribbon", ribbon_py="red\n")
        self.world.settle()
        return self.link(number)

    def _question(self) -> None:
        number = self._asked("gift-cards", "Add gift cards", BODY)
        self.world.decide("question", "Should a card for 0 euros be possible?", path=self.link(number))
        self.world.settle()
        self.mails["mail"] = self._mail("Add gift cards")
        self.world.clock.pass_(minutes=20)
        self.world.github.comment(number, "No, the smallest card is 25 euros.", by="sam")
        self.world.settle()
        self.world.pass_(minutes=2)
        self.mails["mail-answer"] = self._mail("Sam Meyer answered")
        details = self.world.github.repo().statuses[self.world.row(number).head_sha][-1].target_url or ""
        self.pages |= {
            "question": self.link(number),
            "question, reject first": self.link(number, Choice.REJECT),
            "review": f"/reviews/{self.world.row(number).id}",
            "details": details.removeprefix(self.world.url),
        }

    def _ends(self) -> None:
        world = self.world
        ended = {
            name: self._asked(branch, title)
            for name, branch, title in (
                ("merged", "smoky-price", "Update the price of Smoky evening"),
                ("rejected", "free-delivery", "Free delivery from 50"),
                ("closed", "old-idea", "An idea that was given up"),
                ("draft", "half-done", "Half done"),
                ("bypassed", "in-a-hurry", "In a hurry"),
                ("held", "opening-hours", "Show when we answer"),
                ("decided by another", "month-1", "Tea of the month"),
            )
        }
        world.decide(path=self.link(ended["merged"]))
        world.decide(
            "reject", "49.99 is free already.\nIt should cost 4.90.", path=self.link(ended["rejected"])
        )
        max_ = decide_link(world.row(ended["decided by another"]), self.max.id, Choice.REJECT)
        world.decide("reject", "Which month?", path=self._url(max_))
        world.github.close(ended["closed"])
        world.github.convert_to_draft(ended["draft"])
        world.github.merge_as("kim", ended["bypassed"])
        hours = world.github.pull(ended["held"]).head
        world.github.commit(SHOP, "development", {f"{hours.partition('-')[2]}.py": "clash\n"}, "Clash", "kim")
        world.decide(path=self.link(ended["held"]))
        world.settle()
        self.pages |= {name: self.link(number) for name, number in ended.items()}
