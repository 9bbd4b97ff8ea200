"""What the gate needs of GitHub, and what `doctor` finds there with the gate's own identity. Reads only.

`setup` asks for exactly this. What must be locked is in `protect`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

from app.domain.blocked import Why
from app.github.answers import Refused, sent_at
from app.github.api import Api
from app.operator.protect import no_branch, read_branch
from app.settings import Settings

# https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
PERMISSIONS = {
    "checks": "read",  # WAIT_FOR_CHECKS, and why a merge is held
    "contents": "write",  # read changes, merge, update branches
    "deployments": "read",  # Try it
    "issues": "write",  # comments, and their events
    "metadata": "read",  # every App has it
    "pull_requests": "write",  # read, review, open the release
    "statuses": "write",  # the lock
    "workflows": "write",  # merge what changes .github/workflows
}
# The same of a fine-grained token, as GitHub's page calls it; metadata comes by itself, checks are for Apps only.
TOKEN_RIGHTS = (
    "Read and write: Contents, Issues, Pull requests, Commit statuses, Webhooks, Workflows. Read: Deployments"
)
# https://docs.github.com/en/webhooks/webhook-events-and-payloads
EVENTS = (
    "check_run check_suite deployment_status issue_comment pull_request pull_request_review "
    "pull_request_review_comment push status"
).split()
CLOCK_OFF, CLOCK_FAR_OFF = timedelta(seconds=10), timedelta(seconds=60)
_METHODS = {"merge": "allow_merge_commit", "squash": "allow_squash_merge", "rebase": "allow_rebase_merge"}

Findings = Iterator[tuple[str, str]]  # verdicts, and what to do; nothing where all is well
Check = tuple[str, str, Callable[[], Findings]]  # its name, what is said where all is well, and how to look


def app_of(settings: Settings) -> Api:
    """Act as the App itself, where there is one. Raises Refused for a bad key."""
    key = settings.github_app_private_key or ""
    return Api.as_app(settings.github_api_url, settings.github_app_id or 0, key)


def lacking_permissions(about: Mapping[str, Any]) -> str:
    """Return what an App or installation lacks, as "contents=write, checks=read"; "" for nothing."""
    levels, there = ("", "read", "write", "admin"), about.get("permissions") or {}
    return ", ".join(
        f"{name}={level}"
        for name, level in PERMISSIONS.items()
        if there.get(name) not in levels[levels.index(level) :]
    )


def unheard_events(about: Mapping[str, Any]) -> str:
    """Return the events that an App or webhook does not hear; "" for none."""
    heard = set(about.get("events") or ())
    return "" if "*" in heard else ", ".join(sorted(set(EVENTS) - heard))


def webhook_of(public_url: str) -> str:
    """Return where GitHub sends webhooks."""
    return f"{public_url}/webhook"


def hooks_to(api: Api, repository: str, url: str) -> list[dict[str, Any]]:
    """Return the repository's webhooks that go to this address."""
    return [hook for hook in api.all(f"/repos/{repository}/hooks") if hook["config"].get("url") == url]


