"""The few calls to GitHub, through PyGithub. Only the worker's steps and the operator's commands make them.

Each method makes as many calls as its first line says and sends none of them twice: what failed is for the row
to try again. Whatever goes wrong is raised as one of `answers`' errors. It never sleeps, and no answer but a
definite one counts as success: a redirect or an empty answer to a write raises nothing in PyGithub.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from itertools import chain
from typing import Literal
from urllib.parse import quote

from app.domain.approval import Choice
from app.domain.blocked import Why
from app.domain.facts import Checks, Person, PullRequest, Remark, Status
from app.github.answers import Refused, Unauthorized
from app.github.api import Query
from app.github.branches import Branches
from app.github.commits import (
    DEPLOYMENTS,
    STATUSES,
    CheckRun,
    RunPage,
    StatusPage,
    combined_checks,
    read_deployments,
    read_try_url,
)
from app.github.connection import PER_PAGE, etag_of, insist
from app.github.pulls import (
    COMMENTS,
    ISSUE_EVENTS,
    PULLS,
    REMARKS,
    CommentAnswer,
    Listing,
    MergeAnswer,
    Permission,
    Pull,
    StatusAnswer,
    WholePull,
)

# https://docs.github.com/en/rest/pulls/reviews#create-a-review-for-a-pull-request
REVIEW_EVENTS = {Choice.APPROVE: "APPROVE", Choice.REJECT: "REQUEST_CHANGES", Choice.TAKE_BACK: "COMMENT"}
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
        answer = self.call(repository, "GET", f"/pulls/{number}", WholePull.model_validate)
        self.note_clock(answer.headers)
        return answer.data.pull_request()

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
        query = {"state": state, "sort": "updated", "direction": "desc"}
        pages = self.pages(repository, "/pulls", PULLS.validate_python, query, etag, on_page)
        first = next(pages)
        self.note_clock(first.headers)
        if first.status == 304:
            return Listing(True, etag, ())
        found: dict[int, Pull] = {}
        for pull in chain.from_iterable(page.data for page in chain([first], pages)):
            if pull.repository.casefold() != repository.casefold():
                # The query was lost on the way: this is not what was asked for.
                raise Refused(RENAMED, "renamed")
            if until is not None and pull.updated_at < until:
                break
            found[pull.number] = pull
        return Listing(False, etag_of(first.headers), tuple(found.values()))

    def checks(self, repository: str, sha: str, ignored: Collection[str] = ()) -> Checks:
        """Read what the automatic checks of a commit say, without the gate's own and the `ignored`.

        Two GETs, more past 100 of either.
        Without the right to read checks only statuses count: fine-grained personal tokens cannot have it.
        https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference
        https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference
        """
        pages = self.pages(repository, f"/commits/{sha}/status", StatusPage.model_validate)
        statuses = [one for page in pages for one in page.data.statuses]
        return combined_checks(statuses, self._check_runs(repository, sha), ignored)

    def _check_runs(self, repository: str, sha: str) -> list[CheckRun]:
        path = f"/commits/{sha}/check-runs"
        pages = self.pages(repository, path, RunPage.model_validate)
        try:
            return [one for page in pages for one in page.data.check_runs]
        except Refused as refusal:
            if refusal.kind is not Why.RIGHTS or isinstance(refusal, Unauthorized):
                raise
            return []

    def try_url(self, repository: str, sha: str) -> str | None:
        """Read where just this commit was deployed to last with success: one GET, and one for each of at most three.

        None where it was not, and where the right to read deployments is missing.
        https://docs.github.com/en/rest/deployments/deployments#list-deployments
        https://docs.github.com/en/rest/deployments/statuses#list-deployment-statuses
        """
        query: Query = {"sha": sha, "per_page": PER_PAGE}
        try:
            listed = self.get(repository, "/deployments", DEPLOYMENTS.validate_python, query)
            for number in read_deployments(listed, sha)[:MOST_DEPLOYMENTS]:
                path = f"/deployments/{number}/statuses"
                said = self.get(repository, path, STATUSES.validate_python, {"per_page": PER_PAGE})
                if url := read_try_url(said):
                    return url
        except Refused:
            pass
        return None

    def say_status(self, repository: str, status: Status, details: str | None = None) -> None:
        """Set a commit status, with the address that its "Details" leads to: one POST.

        https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
        """
        wish = {"state": status.state, "description": status.description, "context": status.context}
        wish |= {"target_url": details} if details else {}
        path, reads = f"/statuses/{status.sha}", StatusAnswer.model_validate
        said = self.call(repository, "POST", path, reads, wish).data
        insist(said.state == status.state)

    def say_review(self, repository: str, number: int, sha: str, choice: Choice, body: str) -> None:
        """Review one commit of a pull request: one POST. Refused when the gate itself opened it.

        https://docs.github.com/en/rest/pulls/reviews#create-a-review-for-a-pull-request
        """
        # Of a named commit, else the newest would be reviewed, whichever that is by now.
        wish = {"commit_id": sha, "body": body, "event": REVIEW_EVENTS[choice]}
        self.call(repository, "POST", f"/pulls/{number}/reviews", CommentAnswer.model_validate, wish)

    def say_comment(self, repository: str, number: int, body: str) -> int:
        """Comment on a pull request, and return the comment's id: one POST.

        https://docs.github.com/en/rest/issues/comments#create-an-issue-comment
        """
        path = f"/issues/{number}/comments"
        return self.call(repository, "POST", path, CommentAnswer.model_validate, {"body": body}).data.id

    def edit_comment(self, repository: str, comment_id: int, body: str) -> None:
        """Write a comment anew: one PATCH. Refused when it was deleted.

        https://docs.github.com/en/rest/issues/comments#update-an-issue-comment
        """
        path = f"/issues/comments/{comment_id}"
        said = self.call(repository, "PATCH", path, CommentAnswer.model_validate, {"body": body}).data
        insist(said.id == comment_id)

    def find_comment(self, repository: str, number: int, *markers: str) -> int | None:
        """Return the id of the oldest comment that holds one of the markers, or None: one GET for each 100 comments.

        https://docs.github.com/en/rest/issues/comments#list-issue-comments
        """
        comments = self.each(repository, f"/issues/{number}/comments", COMMENTS.validate_python)
        return next((one.id for one in comments if one.holds(markers)), None)

    def remarks(self, repository: str, number: int) -> list[Remark]:
        """Return all that people wrote about a pull request, oldest first: three GETs, more past 100 of a kind.

        https://docs.github.com/en/rest/issues/comments#list-issue-comments
        https://docs.github.com/en/rest/pulls/reviews#list-reviews-for-a-pull-request
        https://docs.github.com/en/rest/pulls/comments#list-review-comments-on-a-pull-request
        """
        found = []
        for place, path in REMARKS.items():
            written = self.each(repository, path.format(number), COMMENTS.validate_python)
            found += [remark for one in written if (remark := one.remark(place))]
        return sorted(found, key=lambda remark: (remark.at, remark.id))

    def permission(self, repository: str, person: Person) -> str:
        """Return what somebody may do in a repository (admin, maintain, write, read or none): one GET.

        "none", too, where nobody has that login any more, and where it is another account's by now.
        https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
        """
        path = f"/collaborators/{quote(person.login, safe='')}/permission"
        answer = self.call(repository, "GET", path, Permission.model_validate, wanted=(200, 404))
        is_theirs = answer.status == 200 and answer.data.user_id == person.id
        return answer.data.permission if is_theirs else "none"

    def review_requests(self, repository: str, number: int) -> tuple[tuple[Person, datetime], ...]:
        """Return who asked for a review of a pull request and when, oldest first: one GET for each 100 events.

        https://docs.github.com/en/rest/issues/events#list-issue-events
        """
        events = self.each(repository, f"/issues/{number}/events", ISSUE_EVENTS.validate_python)
        return tuple(request for event in events if (request := event.request()))

    def has_said(self, repository: str, number: int, *markers: str) -> bool:
        """Tell whether a review or comment holds one of the markers: one GET for each 100 of either.

        GitHub gives both lists oldest first only; asking for the last page would cost a call more.
        """
        reviews = self.each(repository, f"/pulls/{number}/reviews", COMMENTS.validate_python)
        comments = self.each(repository, f"/issues/{number}/comments", COMMENTS.validate_python)
        return any(one.holds(markers) for one in chain(reviews, comments))

    def merge(self, repository: str, number: int, sha: str, method: str) -> str:
        """Merge a pull request if its head is `sha`, and return the merge commit: one PUT.

        Raises Moved when the head is another; after TryAgain it may be merged or not: read it.
        https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request
        """
        path, wish = f"/pulls/{number}/merge", {"sha": sha, "merge_method": method}
        done = self.call(repository, "PUT", path, MergeAnswer.model_validate, wish).data
        insist(done.merged)
        return done.sha

    def update_branch(self, repository: str, number: int, expected_head_sha: str) -> None:
        """Merge the base into the head: one PUT. Raises Moved when the head is another, Refused on a conflict.

        https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request-branch
        """
        path, wish = f"/pulls/{number}/update-branch", {"expected_head_sha": expected_head_sha}
        self.call(repository, "PUT", path, lambda _nothing: None, wish, wanted=(202,))
