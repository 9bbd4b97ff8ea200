"""The demo: it tells the truth, notices when something is not as it should be, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from demo.__main__ import play, run
from demo.github import PretendGitHub, rules
from demo.inbox import PretendInbox
from demo.story import Stage, steps
from demo.tour import create_tour
from demo.tour.desk import Desk, NotPossible
from demo.tour.guide import Facts, guide
from demo.world import ROOT, World, desk_of, running

FIRST_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


# --- The whole of it, as a process --------------------------------------------------------------------------


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the demo with a folder of its own for all that it makes."""
    return subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_served(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def test_the_story_is_as_it_should_be(tmp_path: Path) -> None:
    with start(tmp_path, "--auto") as demo:
        out, err = demo.communicate(timeout=120)
    assert (demo.returncode, err) == (0, "")
    # Which number the gate's release gets, and so which the later ones, is a matter of moments.
    told = re.sub(r"#(?!1\b)\d+", "#n", out)
    for line in (
        "✓ sam opened pull request #1: “Add gift cards”",
        "✓ Lily got an email: “Add gift cards (#1)”",
        "✓ Lily tapped Approve, and her page says “It’s in”",
        "Merge pull request #1 from acme/gift-cards",
        "✓ GitHub shows the status success: “Approved by Lily.”",
        "✓ It took ",
        "✓ Lily got a new email: “Free delivery from 50 (#n)”",
        "the page left open can’t approve it now",
        f"✓ GitHub shows a review, changes requested: “Lily requested changes: {steps.REASON}",
        "✓ #n is still open, and git log development has nothing of it",
        "✓ Lily tapped Approve, and her page says “Approved, not in yet”",
        "“Approved by Lily. Someone else changed the same part. The developer has to combine the two first.”",
        "Merge pull request #n from acme/smoky-price",
        "✓ The automatic tests of #n fail",
        "✓ Lily’s page says “It’s in”, without another tap",
        "✓ Lily got an email: “Release into master (#n)”",
        "✓ It begins with what QA didn’t approve: “Note what was tried”, pushed directly",
        "✓ git log master: ",
    ):
        assert line in told
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_the_gate_too_and_leaves_nothing(tmp_path: Path) -> None:
    with start(tmp_path) as demo:
        assert demo.stdout is not None
        url = next(found[0] for line in demo.stdout if (found := FIRST_ADDRESS.search(line)))
        stage = Stage(url)
        mail = steps.get_mail(stage, steps.open_pull_request(stage))
        gate = next(
            found[0] for link in mail["links"] if (found := re.match(r"\S+(?=/decide/)", link["url"]))
        )
        assert is_served(url)
        assert is_served(gate)
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=60)
    assert (demo.returncode, err) == (0, "")
    assert FIRST_ADDRESS.findall(out) == []  # one address, and it was read above
    assert not is_served(url)
    assert not is_served(gate)
    assert list(tmp_path.iterdir()) == []


# --- What goes wrong is said ---------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo makes its folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_story_notices_that_nothing_can_be_merged(
    temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running() as world:
        world.repo.methods.clear()
        assert play(world, patience=2) == 1
    said = capsys.readouterr()
    assert "✗ Lily's page: expected “It’s in” within 2 seconds, saw " in said.err
    assert "Everything went as it should" not in said.out
    log = Path(said.err.split()[-1])
    assert [path for path in temporary.rglob("*") if path.is_file()] == [log]


