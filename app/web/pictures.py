"""Pictures on pages: `GET /pictures/<nonce>` gives one, whose address is known only to the pages that show it.

They were made anew here, so nothing of a stranger's file is served, and a page that shows one loads nothing from
elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any

from flask import Request, Response, abort, request, url_for

from app.db.database import Unavailable
from app.db.pictures import Kept
from app.domain.policy import Reviewer
from app.domain.review import Review
from app.jobs.gate import Gate
from app.pictures import LARGEST_FILE, BadPicture, made_anew
from app.text.clean import plain
from app.text.markdown import Shown

# --- Pictures that a reviewer sends with a message: taken in while the form is read, made anew, and kept as drafts.


MOST_UPLOADS = 4
# Of a whole form: the rest of what is too large is read, so that nothing that was typed with it is lost.
LARGEST_UPLOAD = 256_000_000
LONGEST_FILE_NAME = 40


class Upload:
    """One file of a form as it comes in; `why` says why it was dropped."""

    def __init__(self, why: str | None) -> None:
        self.why = why
        self.size = 0
        self.file: IO[bytes] | None = None

    def write(self, data: bytes) -> int:
        """Take the next piece."""
        self.size += len(data)
        if self.size > LARGEST_FILE:
            self.why = "large"
        elif self.why is None:
            try:
                # Unbuffered: nothing is left to be written when it is closed.
                self.file = self.file or TemporaryFile(buffering=0)  # noqa: SIM115 - `close` ends it
                is_full = self.file.write(data) < len(data)
            except OSError:
                is_full = True
            self.why = "no_room" if is_full else None
        return len(data)

    def seek(self, _place: int, _whence: int = 0) -> int:
        """Do nothing: whoever takes the file goes to its beginning."""
        return 0

    def close(self) -> None:
        """Let the file go; Flask does it when the request ends."""
        if self.file:
            self.file.close()


class FormRequest(Request):
    """A request whose files are taken in as uploads; past the most that go along none is opened, whoever sends them."""

    uploads = 0

    def _get_file_stream(self, *_about: Any, **_more: Any) -> IO[bytes]:
        """Return what a file of the form is written to; https://werkzeug.palletsprojects.com/wrappers calls it."""
        self.uploads += 1
        return Upload("many" if self.uploads > MOST_UPLOADS else None)  # type: ignore[return-value]


@dataclass(slots=True)
class Taken:
    """The pictures that go along with a message, and the name and fault of each file that does not."""

    kept: list[Kept] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)

    @property
    def nonces(self) -> list[str]:
        """Return what names them."""
        return [one.nonce for one in self.kept]


def take(gate: Gate, row: Review, reviewer: Reviewer) -> Taken:
    """Take in the files of the form, beside those that came with it before and are still wanted."""
    before = gate.store.pictures.drafts(row.id, row.round, reviewer.id, request.form.getlist("kept"))
    taken = Taken(before[:MOST_UPLOADS])
    for file in request.files.getlist("pictures"):
        upload: Any = file.stream
        if not file.filename and not upload.size:
            continue  # a browser sends an empty one where none was chosen
        if why := upload.why or _taken(gate, row, reviewer, upload, taken):
            taken.wrong.append((plain(file.filename or "", LONGEST_FILE_NAME), why))
    return taken


def _taken(gate: Gate, row: Review, reviewer: Reviewer, upload: Upload, taken: Taken) -> str | None:
    """Keep one file as a draft, or return what is wrong with it."""
    if len(taken.kept) >= MOST_UPLOADS:
        return "many"
    if upload.file is None:
        return "unknown"
    try:
        kept = gate.store.pictures.add(row.id, row.round, reviewer.id, made_anew(upload.file))
    except BadPicture as bad:
        return bad.why
    except Unavailable:
        return "no_room"
    if kept is None:
        return "full"
    taken.kept.append(kept)
    return None


# --- Pictures on pages.


# It never changes, and is forgotten one day: long enough for whoever looks at a change.
_CACHED = "private, max-age=86400"


def show(gate: Gate, nonce: str) -> Response:
    """Answer `GET /pictures/<nonce>`."""
    found = gate.store.pictures.file(nonce)
    if found is None:
        abort(404)
    kind, data = found
    response = Response(data, content_type=kind)
    response.headers["Cache-Control"] = _CACHED
    response.headers["Content-Disposition"] = "inline"
    return response


def shown_in(gate: Gate, row: Review) -> tuple[Shown, ...]:
    """Return the developers' pictures that are kept of the current round, as a text shows them."""
    return tuple(
        Shown(one.source, url_for("pages.picture", nonce=one.nonce), one.width, one.height, one.moves)
        for one in gate.store.pictures.of_developers(row.id, row.round)
    )


def of_reviewers(gate: Gate, row: Review) -> dict[str, list[Kept]]:
    """Return what reviewers sent with the standing decision, and with the last question."""
    pictures, number = gate.store.pictures, row.decision.number if row.decision else 0
    return {
        "decision": pictures.sent_with(row.id, "decision", number),
        "question": pictures.sent_with(row.id, "question", len(row.questions)),
    }
