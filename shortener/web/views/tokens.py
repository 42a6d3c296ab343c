"""Views of the tokens for the JSON API: users manage their own tokens, admins the tokens of all users."""

from datetime import date

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import FieldError
from shortener.messages import Message
from shortener.reporting.formatting import struct_rows
from shortener.services import tokens
from shortener.services.tokens import TokenSummary
from shortener.store import tokens as stored_tokens
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.field_errors import errors_at, form_view
from shortener.web.forms import read_text
from shortener.web.languages import gettext as _
from shortener.web.responses import csv_response, json_response, redirect_with_notice
from shortener.web.views.accounts import render_account

blueprint = Blueprint("tokens", __name__, url_prefix="/-")


@blueprint.post("/account/tokens")
@role_required("viewer")
@form_view("token", "name", page=render_account)
def create_token() -> str:
    """Create an API token for the user, and show its text, which is not stored."""
    name = read_text(request.form, "name")
    expires_at = _read_expiry()
    with errors_at("scopes"):
        scopes = tokens.parse_scopes(request.form.getlist("scopes"))
    created = tokens.add_token(store(), current_user().name, name, scopes=scopes, expires_at=expires_at, now=now())
    return render_account(new_token=created.text, new_token_name=created.token.name)


def _read_expiry() -> int | None:
    # A token is valid until the end of the entered day.
    text = read_text(request.form, "expires", max_length=20)
    if not text:
        return None
    try:
        expires_at = tokens.end_of_day(date.fromisoformat(text), zone=config().zone)
    except (ValueError, OverflowError):
        raise FieldError(Message("enter a day such as 2027-01-31"), field="expires") from None
    if expires_at <= now():
        raise FieldError(Message("this day is over; choose a later one"), field="expires")
    return expires_at


@blueprint.post("/account/tokens/revoke")
@role_required("viewer")
@form_view("revoke", "name", page=render_account)
def revoke_own_token() -> BaseResponse:
    """Revoke an API token of the user."""
    revoked = tokens.revoke_token(store(), read_text(request.form, "name"), owner=current_user().name)
    return redirect_with_notice(_("The token {name} is revoked.", name=revoked.name), "accounts.account")


@blueprint.get("/settings/tokens")
@role_required("admin")
def list_tokens() -> str:
    """Show the API tokens of all users."""
    return _render_list()


def _render_list() -> str:
    return render_template("tokens.html", tokens=_list_tokens())


@blueprint.get("/settings/tokens.json")
@role_required("admin")
def tokens_json() -> Response:
    """Return the API tokens of all users as JSON, as ``token list --format json`` prints them."""
    return json_response(_list_tokens())


@blueprint.get("/settings/tokens.csv")
@role_required("admin")
def tokens_csv() -> Response:
    """Return the API tokens of all users as CSV."""
    columns = TokenSummary.__struct_fields__
    return csv_response("tokens", columns, struct_rows(_list_tokens(), columns))


def _list_tokens() -> list[TokenSummary]:
    return [tokens.summarize(each) for each in stored_tokens.list_all(store())]


@blueprint.post("/settings/tokens/revoke")
@role_required("admin")
@form_view("revoke", "name", page=_render_list)
def revoke_token() -> BaseResponse:
    """Revoke an API token of any user."""
    name, owner = read_text(request.form, "name"), read_text(request.form, "owner")
    revoked = tokens.revoke_token(store(), name, owner=owner)
    text = _("The token {name} of {owner} is revoked.", name=revoked.name, owner=revoked.owner)
    return redirect_with_notice(text, "tokens.list_tokens")
