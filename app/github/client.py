"""The few calls to GitHub, through PyGithub. Only the worker's steps and the operator's commands make them.

Each method makes as many calls as its first line says and sends none of them twice: what failed is for the row
to try again. Whatever goes wrong is raised as one of `answers`' errors. It never sleeps, and no answer but a
definite one counts as success: a redirect or an empty answer to a write raises nothing in PyGithub.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain, count, takewhile
from typing import Literal
from urllib.parse import quote

from github import GithubException
from github.Repository import Repository
from pydantic import TypeAdapter

from app.domain.approval import Choice
from app.domain.facts import Change, Checks, Person, PullRequest, Remark, Status, Tree
from app.github.answers import Refused, meaning_of
from app.github.branches import Branches, nothing
from app.github.checks import CheckRun, Item, Page, RunPage, StatusPage, read_checks
from app.github.commits import Comparison, Steps, TreeAnswer
from app.github.connection import Answer, call, etag_of, insist
from app.github.deployments import DEPLOYMENTS, STATUSES, read_deployments, read_try_url
from app.github.pulls import ISSUE_EVENTS, PULLS, WRITTEN, Done, Listing, Permission, Said, WholePull, Written

# https://docs.github.com/en/rest/commits/commits#compare-two-commits: more comes in further pages
MOST_COMMITS = 250
# https://docs.github.com/en/rest/pulls/reviews#create-a-review-for-a-pull-request
EVENTS = {Choice.APPROVE: "APPROVE", Choice.REJECT: "REQUEST_CHANGES", Choice.TAKE_BACK: "COMMENT"}
PAGE = 100
# So many of a commit's deployments are looked into.
MOST_DEPLOYMENTS = 3
RENAMED = "The repository was renamed or moved at GitHub: GITHUB_REPOSITORIES must hold its new name."


class GitHub(Branches):
    """GitHub, as one token or one App sees it; may be used by many threads. `repository` is "owner/name".

    Every method raises Refused, TryAgain or Moved.
    """

    def pull_request(self, repository: str, number: int) -> PullRequest:
        """Read a pull request: one GET.

        https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request
        """
        with self._repository(repository) as found:
            answer = call(found, "GET", f"/pulls/{number}")
            facts = WholePull.model_validate(answer.data).pull_request()
            self.note_clock(answer.headers)
            return facts

    def change(self, repository: str, base: str, head_sha: str) -> Change:
        """Compare a branch, as it stands now, with a commit; see `compared`."""
        return self.compared(repository, base, head_sha)[0]

    def compared(
        self, repository: str, base: str, head_sha: str, on_page: Callable[[], None] = nothing
    ) -> tuple[Change, Steps]:
        """Compare a branch, as it stands now, with a commit, and read all its commits: one GET for each 250.

        It names at most 300 files. Where merges leave open whether there is one best common ancestor, another GET
        counts what comes after the one that GitHub names: after any other it would be more than after the branch.
        `on_page` is called before each further page.
        https://docs.github.com/en/rest/commits/commits#compare-two-commits
        """
        with self._repository(repository) as found:
            first = _compare(found, base, head_sha, MOST_COMMITS)
        steps = self.all_steps(repository, first, head_sha, on_page)
        change, merge_base = first.change(steps), first.merge_base_commit.sha
        if not first.meets_once(steps):
            with self._repository(repository) as found:
                since = _compare(found, merge_base, head_sha, 1)
                change = replace(change, is_unique=since.total_commits == first.total_commits)
        whole = Steps(first.base_commit.sha, merge_base, head_sha, tuple(steps), is_empty=not first.files)
        return change, whole

    def merge_base(self, repository: str, base: str, head_sha: str) -> str:
        """Return where a commit branched off from a branch, as that stands now, or from a commit: one GET.

        https://docs.github.com/en/rest/commits/commits#compare-two-commits
        """
        with self._repository(repository) as found:
            return _compare(found, base, head_sha, 1).merge_base_commit.sha

    def tree(self, repository: str, sha: str) -> Tree | None:
        """Read every file of a commit as (path, mode, blob), submodules too: one GET.

        None where GitHub cannot give all of them, or not so that two trees can be told apart.
        https://docs.github.com/en/rest/git/trees#get-a-tree
        """
        with self._repository(repository) as found:
            answer = call(found, "GET", f"/git/trees/{sha}", query={"recursive": "1"})
            return TreeAnswer.model_validate(answer.data).files()

    def pull_requests(
        self,
        repository: str,
        *,
        state: Literal["open", "all"],
        etag: str | None,
        until: datetime | None,
        on_page: Callable[[], None],
    ) -> Listing:
        """List pull requests, the latest updated first, down to `until` (included): one GET for each 100.

        `etag` is that of an earlier first page: when nothing changed since, the listing says so and is empty.
        `on_page` is called before each further page; what it raises is passed on as it is. One that is updated
        while further pages are read may be missing: it comes first in the next listing, if that goes down to the
        newest `updated_at` of this one. https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
        """
        pages = self._pages(repository, state, etag, on_page)
        first = next(pages)
        listed = chain(first.pulls, chain.from_iterable(page.pulls for page in pages))
        recent = takewhile(lambda pull: until is None or pull.updated_at >= until, listed)
        return replace(first, pulls=tuple({pull.number: pull for pull in recent}.values()))

    def _pages(
        self, repository: str, state: str, etag: str | None, on_page: Callable[[], None]
    ) -> Iterator[Listing]:
        """Give page after page, each asked for when it is needed."""
        order = {"state": state, "sort": "updated", "direction": "desc"}
        for number in count(1):
            with self._repository(repository) as found:
                answer = _ask_for_page(found, {**order, "per_page": PAGE, "page": number}, etag)
                page = _page(repository, answer, etag)
            yield page
            if not page.pulls or 'rel="next"' not in str(answer.headers.get("link", "")):
                return
            on_page()
            etag = None  # further pages are read whole

    def checks(self, repository: str, sha: str, ignored: Collection[str] = ()) -> Checks:
        """Read what the automatic checks of a commit say, without the gate's own and the `ignored`.

        Two GETs, more past 100 of either.
        Without the right to read checks only statuses count: fine-grained personal tokens cannot have it.
        https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference
        https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference
        """
        with self._repository(repository) as found:
            statuses = _all(found, f"/commits/{sha}/status", StatusPage)
            return read_checks(statuses, self._check_runs(found, sha), ignored)

    def _check_runs(self, found: Repository, sha: str) -> list[CheckRun]:
        try:
            return _all(found, f"/commits/{sha}/check-runs", RunPage)
        except GithubException as error:
            # 403 is a rate limit, too.
            if error.status == 403 and isinstance(meaning_of(error, self._clock()), Refused):
                return []
            raise

    def try_url(self, repository: str, sha: str) -> str | None:
        """Read where just this commit was deployed to last with success: one GET, and one for each of at most three.

        None where it was not, and where the right to read deployments is missing.
        https://docs.github.com/en/rest/deployments/deployments#list-deployments
        https://docs.github.com/en/rest/deployments/statuses#list-deployment-statuses
        """
        try:
            with self._repository(repository) as found:
                listed = call(found, "GET", "/deployments", query={"sha": sha, "per_page": PAGE}).data
                for number in read_deployments(DEPLOYMENTS.validate_python(listed), sha)[:MOST_DEPLOYMENTS]:
                    path = f"/deployments/{number}/statuses"
                    said = call(found, "GET", path, query={"per_page": PAGE}).data
                    if url := read_try_url(STATUSES.validate_python(said)):
                        return url
        except Refused:
            pass
        return None

    def say_status(self, repository: str, status: Status, details: str | None = None) -> None:
        """Set a commit status, with the address that its "Details" leads to: one POST.

        https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
        """
        with self._repository(repository) as found:
            wish = {"state": status.state, "description": status.description, "context": status.context}
            wish |= {"target_url": details} if details else {}
            said = call(found, "POST", f"/statuses/{status.sha}", wanted=(200, 201), body=wish)
            insist(Said.model_validate(said.data).state == status.state)

    def say_review(self, repository: str, number: int, sha: str, choice: Choice, body: str) -> None:
        """Review one commit of a pull request: one POST. Refused 'own' when the gate itself opened it.

        https://docs.github.com/en/rest/pulls/reviews#create-a-review-for-a-pull-request
        """
        with self._repository(repository) as found:
            # Of a named commit, else the newest would be reviewed, whichever that is by now.
            wish = {"commit_id": sha, "body": body, "event": EVENTS[choice]}
            said = call(found, "POST", f"/pulls/{number}/reviews", wanted=(200, 201), body=wish)
            Written.model_validate(said.data)

    def say_comment(self, repository: str, number: int, body: str) -> int:
        """Comment on a pull request, and return the comment's id: one POST.

        https://docs.github.com/en/rest/issues/comments#create-an-issue-comment
        """
        with self._repository(repository) as found:
            path = f"/issues/{number}/comments"
            said = call(found, "POST", path, wanted=(201,), body={"body": body})
            return Written.model_validate(said.data).id

    def edit_comment(self, repository: str, comment_id: int, body: str) -> None:
        """Write a comment anew: one PATCH. Refused 'missing' when it was deleted.

        https://docs.github.com/en/rest/issues/comments#update-an-issue-comment
        """
        with self._repository(repository) as found:
            said = call(found, "PATCH", f"/issues/comments/{comment_id}", body={"body": body})
            insist(Written.model_validate(said.data).id == comment_id)

    def find_comment(self, repository: str, number: int, *markers: str) -> int | None:
        """Return the id of the oldest comment that holds one of the markers, or None: one GET for each 100 comments.

        https://docs.github.com/en/rest/issues/comments#list-issue-comments
        """
        with self._repository(repository) as found:
            comments = _each(found, f"/issues/{number}/comments", WRITTEN)
            return next((one.id for one in comments if one.holds(markers)), None)

    def remarks(self, repository: str, number: int) -> list[Remark]:
        """Return all that people wrote about a pull request, oldest first: three GETs, more past 100 of a kind.

        https://docs.github.com/en/rest/issues/comments#list-issue-comments
        https://docs.github.com/en/rest/pulls/reviews#list-reviews-for-a-pull-request
        https://docs.github.com/en/rest/pulls/comments#list-review-comments-on-a-pull-request
        """
        with self._repository(repository) as found:
            said = [
                *(one.remark("comment") for one in _each(found, f"/issues/{number}/comments", WRITTEN)),
                *(one.remark("review") for one in _each(found, f"/pulls/{number}/reviews", WRITTEN)),
                *(one.remark("line") for one in _each(found, f"/pulls/{number}/comments", WRITTEN)),
            ]
        return sorted((remark for remark in said if remark), key=lambda remark: (remark.at, remark.id))

    def permission(self, repository: str, person: Person) -> str:
        """Return what somebody may do in a repository (admin, maintain, write, read or none): one GET.

        "none", too, where nobody has that login any more, and where it is another account's by now.
        https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
        """
        with self._repository(repository) as found:
            path = f"/collaborators/{quote(person.login, safe='')}/permission"
            answer = call(found, "GET", path, wanted=(200, 404))
            if answer.status == 404:
                return "none"
            told = Permission.model_validate(answer.data)
            return told.permission if told.user.id == person.id else "none"

    def review_requests(self, repository: str, number: int) -> tuple[tuple[Person, datetime], ...]:
        """Return who asked for a review of a pull request and when, oldest first: one GET for each 100 events.

        https://docs.github.com/en/rest/issues/events#list-issue-events
        """
        with self._repository(repository) as found:
            events = _each(found, f"/issues/{number}/events", ISSUE_EVENTS)
            return tuple(request for event in events if (request := event.request()))

    def has_said(self, repository: str, number: int, *markers: str) -> bool:
        """Tell whether a review or comment holds one of the markers: one GET for each 100 of either.

        GitHub gives both lists oldest first only; asking for the last page would cost a call more.
        """
        with self._repository(repository) as found:
            reviews = _each(found, f"/pulls/{number}/reviews", WRITTEN)
            comments = _each(found, f"/issues/{number}/comments", WRITTEN)
            return any(one.holds(markers) for one in chain(reviews, comments))

    def merge(
        self,
        repository: str,
        number: int,
        sha: str,
        method: str,
        *,
        title: str | None = None,
        message: str | None = None,
    ) -> str:
        """Merge a pull request if its head is `sha`, and return the merge commit: one PUT.

        Raises Moved when the head is another; after TryAgain it may be merged or not: read it.
        https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request
        """
        with self._repository(repository) as found:
            words = {"commit_title": title, "commit_message": message}
            wish = {"sha": sha, "merge_method": method, **{k: v for k, v in words.items() if v is not None}}
            done = call(found, "PUT", f"/pulls/{number}/merge", body=wish)
            merged = Done.model_validate(done.data)
            insist(merged.merged)
            return merged.sha

    def update_branch(self, repository: str, number: int, expected_head_sha: str) -> None:
        """Merge the base into the head: one PUT. Raises Moved when the head is another, Refused on a conflict.

        https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request-branch
        """
        with self._repository(repository) as found:
            path, wish = f"/pulls/{number}/update-branch", {"expected_head_sha": expected_head_sha}
            # PyGithub's own update_branch says only False, whatever the reason.
            call(found, "PUT", path, wanted=(202,), body=wish)


def _compare(found: Repository, base: str, head_sha: str, most: int) -> Comparison:
    answer = call(found, "GET", f"/compare/{quote(base)}...{head_sha}", query={"per_page": most})
    return Comparison.model_validate(answer.data)


def _ask_for_page(found: Repository, query: dict[str, str | int], etag: str | None) -> Answer:
    if etag is None:
        return call(found, "GET", "/pulls", query=query)
    return call(found, "GET", "/pulls", wanted=(200, 304), query=query, headers={"If-None-Match": etag})


def _page(repository: str, answer: Answer, etag: str | None) -> Listing:
    if answer.status == 304:
        return Listing(True, etag, ())
    pulls = tuple(PULLS.validate_python(answer.data))
    if any(pull.repository.casefold() != repository.casefold() for pull in pulls):
        raise Refused(RENAMED, "renamed")  # the query was lost on the way: this is not what was asked for
    return Listing(False, etag_of(answer.headers), pulls)


def _each(found: Repository, path: str, list_: TypeAdapter[list[Item]]) -> Iterator[Item]:
    """Give everything of a list that comes in pages which do not say how many there are."""
    for number in count(1):
        answer = call(found, "GET", path, query={"per_page": PAGE, "page": number})
        page = list_.validate_python(answer.data)
        yield from page
        if len(page) < PAGE:
            return


def _all(found: Repository, path: str, page: type[Page[Item]]) -> list[Item]:
    """Return a whole list that comes in pages which say how many there are in all."""
    gathered: list[Item] = []
    for number in count(1):
        answer = call(found, "GET", path, query={"per_page": PAGE, "page": number})
        told = page.model_validate(answer.data)
        gathered += told.items
        if not told.items or len(gathered) >= told.total_count:
            break
    return gathered
