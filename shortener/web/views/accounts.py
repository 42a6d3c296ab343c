"""Signing in and out, the one-time address, and one's own password."""

import re
import time

from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from shortener.errors import ShortenerError
from shortener.reporting.counts import to_datetime_or_none
from shortener.services import accounts
from shortener.store import accounts as stored
from shortener.store.accounts import User
from shortener.web.context import (
    SESSION_COOKIE,
    client_address,
    config,
    current_user,
    current_user_or_none,
    now,
    role_required,
    store,
)
from shortener.web.forms import read_text
from shortener.web.login_throttle import LoginThrottle
from shortener.web.responses import csv_response, json_response
from shortener.web.security import cookie_name, is_https

blueprint = Blueprint("accounts", __name__, url_prefix="/-")

LOGIN_ERROR_MESSAGE = "That name and password do not belong together."
NEXT_URL_PATTERN = re.compile(r"/-/[A-Za-z0-9._~%=&?+:@!$'()*,;/-]*", re.ASCII)
_USER_COLUMNS = ("name", "role", "has_password", "seen_at")
MAX_NEXT_LENGTH = 1_000  # characters

PageResponse = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


def init_app(app: Flask) -> None:
    """Give the app its count of failures."""
    app.extensions["login_throttle"] = LoginThrottle(time.monotonic)


def safe_next_url(next_url: str | None) -> str:
    """Where to go after signing in: a page of ours, whatever was asked for.

    What begins with ``/-/`` can name no other host, however a browser reads the rest; the alphabet leaves out
    the backslash and every control character.
    """
    good = next_url is not None and len(next_url) <= MAX_NEXT_LENGTH and NEXT_URL_PATTERN.fullmatch(next_url)
    return next_url if good and next_url else url_for("issues.list_issues")


@blueprint.get("/")
def index() -> Response:
    """The way in."""
    return redirect(url_for("issues.list_issues"), 303)


@blueprint.get("/sign-in")
def sign_in() -> PageResponse:
    """The form; who is signed in already goes on."""
    if current_user_or_none() is not None:
        return redirect(safe_next_url(request.args.get("next")), 303)
    return _render_sign_in("", 200)


def _render_sign_in(error: str, status: int, *, name: str = "", retry_after: int = 0) -> PageResponse:
    page = render_template(
        "sign_in.html",
        error=error,
        name=name,
        next=request.values.get("next", "")[:MAX_NEXT_LENGTH],
        nobody=not stored.count_users(store()),
    )
    return page, status, {"Retry-After": str(retry_after)} if retry_after else {}


@blueprint.post("/sign-in")
def try_sign_in() -> PageResponse:
    """Check name and password; the same answer after the same time whether the name or the password is wrong."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    if len(name) > accounts.MAX_NAME_LENGTH or len(password) > accounts.MAX_PASSWORD_LENGTH:
        return _render_sign_in("That is longer than any name or password here.", 400)
    throttle: LoginThrottle = current_app.extensions["login_throttle"]
    name = " ".join(name.split())
    wait = throttle.retry_after(name.casefold(), client_address())
    if wait or not throttle.hash_slots.acquire(timeout=2.0):
        minutes = f"{-(-wait // 60)} minutes" if wait > 60 else "a minute"
        return _render_sign_in(
            f"Too many tries. Try again in {minutes}.", 429, name=name, retry_after=wait or 5
        )
    try:
        found = stored.find(store(), name)
        right = accounts.verify_password(found, password)
    finally:
        throttle.hash_slots.release()
    if not right or found is None:
        throttle.record_failure(name.casefold(), client_address())
        return _render_sign_in(LOGIN_ERROR_MESSAGE, 403, name=name)
    throttle.record_success(name.casefold(), client_address())
    return _log_in(found, safe_next_url(request.form.get("next")))


def _log_in(user: User, next_url: str) -> Response:
    """Start a session of its own, end the one that the browser had, and go on."""
    _end_session()
    response = redirect(next_url, 303)
    response.set_cookie(
        cookie_name(SESSION_COOKIE),
        accounts.start_session(store(), user, now=now()),
        max_age=accounts.SESSION_LIFETIME_SECONDS,
        path="/",
        secure=is_https(),
        httponly=True,
        samesite="Lax",
    )
    return response


def _end_session() -> None:
    token = request.cookies.get(cookie_name(SESSION_COOKIE))
    if token:
        accounts.end_session(store(), token)


@blueprint.post("/sign-out")
@role_required("viewer")
def sign_out() -> Response:
    """End this browser's session."""
    _end_session()
    response = redirect(url_for("accounts.sign_in"), 303)
    response.delete_cookie(
        cookie_name(SESSION_COOKIE), path="/", secure=is_https(), httponly=True, samesite="Lax"
    )
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@blueprint.route("/welcome/<token>", methods=["GET", "POST"])
def welcome(token: str) -> PageResponse:
    """A one-time address: choose a password (the first admin a name too) and be signed in."""
    found = accounts.find_invitation(store(), token, now=now())
    if found is None or (found.user is None and stored.count_users(store())):
        return render_template("used.html"), 410
    error, name = "", request.form.get("name", "")[: accounts.MAX_NAME_LENGTH]
    if request.method == "POST":
        try:
            password = _new_password()
            entered = accounts.accept_invitation(store(), token, name=name, password=password, now=now())
        except ShortenerError as wrong:
            error = str(wrong)
        else:
            return _log_in(entered, url_for("issues.list_issues"))
    page = render_template("welcome.html", invited=found.user, error=error, name=name)
    return page, 400 if error else 200


