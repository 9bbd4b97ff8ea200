"""PretendGitHub: all that can happen on GitHub, as methods for tests and the demo.

Each takes the lock, finds what it is about, and lets `pulls`, `merging` or `marks` do it; where
GitHub would refuse, so do they, by raising `Refusal`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from demo.github import events, marks, merging, pulls
from demo.github.git import CommitData, Content
from demo.github.served import Served
from demo.github.state import Deployment, Person, Protection, Pull, Repo
from demo.github.world import World

_FIRST = {"README.md": "A shop.\n", "src/shop.py": "PRICE = 10\n"}


class PretendGitHub(Served):
    """GitHub on 127.0.0.1. Everywhere `repo` may be a Repo, "owner/name", or left out for the first one."""

    def ping(self, repo: Repo | str | None = None) -> None:
        """Send a ping."""
        with self.world.lock:
            found = self.repo(repo)
            events.ping(self.world, found, found.owner)

    # --- Repositories and people -----------------------------------------------------------------------------

    def repo(self, repo: Repo | str | None = None) -> Repo:
        """Return a repository: itself, of a name, or the first one."""
        if isinstance(repo, Repo):
            return repo
        return next(iter(self.world.repos.values())) if repo is None else self.world.find(repo)

    def pull(self, number: int, repo: Repo | str | None = None) -> Pull:
        """Return a pull request as the stand-in holds it."""
        return pulls.find(self.repo(repo), number)

    def create_repository(
        self, full_name: str, private: bool = False, files: Mapping[str, Content] | None = None
    ) -> Repo:
        """Make a repository with a first commit on its branches master and development."""
        with self.world.lock:
            repo = self.world.add_repository(full_name, private)
            repo.owner.type = "Organization"
            who = self.world.signature(self.world.person("sam"))
            sha = repo.git.write("refs/heads/master", (), files or _FIRST, "First commit", who)
            repo.git.move("development", sha)
            return repo

    def fork(self, repo: Repo | str | None, login: str) -> Repo:
        """Return a person's fork of a repository, made on first sight with all its branches."""
        with self.world.lock:
            origin = self.repo(repo)
            for other in self.world.repos.values():
                if other.fork_of is origin and other.owner is self.world.person(login) and not other.deleted:
                    return other
            made = self.world.add_repository(f"{login}/{origin.name}", origin.private, fork_of=origin)
            for branch, sha in origin.git.branches.items():
                made.git.move(branch, sha)
            return made

    def delete_repository(self, repo: Repo | str) -> None:
        """Delete a repository; another may be created under its name, with another id. Pull requests from a fork stay."""
        self.repo(repo).deleted = True

    def rename(self, repo: Repo | str | None, new_name: str) -> None:
        """Rename ("shop2") or move ("other/shop"); the old name redirects from now on."""
        with self.world.lock:
            self.world.rename(self.repo(repo), new_name)

    def add_person(
        self,
        login: str,
        type: str = "User",  # noqa: A002
        association: str = "MEMBER",
        permission: str | None = None,
        name: str | None = None,
    ) -> Person:
        """Make a person: 'User' or 'Bot'; association: OWNER, MEMBER, COLLABORATOR, CONTRIBUTOR, NONE, ...

        permission: admin, maintain, write, triage, read or none, where it is another than the association tells, as of
        a colleague whose membership is private.
        """
        with self.world.lock:
            person = self.world.add_person(login, type, association)
            person.given, person.name = permission, name
            return person

    def add_token(self, token: str, login: str, *rights: str) -> None:
        """Make a token of a person's own, with these rights."""
        with self.world.lock:
            self.front.others[token] = (self.world.person(login), {"metadata", *rights})

    def rename_person(self, login: str, new_login: str) -> None:
        """Give a person another login; the old one is free for anybody."""
        with self.world.lock:
            person = self.world.people.pop(login.casefold())
            person.login = new_login
            self.world.people[new_login.casefold()] = person

    def make_ghost(self, number: int, repo: Repo | str | None = None) -> None:
        """Delete the account of a pull request's author."""
        self.pull(number, repo).user = None

    # --- Commits ---------------------------------------------------------------------------------------------

    def commit(
        self,
        repo: Repo | str | None,
        branch: str,
        changes: dict[str, Any],
        message: str = "Change",
        author: str = "sam",
        start_from: str = "development",
    ) -> str:
        """Commit and push; return the SHA. The branch is made when it is new.

        changes: path to text, bytes, None (delete) or (mode, text), modes as git has them ("100755").
        """
        with self.world.lock:
            who, home = self.world.person(author), self.repo(repo)
            return pulls.commit(self.world, home, branch, changes, message, who, start_from)

    def commits(
        self, repo: Repo | str, branch: str, steps: Sequence[tuple[dict[str, Any], str]], author: str = "sam"
    ) -> list[str]:
        """Commit changes, each with its message, and push them at once; return the SHAs."""
        with self.world.lock:
            who, home = self.world.person(author), self.repo(repo)
            return pulls.commits(self.world, home, branch, steps, who, "development")

    def force_push(self, repo: Repo | str | None, branch: str, sha: str | None, by: str = "sam") -> None:
        """Move a branch to any commit; None deletes it."""
        with self.world.lock:
            pulls.force(self.world, self.repo(repo), branch, sha, self.world.person(by))

    def log(self, repo: Repo | str | None, branch: str) -> list[CommitData]:
        """Return a branch's commits along first parents, newest first."""
        with self.world.lock:
            git = self.repo(repo).git
            return [git.commit(sha) for sha in git.first_parents(branch)]

    def read(self, repo: Repo | str | None, ref: str, path: str) -> bytes | None:
        """Return a file as it is on a branch or in a commit; None when it is not there."""
        with self.world.lock:
            return self.repo(repo).git.read(ref, path)

    # --- Pull requests ---------------------------------------------------------------------------------------

    def open_pull_request(
        self,
        repo: Repo | str | None,
        head: str,
        base: str = "development",
        title: str = "A change",
        body: str | None = "",
        author: str | None = "sam",
        draft: bool = False,
        from_fork: Repo | str | None = None,
    ) -> int:
        """Open a pull request; return its number. from_fork: the fork that the head branch is in."""
        with self.world.lock:
            who, home = (self.world.person(author) if author else None), self.repo(repo)
            head_repo = self.repo(from_fork) if from_fork else home
            return pulls.open_pull(self.world, home, head_repo, head, base, title, body, who, draft).number

    def close(self, number: int, *, repo: Repo | str | None = None, by: str | None = None) -> None:
        """Close a pull request unmerged."""
        self._do(pulls.close, number, repo, by)

    def reopen(self, number: int, *, repo: Repo | str | None = None, by: str | None = None) -> None:
        """Open a closed pull request again."""
        self._do(pulls.reopen, number, repo, by)

    def convert_to_draft(self, number: int, *, repo: Repo | str | None = None, by: str | None = None) -> None:
        """Make a pull request a draft."""
        self._do(lambda world, pull, who: pulls.set_draft(world, pull, True, who), number, repo, by)

    def ready(self, number: int, *, repo: Repo | str | None = None, by: str | None = None) -> None:
        """Mark a draft ready for review."""
        self._do(lambda world, pull, who: pulls.set_draft(world, pull, False, who), number, repo, by)

    def retarget(
        self, number: int, base: str, *, repo: Repo | str | None = None, by: str | None = None
    ) -> None:
        """Point a pull request at another base branch."""
        self._do(lambda world, pull, who: pulls.retarget(world, pull, base, who), number, repo, by)

    def edit(
        self,
        number: int,
        title: str | None = None,
        body: str | None = None,
        *,
        repo: Repo | str | None = None,
        by: str | None = None,
    ) -> None:
        """Change title or body."""
        self._do(lambda world, pull, who: pulls.edit(world, pull, who, title, body), number, repo, by)

    def comment(
        self, number: int, body: str, *, repo: Repo | str | None = None, by: str | None = None
    ) -> int:
        """Comment on a pull request, by its author unless said; return the comment's id."""
        with self.world.lock:
            pull = self.pull(number, repo)
            who = self.world.person(by) if by else pull.user or pull.repo.owner
            return marks.add_comment(self.world, pull, who, body).id

    def label(self, number: int, name: str, *, repo: Repo | str | None = None, by: str | None = None) -> None:
        """Put a label on a pull request."""
        self._do(lambda world, pull, who: pulls.label(world, pull, who, name), number, repo, by)

    def request_review(
        self, number: int, login: str, *, repo: Repo | str | None = None, by: str | None = None
    ) -> None:
        """Ask a person for a review."""
        reviewer = self.world.person(login)
        self._do(lambda world, pull, who: pulls.request_review(world, pull, reviewer, who), number, repo, by)

    def _do(
        self,
        what: Callable[[World, Pull, Person | None], None],
        number: int,
        repo: Repo | str | None,
        by: str | None,
    ) -> None:
        with self.world.lock:
            pull = self.pull(number, repo)
            what(self.world, pull, self.world.person(by) if by else pull.user)

    def merge_as(
        self,
        login: str,
        number: int,
        admin: bool = True,
        *,
        repo: Repo | str | None = None,
        method: str = "merge",
    ) -> str:
        """Merge around the gate, as a person; admin: past the branch's protection. Returns the commit."""
        with self.world.lock:
            who, pull = self.world.person(login), self.pull(number, repo)
            return merging.merge(self.world, pull, who, method=method, around=admin)

    def enable_auto_merge(
        self, number: int, by: str = "sam", method: str = "merge", *, repo: Repo | str | None = None
    ) -> None:
        """Let GitHub merge by itself, in a person's name, as soon as the base's rules are kept."""
        with self.world.lock:
            merging.enable_auto_merge(self.world, self.pull(number, repo), self.world.person(by), method)

    def review_as(
        self,
        login: str,
        number: int,
        event: str = "APPROVE",
        body: str = "",
        *,
        repo: Repo | str | None = None,
    ) -> int:
        """Give a review as a person; return its id."""
        with self.world.lock:
            who, pull = self.world.person(login), self.pull(number, repo)
            review = marks.add_review(self.world, pull, who, event, body, None)
            merging.merge_what_is_ready(self.world, pull.repo)
            return review.id

    def edit_review(self, number: int, review: int, body: str, *, repo: Repo | str | None = None) -> None:
        """Write the text of a review anew."""
        with self.world.lock:
            marks.edit_review(self.world, self.pull(number, repo), review, body)

    def edit_comment(self, comment: int, body: str, *, repo: Repo | str | None = None) -> None:
        """Write a comment anew, as who wrote it."""
        with self.world.lock:
            marks.edit_comment(self.world, self.repo(repo), comment, body)

    def comment_on_code(
        self,
        number: int,
        body: str,
        *,
        by: str,
        path: str = "README.md",
        edits: int | None = None,
        repo: Repo | str | None = None,
    ) -> int:
        """Comment on a line of the change, or edit such a comment; return its id."""
        with self.world.lock:
            pull = self.pull(number, repo)
            if edits is not None:
                return marks.edit_code_comment(self.world, pull, edits, body).id
            return marks.add_code_comment(self.world, pull, self.world.person(by), body, path).id

    # --- Statuses, checks, protection ------------------------------------------------------------------------

    def set_check(
        self,
        repo: Repo | str | None,
        sha: str,
        name: str,
        status: str = "completed",
        conclusion: str | None = "success",
        *,
        again: bool = False,
    ) -> None:
        """Report a check run; status: queued, in_progress (conclusion None) or completed.

        again: another run of that name, beside the earlier ones.
        """
        with self.world.lock:
            home, done = self.repo(repo), conclusion if status == "completed" else None
            marks.set_check(self.world, home, sha, name, status, done, home.owner, again=again)
            merging.merge_what_is_ready(self.world, home)

    def set_status(
        self, repo: Repo | str | None, sha: str, state: str, context: str = "ci", by: str = "sam", **more: str
    ) -> None:
        """Set a commit status as a person; more: description, target_url."""
        with self.world.lock:
            said = {"state": state, "context": context, **more}
            marks.set_status(self.world, self.repo(repo), sha, said, self.world.person(by))
            merging.merge_what_is_ready(self.world, self.repo(repo))

    def protect(
        self,
        repo: Repo | str | None,
        branch: str,
        required_contexts: Iterable[str] = (),
        strict: bool = False,
        approvals: int = 0,
        app_id: int | None = None,
        enforce_admins: bool = False,
        queue: bool = False,
    ) -> None:
        """Protect a branch; app_id: the contexts count only when this App set them.

        enforce_admins: nobody merges around it, not even an admin. queue: it has a merge queue, which alone merges.
        """
        with self.world.lock:
            checks: dict[str, int | None] = dict.fromkeys(required_contexts, app_id)
            self.repo(repo).protections[branch] = Protection(checks, strict, approvals, enforce_admins, queue)

    def add_deployment(
        self, repo: Repo | str | None, sha: str, environment: str, url: str, state: str = "success"
    ) -> int:
        """Deploy a commit, reachable at url, and tell how that went; return the deployment's id."""
        with self.world.lock:
            home, number = self.repo(repo), next(self.world.ids)
            made = Deployment(number, sha, sha, environment, home.owner, self.world.now())
            home.deployments.append(made)
            marks.set_deployment_status(self.world, home, made, state, url)
            return number

    def set_deployment_status(
        self, repo: Repo | str | None, deployment: int, state: str, url: str = ""
    ) -> None:
        """Say how a deployment goes on: in_progress, success, failure, inactive, ..."""
        with self.world.lock:
            home = self.repo(repo)
            made = next(one for one in home.deployments if one.id == deployment)
            marks.set_deployment_status(self.world, home, made, state, url)
