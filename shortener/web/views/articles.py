"""Views of a month's articles by appeal, and of editors' decisions about them."""

import textwrap
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import FieldError, InputError
from shortener.ranking.picks import Action
from shortener.reporting.formatting import struct_rows
from shortener.reporting.ranking import count_stored_articles
from shortener.services import draft_picks, history
from shortener.services.draft_picks import Draft
from shortener.store import decisions
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.error_pages import sentence
from shortener.web.field_errors import form_view
from shortener.web.forms import read_text
from shortener.web.month_draft import find_draft, require_draft, sent_months
from shortener.web.ranking_cache import cached_draft, draft_if_ready
from shortener.web.responses import csv_response, json_response, redirect_with_notice
from shortener.web.views.history import MONTH_PAGES, undoable

blueprint = Blueprint("articles", __name__, url_prefix="/-")

MAX_CHARTED_ARTICLES = 40
"""Largest number of articles in the chart. The table shows all articles."""
_RANKING_COLUMNS = (
    "rank",
    "url",
    "title",
    "issue",
    "position",
    "visitors",
    "clicks",
    "expected",
    "appeal",
    "low",
    "high",
    "p_top",
    "gem",
    "note",
)
DECISION_ACTIONS: dict[str, Action] = {"pin": "pin", "exclude": "exclude", "choose": "choose"}
DECISION_MESSAGES = {
    "pin": "Featured",
    "exclude": "Excluded",
    "choose": "Added as editor's pick",
    "undo": "Decision removed",
}
MAX_NAME_LENGTH = 80
"""Characters of an article's address in the history."""


@blueprint.get("/articles")
@role_required("viewer")
def show_articles() -> ResponseReturnValue:
    """Show the articles of a month by appeal, with the editors' decisions."""
    month = request.args.get("month", "")
    return _render_articles(), 400 if month and not decisions.is_month(month) else 200


def _render_articles() -> str:
    # A refused form is shown again with its input, which needs its page.
    find = cached_draft if request.method == "POST" else draft_if_ready
    try:
        month, draft, message = find_draft(find)
    except InputError as error:
        month, draft, message = "", None, sentence(str(error))
    if not draft and not message and month:
        counted = count_stored_articles(store(), month, config=config(), as_of=now())
        return render_template("articles_waiting.html", month=month, months=sent_months(), articles=counted)
    decided = {decision.url: decision for decision in decisions.list_by_month(store(), month)} if month else {}
    return render_template(
        "articles.html",
        month=month,
        months=sent_months(),
        draft=draft,
        message=message,
        decided=decided,
        chart=_chart_data(draft) if draft else [],
        changes=history.list_changes(store(), f"{MONTH_PAGES}{month}") if month else (),
    )


def _chart_data(draft: Draft) -> list[dict[str, Any]]:
    return [
        {
            "rank": article.rank,
            "title": article.title,
            "appeal": article.appeal,
            "low": article.low,
            "high": article.high,
            "top": article.rank <= draft.ranking.top,
            "gem": article.gem is not None,
        }
        for article in draft.ranking.articles[:MAX_CHARTED_ARTICLES]
    ]


@blueprint.get("/articles.json")
@role_required("viewer")
def articles_json() -> Response:
    """Return the ranking as JSON, as ``rank --format json`` prints it."""
    return json_response(require_draft().ranking)


@blueprint.get("/articles.csv")
@role_required("viewer")
def articles_csv() -> Response:
    """Return the ranking as CSV, one row for each article."""
    draft = require_draft()
    return csv_response(
        f"articles-{draft.month}", _RANKING_COLUMNS, struct_rows(draft.ranking.articles, _RANKING_COLUMNS)
    )


@blueprint.post("/articles/decide")
@role_required("editor")
@form_view("decision", "reason", page=_render_articles)
def decide() -> BaseResponse:
    """Store an editor's decision about an article: pin, choose or exclude, with a reason. It can also remove one."""
    month, url = read_text(request.form, "month", max_length=7), read_text(request.form, "url", max_length=10_000)
    action, reason = request.form.get("action", ""), read_text(request.form, "reason", max_length=1_000)
    if action not in DECISION_MESSAGES:
        raise FieldError("choose what to do with the article", field="action")
    if action != "undo" and not reason:
        raise FieldError("give a reason for your colleagues", field="reason")
    decisions.check_month(month)
    name = textwrap.shorten(url, MAX_NAME_LENGTH, placeholder="…")
    with history.recorded(
        store(),
        lambda: history.month_decision(store(), month, url),
        page=f"{MONTH_PAGES}{month}",
        summary=f"{DECISION_MESSAGES[action]}: {name}",
        who=current_user().name,
        now=now(),
    ) as recorder:
        _decide(month, url, action=action, reason=reason)
    notice = undoable(f"{DECISION_MESSAGES[action]}. The figures do not change.", recorder.change_id)
    row = request.form.get("row", "")
    anchor = f"article-{row}" if row.isascii() and row.isdigit() else None
    return redirect_with_notice(notice, "articles.show_articles", month=month, _anchor=anchor)


def _decide(month: str, url: str, *, action: str, reason: str) -> None:
    if action == "undo":
        draft_picks.undo_decision(store(), url, config=config(), now=now(), month=month)
    else:
        draft_picks.decide(
            store(),
            month,
            url,
            action=DECISION_ACTIONS[action],
            reason=reason,
            who=current_user().name,
            config=config(),
            now=now(),
        )
