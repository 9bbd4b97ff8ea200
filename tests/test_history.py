"""The history: searched, turned page by page, and taken away as a table that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from app.db.history import EXPORT_BATCH, PAGE, Search
from app.db.tables import history
from app.text.words import csv_line
from tests.databases import ON_BOTH
from tests.desk import MAX, Desk, said


@pytest.fixture
def desk(usual_url: str) -> Iterator[Desk]:
    desk = Desk(usual_url)
    desk.sign_in()
    yield desk
    desk.store.close()


def note(desk: Desk, count: int, **facts: Any) -> None:
    """Append lines to the history of the first review; their words are numbered."""
    plain = {
        "review_id": 1,
        "who": "Lily",
        "what": "approved",
        "base": "development",
        "head_sha": "",
        "round": 1,
    }
    lines = [{**plain, "detail": f"word {number}", "at": desk.clock(), **facts} for number in range(count)]
    with desk.store.database.write() as connection:
        connection.execute(insert(history), lines)


def titles(desk: Desk, query: str) -> list[str]:
    """The titles of the lines that are shown, in their order."""
    answer = desk.client.get(f"/history?{query}")
    assert answer.status_code == 200
    return re.findall(r'<a href="/reviews/\d+" dir="auto">([^<]+)</a>', answer.text)


def table(desk: Desk, query: str = "") -> list[list[str]]:
    """The rows of the file that is given for the same search."""
    answer = desk.client.get(f"/history?format=csv&{query}")
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


# --- Searching ----------------------------------------------------------------------------------------------


def stories(desk: Desk) -> None:
    """Three changes of one day each: two asked about, one of them rejected, and one into the other branch."""
    desk.ask(1, title="Größere Karten, 100% neu", author="sam")
    desk.clock.pass_(days=1)
    desk.ask(12, asks=MAX, title="Round_the totals", author="kim")
    desk.post(desk.link(desk.row(12), reader=MAX), "reject", "Der KNOPF ist grün")
    desk.clock.pass_(days=1)
    desk.ask(3, title="Release", author="sam", base="master", head="development")


FINDS = {
    "": [3, 12, 12, 1],
    "text=": [3, 12, 12, 1],
    "text=GRÖSSERE": [],
    "text=grö": [1],
    "text=GRÖ": [1],
    "text=knopf+ist": [12],
    "text=100%25": [1],
    "text=%25": [1],
    "text=_": [12, 12],
    "text=%5C": [],
    "text=/": [3, 12, 12, 1],
    "text=%2312": [12, 12],
    "text=acme/SHOP+%233": [3],
    "text=%00Round\u202e_": [12, 12],
    "person=max": [12, 12],
    "person=SAM": [3, 1],
    "person=kim&text=knopf": [12],
    "repository=Acme/Shop": [3, 12, 12, 1],
    "repository=acme/other": [],
    "branch=master": [3],
    "from=2026-11-25": [3, 12, 12],
    "until=2026-11-24": [1],
    "from=2026-11-25&until=2026-11-25": [12, 12],
    "from=2026-11-26&until=2026-11-25": [],
    "before=2": [1],
    "after=1": [3, 12, 12],
    "before=x&after=-1": [3, 12, 12, 1],
    "before=" + "9" * 30: [3, 12, 12, 1],
    "text=" + "x" * 5000: [],
}


@ON_BOTH
def test_what_is_asked_for_is_found_newest_first(desk: Desk) -> None:
    stories(desk)
    named = {1: "Größere Karten, 100% neu", 12: "Round_the totals", 3: "Release"}
    wanted = {query: [named[number] for number in numbers] for query, numbers in FINDS.items()}
    assert {query: titles(desk, query) for query in FINDS} == wanted
    whole = [query for query in FINDS if "before" not in query and "after" not in query]
    assert {query: [row[5] for row in table(desk, query)[1:]] for query in whole} == {
        query: wanted[query] for query in whole
    }


@ON_BOTH
def test_a_day_is_a_day_of_the_readers_zone(desk: Desk) -> None:
    desk.clock.pass_(hours=10, minutes=57)
    desk.ask(1, title="Before midnight")  # 23:59 in Berlin
    desk.clock.pass_(minutes=1)
    desk.ask(2, title="After midnight")
    assert titles(desk, "until=2026-11-24") == ["Before midnight"]
    assert titles(desk, "from=2026-11-25") == ["After midnight"]


DAYS = ("yesterday", "24.11.2026", "0001-01-01", "9999-12-31", "2026-02-30", "\u0660" * 8)


@pytest.mark.parametrize("extra", ["", "&format=csv"])
def test_a_mistyped_day_is_said_kindly_and_nothing_typed_is_lost(desk: Desk, extra: str) -> None:
    desk.ask()
    for day in DAYS:
        answer = desk.client.get(f"/history?text=gift&person=sam&from={day}&until=2026-11-25{extra}")
        assert answer.status_code == 422, day
        assert "Please write the day like 2026-11-24." in said(answer)
        typed = dict(re.findall(r'<input [^>]*name="(\w+)"[^>]*?value="([^"]*)"', answer.text))
        del typed["csrf"]
        assert typed == {"text": "gift", "person": "sam", "from": day, "until": "2026-11-25"}
        assert f'name="from" type="text" value="{day}" aria-invalid="true"' in answer.text
        assert "/reviews/" not in answer.text


def test_what_was_asked_for_stays_in_the_form_and_is_escaped(desk: Desk) -> None:
    page = desk.client.get('/history?text="><script>&repository=old/"shop&branch=master').text
    assert 'value="&#34;&gt;&lt;script&gt;"' in page
    assert "<option selected>old/&#34;shop</option>" in page
    assert "<option selected>master</option>" in page
    assert "<script>" not in page


# --- Page by page -------------------------------------------------------------------------------------------


def turn(desk: Desk, path: str) -> tuple[list[int], str | None, str | None]:
    """The numbers of the words on a page, and where "Newer" and "Older" lead."""
    page = desk.client.get(path).text
    links = {words: link for link, words in re.findall(r'href="([^"]+)">(Newer|Older)</a>', page)}
    numbers = [int(number) for number in re.findall(r"word (\d+)", page)]
    return numbers, *((links.get(words) or "").replace("&amp;", "&") or None for words in ("Newer", "Older"))


@ON_BOTH
def test_pages_follow_each_other_whatever_is_appended_meanwhile(desk: Desk) -> None:
    desk.new()
    note(desk, 2 * PAGE + 5)
    first, newer, older = turn(desk, "/history?text=word")
    assert (first, newer) == (list(range(2 * PAGE + 4, PAGE + 4, -1)), None)
    assert older is not None
    note(desk, 3)
    second, newer, last = turn(desk, older)
    assert second == list(range(PAGE + 4, 4, -1))
    assert last is not None
    third, back, end = turn(desk, last)
    assert (third, end) == ([4, 3, 2, 1, 0], None)
    assert back is not None
    assert turn(desk, back)[0] == second
    assert newer is not None
    again, newest, _ = turn(desk, newer)
    assert again == first
    assert newest is not None
    assert turn(desk, newest)[:2] == ([2, 1, 0], None)


# --- Twelve weeks at a glance -------------------------------------------------------------------------------


def answered(desk: Desk, number: int, choice: str, hours: int) -> None:
    """One change that was answered so many hours after the question."""
    desk.ask(number)
    desk.clock.pass_(hours=hours)
    desk.post(desk.link(desk.row(number)), choice, "Because")


@ON_BOTH
def test_twelve_weeks_are_shown_as_bars_and_as_the_same_numbers(desk: Desk) -> None:
    answered(desk, 1, "approve", 1)
    answered(desk, 2, "reject", 3)
    desk.clock.pass_(days=7)
    answered(desk, 3, "approve", 5)
    page = desk.client.get("/history")
    words = said(page)
    assert "Approved 2 Changes requested 1 Median wait 3 h" in words
    assert "Twelve weeks: 2 approved, 1 with changes requested. Most in the week of 23 November (2)," in words
    assert "fewest in the week of 14 September (0). The numbers of each week follow." in words
    assert "between 2 hours and 5 hours; longest in the week of 30 November." in page.text
    rows = re.findall(r'<th scope="row">([^<]+)</th><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>', page.text)
    assert rows[:3] == [("30 Nov", "1", "0", "5 h"), ("23 Nov", "1", "1", "2 h"), ("16 Nov", "0", "0", "–")]
    assert (len(rows), len(re.findall("<rect", page.text))) == (12, 2 + 3 + 2)
    for path in ("/history?text=gift", "/history?before=2"):
        assert "twelve weeks" not in desk.see(path)


def test_without_an_answer_there_are_no_weeks_to_show(desk: Desk) -> None:
    desk.ask()
    assert "twelve weeks" not in desk.see("/history")


def test_lines_are_grouped_by_the_day_in_the_readers_zone(desk: Desk) -> None:
    desk.clock.pass_(hours=10, minutes=57)
    desk.ask(1, title="Before midnight")  # 23:59 in Berlin
    desk.clock.pass_(minutes=1)
    desk.ask(2, title="After midnight")
    words = desk.see("/history")
    order = [
        "Today, Wednesday 25 November",
        "After midnight",
        "Yesterday, Tuesday 24 November",
        "Before midn",
    ]
    assert sorted(order, key=words.index) == order


# --- As a table ---------------------------------------------------------------------------------------------


def test_the_table_holds_all_that_was_found_in_the_readers_time(desk: Desk) -> None:
    desk.ask(title="Add gift cards, “new”")
    desk.post(desk.link(desk.row(12)), "reject", "Too slow.\nSee; the list")
    heading, decided, asked = table(desk)
    assert heading[0] == "when (Europe/Berlin)"
    about = ["acme/shop", "12", "Add gift cards, “new”", "sam", "gift-cards", "development", "b" * 40, "1"]
    assert decided == ["2026-11-24 13:02:00", "Lily", "rejected", *about, "Too slow. See; the list"]
    assert asked == ["2026-11-24 13:02:00", "Lily", "asked", *about, ""]


def test_the_table_is_a_file_for_excel(desk: Desk) -> None:
    answer = desk.client.get("/history?format=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="qa-gate-history-2026-11-24.csv"'
    assert answer.data.startswith(b'\xef\xbb\xbf"when')


@ON_BOTH
def test_the_table_has_no_end_and_is_read_batch_by_batch(desk: Desk) -> None:
    desk.new()
    note(desk, 2 * EXPORT_BATCH + 1)
    assert [row[-1] for row in table(desk)[1:]] == [
        f"word {number}" for number in range(2 * EXPORT_BATCH, -1, -1)
    ]
    assert len(list(desk.store.history.all(Search(until=desk.clock() - timedelta(days=1))))) == 0


@pytest.mark.parametrize(
    "cell, safe",
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'=1"),
        ("\r=1", "'=1"),
        ("\n =1", "'=1"),
        ("\ufeff\u200b=1", "'=1"),
        ('"=1', "'\"=1"),
        ("' \"=1", "'' \"=1"),
        ("\u3000＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠A", "'＠A"),
        ("−1", "'−1"),
        ("﹦1", "'﹦1"),
        ("a;=1", "a;'=1"),
        ('a,"@b', "a,'\"@b"),
        ("1-1=0", "1-1=0"),
        ("a - b", "a - b"),
        ("sam@example.com", "sam@example.com"),
        ("", ""),
    ],
)
def test_no_cell_is_run_by_a_spreadsheet(cell: str, safe: str) -> None:
    line = csv_line(["x", cell, "y"])
    assert next(csv.reader([line])) == ["x", safe, "y"]
    assert line.endswith('"\r\n')
    # Where the machine's separator is another one, no piece of the line begins a formula either.
    for piece in re.split("[;,]", line):
        assert not re.match(r"[\s\"]*[=+\-@＝＋－＠]", piece), piece


def test_a_hostile_change_makes_a_harmless_table(desk: Desk) -> None:
    nasty = "=cmd|' /C calc'!A0;\r\n\"@SUM(1)"
    desk.ask(title=nasty, author="+sam")
    desk.post(desk.link(desk.row(12)), "reject", nasty)
    for row in table(desk)[1:]:
        assert not [cell for cell in row if re.match(r"[=+\-@\t\r]", cell)], row
    assert table(desk)[1][5] == "'=cmd|' /C calc'!A0;' \"@SUM(1)"
