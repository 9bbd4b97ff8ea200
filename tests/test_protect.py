"""`qa-gate protect`: the lock on the gated branches is made once, whole, and never by loosening what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.cli import cli
from app.operator.protect import protection
from demo.github import PretendGitHub
from demo.github.state import Repo
from tests.world import SHOP, TOKEN, WEBHOOK_SECRET, environment

APP, MINE = 4711, "ghp_my_own_token"
GATE = "qa-gate/development"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
PUBLIC = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@pytest.fixture
def github(tmp_path: Path) -> Iterator[PretendGitHub]:
    made = PretendGitHub(
        tmp_path / "git", token=TOKEN, webhook_secret=WEBHOOK_SECRET, app_id=APP, app_public_key=PUBLIC
    )
    made.start()
    made.create_repository(SHOP)
    made.add_token(MINE, "olga", "administration", "contents")
    yield made
    made.stop()


def protect(github: PretendGitHub, *arguments: str, repository: str = SHOP, **more: str) -> Result:
    """Run the command for a gate that acts as an App."""
    app = {"GITHUB_TOKEN": "", "GITHUB_APP_ID": str(APP), "GITHUB_APP_PRIVATE_KEY": PEM}
    environ = environment(github, "https://gate.example.com", **{**app, "GH_TOKEN": MINE, **more})
    return CliRunner().invoke(cli, ["protect", repository, *arguments], env=environ)


def writes(github: PretendGitHub) -> list[tuple[str, str]]:
    return [(call.method, call.path) for call in github.calls if call.method != "GET"]


def rules_of(repo: Repo, name: str = "qa-gate: development") -> dict[str, Any]:
    (found,) = [one for one in repo.rulesets.values() if one["name"] == name]
    return {rule["type"]: rule.get("parameters") for rule in found["rules"]}


def test_without_yes_it_shows_the_plan_and_changes_nothing(github: PretendGitHub) -> None:
    done = protect(github)
    assert (done.exit_code, writes(github)) == (0, [])
    assert "acme/shop, branch development:" in done.output
    assert f"+ the status {GATE}, from the App {APP} only" in done.output
    assert "run it again with --yes" in done.output


def test_yes_locks_both_branches_and_a_second_run_changes_nothing(github: PretendGitHub) -> None:
    assert protect(github, "--yes").exit_code == 0
    rules = rules_of(github.repo())
    assert rules.keys() == {"pull_request", "non_fast_forward", "deletion", "required_status_checks"}
    (check,) = rules["required_status_checks"]["required_status_checks"]
    assert check == {"context": GATE, "integration_id": APP}
    assert all(one["bypass_actors"] == [] for one in github.repo().rulesets.values())
    assert len(writes(github)) == 2
    github.calls.clear()
    again = protect(github, "--yes")
    assert (again.exit_code, writes(github)) == (0, [])
    assert "Nothing to do." in again.output


def test_what_is_locked_merges_only_with_the_apps_own_success(github: PretendGitHub) -> None:
    protect(github, "--yes")
    github.commit(SHOP, "gift-cards", {"cards.py": "cards\n"}, "Add gift cards")
    number = github.open_pull_request(SHOP, "gift-cards")
    with pytest.raises(Exception, match="Required status check"):
        github.merge_as("kim", number)


def test_only_the_gated_branches_are_locked(github: PretendGitHub) -> None:
    protect(github, "--yes", RELEASE_BRANCH="", DEVELOPMENT_BRANCH="master")
    assert [one["name"] for one in github.repo().rulesets.values()] == ["qa-gate: master"]


def test_what_somebody_added_to_our_ruleset_stays(github: PretendGitHub) -> None:
    protect(github, "--yes")
    (ours,) = [one for one in github.repo().rulesets.values() if one["name"].endswith("development")]
    ours["rules"] = [
        {"type": "required_linear_history"},
        {
            "type": "required_status_checks",
            "parameters": {
                "strict_required_status_checks_policy": True,
                "required_status_checks": [{"context": "build"}],
            },
        },
    ]
    assert protect(github, "--yes").exit_code == 0
    rules = rules_of(github.repo())
    assert rules.keys() >= {"required_linear_history", "pull_request", "non_fast_forward", "deletion"}
    checks = rules["required_status_checks"]
    assert checks["strict_required_status_checks_policy"] is True
    assert [one["context"] for one in checks["required_status_checks"]] == ["build", GATE]
    assert len(github.repo().rulesets) == 2


@pytest.mark.parametrize("state", ["disabled", "evaluate"])
def test_a_ruleset_of_ours_that_was_switched_off_is_switched_on_again(
    github: PretendGitHub, state: str
) -> None:
    protect(github, "--yes")
    for one in github.repo().rulesets.values():
        one["enforcement"] = state
    assert "+ no deletion" in protect(github, "--yes").output
    assert {one["enforcement"] for one in github.repo().rulesets.values()} == {"active"}
    assert len(github.repo().rulesets) == 2


def test_a_check_of_ours_that_anybody_may_set_is_bound_to_the_app(github: PretendGitHub) -> None:
    protect(github, "--yes", GITHUB_TOKEN=TOKEN, GITHUB_APP_ID="", GITHUB_APP_PRIVATE_KEY="")
    assert "integration_id" not in str(rules_of(github.repo()))
    assert protect(github, "--yes").exit_code == 0
    (check,) = rules_of(github.repo())["required_status_checks"]["required_status_checks"]
    assert check["integration_id"] == APP


def test_a_new_app_takes_the_place_of_the_old_one_in_our_ruleset(github: PretendGitHub) -> None:
    protect(github, "--yes")
    github.world.app_id, old = 4712, APP
    github.world.apps[old] = "gone"
    assert protect(github, "--yes", GITHUB_APP_ID="4712").exit_code == 0
    (check,) = rules_of(github.repo())["required_status_checks"]["required_status_checks"]
    assert check["integration_id"] == 4712


def test_the_rules_of_others_are_left_alone_and_another_app_in_them_is_told(github: PretendGitHub) -> None:
    github.world.apps[99] = "other"
    api_of_others = _others_ruleset(github, {"context": GATE, "integration_id": 99})
    before = str(github.repo().rulesets[api_of_others])
    done = protect(github, "--yes")
    assert "is required from another App (99)" in done.output
    assert str(github.repo().rulesets[api_of_others]) == before
    assert rules_of(github.repo()).keys() >= {"required_status_checks"}


def _others_ruleset(github: PretendGitHub, *checks: dict[str, Any], **more: Any) -> int:
    number = 77
    github.repo().rulesets[number] = {
        "id": number,
        "name": "everybody",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": more.get("bypass_actors", []),
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
        "rules": [
            *more.get("rules", []),
            *(
                [
                    {
                        "type": "required_status_checks",
                        "parameters": {
                            "strict_required_status_checks_policy": False,
                            "required_status_checks": list(checks),
                        },
                    }
                ]
                if checks
                else []
            ),
        ],
    }
    return number


REVIEWED = {
    "type": "pull_request",
    "parameters": {
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_approving_review_count": 1,
        "required_review_thread_resolution": False,
    },
}


def test_bypasses_required_reviews_queues_and_deleted_branches_are_told(github: PretendGitHub) -> None:
    actor = {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}
    rules = [REVIEWED, {"type": "merge_queue", "parameters": {}}]
    _others_ruleset(github, bypass_actors=[actor], rules=rules)
    github.repo().delete_branch_on_merge = True
    said = protect(github).output
    assert 'Roles, teams or Apps (1) may bypass the ruleset "everybody"' in said
    assert "requires people's reviews" in said
    assert "merge queue" in said
    assert "deletes head branches" in said


def test_a_quiet_repository_is_warned_of_nothing(github: PretendGitHub) -> None:
    assert "!" not in protect(github).output


def test_with_a_token_it_says_that_the_status_can_be_forged(github: PretendGitHub) -> None:
    done = protect(github, "--yes", GITHUB_TOKEN=TOKEN, GITHUB_APP_ID="", GITHUB_APP_PRIVATE_KEY="")
    assert "whoever may push can set its status by hand" in done.output
    github.calls.clear()
    protect(github, "--yes", GITHUB_TOKEN=TOKEN, GITHUB_APP_ID="", GITHUB_APP_PRIVATE_KEY="")
    assert writes(github) == []


def test_where_the_plan_has_no_lock_it_says_that_the_gate_only_advises(github: PretendGitHub) -> None:
    github.repo().private = github.repo().free_plan = True
    done = protect(github, "--yes")
    assert (done.exit_code, writes(github)) == (1, [])
    assert "the gate only advises" in done.output
    assert "GH_TOKEN" not in done.output


def test_without_a_token_of_the_operators_it_says_what_to_set(github: PretendGitHub) -> None:
    done = protect(github, GH_TOKEN="")
    assert (done.exit_code, github.calls) == (2, [])
    assert "GH_TOKEN" in done.output


def test_a_token_that_may_not_administer_is_told_and_never_shown(github: PretendGitHub) -> None:
    github.add_token("ghp_weak", "kim", "contents")
    done = protect(github, "--yes", GH_TOKEN="ghp_weak")
    needed = "Has GH_TOKEN Administration: read and write on acme/shop?"
    assert (done.exit_code, done.output.endswith(f"{needed}\n")) == (1, True)
    assert "ghp_weak" not in done.output
    assert github.repo().rulesets == {}


def test_a_token_that_github_does_not_know_is_named(github: PretendGitHub) -> None:
    done = protect(github, "--yes", GH_TOKEN="wrong")
    assert (done.exit_code, "does not accept GH_TOKEN" in done.output, "the gate" in done.output) == (
        1,
        True,
        False,
    )


def test_when_github_fails_halfway_a_second_run_goes_on(github: PretendGitHub) -> None:
    protect(github, "--yes", RELEASE_BRANCH="")
    (ours,) = github.repo().rulesets.values()
    ours["rules"] = []
    github.fail("POST", "/rulesets$", 500)
    done = protect(github, "--yes")
    assert (done.exit_code, "Done" in done.output, "GH_TOKEN" in done.output) == (1, False, False)
    github.front.failures.clear()
    assert protect(github, "--yes").output.endswith("Done.\n")
    assert len(github.repo().rulesets) == 2


# --- Branches that are not there ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting,to", [("DEVELOPMENT_BRANCH", ""), ("RELEASE_BRANCH", " (empty for no release gate)")]
)
def test_a_branch_that_is_not_there_is_left_out_and_the_setting_named(
    github: PretendGitHub, setting: str, to: str
) -> None:
    done = protect(github, "--yes", **{setting: "trunk"})
    where = "in .env with Docker, data/settings.env without."
    said = f"! acme/shop has no branch trunk: make it, or change {setting}{to}, {where}\n"
    assert (done.output.endswith(said), "Done" in done.output) == (True, False)
    assert (done.exit_code, len(github.repo().rulesets)) == (1, 1)


def test_a_repository_that_the_gate_does_not_guard_is_refused(github: PretendGitHub) -> None:
    done = protect(github, GITHUB_REPOSITORIES="acme/till")
    assert (done.exit_code, github.calls) == (2, [])
    assert "isn't in GITHUB_REPOSITORIES" in done.output


# --- Where there are no rulesets ------------------------------------------------------------------------------


def test_an_older_enterprise_server_gets_branch_protection(github: PretendGitHub) -> None:
    github.world.has_rulesets = False
    assert protect(github, "--yes").exit_code == 0
    made = github.repo().protections["development"]
    assert (made.checks, made.pull_request, made.enforce_admins) == ({GATE: APP}, True, True)
    assert (made.force_pushes, made.deletions) == (False, False)
    github.calls.clear()
    assert "Nothing to do." in protect(github, "--yes").output
    assert writes(github) == []


def test_branch_protection_that_is_there_is_added_to_and_never_loosened(github: PretendGitHub) -> None:
    github.world.has_rulesets = False
    github.protect(SHOP, "development", ["build"], strict=True, approvals=2, app_id=APP)
    old = github.repo().protections["development"]
    old.restrictions = {"users": ["kim"], "teams": ["core"], "apps": []}
    old.bypass = {"users": ["sam"], "teams": [], "apps": ["bot"]}
    old.force_pushes = True
    done = protect(github, "--yes")
    assert "Administrators may go around" in done.output
    made = github.repo().protections["development"]
    assert made.checks == {"build": APP, GATE: APP}
    assert (made.strict, made.approvals, made.enforce_admins, made.force_pushes) == (True, 2, False, False)
    assert made.restrictions == {"users": ["kim"], "teams": ["core"], "apps": []}
    assert made.bypass == {"users": ["sam"], "teams": [], "apps": ["bot"]}


def test_every_switch_of_branch_protection_that_is_on_stays_on() -> None:
    on = {"enabled": True}
    switches = (
        "required_linear_history block_creations required_conversation_resolution lock_branch "
        "allow_fork_syncing enforce_admins"
    ).split()
    body = protection(dict.fromkeys([*switches, "allow_deletions"], on), GATE, APP)
    assert all(body[name] is True for name in switches)
    assert body["allow_deletions"] is False


def test_a_check_that_anybody_may_set_stays_so_in_branch_protection() -> None:
    checks = [{"context": "build", "app_id": None}]
    body = protection({"required_status_checks": {"strict": False, "checks": checks}}, GATE, None)
    assert body["required_status_checks"]["checks"] == [
        {"context": "build", "app_id": -1},
        {"context": GATE, "app_id": -1},
    ]
