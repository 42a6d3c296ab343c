"""Views of a month's ranking, of editors' decisions about its articles, and of the picks for the next issue."""

import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import FieldError, InputError, NotFound
from shortener.ranking.picks import Action, picked_urls
from shortener.reporting.formatting import struct_rows
from shortener.reporting.ranking import count_stored_articles
from shortener.services import draft_picks, history
from shortener.services.draft_picks import Draft
from shortener.store import decisions, listings
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.error_pages import sentence
from shortener.web.field_errors import form_view
from shortener.web.forms import read_text
from shortener.web.ranking_cache import cached_draft, draft_if_ready
from shortener.web.responses import csv_response, json_response, redirect_after_edit, redirect_with_notice
from shortener.web.views.history import MONTH_PAGES, undoable

blueprint = Blueprint("ranking", __name__, url_prefix="/-")

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


@blueprint.get("/ranking")
@role_required("viewer")
def show_ranking() -> ResponseReturnValue:
    """Show the articles of a month by appeal, with the editors' decisions."""
    month = request.args.get("month", "")
    return _render_ranking(), 400 if month and not decisions.is_month(month) else 200


def _render_ranking() -> str:
    # A refused form is shown again with its input, which needs its page.
    find = cached_draft if request.method == "POST" else draft_if_ready
    try:
        month, draft, message = _find_draft(find)
    except InputError as error:
        month, draft, message = "", None, sentence(str(error))
    if not draft and not message and month:
        counted = count_stored_articles(store(), month, config=config(), as_of=now())
        return render_template("ranking_waiting.html", month=month, months=_months(), articles=counted)
    decided = {decision.url: decision for decision in decisions.list_by_month(store(), month)} if month else {}
    return render_template(
        "ranking.html",
        month=month,
        months=_months(),
        draft=draft,
        message=message,
        decided=decided,
        chart=_chart_data(draft) if draft else [],
        changes=history.list_changes(store(), f"{MONTH_PAGES}{month}") if month else (),
    )


def _find_draft(find: Callable[[str], Draft | None] = cached_draft) -> tuple[str, Draft | None, str]:
    """Return (month, draft, reason). ``draft`` is None if the month has none; ``reason`` then says why.

    The reason is '' if ``find`` returns None, because the ranking is not computed yet. The month comes from the
    request; the default is the latest month that has a ranking. Raises InputError.
    """
    month = request.values.get("month", "")
    if month:
        decisions.check_month(month)
    message = ""
    for candidate in [month] if month else _months():
        try:
            return candidate, find(candidate), ""
        except NotFound as error:
            message = str(error)
    return month, None, message


def _months() -> list[str]:
    """Return the months in which issues were sent, as YYYY-MM in the site's time zone, latest first."""
    months = (
        datetime.fromtimestamp(sent_at, UTC).astimezone(config().zone).strftime("%Y-%m")
        for sent_at in listings.list_send_times(store(), now=now())
    )
    return list(dict.fromkeys(months))


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


@blueprint.get("/ranking.json")
@role_required("viewer")
def ranking_json() -> Response:
    """Return the ranking as JSON, as ``rank --format json`` prints it."""
    return json_response(_require_draft().ranking)


@blueprint.get("/ranking.csv")
@role_required("viewer")
def ranking_csv() -> Response:
    """Return the ranking as CSV, one row for each article."""
    draft = _require_draft()
    return csv_response(
        f"ranking-{draft.month}", _RANKING_COLUMNS, struct_rows(draft.ranking.articles, _RANKING_COLUMNS)
    )


def _require_draft() -> Draft:
    """Return the draft of the requested month. Raises InputError for an invalid month, NotFound without a draft."""
    _, draft, message = _find_draft()
    if draft is None:
        raise NotFound(message or "there is nothing to rank yet: no issue was sent")
    return draft


@blueprint.post("/ranking/decide")
@role_required("editor")
@form_view("decision", "reason", page=_render_ranking)
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
    return redirect_with_notice(notice, "ranking.show_ranking", month=month, _anchor=anchor)


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


@blueprint.get("/ranking/picks")
@role_required("viewer")
def show_picks() -> str:
    """Show the picks of a month. Once each pick has a short link, show their section for the next issue too."""
    draft = _require_draft()
    linked = all(draft.details[url].short_url for url in picked_urls(draft.picks))
    output_format: Literal["markdown", "html"] = "html" if request.args.get("form") == "html" else "markdown"
    return render_template(
        "picks.html",
        draft=draft,
        report=draft_picks.report_draft(draft),
        text=draft_picks.render_section(draft, output_format) if linked else "",
        output_format=output_format,
        linked=linked,
    )


@blueprint.get("/ranking/picks.json")
@role_required("viewer")
def picks_json() -> Response:
    """Return the draft of the picks as JSON, as ``picks --format json`` prints it."""
    return json_response(draft_picks.report_draft(_require_draft()))


@blueprint.post("/ranking/picks")
@role_required("editor")
def link_picks() -> BaseResponse:
    """Create a short link for every article of the draft that has none."""
    month = read_text(request.form, "month", max_length=7)
    draft_picks.add_short_links(store(), cached_draft(month), config=config(), now=now())
    return redirect_after_edit("Short links created.", "ranking.show_picks", month=month)
