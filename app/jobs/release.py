"""The release pull request: there is one while development holds what master does not, and it says what that is.

A push wakes a timer, the timer makes it so; so does the regular look. From there on it is a pull request like any
other. The gate writes its own part of the text only, and a title that is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from app.db.jobs import Claim
from app.db.timers import Timer
from app.domain.facts import Release
from app.domain.policy import Reviewer
from app.domain.problems import Cause
from app.domain.review import Review
from app.github.answers import Refused
from app.github.commits import Steps
from app.github.pulls import Pull
from app.jobs.gate import FOREIGN, SOON, Gate, Rest
from app.jobs.poll import check_repository
from app.jobs.release_contents import (
    Place,
    account_of,
    approved,
    dropped_by,
    look_again_after,
    merge_is_out,
    new_merges,
    note_head,
    origins_of,
    push_to,
    sort,
    with_missing,
)
from app.mail.compose import Mail
from app.mail.problem import Pushed, compose_push
from app.mail.release import has_part, is_release_title, release_title, with_part

# --- What was pushed past the gate where no release names it: told once, by mail.


def since_last(place: Place, etag: str | None) -> Steps | None:
    """Read what came onto the branch since the last look; None on the first, and where nothing is left of what was known.

    One GET, free where nothing came and `etag` is that of the last answer; more past 250 commits.
    """
    known = place.gate.store.releases.known(place.repository_id, place.branch)
    if known is None:
        return None
    try:
        return place.gate.github.steps(
            place.repository, known.head, place.branch, etag=etag, on_page=place.renew
        )
    except Refused as refusal:
        if refusal.kind != "missing":
            raise
        return None


def tell(place: Place, since: Steps | None, merged: Sequence[Review], began: datetime) -> bool:
    """Note where the branch stands, and let every reviewer be told of what was pushed directly.

    `merged` are the merges since the last look, `began` is when this one did.
    False while GitHub was not asked about all of it yet. Raises Refused where there is no such branch.
    """
    releases = place.gate.store.releases
    known = releases.known(place.repository_id, place.branch)
    if known is None or since is None:
        head = place.gate.github.branch_head(place.repository, place.branch)
        if known is None:
            releases.begin(place.repository_id, place.branch, head)
            return True
        push = push_to(place, head, approved(place, None))
    elif since.head == known.head and not merged:
        return True
    else:
        sorted_ = sort(place, since)
        origins = origins_of(place, sorted_)
        if not origins.keys() >= set(sorted_.rest):
            return False
        is_kept = since.merge_base == known.head
        dropped = None if is_kept else dropped_by(place, known.head, since.head)
        push = push_to(place, since.head, with_missing(place, since, merged, dropped))
        unseen = sorted_.release(origins).unseen
        push = replace(push, unseen=tuple(item for item in unseen if item.pull is None))
    releases.move(known.head, push, began, [person.id for person in place.gate.policy.reviewers])
    return True


def mail_about_push(gate: Gate, push_id: int | None, reviewer: Reviewer) -> Mail | None:
    """Return the mail that tells a reviewer of a push, None where there is no such push."""
    push = gate.store.releases.push(push_id or 0)
    if push is None:
        return None
    gone = gate.store.releases.merged(push.repository_id, push.branch, push.gone) if push.gone else []
    place = push.repository if len(gate.policy.repositories) > 1 else ""
    titles = tuple(row.title for row in gone)
    pushed = Pushed(push.branch, place, push.unseen, titles, is_rewritten=push.is_forced)
    return compose_push(reviewer, pushed, f"{gate.public_url}/")


# --- The release pull request.


NO_BRANCH = (
    "{0} has no branch {1}, or no branch {2}, or they share no history. "
    "If {0} is not released so, leave RELEASE_BRANCH empty."
)


NO_DEVELOPMENT = "{0} has no branch {1}."


def keep_release(gate: Gate, claim: Claim, timer: Timer) -> Rest:
    """Open, edit or close a repository's release pull request, if something changed since the last time.

    Without a release branch, tell what was pushed past the gate.
    """
    wanted = timer.name.partition(" ")[2]
    names = [name for name in gate.policy.repositories if name.casefold() == wanted]
    if not names:
        return Rest()
    number = _id_of(gate, names[0])
    place = Place(
        gate, gate.store.repositories.today(names[0]), number, lambda: gate.store.queue.renew(claim)
    )
    if merge_is_out(place):
        return Rest(wait=look_again_after(gate))
    if not gate.policy.release_branch:
        return _watched(place, names[0], timer)
    began, merged = gate.store.now(), new_merges(place)
    try:
        # What is missing shows in no change of the branch: with a new merge it is read in any case.
        ahead = _ahead(place, None if merged else timer.etag)
    except Refused as refusal:
        if refusal.kind != "missing":
            raise
        return _without_release(place, names[0])
    if not ahead.is_unchanged:
        if not _is_still(place, names[0]):
            return Rest(wait=SOON)
        note_head(place, ahead, merged, began)
        release = account_of(place, ahead)
        if release is None or not _make_so(place, ahead, release):
            return Rest(wait=look_again_after(gate))
        gate.store.timers.note(timer.id, None, ahead.etag)
    return Rest(wait=gate.policy.look)


def _is_still(place: Place, name: str) -> bool:
    """Tell whether what was read is this repository, under today's name, before anything is kept or written.

    Raises Refused when it is another one's by now.
    """
    number, today = place.gate.github.identity(place.repository)
    if number != place.repository_id:
        raise Refused(FOREIGN.format(place.repository), "missing")
    if today.casefold() != place.repository.casefold():
        check_repository(place.gate, name)
        return False
    return True


def _without_release(place: Place, name: str) -> Rest:
    """Watch the branch all the same, and say what is missing."""
    policy = place.gate.policy
    with suppress(Refused):
        if _is_still(place, name):
            began, merged = place.gate.store.now(), new_merges(place)
            tell(place, since_last(place, None), merged, began)
    words = NO_BRANCH.format(place.repository, policy.release_branch, policy.development_branch)
    return Rest(None, words, failed=True, refused=True, cause=Cause.BRANCH)


def _watched(place: Place, name: str, timer: Timer) -> Rest:
    """Tell what was pushed past the gate since the last look."""
    began, merged = place.gate.store.now(), new_merges(place)
    since = since_last(place, None if merged else timer.etag)
    if since is not None and since.is_unchanged:
        return Rest(wait=place.gate.policy.look)
    if not _is_still(place, name):
        return Rest(wait=SOON)
    try:
        if not tell(place, since, merged, began):
            return Rest(wait=look_again_after(place.gate))
    except Refused as refusal:
        if refusal.kind != "missing":
            raise
        return Rest(
            None,
            NO_DEVELOPMENT.format(place.repository, place.branch),
            failed=True,
            refused=True,
            cause=Cause.BRANCH,
        )
    place.gate.store.timers.note(timer.id, None, since.etag if since else None)
    return Rest(wait=place.gate.policy.look)


def _id_of(gate: Gate, repository: str) -> int:
    """Return the id of the repository that has this name. Raises Refused when it is another one's by now."""
    if gate.store.repositories.id_of(repository) is None:
        check_repository(gate, repository)
    known = gate.store.repositories.id_of(repository)
    if known is None:
        raise Refused(FOREIGN.format(repository), "missing")
    return known


