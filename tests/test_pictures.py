"""Pictures from developers: shown on her page, linked in the mail, and nothing of a hostile file in either."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from threading import Thread
from time import monotonic, sleep

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from app.domain.facts import State
from app.github.pictures import Pictures, is_from_github
from app.pictures import Picture
from app.text.markdown import pictures_in, rendered
from tests.pictures import HTML, SVG, bomb, photo, picture, with_location
from tests.world import World

OpenPage = Callable[..., Page]


def shown(page: str) -> list[str]:
    """The addresses of the pictures on a page."""
    return re.findall(r'<img src="(/pictures/[0-9a-f]+)"', page)


def image(world: World, address: str) -> Image.Image:
    answer = world.browser.get(address)
    assert answer.status_code == 200
    return Image.open(BytesIO(answer.data))


@pytest.mark.parametrize("is_private", [False, True])
def test_a_developers_picture_is_shown_on_her_page_and_linked_in_the_mail(
    world: World, is_private: bool
) -> None:
    url = world.github.attach(picture(60, 40), is_private=is_private)
    world.open(body=f"Look:\n\n![The new cart]({url})\n")
    world.settle()
    page = world.see()
    (address,) = shown(page)
    assert 'alt="The new cart"' in page
    assert 'width="60" height="40"' in page
    assert 'loading="lazy"' in page
    assert url not in page
    assert image(world, address).getpixel((5, 5)) == (0x3C, 0x5A, 0x3E)
    mail = world.inbox.mails[-1]
    assert "<img" not in mail.html
    assert "See 1 picture" in mail.html
    assert f"See 1 picture:\n{world.url}{world.link()}#wrote" in mail.text
    assert "[picture: The new cart]" in mail.text
    assert url not in mail.text


def test_a_picture_comes_from_our_own_address_under_our_own_rules(world: World) -> None:
    world.open(body=f"![]({world.github.attach(picture())})")
    world.settle()
    answer = world.browser.get(shown(world.see())[0])
    assert answer.content_type == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "private, max-age=86400"
    assert world.browser.get("/pictures/" + "0" * 24).status_code == 404


def test_before_and_after_in_a_table_stay_in_their_table(world: World) -> None:
    before, after = (world.github.attach(picture(colour=colour)) for colour in ("red", "blue"))
    world.open(body=f"| Before | After |\n|---|---|\n| ![Before]({before}) | ![After]({after}) |\n")
    world.settle()
    page = world.see()
    assert len(shown(page)) == 2
    assert re.search(r"<tr>\s*<td><a [^>]*><img [^>]*></a></td>\s*<td><a [^>]*><img ", page)
    assert "See 2 pictures" in world.inbox.mails[-1].html


def test_a_picture_keeps_nothing_but_its_pixels(world: World) -> None:
    world.open(body=f"![]({world.github.attach(with_location(), 'image/jpeg')})")
    world.settle()
    (address,) = shown(world.see())
    data = world.browser.get(address).data
    assert not image(world, address).getexif()
    for word in (b"Exif", b"phone", b"at home"):
        assert word in with_location()
        assert word not in data


@pytest.mark.parametrize(
    "data, kind",
    [
        (bomb(), "image/png"),
        (SVG, "image/png"),
        (HTML, "image/png"),
    ],
)
def test_a_hostile_file_is_a_link_and_the_question_goes_out(world: World, data: bytes, kind: str) -> None:
    url = world.github.attach(data, kind)
    world.open(body=f"![x]({url})")
    world.settle()
    page = world.see()
    assert shown(page) == []
    assert f'<a href="{url}" rel="nofollow noreferrer noopener">[picture: x]</a> (127.0.0.1)' in page
    assert (len(world.inbox.mails), world.row().state) == (1, State.WAITING)
    assert "See 1 picture" not in world.inbox.mails[-1].html


@pytest.mark.parametrize("javascript", [True, False])
def test_on_a_phone_she_sees_the_honest_pictures_and_nothing_hostile_runs_or_is_loaded(
    world: World, open_page: OpenPage, javascript: bool
) -> None:
    attach = world.github.attach
    honest = (attach(with_location(6), "image/jpeg"), attach(picture(300, 200), is_private=True))
    hostile = (
        attach(bomb()),
        attach(SVG, "image/svg+xml"),
        attach(HTML, "text/html"),
        attach(bytes(50_000_000)),
        attach(picture(), leads_to="http://169.254.169.254/latest/meta-data/"),
        "https://example.com/pixel.png",
    )
    shows = "\n\n".join(f"![picture {number}]({url})" for number, url in enumerate((*honest, *hostile), 1))
    world.open(
        body=f"{shows}\n\n<script>document.title = 'gone'</script><img src=x onerror=\"document.title='gone'\">"
    )
    world.settle()
    page, asked = open_page(width=375, javascript=javascript), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(world.url + world.link())
    sizes = []
    for one in page.get_by_role("img", name="picture").all():
        one.scroll_into_view_if_needed()
        expect(one).to_have_js_property("complete", True)
        sizes.append(
            (one.evaluate("(one) => [one.naturalWidth, one.naturalHeight]"), one.get_attribute("alt"))
        )
    assert sizes == [([20, 40], "picture 1"), ([300, 200], "picture 2")]
    for number in range(3, 9):
        expect(page.get_by_role("link", name=f"[picture: picture {number}]")).to_be_visible()
    assert [url for url in asked if not url.startswith(world.url)] == []
    assert "gone" not in page.title()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_a_developers_picture_that_finds_no_room_is_a_link(world: World) -> None:
    number = world.open(body="No picture yet.")
    world.settle()
    row = world.row()
    most = Picture("image/png", 1, 1, moves=False, data=bytes(20_000_000 - 50))
    world.store.pictures.put(row.id, row.round, "x", "pulls/1", most, may_come=False)
    url = world.github.attach(picture())
    world.github.edit(number, body=f"![now]({url})", by="sam")
    world.settle()
    assert shown(world.see()) == []
    assert f'<a href="{url}"' in world.see()


def test_a_host_that_is_not_githubs_is_never_asked(world: World) -> None:
    elsewhere = world.inbox.url  # another port of this machine: it would answer
    world.open(body=f"![x]({elsewhere}/x.png) ![y](https://example.com/y.png)")
    asked_before = len(world.inbox.mails)
    world.settle()
    assert shown(world.see()) == []
    assert "(example.com)" in world.see()
    assert len(world.inbox.mails) == asked_before + 1


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:9/x.png", "file:///etc/passwd"]
)
def test_a_redirect_that_leaves_github_is_not_followed(world: World, target: str) -> None:
    url = world.github.attach(picture(), leads_to=target)
    world.open(body=f"![x]({url})")
    began = monotonic()
    world.settle()
    assert monotonic() - began < 4
    assert shown(world.see()) == []
    assert world.row().state is State.WAITING


def test_pictures_that_hang_cost_five_seconds_and_come_a_minute_later(world: World) -> None:
    world.open(body=f"![x]({world.github.attach(picture())})")
    hanging = world.github.silence("GET", "/private-user-images/")
    began = monotonic()
    world.settle()
    assert 3 < monotonic() - began < 9
    assert (len(world.inbox.mails), shown(world.see())) == (1, [])
    hanging.lift()
    world.pass_(minutes=1, seconds=1)
    assert len(shown(world.see())) == 1
    assert len(world.inbox.mails) == 1


def test_a_picture_that_comes_byte_by_byte_is_given_up_when_its_time_is_over() -> None:
    def trickle() -> None:
        line = listening.accept()[0]
        with line, suppress(OSError):
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3000\r\n\r\n")
            for _ in range(3000):
                line.sendall(b"x")
                sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        sending = Thread(target=trickle)
        sending.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        began = monotonic()
        with pytest.raises(TimeoutError):
            Pictures(url)._file(f"{url}/a.png", began + 0.5)
        assert monotonic() - began < 5
        sending.join()


def test_a_picture_in_an_answer_is_shown_and_in_an_edited_description_too(world: World) -> None:
    number = world.open(body="No picture yet.")
    world.settle()
    world.decide("question", "What does it look like?")
    world.settle()
    answer = world.github.attach(picture(colour="red"), is_private=True)
    world.github.comment(number, f"So: ![the cart]({answer})", by="sam")
    world.settle()
    assert len(shown(world.see())) == 1
    world.pass_(minutes=2)
    assert "[picture: the cart]" in world.inbox.mails[-1].text
    assert answer not in world.inbox.mails[-1].text
    edited = world.github.attach(picture(colour="blue"), is_private=True)
    world.github.edit(number, body=f"![now]({edited})", by="sam")
    world.settle()
    assert len(shown(world.see())) == 2


def test_a_version_found_while_her_question_is_told_is_asked_about_with_its_pictures(
    make_world: Callable[..., World],
) -> None:
    world = make_world(QUIET_MINUTES="0")
    world.open(body=f"![x]({world.github.attach(picture())})")
    world.settle()
    world.pass_(minutes=11)
    world.github.webhook_url = None
    head = world.commit("gift-cards", "Forbid it", cards_py="forbidden\n")
    world.decide("question", "What does it look like?")
    world.settle()
    assert (world.row().round, world.row().head_sha) == (2, head)
    assert len(shown(world.see())) == 1


def test_a_video_is_a_link_with_its_host() -> None:
    words = rendered('<video src="https://github.com/user-attachments/assets/1" controls></video>')
    assert words.html == (
        '<div><a href="https://github.com/user-attachments/assets/1" rel="nofollow noreferrer noopener">[video]</a>'
        " (github.com)</div>"
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/user-attachments/assets/6d0b9b0e-1f0d-4d7e-9f6a-0b1c2d3e4f50",
        "https://private-user-images.githubusercontent.com/1/2-6d0b.png?jwt=x",
        "https://user-images.githubusercontent.com/1/2.png",
        "https://github-production-user-asset-6210df.s3.amazonaws.com/1/2",
    ],
)
def test_these_addresses_are_githubs_own(address: str) -> None:
    assert is_from_github(address, "https://api.github.com")


@pytest.mark.parametrize(
    "address",
    [
        "http://github.com/x.png",
        "https://github.com:8443/x.png",
        "https://github.com@example.com/x.png",
        "https://example.com\\@github.com/x.png",
        "https://github.com.example.com/x.png",
        "https://xgithubusercontent.com/x.png",
        "https://camo.githubusercontent.com/a/b",  # whatever anybody has, passed on
        "https://other.s3.amazonaws.com/x.png",
        "https://[::1/x.png",
        "ftp://github.com/x.png",
    ],
)
def test_these_addresses_are_not_githubs(address: str) -> None:
    assert not is_from_github(address, "https://api.github.com")


def test_an_enterprise_servers_own_hosts_are_known() -> None:
    api = "https://git.example.com/api/v3"
    assert is_from_github("https://git.example.com/user-attachments/assets/1", api)
    assert is_from_github("https://media.git.example.com/user/1/files/2", api)
    assert not is_from_github("https://github.com/user-attachments/assets/1", api)
    assert not is_from_github("https://example.com/x", api)


def test_the_pictures_of_a_text_are_found_once_and_in_order() -> None:
    body = "![a](https://a.example/1.png)\n<img src='https://a.example/2.png'>\n![b](https://a.example/1.png) ![](javascript:x)"
    assert pictures_in(body) == ("https://a.example/1.png", "https://a.example/2.png")


def test_of_a_large_photo_at_most_2000_pixels_are_kept(world: World) -> None:
    world.open(body=f"![]({world.github.attach(photo(2400, 1200, 'PNG'))})")
    world.settle()
    assert max(image(world, shown(world.see())[0]).size) == 2000
