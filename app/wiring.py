"""The only wiring: `create_app` makes the parts from the settings and hands each what it needs.

Called by `server` and the commands. It starts no thread and calls no other service.
It is apart from `app` itself, which each process imports, however little of the gate it needs.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import cache
from typing import Any

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface

from app import folder, web
from app.db.store import Store
from app.domain.policy import Policy, Reviewer
from app.github.client import GitHub
from app.jobs.gate import Gate
from app.links import Links
from app.mail.send import Mailer
from app.settings import Settings
from app.web import webhook
from app.web.frame import SESSION_LASTS
from app.web.pictures import FormRequest


class _Sessions(SecureCookieSessionInterface):
    # Flask signs with SHA-1 unless told otherwise.
    digest_method = staticmethod(hashlib.sha256)

    def __init__(self) -> None:
        # Made once, and not for each request: the keys are those of the settings.
        self.get_signing_serializer = cache(super().get_signing_serializer)  # type: ignore[method-assign]


class _Flask(Flask):
    request_class = FormRequest

    def log_exception(self, exc_info: Any) -> None:
        """Log that a request failed; Flask's own line would show the path, which may be the authority to decide."""
        self.logger.error("%s failed", request.endpoint, exc_info=exc_info)


def create_app(settings: Settings | None = None, gate: Gate | None = None) -> Flask:
    """Return the web application; settings come from the environment unless given.

    `gate` replaces the parts made from the settings. Raises SettingsError or Unavailable.
    """
    settings = settings or Settings.load()
    gate = gate or create_gate(settings)
    app = _Flask("app", template_folder=str(folder("templates")), static_folder=None)
    app.session_interface = _Sessions()
    app.url_map.merge_slashes = False  # else "//" redirects to whatever host the request names
    app.config.update(session_config(settings))
    app.extensions["qa-gate"] = gate
    app.register_blueprint(webhook.blueprint(settings.github_webhook_secret, gate.store, gate.policy))
    app.register_blueprint(web.blueprint(gate))
    return app


def create_gate(settings: Settings, store: Store | None = None) -> Gate:
    """Return the parts of the gate; `store` replaces the one of DATABASE_URL, which is created otherwise."""
    if store is None:
        store = Store(settings.database_url)
        store.create()
    app_key = (settings.github_app_id, settings.github_app_private_key)
    return Gate(
        policy=policy_of(settings),
        store=store,
        links=Links(settings.secret_key, settings.public_url, settings.link_days),
        github=GitHub(
            settings.github_api_url,
            token=settings.github_token,
            app=(app_key[0], app_key[1]) if app_key[0] and app_key[1] else None,
            clock=store.now,
            recall=store.queue.limited_until,
            remember=store.queue.limit,
        ),
        mailer=Mailer(settings.mail_from, settings.ses_configuration_set),
        public_url=settings.public_url,
        timezone=settings.timezone,
        preview_url=settings.preview_url,
        digest_at=settings.digest_at,
        operators=tuple(Reviewer(name, address) for name, address in settings.operator),
    )


def policy_of(settings: Settings) -> Policy:
    """Return the settings that the rules depend on."""
    return Policy(
        reviewers=tuple(Reviewer(name, address) for name, address in settings.qa_reviewers),
        repositories=settings.github_repositories,
        development_branch=settings.development_branch,
        release_branch=settings.release_branch,
        merge_method=settings.merge_method,
        quiet=timedelta(minutes=settings.quiet_minutes),
        wait_for_checks=settings.wait_for_checks,
        ask_despite_conflict=settings.ask_despite_conflict,
        ignore_checks=settings.ignore_checks,
        look=timedelta(minutes=settings.look_minutes),
    )


def session_config(settings: Settings) -> dict[str, object]:
    """Return Flask's settings for the signed session cookie; a `__Host-` cookie is bound to this very host."""
    is_https = settings.public_url.startswith("https://")
    newest, *older = settings.secret_key
    return {
        "SECRET_KEY": newest,
        "SECRET_KEY_FALLBACKS": older,
        "SESSION_COOKIE_NAME": "__Host-qa-gate" if is_https else "qa-gate",
        "SESSION_COOKIE_SECURE": is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        # `web` renews it, once a day.
        "SESSION_REFRESH_EACH_REQUEST": False,
        "PERMANENT_SESSION_LIFETIME": SESSION_LASTS,
    }
