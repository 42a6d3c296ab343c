"""The Flask application with all pages and the JSON API, alone or together with the redirects."""

from flask import Flask

from shortener.api import application as api
from shortener.api import problems, yourls
from shortener.api.operations import PREFIX as API_PREFIX
from shortener.api.shlink import application as shlink
from shortener.config import Config, environment, find_file, load
from shortener.redirect.redirector import RedirectMiddleware
from shortener.secret_key import session_secret
from shortener.store import open_store
from shortener.web import (
    cache,
    components,
    compression,
    context,
    domain_status,
    error_pages,
    filters,
    languages,
    link_checks,
    security,
    terms,
)
from shortener.web.views import (
    accounts,
    articles,
    audience,
    click_map,
    history,
    issue_ready,
    issue_review,
    issues,
    link_list,
    links,
    moved,
    new_issue,
    overview,
    picks,
    public,
    qr_codes,
    reports,
    search,
    settings,
    setup,
    status,
    tokens,
    webhooks,
)


def create_app(config: Config | None = None) -> Flask:
    """Return a WSGI application that answers short links and pages.

    Without ``config``, the configuration file is read. Raises ConfigError, StoreError.
    """
    # The file is the one that ``SHORTENER_CONFIG`` names, or ``config.toml``.
    if config is None:
        variables = environment()
        config = load(find_file(None, environment=variables), environment=variables)
    app = create_pages_app(config)
    app.wsgi_app = RedirectMiddleware(app.wsgi_app, config=config)  # type: ignore[method-assign]
    return app


def create_pages_app(config: Config) -> Flask:
    """Create the store or migrate it to the current schema, then return the Flask application of the pages.

    Raises ConfigError and StoreError.
    """
    open_store(config.data_directory, url=config.storage.url).close()
    return build_pages_app(config)


def build_pages_app(config: Config) -> Flask:
    """Return the Flask application of the pages, without short links and without opening the store.

    Raises ConfigError and StoreError.
    """
    app = security.PagesApp(
        __name__, static_folder="web/static", static_url_path="/-/static", template_folder="web/templates"
    )
    app.config["SECRET_KEY"] = session_secret(config)
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = security.MAX_REQUEST_BYTES
    app.config["MAX_FORM_PARTS"] = 1_000
    security.init_app(app, config=config)
    context.init_app(app, config=config)
    compression.init_app(app)
    languages.init_app(app, account_language=context.account_language)
    filters.init_app(app)
    components.init_app(app)
    terms.init_app(app)
    accounts.init_app(app)
    link_checks.init_app(app)
    cache.init_app(app)
    domain_status.init_app(app, config=config)
    compatible = [{"yourls": yourls, "shlink": shlink}[name] for name in config.api.compatible]
    handlers = {module.PATH: module.handle_error for module in compatible}
    error_pages.init_app(app, other_handlers={API_PREFIX: problems.handle_error, **handlers})
    api.init_app(app, config=config)
    for module in compatible:
        app.register_blueprint(module.blueprint)
    issue_views = (issues, new_issue, issue_review, issue_ready, setup, reports, click_map, audience)
    editor_views = (overview, *issue_views, search, articles, picks, link_list, links, qr_codes)
    for view in (public, status, accounts, tokens, history, *editor_views, settings, webhooks, moved):
        app.register_blueprint(view.blueprint)
    return app