def _new_password() -> str:
    """A password that was written the same way twice. Raises InputError."""
    password = request.form.get("password", "")
    if password != request.form.get("again", ""):
        raise ShortenerError("the two passwords differ; write the same one twice")
    return password


@blueprint.get("/account")
@role_required("viewer")
def account() -> str:
    """One's own name, role and password."""
    return render_template("account.html", error="")


@blueprint.get("/account.json")
@role_required("viewer")
def account_json() -> Response:
    """One's own name and role, as JSON."""
    return json_response({"name": current_user().name, "role": current_user().role})


@blueprint.post("/account")
@role_required("viewer")
def change_password() -> PageResponse:
    """Choose another password, knowing the one before; all sessions but this one end."""
    found = current_user()
    throttle: LoginThrottle = current_app.extensions["login_throttle"]
    try:
        if throttle.retry_after(found.name.casefold(), client_address()):
            raise ShortenerError("too many tries; wait some minutes")
        with throttle.hash_slots:
            if not accounts.verify_password(
                found, request.form.get("current", "")[: accounts.MAX_PASSWORD_LENGTH + 1]
            ):
                throttle.record_failure(found.name.casefold(), client_address())
                raise ShortenerError("that is not your current password")
            accounts.set_password(store(), found.name, _new_password(), now=now())
    except ShortenerError as wrong:
        return render_template("account.html", error=str(wrong)), 400
    flash("Your password is changed. Other browsers are signed out.")
    return _log_in(found, url_for("accounts.account"))


@blueprint.get("/settings/users")
@role_required("admin")
def users() -> str:
    """All users."""
    return render_template("users.html", users=stored.list_all(store()), roles=accounts.ROLES, address=None)


@blueprint.get("/settings/users.json")
@role_required("admin")
def users_json() -> Response:
    """All users as JSON."""
    return json_response(_user_rows())


@blueprint.get("/settings/users.csv")
@role_required("admin")
def users_csv() -> Response:
    """All users as CSV."""
    return csv_response(
        "users", _USER_COLUMNS, ([row[name] for name in _USER_COLUMNS] for row in _user_rows())
    )


def _user_rows() -> list[dict[str, object]]:
    """Users as files have them."""
    return [
        {
            "name": each.name,
            "role": each.role,
            "has_password": each.has_password,
            "seen_at": to_datetime_or_none(each.seen_at),
        }
        for each in stored.list_all(store())
    ]


@blueprint.post("/settings/users")
@role_required("admin")
def add_user() -> PageResponse:
    """Add a user, and show the one-time address to hand over."""
    name = accounts.check_name(read_text(request.form, "name", label="the name"))
    accounts.add_user(
        store(), name, role=accounts.parse_role(request.form.get("role", "")), password=None, now=now()
    )
    return _render_invitation(name)


@blueprint.post("/settings/users/invite")
@role_required("admin")
def invite() -> PageResponse:
    """A new one-time address for a user who forgot the password."""
    return _render_invitation(read_text(request.form, "name", label="the name"))


def _render_invitation(name: str) -> str:
    made = accounts.invite(store(), name, config=config(), now=now())
    return render_template(
        "users.html", users=stored.list_all(store()), roles=accounts.ROLES, address=made, invited=name
    )


@blueprint.post("/settings/users/role")
@role_required("admin")
def set_role() -> Response:
    """Give a user another role."""
    name, role = read_text(request.form, "name"), accounts.parse_role(request.form.get("role", ""))
    accounts.set_role(store(), name, role, now=now())
    flash(f"{name} is {role} now; open sessions have ended.")
    return redirect(url_for("accounts.users"), 303)


@blueprint.post("/settings/users/remove")
@role_required("admin")
def remove_user() -> Response:
    """Remove a user."""
    name = read_text(request.form, "name")
    accounts.remove_user(store(), name)
    flash(f"{name} is removed; open sessions have ended.")
    return redirect(url_for("accounts.users"), 303)
