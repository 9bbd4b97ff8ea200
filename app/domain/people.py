"""People at GitHub, and which of them belong to a repository. Pure.

Used by `facts`, by `github`, which reads them, and by `jobs`, which asks GitHub who belongs. A login is for
showing; whoever is compared is compared by id.
"""

from __future__ import annotations

from dataclasses import dataclass

# Who belongs to a repository's people, by what they may do in it.
# https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
INSIDERS = frozenset({"admin", "maintain", "write"})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at GitHub: the id is theirs for good, the login may be another's tomorrow."""

    id: int
    login: str
    is_bot: bool = False
