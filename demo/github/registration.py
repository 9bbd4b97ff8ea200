"""How an App comes to be: the manifest form on the website, its conversion, installing it; and webhooks' settings.

Hung on the front by PretendGitHub. Whoever opens the website is signed in as the owner. There is one App at a time.
https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import json
import secrets
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from demo.github import shapes
from demo.github.api import Routes, created, given, page
from demo.github.shapes import Json
from demo.github.state import Refusal, Repo
from demo.github.webhooks import Delivery, Webhooks

# What an App must be allowed to be told of an event.
_EVENT_RIGHTS = {
    "check_run": "checks",
    "check_suite": "checks",
    "deployment_status": "deployments",
    "issue_comment": "issues",
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "pull_request_review_comment": "pull_requests",
    "push": "contents",
    "status": "statuses",
}
LONGEST_NAME = 34


class RegistrationApi:
    def __init__(self, routes: Routes, webhooks: Webhooks) -> None:
        self.world, self.webhooks = routes.world, webhooks
        self.manifests: dict[str, tuple[str, Json]] = {}  # by code: whose App, and what it is to be
        app = routes.front.app
        for rule in ("/settings/apps/new", "/organizations/<owner>/settings/apps/new"):
            app.add_url_rule(rule, f"form {rule}", self.form, methods=["POST"])
            app.add_url_rule(f"{rule}/create", f"create {rule}", self.create, methods=["POST"])
        app.add_url_rule("/apps/<slug>/installations/new", "install form", self.install_form)
        app.add_url_rule("/apps/<slug>/installations/new", "install", self.install, methods=["POST"])
        routes.add_plain("POST", "/app-manifests/<code>/conversions", self.convert)
        routes.add_plain("GET", "/users/<login>", self.user)
        routes.add_plain("GET", "/app/hook/config", self.hook_config, "app")
        routes.add_plain("PATCH", "/app/hook/config", self.change_hook, "app")
        routes.add_plain("GET", "/app/hook/deliveries", self.deliveries, "app")
        routes.add("GET", "/hooks", self.hooks, "repository_hooks:read")
        routes.add("POST", "/hooks", self.add_hook, "repository_hooks")
        routes.add("PATCH", "/hooks/<int:number>", self.edit_hook, "repository_hooks")

    # --- The website -----------------------------------------------------------------------------------------

    def form(self, owner: str = "") -> ResponseReturnValue:
        """Show what was sent, and let the person confirm it."""
        if owner.casefold() not in {"", *self.world.people}:
            raise Refusal(404, "Not Found")
        manifest, state = request.form.get("manifest", ""), request.args.get("state", "")
        try:
            self._checked(json.loads(manifest))
        except (ValueError, KeyError) as error:
            return Response(f"The manifest is invalid: {escape(str(error))}", 422)
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">'
            for name, value in (("manifest", manifest), ("state", state))
        )
        button = "<button>Create GitHub App</button>"
        return Response(f'<form method="post" action="{request.path}/create">{fields}{button}</form>')

    def create(self, owner: str = "") -> ResponseReturnValue:
        """Lead back with a code, as GitHub does."""
        manifest, code = json.loads(request.form["manifest"]), secrets.token_hex(20)
        with self.world.lock:
            self.manifests[code] = (owner or self.world.person("olga").login, manifest)
        query = urlencode({"code": code, "state": request.form["state"]})
        return redirect(f"{manifest['redirect_url']}?{query}", 302)

    def install_form(self, slug: str) -> ResponseReturnValue:
        return Response(f'<form method="post" action="{request.path}"><button>Install {slug}</button></form>')

    def install(self, slug: str) -> ResponseReturnValue:
        if slug != self.world.app_slug:
            raise Refusal(404, "Not Found")
        self.world.app_installed = True
        return Response("Installed.")

    @staticmethod
    def _checked(manifest: Json) -> None:
        rights = manifest["default_permissions"]
        if len(manifest.get("name", "")) > LONGEST_NAME:
            raise ValueError("Name is too long (maximum is 34 characters)")
        if not urlsplit(manifest["hook_attributes"]["url"]).hostname or not manifest["url"]:
            raise ValueError("Url must be a valid URL")
        for event in manifest["default_events"]:
            if event not in _EVENT_RIGHTS:
                raise ValueError(f"Default events unsupported: {event}")
            if _EVENT_RIGHTS[event] not in rights:
                raise ValueError(f"Default events are not supported by permissions: {event}")

    # --- The API ---------------------------------------------------------------------------------------------

    def user(self, login: str) -> Json:
        if login.casefold() not in self.world.people:
            raise Refusal(404, "Not Found")
        return shapes.person(self.world, self.world.person(login))

    def convert(self, code: str) -> ResponseReturnValue:
        """Make the App; its code works once."""
        if code not in self.manifests:
            raise Refusal(404, "Not Found")
        owner, manifest = self.manifests.pop(code)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        world, number = self.world, next(self.world.ids)
        if world.app_id is not None:
            world.apps[world.app_id] = world.app_slug
        world.app_id, world.app_installed = number, False
        world.app_slug = manifest["name"].lower().replace(" ", "-")
        world.app_owner = world.person(owner)
        world.app_key = _pem(key.public_key())
        world.app_events = list(manifest["default_events"])
        world.app_rights = {
            name if level == "write" else f"{name}:{level}"
            for name, level in manifest["default_permissions"].items()
        }
        self.webhooks.url, self.webhooks.secret = manifest["hook_attributes"]["url"], secrets.token_hex(20)
        rights = dict(manifest["default_permissions"])
        made = shapes.integration(world, number, world.app_slug, world.person(owner), rights)
        more = {
            "client_secret": secrets.token_hex(20),
            "webhook_secret": self.webhooks.secret,
            "pem": _pem(key),
        }
        body = {**made, "events": world.app_events, **more}
        return created(body, f"{world.api}/app")

    def hook_config(self) -> Json:
        return {
            "content_type": self.world.hook_type,
            "insecure_ssl": "0",
            "secret": "********",
            "url": self.webhooks.url or "",
        }

    def change_hook(self) -> Json:
        body = given()
        self.webhooks.url = body.get("url", self.webhooks.url)
        self.webhooks.secret = body.get("secret", self.webhooks.secret)
        self.world.hook_type = body.get("content_type", self.world.hook_type)
        return self.hook_config()

    def deliveries(self) -> Response:
        return page(self.webhooks.deliveries[::-1], self._delivery)

    def _delivery(self, one: Delivery) -> Json:
        repository = one.payload.get("repository") or {}
        said = "OK" if one.status and one.status < 300 else f"Invalid HTTP Response: {one.status}"
        return {
            "id": int(one.id.replace("-", "")[:12], 16),
            "guid": one.id,
            "delivered_at": shapes.time(self.world.now()),
            "redelivery": one.sent > 1,
            "duration": 0.1,
            "status": said if one.status else "failed to connect to host",
            "status_code": one.status or 0,
            "event": one.event,
            "action": one.action,
            "installation_id": self.world.installation_id,
            "repository_id": repository.get("id"),
            "throttled_at": None,
        }

    # --- A repository's own webhooks -------------------------------------------------------------------------

    def hooks(self, repo: Repo) -> Response:
        return page(list(repo.hooks.values()), lambda hook: self._hook(repo, hook))

    def _hook(self, repo: Repo, hook: Json) -> Json:
        sent = [one for one in self.webhooks.deliveries if one.sent]
        last: Json = {"code": None, "status": "unused", "message": None}
        if sent:
            code = sent[-1].status
            is_good = code is not None and code < 300
            last = {"code": code or 0, "status": "active" if is_good else "misconfigured", "message": None}
        return {
            **{name: value for name, value in hook.items() if name != "config"},
            "type": "Repository",
            "url": f"{shapes.repo_api(self.world, repo)}/hooks/{hook['id']}",
            "config": {**hook["config"], "secret": "********"},
            "last_response": last,
        }

    def add_hook(self, repo: Repo) -> ResponseReturnValue:
        body = given()
        url = body.get("config", {}).get("url")
        if not url:
            raise Refusal(422, "Validation Failed", ["url cannot be blank"])
        if any(one["config"]["url"] == url for one in repo.hooks.values()):
            raise Refusal(422, "Validation Failed", ["Hook already exists on this repository"])
        hook: Json = {"id": next(self.world.ids), "name": "web", "active": True, "events": ["push"], **body}
        repo.hooks[hook["id"]] = hook
        self._use(hook)
        return created(self._hook(repo, hook), self._hook(repo, hook)["url"])

    def edit_hook(self, repo: Repo, number: int) -> Json:
        if number not in repo.hooks:
            raise Refusal(404, "Not Found")
        repo.hooks[number] |= {name: value for name, value in given().items() if name != "name"}
        self._use(repo.hooks[number])
        return self._hook(repo, repo.hooks[number])

    def _use(self, hook: Json) -> None:
        self.webhooks.url, self.webhooks.secret = hook["config"]["url"], hook["config"].get("secret", "")


def _pem(key: Any) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        return key.public_bytes(serialization.Encoding.PEM, kind).decode()
    form, none = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    text: bytes = key.private_bytes(serialization.Encoding.PEM, form, none)
    return text.decode()
