"""The developers' desk: what sam, kim and the bot do in acme/shop, one method for each button of the tour.

Called by the tour's routes; works through PretendGitHub as people do through GitHub, and never through the gate.

    NotPossible    the desk cannot do that now, or GitHub refused it; its text says why
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from demo.github import PretendGitHub
from demo.github.state import Pull, Refusal, Repo
from demo.tour import git, shop
from demo.tour.shop import Edit, Example, Push

DEVELOPMENT = "development"
# How the gate marks a reviewer's question, and what the developer says to any.
QUESTION = re.compile(r"<!-- qa-gate \d+ question \d+ ")
ANSWER = "Good question. I have looked at that again: it is meant so, and it works on a phone, too."
TESTS = "tests"  # the automatic check that a pull request can be made to fail
RELEASE = "master"


class NotPossible(Exception):
    """Why a button did nothing."""


class Desk:
    """One repository, and what was opened in it from which example."""

    def __init__(self, github: PretendGitHub, repo: Repo) -> None:
        self.github = github
        self.repo = repo
        self._examples: dict[int, Example] = {}
        self._turns: dict[int, int] = {}
        self._direct = 0
        self._opened = 0
        self._has_tests = False
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Give the repository what was done in it before the tour."""
        for push in shop.LATER:
            self._commit(DEVELOPMENT, push)
        # All of it is released, so the first release holds what was done on the tour.
        self.github.force_push(self.repo, RELEASE, self.repo.git.branches[DEVELOPMENT])

    @property
    def next(self) -> Example:
        """Return what the next pull request would be about."""
        return shop.example(self._opened)

    def open(self, title: str, body: str) -> int:
        """Open the next example as a pull request, in these words; return its number."""
        with self._lock, _in_words():
            example = self.next
            self._commit(example.branch, example.first)
            number = self.github.open_pull_request(
                self.repo, example.branch, title=title, body=body, author=example.author
            )
            self._opened += 1
            self._examples[number] = example
            self._run_tests(number)
            return number

    def push(self, number: int) -> None:
        """Push one more commit to the branch of an open pull request."""
        with self._lock, _in_words():
            pull, example = self._open_pull(number), self._examples[number]
            turn = self._turns[number] = self._turns.get(number, 0) + 1
            usual = example.then if turn == 1 else shop.another(pull.head, example.author, turn)
            fits = self._edited(pull.head, usual.edits) is not None
            self._commit(pull.head, usual if fits else shop.another(pull.head, example.author, turn))
            self._run_tests(number)

    def push_directly(self) -> None:
        """Push a commit to development, past every pull request, as who may do everything can."""
        with self._lock, _in_words():
            self._direct += 1
            self._commit(DEVELOPMENT, shop.another(DEVELOPMENT, "kim", self._direct))

    def clash(self, number: int) -> None:
        """Commit to development what clashes with an open pull request."""
        with self._lock, _in_words():
            self._open_pull(number)
            if not self.can_clash(number):
                raise NotPossible("Development has changed those lines already.")
            self._commit(DEVELOPMENT, self._examples[number].rival)

    def resolve(self, number: int) -> None:
        """Merge development into the branch of a pull request; where they clash, the branch's lines stay."""
        with self._lock, _in_words():
            pull = self._open_pull(number)
            who = self.github.world.person(self._examples[number].author)
            ours, theirs = pull.head_sha, self.repo.git.branches[DEVELOPMENT]
            if self.repo.git.contains(ours, theirs):
                raise NotPossible("The branch has everything of development already.")
            message = f"Merge branch '{DEVELOPMENT}' into {pull.head}"
            sha = self.repo.git.write(
                "refs/desk/resolved",
                (ours, theirs),
                self._resolved(ours, theirs),
                message,
                self.github.world.signature(who),
            )
            self.github.force_push(self.repo, pull.head, sha, who.login)
            self._run_tests(number)

    def fail(self, number: int) -> None:
        """Let the automatic tests of an open pull request fail; from the first time on, development asks for them."""
        with self._lock, _in_words():
            self._open_pull(number)
            if not self._has_tests:
                self._ask_for_tests(number)
            self._run_tests(number, "failure")

    def fix(self, number: int) -> None:
        """Let the failed tests of an open pull request pass, as a second run does that had more luck."""
        with self._lock, _in_words():
            if self.tests_of(self._open_pull(number)) != "failure":
                raise NotPossible("Its tests are not red.")
            self._run_tests(number)

    def answer(self, number: int) -> None:
        """Answer Lily's question, as the developer whose pull request it is."""
        with self._lock, _in_words():
            if not self.has_question(self._open_pull(number)):
                raise NotPossible("Lily has asked nothing.")
            self.github.comment(number, ANSWER, by=self._examples[number].author)

    def has_question(self, pull: Pull) -> bool:
        """Tell whether the last word on a pull request is a question of Lily's."""
        said = [one.body for one in self.repo.comments.values() if one.number == pull.number]
        return bool(said) and QUESTION.search(said[-1]) is not None

    def tests_of(self, pull: Pull) -> str | None:
        """Return how the tests of a head ended, None where none ran."""
        found = [one for one in self.repo.checks.get(pull.head_sha, []) if one.name == TESTS]
        return found[-1].conclusion if found else None

    def merge(self, number: int) -> None:
        """Press GitHub's own merge button, as the author would, without waiting for Lily."""
        with self._lock, _in_words():
            pull = self._open_pull(number)
            self.github.merge_as(self._examples[number].author, pull.number, admin=False)

    def can_clash(self, number: int) -> bool:
        """Tell whether development still has the lines that the rival would change."""
        example = self._examples.get(number)
        return example is not None and self._edited(DEVELOPMENT, example.rival.edits) is not None

    def _ask_for_tests(self, number: int) -> None:
        self._has_tests = True
        for pull in self.repo.pulls.values():
            if pull.open and pull.number != number:
                self._run_tests(pull.number)
        self.github.protect(self.repo, DEVELOPMENT, required_contexts=[f"qa-gate/{DEVELOPMENT}", TESTS])

    def _run_tests(self, number: int, conclusion: str = "success") -> None:
        if self._has_tests:
            self.github.set_check(self.repo, self.repo.pulls[number].head_sha, TESTS, conclusion=conclusion)

    def _open_pull(self, number: int) -> Pull:
        pull = self.repo.pulls.get(number)
        if pull is None or number not in self._examples:
            raise NotPossible("There is no such pull request.")
        if not pull.open:
            raise NotPossible("That pull request is not open any more.")
        return pull

    def _commit(self, branch: str, push: Push) -> None:
        start = branch if branch in self.repo.git.branches else DEVELOPMENT
        edited = self._edited(start, push.edits)
        if edited is None:
            raise NotPossible("Somebody has changed those lines already.")
        self.github.commit(self.repo, branch, edited, push.message, push.author, start_from=DEVELOPMENT)

    def _edited(self, branch: str, edits: tuple[Edit, ...]) -> dict[str, str] | None:
        """Return the files of a branch as they are after the edits; None when the lines are not there."""
        files: dict[str, str] = {}
        for edit in edits:
            text = files.get(edit.path) or self._text(self.repo.git.branches[branch], edit.path)
            if (edit.old not in text) if edit.old else text:
                return None
            files[edit.path] = text.replace(edit.old, edit.new) if edit.old else edit.new
        return files

    def _resolved(self, ours: str, theirs: str) -> dict[str, str]:
        """Return the files that a merge of theirs changes in ours."""
        base = self.repo.git.base(ours, theirs) or ours
        return {
            path: git.merged_text(self._text(ours, path), self._text(base, path), self._text(theirs, path))
            for path in (change.path for change in self.repo.git.changes(base, theirs))
        }

    def _text(self, commit: str, path: str) -> str:
        return (git.file_at(self.repo.git.path, commit, path) or b"").decode()


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        raise NotPossible(f"GitHub says no: {refusal.message}") from refusal
