"""Compose letters and comments: what a reviewer reads, and what a developer reads of her. Pure.

The workflow calls it just before a letter goes out. The wording is in templates/, but for the sentences that both
parts of a letter share. A title, a body, a branch or a path may be hostile: nothing of it may become markup, a header or a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import formataddr
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from app import text
from app.links import SIGN_IN_LASTS
from app.mail.release import is_release_title, release_values
from app.mail.templates import render
from app.review import Caution, ChangedFile, Choice, Commit, PullRequest, Release, Review, Reviewer, Snapshot

# Gmail hides what comes after 102 KB. https://developers.google.com/workspace/gmail/design/css
LARGEST_HTML = 90_000
# How much of the developer's own text a letter shows; a shorter try follows where Markdown makes too much of it.
TEXT_LENGTHS = (6_000, 1_500, 0)
# So many of each list of a release a letter shows, likewise; the page shows them all.
RELEASE_LENGTHS = (50, 20, 5)
# A text up to this long comes before the buttons; a longer one would hide them, and comes after.
SHORT_TEXT, SHORT_LINES = 700, 14
# How to test it always comes before them; the page has all of it.
LONGEST_HOW = 1_500
MOST_FILES, LONGEST_PATH, LONGEST_NOTE = 30, 100, 2_000
# So much of her question and of each answer to it, likewise.
LINE_LENGTHS = (800, 300, 60)
MOST_ANSWERS, LONGEST_LOGIN = 3, 40
LONGEST_TITLE, LONGEST_SUBJECT_TITLE = 256, 70
# So many commits that came since the last look are named, each in so many characters.
MOST_NEW, LONGEST_NEW = 10, 120
UNTITLED, UNNAMED = "A change without a title", "A change without words"
HOW = {"added": "new", "removed": "removed", "renamed": "renamed", "copied": "copied"}


@dataclass(frozen=True, slots=True)
class Mail:
    """A letter ready to send. `to` is a formatted address; `thread` holds the letters of one pull request together."""

    to: str
    subject: str
    text: str
    html: str
    thread: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody said about a change: a reviewer's question, or a developer's answer."""

    name: str
    words: str
    is_question: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A question to one reviewer about one round.

    `is_again`: an earlier version was asked about before; `same_code_but`: the very same code was, and what happened
    since; `old_base`: it was to go there then; `voided`: the reviewer had approved it. `is_fresh`: the reviewer asked
    for a new link. `instead_of` is who was asked first, and is away now.
    `previous_note` is the reason of the last rejection, by `previous_by`; `new_commits` are those that came since an
    earlier version was asked about, and `compare_url` leads to just what they change. `talk` is the last question
    and its answers; `is_answer`: the letter goes out because of an answer. `others` counts what else waits for the
    reviewer.
    """

    reviewer: Reviewer
    snapshot: Snapshot
    round: int
    asked_at: datetime
    approve_url: str
    reject_url: str
    pending_url: str
    try_url: str | None = None
    is_again: bool = False
    same_code_but: str = ""
    old_base: str | None = None
    voided: bool = False
    is_fresh: bool = False
    instead_of: str | None = None
    previous_note: str | None = None
    previous_by: str = ""
    new_commits: tuple[Commit, ...] = ()
    compare_url: str | None = None
    is_answer: bool = False
    talk: tuple[Line, ...] = ()
    cautions: tuple[Caution, ...] = ()
    others: int = 0


def compose_request(request: Request, now: datetime, timezone: ZoneInfo) -> Mail:
    """Return the letter that asks a reviewer; its HTML part stays under 90,000 bytes whatever the change holds."""
    pull = request.snapshot.pull
    values = _question(request, now, timezone)
    when = partial(waiting_since, now=now, timezone=timezone)
    for length, most, line in zip(TEXT_LENGTHS, RELEASE_LENGTHS, LINE_LENGTHS, strict=True):
        values |= _own_words(pull, length) | release_values(request.snapshot.release, most, when)
        values["talk"] = _talk(request, line)
        html = render("mail/request.html", values)
        if len(html.encode()) <= LARGEST_HTML:
            break
    return Mail(
        to=address_of(request.reviewer),
        subject=values["subject"],
        text=tidy(render("mail/request.txt", values)),
        html=html,
        thread=thread_of(pull.repository, pull.number),
    )


def compose_sign_in(reviewer: Reviewer, url: str) -> Mail:
    """Return the letter with a reviewer's way in."""
    values: dict[str, Any] = {
        "subject": "Your button to sign in",
        "preheader": "It shows you everything that waits for you.",
        "name": reviewer.name,
        "url": url,
        "minutes": SIGN_IN_LASTS // timedelta(minutes=1),
    }
    return Mail(
        to=address_of(reviewer),
        subject=values["subject"],
        text=tidy(render("mail/sign_in.txt", values)),
        html=render("mail/sign_in.html", values),
        thread=None,
    )


