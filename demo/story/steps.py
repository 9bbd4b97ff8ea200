"""The steps of the stories: each does or sees one thing, and prints one line about it.

Put together by the stories. A step raises Difference when it sees something else than it should.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from demo.story.browser import Page
from demo.story.stage import Stage, expect, saw

MOST_CALLS = 9  # to GitHub, in a plain life of a pull request
# What is looked at regularly, whatever happens to one pull request.
LOOKS = ("/acme/shop", "/acme/shop/pulls", "/compare/master...development")
# What the gate looks at once at its start, to warn of: the lock and the rights.
START = (
    "/rules/branches/",
    "/branches/",
    "/collaborators/",
    "/hooks",
    "/installation",
    "GET /user",
    "GET /app",
)
REASON = "With 49.99 in the cart it is free already."


def open_pull_request(stage: Stage) -> int:
    """Open the next example on the developers' desk."""
    example = stage.state()["next"]
    number = stage.do("/pulls", title=example["title"], body=example["body"])
    saw(f"{example['author']} opened pull request #{number}: “{example['title']}”")
    return number


def get_mail(stage: Stage, number: int, count: int = 1) -> dict[str, Any]:
    """Wait for the so many-th mail about a pull request."""

    def about() -> list[dict[str, Any]]:
        found = [mail for mail in stage.state()["mails"] if re.search(rf"#{number}\b", mail["subject"])]
        return found[: len(found) - count + 1]

    def all_mails() -> list[str]:
        return [mail["subject"] for mail in stage.state()["mails"]]

    mail: dict[str, Any] = stage.wait("Lily's inbox", f"mail {count} about #{number}", about, all_mails)[0]
    title = stage.pull(number)["title"]
    expect("the mail's subject", title in mail["subject"], f"the title “{title}”", mail["subject"])
    saw(f"Lily got {'an email' if count == 1 else 'a new email'}: “{mail['subject']}”")
    return mail


def follow(stage: Stage, number: int, mail: dict[str, Any], word: str) -> Page:
    """Click a link of a mail by its word; a click shows the question and decides nothing."""
    url = next((link["url"] for link in mail["links"] if word in link["words"]), "")
    expect("the mail's links", bool(url), f"one that says {word}", [link["words"] for link in mail["links"]])
    page = stage.browser.open(url)
    pull = stage.pull(number)
    # Her page calls a release "this release of 3 changes", and names nobody for it.
    facts = (
        [pull["title"][:1].lower() + pull["title"][1:]]
        if pull["is_release"]
        else [pull["title"], pull["author"]]
    )
    for fact in facts:
        expect("the page behind the link", fact in page.words, f"“{fact}” on it", page.words[:300])
    expect("the page behind the link", {"approve", "reject"} <= {*page.choices}, "both buttons", page.choices)
    saw(f"“{word}” in it opens the page of “{pull['title']}”, with both buttons")
    return page


def see_nothing_decided(stage: Stage, number: int) -> None:
    """Look whether opening a link alone has decided anything."""
    words = stage.wait("GitHub", "a status", lambda: _status(stage, number)["words"], lambda: "none")
    state, status = stage.pull(number)["state"], _status(stage, number)
    is_undecided = (state, status["state"]) == ("open", "pending")
    expect("after only looking", is_undecided, "nothing decided", f"{state}, {status}")
    saw(f"Opening it decided nothing: GitHub still shows “{words}”")


def approve(stage: Stage, page: Page, then: str = "It’s in") -> Page:
    """Press Approve, and wait until the page that follows says what then is so; return that page."""
    answer = stage.browser.press(page, "approve")
    shown = see_on_page(stage, answer, then)
    saw(f"Lily tapped Approve, and her page says “{then}”")
    return shown


def see_on_page(stage: Stage, page: Page, words: str) -> Page:
    """Look at a page again and again until these words are on it."""
    shown = [page]

    def are_there() -> bool:
        if words not in shown[-1].words:
            shown.append(stage.browser.open(page.url))
        return words in shown[-1].words

    stage.wait("Lily's page", f"“{words}”", are_there, lambda: shown[-1].words[:300])
    return shown[-1]


def see_merged_at_last(stage: Stage, page: Page) -> None:
    """Wait on Lily's page, which is still open, until it says that it is merged."""
    see_on_page(stage, page, "It’s in")
    saw("Lily’s page says “It’s in”, without another tap")


def see_merge(stage: Stage, number: int, branch: str = "development") -> None:
    """Find the merge commit in the branch's `git log`."""
    shown = "log" if branch == "development" else "released"

    def merge() -> str:
        lines = (line for line in stage.state()[shown] if f"#{number} " in line["subject"])
        return next((f"{line['sha']} {line['subject']}" for line in lines), "")

    def log() -> list[str]:
        return [line["subject"] for line in stage.state()[shown] if line["sha"]]

    place = f"git log {branch}"
    saw(f"{place}: {stage.wait(place, f'the merge of #{number}', merge, log)}")


def see_word(stage: Stage, number: int, status: str, kind: str, words: str = "") -> None:
    """Wait for what GitHub shows: the status of the head, and Lily's word as a review."""

    def said() -> list[str]:
        reviews = stage.pull(number)["said"]
        return [one["words"] for one in reviews if one["kind"] == kind and words in one["words"]]

    def shown() -> bool:
        return _status(stage, number)["state"] == status and bool(said())

    def instead() -> str:
        pull = stage.pull(number)
        return f"{pull['status']} and {pull['said']}"

    stage.wait("GitHub", f"status {status} and a review {kind} {words}".rstrip(), shown, instead)
    saw(f"GitHub shows the status {status}: “{_status(stage, number)['words']}”")
    saw(f"GitHub shows a review, {kind.lower().replace('_', ' ')}: “{_plain(said()[0])}”")


