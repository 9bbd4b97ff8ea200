"""The REST calls about pull requests, their reviews and comments, as GitHub documents them.

Hung on the front by PretendGitHub through `api.Routes`. What the calls do is in `pulls`, `merging` and `marks`.
https://docs.github.com/en/rest/pulls/pulls
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from demo.github import marks, merging, pull_shapes, pulls, shapes
from demo.github.api import Routes, created, given, page
from demo.github.attachments import Attachments
from demo.github.front import need
from demo.github.shapes import Json
from demo.github.state import Pull, Refusal, Repo

_READ, _WRITE = "pull_requests:read", "pull_requests"
_ONE = "/pulls/<int:number>"


class PullApi:
    def __init__(self, routes: Routes, attachments: Attachments) -> None:
        self.world, self.attachments = routes.world, attachments
        add = routes.add
        add("GET", "/pulls", self.listed, _READ)
        add("POST", "/pulls", self.open, _WRITE)
        add("GET", _ONE, self.one, _READ)
        add("PATCH", _ONE, self.edit, _WRITE)
        add("GET", f"{_ONE}/reviews", self.reviews, _READ)
        add("POST", f"{_ONE}/reviews", self.review, _WRITE)
        add("GET", f"{_ONE}/reviews/<int:id_>", self.one_review, _READ)
        add("GET", f"{_ONE}/comments", self.code_comments, _READ)
        add("GET", "/pulls/comments/<int:id_>", self.one_code_comment, _READ)
        add("PUT", f"{_ONE}/merge", self.merge, "contents")
        add("PUT", f"{_ONE}/update-branch", self.update_branch, _WRITE)
        add("GET", "/issues/<int:number>/comments", self.comments)
        add("POST", "/issues/<int:number>/comments", self.comment)
        add("GET", "/issues/comments/<int:id_>", self.one_comment)
        add("PATCH", "/issues/comments/<int:number>", self.edit_comment)
        add("GET", "/issues/<int:number>/events", self.events, "issues:read")

    def listed(self, repo: Repo) -> Response:
        asked = request.args
        state, sort = asked.get("state", "open"), asked.get("sort", "created")
        direction = asked.get("direction", "desc" if sort == "created" else "asc")
        head = asked.get("head", "")
        found = [
            pull
            for pull in repo.pulls.values()
            if state in ("all", pull.state)
            and asked.get("base", pull.base) == pull.base
            and (":" not in head or head.casefold() == f"{pull.head_owner.login}:{pull.head}".casefold())
        ]
        by = "updated_at" if sort == "updated" else "created_at"
        found.sort(key=lambda pull: (getattr(pull, by), pull.number), reverse=direction == "desc")
        return page(found, lambda pull: pull_shapes.pull_simple(self.world, pull))

    def open(self, repo: Repo) -> ResponseReturnValue:
        body = given()
        for name in ("title", "head", "base"):
            if not isinstance(body.get(name), str):
                raise pulls.invalid("PullRequest", name, "missing_field")
        owner, _, branch = body["head"].rpartition(":")
        home = self._home(repo, owner)
        draft, text = bool(body.get("draft")), body.get("body")
        pull = pulls.open_pull(
            self.world, repo, home, branch, body["base"], body["title"], text, g.actor, draft
        )
        answer = self._write(pull)
        return created(answer, answer["url"])

    def _home(self, repo: Repo, owner: str) -> Repo:
        if owner.casefold() in ("", repo.owner.login.casefold()):
            return repo
        for other in self.world.repos.values():
            if (
                other.fork_of is repo
                and other.owner.login.casefold() == owner.casefold()
                and not other.deleted
            ):
                return other
        raise pulls.invalid("PullRequest", "head")

    def _write(self, pull: Pull, read: bool = False) -> Json:
        return pull_shapes.pull_request(self.world, pull, read=read)

    def one(self, repo: Repo, number: int) -> Json:
        return self.attachments.with_html(self._write(pulls.find(repo, number), read=True))

    def edit(self, repo: Repo, number: int) -> Json:
        pull, body = pulls.find(repo, number), given()
        title, text = body.get("title"), body.get("body")
        if "title" in body and (not isinstance(title, str) or not title.strip()):
            raise pulls.invalid("PullRequest", "title", "missing_field")
        if body.get("state") not in (None, "open", "closed"):
            raise pulls.invalid("PullRequest", "state")
        pulls.edit(self.world, pull, g.actor, title, text)
        if body.get("base"):
            pulls.retarget(self.world, pull, body["base"], g.actor)
        if body.get("state") == "closed":
            pulls.close(self.world, pull, g.actor)
        if body.get("state") == "open":
            pulls.reopen(self.world, pull, g.actor)
        return self._write(pull)

    def reviews(self, repo: Repo, number: int) -> Response:
        pull = pulls.find(repo, number)
        return page(pull.reviews, lambda one: pull_shapes.review(self.world, pull, one))

    def review(self, repo: Repo, number: int) -> Json:
        pull, body = pulls.find(repo, number), given()
        event, text, commit = body.get("event"), body.get("body"), body.get("commit_id")
        return pull_shapes.review(
            self.world, pull, marks.add_review(self.world, pull, g.actor, event, text, commit)
        )

    def code_comments(self, repo: Repo, number: int) -> Response:
        pull = pulls.find(repo, number)
        return page(pull.code_comments, lambda one: pull_shapes.code_comment(self.world, pull, one))

    def one_review(self, repo: Repo, number: int, id_: int) -> Json:
        pull = pulls.find(repo, number)
        return self._as_asked(
            pull_shapes.review(self.world, pull, one) for one in pull.reviews if one.id == id_
        )

    def one_code_comment(self, repo: Repo, id_: int) -> Json:
        return self._as_asked(
            pull_shapes.code_comment(self.world, pull, one)
            for pull in repo.pulls.values()
            for one in pull.code_comments
            if one.id == id_
        )

    def one_comment(self, repo: Repo, id_: int) -> Json:
        self._may_comment("read")
        found = repo.comments.values()
        return self._as_asked(pull_shapes.comment(self.world, repo, one) for one in found if one.id == id_)

    def _as_asked(self, found: Iterator[Json]) -> Json:
        one = next(found, None)
        if one is None:
            raise Refusal(404, "Not Found")
        return self.attachments.with_html(one)

    def merge(self, repo: Repo, number: int) -> Json:
        pull, body = pulls.find(repo, number), given()
        sha = merging.merge(
            self.world,
            pull,
            g.actor,
            method=body.get("merge_method") or "merge",
            sha=body.get("sha"),
            title=body.get("commit_title"),
            message=body.get("commit_message"),
            workflows="workflows" in self.world.rights,
        )
        return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}

    def update_branch(self, repo: Repo, number: int) -> ResponseReturnValue:
        pull = pulls.find(repo, number)
        merging.update_branch(self.world, pull, given().get("expected_head_sha"), g.actor)
        url = f"{shapes.repo_html(self.world, repo)}/pull/{number}"
        return jsonify({"message": "Updating pull request branch.", "url": url}), 202

    def comments(self, repo: Repo, number: int) -> Response:
        pull = pulls.find(repo, number)
        self._may_comment("read")
        found = [one for one in repo.comments.values() if one.number == pull.number]
        return page(found, lambda one: pull_shapes.comment(self.world, repo, one))

    def comment(self, repo: Repo, number: int) -> ResponseReturnValue:
        pull = pulls.find(repo, number)
        self._may_comment("write")
        one = marks.add_comment(self.world, pull, g.actor, given().get("body"))
        body = pull_shapes.comment(self.world, repo, one)
        return created(body, body["url"])

    def edit_comment(self, repo: Repo, number: int) -> Json:
        self._may_comment("write")
        return pull_shapes.comment(
            self.world, repo, marks.edit_comment(self.world, repo, number, given().get("body"))
        )

    def events(self, repo: Repo, number: int) -> Response:
        pull = pulls.find(repo, number)
        return page(pull.events, lambda one: pull_shapes.issue_event(self.world, pull, one))

    def _may_comment(self, level: str) -> None:
        """Let pass who may write issues or pull requests: GitHub takes either for a comment."""

        if not {"issues", "pull_requests"} & self.world.rights:
            need(self.world, "issues" if level == "write" else "issues:read")
