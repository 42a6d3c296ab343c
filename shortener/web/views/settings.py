"""Settings, as far as they are to be seen here, and help: what each number means."""

from flask import Blueprint, Response, render_template

from shortener.reporting.health import check_health
from shortener.store import accounts
from shortener.web.context import config, role_required, store
from shortener.web.responses import json_response

blueprint = Blueprint("settings", __name__, url_prefix="/-")


@blueprint.get("/settings")
@role_required("viewer")
def show_settings() -> str:
    """Domains, how the installation is, and the privacy text to paste into a newsletter."""
    return render_template(
        "settings.html", health=check_health(config()), users=accounts.count_users(store())
    )


@blueprint.get("/settings.json")
@role_required("viewer")
def settings_json() -> Response:
    """How the installation is, as JSON."""
    return json_response(check_health(config()))


@blueprint.get("/help")
@role_required("viewer")
def show_help() -> str:
    """What each number means."""
    return render_template("help.html")
