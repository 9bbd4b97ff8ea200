"""What `doctor` looks at in GitHub, with the gate's own identity. Reads only.

Called by `doctor`. What is needed is in `needs`, what a lock must hold in `lock`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, partial
from typing import Any

from app.github.answers import Refused
from app.github.api import Api
from app.operator import needs
from app.operator.findings import Finding, failure, looked, ok, warning
from app.operator.lock import Branch, context_of, read_branch
from app.operator.setup import hooks_to
from app.settings import Settings

CLOCK_OFF, CLOCK_FAR_OFF = timedelta(seconds=10), timedelta(seconds=60)
_METHODS = {"merge": "allow_merge_commit", "squash": "allow_squash_merge", "rebase": "allow_rebase_merge"}
_WORDS = {
    "pull_request": "a pull request is not required",
    "non_fast_forward": "forced pushes are allowed",
    "deletion": "it may be deleted",
}


class GitHubChecks:
    """The checks, and what they share: one connection an identity, each thing read once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        key = settings.github_app_private_key
        if settings.github_app_id and key:
            self._app: Api | None = Api.as_app(settings.github_api_url, settings.github_app_id, key)
        else:
            self._app = None
        self.repository = cache(self._repository)
        self.api = cache(self._api)
        self._installation = cache(self._read_installation)

    def all(self) -> Iterator[Finding]:
        """Yield everything; where GitHub does not know us, nothing more can be asked."""
        first = list(looked("GitHub identity", self._identity))
        yield from first
        if any(one.verdict == "failure" and one.check == "GitHub identity" for one in first):
            return
        yield from looked("webhook", self._app_webhook if self._app else self._token_webhooks)
        for name in self.settings.github_repositories:
            yield from looked(f"rights on {name}", partial(self._rights, name))
            yield from looked(f"merge method of {name}", partial(self._method, name))
            for branch in (self.settings.development_branch, self.settings.release_branch):
                if branch:
                    yield from looked(f"lock of {name} {branch}", partial(self._lock, name, branch))

    def _api(self, repository: str) -> Api:
        """Return the way to a repository. Raises GitHubError."""
        if self._app is None:
            return Api.with_token(self.settings.github_api_url, self.settings.github_token or "")
        return self._app.installed(self._installation(repository)["id"])

    def _read_installation(self, repository: str) -> Any:
        found = self._app.get(f"/repos/{repository}/installation") if self._app else None
        if found is None:
            raise Refused(
                f"The App isn't installed on {repository}: run qa-gate setup, it says where.", "missing"
            )
        return found

    def _repository(self, name: str) -> Any:
        return self.api(name).call("GET", f"/repos/{name}").data

    # --- Who we are ------------------------------------------------------------------------------------------

    def _identity(self) -> Iterator[Finding]:
        if self._app:
            answer = self._app.call("GET", "/app")
            yield ok("GitHub identity", f"The App {answer.data['slug']}.")
            if unheard := sorted(set(needs.EVENTS) - set(answer.data.get("events") or ())):
                yield failure(
                    "webhook", f"The App doesn't hear {', '.join(unheard)}: run qa-gate setup, it says where."
                )
        else:
            answer = self._token_api().call("GET", "/user")
            yield ok("GitHub identity", f"The token of {answer.data['login']}.")
        sent = parsedate_to_datetime(str(answer.headers.get("date")))
        off = abs(datetime.now(UTC) - sent)
        if off > CLOCK_OFF:
            verdict = failure if off > CLOCK_FAR_OFF else warning
            yield verdict(
                "clock",
                f"This machine's clock is {off.total_seconds():.0f} s off GitHub's: switch time sync on.",
            )
        else:
            yield ok("clock", "It agrees with GitHub's.")

    def _token_api(self) -> Api:
        return Api.with_token(self.settings.github_api_url, self.settings.github_token or "")

    def _rights(self, name: str) -> Iterator[Finding]:
        check = f"rights on {name}"
        if self._app:
            found = self._installation(name)
            if found.get("suspended_at"):
                yield failure(check, f"The App is suspended there: lift it at {found.get('html_url')}.")
            elif lacking := needs.lacking(found.get("permissions") or {}):
                yield failure(
                    check,
                    f"The App lacks {', '.join(lacking)}: run qa-gate setup, then accept it at {found.get('html_url')}.",
                )
            else:
                yield ok(check, "All that the gate needs.")
        elif not (self.repository(name).get("permissions") or {}).get("push"):
            yield failure(check, "The token may not write there: give it the rights that the README names.")
        else:
            yield warning(check, "A token: its status can be set by whoever may push. A GitHub App's can't.")

    # --- What it is told -------------------------------------------------------------------------------------

    def _app_webhook(self) -> Iterator[Finding]:
        api, wanted = self._app, needs.webhook_of(self.settings.public_url)
        if api is None:
            return
        if api.call("GET", "/app/hook/config").data.get("url", "").rstrip("/") != wanted:
            yield failure("webhook", f"The App's webhook doesn't go to {wanted}: run qa-gate setup.")
            return
        sent = api.call("GET", "/app/hook/deliveries?per_page=50").data
        ours = [one for one in sent if one.get("event") in needs.EVENTS]
        if ours and not 200 <= int(ours[0].get("status_code") or 0) < 300:
            yield failure("webhook", _undelivered(ours[0].get("status_code")))
        else:
            yield ok(
                "webhook", f"{wanted}, {'and the last one came' if ours else 'and nothing was sent yet'}."
            )

    def _token_webhooks(self) -> Iterator[Finding]:
        wanted = needs.webhook_of(self.settings.public_url)
        for name in self.settings.github_repositories:
            try:
                found = list(hooks_to(self.api(name), name, wanted))
            except Refused:
                yield warning(
                    "webhook", f"The token may not read the webhooks of {name}, so they weren't checked."
                )
                continue
            code = (found[0].get("last_response") or {}).get("code") if found else None
            if not found:
                yield failure("webhook", f"{name} has no webhook to {wanted}: run qa-gate setup --token.")
            elif not found[0].get("active") or not _hears_all(found[0]):
                yield failure("webhook", f"That of {name} is off or lacks events: run qa-gate setup --token.")
            elif code is not None and not 200 <= code < 300:
                yield failure("webhook", _undelivered(code))
            else:
                yield ok("webhook", f"{name}: {wanted}.")

    # --- Where it works --------------------------------------------------------------------------------------

    def _lock(self, name: str, branch: str) -> Iterator[Finding]:
        check, app_id = f"lock of {name} {branch}", self.settings.github_app_id
        found = read_branch(self.api(name), name, branch, admin=False)
        if not found.exists:
            yield failure(check, f"There is no branch {branch}: make it, or set its name in the settings.")
            return
        wrong = [*_odd_checks(found, app_id)]
        yield from (failure(check, one) for one in wrong)
        yield from (warning(check, one) for one in found.warnings)
        if missing := found.lock.lacks(context_of(branch), app_id):
            words = [_WORDS[rule] for rule in missing if rule in _WORDS]
            if "required_status_checks" in missing:
                words.append(f"{context_of(branch)} is not required" + (" from the App" if app_id else ""))
            yield failure(check, f"{'; '.join(words)}. Run qa-gate protect {name}.")
        elif not wrong:
            yield ok(check, "Locked.")

    def _method(self, name: str) -> Iterator[Finding]:
        check, about = f"merge method of {name}", self.repository(name)
        wanted = {self.settings.merge_method} | ({"merge"} if self.settings.release_branch else set())
        off = sorted(method for method in wanted if about.get(_METHODS[method]) is False)
        if off:
            yield failure(
                check, f"{' and '.join(off)} is switched off there: allow it in the repository's settings."
            )
        else:
            yield ok(check, f"{self.settings.merge_method} is allowed.")


