"""What was broken in a life: each kind of violation is one function over the driver's record and what it saw.

Pure, so that a test can plant every violation. Where the driver cannot know (a click without an answer, a change that
was closed and opened again before the gate could hear of it), whatever came of it is right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from benchmarks.soak.record import FORGETFUL, INTERRUPTS, Answer, Mail, Pull, Record, Sight

GATE = "qa-gate/"
# GitHub's times have whole seconds.
SECOND = 1.5
# So long before its mail a question may have been asked, as seen from outside.
LAG = 120.0
# So long after a mail the gate may not have noted yet that it went out.
NOTING = 10.0
MOST_COPIES = 3
# Statuses that say that something comes soon: when all is calm nothing does any more.
SOON = ("QA will be asked soon.", "Not approved yet. QA will be asked.")
AROUND = "Not approved by QA"


def judge(record: Record, sight: Sight) -> list[str]:
    """Return every violation, in words."""
    rules = (
        merges_without_approval,
        open_locks,
        lost_answers,
        stuck_rows,
        untold_merges,
        copies_of_mails,
        copies_at_github,
        powerful_links,
    )
    return [f"{rule.__name__}: {words}" for rule in rules for words in rule(record, sight)]


def merges_without_approval(record: Record, sight: Sight) -> Iterator[str]:
    """Everything on a gated branch is the driver's own, or a merge that Lily approved just so."""
    merged = {pull.merge_commit: pull for pull in sight.pulls if pull.merge_commit}
    around = {deed.number for deed in record.deeds if deed.what == "around"}
    for base, commits in sight.branches.items():
        for sha, parents in commits.items():
            pull = merged.get(sha)
            if sha in record.pushed or (pull and pull.number in around):
                continue
            if pull is None or pull.base != base:
                yield f"{sha[:7]} on {base} is nobody's"
            elif parents[1:] != (pull.head,):
                yield f"#{pull.number} was merged as {sha[:7]}, which does not hold its head {pull.head[:7]}"
            elif not _is_approved(record, sight, pull, parents[0]):
                yield f"#{pull.number} was merged at {pull.head[:7]} without an approval of that"


def _is_approved(record: Record, sight: Sight, pull: Pull, onto: str) -> bool:
    """Tell whether an approval of just this may have stood when it was merged."""
    said = [answer for answer in _decisions(record, pull.number) if answer.sent <= pull.merged_at + SECOND]
    for place, answer in enumerate(said):
        ends = (
            later.outcome == "recorded" and later.ended + SECOND < pull.merged_at
            for later in said[place + 1 :]
            if later.sent >= answer.ended
        )
        if answer.choice == "approve" and _is_about(sight, answer, pull, onto) and not any(ends):
            return True
    return False


def _is_about(sight: Sight, answer: Answer, pull: Pull, onto: str) -> bool:
    """Tell whether what Lily saw is what is there now: the very commit, or, but for releases, the same change."""
    if answer.head == pull.head:
        return True
    return bool(answer.head) and pull.base == "development" and sight.same(answer.head, pull.head, onto)


def _decisions(record: Record, number: int) -> list[Answer]:
    made = [a for a in record.answers if a.number == number and a.choice != "question"]
    return sorted((a for a in made if a.outcome != "refused"), key=lambda a: a.ended)


def standing(record: Record, sight: Sight, pull: Pull) -> set[Answer | None]:
    """Return the answers that may stand at the end; None: that none does."""
    may_stand: set[Answer | None] = {None}
    for answer in _decisions(record, pull.number):
        now = answer if answer.choice in ("approve", "reject") else None
        may_stand = {now} | (may_stand if answer.outcome == "unknown" else set())
        if now and _is_interrupted(record, answer):
            may_stand.add(None)
    tip = next(iter(sight.branches[pull.base]), pull.head)
    there = {answer if answer and _is_about(sight, answer, pull, tip) else None for answer in may_stand}
    # What it takes to carry an answer over could not always be read.
    return there | ({None} if any(answer and answer.head != pull.head for answer in there) else set())


def _is_interrupted(record: Record, answer: Answer) -> bool:
    """Tell whether the change was closed or a draft since about the time when this was asked."""
    since = (answer.asked_at or 0) - LAG
    return any(
        d.number == answer.number and d.what in INTERRUPTS and (d.at > since or answer.asked_at is None)
        for d in record.deeds
    )


def open_locks(record: Record, sight: Sight) -> Iterator[str]:
    """A success stands only where an approval does, or where a merge took the very commit in."""
    merged = {(pull.head, pull.base) for pull in sight.pulls if pull.merge_commit}
    for (sha, context), (state, _) in sight.statuses.items():
        base = context.removeprefix(GATE)
        if state != "success" or (sha, base) in merged:
            continue
        heads = [pull for pull in sight.pulls if pull.open and (pull.head, pull.base) == (sha, base)]
        if not any(_approval(standing(record, sight, pull)) for pull in heads):
            yield f"success stands on {sha[:7]} for {base} without an approval"


