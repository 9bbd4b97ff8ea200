"""Who belongs here: asked of GitHub once a person and day, and only where something depends on it.

A fork's author, who asks for a review of it, and who answers a question. What GitHub writes beside a name
(`author_association`) calls colleagues strangers whose membership is private, so it is not gone by.
"""

from __future__ import annotations

from app.db import Store
from app.domain.people import INSIDERS, Person
from app.github.client import GitHub


def belongs(github: GitHub, store: Store, repository: str, repository_id: int, person: Person | None) -> bool:
    """Tell whether somebody may write to the repository; no program does, nor who is gone. Raises GitHubError."""
    if person is None or person.is_bot:
        return False
    permission = store.people.permission(repository_id, person)
    if permission is None:
        permission = github.permission(repository, person)
        store.people.note(repository_id, person, permission)
    return permission in INSIDERS
