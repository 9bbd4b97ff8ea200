"""One question to one reviewer, and what its mail says first: which kind it is, as chips, first sentence and preview. Pure.

`compose` writes the rest of the mail. Sentences are plain text, whatever names are in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.domain.approval import Decision
from app.domain.cautions import Caution
from app.domain.facts import Commit, Release, Snapshot
from app.domain.policy import Reviewer
from app.mail.templates import say
from app.text.clean import person, plain
from app.text.markdown import rendered
from app.text.plain_text import Shown
from app.text.words import size_name

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
NEW = Chip("acc", "○", say("chip_new"))
NEW_VERSION = Chip("acc", "↻\ufe0e", say("chip_new_version"))
ASKED_AGAIN = Chip("acc", "↻\ufe0e", say("chip_asked_again"))
NEW_LINK = Chip("acc", "→", say("chip_new_link"))
RELEASE = Chip("ship", "◆", say("chip_release"))


def answered_by(name: str) -> Chip:
    """Return the chip of a question that somebody answered."""
    return Chip("acc", "❝", say("answered_chip", who=person(name, LONGEST_NAME)))


@dataclass(frozen=True, slots=True)
class Request:
    """A question to one reviewer about one round.

    `place` is its number, after the repository's name where there are several. `is_again`: an earlier version was
    asked about before; `same_code_but`: the very same code was, and what happened since; `old_base`: it was to go
    there then; `voided`: the reviewer had approved it. `is_fresh`: the reviewer asked for a new link. `instead_of`
    is who was asked first, and is away now or, with `is_unreached`, gets no mail. `skips_to` is the release branch,
    where the change goes there without a release. `rejection` is the last decision, if it was one; `new_commits`
    are those that came since an earlier version was asked about, and `compare_url` leads to just what they change.
    `talk` is the last question and its answers; `is_answer`: the mail goes out because of an answer. `others`
    counts what else waits for the reviewer. `shown` are the pictures that the page shows, each with the way there.
    """

    reviewer: Reviewer
    snapshot: Snapshot
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
    rejection: Decision | None = None
    new_commits: tuple[Commit, ...] = ()
    compare_url: str | None = None
    is_answer: bool = False
    talk: tuple[Line, ...] = ()
    cautions: tuple[Caution, ...] = ()
    others: int = 0
    shown: tuple[Shown, ...] = ()

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
        first = say("fresh", needs=_capital(needs))
        return Opening((*release, NEW_LINK), first, say("fresh_preview", what=what))
    if request.instead_of:
        away = plain(request.instead_of, LONGEST_NAME)
        chip = Chip("acc", "⇄\ufe0e", say("instead_chip", away=away))
        first = say("instead", away=away, needs=_capital(needs), is_unreached=request.is_unreached)
        return Opening((*release, chip), first, say("instead_preview", away=away, what=what))
    if request.is_again:
        changed = _changed(request)
        preview = say("new_version_preview", what=what if release else changed)
        return Opening((*release, NEW_VERSION), say("look_again", changed=changed), preview)
    if request.same_code_but:
        return _asked_again(request, release)
    return Opening(release or (NEW,), needs, say("first_preview", what=what, is_release=bool(release)))


def asker(snapshot: Snapshot) -> str:
    """Return who made a change, as a sentence names them."""
    name = person(snapshot.author_name, LONGEST_NAME)
    return say("by_program", name=name) if snapshot.pull.author_is_bot else name


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
    return person(name, LONGEST_NAME)


def _needs(request: Request) -> str:
    """Return what is wanted of the reviewer."""
    pull, release = request.snapshot.pull, request.snapshot.release
    if release:
        return say("release_ready", goes_out=say("goes_out", changes=release.size))
    goes_in = say("goes_straight_in", base=request.skips_to) if request.skips_to else say("goes_in")
    needs = "needs_of_program" if pull.author_is_bot else "needs"
    return say(needs, who=asker(request.snapshot), goes_in=goes_in)


def _what(request: Request) -> str:
    """Return what it is about, in the few words that a preview has."""
    pull, release = request.snapshot.pull, request.snapshot.release
    if release:
        return _approved_of(release)
    size = size_name(pull.lines, pull.changed_files)
    who, is_program = asker(request.snapshot), pull.author_is_bot
    return say("what", who=who, size=size, files=pull.changed_files, is_program=is_program)


def _approved_of(release: Release) -> str:
    if release.unseen:
        return say("not_approved", unseen=len(release.unseen), changes=release.size)
    if release.is_rewritten:
        return say("rewritten")
    return say("some_earlier" if release.earlier else "all_approved", changes=release.size)


def _changed(request: Request) -> str:
    """Return what happened to a version that was asked about before."""
    pull, old, release = request.snapshot.pull, request.old_base, request.snapshot.release
    who = say("a_program") if pull.author_is_bot else asker(request.snapshot)
    if release:
        changed = say("release_changed", goes_out=say("goes_out", changes=release.size))
    elif request.voided:
        changed = say("changed_after_approval", who=who)
    elif (last := request.rejection) and last.note:
        whose = _whose(request, last.reviewer, last.by)
        changed = say("changed_after_message", who=who, whose=whose)
    else:
        changed = say("changed", who=who)
    return " ".join([changed, say("other_base", base=pull.base, old=old)]) if old else changed


def _asked_again(request: Request, release: tuple[Chip, ...]) -> Opening:
    """Return how a question begins whose code is the same as before."""
    pull, old = request.snapshot.pull, request.old_base
    why = say("base_is_other", base=pull.base, old=old) if old else plain(request.same_code_but)
    same = say("same_code", why=why)
    who = say("this_release") if release else say("this") if pull.author_is_bot else asker(request.snapshot)
    first = say("needs_again", who=who, same=same, is_void=request.voided)
    return Opening((*release, ASKED_AGAIN), first, say("asked_again_preview", same=same))


def _answered(request: Request, release: tuple[Chip, ...]) -> Opening:
    last = request.answers[-1]
    who = person(last.name, LONGEST_NAME)
    asked = next((line for line in request.talk if line.is_question), None)
    whose = _whose(request, asked.by, asked.name) if asked else say("your")
    gist = plain(rendered(last.words, LONGEST_ANSWER).text, LONGEST_GIST)
    first = say("answered", who=who, whose=whose)
    return Opening((*release, answered_by(last.name)), first, say("answered_preview", who=who, gist=gist))


def _whose(request: Request, by: str, name: str) -> str:
    """Return "your" for what the reader said, "Max’s" for what another reviewer did."""
    return say("your") if by == request.reviewer.id else say("whose", name=plain(name, LONGEST_NAME))


def _capital(sentence: str) -> str:
    """Return a sentence that follows another, where it begins with one of our own words and not with a name."""
    is_ours = sentence.startswith(("a new release", "this is"))
    return sentence[:1].upper() + sentence[1:] if is_ours else sentence
