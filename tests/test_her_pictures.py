"""Pictures from her: with a rejection or a question, shown to the developer, and nothing she typed is ever lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import EnvironBuilder, TestResponse, encode_multipart

from app.db import pictures as kept
from app.domain.facts import State
from app.pictures import Picture
from app.web.pictures import MOST_UPLOADS, FormRequest
from tests.pictures import HTML, SVG, bomb, photo, picture, with_location
from tests.test_accessibility import tab_to
from tests.test_phone import Thumb
from tests.world import World

OpenPage = Callable[..., Page]
NOTE = "It’s cut off on my phone."


@pytest.fixture
def asked(world: World) -> int:
    """A change that she was asked about."""
    number = world.open(body="How to test:\n\n1. Open the cart\n2. Pay\n")
    world.settle()
    return number


def send(
    world: World,
    *files: tuple[bytes, str],
    choice: str = "reject",
    note: str = NOTE,
    path: str = "",
    **more: str,
) -> TestResponse:
    """Send the form as a browser without JavaScript does."""
    data = {"choice": choice, "note": note, "page": choice, "seen": "0", **more}
    uploads = [FileStorage(BytesIO(content), name, "pictures", "image/png") for content, name in files]
    boundary, body = encode_multipart(MultiDict([*data.items(), *(("pictures", file) for file in uploads)]))
    kind = f"multipart/form-data; boundary={boundary}"
    return world.browser.post(path or world.link("reject"), data=body, content_type=kind)


def shots(page: str, whose: str = "Lily’s") -> list[str]:
    """The addresses of somebody's pictures on a page."""
    listed = re.findall(rf'<ul class="shots" aria-label="{whose} pictures">(.*?)</ul>', page, re.DOTALL)
    return [one for each in listed for one in re.findall(r'<img src="(/pictures/[0-9a-f]+)"', each)]


def image(world: World, address: str) -> Image.Image:
    answer = world.browser.get(address)
    assert answer.status_code == 200
    return Image.open(BytesIO(answer.data))


def comments(world: World, number: int) -> str:
    reviews = [one.body for one in world.github.pull(number).reviews]
    return "\n".join([*reviews, *(one.body for one in world.github.repo().comments.values())])


def test_a_rejection_with_pictures_is_on_details_to_which_the_comment_leads(world: World, asked: int) -> None:
    answer = send(world, (picture(colour="red"), "a.png"), (picture(colour="blue"), "b.png"))
    assert answer.status_code == 303
    assert len(shots(world.see(), "Your")) == 2
    world.settle()
    assert (world.row().state, world.row().decision.note) == (State.REJECTED, NOTE)  # type: ignore[union-attr]
    details = world.see(world.details())
    red, blue = (image(world, one).convert("RGB").getpixel((5, 5)) for one in shots(details))
    assert (red, blue) == ((255, 0, 0), (0, 0, 255))
    said = comments(world, asked)
    assert f"[See 2 pictures]({world.url}{world.details()}#pictures)" in said
    assert "![" not in said


def test_a_question_with_a_picture_is_on_details_and_on_her_page(world: World, asked: int) -> None:
    send(world, (picture(), "a.png"), choice="question", note="Is this right?")
    world.settle()
    assert len(shots(world.see(world.details()))) == 1
    assert len(shots(world.see(), "Your")) == 1
    assert f"[See 1 picture]({world.url}{world.details()}#pictures)" in comments(world, asked)


def test_the_developer_sees_them_also_in_a_private_repository_and_she_sees_them_with_the_new_version(
    world: World, asked: int
) -> None:
    world.github.repo().private = True
    send(world, (picture(), "a.png"))
    world.settle()
    details = world.see(world.details())
    assert NOTE in details
    assert len(shots(details)) == 1
    world.commit("gift-cards", "Mend it", cards_py="mended = True\n")
    world.settle()
    world.pass_(minutes=11)
    page = world.see()
    assert "What you asked for" in page
    assert len(shots(page, "Your")) == 1


def test_no_place_and_no_maker_of_a_photo_is_kept_and_it_stands_upright(world: World, asked: int) -> None:
    send(world, (with_location(orientation=6), "IMG_1.JPG"))
    world.settle()
    (address,) = shots(world.see(world.details()))
    data, seen = world.browser.get(address).data, image(world, address)
    assert seen.size == (20, 40)
    red, _green, blue = seen.getpixel((10, 5))  # type: ignore[misc]
    assert red > 200
    assert blue < 60
    assert not seen.getexif()
    for word in (b"Exif", b"phone", b"at home", b"GPS"):
        assert word not in data


