"""Away until a date: others are asked, what waits goes to them, and back by the calendar alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select
from werkzeug.test import Client

from app.db.jobs import Kind, Rest
from app.db.tables import absences, history
from app.domain.facts import State
from app.domain.review import Review
from app.jobs.away import hand_over_unheld
from app.settings import Settings
from app.wiring import create_app, create_gate
from demo.inbox import PretendInbox
from demo.inbox.mail import Mail
from tests.databases import ON_BOTH
from tests.test_kill import MOST_INSTANTS, Story, inbox, new_database  # noqa: F401 - fixtures
from tests.test_life import asked, said, what
from tests.world import World, environment

LILY, MAX = "Lily <lily@example.com>", "Max <max@example.com>"
BOTH = f"{LILY}, {MAX}"
MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path, usual_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeWorld]:
    worlds: list[World] = []

    def make(reviewers: str = BOTH) -> World:
        settings = {"QA_REVIEWERS": reviewers, "TIMEZONE": "Europe/Berlin"}
        worlds.append(World(tmp_path / "git", usual_url, monkeypatch, **settings))
        return worlds[-1]

    yield make
    for world in worlds:
        world.stop()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """Tuesday, 13:00 in Berlin; Lily is asked first, Max stands in."""
    return make_world()


class Person:
    """A reviewer who is signed in."""

    def __init__(self, world: World, address: str) -> None:
        self.browser = Client(world.browser.application)
        self.browser.post("/sign-in", data={"address": address})
        world.settle()
        link = re.findall(r"/sign-in/\S+", world.inbox.mails.pop().text)[0]
        assert self.browser.post(link).status_code == 303

    def goes(self, until: str, path: str = "/away") -> int:
        """Send the form as the browser does; return the status."""
        page = self.browser.get("/").text
        (csrf, *_) = re.findall(r'name="csrf" value="([^"]+)"', page)
        return self.browser.post(path, data={"csrf": csrf, "until": until}).status_code

    def is_back(self) -> int:
        return self.goes("", "/back")

    def sees(self) -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.browser.get("/").text))


@pytest.fixture
def lily(world: World) -> Person:
    return Person(world, "lily@example.com")


def to(world: World, who: str) -> list[Mail]:
    return [mail for mail in world.inbox.mails if mail.to == who]


def holder(world: World, number: int = 1) -> str:
    reviewer = world.gate.policy.reviewer(world.row(number).reviewer)
    return reviewer.name if reviewer else "nobody"


# --- Who is asked -------------------------------------------------------------------------------------------


@ON_BOTH
def test_while_she_is_away_the_next_one_is_asked(world: World, lily: Person) -> None:
    assert lily.goes("2026-11-30") == 303
    asked(world)
    assert [mail.to for mail in world.inbox.mails] == [MAX]
    assert said(world).startswith("pending: Waiting for Max’s approval")
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED


@ON_BOTH
def test_what_waits_for_her_goes_to_the_next_one_with_links_of_his_own(world: World, lily: Person) -> None:
    asked(world)
    (hers,) = re.findall(r"\S+/decide/\S+", to(world, LILY)[0].text)[:1]
    world.clock.pass_(hours=1)
    lily.goes("2026-11-30")
    assert world.row().state is State.WAITING, "the page itself hands nothing over"
    world.settle()
    (mail,) = to(world, MAX)
    assert "Lily is away, so this comes to you." in mail.text
    assert hers not in mail.text
    assert (holder(world), world.row().round, what(world)[-1]) == ("Max", 1, "handed_over")
    assert said(world).startswith("pending: Waiting for Max’s approval (asked 24 Nov, 12:00 UTC)")
    world.decide()
    world.settle()
    assert world.row().state is State.MERGED
    assert len(world.inbox.mails) == 2


def test_handing_over_reads_the_pull_request_and_sets_the_status(world: World, lily: Person) -> None:
    asked(world)
    before = len(world.github.calls)
    lily.goes("2026-11-30")
    world.settle()
    assert [call.method for call in world.github.calls[before:]] == ["GET", "POST"]


def test_she_still_sees_what_was_handed_over_and_may_decide_it(world: World, lily: Person) -> None:
    asked(world)
    link = world.link()
    lily.goes("2026-11-30")
    world.settle()
    assert "Max was asked" in lily.sees()
    world.decide(path=link)
    world.settle()
    assert world.row().state is State.MERGED


def test_what_others_were_asked_stays_with_them(world: World, lily: Person) -> None:
    asked(world)
    lily.goes("2026-11-30")
    world.settle()
    assert lily.is_back() == 303
    world.settle()
    assert holder(world) == "Max"
    asked(world, branch="second")
    assert holder(world, 2) == "Lily"
    assert [len(to(world, who)) for who in (LILY, MAX)] == [2, 1]


def test_a_letter_that_did_not_go_out_yet_goes_to_the_next_one_only(world: World, lily: Person) -> None:
    world.inbox.fail(503, times=3)
    asked(world)
    lily.goes("2026-11-30")
    for _ in range(4):
        world.pass_(minutes=16)
    assert [mail.to for mail in world.inbox.mails] == [MAX]


@ON_BOTH
def test_of_day_one_each_goes_over_with_a_letter(world: World) -> None:
    world.github.webhooks_paused = True
    for number in range(3):
        world.open(f"branch-{number}", title=f"Change {number}")
    world.clock.pass_(hours=1)
    world.look()
    lily = Person(world, "lily@example.com")
    lily.goes("2026-11-30")
    world.settle()
    world.pass_(minutes=2)
    assert [len(to(world, who)) for who in (LILY, MAX)] == [0, 3]


def test_who_is_not_named_any_more_hands_over_too(make_world: MakeWorld) -> None:
    world = make_world()
    asked(world)
    world.gate = create_gate(
        Settings.load(environment(world.github, world.url, QA_REVIEWERS=MAX)), world.store
    )
    hand_over_unheld(world.gate)
    world.settle()
    (mail,) = to(world, MAX)
    assert (holder(world), "is away" in mail.text) == ("Max", False)


# --- Back ---------------------------------------------------------------------------------------------------


def test_she_is_back_by_herself_when_the_day_begins(world: World, lily: Person) -> None:
    lily.goes("2026-11-30")
    world.pass_(days=5, hours=9, minutes=59)  # Sunday, 22:59 in Berlin
    asked(world)
    assert (holder(world), "You’re away until Mon 30 Nov" in lily.sees()) == ("Max", True)
    world.pass_(hours=1, minutes=1)  # Monday, 00:00 in Berlin
    asked(world, branch="second")
    assert (holder(world, 2), "Away for a while?" in lily.sees()) == ("Lily", True)


@pytest.mark.parametrize(
    "until, is_taken",
    [
        ("2026-11-25", True),
        ("2027-11-24", True),
        ("2026-11-24", False),
        ("2026-11-01", False),
        ("2027-11-25", False),
        ("9999-12-31", False),
        ("30.11.2026", False),
        ("2026-02-30", False),
        ("", False),
        ("\u0662\u0660\u0662\u0666-\u0661\u0661-\u0663\u0660", False),
    ],
)
def test_only_a_day_from_tomorrow_on_for_a_year_is_taken(
    world: World, lily: Person, until: str, is_taken: bool
) -> None:
    assert lily.goes(until) == (303 if is_taken else 422)
    assert ("You’re away" in lily.sees()) is is_taken
    assert bool(world.store.absences.all()) is is_taken


def test_a_day_that_is_not_taken_is_said_kindly(world: World, lily: Person) -> None:
    (csrf, *_) = re.findall(r'name="csrf" value="([^"]+)"', lily.browser.get("/").text)
    page = lily.browser.post("/away", data={"csrf": csrf, "until": "2026-11-01"}).text
    assert "Please choose a day from tomorrow on, at most a year from now. Nothing has changed." in page
    assert 'aria-invalid="true"' in page
    assert world.store.absences.all() == {}


@ON_BOTH
def test_twice_is_once(world: World, lily: Person) -> None:
    asked(world)
    for _ in range(3):
        lily.goes("2026-11-30")
        world.settle()
    assert len(to(world, MAX)) == 1
    for _ in range(2):
        lily.is_back()
    assert told(world) == [("away", "Lily", "until 2026-11-30"), ("back", "Lily", "")]


def told(world: World) -> list[tuple[str, str, str]]:
    """What the history says of nobody's pull request."""
    with world.store.database.read() as connection:
        rows = connection.execute(select(history).where(history.c.review_id.is_(None)).order_by(history.c.id))
        return [(row.what, row.who, row.detail) for row in rows]