class GitHubSide:
    """The checks, and what they share: one connection an identity, each thing read once.

    `id_of` tells by which id the gate knows a repository.
    """

    def __init__(self, settings: Settings, id_of: Callable[[str], int | None] | None = None) -> None:
        self._settings, self._id_of = settings, id_of
        self._app = app_of(settings) if settings.github_app_id else None
        self._own = self._app or Api.with_token(settings.github_api_url, settings.github_token or "")
        self._webhook_url = webhook_of(settings.public_url)
        self._about_us = cache(lambda: self._own.call("GET", "/app" if self._app else "/user"))
        self._installation = cache(self._read_installation)
        self._repository = cache(lambda name: self._api(name).call("GET", f"/repos/{name}").data)
        self._is_known = False

    def checks(self) -> Iterator[Check]:
        """Yield each check, to be made at once: where GitHub does not know us, it is the only one."""
        yield "GitHub identity", "", self._identity
        if not self._is_known:
            return
        yield "clock", "It agrees with GitHub's.", self._clock
        yield "webhook", "", self._app_webhook if self._app else self._token_webhooks
        rights, method = self._app_rights if self._app else self._token_rights, self._settings.merge_method
        for name in self._settings.github_repositories:
            yield f"repository {name}", "It's the one that the gate knows.", partial(self._is_ours, name)
            yield f"rights on {name}", "All that the gate needs.", partial(rights, name)
            yield f"merge method of {name}", f"{method} is allowed.", partial(self._methods, name)
            for branch in self._settings.branches:
                yield f"lock of {name} {branch}", "Locked.", partial(self._lock, name, branch)

    def _api(self, repository: str) -> Api:
        return self._app.installed(self._installation(repository)["id"]) if self._app else self._own

    def _read_installation(self, repository: str) -> Any:
        found = self._own.get(f"/repos/{repository}/installation")
        if found is None:
            raise Refused(f"The App isn't installed on {repository}: run qa-gate setup.", Why.RIGHTS)
        return found

    def _identity(self) -> Findings:
        about = self._about_us().data
        self._is_known = True
        yield "ok", f"The App {about['slug']}." if self._app else f"The token of {about['login']}."

    def _clock(self) -> Findings:
        now = datetime.now(UTC)
        off = abs(now - sent_at(self._about_us().headers, now))
        if off > CLOCK_OFF:
            says = f"This machine's clock is {off.total_seconds():.0f} s off GitHub's: switch time sync on."
            yield "failure" if off > CLOCK_FAR_OFF else "warning", says

    def _app_webhook(self) -> Findings:
        if unheard := unheard_events(self._about_us().data):
            yield "failure", f"The App doesn't hear {unheard}: run qa-gate setup, it says where."
        if self._own.call("GET", "/app/hook/config").data.get("url", "").rstrip("/") != self._webhook_url:
            yield "failure", f"The App's webhook doesn't go to {self._webhook_url}: run qa-gate setup."
            return
        sent = self._own.call("GET", "/app/hook/deliveries?per_page=50").data
        codes = [int(one.get("status_code") or 0) for one in sent if one.get("event") in EVENTS]
        last = "the last one came" if codes else "nothing was sent yet"
        yield _delivered(codes[0] if codes else None, f"{self._webhook_url}, and {last}.")

    def _token_webhooks(self) -> Findings:
        for name in self._settings.github_repositories:
            try:
                found = hooks_to(self._own, name, self._webhook_url)
            except Refused:
                yield "warning", f"The token may not read the webhooks of {name}, so they weren't checked."
                continue
            if not found:
                yield "failure", f"{name} has no webhook to {self._webhook_url}: run qa-gate setup --token."
            elif not found[0].get("active") or unheard_events(found[0]):
                yield "failure", f"That of {name} is off or lacks events: run qa-gate setup --token."
            else:
                code = (found[0].get("last_response") or {}).get("code")
                yield _delivered(code, f"{name}: {self._webhook_url}.")

    def _is_ours(self, name: str) -> Findings:
        found, known = self._repository(name), self._id_of(name) if self._id_of else None
        if found.get("archived"):
            yield "failure", "It's archived: unarchive it, or take it out of GITHUB_REPOSITORIES."
        elif known not in (None, found.get("id")):
            yield "failure", f"Another repository has this name now. If that's meant: qa-gate trust {name}."

    def _app_rights(self, name: str) -> Findings:
        found = self._installation(name)
        at = found.get("html_url")
        if found.get("suspended_at"):
            yield "failure", f"The App is suspended there: lift it at {at}."
        elif lacking := lacking_permissions(found):
            yield "failure", f"The App lacks {lacking}: run qa-gate setup, then accept it at {at}."

    def _token_rights(self, name: str) -> Findings:
        if (self._repository(name).get("permissions") or {}).get("push"):
            yield "warning", "A token: its status can be set by whoever may push. A GitHub App's can't."
        else:
            yield "failure", f"The token may not write there: give it {TOKEN_RIGHTS}."

    def _methods(self, name: str) -> Findings:
        wanted = {self._settings.merge_method, *(["merge"] if self._settings.release_branch else [])}
        about = self._repository(name)
        if off := sorted(method for method in wanted if about.get(_METHODS[method]) is False):
            allow = "allow it in the repository's settings."
            yield "failure", f"{' and '.join(off)} is switched off there: {allow}"

    def _lock(self, name: str, branch: str) -> Findings:
        app_id = self._settings.github_app_id
        found = read_branch(self._api(name), name, branch, admin=False)
        if found is None:
            yield "failure", no_branch(self._settings, name, branch)
            return
        yield from (("failure", one) for one in found.blocking(app_id))
        if missing := found.missing(app_id):
            yield "failure", f"It lacks {', '.join(missing)}: run qa-gate protect {name}."
        yield from (("warning", one) for one in found.warnings())


def _delivered(code: int | None, well: str) -> tuple[str, str]:
    """Tell how the last webhook was answered, None: none was sent."""
    if code is None or 200 <= code < 300:
        return "ok", well
    to_do = "See the public address above, then send it again from GitHub's page of deliveries."
    return "failure", f"GitHub's last webhook was answered {code or 'by nobody'}. {to_do}"