def comment(choice: Choice, reviewer_name: str, note: str, marker: str, version: str | None = None) -> str:
    """Return a reviewer's word as Markdown for GitHub, her note quoted, the hidden marker on the last line.

    `version` names the commit that it was about, where it does not stand any more.
    """
    values = {"choice": choice, "name": reviewer_name, "note": note.strip(), "marker": marker}
    return tidy(render("github/review.md", {**values, "version": version}))


def question(name: str, words: str, marker: str) -> str:
    """Return a reviewer's question as Markdown for GitHub, the hidden marker on the last line."""
    return tidy(render("github/question.md", {"name": name, "words": words, "marker": marker}))


def held(why: str | None, marker: str, *, is_merged: bool = False) -> str:
    """Return, as Markdown for GitHub, why a yes is not merged yet, with the hidden marker on the last line.

    `why` is None where nothing is in its way any more, or no yes is there.
    """
    return tidy(render("github/held.md", {"why": why, "marker": marker, "is_merged": is_merged}))


def _question(request: Request, now: datetime, timezone: ZoneInfo) -> dict[str, Any]:
    """Return what the templates of a question need, but for the developer's own text."""
    pull, files, checks = request.snapshot.pull, request.snapshot.change.files, request.snapshot.checks
    title = text.plain(pull.title, LONGEST_TITLE) or UNTITLED
    return {
        **{name: getattr(request, name) for name in ("approve_url", "reject_url", "pending_url", "try_url")},
        "pull": pull,
        "title": title,
        "subject": subject_of(pull, title),
        "preheader": _preheader(request),
        "name": request.reviewer.name,
        "opening": _opening(pull) if request.snapshot.release is None else _opening_of_release(pull),
        "helper": "a developer"
        if pull.author_is_bot or request.snapshot.release
        else text.person(pull.author),
        "cautions": request.cautions,
        "notes": list(_notes(request)),
        "try_host": text.host_of(request.try_url or ""),
        **_news(request),
        "previous_note": text.shortened(request.previous_note or "", LONGEST_NOTE),
        "previous_who": _previous_who(request),
        "fork": pull.head_repository if pull.head_repository != pull.repository else None,
        "size": text.size_words(
            additions=pull.additions, deletions=pull.deletions, changed_files=pull.changed_files
        ),
        "checks": text.checks_words(checks.state, checks.names) if checks else "",
        "others": text.count(request.others, "other waits", "others wait") if request.others else "",
        "since": waiting_since(request.asked_at, now, timezone),
        "files": [_file(file) for file in files[:MOST_FILES]],
        "more_files": max(pull.changed_files, len(files)) - len(files[:MOST_FILES]),
    }


def _news(request: Request) -> dict[str, Any]:
    """Return what is new since the reviewer last looked; nothing is in a first question."""
    commits = request.new_commits if request.is_again else ()
    return {
        "new_commits": [_first_line(commit) for commit in commits[:MOST_NEW]],
        "more_commits": len(commits[MOST_NEW:]),
        "compare_url": request.compare_url if request.is_again else None,
    }


def _first_line(commit: Commit) -> str:
    return text.plain(commit.message.strip().partition("\n")[0], LONGEST_NEW) or UNNAMED


def _own_words(pull: PullRequest, length: int) -> dict[str, Any]:
    """Return the developer's own text, at most so many characters of it, for both parts of the letter."""
    how, rest = text.parted(pull.body, min(length, LONGEST_HOW), length)
    return {
        "words_heading": f"What {text.person(pull.author)} wrote",
        "words_html": rest.mail,
        "words_text": rest.text,
        "how_html": how.mail,
        "how_text": how.text,
        "is_short": len(rest.text) <= SHORT_TEXT and rest.text.count("\n") <= SHORT_LINES,
    }


def subject_of(about: PullRequest | Review, title: str) -> str:
    """Return the subject of every letter about a pull request: Gmail puts only equal ones into one conversation.

    The matter is in its first 40 characters; what the letter wants is in the preheader. How much a release holds
    changes from letter to letter, so that is not in it.
    """
    matter = f"Release into {text.plain(about.base)}" if is_release_title(title) else title
    name = about.repository.rpartition("/")[2]
    return f"{text.plain(matter, LONGEST_SUBJECT_TITLE)} ({text.plain(name)} #{about.number})"


def _preheader(request: Request) -> str:
    """Return what a list of mails shows behind the subject."""
    pull, release = request.snapshot.pull, request.snapshot.release
    if release:
        return _preheader_of(release)
    if request.is_again:
        return f"The code changed since you last looked. By {text.person(pull.author)}, into {pull.base}."
    if request.same_code_but:
        return f"It is asked about again: {text.plain(request.same_code_but)}. By {text.person(pull.author)}."
    return f"{text.person(pull.author)} asks you to check it before it goes into {pull.base}."


