"""A restored backup, or a new database under the same key: links never gain power, and no approval comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outside import MakeOutside, Outside, falls, given


def restored_with_another(outside: Outside, folder: Path) -> None:
    """Ask about #1, go back to a backup from before it, and ask about #2 in its place."""
    outside.start()
    backup = outside.back_up(folder / "backup.db")
    outside.asked("cards")
    outside.details(1)
    outside.restore(backup)
    outside.asked("wine")


@falls("18a: a restored backup's link approves another pull request (DESIGN 4: links are made from a nonce)")
def test_a_link_from_the_lost_hours_approves_no_other_pull_request(outside: Outside, tmp_path: Path) -> None:
    restored_with_another(outside, tmp_path)
    outside.choose(path=outside.link(mail=0))
    outside.settle()
    assert not outside.is_merged(2)
    assert outside.status(2) == "pending"


@falls(
    "18a: a restored backup's status link shows another pull request (DESIGN 4: Details has the review's nonce)"
)
def test_a_details_link_from_the_lost_hours_shows_no_other_pull_request(
    outside: Outside, tmp_path: Path
) -> None:
    outside.start()
    backup = outside.back_up(tmp_path / "backup.db")
    outside.asked("cards")
    details = outside.details(1)
    given("Change cards" in outside.world.browser.get(details).text, "Details does not show its own")
    outside.restore(backup)
    outside.asked("wine")
    assert "Change wine" not in outside.world.browser.get(details).text


@falls("18a: under the same key a new database's first change is approved by an old link (DESIGN 2.7)")
def test_a_link_of_an_earlier_database_under_the_same_key_decides_nothing(make_outside: MakeOutside) -> None:
    old, new = make_outside(), make_outside()
    old.asked("cards")
    new.asked("wine")
    new.choose(path=old.link())
    new.settle()
    assert not new.is_merged(1)
    assert new.status(1) == "pending"


@falls(
    "18b: a restored approval that was withdrawn after the backup is merged (DESIGN 7.7: a new epoch voids it)"
)
def test_an_approval_that_was_withdrawn_after_the_backup_merges_nothing(
    outside: Outside, tmp_path: Path
) -> None:
    number = outside.approved("cards")
    backup = outside.back_up(tmp_path / "backup.db")
    outside.choose("take_back")
    outside.settle()
    given(outside.status(number) == "pending", "the approval was not withdrawn")
    outside.restore(backup)
    outside.start()
    outside.pass_(minutes=30, step=300)
    assert not outside.is_merged(number)
    assert outside.status(number) == "pending"


@falls(
    "18b: after a restored backup nobody is asked again (DESIGN 7.7: voided approvals are asked again in one list)"
)
def test_what_was_approved_in_a_restored_backup_is_asked_again_in_one_list(
    outside: Outside, tmp_path: Path
) -> None:
    for branch in ("cards", "wine"):
        outside.approved(branch)
    backup = outside.back_up(tmp_path / "backup.db")
    for mail in (0, 1):
        outside.choose("take_back", path=outside.link(mail=mail))
    outside.settle()
    outside.mails.clear()
    outside.restore(backup)
    outside.start()
    outside.pass_(minutes=30, step=300)
    assert not outside.is_merged(1)
    assert not outside.is_merged(2)
    (listing,) = (mail for mail in outside.mails if "/decide/" in mail.text)
    assert all(f"Change {name}" in listing.text for name in ("cards", "wine"))


@pytest.mark.parametrize("link", ["decide", "details"])
def test_after_a_restored_backup_links_from_before_it_still_work(
    outside: Outside, tmp_path: Path, link: str
) -> None:
    number = outside.asked("cards")
    path = outside.link() if link == "decide" else outside.details()
    outside.restore(outside.back_up(tmp_path / "backup.db"))
    outside.start()
    assert "Change cards" in outside.world.browser.get(path).text
    assert not outside.is_merged(number)
