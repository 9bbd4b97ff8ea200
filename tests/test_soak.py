"""What `make soak` judges by: each violation that is planted is found, and a short life has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.soak.judge import judge
from benchmarks.soak.life import live
from benchmarks.soak.record import Answer, Deed, Mail, Pull, Record, Sight, Trouble

BEGAN, ASKED, ANSWERED, MERGED = 1_000.0, 1_010.0, 1_020.0, 1_030.0
HEAD, OTHER, MERGE, TIP = "a" * 40, "b" * 40, "c" * 40, "d" * 40
GATE = "qa-gate/development"
WAITING = Pull(2, "development", OTHER, True, False, None, 0.0, (), can_answer=True)
APPROVAL = Answer(1, "approve", "note1x", HEAD, ASKED, ANSWERED, ANSWERED, "recorded")

Story = tuple[Record, Sight]
Plant = Callable[[Record, Sight], Story]


def honest() -> Story:
    """One change approved and merged, one that waits for Lily."""
    record = Record(deeds=[Deed(BEGAN, 1, "open"), Deed(BEGAN, 2, "open")], answers=[APPROVAL], pushed={TIP})
    sight = Sight(
        pulls=(Pull(1, "development", HEAD, False, False, MERGE, MERGED, ("note1x",), False), WAITING),
        branches={"development": {MERGE: (TIP, HEAD), TIP: ("e" * 40,)}, "master": {}},
        statuses={
            (HEAD, GATE): ("success", "Approved by Lily."),
            (OTHER, GATE): ("pending", "Waiting for Lily’s approval (asked 1 May, 10:00 UTC)"),
        },
        mails=(
            Mail(ASKED, "Add one (#1)", "Hi Lily", ("one", "one-no"), False),
            Mail(ASKED, "Add two (#2)", "Hi Lily", ("two", "two-no"), False),
        ),
        same=lambda old, new, _: old == new,
    )
    return record, sight


def seen(**changes: object) -> Plant:
    """Something else is seen of the change that waits."""

    def plant(record: Record, sight: Sight) -> Story:
        return record, replace(sight, pulls=(sight.pulls[0], replace(WAITING, **changes)))

    return plant


def said(state: str, words: str, sha: str = OTHER) -> Plant:
    """A status is another."""

    def plant(record: Record, sight: Sight) -> Story:
        return record, replace(sight, statuses={**sight.statuses, (sha, GATE): (state, words)})

    return plant


def answered(answer: Answer, *more: Plant) -> Plant:
    """Lily clicked once more."""

    def plant(record: Record, sight: Sight) -> Story:
        record.answers.append(answer)
        for one in more:
            record, sight = one(record, sight)
        return record, sight

    return plant


def never_answered(record: Record, sight: Sight) -> Story:
    record.answers.clear()
    return record, sight


def merged_elsewhere(record: Record, sight: Sight) -> Story:
    return record, replace(sight, branches={**sight.branches, "master": {MERGE: (TIP, HEAD)}})


def pushed_by_nobody(record: Record, sight: Sight) -> Story:
    record.pushed.clear()
    return record, sight


def merged_with_more(record: Record, sight: Sight) -> Story:
    return record, replace(sight, branches={"development": {MERGE: (TIP, OTHER)}, "master": {}})


def mailed_again(record: Record, sight: Sight) -> Story:
    return record, replace(sight, mails=(*sight.mails, replace(sight.mails[1], at=MERGED)))


def said_again(record: Record, sight: Sight) -> Story:
    first = replace(sight.pulls[0], said=("note1x", "note1x"))
    return record, replace(sight, pulls=(first, WAITING))


def said_nowhere(record: Record, sight: Sight) -> Story:
    return record, replace(sight, pulls=(replace(sight.pulls[0], said=()), WAITING))


def merged_around_untold(record: Record, sight: Sight) -> Story:
    record.deeds.append(Deed(MERGED, 1, "around"))
    record.answers.clear()
    return record, sight


def called_a_bypass(record: Record, sight: Sight) -> Story:
    told = Mail(MERGED, "Add one (#1)", "Not approved by QA: kim merged it", (), False)
    return record, replace(sight, mails=(*sight.mails, told))


TAKEN_BACK = Answer(1, "take_back", "", HEAD, ASKED, ANSWERED + 1, ANSWERED + 2, "recorded")
REJECTED = replace(APPROVAL, choice="reject", note="note2x", sent=ANSWERED + 1, ended=ANSWERED + 2)
SECOND = Answer(2, "approve", "note3x", OTHER, ASKED, ANSWERED, ANSWERED, "recorded")
PLANTED: dict[str, tuple[Plant, str]] = {
    "merged unasked": (never_answered, "merges_without_approval"),
    "merged after a rejection": (answered(REJECTED), "merges_without_approval"),
    "merged after it was taken back": (answered(TAKEN_BACK), "merges_without_approval"),
    "merged with another commit": (merged_with_more, "merges_without_approval"),
    "merged into another branch": (merged_elsewhere, "merges_without_approval"),
    "a commit of nobody's": (pushed_by_nobody, "merges_without_approval"),
    "success without an approval": (said("success", "Approved by Lily."), "open_locks"),
    "success on a commit of before": (said("success", "Approved by Lily.", "f" * 40), "open_locks"),
    "an approval told to nobody": (said_nowhere, "lost_answers"),
    "an approval that is gone": (answered(SECOND, seen(said=("note3x",))), "stuck_rows"),
    "an approval that neither merges nor says why": (
        answered(SECOND, seen(said=("note3x",)), said("success", "Approved by Lily.")),
        "stuck_rows",
    ),
    "a change without a status": (seen(head="f" * 40), "stuck_rows"),
    "a question that never comes": (said("pending", "QA will be asked soon."), "stuck_rows"),
    "a question that Lily never got": (seen(can_answer=False), "stuck_rows"),
    "a rejection of nobody's": (said("failure", "Changes requested by Lily: no"), "stuck_rows"),
    "a merge around the gate that nobody is told of": (merged_around_untold, "untold_merges"),
    "an approved merge that is called one around the gate": (called_a_bypass, "untold_merges"),
    "a mail that came twice": (mailed_again, "copies_of_mails"),
    "an approval that is said twice": (said_again, "copies_at_github"),
    "an old link that decides": (answered(replace(SECOND, head="")), "powerful_links"),
}


def test_an_honest_life_has_no_violation() -> None:
    assert judge(*honest()) == []


@pytest.mark.parametrize("planted", PLANTED)
def test_a_violation_that_is_planted_is_found(planted: str) -> None:
    plant, rule = PLANTED[planted]
    found = {words.partition(":")[0] for words in judge(*plant(*honest()))}
    assert rule in found


@pytest.mark.parametrize(
    "excuse",
    [
        answered(
            replace(SECOND, outcome="unknown")
        ),  # nobody can know what became of a click without an answer
        answered(replace(SECOND, outcome="refused")),
        # An approval of the state before it was closed and opened again may end.
        lambda record, sight: answered(SECOND, seen(said=("note3x",)))(
            replace(record, deeds=[*record.deeds, Deed(ASKED + 1, 2, "reopen")]), sight
        ),
        # A merge of the same change on a newer base.
        lambda record, sight: (
            replace(record, answers=[replace(APPROVAL, head="f" * 40)]),
            replace(sight, same=lambda *_: True),
        ),
        # A process was killed before it could note that the mail was out.
        lambda record, sight: mailed_again(
            replace(record, troubles=[Trouble("kill", ASKED + 1, ASKED + 3)]), sight
        ),
        # SES's answer was lost.
        lambda record, sight: mailed_again(
            record, replace(sight, mails=tuple(replace(mail, is_lost=True) for mail in sight.mails))
        ),
        seen(draft=True, can_answer=False),
        said("pending", "QA is asked when its automatic checks are green; running now: test."),
    ],
)
def test_what_nobody_can_know_is_no_violation(excuse: Plant) -> None:
    assert judge(*excuse(*honest())) == []


def test_a_short_life_of_a_real_gate_has_no_violation(tmp_path: Path) -> None:
    verdict = live("sqlite", tmp_path / "life", 11, 3, None, only=("webhooks", "github", "mail"))
    assert verdict.violations == ()
    assert verdict.counts["acts"]
    assert verdict.counts["mails"]
