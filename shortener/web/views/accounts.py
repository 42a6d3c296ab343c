"""Signing in and out, the one-time address, and one's own password."""

import re
import time

from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from shortener.errors import ShortenerError
from shortener.reporting.counts import moment_or_none
from shortener.services import accounts
from shortener.store import accounts as stored
from shortener.store.accounts import User
from shortener.web.context import SESSION_COOKIE, address, config, editor, needs, now, store, user
from shortener.web.forms import text
from shortener.web.login_throttle import Limits
from shortener.web.responses import as_csv, as_json
from shortener.web.security import cookie_name, is_https

blueprint = Blueprint("accounts", __name__, url_prefix="/-")

WRONG = "That name and password do not belong together."
NEXT = re.compile(r"/-/[A-Za-z0-9._~%=&?+:@!$'()*,;/-]*", re.ASCII)
_COLUMNS = ("name", "role", "has_password", "seen_at")
MAX_NEXT = 1_000  # characters

Page = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


def prepare(app: Flask) -> None:
    """Give the app its count of failures."""
    app.extensions["limits"] = Limits(time.monotonic)


def own_page(asked: str | None) -> str:
    """Where to go after signing in: a page of ours, whatever was asked for.

    What begins with ``/-/`` can name no other host, however a browser reads the rest; the alphabet leaves out
    the backslash and every control character.
    """
    good = asked is not None and len(asked) <= MAX_NEXT and NEXT.fullmatch(asked)
    return asked if good and asked else url_for("issues.list_issues")


@blueprint.get("/")
def desk() -> Response:
    """The way in."""
    return redirect(url_for("issues.list_issues"), 303)


@blueprint.get("/sign-in")
def sign_in() -> Page:
    """The form; who is signed in already goes on."""
    if user() is not None:
        return redirect(own_page(request.args.get("next")), 303)
    return _form("", 200)


def _form(error: str, status: int, *, name: str = "", wait: int = 0) -> Page:
    page = render_template(
        "sign_in.html",
        error=error,
        name=name,
        next=request.values.get("next", "")[:MAX_NEXT],
        nobody=not stored.count(store()),
    )
    return page, status, {"Retry-After": str(wait)} if wait else {}


@blueprint.post("/sign-in")
def try_sign_in() -> Page:
    """Check name and password; the same answer after the same time whether the name or the password is wrong."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    if len(name) > accounts.MAX_NAME or len(password) > accounts.MAX_PASSWORD:
        return _form("That is longer than any name or password here.", 400)
    limits: Limits = current_app.extensions["limits"]
    name = " ".join(name.split())
    wait = limits.wait(name.casefold(), address())
    if wait or not limits.hashing.acquire(timeout=2.0):
        minutes = f"{-(-wait // 60)} minutes" if wait > 60 else "a minute"
        return _form(f"Too many tries. Try again in {minutes}.", 429, name=name, wait=wait or 5)
    try:
        found = stored.find(store(), name)
        right = accounts.verify(found, password)
    finally:
        limits.hashing.release()
    if not right or found is None:
        limits.fail(name.casefold(), address())
        return _form(WRONG, 403, name=name)
    limits.succeed(name.casefold(), address())
    return _enter(found, own_page(request.form.get("next")))


def _enter(found: User, target: str) -> Response:
    """Start a session of its own, end the one that the browser had, and go on."""
    _end_session()
    response = redirect(target, 303)
    response.set_cookie(
        cookie_name(SESSION_COOKIE),
        accounts.start_session(store(), found, now=now()),
        max_age=accounts.SESSION_SECONDS,
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
@needs("viewer")
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
def welcome(token: str) -> Page:
    """A one-time address: choose a password (the first admin a name too) and be signed in."""
    found = accounts.invited(store(), token, now=now())
    if found is None or (found.user is None and stored.count(store())):
        return render_template("used.html"), 410
    error, name = "", request.form.get("name", "")[: accounts.MAX_NAME]
    if request.method == "POST":
        try:
            password = _new_password()
            entered = accounts.accept(store(), token, name=name, password=password, now=now())
        except ShortenerError as wrong:
            error = str(wrong)
        else:
            return _enter(entered, url_for("issues.list_issues"))
    page = render_template("welcome.html", invited=found.user, error=error, name=name)
    return page, 400 if error else 200


def _new_password() -> str:
    """A password that was written the same way twice. Raises InputError."""
    password = request.form.get("password", "")
    if password != request.form.get("again", ""):
        raise ShortenerError("the two passwords differ; write the same one twice")
    return password


@blueprint.get("/account")
@needs("viewer")
def account() -> str:
    """One's own name, role and password."""
    return render_template("account.html", error="")


