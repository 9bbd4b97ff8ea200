"""The story that `make demo AUTO=1` plays: people and their browsers, over HTTP only, and what they should see.

`play` runs the stories one after another against a tour that is served. A story to come is one more function
in STORIES, made of `steps`.
"""

from __future__ import annotations

import sys
import time

from demo.story import steps
from demo.story.browser import NoSuchButton
from demo.story.stage import PATIENCE, Difference, Stage

__all__ = ["PATIENCE", "STORIES", "Difference", "Stage", "play"]


def approved(stage: Stage) -> None:
    """Lily is asked about a change, approves it, and it’s merged."""
    before = len(stage.state()["calls"])
    number = steps.open_pull_request(stage)
    page = steps.follow(stage, number, steps.get_mail(stage, number), "Approve")
    steps.see_nothing_decided(stage, number)
    steps.approve(stage, page)
    steps.see_merge(stage, number)
    steps.see_word(stage, number, "success", "APPROVED")
    steps.see_few_calls(stage, before)


def overtaken_then_rejected(stage: Stage) -> None:
    """A push replaces what Lily was asked about; she’s asked again, and rejects it with a message."""
    number = steps.open_pull_request(stage)
    old = steps.follow(stage, number, steps.get_mail(stage, number), "Approve")
    steps.push(stage, number)
    mail = steps.get_mail(stage, number, count=2)
    steps.see_overtaken(stage, old)
    steps.reject(stage, steps.follow(stage, number, mail, "Reject"))
    steps.see_word(stage, number, "failure", "CHANGES_REQUESTED", steps.REASON)
    steps.see_not_merged(stage, number)


def released(stage: Stage) -> None:
    """One more change is merged, one is pushed without asking, and a release takes them to master."""
    number = steps.open_pull_request(stage)
    steps.approve(stage, steps.follow(stage, number, steps.get_mail(stage, number), "Approve"))
    pushed = steps.push_directly(stage)
    release, mail = steps.get_release(stage, pushed)
    page = steps.follow(stage, release, mail, "Approve")
    steps.approve(stage, page, "It’s live")
    steps.see_merge(stage, release, "master")


def held_twice(stage: Stage) -> None:
    """An approved change conflicts with another; Lily approves the new version, and it waits for its tests."""
    number = steps.open_pull_request(stage)
    page = steps.follow(stage, number, steps.get_mail(stage, number), "Approve")
    steps.clash(stage, number)
    steps.approve(stage, page, "Approved, not in yet")
    steps.see_word(stage, number, "success", "COMMENTED", "Someone else changed the same part")
    steps.resolve(stage, number)
    page = steps.follow(stage, number, steps.get_mail(stage, number, count=2), "Approve")
    steps.fail_tests(stage, number)
    held = steps.approve(stage, page, "Approved, not in yet")
    steps.see_word(stage, number, "success", "COMMENTED", "tests")
    steps.fix_tests(stage, number)
    steps.see_merged_at_last(stage, held)
    steps.see_merge(stage, number)


# Few enough that Lily gets each question by itself: beyond ten emails in an hour they come in a list.
STORIES = (approved, overtaken_then_rejected, released, held_twice)


def play(url: str, patience: float = PATIENCE) -> int:
    """Play every story at the tour's address; return 0, or 1 at the first difference, which is printed."""
    begun = time.monotonic()
    for story in STORIES:
        print(f"\n{story.__doc__}", flush=True)
        try:
            story(Stage(url, patience))
        except (Difference, NoSuchButton) as difference:
            print(f"✗ {difference}", file=sys.stderr, flush=True)
            return 1
    print(f"\nEverything went as it should, in {time.monotonic() - begun:.1f} seconds.", flush=True)
    return 0
