"""The merge, and what GitHub's answers to it mean.

A merge is noted before it is sent. It ends by a definite answer, or by reading; a lost answer is never followed
by another merge before GitHub was read again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from app.github_client import GitHubError, Limited, Moved, Refused, TryAgain
from app.review import Event, PullRequest, State, context_of, next_move, statuses_to_say
from app.store import Happening, outcome_letter
from app.workflow.again import SAME_CODE
from app.workflow.asking import AT_ONCE, settle, take_in
from app.workflow.gate import PATIENCE, SOON, Rest, Work, failure
from app.workflow.sameness import is_base_rewritten
from app.workflow.saying import say, say_hold

# GitHub updates a branch in its own time, and says so by a webhook.
UPDATING = timedelta(seconds=30)
# Whatever holds a yes, GitHub is asked again this often, should no webhook say that it is over.
LOOK_AGAIN = timedelta(minutes=10)
# What is over within this time is not worth a mail.
TELL_AFTER = timedelta(minutes=5)
NOT_NAMED = "{} is not a reviewer any more, so another is asked."
CONFLICT = "Someone else changed the same part. The developer has to combine the two first."
KEPT = (
    "GitHub would delete {} after the merge: protect that branch, or turn off “Automatically delete head "
    "branches” in the repository's settings."
)
BEHIND = "It’s behind {}. The developer has to update it first."
UNCOMPARED = "GitHub can’t compare it with {} right now. QA gate keeps trying."
REWRITTEN = "the history of {} was changed, and more might come with it"
STAYS = "GitHub says the code has changed, but shows no new version. QA gate keeps trying."
NOT_COUNTED = (
    "GitHub does not accept QA gate’s status: the required check belongs to another app. "
    "Whoever runs QA gate has to fix that."
)
# How a step ends that only said once more what GitHub seems to have lost.
SAID_AGAIN = "GitHub doesn’t see QA gate’s status yet, so it was set again."
REVIEWED_AGAIN = "GitHub doesn’t see QA gate’s review yet, so it was given again."
# How GitHub says that a check has no result yet.
RUNNING = ("pending", "in progress", "queued")
# What ends only when somebody changes a setting or a right.
LASTING = frozenset({"rights", "missing", "method", "invalid"})


def disown(work: Work) -> None:
    """Take back a yes whose giver is not a reviewer any more, before it merges anything: another is asked (`away`)."""
    row, decision = work.row, work.row.decision
    if row.state is not State.TO_MERGE or decision is None or work.gate.policy.reviewer(decision.reviewer):
        return
    work.keep(
        move=next_move(State.TO_MERGE, Event.TAKE_BACK),
        decisions=row.decisions + 1,
        reviewer=decision.reviewer,
        happened=[Happening("taken_back", "qa-gate", NOT_NAMED.format(decision.by))],
    )


def merge(work: Work) -> Rest:
    """Merge what the reviewer approved: read once more, note that the merge is out, send it with its SHA."""
    facts = work.read()
    take_in(work, facts)
    if work.row.state is not State.TO_MERGE or statuses_to_say(work.row, work.gate.policy):
        return Rest(wait=AT_ONCE)
    if facts.mergeable_state == "dirty":
        return hold(work, CONFLICT, for_developer=True)
    if would_lose_a_branch(work, facts):
        return hold(work, KEPT.format(facts.head), for_developer=True)
    if (rest := compare_again(work, facts)) is not None:
        return rest
    method, onto = work.gate.policy.method_for(facts), None
    if method == "rebase" and facts.commits > 1:
        # It lands several commits, and GitHub names only the last: where they begin must be known (`accounting`).
        onto = work.gate.github.branch_head(facts.repository, facts.base)
    sent = next_move(State.TO_MERGE, Event.MERGE_SENT)
    work.keep(move=sent, merge_sent=work.row.head_sha, merged_onto=onto)
    row = work.row
    try:
        commit = work.gate.github.merge(row.repository, row.number, row.head_sha, method)
    except Moved:
        settle(work)
        return unmoved(work)
    except TryAgain as unknown:
        return unanswered(work, unknown)
    except Refused as refusal:
        return refused(work, refusal)
    work.keep(
        move=next_move(State.MERGING, Event.MERGED),
        merge_commit=commit,
        merged_by_gate=True,
        facts=replace(work.row.facts, merged=True),
        open=False,
        happened=[Happening("merged", "qa-gate", f"into {row.base}")],
    )
    say(work)
    return Rest()


def compare_again(work: Work, facts: PullRequest) -> Rest | None:
    """Return None when the base is what it was, and otherwise how the step ends.

    Where its history was rewritten the approval ends: what would be merged is not what the reviewer was shown. Where
    that cannot be told it is tried again, soon, and after a while with a word.
    """
    try:
        if not is_base_rewritten(work, facts):
            return None
    except GitHubError as error:
        if isinstance(error, Limited) or work.claim.attempts < PATIENCE:
            return failure(error)
        hold(work, UNCOMPARED.format(work.row.base))
        return failure(error)
    why = REWRITTEN.format(work.row.base)
    move = next_move(State.TO_MERGE, Event.BASE_REWRITTEN)
    work.keep(move=move, happened=[Happening(SAME_CODE, "GitHub", why)])
    say(work)
    return Rest(wait=AT_ONCE)


def would_lose_a_branch(work: Work, facts: PullRequest) -> bool:
    """Tell whether GitHub would delete a gated branch itself once it is merged into the other."""
    if facts.is_from_fork or not work.gate.policy.gates(facts.head):
        return False
    would_delete = work.gate.github.deletes_when_merged(facts.repository, facts.head)
    work.keep()
    return would_delete


def unanswered(work: Work, unknown: TryAgain) -> Rest:
    """Read whether a merge happened whose answer was lost or put us off; if GitHub is away, the next step reads."""
    settle(work)
    if work.row.state is not State.TO_MERGE or work.facts is None:
        return Rest(wait=AT_ONCE)
    if work.facts.mergeable_state == "behind":
        return update(work)
    # Right after our own success GitHub may still miss it; when it goes on, somebody has to know.
    is_lasting = work.claim.attempts >= PATIENCE or work.row.hold == NOT_COUNTED
    if work.facts.mergeable_state == "blocked" and is_lasting:
        return blocked(work, unknown.reason)
    return Rest(unknown.after, unknown.reason, failed=True)


def refused(work: Work, refusal: Refused) -> Rest:
    """Find out what a refused merge means: it may be merged already; else say why not, and try again later."""
    settle(work)
    if work.row.state is not State.TO_MERGE or work.facts is None:
        return Rest(wait=AT_ONCE)
    if refusal.kind in LASTING:
        hold(work, refusal.reason)
        return failure(refusal)  # one odd answer proves nothing: soon at first, then ever later
    match work.facts.mergeable_state:
        case "dirty":
            return hold(work, CONFLICT, for_developer=True)
        case "behind":
            return update(work)
        case "blocked":
            return blocked(work, refusal.reason)
        case _ if work.claim.attempts < PATIENCE:
            # GitHub is still finding out, or what was in the way has gone meanwhile.
            return Rest(SOON, refusal.reason, failed=True)
        case _:
            return hold(work, refusal.reason)


def unmoved(work: Work) -> Rest:
    """Go on after GitHub said that the head is another: at once if it is, else ever later, and not without a word."""
    if work.row.state is not State.TO_MERGE:
        return Rest(wait=AT_ONCE)
    if work.claim.attempts < PATIENCE:
        return Rest(None, STAYS, failed=True)
    return hold(work, STAYS)


def update(work: Work) -> Rest:
    """Bring a branch up to date with its base where GitHub asks for that; the yes is carried over (`sameness`)."""
    row, facts = work.row, work.facts
    behind = BEHIND.format(row.base)
    # A gated branch is moved by its own pull requests only.
    if facts is None or (facts.head_repository == row.repository and work.gate.policy.gates(row.head)):
        return hold(work, behind, for_developer=True)
    try:
        work.gate.github.update_branch(row.repository, row.number, row.head_sha)
    except Moved:
        return unmoved(work)
    except Refused:
        return hold(work, behind, for_developer=True)
    work.keep(happened=[Happening("updated", "qa-gate", f"with {row.base}")])
    return Rest(wait=UPDATING)


def blocked(work: Work, reason: str) -> Rest:
    """Say what a protected branch still waits for: checks that run, checks that are red, or what GitHub says."""
    if context_of(work.row.base) in reason:
        return unheard(work, reason)
    if "status check" not in reason:
        return unreviewed(work, reason)
    checks = work.gate.github.checks(work.row.repository, work.row.head_sha)
    work.keep()
    # GitHub names one that is missing, and only counts several; what is not required is red for nobody.
    named = [name for name in checks.names if f'"{name}"' in reason]
    if 'status check "' in reason and not named:
        return hold(work, reason, stuck=not any(word in reason for word in RUNNING))
    names = ", ".join(named or checks.names)
    if checks.state == "red":
        return hold(
            work,
            f"An automatic test is failing ({names}). The developer has to fix it first.",
            for_developer=True,
        )
    if checks.state == "pending":
        return hold(
            work,
            f"Automatic tests are still running ({names}). It goes in when they pass.",
            stuck=False,
        )
    return hold(work, reason)


def unheard(work: Work, reason: str) -> Rest:
    """Say our own status again, for somebody may have written over it; if GitHub still misses it, it never counts."""
    if work.claim.problem == SAID_AGAIN or (work.row.hold == NOT_COUNTED and "expected" in reason):
        return hold(work, NOT_COUNTED)
    work.keep(said=replace(work.row.said, status=""))
    return Rest(SOON, SAID_AGAIN, failed=True)


def unreviewed(work: Work, reason: str) -> Rest:
    """Review the new head of a yes that was carried over, once: GitHub may dismiss what was said of the one before."""
    row, last = work.row, work.gate.store.reviews.last_decision(work.row.id)
    is_carried = last is not None and last.head_sha != row.head_sha
    if "review" not in reason or not is_carried or work.claim.problem == REVIEWED_AGAIN or row.hold == reason:
        return hold(work, reason)
    work.keep(said=replace(row.said, review=row.decisions - 1, begun=0))
    return Rest(SOON, REVIEWED_AGAIN, failed=True)


def hold(work: Work, why: str, *, for_developer: bool = False, stuck: bool = True) -> Rest:
    """Keep a yes that cannot be merged now, and show why on the page, in the status, and to who must act.

    `stuck`: this does not end by itself, so who said yes is told of it after a while.
    """
    row = work.row
    if row.hold != why:
        news = [outcome_letter(row, row.decision, TELL_AFTER)] if stuck and row.decision else []
        work.keep(hold=why, stuck=stuck, news=news, happened=[Happening("held", "GitHub", why)])
    say(work)
    if for_developer:
        say_hold(work, is_news=True)
    return Rest(wait=LOOK_AGAIN)
