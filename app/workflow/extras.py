"""What a reviewer is told besides the change: what the automatic checks say, and where the change can be tried.

Read only where it is known to be used, so that nobody else pays a call for it. Where GitHub does not give it nothing
is said of it, and nothing waits for it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from app.github_client import GitHubError, Refused
from app.review import State
from app.workflow.gate import Work


def read_extras(work: Work) -> dict[str, Any]:
    """Read what belongs to a question: `work.checks`, and return what changes in the row."""
    inbox, repository_id = work.gate.store.inbox, work.row.repository_id
    if work.checks is None and inbox.told_at("check", repository_id):
        with suppress(GitHubError):
            ignored = work.gate.policy.ignore_checks
            work.checks = work.gate.github.checks(work.row.repository, work.row.head_sha, ignored)
        work.keep()
    is_used = work.gate.preview_url is None and inbox.told_at("deployment", repository_id)
    return _deployed(work) if is_used else {}


def find_try_url(work: Work) -> bool:
    """Learn where a change that was asked about can be tried, if GitHub said that it was deployed.

    False when GitHub did not answer, so that it is to be asked again.
    """
    row = work.row
    if work.gate.preview_url is not None or row.state not in (State.WAITING, State.REJECTED, State.TO_MERGE):
        return True
    told = work.gate.store.inbox.told_at("deployment", row.repository_id, row.head_sha)
    if told is None or (row.facts.try_read_at is not None and told < row.facts.try_read_at):
        return True
    found = _deployed(work)
    work.keep(**found)
    return bool(found)


def _deployed(work: Work) -> dict[str, Any]:
    row, now = work.row, work.gate.store.now()  # what is told while it is read makes another read
    try:
        url = work.gate.github.try_url(row.repository, row.head_sha)
    except Refused:  # a right is missing: nothing is said of it
        url = None
    except GitHubError:
        return {}
    return {"facts": replace(row.facts, try_url=url, try_read_at=now)}
