"""Wiring: the Flask app with its pages, and the redirect handler in front of it."""

from flask import Flask

from shortener import config as configuration
from shortener.config import Config
from shortener.redirect.redirector import RedirectMiddleware
from shortener.secret_key import session_secret
from shortener.store import open_store
from shortener.web import cache, context, error_pages, filters, security
from shortener.web.views import accounts, issues, links, new_issue, public, ranking, reports, settings

MAX_REQUEST_BYTES = 16 * 1024 * 1024
"""Largest request: an issue of the largest size, also when it comes back from its preview in base64."""


def create_app(config: Config | None = None) -> Flask:
    """The WSGI application: short links are redirected by the handler, everything else is a page.

    Without ``config`` it is found as the commands find it (``SHORTENER_CONFIG``, ``config.toml``).
    Raises ConfigError, StoreError.
    """
    if config is None:
        environment = configuration.environment()
        config = configuration.load(
            configuration.find_file(None, environment=environment), environment=environment
        )
    app = create_pages_app(config)
    app.wsgi_app = RedirectMiddleware(app.wsgi_app, config=config)  # type: ignore[method-assign]
    return app


def create_pages_app(config: Config) -> Flask:
    """The pages alone, and their store. Raises ConfigError, StoreError."""
    open_store(config.data_directory).close()
    return build_pages_app(config)


def build_pages_app(config: Config) -> Flask:
    """The pages alone, for a server that starts them also while its store is away. Raises ConfigError, StoreError."""
    app = Flask(
        __name__, static_folder="web/static", static_url_path="/-/static", template_folder="web/templates"
    )
    app.config["SECRET_KEY"] = session_secret(config)
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = MAX_REQUEST_BYTES
    app.config["MAX_FORM_PARTS"] = 1_000
    app.extensions["config"] = config
    security.init_app(app, config=config)
    context.init_app(app, config=config)
    filters.init_app(app, config=config)
    accounts.init_app(app)
    issues.init_app(app)
    cache.init_app(app)
    error_pages.init_app(app)
    for room in (public, accounts, issues, new_issue, reports, ranking, links, settings):
        app.register_blueprint(room.blueprint)
    return app