def test_a_gate_that_cannot_start_says_why(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(auto=True, QUIET_MINUTES="soon", SECRET_KEY="short") == 1
    said = capsys.readouterr()
    assert "SECRET_KEY needs 32 characters" in said.err
    assert "QUIET_MINUTES must be" in said.err
    assert "SECRET_KEY" in Path(said.err.split()[-1]).read_text(encoding="utf-8")
    assert said.out == ""


# --- The tour, without a gate --------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_of(PretendGitHub(tmp_path, token="t", webhook_secret="s"))


@pytest.fixture
def inbox() -> PretendInbox:
    return PretendInbox()


@pytest.fixture
def tour(desk: Desk, inbox: PretendInbox) -> FlaskClient:
    return create_tour(desk, inbox).test_client()


def open_next(tour: FlaskClient, **words: str) -> int:
    example = tour.get("/state.json").json["next"]
    answer = tour.post("/pulls", json={"title": example["title"], "body": example["body"], **words})
    assert answer.status_code == 201
    return int(answer.json["number"])


def newest(tour: FlaskClient) -> dict[str, Any]:
    pull: dict[str, Any] = tour.get("/state.json").json["pulls"][0]
    return pull


def test_the_page_has_three_panes_and_asks_nobody_else(tour: FlaskClient) -> None:
    answer = tour.get("/")
    for heading in ("The developers’ desk", "Lily’s inbox", "The repository"):
        assert f"{heading}</h2>" in answer.text
    assert 'value="Add gift cards"' in answer.text
    assert not re.search(r'(?:src|href)="(?!/static/)', answer.text)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_the_desk_works_in_real_git(tour: FlaskClient, desk: Desk) -> None:
    assert open_next(tour, title="Gift cards!") == 1
    first = newest(tour)
    assert (first["title"], first["author"], first["state"], first["clashes"]) == (
        *("Gift cards!", "sam", "open"),
        False,
    )
    assert desk.repo.git.branches["gift-cards"] == first["sha"]
    assert tour.get("/state.json").json["next"]["title"] == "Free delivery from 50"

    assert tour.post("/pulls/1/push", json={}).status_code == 200
    second = newest(tour)
    assert desk.repo.git.commit(second["sha"]).parents == (first["sha"],)

    assert tour.post("/pulls/1/clash", json={}).status_code == 200
    assert newest(tour)["clashes"]
    assert not newest(tour)["can_clash"]
    assert tour.get("/state.json").json["log"][0]["subject"] == "Gift boxes are back already"

    assert tour.post("/pulls/1/resolve", json={}).status_code == 200
    merged = newest(tour)
    assert not merged["clashes"]
    assert desk.repo.git.commit(merged["sha"]).parents == (
        second["sha"],
        desk.repo.git.branches["development"],
    )


def test_every_example_can_be_pushed_to_clashed_with_resolved_and_merged_beside_the_others(
    desk: Desk,
) -> None:
    for number in range(1, 9):
        assert desk.open(desk.next.title, desk.next.body) == number
        pull = desk.repo.pulls[number]
        heads = {pull.head_sha}
        for _ in range(3):
            desk.push(number)
            heads.add(pull.head_sha)
        assert len(heads) == 4
        desk.clash(number)
        with pytest.raises(NotPossible, match="changed those lines already"):
            desk.clash(number)
        tip = desk.repo.git.branches["development"]
        assert desk.repo.git.merge(tip, pull.head_sha) is None
        desk.resolve(number)
        assert desk.repo.git.merge(tip, pull.head_sha) is not None
        with pytest.raises(NotPossible, match="everything of development already"):
            desk.resolve(number)
    for number in range(1, 9):
        desk.github.merge_as("kim", number, admin=True)


def test_red_tests_are_in_the_way_until_they_are_fixed(desk: Desk, tour: FlaskClient) -> None:
    for _ in range(3):
        desk.open(desk.next.title, desk.next.body)
    assert newest(tour)["tests"] is None
    desk.fail(2)
    words = rules.missing_checks(desk.repo.pulls[2]) or ""
    assert "tests" in words or "2 of 2 required" in words
    # The others' tests ran as well: only the gate is in their way.
    assert "qa-gate/development" in (rules.missing_checks(desk.repo.pulls[1]) or "")
    with pytest.raises(NotPossible, match="not red"):
        desk.fix(1)
    assert tour.post("/pulls/2/fix", json={}).status_code == 200
    assert "qa-gate/development" in (rules.missing_checks(desk.repo.pulls[2]) or "")
    desk.push(3)
    assert newest(tour)["tests"] == "success"


def test_nobody_merges_without_lily(tour: FlaskClient) -> None:
    open_next(tour)
    answer = tour.post("/pulls/1/merge", json={})
    assert answer.status_code == 409
    assert (
        answer.json["problem"] == 'GitHub says no: Required status check "qa-gate/development" is expected.'
    )
    assert newest(tour)["state"] == "open"


@pytest.mark.parametrize(
    "path, status, problem",
    [
        ("/pulls", 409, "It needs a title."),
        ("/pulls/7/push", 409, "There is no such pull request."),
        ("/pulls/7/prepare", 404, None),
    ],
)
def test_a_button_that_cannot_work_says_why(
    tour: FlaskClient, path: str, status: int, problem: str | None
) -> None:
    answer = tour.post(path, json={"title": " "})
    assert answer.status_code == status
    assert problem is None or answer.json == {"problem": problem}


def test_another_site_can_press_no_button(tour: FlaskClient, desk: Desk) -> None:
    assert tour.post("/pulls", data={"title": "x"}).status_code == 415
    assert tour.post("/pulls", data='{"title": "x"}', content_type="text/plain").status_code == 415
    assert tour.get("/state.json", headers={"Host": "evil.example"}).status_code == 400
    assert not desk.repo.pulls


def test_trying_it_shows_the_shop_of_the_pull_request(tour: FlaskClient) -> None:
    open_next(tour)
    assert "Gift card, small" in tour.get("/preview/1/").text
    assert tour.get("/preview/1/style.css").content_type == "text/css; charset=utf-8"
    assert "Gift boxes come back" in tour.get(f"/preview/{open_next(tour)}/").text
    for path in ("/preview/1/nothing.html", "/preview/1/..%2Fprices.py", "/preview/9/"):
        assert tour.get(path).status_code == 404


def test_the_code_is_shown_and_cannot_do_harm(tour: FlaskClient) -> None:
    open_next(tour, title="<script>alert(1)</script>")
    shown = tour.get("/acme/shop/pull/1").text
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert '<span class="added">+GIFT_CARDS = (25, 50)' in shown
    assert '<span class="removed">-GIFT_CARDS: tuple[int, ...] = ()' in shown
    assert tour.get("/acme/shop/pull/2").status_code == 404


def test_what_is_new_is_shown_as_the_mail_has_it(tour: FlaskClient, desk: Desk) -> None:
    open_next(tour)
    before = desk.repo.pulls[1].head_sha
    tour.post("/pulls/1/push", json={})
    shown = tour.get(f"/acme/shop/compare/{before}...{desk.repo.pulls[1].head_sha}")
    assert shown.status_code == 200
    assert '<span class="added">' in shown.text
    assert "GIFT_CARDS = (25, 50)" not in shown.text
    assert tour.get(f"/acme/shop/compare/{before}...{'0' * 40}").status_code == 404


def test_a_question_of_lilys_can_be_answered(tour: FlaskClient, desk: Desk) -> None:
    open_next(tour)
    assert tour.post("/pulls/1/answer", json={}).json == {"problem": "Lily has asked nothing."}
    assert newest(tour)["can_answer"] is False
    desk.github.comment(1, "**Lily asks:**\n\n> Why?\n\n<!-- qa-gate 1 question 1 0123abcd -->", by="kim")
    assert newest(tour)["can_answer"] is True
    assert tour.post("/pulls/1/answer", json={}).status_code == 200
    assert newest(tour)["said"][-1]["by"] == "sam"
    assert newest(tour)["can_answer"] is False


# --- The guide -----------------------------------------------------------------------------------------------

OPENED = Facts(
    "sam",
    is_open=True,
    merged=False,
    clashes=False,
    has_red_tests=False,
    status="",
    mails=0,
    is_read=False,
)


@pytest.mark.parametrize(
    "facts, now, hint",
    [
        (None, "Open a pull request", "Press the button"),
        (OPENED, "Read Lily’s email", "comes in a moment"),
        (replace(OPENED, mails=1, status="pending"), "Read Lily’s email", "Lily has a new email"),
        (replace(OPENED, mails=1, is_read=True), "Approve it", "Scroll down in the email and press"),
        (replace(OPENED, mails=1, is_read=True, status="failure"), "Approve it", "Push a commit"),
        (replace(OPENED, mails=1, is_read=True, clashes=True), "Approve it", "Resolve it as sam would"),
        (replace(OPENED, mails=1, status="success"), "See it merged", "It’s going in"),
        (replace(OPENED, mails=1, status="success", has_red_tests=True), "See it merged", "Fix them on"),
        (replace(OPENED, mails=1, is_open=False, merged=True), None, "That’s the whole loop"),
        (replace(OPENED, is_open=False), "Read Lily’s email", "That one was closed"),
    ],
)
def test_the_guide_goes_by_what_has_happened(facts: Facts | None, now: str | None, hint: str) -> None:
    shown = guide(facts)
    assert [step["words"] for step in shown["steps"] if step["state"] == "now"] == ([now] if now else [])
    assert hint in shown["hint"]


# --- The tour in a browser, with the gate --------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running() as world:
        yield world


def test_a_person_plays_it_with_the_mouse(world: World, page: Page) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(world.url)
    expect(page.get_by_role("listitem").filter(has_text="Open a pull request, now")).to_be_visible()
    title = page.get_by_label("Title").input_value()
    page.get_by_role("button", name="Open pull request").click()
    pull = page.locator("#pull-1")
    expect(pull).to_contain_text(title)
    expect(pull).to_contain_text("Waiting for Lily")
    page.get_by_role("button", name="Unread").first.click()
    expect(page.get_by_text("Approve it, now")).to_be_attached()
    expect(page.get_by_text("Scroll down in the email")).to_be_visible()
    page.set_viewport_size({"width": 375, "height": 812})
    tops = [
        box["y"]
        for name in ("Try it", "Code")
        if (box := pull.get_by_role("link", name=name, exact=True).bounding_box())
    ]
    assert len(tops) == 2
    assert tops[0] == tops[1]
    letter = page.frame_locator("#letter")
    with page.context.expect_page() as opened:
        letter.get_by_role("link", name="Approve").first.click()
    answer = opened.value
    answer.get_by_role("button", name="Approve").click()
    expect(answer.get_by_role("heading", name="It’s in")).to_be_visible()
    expect(page.get_by_text("That’s the whole loop.")).to_be_visible()
    expect(page.locator("#log")).to_contain_text("Merge pull request #1")
    expect(pull).to_contain_text("Lily approved this.")
    assert errors == []


def test_all_three_panes_fit_the_screen(world: World, page: Page) -> None:
    page.goto(world.url)
    expect(page.locator("#steps li")).to_have_count(4)
    for width in (375, 900, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for heading in ("The developers’ desk", "Lily’s inbox", "The repository"):
            expect(page.get_by_role("heading", name=heading)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, .row a")].filter((one) => one.offsetParent)
                .filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.textContent)"""
        )
        assert small == []


def test_nothing_is_drawn_again_that_did_not_change(world: World, page: Page) -> None:
    page.goto(world.url)
    expect(page.locator("#log .line").first).to_be_visible()
    page.wait_for_timeout(300)
    page.evaluate(
        """() => { window.changes = 0;
            new MutationObserver((seen) => { window.changes += seen.length; })
              .observe(document.body, { subtree: true, childList: true, characterData: true }); }"""
    )
    page.wait_for_timeout(2500)
    assert page.evaluate("window.changes") == 0


def test_a_tour_that_has_ended_says_so(page: Page, desk: Desk, inbox: PretendInbox) -> None:
    from demo.github.server import Server

    served = Server(create_tour(desk, inbox), 0)
    page.goto(f"http://127.0.0.1:{served.port}")
    expect(page.locator("#log .line").first).to_be_visible()
    expect(page.locator("#gone")).to_be_hidden()
    served.stop()
    expect(page.locator("#gone")).to_be_visible()


def test_a_mail_is_shown_without_power(world: World) -> None:
    stage = Stage(world.url)
    mail = steps.get_mail(stage, steps.open_pull_request(stage))
    assert not mail["is_read"]
    with urllib.request.urlopen(f"{world.url}/mails/{mail['id']}", timeout=5) as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert b'<base target="_blank">' in answer.read()
    found = next(one for one in stage.state()["mails"] if one["id"] == mail["id"])
    assert found["is_read"]
    assert world.inbox.mails[0].address == "lily@example.com"
