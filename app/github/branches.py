"""The calls about branches: what one has that another has not, and the pull request that brings it over.

`client` builds on it, in the same way: each method makes as many calls as its first line says, sends none of
them twice, and raises one of `answers`' errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from urllib.parse import quote

from app.domain.approval import MergeCommit
from app.domain.facts import Change, Commit, Tree
from app.github.commits import (
    BranchAnswer,
    Comparison,
    RepositoryAnswer,
    SignedCommit,
    Steps,
    StepsAnswer,
    TreeAnswer,
)
from app.github.connection import etag_of, insist, nothing
from app.github.pictures import Pictures
from app.github.pulls import PULLS, Pull

# https://docs.github.com/en/rest/commits/commits#compare-two-commits: more comes in further pages
MOST_COMMITS = 250
# What cannot be a branch's name: GitHub refuses one that looks like this.
# https://docs.github.com/en/get-started/using-git/dealing-with-special-characters-in-branch-and-tag-names
IS_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


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
        names = [one for one in (base, head) if not IS_SHA.fullmatch(one)]
        query, path = {"per_page": MOST_COMMITS}, _compare(base, head)
        reads = Comparison.model_validate
        first = self.call(repository, "GET", path, reads, query=query, etag=etag, branches=names)
        if first.status == 304:
            return Steps(is_unchanged=True, etag=etag)
        return replace(self._all(repository, first.data, head, on_page), etag=etag_of(first.headers))

    def compared(
        self, repository: str, base: str, head_sha: str, on_page: Callable[[], None] = nothing
    ) -> tuple[Change, Steps]:
        """Compare a branch, as it stands now, with a commit, and read all its commits: one GET for each 250.

        It names at most 300 files. Where merges leave open whether there is one best common ancestor, another GET
        counts what comes after the one that GitHub names: after any other it would be more than after the branch.
        `on_page` is called before each further page.
        https://docs.github.com/en/rest/commits/commits#compare-two-commits
        """
        query, path = {"per_page": MOST_COMMITS}, _compare(base, head_sha)
        first = self.get(repository, path, Comparison.model_validate, query)
        whole = self._all(repository, first, head_sha, on_page)
        change = first.change(whole.steps)
        if not first.meets_once(whole.steps):
            since = self._shortly(repository, whole.merge_base, head_sha)
            change = replace(change, is_unique=since.total_commits == first.total_commits)
        return change, whole

    def change(self, repository: str, base: str, head_sha: str) -> Change:
        """Compare a branch, as it stands now, with a commit; see `compared`."""
        return self.compared(repository, base, head_sha)[0]

    def merge_base(self, repository: str, base: str, head_sha: str) -> str:
        """Return where a commit branched off from a branch, as that stands now, or from a commit: one GET.

        https://docs.github.com/en/rest/commits/commits#compare-two-commits
        """
        return self._shortly(repository, base, head_sha).merge_base

    def _shortly(self, repository: str, base: str, head_sha: str) -> Comparison:
        return self.get(repository, _compare(base, head_sha), Comparison.model_validate, {"per_page": 1})

    def _all(self, repository: str, first: Comparison, head: str, on_page: Callable[[], None]) -> Steps:
        """Return every commit of a comparison whose first page was read: one GET for each further page.

        The pages are pinned to two SHAs, one GET more where `head` is a branch. Raises TryAgain where they are not
        all of one comparison: a branch moved meanwhile, and half of one version and half of another is neither.
        """
        steps, total = [commit.step() for commit in first.commits], first.total_commits
        is_whole = len(steps) >= total
        if IS_SHA.fullmatch(head):
            tip = head
        elif not is_whole:
            tip = self.branch_head(repository, head)
        else:
            tip = _tip(steps) if steps else first.merge_base
        pages = count(2)
        while len(steps) < total:
            on_page()
            query, path = {"per_page": MOST_COMMITS, "page": next(pages)}, _compare(first.base, tip)
            page = self.get(repository, path, StepsAnswer.model_validate, query)
            insist(bool(page.commits))
            steps += [commit.step() for commit in page.commits]
            total = page.total_commits
        # All lead to the tip, none is in the base, and they are as many as there are: just those, and all.
        insist(is_whole or (len(steps) == total and _tip(steps) == tip))
        return Steps(first.base, first.merge_base, tip, tuple(steps), is_empty=not first.files)

    def tree(self, repository: str, sha: str) -> Tree | None:
        """Read every file of a commit as (path, mode, blob), submodules too: one GET.

        None where GitHub cannot give all of them, or not so that two trees can be told apart.
        https://docs.github.com/en/rest/git/trees#get-a-tree
        """
        path = f"/git/trees/{sha}"
        return self.get(repository, path, TreeAnswer.model_validate, {"recursive": "1"}).files()

    def merge_commit(self, repository: str, sha: str) -> MergeCommit:
        """Return what GitHub shows of a merge commit: one GET.

        What GitHub commits itself is signed by it, with this address.
        https://docs.github.com/en/rest/git/commits#get-a-commit-object
        """
        return self.get(repository, f"/git/commits/{sha}", SignedCommit.model_validate).merge_commit()

    def branch_head(self, repository: str, branch: str) -> str:
        """Return where a branch stands: one GET."""
        return self._branch(repository, branch).sha

    def _branch(self, repository: str, branch: str) -> BranchAnswer:
        """https://docs.github.com/en/rest/branches/branches#get-a-branch ."""
        path = f"/branches/{quote(branch)}"
        return self.call(repository, "GET", path, BranchAnswer.model_validate, branches=[branch]).data

    def identity(self, repository: str) -> tuple[int, str]:
        """Return a repository's id, which no other ever has, and what it is called today: one GET."""
        about = self.get(repository, "", RepositoryAnswer.model_validate)
        return about.id, about.full_name

    def deletes_when_merged(self, repository: str, branch: str) -> bool:
        """Tell whether GitHub itself would delete this branch once it is merged: one GET, or two.

        It never deletes a protected branch. Who may not see the setting is told nothing of it.
        https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-the-automatic-deletion-of-branches
        """
        about = self.get(repository, "", RepositoryAnswer.model_validate)
        if not about.delete_branch_on_merge or about.default_branch == branch:
            return False
        return not self._branch(repository, branch).protected

    def brought_by(self, repository: str, commit: str, base: str) -> Pull | None:
        """Return the pull request whose merge into `base` brought a commit there, None where there is none: one GET.

        https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
        """
        path = f"/commits/{commit}/pulls"
        pulls = self.get(repository, path, PULLS.validate_python, {"per_page": 100})
        # Among them are open ones, and other branches'.
        return next((pull for pull in pulls if pull.merged_at and pull.base == base), None)

    def find_pull(self, repository: str, head: str, base: str) -> Pull | None:
        """Return the open pull request from one branch into another, both of this repository, or None: one GET.

        https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
        """
        owner = repository.partition("/")[0]
        query = {"state": "open", "head": f"{owner}:{head}", "base": base}
        pulls = self.get(repository, "/pulls", PULLS.validate_python, query)
        found = (pull for pull in pulls if (pull.head, pull.base) == (head, base) and not pull.is_from_fork)
        return next(found, None)

    def open_pull(self, repository: str, head: str, base: str, title: str, body: str) -> int:
        """Open a pull request, and return its number: one POST.

        Refused when there is nothing to merge, or one already.
        https://docs.github.com/en/rest/pulls/pulls#create-a-pull-request
        """
        wish = {"title": title, "head": head, "base": base, "body": body}
        said = self.call(repository, "POST", "/pulls", Pull.model_validate, wish).data
        insist((said.base, said.head) == (base, head))
        return said.number

    def edit_pull(self, repository: str, number: int, **changes: str) -> None:
        """Change a pull request's title or body, or close it (state "closed"): one PATCH.

        https://docs.github.com/en/rest/pulls/pulls#update-a-pull-request
        """
        said = self.call(repository, "PATCH", f"/pulls/{number}", Pull.model_validate, changes).data
        insist(said.number == number)


def _compare(base: str, head: str) -> str:
    return f"/compare/{quote(base)}...{quote(head)}"


def _tip(steps: list[Commit]) -> str:
    """Return the commit that no other is built on: all were reached from it. Raises TryAgain."""
    shas = {step.sha for step in steps}
    tips = shas - {parent for step in steps for parent in step.parents}
    insist(len(tips) == 1 and len(shas) == len(steps))
    return tips.pop()
