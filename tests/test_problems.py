"""A lasting problem is told to whom it concerns, once when it begins and once when it is over; what passes, to nobody."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import pytest

from app.domain.problems import (
    LASTING,
    Effect,
    Problem,
    Trouble,
    Turn,
    What,
    effects_on,
    narrowed,
    turn_of,
)
from tests.builders import LILY, NOON
from tests.outside import MakeOutside, Outside, given, words_of
from tests.world import SHOP

OLGA = {"OPERATOR": "Olga <olga@example.com>"}
TWO = {**OLGA, "QA_REVIEWERS": "Lily <lily@example.com>, Max <max@example.com>"}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


# --- The rules -----------------------------------------------------------------------------------------------


def problem(
    since: timedelta = timedelta(0),
    seen: timedelta = timedelta(0),
    begun: timedelta | None = None,
    logged: timedelta | None = None,
) -> Problem:
    """A problem by how long ago each was."""

    def ago(span: timedelta | None) -> datetime | None:
        return None if span is None else NOON - span

    return Problem(1, What.GITHUB, "", NOON - since, NOON - seen, ago(begun), ago(logged))


@pytest.mark.parametrize(
    "known,is_there,turn",
    [
        (problem(), True, Turn.STAYS),
        (problem(LASTING - MINUTE, MINUTE), True, Turn.STAYS),
        (problem(LASTING, MINUTE), True, Turn.BEGINS),
        (problem(LASTING, MINUTE), False, Turn.STAYS),
        (problem(LASTING, 2 * MINUTE), False, Turn.FORGOTTEN),
        (problem(3 * HOUR, 2 * HOUR), True, Turn.BEGINS),
        (problem(-HOUR, -HOUR), True, Turn.BEGINS),
        (problem(-HOUR, -HOUR), False, Turn.FORGOTTEN),
        (problem(HOUR, MINUTE, HOUR, 59 * MINUTE), True, Turn.STAYS),
        (problem(HOUR, MINUTE, HOUR, HOUR), True, Turn.LASTS),
        (problem(HOUR, MINUTE, HOUR, -HOUR), True, Turn.LASTS),
        (problem(9 * HOUR, 5 * HOUR, 8 * HOUR, MINUTE), True, Turn.STAYS),
        (problem(HOUR, MINUTE, HOUR, MINUTE), False, Turn.STAYS),
        (problem(HOUR, 2 * MINUTE, HOUR, MINUTE), False, Turn.ENDS),
        (problem(HOUR, -HOUR, HOUR, MINUTE), False, Turn.ENDS),
    ],
)
def test_a_problem_begins_when_it_has_lasted_and_ends_when_it_is_gone_for_good(
    known: Problem, is_there: bool, turn: Turn
) -> None:
    assert turn_of(known, is_there, NOON) is turn


def test_what_another_trouble_explains_is_none_of_its_own() -> None:
    def kept(*troubles: tuple[What, str]) -> list[What]:
        return [one.what for one in narrowed([Trouble(*one) for one in troubles])]

    assert kept((What.BRANCH, "a/a"), (What.REPOSITORY, "a/a")) == [What.REPOSITORY]
    assert kept((What.BRANCH, "a/a"), (What.REPOSITORY, "a/b")) == [What.BRANCH, What.REPOSITORY]
    assert kept((What.BRANCH, "a/a"), (What.REPOSITORY, "a/a"), (What.TAKEN, "a/a")) == [What.TAKEN]


@pytest.mark.parametrize("what", What)
def test_every_problem_has_a_meaning_for_her_or_is_none_of_her_business(what: What) -> None:
    hers = effects_on(LILY.id, [Problem(1, what, LILY.id, NOON, NOON, NOON)])
    others = effects_on(LILY.id, [Problem(1, what, "another", NOON, NOON, NOON)])
    if what is What.RENAMED:
        assert (hers, others) == ([], [])
    elif what in (What.MAIL, What.UNSENT, What.UNKNOWN):
        assert (hers, others) == ([Effect.UNMAILED], [])
    elif what is What.SUPPRESSED:
        assert (hers, others) == ([Effect.BOUNCED], [])
    elif what is What.AWAY:
        assert hers == others == [Effect.NOBODY]
    else:
        assert hers == others == [Effect.HALTED]


# --- Who is told ---------------------------------------------------------------------------------------------


def to_olga(outside: Outside) -> list[str]:
    """The subjects of the mails to whoever runs the gate."""
    return [mail.subject for mail in outside.mails if mail.address == "olga@example.com"]


def facts(outside: Outside) -> list[str]:
    """The problems that /readyz names, while a worker lives."""
    outside.world.store.queue.beat("a worker")
    status, said = outside.readyz()
    given(status == 200, f"not ready: {said}")
    return [one["what"] for one in said["problems"]]


def test_a_trouble_that_passes_is_told_to_nobody(make_outside: MakeOutside) -> None:
    outside = make_outside(**OLGA)
    outside.start()
    fault = outside.github.fail("*", ".*", 401, {"message": "Bad credentials"}, times=None)
    outside.pass_(minutes=10, step=60)
    fault.lift()
    outside.pass_(hours=3, step=300)
    assert (outside.mails, facts(outside)) == ([], [])


def test_an_outage_of_github_is_a_fact_and_a_problem_while_the_gate_itself_stays_ready(
    make_outside: MakeOutside,
) -> None:
    outside = make_outside(GITHUB_REPOSITORIES=f"{SHOP}, acme/tea", **OLGA)
    outside.github.create_repository("acme/tea")
    outside.start()
    outside.open("cards")
    fault = outside.github.fail("*", ".*", 502, times=None)
    outside.pass_(minutes=40, step=60)
    assert facts(outside) == ["github"]
    assert outside.readyz()[1]["github"] == "no answer"
    assert to_olga(outside) == ["Problem: GitHub doesn’t answer"]
    fault.lift()
    outside.pass_(minutes=10, step=30)
    assert (facts(outside), outside.readyz()[1]["github"]) == ([], "ok")
    assert to_olga(outside) == ["Problem: GitHub doesn’t answer", "Solved: GitHub doesn’t answer"]


def test_what_one_pull_request_is_refused_is_told_with_what_github_says(make_outside: MakeOutside) -> None:
    outside = make_outside(**OLGA)
    outside.start()
    outside.github.fail("POST", "/statuses/", 422, {"message": "Too many statuses."}, times=None)
    outside.open("cards")
    outside.pass_(hours=1, step=120)
    assert facts(outside) == ["stuck"]
    (mail,) = [one for one in outside.mails if one.address == "olga@example.com"]
    assert mail.subject == f"Problem: GitHub keeps refusing what the gate must do in {SHOP}"
    assert f'{SHOP}#1: GitHub refused it: "Too many statuses."' in mail.text


@pytest.mark.parametrize("by", ["archived", "queue", "method"])
def test_what_only_the_operator_can_change_about_an_approved_change_is_told_to_the_operator(
    make_outside: MakeOutside, by: str
) -> None:
    outside = make_outside(**OLGA)
    outside.start()
    number = outside.asked("cards")
    if by == "archived":
        outside.github.repo().archived = True
    elif by == "queue":
        outside.github.protect(SHOP, "development", ["qa-gate/development"], queue=True)
    else:
        said = {"message": "Merge commits are not allowed on this repository."}
        outside.github.fail("PUT", "/merge$", 405, said, times=None)
    outside.choose()
    outside.pass_(hours=1, step=120)
    given(not outside.is_merged(number), "merged")
    assert facts(outside) == (["rights"] if by == "archived" else ["setting"])
    (mail,) = [one for one in outside.mails if one.address == "olga@example.com"]
    assert f"{SHOP}#{number}: " in mail.text


def test_what_a_developer_must_do_is_no_problem_of_the_operators(make_outside: MakeOutside) -> None:
    outside = make_outside(**OLGA)
    outside.start()
    outside.github.protect(SHOP, "development", ["qa-gate/development"], approvals=2)
    outside.approved("cards")
    outside.pass_(hours=1, step=120)
    given(not outside.is_merged(), "merged")
    assert (facts(outside), to_olga(outside)) == ([], [])


def test_a_bug_is_a_problem_too(make_outside: MakeOutside) -> None:
    outside = make_outside(**OLGA)
    outside.start()
    outside.github.fail("*", "/pulls", 200, {"is": "of another form"}, times=None)
    outside.pass_(hours=1, step=120)
    assert facts(outside) in (["bug"], ["stuck"])
    assert len(to_olga(outside)) == 1


def test_a_mail_of_which_nobody_knows_is_a_problem_until_the_next_one_went_out(
    make_outside: MakeOutside,
) -> None:
    outside = make_outside(**OLGA)
    outside.start()
    fault = outside.world.inbox.fail(None, times=3)
    outside.browser().post("/sign-in", data={"address": "lily@example.com"})
    outside.pass_(minutes=30, step=60)
    given(fault.met == 3, f"tried {fault.met} times")
    assert facts(outside) == ["unknown"]
    assert to_olga(outside) == ["Problem: Amazon SES didn’t say whether it took an email to Lily"]
    outside.asked("cards")
    outside.pass_(minutes=5, step=60)
    assert facts(outside) == []
    assert len(to_olga(outside)) == 2


def test_a_problem_that_no_mail_could_tell_of_is_told_once_it_is_over(make_outside: MakeOutside) -> None:
    outside = make_outside(**OLGA)
    outside.start()
    no_mail = outside.world.inbox.fail(400, "MessageRejected", "Email address is not verified.", times=None)
    no_github = outside.github.fail("*", ".*", 401, {"message": "Bad credentials"}, times=None)
    outside.pass_(minutes=40, step=120)
    assert facts(outside) == ["identity", "unsent"]  # Olga's own mail does not go out either
    no_github.lift()
    outside.start()
    outside.pass_(minutes=10, step=60)
    assert facts(outside) == ["unsent"]
    no_mail.lift()
    outside.pass_(minutes=70, step=300)
    assert facts(outside) == []
    about_github = [one for one in to_olga(outside) if "GitHub" in one]
    assert about_github == ["Solved: GitHub doesn’t accept the gate’s token or App key"]


def test_a_renamed_repository_is_told_to_whoever_runs_the_gate_and_not_to_lily(
    make_outside: MakeOutside,
) -> None:
    outside = make_outside(**OLGA)
    outside.start()
    lily = outside.sign_in()
    healthy = words_of(lily)
    outside.github.rename(SHOP, "acme/store")
    outside.pass_(hours=1, step=300)
    assert facts(outside) == ["renamed"]
    assert to_olga(outside) == ["Problem: acme/shop is called acme/store at GitHub now"]
    assert words_of(lily) == healthy


def test_what_lasts_is_one_log_line_at_first_and_one_an_hour(
    make_outside: MakeOutside, caplog: pytest.LogCaptureFixture
) -> None:
    outside = make_outside(RELEASE_BRANCH="", DEVELOPMENT_BRANCH="trunk")
    caplog.set_level(logging.WARNING, "qa-gate.problems")
    outside.start()
    outside.pass_(minutes=200, step=60)
    lines = [one.getMessage() for one in caplog.records if one.name == "qa-gate.problems"]
    assert len(lines) == 4
    assert all(line.startswith("acme/shop has no branch trunk. Make it, or set") for line in lines)
    outside.commit("trunk")
    outside.start()
    outside.pass_(minutes=10, step=60)
    lines = [one.getMessage() for one in caplog.records if one.name == "qa-gate.problems"]
    assert lines[4:] == ["Over: acme/shop has no branch trunk."]


# --- Mail that does not arrive -------------------------------------------------------------------------------


def test_what_waits_for_a_bounced_reviewer_goes_to_the_next_one_and_the_operator_is_told(
    make_outside: MakeOutside,
) -> None:
    outside = make_outside(**TWO)
    outside.start()
    outside.asked("cards")
    outside.world.inbox.account.suppressed["lily@example.com"] = "BOUNCE"
    outside.pass_(hours=24, step=1800)
    outside.pass_(hours=1, step=300)
    instead = next(mail for mail in outside.mails if mail.address == "max@example.com")
    assert "emails to Lily don’t arrive, so this comes to you." in instead.text
    assert to_olga(outside) == ["Problem: Emails to Lily don’t arrive"]
    outside.asked("tea")
    assert outside.mails[-1].address == "max@example.com"
    outside.world.inbox.account.suppressed.clear()
    outside.start()
    outside.pass_(minutes=10, step=60)
    assert to_olga(outside)[1:] == ["Solved: Emails to Lily don’t arrive"]
    outside.asked("wine")
    assert outside.mails[-1].address == "lily@example.com"


def test_the_only_reviewer_is_asked_though_no_mail_reaches_her_and_her_page_says_so(
    make_outside: MakeOutside,
) -> None:
    outside = make_outside(**OLGA)
    lily = outside.sign_in()
    outside.world.inbox.account.suppressed["lily@example.com"] = "COMPLAINT"
    outside.start()
    outside.asked("cards")
    outside.pass_(minutes=30, step=300)
    assert "Emails to you don t arrive" in words_of(lily)
    assert "Change cards" in words_of(lily)


def test_who_may_not_see_the_suppression_list_is_not_bothered_by_it(make_outside: MakeOutside) -> None:
    outside = make_outside(**TWO)
    outside.world.inbox.account.forbidden.add("GetSuppressedDestination")
    outside.start()
    outside.pass_(hours=2, step=300)
    assert (outside.mails, facts(outside)) == ([], [])


def test_the_suppression_list_is_read_once_a_day_and_at_each_start(make_outside: MakeOutside) -> None:
    outside = make_outside(**TWO)
    outside.start()
    account = outside.world.inbox.account
    assert account.asked == 3  # two reviewers and whoever runs the gate
    outside.pass_(hours=23, step=1800)
    assert account.asked == 3
    outside.pass_(hours=2, step=1800)
    assert account.asked == 6
    outside.start()
    assert account.asked == 9
