"""Make mails and comments of templates: how a value gets into one, and what every mail has. Pure.

The wording is in templates/; `question`, `news` and `comments` say what goes into it. A title, a body, a branch or a path
may be hostile: nothing of it may become markup, a header or a link.

Every value goes through `line` (or `person`, `titled`, `quoted`), which drops what hides or reorders text. In a text
template the result is marked as safe, since "<" stays "<" there; in HTML it is escaped besides. Autoescape is on for
both: a value that forgot its filter is at worst over-escaped. What is made by `phrase` and `why_for_reviewer` is text,
escaped where it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import formataddr
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Macro
from markupsafe import Markup

from app import folder
from app.domain.blocked import Blocked
from app.domain.facts import PullRequest
from app.domain.policy import Reviewer
from app.domain.review import Review
from app.text.clean import disarmed, person, plain, quoted, shortened
from app.text.gfm import host_of
from app.text.markdown import rendered
from app.text.plain_text import text_of
from app.text.words import checks_words, count, size_in_short, size_name, size_words
from app.text.words import when as when_text

# Gmail hides what comes after 102 KB. https://developers.google.com/workspace/gmail/design/css
LARGEST_HTML = 90_000
LONGEST_TITLE, LONGEST_SUBJECT_TITLE = 256, 70


def render(name: str, values: dict[str, Any]) -> str:
    """Render a template by its name under templates/; how values are treated depends on its ending, .html or not."""
    environment = _HTML if name.endswith(".html") else _TEXT
    return environment.get_template(name).render(values)


def phrase(sentence: str, **values: object) -> str:
    """Return a sentence of templates/mail/sentences.txt, by the name of its macro: plain text, escaped where it is shown."""
    said = getattr(_WORDS.get_template("mail/sentences.txt").module, sentence)(**values)
    return str(said).strip()


def titled(title: str, limit: int = 120) -> str:
    """Return a title as one line, and words of ours where it has none."""
    return plain(title, limit) or phrase("untitled")


def _marked(change: Callable[..., str]) -> Callable[..., Markup]:
    """Return a filter for text, in which no sign is markup."""
    return lambda *values: Markup(change(*values))  # noqa: S704 - it is escaped where it is needed, or is plain text


def _escaped(value: str) -> str:
    """Escape for Markdown what could begin a tag, a comment or an entity, and leave all else as it was typed."""
    return value.replace("&", "&amp;").replace("<", "&lt;")


def _environment(*, autoescape: bool = True, **filters: Callable[..., str]) -> Environment:
    made = Environment(
        loader=FileSystemLoader(folder("templates")),
        autoescape=autoescape,  # noqa: S701 - what is not escaped here is escaped where it is shown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"line": plain, "person": person, "shortened": shortened, "titled": titled, **filters}
    made.globals |= {
        "checks_words": checks_words,
        "count": count,
        "host_of": host_of,
        "rendered": rendered,
        "size_in_short": size_in_short,
        "size_name": size_name,
        "size_words": size_words,
    }
    return made


_HTML, _WORDS = _environment(), _environment(autoescape=False)
_TEXT = _environment(
    line=_marked(plain), quoted=_marked(quoted), disarmed=_marked(disarmed), escaped=_escaped
)


# --- What every mail has.


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to send. `to` is a formatted address; `thread` holds the mails of one pull request together.

    `sender` is in whose name it comes, None for the gate's own.
    """

    to: str
    subject: str
    text: str
    html: str
    thread: str | None
    sender: str | None = None


def mail_of(
    reader: Reviewer,
    name: str,
    values: dict[str, Any],
    thread: str | None = None,
    sender: str | None = None,
    shorter: Iterable[dict[str, Any]] = ({},),
) -> Mail:
    """Return the mail that the template of this name makes of the values; its subject is a block of it, or among them.

    `shorter` are more values, for one try after the other until it is small enough.
    """
    template = _HTML.get_template(f"mail/{name}.html")
    for more in shorter:
        all_values = {"name": reader.name, "place": "", **values, **more}
        html = template.render(all_values)
        if len(html.encode()) <= LARGEST_HTML:
            break
    subject, block = values.get("subject", ""), template.blocks.get("subject")
    if block:
        escaped = Markup("".join(block(template.new_context(all_values))))  # noqa: S704 - as in the HTML
        subject = escaped.unescape()
    return Mail(address_of(reader), plain(subject, 250), f"{text_of(html)}\n", html, thread, sender)


def subject_of(about: PullRequest | Review, title: str, place: str, *, is_release: bool) -> str:
    """Return the subject of every mail about a pull request: Gmail puts only equal ones into one conversation.

    The matter is in its first 40 characters; what the mail wants is in the preview. How much a release holds
    changes from mail to mail, so that is not in it.
    """
    matter = phrase("release_into", base=about.base) if is_release else title
    return f"{plain(matter, LONGEST_SUBJECT_TITLE)} ({plain(place)})"


def waiting_since(asked_at: datetime, now: datetime, timezone: ZoneInfo) -> str:
    """Return a moment as a date: a mail is read later than it is sent, so it never says "today"."""
    return when_text(asked_at, timezone, now + timedelta(days=3))


def thread_of(repository: str, number: int) -> str:
    """Return the made-up message id, without its domain, that all mails of a pull request refer to. ASCII."""
    return re.sub(r"[^a-z0-9]+", "-", f"{repository}-{number}".lower())[:200].strip("-")


def address_of(reviewer: Reviewer) -> str:
    """Return the reviewer's address with the name as SES takes it: ASCII, other letters as an encoded word.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html
    """
    return formataddr((plain(reviewer.name), reviewer.address))


def tidy(words: str) -> str:
    """Return text with at most one empty line at a time, ending with one line end."""
    return re.sub(r"\n{3,}", "\n\n", words).strip() + "\n"


# --- What is in the way of a change, in words: for reviewers, and for developers with the next step.


def why_for_reviewer(blocked: Blocked, base: str, helper: str = "the developer") -> str:
    """Return why it does not go on, without GitHub's own words; `helper` is who can change that."""
    return str(_said("lily")(blocked, base, helper))


def why_for_developer(blocked: Blocked, base: str) -> str:
    """Return why it does not go on, in GitHub's own words where it said any."""
    return str(_said("developer")(blocked, base))


def next_step(blocked: Blocked, base: str) -> str:
    """Return what a developer can do about it."""
    return str(_said("next_step")(blocked, base))


def _said(macro: str) -> Macro:
    found: Macro = getattr(_WORDS.get_template("blocked.txt").module, macro)
    return found
