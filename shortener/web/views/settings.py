"""Settings, as far as they are to be seen here, and help: what each number means."""

from flask import Blueprint, Response, render_template

from shortener.reporting.health import health
from shortener.store import accounts
from shortener.web.context import config, needs, store
from shortener.web.responses import as_json

blueprint = Blueprint("settings", __name__, url_prefix="/-")


@blueprint.get("/settings")
@needs("viewer")
def show_settings() -> str:
    """Domains, how the installation is, and the privacy text to paste into a newsletter."""
    return render_template("settings.html", health=health(config()), users=accounts.count(store()))


@blueprint.get("/settings.json")
@needs("viewer")
def settings_json() -> Response:
    """How the installation is, as JSON."""
    return as_json(health(config()))


@blueprint.get("/help")
@needs("viewer")
def show_help() -> str:
    """What each number means."""
    return render_template("help.html")
