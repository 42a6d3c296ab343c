"""View that undoes an edit made on a page."""

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import Conflict, InputError, NotFound
from shortener.messages import Message
from shortener.services import accounts, history
from shortener.store import page_changes
from shortener.web.cache import clear_cache
from shortener.web.context import current_user, now, role_required, store
from shortener.web.error_pages import error_message, sentence
from shortener.web.languages import gettext as _
from shortener.web.responses import Notice, own_path, show_notice

blueprint = Blueprint("history", __name__, url_prefix="/-")

USERS_PAGE, SETTINGS_PAGE, LINKS_PAGE = "users", "settings", "links"
ISSUE_PAGES, MONTH_PAGES = "issue/", "month/"
"""Beginnings of the keys of pages with a history; the slug or the month follows."""


@blueprint.post("/undo")
@role_required("editor")
def undo() -> BaseResponse:
    """Undo an edit, and redirect to the page on which the edit was made. Only admins can undo changes of users."""
    change_id = request.form.get("change", "")
    if not (change_id.isascii() and change_id.isdigit() and len(change_id) < 19):
        raise NotFound(Message("there is no such change"))
    change = page_changes.get(store(), int(change_id))
    if change.page == USERS_PAGE and not accounts.role_allows(current_user().role, "admin"):
        abort(403, _("Only admins can do this."))
    notice = Notice(_("Undone: {change}", change=change.summary))
    try:
        history.undo(store(), change, who=current_user().name, now=now())
    except (Conflict, InputError, NotFound) as error:
        notice = Notice(sentence(error_message(error)), is_error=True)
    # Neither decisions nor users change anything that is cached.
    if change.page.startswith((ISSUE_PAGES, SETTINGS_PAGE, LINKS_PAGE)):
        clear_cache()
    show_notice(notice)
    return redirect(own_path(request.form.get("next")) or _page_url(change.page), 303)


def _page_url(page_key: str) -> str:
    if page_key.startswith(ISSUE_PAGES):
        return url_for("setup.show_setup", slug=page_key.removeprefix(ISSUE_PAGES))
    if page_key.startswith(MONTH_PAGES):
        return url_for("articles.show_articles", month=page_key.removeprefix(MONTH_PAGES))
    endpoints = {SETTINGS_PAGE: "settings.show_settings", LINKS_PAGE: "link_list.list_links"}
    return url_for(endpoints.get(page_key, "accounts.users"))


def undoable(
    text: str,
    change_id: int | None,
    *,
    next_url: str = "",  # page after undoing; '' for the page of the change
) -> Notice:
    """Return a notice with a button that undoes a change, or without a button if ``change_id`` is None."""
    if change_id is None:
        return Notice(text)
    fields = {"change": str(change_id)} | ({"next": next_url} if next_url else {})
    return Notice(text, url_for("history.undo"), fields)