def _preheader_of(release: Release) -> str:
    if release.unseen:
        return f"{text.count(len(release.unseen), 'change')} in it came without a yes."
    if release.is_rewritten:
        return "The history was rewritten: please look closely."
    return "It holds changes from before this gate came." if release.earlier else "All of it had a yes."


def _previous_who(request: Request) -> str:
    """Return how the reason of the last rejection is introduced to this reader."""
    is_own = request.previous_by in ("", request.reviewer.name)
    return (
        "Last time you wrote:"
        if is_own
        else f"{text.plain(request.previous_by)} wrote about the version before:"
    )


def _opening(pull: PullRequest) -> str:
    """Return who asks, and what for."""
    if pull.author_is_bot:
        return f"a program, {text.person(pull.author)}, made this change. Please check it before it goes into {pull.base}."
    return f"{text.person(pull.author)} asks you to check this change before it goes into {pull.base}."


def _opening_of_release(pull: PullRequest) -> str:
    return f"a release is ready: what {pull.head} has goes into {pull.base} when you say yes."


def _notes(request: Request) -> Iterator[str]:
    """Return what is out of the ordinary, each in one sentence or two."""
    pull = request.snapshot.pull
    if request.is_answer:
        is_own = not request.talk or request.talk[0].name == request.reviewer.name
        whose = "your" if is_own else f"{text.plain(request.talk[0].name)}\N{RIGHT SINGLE QUOTATION MARK}s"
        yield f"There is an answer to {whose} question."
    if request.is_fresh:
        yield "Here is the new link that you asked for."
    if request.instead_of:
        yield f"{request.instead_of} was asked about it and is away, so it comes to you."
    yield from _again(request)
    for branch in (pull.head, pull.base):
        if text.unusual(branch):
            yield f"The branch name “{branch}” has unusual letters. It may look like another name that you know."


def _again(request: Request) -> Iterator[str]:
    """Return why this is asked about again, and what became of the reader's own yes."""
    base, old = request.snapshot.pull.base, request.old_base
    if request.is_again and request.voided:
        yield "You approved the version before; the code changed before it was merged. Here is the new version."
    elif request.is_again:
        yield "The code changed since you last looked. Here is the new version."
    elif request.same_code_but and old:
        yield f"The same code was asked about before. It was to go into {old} then, and goes into {base} now."
    elif request.same_code_but:
        yield f"The same code was asked about before; now {text.plain(request.same_code_but)}."
    if request.is_again and old:
        yield f"It goes into {base} now; it was to go into {old} then."
    elif request.voided and old:
        yield f"Your yes was for {old}, so it does not count here."
    elif request.voided and not request.is_again:
        yield "Your earlier yes does not count any more."


def waiting_since(asked_at: datetime, now: datetime, timezone: ZoneInfo) -> str:
    """Return since when it waits, as a date: a letter is read later than it is sent, so it never says "today"."""
    return text.when(asked_at, timezone, now + timedelta(days=3))


def _talk(request: Request, length: int) -> list[dict[str, str]]:
    """Return the question and its last answers, at most so many characters of each."""
    lines = (*request.talk[:1], *request.talk[1:][-MOST_ANSWERS:])
    return [_line(line, request.reviewer, length) for line in lines]


def _line(line: Line, reader: Reviewer, length: int) -> dict[str, str]:
    who = "You" if line.is_question and line.name == reader.name else text.plain(line.name, LONGEST_LOGIN)
    answer = text.rendered(line.words, length)
    return {
        "who": f"{who} {'asked' if line.is_question else 'answered'}",
        # A question is her own plain text; an answer is a comment at GitHub.
        "words": text.shortened(line.words, length) if line.is_question else answer.text,
        "html": "" if line.is_question else answer.mail,
    }


def _file(file: ChangedFile) -> dict[str, str]:
    how = HOW.get(file.status, "")
    if file.previous_path:
        how = f"{how or 'changed'} from {_shortened(file.previous_path)}"
    return {"path": _shortened(file.path), "how": how}


def _shortened(path: str) -> str:
    """Return a path with its middle left out when it is long: where it starts and its name say most."""
    path = text.plain(path)
    return path if len(path) <= LONGEST_PATH else f"{path[:40]}…{path[41 - LONGEST_PATH :]}"


def thread_of(repository: str, number: int) -> str:
    """Return the made-up message id, without its domain, that all letters of a pull request refer to. ASCII."""
    return re.sub(r"[^a-z0-9]+", "-", f"{repository}-{number}".lower())[:200].strip("-")


def address_of(reviewer: Reviewer) -> str:
    """Return the reviewer's address with the name as SES takes it: ASCII, other letters as an encoded word.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html
    """
    return formataddr((text.plain(reviewer.name), reviewer.address))


def tidy(words: str) -> str:
    """Return text with at most one empty line at a time, ending with one line end."""
    return re.sub(r"\n{3,}", "\n\n", words).strip() + "\n"
