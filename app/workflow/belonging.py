"""Whose repository it is: what the settings name goes on under whatever name it has; of what they do not, nothing does.

A review acts on the repository whose id it was made with. A name is believed only after GitHub said, in the same step,
that it stands for that id.
"""

from __future__ import annotations

from app.github_client import Refused
from app.review import Event, State, next_move, statuses_to_say, wants_review
from app.store import Happening
from app.workflow.asking import settle, take_in
from app.workflow.gate import Rest, Work
from app.workflow.saying import hold_to_say, say_status


def belongs_here(work: Work) -> bool:
    """Tell whether the review's repository is in the settings; one GET where one of their names is new to the gate.

    Raises Refused when its name is another repository's, or nobody's.
    """
    is_gated = work.gate.is_gated(work.row)
    if is_gated is not None:
        return is_gated
    facts = work.read()
    if not work.gate.policy.knows(facts.repository):
        return False
    work.gate.store.repositories.pin(facts.repository, facts.repository_id)
    take_in(work, facts)
    return True


def let_go(work: Work) -> Rest:
    """End a review whose repository was taken out of the settings: nobody decides it, and nothing is merged.

    A status that stands is taken back where GitHub still lets the gate do that, and else forgotten.
    """
    if work.row.state is State.MERGING:
        settle(work)
    move = next_move(work.row.state, Event.CLOSED)
    if move:
        work.keep(move=move, happened=[Happening("let_go", "qa-gate")])
    if not statuses_to_say(work.row, work.gate.policy):
        return Rest()
    try:
        work.keep(repository=work.read().repository)
        for status in statuses_to_say(work.row, work.gate.policy):
            say_status(work, status)
    except Refused:
        work.keep(success_on=())
    return Rest()


def read_before_writing(work: Work) -> bool:
    """Read a pull request of which GitHub is owed a word, once a step; False when that changed whose turn it is.

    Nothing is written by a name that this step has not seen to stand for the repository: a redirect would lose what is
    written, and a name that was given away would take it to another repository.
    """
    row = work.row
    is_owed = (
        statuses_to_say(row, work.gate.policy)
        or wants_review(row)
        or row.decisions > row.said.review
        or row.questions > row.said.question
        or (row.said.hold is not None and hold_to_say(row) not in (None, row.said.hold))
    )
    if work.facts is not None or not is_owed:
        return True
    take_in(work, work.read())
    return (work.row.state, work.row.round) == (row.state, row.round)
