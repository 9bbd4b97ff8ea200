"""The release pull request: there is one while development holds what master does not, and it says what that is.

A push wakes a timer, the timer makes it so; so does the regular look. From there on it is a pull request like any
other. The gate writes its own part of the text only, and a title that is its own.
"""

from __future__ import annotations

from contextlib import suppress

from app.db.jobs import Claim, Rest, Timer
from app.domain.blocked import Why
from app.domain.facts import Release
from app.domain.problems import What
from app.github.answers import PutOff, Refused
from app.github.commits import Steps
from app.jobs import release_contents as contents
from app.jobs.gate import OTHER_REPOSITORY, SOON, Gate
from app.jobs.poll import check_repository
from app.mail.comments import has_part, is_release_title, release_title, with_part

NO_BRANCH = (
    "{0} has no branch {1}, or no branch {2}, or they share no history. "
    "If {0} is not released so, leave RELEASE_BRANCH empty."
)
NO_DEVELOPMENT = "{0} has no branch {1}."


def keep_release(gate: Gate, claim: Claim, timer: Timer) -> Rest:
    """Open, edit or close a repository's release pull request, if something changed since the last time.

    Without a release branch, tell what was pushed past the gate.
    """
    wanted, policy, repositories = timer.name.partition(" ")[2], gate.policy, gate.store.repositories
    name = next((name for name in policy.repositories if name.casefold() == wanted), None)
    if name is None:
        return Rest()
    number = repositories.id_of(name) or check_repository(gate, name)
    branch = contents.DevelopmentBranch(
        gate, repositories.today(name), number, lambda: gate.store.queue.renew(claim)
    )
    if contents.merge_is_out(branch):
        return Rest(wait=contents.look_again_after(gate))
    if not policy.release_branch:
        return _watch(branch, name, timer)
    began, merged = gate.store.now(), contents.new_merges(branch)
    # What is missing shows in no change of the branch: with a new merge it is read in any case.
    ahead = contents.read_steps(branch, policy.release_branch, branch.name, None if merged else timer.etag)
    if ahead is None:
        with suppress(Refused):
            _watch(branch, name, timer)
        words = NO_BRANCH.format(branch.repository, policy.release_branch, branch.name)
        return Rest(problem=words, refused=True, cause=What.BRANCH)
    if not ahead.is_unchanged:
        _require_same(branch, name)
        contents.note_head(branch, ahead, merged, began)
        release = contents.release_of(branch, ahead)
        if release is None:
            return Rest(wait=contents.look_again_after(gate))
        _make_so(branch, ahead, release)
        gate.store.timers.note(timer.id, None, ahead.etag)
    return Rest(wait=policy.look)


def _require_same(branch: contents.DevelopmentBranch, name: str) -> None:
    """Make sure that what was read is this repository, under today's name, before anything is kept or written.

    Raises Refused when it is another one's by now, PutOff when it was renamed.
    """
    number, today = branch.gate.github.identity(branch.repository)
    if number != branch.repository_id:
        raise Refused(OTHER_REPOSITORY.format(branch.repository), Why.GONE)
    if today.casefold() != branch.repository.casefold():
        check_repository(branch.gate, name)
        raise PutOff(f"{branch.repository} is {today} now.", SOON)


def _watch(branch: contents.DevelopmentBranch, name: str, timer: Timer) -> Rest:
    """Note where the branch stands, and let every reviewer be told by mail, once, of what was pushed past the gate."""
    gate, seen, releases = branch.gate, branch.seen, branch.gate.store.releases
    # In this order: what is merged meanwhile is new to the next look.
    began, merged = gate.store.now(), contents.new_merges(branch)
    etag = None if merged else timer.etag
    came = contents.read_steps(branch, seen.head, branch.name, etag) if seen else None
    try:
        # At the first look, and where nothing is left of what was known, only where it stands.
        came = came or Steps(head=gate.github.branch_head(branch.repository, branch.name))
    except Refused as refusal:
        if refusal.kind is not Why.GONE:
            raise
        words = NO_DEVELOPMENT.format(branch.repository, branch.name)
        return Rest(problem=words, refused=True, cause=What.BRANCH)
    if came.is_unchanged:
        return Rest(wait=gate.policy.look)
    _require_same(branch, name)
    if seen is None:
        releases.begin(branch.repository_id, branch.name, came.head)
    else:
        sorted_ = contents.sort(branch, came)
        origins = contents.origins_of(branch, sorted_)
        if not origins.keys() >= set(sorted_.rest):
            return Rest(wait=contents.look_again_after(gate))  # GitHub was not asked about all of it yet
        pushed = tuple(item for item in sorted_.release(origins).unseen if item.pull is None)
        readers = [person.id for person in gate.policy.reviewers]
        contents.note_head(branch, came, merged, began, pushed, readers)
    gate.store.timers.note(timer.id, None, came.etag)
    return Rest(wait=gate.policy.look)


def _make_so(branch: contents.DevelopmentBranch, ahead: Steps, release: Release) -> None:
    """Make the pull request what it should be. Raises Refused where it became another meanwhile: it is looked at again."""
    github, policy = branch.gate.github, branch.gate.policy
    branches, title = (policy.development_branch, policy.release_branch), release_title(release)
    standing = github.find_pull(branch.repository, *branches)
    branch.renew()
    is_empty = not ahead.steps or ahead.is_empty
    if standing is None:
        if not is_empty:
            github.open_pull(branch.repository, *branches, title, with_part("", release, *branches))
        return
    changes: dict[str, str] = {}
    if is_empty:
        changes |= {"state": "closed"} if has_part(standing.body) else {}
    else:
        body = with_part(standing.body, release, *branches)
        if is_release_title(standing.title) and standing.title != title:  # one that people gave it stays
            changes["title"] = title
        # GitHub's own editor changes how lines end, and what is empty around a text.
        if standing.body.split() != body.split():
            changes["body"] = body
    if changes:
        github.edit_pull(branch.repository, standing.number, **changes)
