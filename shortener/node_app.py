"""The Flask application of a redirect node: pages for readers, previews, health and metrics.

It never connects to the database of the store.
"""

from functools import partial

from flask import Flask

from shortener.config import Config
from shortener.secret_key import session_secret
from shortener.store import open_links_copy
from shortener.web import compression, context, error_pages, filters, languages, security
from shortener.web.views import node_status, public


def build_node_app(config: Config) -> Flask:
    """Return the application of a node's pages. Raises ConfigError and StoreError."""
    app = security.PagesApp(
        __name__, static_folder="web/static", static_url_path="/-/static", template_folder="web/templates"
    )
    app.config["SECRET_KEY"] = session_secret(config)
    security.init_app(app, config=config)
    context.init_app(app, config=config, open_connection=partial(open_links_copy, config.data_directory))
    compression.init_app(app)
    languages.init_app(app, account_language=lambda: "")
    filters.init_app(app)
    error_pages.init_app(app, other_handlers={})
    app.register_blueprint(node_status.blueprint)
    app.register_blueprint(public.blueprint)
    return app
