"""The pictures in what developers write: fetched when somebody is asked about it, and kept with the round.

Nothing waits for them longer than five seconds: what GitHub does not give by then is a link, and is looked for again a
minute later. The pages and mails show what is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from time import monotonic
from typing import Literal

from app.domain.facts import Remark, State
from app.github.pictures import Found
from app.jobs.gate import Work
from app.mail.compose import pictures_link as words_of_pictures
from app.pictures import BadPicture, made_anew
from app.text.plain_text import pictures_in

SECONDS = 5.0
# So many of one text are shown, and each is tried so often.
MOST, MOST_TRIES, AGAIN = 12, 3, timedelta(seconds=50)
_PLACES = {
    "comment": "issues/comments/{id}",
    "line": "pulls/comments/{id}",
    "review": "pulls/{number}/reviews/{id}",
}


def read_pictures(work: Work, body: str) -> None:
    """Fetch what the description shows."""
    _fetch(work, {f"pulls/{work.row.number}": _new_in(work, body)})


def read_answers_pictures(work: Work, answers: Iterable[Remark]) -> None:
    """Fetch what answers show."""
    _fetch(work, {_path(work, remark): _new_in(work, remark.body) for remark in answers})


def find_pictures(work: Work) -> bool:
    """Fetch what an edited description shows, and once more what could not be had; False: look again in a while."""
    row, pictures = work.row, work.gate.store.pictures
    asked = work.gate.store.reviews.round(row.id, row.round) if row.state is State.WAITING else None
    if asked is None:
        return True
    if not asked.edited and not pictures.due(row.id, row.round, MOST_TRIES):
        return True
    due = pictures.due(row.id, row.round, MOST_TRIES, AGAIN)
    if asked.edited:
        description = due.setdefault(f"pulls/{row.number}", [])
        description += [one for one in _new_in(work, asked.now.pull.body) if one not in description]
    _fetch(work, due)
    return not pictures.due(row.id, row.round, MOST_TRIES)


def pictures_link(work: Work, with_what: Literal["decision", "question"], number: int) -> str:
    """Return a Markdown link to what a reviewer sent with a decision or a question; "" for nothing."""
    sent = work.gate.store.pictures.sent_with(work.row.id, with_what, number)
    return words_of_pictures(len(sent), work.gate.links.details_url(work.row.nonce))


def _path(work: Work, remark: Remark) -> str:
    return _PLACES[remark.place].format(id=remark.id, number=work.row.number)


def _new_in(work: Work, words: str) -> list[str]:
    """Return the addresses of the pictures in a text that were not looked for yet."""
    known = work.gate.store.pictures.known(work.row.id, work.row.round)
    return [address for address in pictures_in(words)[:MOST] if address not in known]


def _fetch(work: Work, wanted: dict[str, list[str]]) -> None:
    """Fetch pictures by the path of the text that shows them, and keep what came."""
    end, row = monotonic() + SECONDS, work.row
    for path, addresses in wanted.items():
        if addresses:
            for found in work.gate.github.pictures(row.repository, path, tuple(addresses), end):
                _keep(work, path, found, end)
            work.keep()


def _keep(work: Work, path: str, found: Found, end: float) -> None:
    picture, may_come = None, found.may_come
    if found.file:
        with found.file as file:
            try:
                picture = made_anew(file, max(0.1, end - monotonic()))
            except BadPicture as bad:
                may_come = bad.why == "slow"
    row = work.row
    work.gate.store.pictures.put(row.id, row.round, found.address, path, picture, may_come=may_come)
