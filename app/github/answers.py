"""What GitHub's answers mean: the errors, and the one mapping to them by status, headers and GitHub's own words.

`api` maps everything here; `jobs` decides by class and `kind`, never by words. A `reason` is a sentence
of ours to show to people; GitHub's message may be quoted in it, an exception's text or an address never.

    GitHubError   something went wrong with GitHub
      Refused     a definite no: somebody must act
        Unauthorized  it does not know who asks
        NoPlan        what the account pays for has no rules for branches
      TryAgain    nothing is known, or a passing state; `after` is how long to wait, None: as the caller likes
        NoAnswer  GitHub did not answer, or is in trouble itself
        PutOff    GitHub did nothing, and says that it may soon
        Limited   too many calls: none may be made before `after` is over
      Moved       the head is not the commit that was named
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import jwt
import requests
from github import GithubException, IncompletableObject
from pydantic import ValidationError

from app import Explained
from app.domain.blocked import Why
from app.github.models import fault_of, one_line

# Why a change does not go on because of it, REFUSED where GitHub's words do not tell; else what was wrong with a call.
ErrorKind = Why | Literal["renamed", "invalid"]

# A state that passes by itself in seconds.
PASSES_AFTER = timedelta(seconds=5)
# A secondary limit without a header: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
SLOW_DOWN = timedelta(seconds=60)
# GitHub's limits are by the hour; nothing longer can be meant.
LONGEST_LIMIT = timedelta(hours=1)
LONGEST_QUOTE = 200
ODD_ANSWER = "GitHub did not answer in a form that QA gate understands."

ADVISES = (
    "This plan has no rulesets and no branch protection for this repository, so the gate only advises: "
    "whoever may push can merge without QA. A paid plan or a public repository lifts that."
)

_LIMIT = re.compile(r"rate limit|abuse detection|request again later|wait a few minutes", re.I)
_SECRET = re.compile(r"gh[a-z]_\w|github_pat_|://[^/\s]*@|bearer\s|token=", re.I)
_NAMED = re.compile(r'"([^"]+)"')
_RIGHTS = re.compile(r"[a-z_]+=[a-z]+(?:[,;] ?[a-z_]+=[a-z]+)*")

# What GitHub's words mean, the first that fits. They are not documented: these were seen in the wild.
_WORDS: tuple[tuple[str, ErrorKind], ...] = (
    (r"base branch was modified|merge already in progress", Why.BUSY),
    (r"head branch was modified|expected.head.sha", Why.MOVED),
    (r"archived", Why.ARCHIVED),
    (r"without `?workflows?`? permission|not authorized|not accessible", Why.RIGHTS),
    (r"merge conflict", Why.CONFLICT),
)
# The same for a refused merge only.
_MERGE_WORDS: tuple[tuple[str, ErrorKind], ...] = (
    (r"status check.*(failing|failed)", Why.CHECKS_RED),
    (r"status check.*(pending|in progress|queued)", Why.CHECKS_RUNNING),
    # Never seen; ours, too, right after it was said.
    (r"status check", Why.CHECK_MISSING),
    (r"(merge commits|merges|merging) (are|is) not allowed|can.t be rebased|merge method", Why.METHOD_OFF),
    (r"out.of.date|not up.to.date|behind the base", Why.BEHIND),
    (r"queue", Why.QUEUE_REQUIRED),
    (r"review|approv", Why.REVIEW_REQUIRED),
)
_DEFAULTS: dict[int, ErrorKind] = {405: Why.REFUSED, 409: Why.MOVED, 422: "invalid"}


class GitHubError(Explained):
    """Something went wrong with GitHub; `reason` is fit to show."""


class Refused(GitHubError):
    """GitHub said no, and will until somebody acts. `names` are the checks that it named, in quotation marks."""

    def __init__(self, reason: str, kind: ErrorKind, names: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.kind: ErrorKind = kind
        self.names = names


class Unauthorized(Refused):
    """GitHub does not know the token or the App, whatever it is asked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Why.RIGHTS)


class NoPlan(Refused):
    """The account's plan has no rulesets and no branch protection, so nothing can be locked."""

    def __init__(self) -> None:
        super().__init__(ADVISES, Why.RIGHTS)


class TryAgain(GitHubError):
    """Nothing is known, or it will pass."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Limited(TryAgain):
    """GitHub takes no call of this token or installation before `after` is over."""

    def __init__(self, after: timedelta) -> None:
        super().__init__("GitHub asks the gate to slow down.", after)


class NoAnswer(TryAgain):
    """GitHub gave no answer, or only that it is in trouble itself."""


class PutOff(TryAgain):
    """GitHub did nothing, and says that it may soon."""


class Moved(GitHubError):
    """The head is another commit by now."""


def meaning_of(error: BaseException, now: datetime) -> GitHubError:
    """Return what a failure of GitHub's means; `now` serves where the answer has no Date of its own."""
    match error:
        case IncompletableObject():  # PyGithub's own, with a made-up status
            return TryAgain(ODD_ANSWER)
        case GithubException():
            return _by_status(error, now)
        case requests.exceptions.InvalidHeader() | UnicodeEncodeError():
            return Unauthorized("GITHUB_TOKEN holds characters that no token has.")
        case jwt.PyJWTError():
            return Unauthorized("GITHUB_APP_PRIVATE_KEY is not the private key that GitHub made.")
        case requests.Timeout():
            return NoAnswer("GitHub did not answer in time.")
        case OSError():  # requests' errors are such
            return NoAnswer("GitHub did not answer: the connection failed.")
        case ValidationError():
            return TryAgain(f"GitHub did not answer as it should: {fault_of(error)}.")
        case _:
            return TryAgain(ODD_ANSWER)


