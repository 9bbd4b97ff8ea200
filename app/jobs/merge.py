"""The merge, and what GitHub's answers to it mean.

A merge is noted before it is sent. It ends by a definite answer, or by reading; a lost answer is never followed
by another merge before GitHub was read again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from app.db.letters import outcome_letter
from app.db.rows import Happening
from app.domain.approval import Choice, Decision, Merged
from app.domain.blocked import Blocked, Why
from app.domain.facts import State
from app.domain.known import Action, Base, Read
from app.domain.review import Happened, Post, Review
from app.domain.rules import Event, next_move
from app.domain.statuses import context_of, head_key
from app.github.answers import GitHubError, Limited, Moved, PutOff, Refused
from app.jobs.gate import Work
from app.jobs.read import is_base_rewritten, live_letters, may_carry
from app.mail.templates import why_for_developer

# What is over within this time is not worth a mail.
TELL_AFTER = timedelta(minutes=5)
NOT_NAMED = "{} is not a reviewer any more, so another is asked."
REWRITTEN = "the history of {} was changed, and more might come with it"


def void(work: Work, _action: Action) -> None:
    """Take back an approval whose giver is not a reviewer any more, before it merges anything: another is asked."""
    row, decision = work.row, work.row.decision
    if decision:
        why = NOT_NAMED.format(decision.by)
        now, number = work.gate.store.now(), row.decisions + 1
        work.keep(
            move=next_move(State.TO_MERGE, Event.TAKE_BACK),
            decision=Decision(number, Choice.TAKE_BACK, "qa-gate", "", now, why),
            reviewer=decision.reviewer,
            happened=[Happening(Happened.TAKEN_BACK, "qa-gate", why)],
        )


def void_rewritten(work: Work, _action: Action) -> None:
    """End an approval where the base's history was rewritten: what would be merged is not what the reviewer was shown."""
    why = REWRITTEN.format(work.row.base)
    move = next_move(State.TO_MERGE, Event.BASE_REWRITTEN)
    work.keep(move=move, happened=[Happening(Happened.SAME_CODE, "GitHub", why)])


def read_base(work: Work, _action: Action) -> None:
    """Find out whether the head meets its base where it did when it was asked about, or further on."""
    if work.facts is None:
        return
    try:
        is_rewritten = is_base_rewritten(work, work.facts)
    except Limited:
        raise
    except GitHubError:
        work.base = Base.UNKNOWN
    else:
        work.base = Base.REWRITTEN if is_rewritten else Base.SAME


def read_setting(work: Work, _action: Action) -> None:
    """Find out whether GitHub would delete a gated branch itself once it is merged into the other."""
    would_delete = work.gate.github.deletes_when_merged(work.row.repository, work.row.head)
    work.keep()
    work.keeps_branch = not would_delete


def merge(work: Work, _action: Action) -> None:
    """Merge what the reviewer approved: note that the merge is out, send it with its SHA. Raises GitHubError."""
    facts = work.facts
    if facts is None:
        return
    method, onto = work.gate.policy.method_for(facts), None
    if method == "rebase" and facts.commits > 1:
        # It lands several commits, and GitHub names only the last: where they begin must be known (`release_contents`).
        onto = work.gate.github.branch_head(facts.repository, facts.base)
    sent = next_move(State.TO_MERGE, Event.MERGE_SENT)
    work.keep(move=sent, merge_sent=work.row.head_sha, merged_onto=onto)
    row, work.when_read, work.base = work.row, Read.NOT, Base.UNREAD
    try:
        commit = work.gate.github.merge(row.repository, row.number, row.head_sha, method)
    except Limited:
        raise
    except Moved:
        work.told = Blocked(Why.MOVED)
    except PutOff as later:
        work.told = Blocked(Why.BUSY, said=later.reason)
    except Refused as refusal:
        work.told = in_the_way(work.row, refusal)
    except GitHubError as unknown:
        work.failure = unknown  # merged or not: it is read, and if not, sent again in another run
    else:
        work.when_read = Read.BEFORE
        work.keep(
            move=next_move(State.MERGING, Event.MERGED),
            merge_commit=commit,
            merged_how=Merged.BY_GATE,
            merged_as=commit,
            facts=replace(work.row.facts, merged=True),
            open=False,
            happened=[Happening(Happened.MERGED, "qa-gate", f"into {row.base}")],
            news=live_letters(work.gate, row),
        )


def in_the_way(row: Review, refusal: Refused) -> Blocked:
    """Return what GitHub's refusal of a merge says is in the way: the checks that it names, or its words."""
    if context_of(row.base) in refusal.names:
        return Blocked(Why.STATUS_UNSEEN, said=refusal.reason)
    why = refusal.kind if isinstance(refusal.kind, Why) else Why.REFUSED
    return Blocked(why, refusal.names, said="" if refusal.names else refusal.reason)


def read_carried(work: Work, _action: Action) -> None:
    """Find out whether the branch may be brought up to date, and the approval be carried over to what comes of it.

    A gated branch is moved by its own pull requests only.
    """
    row, facts, gate = work.row, work.facts, work.gate
    is_gated = facts is None or (facts.head_repository == row.repository and gate.policy.gates(row.head))
    work.may_update = not is_gated and may_carry(work)


def update(work: Work, _action: Action) -> None:
    """Bring a branch up to date with its base where GitHub asks for that; the approval is carried over (`read.may_carry`)."""
    row = work.row
    try:
        work.gate.github.update_branch(row.repository, row.number, row.head_sha)
    except Moved:
        work.told = Blocked(Why.MOVED)
        return
    except Refused:
        work.may_update = False
        return
    work.is_updated = work.is_noted = True
    blocked = Blocked(Why.UPDATING).after(row.blocked)
    work.keep(blocked=blocked, happened=[Happening(Happened.UPDATED, "qa-gate", f"with {row.base}")])


def say_again(work: Work, action: Action) -> None:
    """Forget that GitHub was told something which it seems to have lost, so that it is told once more."""
    row, is_status = work.row, action.owed is not None and action.owed.kind == "status"
    key = head_key(row) if is_status else f"decision {row.decisions}"
    post = row.posts.get(key, Post(key))
    work.keep(posts=[replace(post, said=None, tries=post.tries if is_status else 0)])
    note(work, action)


def note(work: Work, action: Action) -> None:
    """Keep what is in the way; once it is there for long enough it is told, and mailed to who approved.

    Of what is in the way of a merge it is counted how often in a row it was.
    """
    row, before, blocked = work.row, work.row.blocked, action.blocked
    work.is_noted = True
    if blocked and row.state is State.TO_MERGE:
        blocked = blocked.after(before)
    is_news = (
        blocked is not None
        and blocked.is_told
        and not (before and before.is_told and blocked.is_like(before))
    )
    if blocked is None or not is_news:
        work.keep(blocked=blocked)
        return
    what = Happened.HELD if row.state is State.TO_MERGE else Happened.UNREADY
    who = "GitHub" if row.state is State.TO_MERGE else "qa-gate"
    news = (
        [outcome_letter(row, row.decision, TELL_AFTER)]
        if row.decision and not blocked.why.handling.is_passing
        else []
    )
    why = why_for_developer(blocked, row.base)
    work.keep(blocked=blocked, news=news, happened=[Happening(what, who, why)])
