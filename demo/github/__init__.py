"""A pretend GitHub: a small server of the REST calls that the gate makes, over real git repositories.

Used by the demo and by the tests; nothing under app/ knows of it. `PretendGitHub` is the whole of it for its
users (`pretend`, on top of `served`). Behind it: `state`, `world` (what there is), `git`, `pulls`, `merging`,
`marks` (what happens), `rules` (what GitHub thinks of it), `shapes`, `pull_shapes` (how it writes
it), `events`, `webhooks` (how it tells), `front`, `api`, `pull_api`, `app_api` (how it is asked).
It must never be kinder than GitHub: where GitHub refuses, so does it.
"""

from __future__ import annotations

from demo.github.front import Call
from demo.github.pretend import PretendGitHub
from demo.github.state import Person, Pull, Refusal, Repo
from demo.github.webhooks import Delivery
from demo.github.world import RIGHTS

__all__ = ["RIGHTS", "Call", "Delivery", "Person", "PretendGitHub", "Pull", "Refusal", "Repo"]
