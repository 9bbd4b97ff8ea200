"""One question to one reviewer, and what its mail says first: which kind it is, as chips, first sentence and preview. Pure.

`compose` writes the rest of the mail. Sentences are plain text, whatever names are in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app import text
from app.review import Caution, Commit, Reviewer, Snapshot

LONGEST_NAME = 40
# So much of an answer is in the preview.
LONGEST_GIST, LONGEST_ANSWER = 90, 400


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody said about a change: a reviewer's question, or a developer's answer.

    `by` is the reviewer's id or the developer's login, `name` what they are called.
    """

    by: str
    name: str
    words: str
    is_question: bool
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chip:
    """What kind of mail or item this is, in a word or two; `tone` is one of templates/mail/parts.html."""

    tone: str
    glyph: str
    words: str


@dataclass(frozen=True, slots=True)
class Opening:
    """How a mail begins. `first` follows "Hi Lily, "; `preview` is what an inbox shows behind the subject."""

    chips: tuple[Chip, ...]
    first: str
    preview: str


# The text variation selector keeps phones from making a picture of it.
NEW = Chip("acc", "○", "New")
NEW_VERSION = Chip("acc", "↻\ufe0e", "New version")
ASKED_AGAIN = Chip("acc", "↻\ufe0e", "Asked again")
NEW_LINK = Chip("acc", "→", "New link")
RELEASE = Chip("ship", "◆", "Release")


def answered_by(name: str) -> Chip:
    """Return the chip of a question that somebody answered."""
    return Chip("acc", "❝", f"{text.person(name, LONGEST_NAME)} answered")


@dataclass(frozen=True, slots=True)
class Request:
    """A question to one reviewer about one round.

    `place` is its number, after the repository's name where there are several.
    `is_again`: an earlier version was asked about before; `same_code_but`: the very same code was, and what happened
    since; `old_base`: it was to go there then; `voided`: the reviewer had approved it. `is_fresh`: the reviewer asked
    for a new link. `instead_of` is who was asked first, and is away now or, with
    `is_unreached`, gets no mail. `skips_to` is the release branch, where the
    change goes there without a release.
    `previous_note` is the message of the last rejection, by `previous_by`, whose id as a reviewer is
    `previous_reviewer`; `new_commits` are those that came since an
    earlier version was asked about, and `compare_url` leads to just what they change. `talk` is the last question
    and its answers; `is_answer`: the mail goes out because of an answer. `others` counts what else waits for the
    reviewer. `shown` are the pictures that the page shows, each with the way there.
    """

    reviewer: Reviewer
    snapshot: Snapshot
    round: int
    place: str
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
    is_unreached: bool = False
    skips_to: str | None = None
    previous_note: str | None = None
    previous_by: str = ""
    previous_reviewer: str | None = None
    previous_at: datetime | None = None
    new_commits: tuple[Commit, ...] = ()
    compare_url: str | None = None
    is_answer: bool = False
    talk: tuple[Line, ...] = ()
    cautions: tuple[Caution, ...] = ()
    others: int = 0
    shown: tuple[text.Shown, ...] = ()

    @property
    def is_previous_own(self) -> bool:
        """Tell whether the reader made the last decision."""
        return self.previous_reviewer == self.reviewer.id

    @property
    def answers(self) -> tuple[Line, ...]:
        """Return the answers that the mail goes out for; none in any other mail."""
        return tuple(line for line in self.talk if not line.is_question) if self.is_answer else ()


def opening_of(request: Request) -> Opening:
    """Return how the mail begins: what it goes out for comes before what else is true about the change."""
    release = (RELEASE,) if request.snapshot.release else ()
    if request.answers:
        return _answered(request, release)
    needs, what = _needs(request), _what(request)
    if request.is_fresh:
        first = f"here’s the new link you asked for. {_capital(needs)}"
        return Opening((*release, NEW_LINK), first, f"New link: {what}")
    if request.instead_of:
        away = text.plain(request.instead_of, LONGEST_NAME)
        chip = Chip("acc", "⇄\ufe0e", f"Standing in for {away}")
        why = f"emails to {away} don’t arrive" if request.is_unreached else f"{away} is away"
        first = f"{why}, so this comes to you. {_capital(needs)}"
        return Opening((*release, chip), first, f"Standing in for {away}: {what}")
    if request.is_again:
        changed = _changed(request)
        preview = f"New version: {what if release else changed}"
        return Opening((*release, NEW_VERSION), f"{changed} Please look again.", preview)
    if request.same_code_but:
        return _asked_again(request, release)
    return Opening(release or (NEW,), needs, f"{'Release' if release else 'New'}: {what}")


