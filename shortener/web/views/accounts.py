"""Views for sign-in, sign-out, invitation links, a user's own account and the management of users."""

import time
from contextlib import AbstractContextManager

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from shortener.errors import FieldError, InputError, ShortenerError
from shortener.messages import Message
from shortener.reporting.counts import to_datetime_or_none
from shortener.services import accounts, history, tokens
from shortener.store.accounts import User, count_users
from shortener.store.accounts import find as find_user
from shortener.store.accounts import list_all as list_users
from shortener.store.tokens import list_all as list_tokens
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
from shortener.web.field_errors import errors_at, form_view, refuse, show_error
from shortener.web.forms import read_text
from shortener.web.languages import editor_languages, ngettext, translated_text
from shortener.web.languages import gettext as _
from shortener.web.login_throttle import LoginThrottle
from shortener.web.responses import (
    MAX_NEXT_LENGTH,
    csv_response,
    json_response,
    own_path,
    redirect_with_notice,
    show_notice,
)
from shortener.web.security import cookie_name, is_https
from shortener.web.views.history import USERS_PAGE, undoable

blueprint = Blueprint("accounts", __name__, url_prefix="/-")

_USER_COLUMNS = ("name", "role", "has_password", "seen_at")


def init_app(app: Flask) -> None:
    """Create the login throttle of an app."""
    app.extensions["login_throttle"] = LoginThrottle(time.monotonic)


def safe_next_url(next_url: str | None) -> str:
    """Return the URL to show after sign-in: ``next_url`` if it is a path of our pages, else the overview."""
    return own_path(next_url) or url_for("overview.show_overview")