@pytest.mark.parametrize(
    "content, name, said",
    [
        (HTML, "page.png", "isn’t a picture we can read"),
        (b"", "empty.png", "isn’t a picture we can read"),
        (b"\x00\x00\x00\x18ftypheic", "IMG_2.HEIC", "isn’t a picture we can read"),
        (picture()[:60], "half.png", "is damaged or incomplete"),
        (photo(300, 300)[:900], "half.jpg", "is damaged or incomplete"),
        (picture() + bytes(11_000_000), "large.png", "is larger than 10 MB"),
    ],
)
def test_a_bad_file_gets_a_kind_sentence_and_nothing_she_typed_is_lost(
    world: World, asked: int, content: bytes, name: str, said: str
) -> None:
    (key, *_) = re.findall(r'name="works" value="([0-9a-f]+)"', world.see())
    answer = send(world, (picture(colour="red"), "good.png"), (content, name), works=key)
    assert answer.status_code == 422
    assert f"“{name}” {said}" in answer.text
    assert "Nothing was sent yet." in answer.text
    assert world.row().state is State.WAITING
    assert f">\n{NOTE}</textarea>" in answer.text
    assert f'value="{key}" checked' in answer.text
    # The good one need not be chosen again.
    (nonce,) = re.findall(r'name="kept" value="([0-9a-f]{24})" checked', answer.text)
    assert send(world, kept=nonce, works=key).status_code == 303
    world.settle()
    assert len(shots(world.see(world.details()))) == 1


def test_a_picture_can_be_left_out_again(world: World, asked: int) -> None:
    send(world, (picture(), "good.png"), (SVG, "bad.svg"))
    assert send(world).status_code == 303
    world.settle()
    assert shots(world.see(world.details())) == []
    assert "See 1 picture" not in comments(world, asked)


def test_without_a_message_the_pictures_wait_for_it(world: World, asked: int) -> None:
    answer = send(world, (picture(), "a.png"), note=" ")
    assert answer.status_code == 422
    assert "Write what should change" in answer.text
    assert len(re.findall(r'name="kept" value="[0-9a-f]{24}" checked', answer.text)) == 1


def test_a_fifth_picture_is_told_and_four_are_kept(world: World, asked: int) -> None:
    answer = send(world, *[(picture(), f"{number}.png") for number in range(5)])
    assert answer.status_code == 422
    assert "“4.png” wasn’t added: up to 4 pictures go along." in answer.text
    assert len(re.findall(r'name="kept"', answer.text)) == 4


def test_of_however_many_files_few_are_open_at_once() -> None:
    parts = [("pictures", (BytesIO(b"x"), f"{number}.png")) for number in range(900)]
    with FormRequest(EnvironBuilder(method="POST", data=MultiDict(parts)).get_environ()) as request:
        uploads: list[Any] = [file.stream for file in request.files.getlist("pictures")]
        assert len(uploads) == 900
        assert [upload.why for upload in uploads if upload.file] == [None] * MOST_UPLOADS


def test_nobody_elses_drafts_go_along(make_world: Callable[..., World]) -> None:
    world = make_world(QA_REVIEWERS="Lily <lily@example.com>, Max <max@example.com>")
    world.open()
    world.settle()
    (nonce,) = re.findall(r'name="kept" value="([0-9a-f]+)"', send(world, (picture(), "a.png"), note="").text)
    max_ = world.gate.policy.reviewers[1]
    assert world.store.pictures.drafts(world.row().id, 1, max_.id, [nonce]) == []
    assert (
        len(world.store.pictures.drafts(world.row().id, 1, world.gate.policy.reviewers[0].id, [nonce])) == 1
    )


def test_a_round_holds_twenty_megabytes_and_says_when_it_is_full(world: World, asked: int) -> None:
    row, lily = world.row(), world.gate.policy.reviewers[0]
    most = Picture("image/png", 1, 1, moves=False, data=bytes(20_000_000 - 1_000))
    assert world.store.pictures.add(row.id, row.round, lily.id, most)
    assert send(world, (picture(), "small.png"), note="").text.count('name="kept"') == 1
    answer = send(world, (photo(700, 700), "b.jpg"))
    assert answer.status_code == 422
    assert "“b.jpg” wasn’t added: this change has all the pictures it can hold." in answer.text
    assert NOTE in answer.text


def _first_kept(answer: TestResponse) -> str:
    return "/pictures/" + re.findall(r'name="kept" value="([0-9a-f]+)"', answer.text)[0]


def test_where_the_disk_is_full_her_message_is_kept(world: World, asked: int) -> None:
    soft, hard = getrlimit(RLIMIT_FSIZE)
    world.see()
    setrlimit(RLIMIT_FSIZE, (4096, hard))  # no file of this process may be longer
    try:
        answer = send(world, (photo(600, 600), "a.jpg"))
    finally:
        setrlimit(RLIMIT_FSIZE, (soft, hard))
    assert answer.status_code == 422
    assert "“a.jpg” couldn’t be added right now." in answer.text
    assert NOTE in answer.text
    assert send(world).status_code == 303


def test_they_are_kept_while_it_is_open_and_ninety_days_after(world: World, asked: int) -> None:
    send(world, (picture(), "a.png"))
    world.open("other", body=f"![]({world.github.attach(picture())})")
    world.settle()
    (mine,) = shots(world.see(world.details(asked)))
    world.pass_(days=400)
    world.store.pictures.forget()
    assert world.browser.get(mine).status_code == 200
    world.github.close(asked)
    world.settle()
    world.pass_(days=89)
    world.store.pictures.forget()
    assert world.browser.get(mine).status_code == 200
    world.pass_(days=2)
    world.store.pictures.forget()
    assert world.browser.get(mine).status_code == 404
    kept = world.store.pictures.of_developers(world.row(2).id, world.row(2).round)
    assert len(kept) == 1  # that one is open


