"""The pictures in what developers write: fetched when somebody is asked about it, and kept with the round.

Nothing waits for them longer than five seconds: what GitHub does not give by then is a link, and is looked for again a
minute later. The pages and mails show what is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from time import monotonic

from app.db.pictures import SentWith
from app.domain.facts import Remark, State
from app.github.pictures import Fetched
from app.jobs.gate import Work
from app.mail.compose import phrase
from app.pictures import BadPicture, made_anew
from app.text.markdown import pictures_in

SECONDS_TO_FETCH = 5.0
MOST_PICTURES = 12  # of one text
_DESCRIPTION = "pulls/{number}"
_PLACES = {
    "comment": "issues/comments/{id}",
    "line": "pulls/comments/{id}",
    "review": "pulls/{number}/reviews/{id}",
}


def read_pictures(work: Work, body: str) -> None:
    """Fetch what the description shows."""
    _fetch(work, {_DESCRIPTION.format(number=work.row.number): _new_in(work, body)})


def read_answers_pictures(work: Work, answers: Iterable[Remark]) -> None:
    """Fetch what answers show."""
    number = work.row.number
    paths = {_PLACES[one.place].format(number=number, id=one.id): one.body for one in answers}
    _fetch(work, {path: _new_in(work, body) for path, body in paths.items()})


def find_pictures(work: Work) -> bool:
    """Fetch what an edited description shows, and once more what could not be had; False: look again in a while."""
    row, pictures = work.row, work.gate.store.pictures
    asked = work.gate.store.reviews.round(row.id, row.round) if row.state is State.WAITING else None
    if asked is None:
        return True
    if asked.edited:
        read_pictures(work, asked.now.pull.body)
    wanted: dict[str, list[str]] = defaultdict(list)
    due = pictures.due(row.id, row.round)
    for path, address, is_time in due:
        if is_time:
            wanted[path].append(address)
    _fetch(work, wanted)
    return not due or (bool(wanted) and not pictures.due(row.id, row.round))


def pictures_link(work: Work, with_what: SentWith, number: int) -> str:
    """Return a Markdown link to what a reviewer sent with a decision or a question; "" for nothing.

    Embedded, it would go through GitHub's public cache of images.
    """
    sent = work.gate.store.pictures.sent_with(work.row.id, with_what, number)
    if not sent:
        return ""
    return phrase("see_pictures", many=len(sent), url=work.gate.links.details_url(work.row.nonce))


def _new_in(work: Work, words: str) -> list[str]:
    """Return the addresses of the pictures in a text that were not looked for yet."""
    known = work.gate.store.pictures.known_sources(work.row.id, work.row.round)
    return [address for address in pictures_in(words)[:MOST_PICTURES] if address not in known]


def _fetch(work: Work, wanted: dict[str, list[str]]) -> None:
    """Fetch pictures by the path of the text that shows them, and keep what came."""
    end, row = monotonic() + SECONDS_TO_FETCH, work.row
    for path, addresses in wanted.items():
        if addresses:
            for found in work.gate.github.pictures(row.repository, path, addresses, end):
                _keep(work, path, found, end)
            work.keep()


def _keep(work: Work, path: str, found: Fetched, end: float) -> None:
    picture, may_come, row = None, found.may_come, work.row
    if found.file:
        with found.file as file:
            try:
                picture = made_anew(file, max(0.1, end - monotonic()))
            except BadPicture as bad:
                may_come = bad.why == "slow"
    work.gate.store.pictures.put(row.id, row.round, found.address, path, picture, may_come=may_come)
