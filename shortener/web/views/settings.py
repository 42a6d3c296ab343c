"""Views of the current settings, the state of the system, and the help page."""

from flask import Blueprint, Response, render_template

from shortener.reporting.health import check_health
from shortener.store import accounts
from shortener.web.context import config, role_required, store
from shortener.web.responses import json_response

blueprint = Blueprint("settings", __name__, url_prefix="/-")


@blueprint.get("/settings")
@role_required("viewer")
def show_settings() -> str:
    """Show the domains, the state of the system, and a text about privacy that newsletters can copy."""
    return render_template("settings.html", health=check_health(config()), users=accounts.count_users(store()))


@blueprint.get("/settings.json")
@role_required("viewer")
def settings_json() -> Response:
    """Return the state of the system as JSON."""
    return json_response(check_health(config()))


@blueprint.get("/help")
@role_required("viewer")
def show_help() -> str:
    """Show the help page, which explains each number."""
    return render_template("help.html")
