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
from app.jobs.read import live_letters, read_trees
from app.mail.compose import why_for_developer

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
    """Find out whether the head meets its base where it did when it was asked about, or further on.

    Elsewhere, history was dropped from the base, and a merge would bring back what the reviewer was not shown. Further
    on is fine: less of what she saw is still to come. One GET, and another where the place is not the same.
    """
    known, pull, github = work.row.merge_base, work.pull, work.gate.github
    work.known.base = Base.SAME
    if known is None:
        return
    try:
        now = github.merge_base(pull.repository, pull.base, pull.head_sha)
        work.keep()
        if now != known:
            before = github.merge_base(pull.repository, known, now)
            work.keep()
            work.known.base = Base.SAME if before == known else Base.REWRITTEN
    except Limited:
        raise
    except GitHubError:
        work.known.base = Base.UNKNOWN


def read_setting(work: Work, _action: Action) -> None:
    """Find out whether GitHub would delete a gated branch itself once it is merged into the other."""
    work.known.keeps_branch = not work.gate.github.deletes_when_merged(work.row.repository, work.row.head)
    work.keep()


def merge(work: Work, _action: Action) -> None:
    """Merge what the reviewer approved: note that the merge is out, send it with its SHA. Raises GitHubError."""
    pull = work.pull
    method, onto = work.gate.policy.method_for(pull), None
    if method == "rebase" and pull.commits > 1:
        # It lands several commits, and GitHub names only the last: where they begin must be known (`release`).
        onto = work.gate.github.branch_head(pull.repository, pull.base)
    sent = next_move(State.TO_MERGE, Event.MERGE_SENT)
    work.keep(move=sent, merge_sent=work.row.head_sha, merged_onto=onto)
    row, work.known.read, work.known.base = work.row, Read.NOT, Base.UNREAD
    try:
        commit = work.gate.github.merge(row.repository, row.number, row.head_sha, method)
    except Limited:
        raise
    except Moved:
        work.known.merge_refused = Blocked(Why.MOVED)
    except PutOff as later:
        work.known.merge_refused = Blocked(Why.BUSY, said=later.reason)
    except Refused as refusal:
        work.known.merge_refused = in_the_way(work.row, refusal)
    except GitHubError as unknown:
        work.failure = unknown  # merged or not: it is read, and if not, sent again in another run
    else:
        work.known.read = Read.BEFORE
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


def update(work: Work, _action: Action) -> None:
    """Bring a branch up to date with its base, where the approval can be carried over to what comes of it."""
    row = work.row
    work.known.may_update = _can_be_carried(work)
    if not work.known.may_update:
        return
    try:
        work.gate.github.update_branch(row.repository, row.number, row.head_sha)
    except Moved:
        work.known.merge_refused = Blocked(Why.MOVED)
    except Refused:
        work.known.may_update = False
    else:
        work.known.is_updated = work.known.is_noted = True
        blocked = Blocked(Why.UPDATING).after(row.blocked)
        work.keep(blocked=blocked, happened=[Happening(Happened.UPDATED, "qa-gate", f"with {row.base}")])


def _can_be_carried(work: Work) -> bool:
    """Tell whether the approval could be carried over: all trees can be read, and what was asked about could be compared.

    A gated branch is moved by its own pull requests only, so a release never is. At most two reads.
    """
    row = work.row
    asked = work.gate.store.reviews.round(row.id, row.round)
    if asked is None or work.gate.policy.gates_head(row):
        return False
    change = asked.snapshot.change
    may_be_like = change.is_known and change.is_unique
    return may_be_like and read_trees(work, change.merge_base, row.head_sha) is not None


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
    work.known.is_noted = True
    is_approved = row.state is State.TO_MERGE
    if blocked and is_approved:
        blocked = blocked.after(before)
    was_told = before is not None and before.is_told
    if blocked is None or not blocked.is_told or (was_told and blocked.is_like(before)):
        work.keep(blocked=blocked)
        return
    what, who = (Happened.HELD, "GitHub") if is_approved else (Happened.UNREADY, "qa-gate")
    is_passing = blocked.why.handling.is_passing
    news = [outcome_letter(row, row.decision, TELL_AFTER)] if row.decision and not is_passing else []
    happened = [Happening(what, who, why_for_developer(blocked, row.base))]
    work.keep(blocked=blocked, news=news, happened=happened)
