"""What no other test would notice: each of these fails with a fault that was planted by hand and went unseen.

Told from outside, so that they hold whatever the gate's inside looks like.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import event

from app.domain.approval import Cover, MergeCommit, Merged, how_merged
from app.domain.facts import Commit, State
from app.domain.release import Merge, sort_commits
from tests.builders import BASE, HEAD, decision, row
from tests.outside import GATE, MakeOutside, Outside, given
from tests.world import SHOP


def test_a_merge_that_went_elsewhere_in_the_last_instant_is_told_though_its_answer_was_lost(
    outside: Outside,
) -> None:
    outside.commit("feature")
    number = outside.approved()
    done: list[str] = []

    def retarget(method: str, _path: str, phase: str) -> None:
        if method == "PUT" and phase == "before" and not done:
            done.append(method)
            outside.github.retarget(number, "feature")

    outside.github.on_call = retarget
    outside.github.fail("PUT", "/merge$", 502, after=True)
    outside.settle()
    outside.pass_(minutes=5, step=30)
    given(outside.is_merged(number), "GitHub did not merge it")
    assert [mail.subject for mail in outside.mails if mail.preview.startswith("Not approved by QA")]


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_was_a_draft_for_a_while_is_asked_about_again_though_its_webhooks_came_late(
    outside: Outside, is_answered: bool
) -> None:
    number = outside.approved() if is_answered else outside.asked()
    old = outside.link()
    outside.github.hold()
    outside.world.clock.pass_(seconds=5)
    outside.github.convert_to_draft(number)
    outside.world.clock.pass_(seconds=5)
    outside.github.ready(number)
    outside.github.release()
    outside.settle()
    assert not outside.is_merged(number)
    assert outside.status(number) == "pending"
    assert not outside.may_approve(old)
    outside.pass_(minutes=11, step=60)
    assert outside.may_approve(outside.link())


def test_a_success_whose_answer_was_lost_is_taken_back_from_a_head_that_was_pushed_over_meanwhile(
    outside: Outside,
) -> None:
    number = outside.approved()
    approved = outside.pull(number).head_sha

    def push(_method: str, path: str, phase: str) -> None:
        if path.endswith(approved) and phase == "after":
            outside.github.on_call = None
            outside.commit("gift-cards", more_py="more\n")

    outside.github.on_call = push
    outside.github.fail("POST", "/statuses/", None, after=True)
    outside.settle()
    given(outside.status(sha=approved), "no status")
    outside.pass_(minutes=15, step=60)
    assert outside.status(sha=approved) == "pending"
    assert not outside.is_merged(number)


def test_a_commit_that_came_before_a_rebase_which_left_one_out_is_told_as_not_approved(
    make_outside: MakeOutside,
) -> None:
    """A rebase leaves merge commits out, so that fewer land than were asked about."""
    outside = make_outside(MERGE_METHOD="rebase")
    outside.start()
    first = outside.commit("gift-cards")
    outside.commit("development", haste_py="haste\n", by="kim")
    outside.updated(first, branch="gift-cards")
    number = outside.approved()
    outside.settle()
    given(outside.is_merged(number), "not merged")
    outside.pass_(minutes=2, step=30)
    not_approved = outside.release_text().partition("Approved")[0]
    assert "Work on development" in not_approved


def test_a_change_that_goes_to_another_branch_now_is_asked_about_after_the_quiet_time(
    outside: Outside,
) -> None:
    number = outside.asked()
    outside.pass_(minutes=30)
    outside.github.retarget(number, "master")
    outside.settle()
    outside.pass_(minutes=9, step=60)
    assert len(outside.mails) == 1
    outside.pass_(minutes=2, step=60)
    assert len(outside.mails) == 2
    assert outside.may_approve(outside.link())


def test_a_new_version_of_what_came_in_a_list_is_shown_as_one(outside: Outside) -> None:
    for number in range(6):
        outside.open(f"change{number}")
    outside.settle()
    outside.pass_(minutes=11, step=60)
    listed = outside.mails[-1]
    given("Change change5" in listed.text and len(outside.mails) == 6, "it came in no list")
    outside.pass_(minutes=60, step=600)
    outside.commit("change5", more_py="more\n")
    outside.settle()
    outside.pass_(minutes=11, step=60)
    assert outside.told("Change change5", since=6)
    assert "See only what’s new" in outside.mails[-1].text


def test_a_link_that_she_asked_for_again_counts_for_the_ceiling(outside: Outside) -> None:
    outside.ask_about(9)
    outside.world.browser.post(f"{outside.link()}/fresh")
    outside.settle()
    given(len(outside.mails) == 10, "no fresh link came")
    outside.open("one-more", author="somebody")
    outside.settle()
    assert len(outside.mails) == 10
    outside.pass_(minutes=11, step=60)
    assert outside.told("Change one-more", since=10)


def test_one_change_that_fails_again_and_again_holds_up_no_other(outside: Outside) -> None:
    outside.start()
    outside.pass_(seconds=60)
    broken = outside.open("broken")
    outside.github.fail("*", f"/pulls/{broken}$", 502, times=None)
    outside.settle()
    outside.pass_(seconds=30, step=1)
    given(not outside.mails, "it does not fail")
    outside.asked("fine")


class Death(BaseException):
    """The process is gone, at this very instant."""


@pytest.mark.parametrize("commit", [2, 3])
def test_a_process_that_dies_once_a_mail_is_noted_as_sent_makes_no_copy(
    outside: Outside, commit: int
) -> None:
    """Before that nobody can know that it went out."""
    seen: list[object] = []

    def die(connection: object) -> None:
        if outside.mails:
            seen.append(connection)
        if len(seen) == commit:
            raise Death

    engines = outside.world.store.database.engines
    for engine in engines:
        event.listen(engine, "commit", die)
    outside.open()
    with suppress(Death):
        outside.settle()
    for engine in engines:
        event.remove(engine, "commit", die)
    given(len(outside.mails) == 1, "Lily was not asked")
    outside.pass_(minutes=10, step=30)
    assert len(outside.mails) == 1
    assert outside.status() == "pending"


def test_who_may_write_here_no_longer_is_a_stranger_the_day_after(outside: Outside) -> None:
    github = outside.github

    def open_from_fork(branch: str) -> int:
        github.commit(fork, branch, {f"{branch}.py": f"{branch}\n"}, f"Work on {branch}", "max")
        return github.open_pull_request(SHOP, branch, title=branch, author="max", from_fork=fork)

    github.add_person("max", association="NONE", permission="write")
    fork = github.fork(SHOP, "max")
    open_from_fork("before")
    outside.settle()
    given(outside.told("before"), "a colleague is taken for a stranger")
    github.add_person("max", association="NONE", permission="read")
    outside.pass_(hours=25, step=3600)
    number = open_from_fork("afterwards")
    outside.settle()
    assert not outside.told("afterwards")
    assert outside.status(number) == "pending"


def test_an_approval_that_is_held_is_tried_at_once_after_a_mend_and_a_restart(outside: Outside) -> None:
    outside.start()
    outside.github.protect(SHOP, "development", [GATE], approvals=2)
    outside.approved()
    outside.settle()
    outside.pass_(minutes=21, step=60)
    given(not outside.is_merged(), "nothing holds it")
    outside.github.protect(SHOP, "development", [GATE])
    outside.restart()
    assert outside.is_merged()


def test_what_came_first_is_asked_about_first(outside: Outside) -> None:
    outside.github.hold()
    branches = ["one", "two", "three"]
    for branch in branches:
        outside.open(branch)
    outside.github.release()
    outside.settle()
    asked = [next(one for one in branches if f"Change {one}" in mail.text) for mail in outside.mails]
    assert asked == branches


def test_one_comparison_that_fails_makes_no_question_without_files(outside: Outside) -> None:
    outside.github.fail("GET", "/compare/", 502)
    outside.open()
    outside.settle()
    outside.pass_(seconds=30, step=1)
    given(len(outside.mails) == 1, "Lily was not asked")
    assert "gift-cards.py" in outside.world.browser.get(outside.link()).text


def test_of_a_rebase_that_landed_fewer_commits_than_were_approved_only_the_last_is_approved() -> None:
    """GitHub left some out, or something else came in the same instant: which of the others is whose nobody can tell."""
    slipped = Commit("s" * 40, "Slipped in", "kim", parents=(BASE,))
    last = Commit("l" * 40, "Two", "sam", parents=("s" * 40,))
    merged = row(
        State.MERGED, decision=decision(), merge_commit=last.sha, merged_onto=BASE, merged_how=Merged.BY_GATE
    )
    found = sort_commits([slipped, last], [Merge(merged, (HEAD, "1" * 40, "2" * 40))], "development")
    assert (found.approved, found.rest) == ([merged], [slipped.sha])
    exact = sort_commits([slipped, last], [Merge(merged, (HEAD, "1" * 40))], "development")
    assert exact.rest == []


@pytest.mark.parametrize("status", [403, 404, 422])
def test_an_answer_that_github_refuses_twice_in_a_second_is_said_all_the_same(
    outside: Outside, status: int
) -> None:
    """As a review, and as the comment in its place: one odd moment proves nothing."""
    outside.asked()
    outside.choose("approve", "The cards are fine.")
    outside.github.fail("POST", "/(reviews|comments)$", status, times=2)
    outside.settle()
    outside.pass_(minutes=10, step=10)
    given(outside.is_merged(), "not merged")
    said = [one.body for one in outside.pull(1).reviews]
    said += [one.body for one in outside.github.repo().comments.values()]
    assert sum("The cards are fine." in body for body in said) == 1


@pytest.mark.parametrize("status", [404, 422])
def test_one_odd_refusal_leaves_no_success_on_a_head_that_was_pushed_over(
    outside: Outside, status: int
) -> None:
    outside.github.protect(SHOP, "development", [GATE], approvals=2)
    number = outside.approved()
    outside.settle()
    approved = outside.pull(number).head_sha
    given(outside.status(sha=approved) == "success", "it was not approved")
    outside.github.fail("POST", f"/statuses/{approved}", status)
    outside.commit("gift-cards", more_py="more\n")
    outside.settle()
    outside.pass_(minutes=15, step=60)
    assert outside.status(sha=approved) == "pending"


def test_a_status_that_github_does_not_take_is_said_once_a_run_and_lily_is_asked_all_the_same(
    outside: Outside,
) -> None:
    outside.github.rights.discard("statuses")
    outside.open()
    outside.settle()
    assert len(outside.calls("POST", "/statuses/")) == 1
    assert outside.may_approve(outside.link())


def test_of_three_answers_before_github_was_told_only_the_last_is_told(outside: Outside) -> None:
    number = outside.asked()
    for choice, note in (("reject", "First word."), ("take_back", ""), ("approve", "Last word.")):
        given(outside.choose(choice, note, outside.link()) < 400, f"not {choice}")
    outside.settle()
    given(outside.is_merged(number), "not merged")
    said = [one.body for one in outside.pull(number).reviews]
    said += [one.body for one in outside.github.repo().comments.values()]
    assert ["Last word." in body for body in said] == [True]


def test_without_a_lock_what_was_rejected_is_not_merged_by_an_approval_carried_onto_it(
    outside: Outside,
) -> None:
    approved = outside.approved("cards")
    away = outside.github.fail("PUT", "/merge$", 503, times=None)
    outside.settle()
    outside.commit("development", other_py="other\n")
    head = outside.updated(outside.pull(approved).head_sha, branch="cards-too")
    outside.asked("cards-too")
    given(outside.choose("reject", "The total is wrong.") < 400, "not rejected")
    outside.settle()
    outside.github.force_push(SHOP, "cards", head)
    outside.settle()
    away.lift()
    outside.pass_(minutes=15, step=30)
    assert not outside.is_merged(approved)


@pytest.mark.parametrize(
    "parents, expected",
    [
        ((BASE, HEAD), Merged.BY_GITHUB),
        ((BASE,), Merged.BY_GITHUB),  # its squash
        ((BASE, "3" * 40), Merged.BYPASSED),  # of a branch that holds the approved head and more
        ((HEAD, BASE), Merged.BYPASSED),
        ((BASE, HEAD, "3" * 40), Merged.BYPASSED),
    ],
)
def test_a_merge_that_github_signed_is_approved_only_as_one_of_the_approved_head(
    parents: tuple[str, ...], expected: Merged
) -> None:
    commit = MergeCommit("m" * 40, parents, is_githubs=True)
    cover = Cover("development", HEAD)
    assert how_merged(cover, is_ours=False, commit=commit, is_brought=False) is expected


def test_a_merge_of_an_unapproved_branch_that_holds_an_approved_one_is_told_as_not_approved(
    outside: Outside,
) -> None:
    outside.start()
    outside.github.protect(SHOP, "development", [GATE], approvals=2)
    lower = outside.approved("lower")
    outside.settle()
    outside.commit("upper", start_from="lower")
    upper = outside.asked("upper")
    mails = len(outside.mails)
    outside.github.merge_as("kim", upper)
    outside.settle()
    outside.pass_(minutes=2, step=30)
    given(outside.is_merged(lower), "the lower part is not in")
    assert [
        m for m in outside.mails[mails:] if m.preview.startswith("Not approved by QA") and "upper" in m.text
    ]
    assert "Change upper" in outside.release_text().partition("**Approved")[0]