def _ahead(place: Place, etag: str | None) -> Steps:
    policy = place.gate.policy
    return place.gate.github.steps(
        place.repository, policy.release_branch, policy.development_branch, etag=etag, on_page=place.renew
    )


def _make_so(place: Place, ahead: Steps, release: Release) -> bool:
    """Make the pull request what it should be; False when it must be looked at again."""
    github, policy = place.gate.github, place.gate.policy
    branches = (policy.development_branch, policy.release_branch)
    standing = github.find_pull(place.repository, *branches)
    place.renew()
    if standing and standing.repository_id != place.repository_id:
        raise Refused(FOREIGN.format(place.repository), "missing")
    if not ahead.steps or ahead.is_empty:
        if standing and has_part(standing.body):
            github.edit_pull(place.repository, standing.number, state="closed")
        return True
    if standing is None:
        return _open(place, release_title(release), with_part("", release, *branches))
    changes = _changes(standing, release_title(release), with_part(standing.body, release, *branches))
    if changes:
        github.edit_pull(place.repository, standing.number, **changes)
    return True


def _open(place: Place, title: str, body: str) -> bool:
    policy = place.gate.policy
    try:
        place.gate.github.open_pull(
            place.repository, policy.development_branch, policy.release_branch, title, body
        )
    except Refused as refusal:
        if refusal.kind in ("empty", "exists"):
            return False
        raise
    return True


def _changes(standing: Pull, title: str, body: str) -> dict[str, str]:
    """Return what of a pull request must be written anew; a title that people gave it stays."""
    changes = {}
    if is_release_title(standing.title) and standing.title != title:
        changes["title"] = title
    if _bare(standing.body) != _bare(body):
        changes["body"] = body
    return changes


def _bare(body: str) -> str:
    """Return a text without what GitHub's own editor changes in it: how lines end, and what is empty around it."""
    return body.replace("\r\n", "\n").strip()
