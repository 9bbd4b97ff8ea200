"""The templates of letters and of comments, how a value gets into one, and what is in the way of a change in words.

Every value goes through `line` (or `person`, `titled`, `quoted`), which drops what hides or reorders text. In a text
template the result is marked as safe, since "<" stays "<" there; in HTML it is escaped besides. Autoescape is on for
both: a value that forgot its filter is at worst over-escaped. What is made by `say` and `why_for_reviewer` is text,
escaped where it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Macro
from markupsafe import Markup

from app import folder
from app.domain.blocked import Blocked
from app.text.clean import disarmed, person, plain, quote, shortened
from app.text.gfm import host_of
from app.text.markdown import rendered
from app.text.words import checks_words, count, size_in_short, size_name, size_words


def render(name: str, values: dict[str, Any]) -> str:
    """Render a template by its name under templates/; how values are treated depends on its ending, .html or not."""
    environment = _HTML if name.endswith(".html") else _TEXT
    return environment.get_template(name).render(values)


def render_mail(name: str, values: dict[str, Any]) -> tuple[str, str]:
    """Return a mail's subject as plain text, from its template's block or among the values, and its HTML."""
    template = _HTML.get_template(f"mail/{name}.html")
    subject, block = values.get("subject", ""), template.blocks.get("subject")
    if block:
        escaped = Markup("".join(block(template.new_context(values))))  # noqa: S704 - as in the HTML
        subject = escaped.unescape()
    return plain(subject, 250), template.render(values)


def say(sentence: str, **values: object) -> str:
    """Return a sentence of templates/mail/sentences.txt, by the name of its macro: plain text, escaped where it is shown."""
    said = getattr(_WORDS.get_template("mail/sentences.txt").module, sentence)(**values)
    return str(said).strip()


def titled(title: str, limit: int = 120) -> str:
    """Return a title as one line, and words of ours where it has none."""
    return plain(title, limit) or say("untitled")


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
_TEXT = _environment(line=_marked(plain), quoted=_marked(quote), disarmed=_marked(disarmed), escaped=_escaped)


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