def repository_id(github: GitHubChecks, name: str, known: int | None) -> Iterator[Finding]:
    """Yield whether the name still means the repository that the gate knows by it."""
    check, found = f"repository {name}", github.repository(name)
    if found.get("archived"):
        yield failure(check, "It's archived, so nothing can be merged there.")
    elif known is not None and found.get("id") != known:
        yield failure(check, f"Another repository has this name now. If that's meant: qa-gate trust {name}.")
    elif str(found.get("full_name", "")).casefold() != name.casefold():
        yield warning(check, f"It's called {found.get('full_name')} now: change GITHUB_REPOSITORIES.")
    else:
        yield ok(check, "It's the one that the gate knows.")


def _hears_all(hook: dict[str, Any]) -> bool:
    heard = set(hook.get("events", ()))
    return "*" in heard or heard >= set(needs.EVENTS)


def _undelivered(code: int | None) -> str:
    return (
        f"GitHub's last webhook was answered {code or 'by nobody'}. See the public address above, then send it again "
        "from GitHub's page of deliveries."
    )


def _odd_checks(branch: Branch, app_id: int | None) -> Iterator[str]:
    context = context_of(branch.name)
    for other in sorted(branch.lock.strangers(context, app_id) if app_id else ()):
        yield f"{context} is required from another App ({other}): nothing can merge until that rule is gone."
    for name, _ in sorted(branch.lock.checks, key=str):
        if name.startswith("qa-gate/") and name != context.casefold():
            yield f"{name} is required, which the gate never sets there: nothing can merge until that rule is gone."