def see_few_calls(stage: Stage, before: int) -> None:
    """Count what the gate asked of GitHub since then up to the merge, but for its regular looks at everything."""
    calls = stage.state()["calls"][before:]
    calls = [call for call in calls if not call.endswith(LOOKS) and not any(part in call for part in START)]
    merges = [place for place, call in enumerate(calls) if call.endswith("/merge")]
    calls = calls[: merges[0] + 1] if merges else calls
    expect("calls to GitHub", 0 < len(calls) <= MOST_CALLS, f"at most {MOST_CALLS}", f"{len(calls)}: {calls}")
    saw(f"It took {len(calls)} calls to GitHub")


def push_directly(stage: Stage) -> str:
    """Push a commit straight to development, past Lily; return its title."""
    stage.do("/push")
    title: str = next(line["subject"] for line in stage.state()["log"] if line["sha"])
    saw(f"kim pushed “{title}” straight to development, without a pull request")
    return title


def get_release(stage: Stage, pushed: str) -> tuple[int, dict[str, Any]]:
    """Wait for the mail about the release that holds all that was merged, and what was pushed; return both."""
    merged = [
        pull["title"]
        for pull in stage.state()["pulls"]
        if pull["state"] == "merged" and not pull["is_release"]
    ]
    title = f"Release of {len(merged) + 1} changes"

    def mails() -> list[dict[str, Any]]:
        return [mail for mail in stage.state()["mails"] if title in mail["preview"]]

    def all_mails() -> list[str]:
        return [f"{mail['subject']}: {mail['preview']}" for mail in stage.state()["mails"]]

    mail: dict[str, Any] = stage.wait("Lily's inbox", f"a mail “{title}”", mails, all_mails)[0]
    words = stage.browser.open(f"{stage.url}/mails/{mail['id']}").words
    apart, _, passed = words.partition("Approved (")
    is_right = pushed in apart and "pushed directly" in apart and all(name in passed for name in merged)
    expect("the release mail", is_right, f"“{pushed}” apart, and {merged} as approved", words[:600])
    saw(f"Lily got an email: “{mail['subject']}”")
    saw(f"It begins with what QA didn’t approve: “{pushed}”, pushed directly")
    saw(f"Then comes what she approved: {' and '.join(f'“{name}”' for name in sorted(merged))}")
    return next(pull["number"] for pull in stage.state()["pulls"] if pull["is_release"]), mail


def push(stage: Stage, number: int) -> None:
    """Push another commit to the pull request's branch."""
    stage.do(f"/pulls/{number}/push")
    saw(f"{stage.pull(number)['author']} pushed another commit to #{number}")


def clash(stage: Stage, number: int) -> None:
    """Commit to development what clashes with the pull request."""
    stage.do(f"/pulls/{number}/clash")
    saw(f"Someone else changed the same part of development as #{number}")


def resolve(stage: Stage, number: int) -> None:
    """Resolve the conflict on the pull request's branch."""
    stage.do(f"/pulls/{number}/resolve")
    saw(f"{stage.pull(number)['author']} merged development into the branch of #{number}, and pushed that")


def fail_tests(stage: Stage, number: int) -> None:
    """Let the automatic tests of the pull request fail."""
    stage.do(f"/pulls/{number}/fail")
    saw(f"The automatic tests of #{number} fail")


def fix_tests(stage: Stage, number: int) -> None:
    """Let them pass."""
    stage.do(f"/pulls/{number}/fix")
    saw(f"The automatic tests of #{number} pass again")


def see_overtaken(stage: Stage, page: Page) -> None:
    """Open the old link again, and press Approve on the page that was left open: neither approves."""
    answers = [stage.browser.open(page.url), stage.browser.press(page, "approve")]
    for answer in answers:
        expect("the old link", "newer version" in answer.words, "a newer version", answer.words[:300])
        expect("the old link", "approve" not in answer.choices, "no way to approve", answer.choices)
    saw(f"The old link says “{answers[0].heading}”, and the page left open can’t approve it now")


def reject(stage: Stage, page: Page) -> None:
    """Press Reject, first without a reason, which is asked for, then with one."""
    again = stage.browser.press(page, "reject", note="")
    expect(
        "Reject without a reason", "reject" in again.choices, "that a reason is asked for", again.words[:300]
    )
    answer = stage.browser.press(again, "reject", note=REASON)
    expect(
        "the page after Reject",
        "Sent back to" in answer.words,
        "“Sent back to”",
        answer.words[:300],
    )
    saw(f"Lily tapped Reject and wrote: “{REASON}”")


def see_not_merged(stage: Stage, number: int) -> None:
    """Look that the pull request is open, and not in the log."""
    state = stage.state()
    subjects = [line["subject"] for line in state["log"]]
    is_in = any(f"#{number} " in subject for subject in subjects)
    expect("git log development", not is_in, f"nothing of #{number}", subjects)
    expect(
        "GitHub", stage.pull(number)["state"] == "open", f"#{number} still open", stage.pull(number)["state"]
    )
    saw(f"#{number} is still open, and git log development has nothing of it")


def _status(stage: Stage, number: int) -> dict[str, str]:
    """Return the status of qa-gate on the head of a pull request; all empty when there is none."""
    found: dict[str, str] = stage.pull(number)["status"] or {"state": "", "words": ""}
    return found


def _plain(markdown: str) -> str:
    """Return a review's words as one line without its Markdown."""
    bare = re.sub(r"\*\*|</?sub>|^> |\\(?=[!-/:-@\[-`{-~])", "", markdown, flags=re.MULTILINE)
    return " ".join(unescape(bare).replace("\u200b", "").split())
