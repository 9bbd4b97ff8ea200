"""A mail, and what a mail program reads in it: the words of a preview, and the links.

`server` keeps them; the tour shows them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from html.parser import HTMLParser


@dataclass(frozen=True)
class Mail:
    """A mail as it arrived; `headers` holds the sender's extra ones and the Message-ID that SES gave it."""

    id: int
    to: str
    from_: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    message_id: str
    received_at: datetime
    configuration_set: str | None = None

    @property
    def address(self) -> str:
        """Return the bare address of `to`."""
        return parseaddr(self.to)[1]

    @property
    def sender(self) -> str:
        """Return the name that an inbox shows."""
        name, address = parseaddr(self.from_)
        return name or address

    @property
    def preview(self) -> str:
        """Return the first words of the body, which a list shows behind the subject."""
        return (_read(self.html).words if self.html else " ".join(self.text.split()))[:140]

    @property
    def links(self) -> list[dict[str, str]]:
        """Return every link of the HTML part, in order: its words and its address."""
        return _read(self.html).links


@dataclass
class _Reading(HTMLParser):
    """The words of an HTML part, in order, and its links."""

    parts: list[str] = field(default_factory=list)
    links: list[dict[str, str]] = field(default_factory=list)
    unseen: int = 0
    in_link: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def words(self) -> str:
        """Return the words as one line, without the invisible ones that fill up a preview."""
        return " ".join(
            "".join(char for char in " ".join(self.parts) if char not in "\u200c\u034f\u00ad").split()
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unseen += tag in ("head", "style", "script", "title")
        if tag == "a":
            self.in_link = True
            self.links.append({"words": "", "url": dict(attrs).get("href") or ""})

    def handle_endtag(self, tag: str) -> None:
        self.unseen -= tag in ("head", "style", "script", "title")
        self.in_link = self.in_link and tag != "a"

    def handle_data(self, data: str) -> None:
        if self.unseen <= 0:
            self.parts.append(data)
        if self.in_link:
            self.links[-1]["words"] = f"{self.links[-1]['words']} {' '.join(data.split())}".strip()


def _read(html: str) -> _Reading:
    reading = _Reading()
    reading.feed(html)
    return reading