def test_only_her_own_form_counts(world: World, lily: Person) -> None:
    stranger = Client(world.browser.application)
    for path in ("/away", "/back"):
        for browser in (stranger, lily.browser):
            answer = browser.post(path, data={"until": "2026-11-30", "csrf": "wrong"})
            assert answer.status_code == 403
        assert lily.browser.get(path).status_code == 405
    assert world.store.absences.all() == {}


# --- Nobody left --------------------------------------------------------------------------------------------


def test_with_nobody_left_new_ones_wait_and_are_asked_by_themselves(make_world: MakeWorld) -> None:
    world = make_world(LILY)
    lily = Person(world, "lily@example.com")
    lily.goes("2026-11-30")
    world.open()
    world.settle()
    assert (world.row().state, world.inbox.mails) == (State.TO_ASK, [])
    assert said(world) == "pending: QA is away until 30 Nov 2026; it is asked then."
    world.pass_(days=5, hours=10, minutes=59)
    assert world.row().state is State.TO_ASK
    world.pass_(minutes=1)
    assert (world.row().state, len(world.inbox.mails)) == (State.WAITING, 1)


def test_with_nobody_left_she_is_asked_when_she_says_that_she_is_back(make_world: MakeWorld) -> None:
    world = make_world(LILY)
    lily = Person(world, "lily@example.com")
    lily.goes("2026-11-30")
    world.open()
    world.settle()
    lily.goes("2026-12-02")
    world.settle()
    assert said(world) == "pending: QA is away until 02 Dec 2026; it is asked then."
    lily.is_back()
    world.settle()
    assert world.row().state is State.WAITING


