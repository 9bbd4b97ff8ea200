"""What the history says of a pull request: one word a line, for people to read.

No rule depends on it: what the rules need is in the row, its decisions and its posts. The values are what the database
holds; the templates have their words.
"""

from __future__ import annotations

from enum import StrEnum


class Happened(StrEnum):
    """What happened: what people did, what the gate did, what GitHub said, what is in the way."""

    APPROVED = "approved"
    REJECTED = "rejected"
    TAKEN_BACK = "taken_back"
    QUESTION = "question"
    ANSWERED = "answered"
    AWAY = "away"
    BACK = "back"
    ASKED = "asked"
    HANDED_OVER = "handed_over"
    UPDATED = "updated"
    LET_GO = "let_go"
    NEW_CODE = "round"
    SAME_CODE = "again"
    SAME_CHANGE = "same_change"
    EDITED = "edited"
    READY = "to_ask"
    WAITING = "waiting"
    GOING_IN_AGAIN = "to_merge"
    DRAFT = "draft"
    CLOSED = "closed"
    UNGATED = "ungated"
    MERGED = "merged"
    BYPASSED = "bypassed"
    LOST = "lost"
    HELD = "held"
    UNREADY = "unready"
    UNSAID = "unsaid"
