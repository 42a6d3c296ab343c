"""Views of the settings that editors change, of the state of the system for admins, and of the help page."""

import functools
from zoneinfo import available_timezones

import msgspec
from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from shortener.config_sources import ENVIRONMENT_PREFIX
from shortener.messages import message_text
from shortener.reporting.health import check_health
from shortener.services import history
from shortener.services.settings import find_changes, put_settings
from shortener.settings import GEMS, NAME, PRIVACY_TEXT, TOP, ZONE, home_key, setting_keys, setting_texts
from shortener.short_urls import build_short_url
from shortener.store import listings
from shortener.store.listings import LinkFilter
from shortener.web.context import config, current_user, file_config, now, role_required, store
from shortener.web.field_errors import form_view
from shortener.web.forms import read_text
from shortener.web.languages import all_languages, current_language, translated_text, use_language
from shortener.web.languages import gettext as _
from shortener.web.responses import json_response, redirect_after_edit, redirect_with_notice
from shortener.web.views.history import SETTINGS_PAGE, undoable

blueprint = Blueprint("settings", __name__, url_prefix="/-")

MAX_SETTING_LENGTH = 8_000
"""Longest text of a field in characters; each setting has a limit of its own below it."""
MAX_SUMMARY_VALUE_LENGTH = 60
REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
"""First parts of the names of time zones. The others are old names of the same zones."""


@blueprint.get("/settings")
@role_required("viewer")
def show_settings() -> str:
    """Show the settings of the site, for editors as a form, and a text about privacy that newsletters can copy."""
    return _render_settings()


def _render_settings() -> str:
    keys = setting_keys(file_config())
    return render_template(
        "settings.html",
        values=setting_texts(config(), keys),
        defaults=setting_texts(file_config(), keys),
        locks={key: _explain_lock(origin) for key, origin in file_config().given.items() if key in keys},
        homes={domain.host: home_key(domain.host) for domain in config().domains},
        zones=list_zones(),
        privacy_texts=_privacy_texts_by_language(),
        example=_example_url(),
        changes=history.list_changes(store(), SETTINGS_PAGE),
    )


def _example_url() -> str:
    found = listings.search_links(store(), LinkFilter(status="active"), now=now(), limit=1)
    return build_short_url(found[0].domain, found[0].code, domains=config().domains) if found else ""


def _privacy_texts_by_language() -> dict[str, str]:
    languages = sorted(all_languages().values(), key=lambda language: language != current_language())
    texts = {}
    for language in languages:
        with use_language(language.tag):
            texts[language.name] = render_template("privacy.html").strip()
    return texts


def _explain_lock(origin: str) -> str:
    # ``origin`` names the environment variable or the configuration file that has the setting.
    if origin.startswith(ENVIRONMENT_PREFIX):
        return _("Fixed in the environment of the server. Only the person who runs the server can change it.")
    return _("Fixed in the configuration file of the server. Only the person who runs the server can change it.")


@functools.cache
def list_zones() -> dict[str, list[str]]:
    """Return the names of all time zones by region, such as Europe. UTC is in the region ''."""
    zones: dict[str, list[str]] = {"": ["UTC"]}
    for zone in sorted(available_timezones()):
        region = zone.partition("/")[0]
        if region in REGIONS and zone != region:
            zones.setdefault(region, []).append(zone)
    return zones


@blueprint.post("/settings")
@role_required("editor")
@form_view("settings", NAME, page=_render_settings)
def save_settings() -> BaseResponse:
    """Store the settings of the form that differ from the present ones."""
    keys = [key for key in setting_keys(file_config()) if key in request.form]
    texts = {key: read_text(request.form, key, max_length=MAX_SETTING_LENGTH) for key in keys}
    confirmed = request.form.get("confirmed") == "yes"
    with store().transaction():
        changes = find_changes(store(), texts, config=file_config(), confirmed=confirmed)
        with history.recorded(
            store(),
            lambda: history.stored_settings(store(), keys),
            page=SETTINGS_PAGE,
            summary=_summarize_changes(changes),
            who=current_user().name,
            now=now(),
        ) as recorder:
            put_settings(store(), changes)
    if recorder.change_id is None:
        return redirect_with_notice(_("Nothing was changed."), "settings.show_settings")
    return redirect_after_edit(undoable(_("The settings are saved."), recorder.change_id), "settings.show_settings")


def _summarize_changes(changes: dict[str, str | None]) -> str:
    names = {
        NAME: _("Name of the site"),
        ZONE: _("Time zone"),
        TOP: _("Number of top picks"),
        GEMS: _("Number of hidden gems"),
        PRIVACY_TEXT: _("Privacy text"),
    } | {home_key(domain.host): _("Home page of {host}", host=domain.host) for domain in file_config().domains}
    defaults = setting_texts(file_config(), changes)
    parts = []
    for key, value in changes.items():
        text = defaults[key] if value is None else value
        short = text if len(text) <= MAX_SUMMARY_VALUE_LENGTH else f"{text[:MAX_SUMMARY_VALUE_LENGTH]}…"
        parts.append(translated_text(_("{name}: {value}", name=names[key], value=short or _("none"))))
    return "; ".join(parts)


@blueprint.get("/settings.json")
@role_required("viewer")
def settings_json() -> Response:
    """Return the state of the system and the settings in force as JSON."""
    health = msgspec.to_builtins(check_health(file_config()), enc_hook=message_text)
    return json_response(health | {"settings": setting_texts(config(), setting_keys(config()))})


@blueprint.get("/settings/system")
@role_required("admin")
def show_system() -> str:
    """Show the health and the domains of the installation, and how to add a database for the countries of clicks."""
    return render_template("system.html", health=check_health(file_config()), has_countries=_has_countries())


def _has_countries() -> bool:
    return bool(file_config().networks.countries)


@blueprint.get("/help")
@role_required("viewer")
def show_help() -> str:
    """Show the help page: a short guide, and the explanation of each term."""
    return render_template("help.html")