@ON_BOTH
def test_with_nobody_left_what_waits_stays_until_anybody_is_back(world: World, lily: Person) -> None:
    asked(world)
    Person(world, "max@example.com").goes("2026-11-26")
    lily.goes("2026-11-30")
    world.settle()
    assert (holder(world), len(world.inbox.mails)) == ("Lily", 1)
    world.pass_(days=1, hours=11)  # Thursday, 00:00 in Berlin
    assert (holder(world), [mail.to for mail in world.inbox.mails]) == ("Max", [LILY, MAX])


@ON_BOTH
@pytest.mark.parametrize("says", ["back", "back sooner"])
def test_what_waits_for_another_goes_to_who_is_back_before_the_day_they_said(
    world: World, lily: Person, says: str
) -> None:
    asked(world)
    max_ = Person(world, "max@example.com")
    max_.goes("2026-12-10")
    lily.goes("2026-12-20")
    world.settle()
    assert holder(world) == "Lily"
    if says == "back":
        max_.is_back()
    else:
        max_.goes("2026-11-26")
    world.pass_(days=1, hours=11)  # Thursday, 00:00 in Berlin
    assert (holder(world), [mail.to for mail in world.inbox.mails]) == ("Max", [LILY, MAX])


def test_with_nobody_left_a_newly_named_one_gets_what_waits(make_world: MakeWorld) -> None:
    world = make_world(LILY)
    lily = Person(world, "lily@example.com")
    asked(world)
    lily.goes("2026-12-20")
    world.open("another")
    world.settle()
    assert [world.row(number).state for number in (1, 2)] == [State.WAITING, State.TO_ASK]
    settings = environment(world.github, world.url, QA_REVIEWERS=BOTH, TIMEZONE="Europe/Berlin")
    world.gate = create_gate(Settings.load(settings), world.store)
    hand_over_unheld(world.gate)
    world.settle()
    assert [holder(world, number) for number in (1, 2)] == ["Max", "Max"]
    assert [mail.to for mail in world.inbox.mails] == [LILY, MAX, MAX]


