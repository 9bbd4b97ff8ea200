"""What is said about commits and pull requests: statuses, checks, reviews, comments.

Called by the routes (`api`) and by PretendGitHub's own methods, under the lock. Refuses what GitHub refuses,
in its words. Statuses and checks belong to a SHA, reviews and comments to a number.
"""

from __future__ import annotations

from typing import Any

from demo.github import events, rules
from demo.github.state import (
    Check,
    CodeComment,
    Comment,
    Deployment,
    DeploymentStatus,
    Person,
    Pull,
    Refusal,
    Repo,
    Review,
    Status,
)
from demo.github.world import World

STATUS_LIMIT = 1000
_STATES = ("error", "failure", "pending", "success")
_DEPLOYMENT_STATES = "error failure inactive in_progress queued pending success".split()
_EVENTS = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def _refuse_status(field: str, message: str) -> Refusal:
    error = {"resource": "Status", "code": "custom", "field": field, "message": message}
    return Refusal(422, "Validation Failed", [error])


def set_status(
    world: World, repo: Repo, sha: str, said: dict[str, Any], creator: Person, app_id: int | None = None
) -> Status:
    """Set a commit status; said: state, description, target_url, context.

    https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
    """
    if repo.git.resolve_object(sha) != "commit":
        raise Refusal(422, f"No commit found for SHA: {sha}")
    context, description = said.get("context") or "default", said.get("description")
    target = said.get("target_url")
    if said.get("state") not in _STATES:
        raise _refuse_status("state", "state is not included in the list")
    if len(description or "") > 140:
        raise _refuse_status("description", "description is too long (maximum is 140 characters)")
    if len(context) > 255:
        raise _refuse_status("context", "context is too long (maximum is 255 characters)")
    if target and not target.startswith(("http://", "https://")):
        raise _refuse_status("target_url", "target_url must use http(s) scheme")
    before = repo.statuses.setdefault(sha, [])
    if sum(one.context.casefold() == context.casefold() for one in before) >= STATUS_LIMIT:
        raise _refuse_status("base", "This SHA and context has reached the maximum number of statuses.")
    number = next(world.ids)
    status = Status(number, said["state"], description, target or None, context, creator, app_id, world.now())
    before.append(status)
    events.status(world, repo, sha, status)
    return status


def set_check(
    world: World,
    repo: Repo,
    sha: str,
    name: str,
    status: str,
    conclusion: str | None,
    sender: Person,
    app: str = "github-actions",
    again: bool = False,
) -> Check:
    """Report a check run of a commit; the same name of the same app goes on with its newest run.

    again: it is another run beside the earlier ones, in another suite, as a workflow that is started once more makes it.
    """
    if repo.git.resolve_object(sha) != "commit":
        raise Refusal(422, f"No commit found for SHA: {sha}")
    now, known = world.now(), None if again else _newest_check(repo, sha, name, app)
    done = now if status == "completed" else None
    began = known.started_at if known else now
    number = known.id if known else next(world.ids)
    suites = [one.suite for one in repo.checks.get(sha, []) if one.app == app and not again]
    suite = known.suite if known else suites[-1] if suites else next(world.ids)
    check = Check(number, sha, name, status, conclusion, began, done, app, suite)
    others = [one for one in repo.checks.get(sha, []) if one is not known]
    repo.checks[sha] = sorted([*others, check], key=lambda one: one.id)
    events.check(world, repo, check, sender)
    return check


def _newest_check(repo: Repo, sha: str, name: str, app: str) -> Check | None:
    found = [one for one in repo.checks.get(sha, []) if (one.name, one.app) == (name, app)]
    return found[-1] if found else None


def set_deployment_status(
    world: World, repo: Repo, deployment: Deployment, state: str, environment_url: str
) -> None:
    """Say how a deployment goes on.

    https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status
    """
    if state not in _DEPLOYMENT_STATES:
        raise Refusal(422, "Validation Failed", ["state is not included in the list"])
    said = DeploymentStatus(next(world.ids), state, environment_url, deployment.creator, world.now())
    deployment.statuses.append(said)
    events.deployment_status(world, repo, deployment, said)


