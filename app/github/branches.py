"""The calls about branches: what one has that another has not, and the pull request that brings it over.

`client` builds on it, in the same way: each method makes as many calls as its first line says, sends none of
them twice, and raises one of `answers`' errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from urllib.parse import quote

from github.Repository import Repository

from app.domain.approval import MergeCommit
from app.domain.facts import Commit
from app.github.commits import BranchAnswer, Comparison, RepositoryAnswer, SignedCommit, Steps, StepsAnswer
from app.github.connection import Answer, call, etag_of, insist
from app.github.pictures import Pictures
from app.github.pulls import PULLS, Pull

# https://docs.github.com/en/rest/commits/commits#compare-two-commits
MOST_STEPS = 250


# What cannot be a branch's name: GitHub refuses one that looks like this.
# https://docs.github.com/en/get-started/using-git/dealing-with-special-characters-in-branch-and-tag-names
IS_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def nothing() -> None:
    """Do nothing before a further page."""


class Branches(Pictures):
    """Branches, and pull requests between two of them; `repository` is "owner/name"."""

    def steps(
        self,
        repository: str,
        base: str,
        head: str,
        *,
        etag: str | None = None,
        on_page: Callable[[], None] = nothing,
    ) -> Steps:
        """Read every commit that `head` has and `base` has not (branches or SHAs): one GET for each 250.

        Past the first 250, one GET more where `head` is a branch. `etag` is that of an earlier answer: when nothing
        changed since, the steps say so and are empty. `on_page` is called before each further page.
        https://docs.github.com/en/rest/commits/commits#compare-two-commits
        """
        branches = [one for one in (base, head) if not IS_SHA.fullmatch(one)]
        with self._repository(repository, *branches) as found:
            first = _page_of_steps(found, f"/compare/{quote(base)}...{quote(head)}", 1, etag)
            if first.status == 304:
                return Steps(is_unchanged=True, etag=etag)
            compared = Comparison.model_validate(first.data)
        steps = self.all_steps(repository, compared, head, on_page)
        merge_base = compared.merge_base_commit.sha
        return Steps(
            base=compared.base_commit.sha,
            merge_base=merge_base,
            head=_tip(steps) if steps else merge_base,
            steps=tuple(steps),
            is_empty=not compared.files,
            etag=etag_of(first.headers),
        )

    def all_steps(
        self, repository: str, first: Comparison, head: str, on_page: Callable[[], None] = nothing
    ) -> list[Commit]:
        """Return every commit of a comparison whose first page was read: one GET for each further page.

        The pages are pinned to two SHAs, one GET more where `head` is a branch. Raises TryAgain where they are not
        all of one comparison: a branch moved meanwhile, and half of one version and half of another is neither.
        """
        steps = [commit.step() for commit in first.commits]
        if len(steps) >= first.total_commits:
            return steps
        tip = head if IS_SHA.fullmatch(head) else self.branch_head(repository, head)
        path = f"/compare/{first.base_commit.sha}...{tip}"
        for number in count(2):
            on_page()
            with self._repository(repository) as found:
                page = StepsAnswer.model_validate(_page_of_steps(found, path, number, None).data)
                steps += [commit.step() for commit in page.commits]
                insist(bool(page.commits))
            if len(steps) >= page.total_commits:
                break
        # All lead to the tip, none is in the base, and they are as many as there are: just those, and all of them.
        insist(len(steps) == page.total_commits and _tip(steps) == tip)
        return steps

    def merge_commit(self, repository: str, sha: str) -> MergeCommit:
        """Return what GitHub shows of a merge commit: one GET.

        What GitHub commits itself is signed by it, with this address.
        https://docs.github.com/en/rest/git/commits#get-a-commit-object
        """
        with self._repository(repository) as found:
            return SignedCommit.model_validate(call(found, "GET", f"/git/commits/{sha}").data).merge_commit()

    def branch_head(self, repository: str, branch: str) -> str:
        """Return where a branch stands: one GET.

        https://docs.github.com/en/rest/branches/branches#get-a-branch
        """
        with self._repository(repository, branch) as found:
            return _branch(found, branch).commit.sha

    def identity(self, repository: str) -> tuple[int, str]:
        """Return a repository's id, which no other ever has, and what it is called today: one GET.

        https://docs.github.com/en/rest/repos/repos#get-a-repository
        """
        with self._repository(repository) as found:
            about = RepositoryAnswer.model_validate(call(found, "GET", "").data)
            return about.id, about.full_name

    def deletes_when_merged(self, repository: str, branch: str) -> bool:
        """Tell whether GitHub itself would delete this branch once it is merged: one GET, or two.

        It never deletes a protected branch. Who may not see the setting is told nothing of it.
        https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-the-automatic-deletion-of-branches
        """
        with self._repository(repository) as found:
            about = RepositoryAnswer.model_validate(call(found, "GET", "").data)
            if not about.delete_branch_on_merge or about.default_branch == branch:
                return False
            return not _branch(found, branch).protected

    def brought_by(self, repository: str, commit: str, base: str) -> Pull | None:
        """Return the pull request whose merge into `base` brought a commit there, None where there is none: one GET.

        https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
        """
        with self._repository(repository) as found:
            answer = call(found, "GET", f"/commits/{commit}/pulls", query={"per_page": 100})
            pulls = PULLS.validate_python(answer.data)
            return next((pull for pull in pulls if pull.was_merged_into(base)), None)

    def find_pull(self, repository: str, head: str, base: str) -> Pull | None:
        """Return the open pull request from one branch into another, both of this repository, or None: one GET.

        https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
        """
        owner = repository.partition("/")[0]
        query: dict[str, str | int] = {"state": "open", "head": f"{owner}:{head}", "base": base}
        with self._repository(repository) as found:
            answer = call(found, "GET", "/pulls", query=query)
            pulls = PULLS.validate_python(answer.data)
            return next((pull for pull in pulls if pull.is_between(head, base)), None)

    def open_pull(self, repository: str, head: str, base: str, title: str, body: str) -> int:
        """Open a pull request, and return its number: one POST.

        Refused 'empty' when there is nothing to merge, 'exists' when there is one already.
        https://docs.github.com/en/rest/pulls/pulls#create-a-pull-request
        """
        wish = {"title": title, "head": head, "base": base, "body": body}
        with self._repository(repository) as found:
            said = Pull.model_validate(call(found, "POST", "/pulls", wanted=(201,), body=wish).data)
            insist((said.base.ref, said.head.ref) == (base, head))
            return said.number

    def edit_pull(self, repository: str, number: int, **changes: str) -> None:
        """Change a pull request's title or body, or close it (state "closed"): one PATCH.

        https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request
        """
        with self._repository(repository) as found:
            said = Pull.model_validate(call(found, "PATCH", f"/pulls/{number}", body=changes).data)
            insist(said.number == number)


def _page_of_steps(found: Repository, path: str, number: int, etag: str | None) -> Answer:
    headers = {"If-None-Match": etag} if etag else {}
    query: dict[str, str | int] = {"per_page": MOST_STEPS, "page": number}
    return call(found, "GET", path, wanted=(200, 304) if etag else (200,), query=query, headers=headers)


def _branch(found: Repository, branch: str) -> BranchAnswer:
    return BranchAnswer.model_validate(call(found, "GET", f"/branches/{quote(branch)}").data)


def _tip(steps: list[Commit]) -> str:
    """Return the commit that no other is built on: all were reached from it. Raises TryAgain."""
    shas = {step.sha for step in steps}
    tips = shas - {parent for step in steps for parent in step.parents}
    insist(len(tips) == 1 and len(shas) == len(steps))
    return tips.pop()