def test_a_draft_that_nobody_sent_is_forgotten_after_a_day(world: World, asked: int) -> None:
    address = _first_kept(send(world, (picture(), "a.png"), note=""))
    world.clock.pass_(hours=25)
    world.store.pictures.forget()
    assert world.browser.get(address).status_code == 404


def test_an_old_link_takes_no_picture_in(world: World, asked: int) -> None:
    old = world.link("reject")
    world.commit("gift-cards", "More", more_py="x = 1\n")
    world.settle()
    answer = send(world, (picture(), "a.png"), path=old)
    assert NOTE in answer.text
    with world.store.database.read() as connection:
        assert connection.execute(kept.pictures.select()).all() == []


# --- In a browser -----------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_1.jpg"
    path.write_bytes(photo(2400, 1600))
    return path


def test_from_the_mail_to_rejected_with_a_picture_it_is_four_taps_and_typing(
    world: World, asked: int, open_page: OpenPage, file: Path
) -> None:
    thumb = Thumb(open_page(width=375))
    thumb.page.set_content(world.inbox.mails[-1].html.replace('target="_blank"', ""))
    thumb.tap("link", "Reject")
    expect(thumb.page.get_by_role("textbox")).to_be_focused()
    thumb.page.keyboard.type(NOTE)
    with thumb.page.expect_file_chooser() as choosing:
        thumb.page.get_by_label("Add pictures").click()
    thumb.taps += 1
    choosing.value.set_files(file)
    thumb.taps += 1  # on the picture, in the phone's own gallery
    thumb.tap("button", "Reject")
    expect(thumb.page.get_by_role("heading", level=1)).to_have_text("Sent back to sam")
    expect(thumb.page.get_by_role("img", name="Your picture 1")).to_be_visible()
    assert (thumb.taps, world.row().state) == (4, State.REJECTED)
    world.settle()
    assert max(image(world, shots(world.see(world.details()))[0]).size) == 2000


def test_a_pasted_screenshot_goes_along(world: World, asked: int, open_page: OpenPage) -> None:
    page = open_page(width=1280)
    page.goto(world.url + world.link("reject"))
    page.get_by_label("Message to sam").fill(NOTE)
    page.evaluate(
        """async () => {
            const canvas = document.createElement("canvas");
            canvas.width = 30; canvas.height = 20;
            const blob = await new Promise((done) => canvas.toBlob(done));
            const data = new DataTransfer();
            data.items.add(new File([blob], "image.png", { type: "image/png" }));
            document.activeElement.dispatchEvent(
                new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }"""
    )
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("img", name="Your picture 1")).to_be_visible()


def test_on_a_phone_hostile_files_are_told_and_the_honest_one_goes_without_its_place(
    world: World, asked: int, open_page: OpenPage, tmp_path: Path
) -> None:
    files = {"IMG_2.jpg": with_location(), "bomb.png": bomb(), "page.svg": SVG, "film.png": bytes(50_000_000)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    page = open_page(width=375)
    page.goto(world.url + world.link("reject"))
    expect(page.get_by_role("textbox")).to_be_focused()
    page.keyboard.type(NOTE)
    page.get_by_label("Add pictures").set_input_files([tmp_path / name for name in files])
    page.get_by_role("button", name="Reject").click()
    told = page.get_by_role("alert")
    for words in (
        "“bomb.png” has too many pixels",
        "“page.svg” isn’t a picture we can read",
        "“film.png” is larger than 10 MB",
    ):
        expect(told).to_contain_text(words)
    expect(page.get_by_label("Message to sam")).to_have_value(NOTE)
    expect(page.get_by_label("Picture 1")).to_be_checked()
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("img", name="Your picture 1")).to_be_visible()
    world.settle()
    page.goto(world.url + world.details())
    (address,) = shots(page.content())
    data = world.browser.get(address).data
    assert [word for word in (b"Exif", b"phone", b"at home", b"GPS") if word in data] == []


def test_by_keyboard_and_without_javascript_a_picture_goes_along_and_a_bad_one_is_told(
    world: World, asked: int, open_page: OpenPage, file: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "notes.txt"
    bad.write_text("no picture")
    page = open_page(width=375, javascript=False)
    page.goto(world.url + world.link("reject"))
    expect(page.get_by_role("textbox")).to_be_focused()
    page.keyboard.type(NOTE)
    page.keyboard.press("Tab")
    expect(page.get_by_label("Add pictures")).to_be_focused()
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Space")
    choosing.value.set_files([file, bad])
    tab_to(page, "Reject")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("“notes.txt” isn’t a picture we can read")
    expect(page.get_by_label("Message to sam")).to_have_value(NOTE)
    expect(page.get_by_label("Picture 1")).to_be_checked()
    tab_to(page, "Reject")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sent back to sam")
    expect(page.get_by_role("img", name="Your picture 1")).to_be_visible()
