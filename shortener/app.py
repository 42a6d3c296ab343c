"""Wiring: the Flask app with its pages, and the redirect handler in front of it."""

from flask import Flask

from shortener import config as configuration
from shortener.config import Config
from shortener.redirect.handler import RedirectHandler
from shortener.secrets import session_secret
from shortener.store import open_store
from shortener.web import pages


def create_app(config: Config | None = None) -> Flask:
    """The WSGI application: short links are redirected by the handler, everything else is a page.

    Without ``config`` it is found as the commands find it (``SHORTENER_CONFIG``, ``config.toml``).
    Raises ConfigError, StoreError.
    """
    if config is None:
        environment = configuration.environment()
        config = configuration.load(
            configuration.find(None, environment=environment), environment=environment
        )
    app = create_pages(config)
    app.wsgi_app = RedirectHandler(app.wsgi_app, config=config)  # type: ignore[method-assign]
    return app


def create_pages(config: Config) -> Flask:
    """The pages alone, for the process that has no short links to answer. Raises ConfigError, StoreError."""
    open_store(config.data).close()
    app = Flask(
        __name__, static_folder="web/static", static_url_path="/-/static", template_folder="web/templates"
    )
    app.config["SECRET_KEY"] = session_secret(config)
    app.config["MAX_CONTENT_LENGTH"] = 8 * 1024 * 1024
    app.extensions["shortener"] = config
    app.register_blueprint(pages.blueprint)
    pages.protect(app, config=config)
    return app