def _approval(may_stand: set[Answer | None]) -> Answer | None:
    return next((answer for answer in may_stand if answer and answer.choice == "approve"), None)


def lost_answers(record: Record, sight: Sight) -> Iterator[str]:
    """The last thing that Lily was told is recorded is told under the pull request, and so is every question."""
    for pull in sight.pulls:
        told = [a for a in record.answers if a.number == pull.number and a.outcome == "recorded"]
        last = max((a for a in told if a.choice != "question"), key=lambda a: a.ended, default=None)
        due = [a for a in told if a.choice == "question"]
        due += [last] if last and last.choice in ("approve", "reject") and last.head else []
        for answer in due:
            if not any(answer.note in words for words in pull.said):
                yield f"#{pull.number}: her {answer.choice} ({answer.note}) is nowhere"


def stuck_rows(record: Record, sight: Sight) -> Iterator[str]:
    """What needs Lily reached her, and what she answered went in or says at GitHub why not."""
    for pull in sight.pulls:
        if pull.open and not pull.draft and pull.base in sight.branches:
            why = _why_stuck(record, sight, pull)
            if why:
                yield f"#{pull.number} at {pull.head[:7]}: {why}"


def _why_stuck(record: Record, sight: Sight, pull: Pull) -> str | None:
    may_stand = standing(record, sight, pull)
    choices = {answer.choice if answer else None for answer in may_stand}
    state, words = sight.statuses.get((pull.head, f"{GATE}{pull.base}"), ("", ""))
    if state == "success":
        says_why = words.partition(". ")[2]
        return None if says_why else f"it was approved, is not in, and says only: {words}"
    if state == "failure":
        return None if "reject" in choices else "it shows a rejection that nobody gave"
    if state != "pending":
        return "it has no status"
    if None not in choices:
        return f"her {'/'.join(map(str, choices))} is gone, it says: {words}"
    if words in SOON:
        return f"it waits for ever: {words}"
    is_asked = words.startswith("Waiting for ")
    return f"Lily cannot answer: {words}" if is_asked and not pull.can_answer else None


def untold_merges(record: Record, sight: Sight) -> Iterator[str]:
    """A merge around the gate is told by mail, and none that Lily approved is called one."""
    around = {deed.number: deed.at for deed in record.deeds if deed.what == "around"}
    for pull in sight.pulls:
        is_told = any(AROUND in m.preview and f"#{pull.number})" in m.subject for m in sight.mails)
        said = _decisions(record, pull.number)
        may_be_approved = any(answer.choice == "approve" for answer in said)
        if pull.number in around and not is_told and not may_be_approved:
            yield f"#{pull.number} was merged around the gate and nobody was told"
        if is_told and pull.number not in around and pull.merge_commit:
            yield f"#{pull.number} was approved and merged, and called a merge around the gate"


def copies_of_mails(record: Record, sight: Sight) -> Iterator[str]:
    """The same mail comes again only where nobody could know that it had gone out."""
    groups: dict[tuple[str, tuple[str, ...]], list[Mail]] = defaultdict(list)
    for mail in sight.mails:
        if mail.about or AROUND in mail.preview:
            groups[mail.subject, mail.about].append(mail)
    for (subject, _), mails in groups.items():
        needless = [one for one in mails[:-1] if not one.is_lost and not _is_forgotten(record, one)]
        kills = sum(trouble.what in FORGETFUL for trouble in record.troubles)
        if needless or len(mails) > MOST_COPIES + kills:
            yield f"{len(mails)} times: {subject}"


def _is_forgotten(record: Record, mail: Mail) -> bool:
    """Tell whether the gate may have died, slept or lost its database before it could note that a mail went out."""
    return any(
        trouble.what in FORGETFUL and trouble.began < mail.at + NOTING and trouble.ended > mail.at - 1
        for trouble in record.troubles
    )


def copies_at_github(record: Record, sight: Sight) -> Iterator[str]:
    """Nothing of hers is said twice, but by a process that slept in the midst of saying it."""
    slept = any(trouble.what == "pause" for trouble in record.troubles)
    for pull in sight.pulls:
        for answer in record.answers:
            times = sum(answer.note in words for words in pull.said)
            if answer.note and answer.number == pull.number and times > 1 + slept:
                yield f"#{pull.number}: her {answer.choice} ({answer.note}) is said {times} times"


def powerful_links(record: Record, _sight: Sight) -> Iterator[str]:
    """A link whose page offers nothing decides nothing."""
    for answer in record.answers:
        if answer.outcome == "recorded" and not answer.head and answer.choice in ("approve", "reject"):
            yield f"#{answer.number}: an old link could {answer.choice}"