@blueprint.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Show the sign-in form, or redirect a user who is signed in."""
    if current_user_or_none() is not None:
        return redirect(safe_next_url(request.args.get("next")), 303)
    return _render_sign_in()


def _render_sign_in() -> str:
    next_url = request.values.get("next", "")[:MAX_NEXT_LENGTH]
    return render_template("sign_in.html", next=next_url, no_users=not count_users(store()))


def _refuse_sign_in(field: str, message: str, status: int) -> tuple[str, int]:
    show_error("sign-in", field, message)
    return _render_sign_in(), status


@blueprint.post("/sign-in")
def try_sign_in() -> ResponseReturnValue:
    """Check name and password, and start a session."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    for field, text, max_length in (
        ("name", name, accounts.MAX_NAME_LENGTH),
        ("password", password, accounts.MAX_PASSWORD_LENGTH),
    ):
        if len(text) > max_length:
            return _refuse_sign_in(field, _("This is longer than {count} characters.", count=max_length), 400)
    throttle: LoginThrottle = current_app.extensions["login_throttle"]
    name = " ".join(name.split())
    wait = throttle.retry_after(name.casefold(), client_address())
    if wait or not throttle.hash_slots.acquire(timeout=2.0):
        text = ngettext(
            "Too many attempts. Try again in a minute.",
            "Too many attempts. Try again in {count} minutes.",
            max(1, -(-wait // 60)),
        )
        page, status = _refuse_sign_in("password", text, 429)
        return page, status, {"Retry-After": str(wait or 5)}
    try:
        user = find_user(store(), name)
        verified = accounts.verify_password(user, password)
    finally:
        throttle.hash_slots.release()
    # A wrong name and a wrong password get the same response, so that clients cannot find out which names exist.
    if not verified or user is None:
        throttle.record_failure(name.casefold(), client_address())
        return _refuse_sign_in("password", _("Wrong name or password."), 403)
    throttle.record_success(name.casefold(), client_address())
    return _log_in(user, safe_next_url(request.form.get("next")))


def _log_in(user: User, next_url: str) -> Response:
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
    """End this browser's session and redirect to the sign-in form."""
    _end_session()
    response = redirect(url_for("accounts.sign_in"), 303)
    response.delete_cookie(cookie_name(SESSION_COOKIE), path="/", secure=is_https(), httponly=True, samesite="Lax")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@blueprint.route("/welcome/<token>", methods=["GET", "POST"])
def welcome(token: str) -> ResponseReturnValue:
    """Show the form of an invitation link, or set the submitted password and sign the user in."""
    invitation = accounts.find_invitation(store(), token, now=now())
    if invitation is None or (invitation.user is None and count_users(store())):
        return render_template("errors/used.html"), 410
    status = 200
    if request.method == "POST":
        try:
            return _log_in(_accept_invitation(token, invitation.user), url_for("overview.show_overview"))
        except ShortenerError as error:
            status = refuse("welcome", "password", error)
    return render_template("welcome.html", invited=invitation.user), status


def _accept_invitation(token: str, invited: User | None) -> User:
    # Without an invited user, the first admin is created and chooses a name.
    name = "" if invited else request.form.get("name", "")
    if not invited:
        with errors_at("name"):
            accounts.check_name(name)
    return accounts.accept_invitation(store(), token, name=name, password=_read_new_password(), now=now())


def _read_new_password() -> str:
    password = request.form.get("password", "")
    with errors_at("password"):
        accounts.check_password(password)
    if password != request.form.get("again", ""):
        raise FieldError(Message("the two passwords differ; enter the same password twice"), field="again")
    return password


@blueprint.get("/account")
@role_required("viewer")
def account() -> str:
    """Show the user's own name, role and tokens, and the form for a new password."""
    return render_account()


def render_account(*, new_token: str = "", new_token_name: str = "") -> str:
    """Return the page of the user's own account. If a token was just created, its text is shown."""
    user = current_user()
    return render_template(
        "account.html",
        tokens=[tokens.summarize(each) for each in list_tokens(store(), owner=user.name)],
        scopes=tokens.scopes_for_role(user.role),
        new_token=new_token,
        new_token_name=new_token_name,
        languages=[
            ("", _("The language of the browser")),
            *((tag, each.name) for tag, each in editor_languages().items()),
        ],
    )


@blueprint.get("/account.json")
@role_required("viewer")
def account_json() -> Response:
    """Return the user's own name and role as JSON."""
    return json_response({"name": current_user().name, "role": current_user().role})


@blueprint.post("/account")
@role_required("viewer")
@form_view("password", "current", page=render_account)
def change_password() -> ResponseReturnValue:
    """Change the user's own password, and end all other sessions of the user."""
    user = current_user()
    throttle: LoginThrottle = current_app.extensions["login_throttle"]
    if throttle.retry_after(user.name.casefold(), client_address()):
        raise InputError(Message("too many attempts; wait a few minutes"))
    with throttle.hash_slots:
        if not accounts.verify_password(user, request.form.get("current", "")[: accounts.MAX_PASSWORD_LENGTH + 1]):
            throttle.record_failure(user.name.casefold(), client_address())
            raise InputError(Message("this is not your current password"))
        accounts.set_password(store(), user.name, _read_new_password(), now=now())
    show_notice(_("Password changed. Your other browsers are signed out."))
    return _log_in(user, url_for("accounts.account"))


@blueprint.post("/account/language")
@role_required("viewer")
@form_view("language", "language", page=render_account)
def set_language() -> Response:
    """Change the language of the pages for this user. An empty value means the language of the browser."""
    language = request.form.get("language", "")
    if language and language not in editor_languages():
        raise FieldError(Message("this language is unknown; choose one"), field="language")
    accounts.set_language(store(), current_user(), language, now=now())
    return redirect(url_for("accounts.account"), 303)


@blueprint.get("/settings/users")
@role_required("admin")
def users() -> str:
    """Show all users, and the forms to add and change them."""
    return _render_users()


def _render_users(*, invitation_url: str | None = None, invited: str = "") -> str:
    users = list_users(store())
    return render_template(
        "users.html",
        users=users,
        roles=accounts.ROLES,
        now=now(),
        address=invitation_url,
        invited=next((user for user in users if user.name == invited), None),
        changes=history.list_changes(store(), USERS_PAGE),
    )


@blueprint.get("/settings/users.json")
@role_required("admin")
def users_json() -> Response:
    """Return all users as JSON."""
    return json_response(_user_rows())


@blueprint.get("/settings/users.csv")
@role_required("admin")
def users_csv() -> Response:
    """Return all users as CSV."""
    return csv_response("users", _USER_COLUMNS, ([*row.values()] for row in _user_rows()))


def _user_rows() -> list[dict[str, object]]:
    return [
        {
            "name": user.name,
            "role": user.role,
            "has_password": user.has_password,
            "seen_at": to_datetime_or_none(user.seen_at),
        }
        for user in list_users(store())
    ]


@blueprint.post("/settings/users")
@role_required("admin")
@form_view("add", "name", page=_render_users)
def add_user() -> str:
    """Add a user without a password, and show an invitation link for setting the password."""
    name = accounts.check_name(read_text(request.form, "name"))
    accounts.add_user(store(), name, role=accounts.parse_role(request.form.get("role", "")), password=None, now=now())
    return _render_invitation(name)


@blueprint.post("/settings/users/invite")
@role_required("admin")
@form_view("invite", "name", page=_render_users)
def invite() -> str:
    """Show a new invitation link for a user, for example one who forgot the password."""
    return _render_invitation(read_text(request.form, "name"))


def _render_invitation(name: str) -> str:
    invitation_url = accounts.invite(store(), name, config=config(), now=now())
    return _render_users(invitation_url=invitation_url, invited=name)


@blueprint.post("/settings/users/role")
@role_required("admin")
@form_view("role", "role", page=_render_users)
def set_role() -> Response:
    """Change the role of a user."""
    name = _read_other_user(Message("another admin has to change your own role"))
    role = accounts.parse_role(request.form.get("role", ""))
    role_name = {"viewer": _("viewer"), "editor": _("editor"), "admin": _("admin")}[role]
    with _recorded(name, _("{name} became {role}", name=name, role=role_name)) as recorder:
        accounts.set_role(store(), name, role, now=now())
    text = _("{name} is now {role} and has to sign in again.", name=name, role=role_name)
    notice = undoable(text, recorder.change_id)
    return redirect_with_notice(notice, "accounts.users")


@blueprint.post("/settings/users/remove")
@role_required("admin")
@form_view("remove", "name", page=_render_users)
def remove_user() -> Response:
    """Remove a user."""
    name = _read_other_user(Message("another admin has to remove your account"))
    with _recorded(name, _("{name} was removed", name=name)) as recorder:
        accounts.remove_user(store(), name)
    text = _("{name} was removed and signed out.", name=name)
    return redirect_with_notice(undoable(text, recorder.change_id), "accounts.users")


def _read_other_user(refusal: Message) -> str:
    name = read_text(request.form, "name")
    # Users who could change their own role or remove their own account could lock everyone out.
    if name == current_user().name:
        raise InputError(refusal)
    return name


def _recorded(name: str, summary: str) -> AbstractContextManager[history.Recorder]:
    return history.recorded(
        store(),
        lambda: history.user_account(store(), name),
        page=USERS_PAGE,
        summary=translated_text(summary),
        who=current_user().name,
        now=now(),
    )
