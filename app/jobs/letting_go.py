"""The end of a review whose repository was taken out of the settings.

A review acts on the repository whose id it was made with. A name is believed only after GitHub said, in the same run,
that it stands for that id.
"""

from __future__ import annotations

from dataclasses import replace

from app.db.rows import Happening
from app.domain.facts import State
from app.domain.happened import Happened
from app.domain.known import Action
from app.domain.rules import Event, next_move
from app.github.answers import Refused
from app.jobs.gate import Work
from app.jobs.reading import read_facts
from app.jobs.saying import say_status, statuses_owed, twins_of


def let_go(work: Work, _action: Action) -> None:
    """End it: nobody decides it, and nothing is merged.

    A status that stands is taken back where GitHub still lets the gate do that, and else forgotten.
    """
    work.is_noted = True
    if work.row.state is State.MERGING:
        read_facts(work)
    move = next_move(work.row.state, Event.CLOSED)
    if move:
        work.keep(move=move, happened=[Happening(Happened.LET_GO, "qa-gate")])
    if not statuses_owed(work, twins_of(work)):
        return
    try:
        work.keep(repository=work.read().repository)
        for status in statuses_owed(work, twins_of(work)):
            say_status(work, status)
    except Refused:
        gone = [replace(post, is_success=False) for post in work.row.posts.values() if post.is_success]
        work.keep(posts=gone)
