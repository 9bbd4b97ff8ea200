"""Where a change can be tried: told by GitHub, read from GitHub, of just the commit that she was asked about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.events import DeploymentEvent
from app.github.client import GitHub
from app.github.commits import DEPLOYMENTS, STATUSES, is_followable, read_deployments, read_try_url
from app.github.webhooks import parse
from tests.builders import HEAD, OLD_HEAD
from tests.world import SHOP, TOKEN, World

PAYLOAD = Path(__file__).parent / "payloads" / "deployment_status.created.json"
URL = "https://gift-cards.preview.example.com/start"


def reads(world: World) -> list[str]:
    return [call.path for call in world.github.calls if "/deployments" in call.path]


def seen_before(world: World) -> None:
    """Some other commit of the repository was deployed once."""
    sha = world.commit("other")
    world.github.open_pull_request(SHOP, "other")
    world.settle()
    world.github.add_deployment(SHOP, sha, "preview", "https://other.preview.example.com")
    world.settle()
    assert world.store.inbox.told_at("deployment", world.row().repository_id)


# --- What GitHub tells --------------------------------------------------------------------------------------


def test_a_real_payload_names_the_commit() -> None:
    payload = json.loads(PAYLOAD.read_text())
    told = parse("deployment_status", "application/json", PAYLOAD.read_bytes())
    sha = payload["deployment"]["sha"]
    known = payload["repository"]["id"]
    assert told == DeploymentEvent(repository_id=known, repository="Codertocat/Hello-World", sha=sha)
    assert told.name == f"Codertocat/Hello-World@{sha[:7]}"


# --- What is read -------------------------------------------------------------------------------------------


def said(number: int, state: str = "success", url: str | None = URL) -> dict[str, Any]:
    return {"id": number, "state": state, "environment_url": url}


def test_only_deployments_of_just_this_commit_count_the_newest_first() -> None:
    listed = [{"id": 4, "sha": HEAD}, {"id": 9, "sha": OLD_HEAD}, {"id": 7, "sha": HEAD}]
    assert read_deployments(DEPLOYMENTS.validate_python(listed), HEAD) == [7, 4]
    with pytest.raises(ValidationError):
        DEPLOYMENTS.validate_python([{"id": 4}])


def test_the_latest_status_decides() -> None:
    assert read_try_url(STATUSES.validate_python([said(2), said(1, "in_progress")])) == URL
    assert read_try_url(STATUSES.validate_python([said(1), said(2, "inactive")])) is None
    assert read_try_url(STATUSES.validate_python([said(1, url=None)])) is None
    assert read_try_url(STATUSES.validate_python([])) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example.com",
        "javascript:alert(1)",
        "//a.example.com",
        "https://",
        "https://shop.example.com@evil.example",
        "https://a.example.com/ x",
        "https://a.example.com/\nX",
        "https://а.example.com",
        "https://a.example.com\\@evil.example",
        "https://a.example.com:x/",
        "https://[::1/",
        "HTTPS://",
        "https://a.example.com/" + "x" * 2000,
    ],
)
def test_an_address_that_is_not_plain_https_is_as_none(url: str) -> None:
    assert not is_followable(url)
    assert read_try_url(STATUSES.validate_python([said(1, url=url)])) is None


def test_it_is_two_calls_and_at_most_four(world: World) -> None:
    number = world.open()
    sha = world.github.pull(number).head_sha
    github = GitHub(world.github.url, token=TOKEN)
    assert (github.try_url(SHOP, sha), len(reads(world))) == (None, 1)
    world.github.add_deployment(SHOP, sha, "preview", URL)
    assert (github.try_url(SHOP, sha), len(reads(world))) == (URL, 3)
    for _ in range(5):
        world.github.add_deployment(SHOP, sha, "broken", "", "failure")
    assert (github.try_url(SHOP, sha), len(reads(world))) == (None, 7)


# --- What Lily sees -----------------------------------------------------------------------------------------


def test_deployed_before_the_question_it_is_in_mail_and_page_with_its_host(world: World) -> None:
    seen_before(world)
    read = len(reads(world))
    sha = world.commit("gift-cards")
    world.github.add_deployment(SHOP, sha, "preview", URL)
    number = world.github.open_pull_request(SHOP, "gift-cards")
    world.settle()
    assert world.row(number).facts.try_url == URL
    mail = world.inbox.mails[-1]
    assert f"Try it:\n{URL}" in mail.text
    for html in (mail.html, world.see()):
        assert f'href="{URL}"' in html
        assert ">gift-cards.preview.example.com</span>" in html
    assert len(reads(world)) == read + 2


def test_deployed_after_the_mail_it_is_on_the_page(world_on_both: World) -> None:
    world = world_on_both
    number = world.open()
    world.settle()
    assert URL not in world.see()
    world.github.add_deployment(SHOP, world.github.pull(number).head_sha, "preview", URL)
    world.settle()
    assert URL in world.see()
    assert (len(reads(world)), len(world.inbox.mails)) == (2, 1)
    world.settle()
    assert len(reads(world)) == 2


def test_one_that_is_taken_down_is_not_offered_any_more(world: World) -> None:
    number = world.open()
    world.settle()
    made = world.github.add_deployment(SHOP, world.github.pull(number).head_sha, "preview", URL)
    world.settle()
    world.github.set_deployment_status(SHOP, made, "inactive", URL)
    world.settle()
    assert URL not in world.see()


def test_a_payload_is_not_believed(world: World) -> None:
    number = world.open()
    world.settle()
    payload = json.loads(PAYLOAD.read_text())
    payload["repository"] |= {"id": world.row().repository_id, "full_name": SHOP}
    payload["deployment"]["sha"] = world.github.pull(number).head_sha
    payload["deployment_status"] |= {"state": "success", "environment_url": "https://evil.example"}
    assert world.post_webhook("deployment_status", payload).json == {"outcome": "recorded"}
    world.settle()
    assert world.row().facts.try_url is None
    assert "evil.example" not in world.see()


def test_a_push_drops_it_until_the_new_head_is_deployed(world: World) -> None:
    number = world.open()
    world.settle()
    world.github.add_deployment(SHOP, world.github.pull(number).head_sha, "preview", URL)
    world.settle()
    sha = world.commit("gift-cards", "Round the total", cards_py="rounded\n")
    world.settle()
    assert world.row().facts.try_url is None
    world.pass_(minutes=10)
    assert URL not in world.inbox.mails[-1].html
    world.github.add_deployment(SHOP, sha, "preview", f"{URL}/2")
    world.settle()
    assert f"{URL}/2" in world.see()


def test_without_the_right_to_read_there_is_no_link_and_no_trouble(world: World) -> None:
    world.github.rights.discard("deployments")
    number = world.open()
    world.settle()
    world.github.add_deployment(SHOP, world.github.pull(number).head_sha, "preview", URL)
    world.settle()
    assert (world.row().facts.try_url, world.problem()) == (None, None)
    assert world.see().count("Take the branch") == 1


def test_github_being_away_is_tried_again(world: World) -> None:
    number = world.open()
    world.settle()
    world.github.fail("GET", r"/deployments$", 502)
    world.github.add_deployment(SHOP, world.github.pull(number).head_sha, "preview", URL)
    world.settle()
    assert world.row().facts.try_url is None
    world.pass_(minutes=1)
    assert world.row().facts.try_url == URL


def test_with_a_preview_url_deployments_are_never_read(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "git", sqlite_url, monkeypatch, PREVIEW_URL="https://pr-{number}.example.com")
    number = world.open()
    world.settle()
    world.github.add_deployment(SHOP, world.github.pull(number).head_sha, "preview", URL)
    world.settle()
    assert "https://pr-1.example.com" in world.see()
    assert reads(world) == []
    world.stop()


def test_told_while_a_worker_reads_it_is_read_once_more(world: World) -> None:
    number = world.open()
    world.settle()
    sha = world.github.pull(number).head_sha
    first = world.github.add_deployment(SHOP, sha, "preview", URL)

    def replaced(method: str, path: str, phase: str) -> None:
        if path.endswith("/statuses") and phase == "after" and len(reads(world)) == 2:
            world.github.on_call = None
            world.github.set_deployment_status(SHOP, first, "inactive", URL)
            world.github.settle()

    world.github.on_call = replaced
    world.settle()
    assert world.row().facts.try_url is None