def test_with_nobody_left_page_and_readyz_say_so(make_world: MakeWorld) -> None:
    world = make_world(LILY)
    lily = Person(world, "lily@example.com")
    words = "Every reviewer is away until 30 Nov 2026: nobody is asked about a change before then."
    lily.goes("2026-11-30")
    assert words in lily.sees()
    world.store.queue.beat("a worker")
    ready = world.browser.get("/readyz")
    assert (ready.status_code, ready.json["reviewers"]) == (200, "all away")  # type: ignore[index]
    lily.is_back()
    assert words not in lily.sees()
    assert world.browser.get("/readyz").json["reviewers"] == "there"  # type: ignore[index]


# --- The store ----------------------------------------------------------------------------------------------


@ON_BOTH
def test_a_row_in_somebodys_hands_is_looked_at_again(world: World, lily: Person) -> None:
    asked(world)
    world.github.edit(1, title="Another title")
    world.github.settle()
    world.store.inbox.fold(world.gate.policy)
    claim = world.store.queue.claim((Kind.REVIEW,))
    assert claim is not None
    lily.goes("2026-11-30")
    world.store.queue.finish(claim, Rest())
    world.settle()
    assert holder(world) == "Max"


class Leaving(Story):
    """Lily goes away while a question waits for her, by processes that may be killed."""

    def play(self, kill_at: int) -> None:
        self.environ["QA_REVIEWERS"] = BOTH
        self.begin()
        self.rest()
        self.run("doom", kill_at)
        settings = Settings.load(self.environ)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AWS_DEFAULT_REGION", "eu-central-1")
            app = create_app(settings, create_gate(settings, self.store))
        with app.test_client() as browser:
            with browser.session_transaction() as session:
                session |= {
                    "reviewer": self.row().reviewer,
                    "csrf": "hers",
                    "epoch": self.store.epoch.nonce,
                }
            cookie = browser.get_cookie("qa-gate")
        assert cookie is not None
        form = {"csrf": "hers", "until": "2026-11-30"}
        assert self.run("post", "/away", {"data": form}, cookie.value) == 303
        self.rest()

    def row(self) -> Review:
        (row,) = filter(None, map(self.store.reviews.get, range(1, 5)))
        return row

    def check(self) -> None:
        with self.store.database.read() as connection:
            assert connection.execute(select(absences.c.until)).scalars().all() == [date(2026, 11, 30)]
        told = [line.what for line in self.store.reviews.history(self.row().id)]
        assert told == ["asked", "handed_over"]
        assert self.github.repo().statuses[self.row().head_sha][-1].description.startswith("Waiting for Max")
        letters = [mail.to for mail in self.inbox.mails]
        assert letters[:2] == [LILY, MAX]
        assert len(letters) <= 3, letters
        assert not self.store.queue.oldest_due()


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_killed_at_every_instant_it_is_still_handed_over_once(
    tmp_path: Path,
    inbox: PretendInbox,  # noqa: F811
    new_database: Callable[[], str],  # noqa: F811
) -> None:
    for instant in count(1):
        story = Leaving(tmp_path / f"git{instant}", new_database(), inbox)
        try:
            story.play(instant)
            story.check()
        except AssertionError as error:
            raise AssertionError(f"killed at instant {instant}: {error}") from error
        finally:
            story.stop()
        if not story.was_killed:
            break
    assert 8 < instant < MOST_INSTANTS


# --- In the browser -----------------------------------------------------------------------------------------


def test_one_click_on_her_page_and_back_by_herself(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, open_page: Callable[..., Page]
) -> None:
    settings = {"QA_REVIEWERS": BOTH, "TIMEZONE": "Europe/Berlin"}
    world = World(tmp_path / "git", sqlite_url, monkeypatch, **settings)
    try:
        asked(world)
        page = open_page(width=375, javascript=False)
        page.goto(f"{world.url}/sign-in")
        page.get_by_label("address").fill("lily@example.com")
        page.get_by_role("button").click()
        world.settle()
        page.goto(re.findall(r"http\S+/sign-in/\S+", world.inbox.mails.pop().text)[0])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Your first day back").fill("2026-11-30")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="You’re away until Mon 30 Nov")).to_be_visible()
        world.settle()
        assert [mail.to for mail in world.inbox.mails] == [LILY, MAX]
        world.pass_(days=6)
        page.reload()
        expect(page.get_by_role("heading", name="Away for a while?")).to_be_visible()
        asked(world, branch="second")
        assert world.inbox.mails[-1].to == LILY
    finally:
        world.stop()
