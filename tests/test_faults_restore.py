"""A restored backup, or a new database under the same key: links never gain power, and no approval comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outside import MakeOutside, Outside, given


def restored_with_another(outside: Outside, folder: Path) -> None:
    """Ask about #1, go back to a backup from before it, and ask about #2 in its place."""
    outside.start()
    backup = outside.back_up(folder / "backup.db")
    outside.asked("cards")
    outside.details(1)
    outside.restore(backup)
    outside.asked("wine")


def test_a_link_from_the_lost_hours_approves_no_other_pull_request(outside: Outside, tmp_path: Path) -> None:
    restored_with_another(outside, tmp_path)
    outside.choose(path=outside.link(mail=0))
    outside.settle()
    assert not outside.is_merged(2)
    assert outside.status(2) == "pending"


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


def test_a_link_of_an_earlier_database_under_the_same_key_decides_nothing(make_outside: MakeOutside) -> None:
    old = make_outside()
    old.asked("cards")
    new = make_outside()
    new.asked("wine")
    new.choose(path=old.link())
    new.settle()
    assert not new.is_merged(1)
    assert new.status(1) == "pending"


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


def test_what_was_approved_in_a_restored_backup_is_asked_again_in_one_list(
    outside: Outside, tmp_path: Path
) -> None:
    links = []
    for branch in ("cards", "wine"):
        outside.asked(branch)
        links.append(outside.link())
    for link in links:
        given(outside.choose(path=link) < 400, "not approved")
    backup = outside.back_up(tmp_path / "backup.db")
    for link in links:
        outside.choose("take_back", path=link)
    outside.settle()
    given(not outside.is_merged(1) and not outside.is_merged(2), "merged though it was withdrawn")
    outside.mails.clear()
    outside.restore(backup)
    outside.start()
    outside.pass_(minutes=30, step=300)
    assert not outside.is_merged(1)
    assert not outside.is_merged(2)
    listing = [mail.text for mail in outside.mails if "/decide/" in mail.text]
    assert len(listing) == 1
    assert all(f"Change {name}" in listing[0] for name in ("cards", "wine"))


def test_a_merge_of_the_lost_hours_is_no_merge_around_the_gate(outside: Outside, tmp_path: Path) -> None:
    number = outside.asked("cards")
    backup = outside.back_up(tmp_path / "backup.db")
    outside.choose()
    outside.settle()
    given(outside.is_merged(number), "not merged")
    outside.mails.clear()
    outside.restore(backup)
    outside.start()
    outside.pass_(minutes=10, step=120)
    assert [mail.subject for mail in outside.mails if "Change cards" in mail.subject] == []


def test_after_a_restored_backup_the_statuses_of_open_heads_are_written_again(
    outside: Outside, tmp_path: Path
) -> None:
    number = outside.asked("cards")
    backup = outside.back_up(tmp_path / "backup.db")
    outside.choose("reject", "The total is wrong.")
    outside.settle()
    given(outside.status(number) == "failure", "not rejected")
    outside.restore(backup)
    outside.start()
    outside.pass_(minutes=5, step=60)
    assert outside.status(number) == "pending"


def test_a_restored_backup_ends_every_session(outside: Outside, tmp_path: Path) -> None:
    outside.start()
    lily = outside.sign_in()
    given(lily.get("/").status_code == 200, "not signed in")
    outside.restore(outside.back_up(tmp_path / "backup.db"))
    lily.application = outside.world.browser.application
    assert lily.get("/").status_code != 200


def test_a_sign_in_link_that_was_used_after_the_backup_stays_used(outside: Outside, tmp_path: Path) -> None:
    outside.start()
    link = outside.sign_in_link()
    backup = outside.back_up(tmp_path / "backup.db")
    given(outside.browser().post(link).status_code == 303, "the link does not work")
    outside.restore(backup)
    assert outside.browser().post(link).status_code != 303


def test_a_restored_backup_is_told_to_reviewers_and_operator(
    make_outside: MakeOutside, tmp_path: Path
) -> None:
    outside = make_outside(OPERATOR="olga@example.com")
    outside.start()
    outside.restore(outside.back_up(tmp_path / "backup.db"))
    outside.start()
    outside.pass_(minutes=5, step=60)
    assert sorted(mail.address for mail in outside.mails) == ["lily@example.com", "olga@example.com"]


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
