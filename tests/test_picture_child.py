"""The program that opens a picture: at most 40 MB whatever the file, and nothing of it stays in the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from app import pictures
from app.pictures import BadPicture, Picture, made_anew
from tests.pictures import bomb, photo, picture
from tests.world import wait_until

ROOT = Path(__file__).parent.parent
CHILD = Path(pictures.__file__).with_name("child.py")
MOST_KILOBYTES = 40_000
# The child itself, with what it needed at most at its end.
MEASURED = """
import runpy, sys
sys.argv = ["child.py", "2000"]
try:
    runpy.run_path({child!r}, run_name="__main__")
finally:
    sys.stdout.flush()
    print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""

HARD = {
    "a screenshot of a phone": lambda: photo(1290, 2796, "PNG"),
    "a screenshot of a large screen": lambda: photo(3840, 2160, "PNG", "RGBA"),
    "a screenshot of the largest": lambda: picture(7680, 4320),
    "a square": lambda: photo(2000, 2000, "PNG", "RGBA"),
    "a photo": lambda: photo(4032, 3024),
    "a photo of 48 million pixels": lambda: photo(8064, 6048),
    "a progressive photo": lambda: photo(2592, 1944, progressive=True),
    "a photo on its side": lambda: photo(4032, 3024, exif=_on_its_side()),
    "a moving picture": lambda: photo(1600, 1000, "GIF", save_all=True, append_images=_frames()),
    "a WebP": lambda: photo(1200, 1000, "WEBP"),
    "grey with 16 bits": lambda: photo(1800, 1500, "PNG", "I;16"),
    "a bomb": bomb,
    "a wide bomb": lambda: bomb(30_000, 1_300),
    "a narrow bomb": lambda: bomb(1, 39_000),
}


def _on_its_side() -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _frames() -> list[object]:
    from PIL import Image

    return [Image.new("RGB", (1600, 1000), colour) for colour in ("red", "blue")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much a process needed at most")
@pytest.mark.parametrize("what", HARD)
def test_a_picture_needs_at_most_forty_megabytes(what: str) -> None:
    with TemporaryFile() as file:
        file.write(HARD[what]())
        file.seek(0)
        code = MEASURED.format(child=str(CHILD))
        done = subprocess.run(
            [sys.executable, "-I", "-c", code], stdin=file, capture_output=True, check=False, timeout=60
        )
    assert int(done.stderr.split()[0]) < MOST_KILOBYTES
    answer = {"error": "broken"} if done.returncode else json.loads(done.stdout.partition(b"\n")[0])
    assert ("error" in answer) == ("bomb" in what)
    if "bomb" not in what:
        assert 600 <= max(answer["width"], answer["height"]) <= 2000


def test_nothing_of_it_stays_in_the_process_that_asked() -> None:
    code = (
        "import sys; from app.pictures import made_anew\n"
        "def now(): return int(next(l for l in open('/proc/self/statm')).split()[1])\n"
        "before = now(); file = open(sys.argv[1], 'rb')\n"
        "for _ in range(3): made_anew(file, 60)\n"
        "print('PIL' in sys.modules, (now() - before) * 4)"
    )
    with TemporaryFile() as file:
        file.write(photo(4032, 3024))
        file.flush()
        path = f"/proc/self/fd/{file.fileno()}"
        done = subprocess.run(
            [sys.executable, "-c", code, path],
            cwd=ROOT,
            capture_output=True,
            check=True,
            pass_fds=[file.fileno()],
        )
    loaded, kilobytes = done.stdout.split()
    assert loaded == b"False"
    assert int(kilobytes) < 4_000


def anew(data: bytes, seconds: float = 20) -> Picture:
    with TemporaryFile() as file:
        file.write(data)
        file.flush()
        return made_anew(file, seconds)


def test_small_and_flat_it_is_a_png_and_with_much_in_it_a_jpeg() -> None:
    assert anew(picture(300, 200)).type == "image/png"
    assert anew(photo(1500, 1000, "PNG")).type == "image/jpeg"
    assert anew(picture(300, 200, "JPEG")).type == "image/jpeg"


def test_what_is_seen_through_is_white() -> None:
    from io import BytesIO

    from PIL import Image

    for kind, mode in (("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA")):
        file = BytesIO()
        Image.new(mode, (9, 9)).save(file, kind)
        made = anew(file.getvalue())
        assert Image.open(BytesIO(made.data)).convert("RGB").getpixel((4, 4)) == (255, 255, 255)


def test_strips_join_without_a_seam() -> None:
    from io import BytesIO

    from PIL import Image

    slope = Image.linear_gradient("L").resize((1500, 3000)).convert("RGB")
    file = BytesIO()
    slope.save(file, "PNG")
    made = Image.open(BytesIO(anew(file.getvalue()).data)).convert("L")
    assert made.size == (1000, 2000)
    column = [made.getpixel((500, y)) for y in range(2000)]
    assert max(abs(one - other) for one, other in pairwise(column)) <= 2  # type: ignore[operator]


def test_of_a_moving_picture_the_beginning_is_kept_and_that_it_moves() -> None:
    made = anew(photo(200, 100, "GIF", save_all=True, append_images=_frames()))
    assert (made.moves, anew(picture(200, 100, "GIF")).moves) == (True, False)


def test_one_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(BadPicture) as bad:
        anew(picture(7680, 4320), 0.1)
    assert bad.value.why == "slow"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows another process's environment")
def test_the_process_that_opens_a_strangers_file_has_no_key_of_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_KEY", "k" * 40)
    inside, outside = os.pipe()
    with Endless(inside) as file, ThreadPoolExecutor() as asking:
        made = asking.submit(made_anew, file)
        wait_until(lambda: bool(_children()))
        (child,) = _children()
        environ = (child / "environ").read_bytes()
        os.close(outside)
        assert isinstance(made.exception(), BadPicture)
    assert b"k" * 40 not in environ


class Endless(FileIO):
    """A file of which more is to come, as long as the other end of its pipe is open."""

    def seek(self, *_place: int) -> int:
        return 0


def _children() -> list[Path]:
    """Return the processes that open a picture for this one."""
    told = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    found = [Path("/proc", number) for number in told.split()]
    return [one for one in found if str(CHILD).encode() in (one / "cmdline").read_bytes().split(b"\0")]