def asker(snapshot: Snapshot) -> str:
    """Return who made a change, as a sentence names them."""
    name = text.person(snapshot.author_name, LONGEST_NAME)
    return f"an automatic change by {name}" if snapshot.pull.author_is_bot else name


def sender_of(request: Request) -> str | None:
    """Return in whose name the mail comes; None: in the gate's own.

    Nobody from outside the team gets a name into the sender's field, nor does a program; a release is nobody's.
    """
    pull = request.snapshot.pull
    by, name = pull.author, request.snapshot.author_name
    if request.answers:
        by, name = request.answers[-1].by, request.answers[-1].name
    is_author = by == pull.author
    if request.snapshot.release or (is_author and (pull.author_is_bot or pull.is_from_outside)):
        return None
    return text.person(name, LONGEST_NAME)


def _needs(request: Request) -> str:
    """Return what is wanted of the reviewer."""
    pull, release = request.snapshot.pull, request.snapshot.release
    if release:
        return f"a new release is ready. {_when_you_approve(request)}"
    goes_in = f"goes straight into {request.skips_to}, without a release" if request.skips_to else "goes in"
    if pull.author_is_bot:
        return f"this is {asker(request.snapshot)}. It needs your approval before it {goes_in}."
    return f"{asker(request.snapshot)} needs your approval before this {goes_in}."


def _when_you_approve(request: Request) -> str:
    release = request.snapshot.release
    changes = release.size if release else 0
    if changes == 1:
        return "When you approve, this change goes out."
    return f"When you approve, these {text.count(changes, 'change')} go out."


def _what(request: Request) -> str:
    """Return what it is about, in the few words that a preview has."""
    pull, release = request.snapshot.pull, request.snapshot.release
    if release:
        return _approved_of(request)
    size = text.size_words(
        additions=pull.additions, deletions=pull.deletions, changed_files=pull.changed_files
    ).partition(":")[0]
    files = text.count(pull.changed_files, "file")
    return f"{asker(request.snapshot)}{'.' if pull.author_is_bot else ' needs your approval.'} {size} change, {files}."


def _approved_of(request: Request) -> str:
    release = request.snapshot.release
    if release is None:
        return ""
    if release.unseen:
        verb = "wasn’t" if len(release.unseen) == 1 else "weren’t"
        return f"{len(release.unseen)} of {text.count(release.size, 'change')} {verb} approved by QA."
    if release.is_rewritten:
        return "the history was rewritten, so look closely."
    if release.earlier:
        return f"{text.count(release.size, 'change')}, some from before QA gate was set up."
    return f"{text.count(release.size, 'change')}, all approved."


def _changed(request: Request) -> str:
    """Return what happened to a version that was asked about before."""
    pull, old = request.snapshot.pull, request.old_base
    into = f" It goes into {pull.base} now, not {old}." if old else ""
    if request.snapshot.release:
        return f"this release has changed since you last looked. {_when_you_approve(request)}{into}"
    who = "a program" if pull.author_is_bot else asker(request.snapshot)
    if request.voided:
        return f"{who} changed this after you approved it, before it went in.{into}"
    if request.previous_note:
        whose = "your" if request.is_previous_own else f"{text.plain(request.previous_by, LONGEST_NAME)}’s"
        return f"{who} changed this after {whose} message.{into}"
    return f"{who} changed this since you last looked.{into}"


def _asked_again(request: Request, release: tuple[Chip, ...]) -> Opening:
    """Return how a question begins whose code is the same as before."""
    pull, old = request.snapshot.pull, request.old_base
    why = f"it goes into {pull.base} now, not {old}" if old else text.plain(request.same_code_but)
    same = f"the code is the same as before, but {why}."
    void = " Your earlier approval doesn’t count for this." if request.voided else ""
    who = "this release" if release else "this" if pull.author_is_bot else asker(request.snapshot)
    first = f"{who} needs your approval again: {same}{void}"
    return Opening((*release, ASKED_AGAIN), first, f"Asked again: {same}")


def _answered(request: Request, release: tuple[Chip, ...]) -> Opening:
    last = request.answers[-1]
    who = text.person(last.name, LONGEST_NAME)
    asked = next((line for line in request.talk if line.is_question), None)
    is_own = asked is None or asked.by == request.reviewer.id
    whose = "your" if is_own or asked is None else f"{text.plain(asked.name, LONGEST_NAME)}’s"
    gist = text.plain(text.rendered(last.words, LONGEST_ANSWER).text, LONGEST_GIST)
    return Opening(
        (*release, answered_by(last.name)), f"{who} answered {whose} question:", f"{who} answered: {gist}"
    )


def _capital(sentence: str) -> str:
    """Return a sentence that follows another, where it begins with one of our own words and not with a name."""
    is_ours = sentence.startswith(("a new release", "this is"))
    return sentence[:1].upper() + sentence[1:] if is_ours else sentence
