"""Nothing goes quiet: a lasting problem is on /readyz, on Lily's page, and in one mail to whoever runs the gate."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from demo.faults import Fault
from tests.outside import MakeOutside, Outside, given, words_of
from tests.world import SHOP


def token_expired(outside: Outside) -> Fault:
    return outside.github.fail("*", ".*", 401, {"message": "Bad credentials"}, times=None)


def token_without_rights(outside: Outside) -> Fault:
    said = {"message": "Resource not accessible by personal access token"}
    return outside.github.fail("*", "/repos/", 403, said, times=None)


def repository_gone(outside: Outside) -> Fault:
    return outside.github.fail("*", "/repos/", 404, {"message": "Not Found"}, times=None)


def branch_renamed(outside: Outside) -> Fault:
    outside.github.force_push(SHOP, "trunk", outside.tip())
    outside.github.force_push(SHOP, "development", None)
    return outside.github.fail("GET", "/nothing", 500)


def mail_refused(outside: Outside) -> Fault:
    return outside.world.inbox.fail(400, "MessageRejected", "Email address is not verified.", times=None)


PROBLEMS: dict[str, tuple[Callable[[Outside], Fault], dict[str, str]]] = {
    "token expired": (token_expired, {}),
    "token without rights": (token_without_rights, {}),
    "repository gone": (repository_gone, {}),
    "branch renamed": (branch_renamed, {}),
    "branch renamed, no release": (branch_renamed, {"RELEASE_BRANCH": ""}),
    "SES refuses": (mail_refused, {}),
}


def an_hour_of(outside: Outside, name: str) -> None:
    """Let a problem last for an hour, in which a pull request is opened where that can be."""
    outside.commit("cards")
    PROBLEMS[name][0](outside)
    if "development" in outside.github.repo().git.branches:
        outside.open("cards")
    outside.settle()
    outside.pass_(hours=1, step=300)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_lasting_problem_is_among_the_facts_of_readyz(make_outside: MakeOutside, name: str) -> None:
    outside = make_outside(**PROBLEMS[name][1])
    outside.start()
    given(not outside.readyz()[1].get("problems"), "a problem before there was one")
    an_hour_of(outside, name)
    facts = outside.readyz()[1]
    assert facts.get("problems"), facts
    assert {"github", "mail"} <= set(facts)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_lasting_problem_is_on_lilys_page(make_outside: MakeOutside, name: str) -> None:
    outside = make_outside(**PROBLEMS[name][1])
    outside.start()
    lily = outside.sign_in()
    healthy = words_of(lily)
    PROBLEMS[name][0](outside)
    if name == "SES refuses":  # only mail can find that out; it is about what she is asked already
        outside.world.browser.post("/sign-in", data={"address": "lily@example.com"})
    outside.settle()
    outside.pass_(hours=1, step=300)
    assert words_of(lily) != healthy


def test_whoever_runs_the_gate_gets_one_mail_when_a_problem_begins_and_one_when_it_ends(
    make_outside: MakeOutside,
) -> None:
    outside = make_outside(OPERATOR="olga@example.com")
    outside.start()
    fault = token_expired(outside)
    outside.pass_(hours=2, step=300)
    assert [mail.address for mail in outside.mails] == ["olga@example.com"]
    fault.lift()
    outside.pass_(minutes=65, step=300)
    assert [mail.address for mail in outside.mails] == ["olga@example.com"] * 2


@pytest.mark.parametrize("more", [{}, {"RELEASE_BRANCH": ""}], ids=["release", "no release"])
def test_a_gated_branch_that_never_existed_is_a_problem(
    make_outside: MakeOutside, more: dict[str, str]
) -> None:
    outside, healthy = make_outside(DEVELOPMENT_BRANCH="developmnet", **more), make_outside(**more)
    for one in (outside, healthy):
        one.start()
        one.open("cards")
        one.pass_(hours=1, step=600)
    assert outside.readyz()[1].get("problems")
    assert not healthy.readyz()[1].get("problems")