def quotable(data: Any) -> str:
    """Return GitHub's message in quotation marks, with its details; "" where it has none that may be shown."""
    words = one_line(_message(data))
    if not words or _SECRET.search(words):
        return ""
    return f'"{words if len(words) <= LONGEST_QUOTE else words[: LONGEST_QUOTE - 1] + "…"}"'


def _by_status(error: GithubException, now: datetime) -> GitHubError:
    status, headers, words = error.status, error.headers or {}, quotable(error.data)
    if status in (403, 429) and (status == 429 or _is_limit(headers, words)):
        return Limited(_wait(headers, now) or SLOW_DOWN)
    match status:
        case 401:
            return Unauthorized(_say("GitHub does not accept the gate's token or app key", words))
        # "Upgrade to GitHub Pro or make this repository public to enable this feature.": of that it says nothing else.
        case 403 if words.startswith('"Upgrade to GitHub'):
            return NoPlan()
        case 403 if "archived" in words:
            return Refused(_say("GitHub does not let the gate do this", words), Why.ARCHIVED)
        case 403:
            return Refused(_say("GitHub does not let the gate do this", words) + _needs(headers), Why.RIGHTS)
        case 404 | 410:
            return Refused("It is gone or renamed at GitHub, or the gate has no access to it.", Why.GONE)
        case 405 | 409 | 422:
            return _by_words(status, words)
        case _ if 400 <= status < 500 and status != 408:
            return Refused(_say("GitHub does not accept this", words), Why.REFUSED)
        case _ if 300 <= status < 400:
            return TryAgain("GitHub did not answer but redirected: the repository was renamed or moved.")
        case _:
            return NoAnswer(f"GitHub did not answer properly: error {status}.", _wait(headers, now))


def _by_words(status: int, words: str) -> GitHubError:
    table = _WORDS + _MERGE_WORDS if status == 405 else _WORDS
    fits = (kind for pattern, kind in table if re.search(pattern, words, re.IGNORECASE))
    kind = next(fits, _DEFAULTS[status])
    if kind is Why.BUSY:
        return PutOff(_say("GitHub puts it off for a moment", words), PASSES_AFTER)
    if kind is Why.MOVED:
        return Moved("The code changed in the meantime.")
    names = tuple(_NAMED.findall(words[1:-1])) if kind.startswith("check") else ()
    return Refused(_say("GitHub refused it", words), kind, names)


def _say(sentence: str, words: str) -> str:
    stop = "" if words.endswith(('."', '!"', '?"', '…"')) else "."
    return f"{sentence}: {words}{stop}" if words else f"{sentence}."


def _needs(headers: Mapping[str, Any]) -> str:
    # https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#insufficient-permissions
    rights = str(headers.get("x-accepted-github-permissions", ""))
    return f" It needs {rights}." if len(rights) <= LONGEST_QUOTE and _RIGHTS.fullmatch(rights) else ""


def _is_limit(headers: Mapping[str, Any], words: str) -> bool:
    exhausted = str(headers.get("x-ratelimit-remaining", "")) == "0"
    return "retry-after" in headers or exhausted or bool(_LIMIT.search(words))


def _wait(headers: Mapping[str, Any], now: datetime) -> timedelta | None:
    """Return how long GitHub asks us to wait, None where it says nothing; its clock counts, not ours."""
    seconds = _number(headers.get("retry-after"))
    reset = _number(headers.get("x-ratelimit-reset"))
    if seconds is None and reset is not None and str(headers.get("x-ratelimit-remaining")) == "0":
        seconds = reset - sent_at(headers, now).timestamp() + 1
    return None if seconds is None else timedelta(seconds=min(max(seconds, 1), LONGEST_LIMIT.total_seconds()))


def sent_at(headers: Mapping[str, Any], now: datetime) -> datetime:
    """Return when an answer was sent by its own Date, or `now` where it has none."""
    try:
        sent = parsedate_to_datetime(str(headers.get("date", "")))
    except ValueError:
        return now
    return sent if sent.tzinfo else sent.replace(tzinfo=UTC)


def _number(value: Any) -> float | None:
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value) else None


def _message(data: Any) -> str:
    """Return GitHub's message; for a validation error what is in `errors` says more than the message."""
    if not isinstance(data, dict):
        return ""
    errors, message = data.get("errors"), data.get("message")
    details = errors if isinstance(errors, list) else [errors]
    said = [item.get("message") if isinstance(item, dict) else item for item in details]
    texts = [item for item in said if isinstance(item, str)]
    return "; ".join(texts) or (message if isinstance(message, str) else "")
