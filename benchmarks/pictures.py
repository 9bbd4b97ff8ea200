"""How much memory all processes need at most while pictures are worked on: a developer's, and those that a reviewer sends.

The real gate as a process, between the stand-ins, looked at again and again from outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from time import sleep

from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from benchmarks.intake import Memory, memory
from benchmarks.times import post, running, to_mail
from tests.pictures import photo

# As large as a phone, its camera and a large screen make them; each needs nearly all that one may.
SHOWN = (2592, 1944)
SENT = ((4032, 3024, "JPEG"), (7200, 5400, "JPEG"), (1290, 2796, "PNG"), (2000, 1600, "PNG"))


def while_working_on_pictures(folder: Path) -> tuple[Memory, Memory]:
    """Return what a gate needs once all is loaded, and the most it needs while it makes pictures anew."""
    folder.mkdir()
    shown, sent = photo(*SHOWN, progressive=True), [photo(*size) for size in SENT]
    with running(folder / "gate") as (port, github, inbox, calls, pid):
        body = f"![The cart]({github.attach(shown, 'image/jpeg')})"
        to_mail(port, github, inbox, calls, 0)
        calls.rest()
        before = memory(pid)
        peaks = [most_during(pid, lambda: to_mail(port, github, inbox, calls, 1, body))]
        assert "See 1 picture" in inbox.mails[-1].text
        links = re.findall(r"/decide/[\w.-]+", inbox.mails[-1].text)
        peaks.append(most_during(pid, lambda: _send(port, links[1], sent)))
    return before, most_of(peaks)


def _send(port: int, link: str, pictures: list[bytes]) -> None:
    files = [FileStorage(BytesIO(one), f"{number}.jpg", "pictures") for number, one in enumerate(pictures)]
    fields = {"choice": "reject", "note": "See the pictures.", "seen": "0"}
    boundary, body = encode_multipart(MultiDict([*fields.items(), *(("pictures", file) for file in files)]))
    assert post(port, link, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}) == 303


def most_during(pid: int, what: Callable[[], object]) -> Memory:
    """Do something, and return the most that a process and all that came of it held in memory meanwhile."""
    done, seen = Event(), [memory(pid)]

    def look() -> None:
        while not done.is_set():
            seen.append(memory(pid))
            sleep(0.002)

    looking = Thread(target=look)
    looking.start()
    try:
        what()
    finally:
        done.set()
        looking.join()
    return most_of(seen)


def most_of(seen: list[Memory]) -> Memory:
    """Return the most of each figure."""
    return Memory(max(one.resident for one in seen), max(one.shared for one in seen))
