"""The month in a request, and the draft of the picks (recommended articles) for this month."""

from collections.abc import Callable

from flask import request

from shortener.errors import NotFound
from shortener.messages import Message
from shortener.services.draft_picks import Draft
from shortener.store import articles, decisions
from shortener.web import article_list
from shortener.web.context import now, store
from shortener.web.error_pages import error_message
from shortener.web.ranking_cache import cached_draft, prepare


def find_draft(find: Callable[[str], Draft | None] = cached_draft) -> tuple[str, Draft | None, str]:
    """Return (month, draft of recommended articles, message) for the requested or latest month.

    Without a draft, the message may say why. Raises InputError.
    """
    month = request.values.get("month", "")
    if month:
        decisions.check_month(month)
    message = ""
    for candidate in [month] if month else sent_months():
        try:
            # While ``find`` computes the draft, it returns None.
            return candidate, find(candidate), ""
        except NotFound as error:
            message = message or error_message(error)
    # Before the first issue, both texts are ''.
    return month, None, message


def prepare_newest_month() -> None:
    """Compute results for the newest issue and its month in background threads, so that other pages open faster."""
    sent = articles.list_sent_issues(store(), now=now())
    if sent:
        prepare(sent[0].slug, article_list.month_of(sent[0].sent_at))


def sent_months() -> list[str]:
    """Return the months (YYYY-MM, in the site's time zone) in which issues were sent, the latest first."""
    return article_list.months_of(articles.list_sent_issues(store(), now=now()))


def require_draft() -> Draft:
    """Return the draft of the picks (recommended articles) for the month in the request.

    Raises InputError for an invalid month, NotFound without a draft.
    """
    _, draft, message = find_draft()
    if draft is None:
        raise NotFound(message or Message("there is nothing to rank yet: no issue was sent"))
    return draft