def add_review(
    world: World, pull: Pull, user: Person, event: str | None, body: str | None, commit_id: str | None
) -> Review:
    """Give a review; without a commit it is of the head as it is now.

    https://docs.github.com/en/rest/pulls/reviews#create-a-review-for-a-pull-request
    """
    if event is not None and event not in _EVENTS:
        raise _refuse_review(
            f"Variable $event of type PullRequestReviewEvent was provided invalid value: {event}"
        )
    if user is pull.user and event == "APPROVE":
        raise _refuse_review("Review Can not approve your own pull request")
    if user is pull.user and event == "REQUEST_CHANGES":
        raise _refuse_review("Review Can not request changes on your own pull request")
    if event in ("REQUEST_CHANGES", "COMMENT") and not (body or "").strip():
        raise _refuse_review("Body can't be blank")
    if commit_id is not None and commit_id not in rules.commits_of(pull):
        raise _refuse_review("The commit_id is not part of the pull request")
    state, at = _EVENTS.get(event or "", "PENDING"), world.now()
    review = Review(next(world.ids), user, body or "", state, commit_id or pull.head_sha, at)
    pull.reviews.append(review)
    pull.requested = [who for who in pull.requested if who is not user]
    pull.updated_at = at
    if state != "PENDING":
        events.reviewed(world, pull, review, "submitted")
    return review


def edit_review(world: World, pull: Pull, number: int, body: str) -> None:
    """Write the text of a review anew."""
    review = next(one for one in pull.reviews if one.id == number)
    before, review.body, pull.updated_at = review.body, body, world.now()
    events.reviewed(world, pull, review, "edited", changes={"body": {"from": before}})


def add_code_comment(world: World, pull: Pull, user: Person, body: object, path: str) -> CodeComment:
    """Comment on a line of the change: a review of its own, with no text but this.

    https://docs.github.com/en/rest/pulls/comments#create-a-review-comment-for-a-pull-request
    """
    text, now = checked_body(body), world.now()
    around = Review(next(world.ids), user, "", "COMMENTED", pull.head_sha, now)
    pull.reviews.append(around)
    comment = CodeComment(next(world.ids), around.id, user, text, path, pull.head_sha, now, now)
    pull.code_comments.append(comment)
    pull.updated_at = now
    events.reviewed(world, pull, around, "submitted")
    events.commented_on_code(world, pull, comment, "created")
    return comment


def edit_code_comment(world: World, pull: Pull, number: int, body: object) -> CodeComment:
    """Write a comment on a line anew."""
    comment = next(one for one in pull.code_comments if one.id == number)
    before, comment.body = comment.body, checked_body(body)
    comment.updated_at = pull.updated_at = world.now()
    events.commented_on_code(world, pull, comment, "edited", changes={"body": {"from": before}})
    return comment


def _refuse_review(message: str) -> Refusal:
    return Refusal(422, "Unprocessable Entity", [message])


def add_comment(world: World, pull: Pull, user: Person, body: object) -> Comment:
    """Write a comment under a pull request.

    https://docs.github.com/en/rest/issues/comments#create-an-issue-comment
    """
    text, now = checked_body(body), world.now()
    comment = Comment(next(world.ids), pull.number, user, text, now, now)
    pull.repo.comments[comment.id] = comment
    pull.updated_at = now
    events.commented(world, pull, comment, "created")
    return comment


def edit_comment(world: World, repo: Repo, number: int, body: object) -> Comment:
    """Write a comment anew."""
    if number not in repo.comments:
        raise Refusal(404, "Not Found")
    comment = repo.comments[number]
    before, comment.body, comment.updated_at = comment.body, checked_body(body), world.now()
    repo.pulls[comment.number].updated_at = world.now()
    events.commented(world, repo.pulls[comment.number], comment, "edited", changes={"body": {"from": before}})
    return comment


def checked_body(body: object) -> str:
    """Return the text of a comment; refuse an empty one, one too long, and what is no text."""
    error = {"resource": "IssueComment", "field": "body", "code": "missing_field"}
    if not isinstance(body, str) or not body.strip():
        raise Refusal(422, "Validation Failed", [error])
    if len(body) > 65_536:
        message = "body is too long (maximum is 65536 characters)"
        raise Refusal(422, "Validation Failed", [error | {"code": "custom", "message": message}])
    return body
