"""What is wrong for long: found once a minute, logged and mailed when it begins and ends; and mail that does not arrive.

A job that fails, a service that is out, a repository or branch that is not there: the store sees it, and the rules say
when somebody is told. Once a day Amazon SES is asked for whom it drops mail.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from app.db.jobs import Claim, Kind, Rest, Timer
from app.db.letters import Letter
from app.domain.calendar import A_DAY, time_left
from app.domain.policy import Reviewer
from app.domain.problems import Problem, Trouble, Turn, What
from app.jobs.away import first_there, hand_over_unheld, who_is_away
from app.jobs.gate import Gate
from app.mail.compose import Mail
from app.mail.news import ProblemWords, compose_problem, problem_words
from app.mail.send import MailRefused

log = logging.getLogger("qa-gate.problems")

LOOK_EVERY = timedelta(minutes=1)


def set_watch(gate: Gate) -> None:
    """Let problems be looked for now and from then on, and whether SES drops somebody's mail."""
    timers = gate.store.timers
    asked = timers.get(Kind.BOUNCES)
    if asked:
        timers.note(asked.id, None, None)
    timers.set(Kind.BOUNCES)
    timers.set(Kind.PROBLEMS)


def find_problems(gate: Gate, _claim: Claim, _timer: Timer) -> Rest:
    """Find what begins, lasts or ends, and tell whoever runs the gate: a letter at both ends, a log line an hour."""
    readers = [person.id for person in gate.operators]
    away = [] if first_there(gate, who_is_away(gate)) else [Trouble(What.AWAY)]
    for turn, problem in gate.store.problems.refresh(gate.policy.repositories, away, readers):
        told = said_of(gate, problem)
        if turn is Turn.ENDS:
            log.warning("Over: %s.", told.title)
        else:
            log.error("%s %s", told.sentence, " ".join(told.reasons))
    return Rest(wait=LOOK_EVERY)


def find_bounces(gate: Gate, claim: Claim, timer: Timer) -> Rest:
    """Once a day, ask Amazon SES for whom it drops mail; the next reviewer is asked instead. Raises MailLater."""
    now = gate.store.now()
    early = time_left(timer.seen + A_DAY, A_DAY, now) if timer.seen else None
    if early:
        return Rest(wait=early)
    try:
        found = _bounced(gate, claim)
    except MailRefused as refusal:  # a right is missing, or SES has no such list here
        log.info("Whether Amazon SES drops emails to reviewers can’t be seen. %s", refusal.reason)
    else:
        if gate.store.problems.note_only(What.SUPPRESSED, found):
            hand_over_unheld(gate)
    gate.store.timers.note(timer.id, now, None)
    return Rest(wait=A_DAY)


def _bounced(gate: Gate, claim: Claim) -> list[str]:
    ses, found = gate.mailer.open(), []
    for person in gate.people:
        if ses.suppressed(person.address):
            found.append(person.id)
        gate.store.queue.renew(claim)
    return found


def said_of(gate: Gate, problem: Problem | Trouble) -> ProblemWords:
    """Return a problem in words, with what GitHub or SES says right now."""
    troubles = gate.store.problems.troubles(gate.policy.repositories)
    return problem_words(problem, gate.people, gate.policy.branches, troubles)


def problem_mail(gate: Gate, letter: Letter, reader: Reviewer) -> Mail | None:
    """Return the news of a problem, or None where it is over before anybody was told of it."""
    problem = gate.store.problems.get(letter.problem_id)
    if problem is None or (letter.kind == "problem" and problem.ended_at):
        return None
    told = said_of(gate, problem)
    return compose_problem(reader, problem, told, gate.public_url, gate.timezone)