@blueprint.get("/account.json")
@needs("viewer")
def account_json() -> Response:
    """One's own name and role, as JSON."""
    return as_json({"name": editor().name, "role": editor().role})


@blueprint.post("/account")
@needs("viewer")
def change_password() -> Page:
    """Choose another password, knowing the one before; all sessions but this one end."""
    found = editor()
    limits: Limits = current_app.extensions["limits"]
    try:
        if limits.wait(found.name.casefold(), address()):
            raise ShortenerError("too many tries; wait some minutes")
        with limits.hashing:
            if not accounts.verify(found, request.form.get("current", "")[: accounts.MAX_PASSWORD + 1]):
                limits.fail(found.name.casefold(), address())
                raise ShortenerError("that is not your current password")
            accounts.set_password(store(), found.name, _new_password(), now=now())
    except ShortenerError as wrong:
        return render_template("account.html", error=str(wrong)), 400
    flash("Your password is changed. Other browsers are signed out.")
    return _enter(found, url_for("accounts.account"))


@blueprint.get("/settings/users")
@needs("admin")
def users() -> str:
    """All users."""
    return render_template("users.html", users=stored.listing(store()), roles=accounts.ROLES, address=None)


@blueprint.get("/settings/users.json")
@needs("admin")
def users_json() -> Response:
    """All users as JSON."""
    return as_json(_listed())


@blueprint.get("/settings/users.csv")
@needs("admin")
def users_csv() -> Response:
    """All users as CSV."""
    return as_csv("users", _COLUMNS, ([row[name] for name in _COLUMNS] for row in _listed()))


def _listed() -> list[dict[str, object]]:
    """Users as files have them."""
    return [
        {
            "name": each.name,
            "role": each.role,
            "has_password": each.has_password,
            "seen_at": moment_or_none(each.seen_at),
        }
        for each in stored.listing(store())
    ]


@blueprint.post("/settings/users")
@needs("admin")
def add_user() -> Page:
    """Add a user, and show the one-time address to hand over."""
    name = accounts.check_name(text(request.form, "name", what="the name"))
    accounts.add_user(
        store(), name, role=accounts.check_role(request.form.get("role", "")), password=None, now=now()
    )
    return _with_address(name)


@blueprint.post("/settings/users/invite")
@needs("admin")
def invite() -> Page:
    """A new one-time address for a user who forgot the password."""
    return _with_address(text(request.form, "name", what="the name"))


def _with_address(name: str) -> str:
    made = accounts.invite(store(), name, config=config(), now=now())
    return render_template(
        "users.html", users=stored.listing(store()), roles=accounts.ROLES, address=made, invited=name
    )


@blueprint.post("/settings/users/role")
@needs("admin")
def set_role() -> Response:
    """Give a user another role."""
    name, role = text(request.form, "name"), accounts.check_role(request.form.get("role", ""))
    accounts.set_role(store(), name, role, now=now())
    flash(f"{name} is {role} now; open sessions have ended.")
    return redirect(url_for("accounts.users"), 303)


@blueprint.post("/settings/users/remove")
@needs("admin")
def remove_user() -> Response:
    """Remove a user."""
    name = text(request.form, "name")
    accounts.remove_user(store(), name)
    flash(f"{name} is removed; open sessions have ended.")
    return redirect(url_for("accounts.users"), 303)
