"""Views of the list of articles, of the page about one article, and of the editors' decisions about articles."""

from math import ceil

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from msgspec import Struct
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import FieldError, InputError, NotFound
from shortener.messages import Message
from shortener.ranking import Ranking
from shortener.ranking.certainty import confidence
from shortener.ranking.picks import Action
from shortener.ranking.result import MIN_COUNT
from shortener.reporting.formatting import struct_rows
from shortener.services import draft_picks, history
from shortener.store import articles, decisions
from shortener.store.articles import SentIssue
from shortener.web import article_list
from shortener.web.article_list import ArticleFilterValues
from shortener.web.article_page import Appearance, load_article
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.error_pages import error_message, sentence
from shortener.web.field_errors import form_view
from shortener.web.forms import read_clamped_integer, read_text
from shortener.web.issue_sentence import describe_counted
from shortener.web.languages import gettext as _
from shortener.web.ranking_cache import RankingKey, cached_ranking, counted_articles, ranking_if_ready
from shortener.web.responses import csv_response, json_response, own_path, show_notice
from shortener.web.views.history import MONTH_PAGES, undoable

blueprint = Blueprint("articles", __name__, url_prefix="/-")

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
MAX_NAME_LENGTH = 80
"""Characters of an article's title in the history."""


class _Listing(Struct, frozen=True):
    """Content of the page with the list of articles: a ranking, or a message if there is no ranking to show."""

    filters: ArticleFilterValues
    key: RankingKey
    sent: list[SentIssue]
    ranking: Ranking | None = None
    message: str = ""
    """Why there is no ranking to show; '' while the ranking is computed."""
    status: int = 200


@blueprint.get("/articles")
@role_required("viewer")
def show_articles() -> ResponseReturnValue:
    """Show how the articles of a period or an issue did, and the editors' decisions about them."""
    listing = _find_listing(wait=False)
    return _render_listing(listing), listing.status


def _find_listing(*, wait: bool) -> _Listing:
    sent = articles.list_sent_issues(store(), now=now())
    try:
        filters = article_list.read_filters()
    except InputError as error:
        return _Listing(
            ArticleFilterValues("", "", "", ""), RankingKey(), sent, message=sentence(error_message(error)), status=400
        )
    if filters.issue and filters.issue not in {issue.slug for issue in sent}:
        message = _("No issue {slug} was sent yet.", slug=filters.issue)
        return _Listing(filters, RankingKey(), sent, message=message.unescape(), status=404)
    if filters.period or filters.issue:
        return _load(filters, sent, wait=wait)
    newest: _Listing | None = None
    for month in article_list.months_of(sent):
        listing = _load(ArticleFilterValues(month, "", filters.section, filters.search), sent, wait=wait)
        if not listing.message:
            return listing
        newest = newest or listing
    return newest or _Listing(filters, RankingKey(), sent)


def _load(filters: ArticleFilterValues, sent: list[SentIssue], *, wait: bool) -> _Listing:
    key = article_list.ranking_key(filters)
    ranking = (cached_ranking if wait else ranking_if_ready)(key)
    message = sentence(ranking.footer) if ranking is not None and not ranking.articles else ""
    return _Listing(filters, key, sent, ranking, message)


def _render_articles() -> str:
    # Wait for the ranking, because the form with the error is in the list of articles.
    return _render_listing(_find_listing(wait=True))


def _render_listing(listing: _Listing) -> str:
    ranking, filters = listing.ranking, listing.filters
    months = article_list.months_of(listing.sent)
    values = {"filters": filters, "sent": listing.sent, "months": months, "message": listing.message}
    if ranking is None and not listing.message and (filters.period or filters.issue):
        counted = article_list.filter_counted(counted_articles(listing.key), filters)
        return render_template(
            "articles_waiting.html",
            articles=counted,
            most_clicked=describe_counted(counted),
            picks_month=_picks_month(listing),
            sections=[],
            **values,
        )
    if ranking is None or not ranking.articles:
        return render_template("articles.html", ranking=None, sections=[], **values)
    rows = article_list.build_rows(ranking, listing.sent)
    shown = article_list.filter_rows(rows, filters)
    order, groups = article_list.group_rows(shown, ranking.counted)
    pages = max(1, ceil(len(shown) / article_list.PAGE_SIZE))
    page = read_clamped_integer(request.args, "page", minimum=1, maximum=pages, default=1)
    return render_template(
        "articles.html",
        ranking=ranking,
        rows=shown,
        groups=article_list.cut_page(groups, page),
        page=page,
        pages=pages,
        first=(page - 1) * article_list.PAGE_SIZE + 1,
        last=min(page * article_list.PAGE_SIZE, len(shown)),
        order=order,
        counts=article_list.count_groups(rows),
        min_count=MIN_COUNT,
        sections=article_list.list_sections(rows),
        confidence=confidence(ranking),
        picks_month=_picks_month(listing),
        changes=history.list_changes(store(), f"{MONTH_PAGES}{listing.key.month}") if listing.key.month else (),
        **values,
    )


def _picks_month(listing: _Listing) -> str:
    slug = listing.filters.issue
    months = article_list.months_of(issue for issue in listing.sent if slug in {"", issue.slug})
    return listing.key.month or next(iter(months), "")


@blueprint.get("/articles.json")
@role_required("viewer")
def articles_json() -> Response:
    """Return the ranking as JSON, as ``rank --format json`` prints it."""
    return json_response(_require_ranking()[1])


@blueprint.get("/articles.csv")
@role_required("viewer")
def articles_csv() -> Response:
    """Return the ranking as CSV, one row for each article."""
    filters, ranking = _require_ranking()
    name = f"articles-{filters.issue or filters.period}"
    return csv_response(name, _RANKING_COLUMNS, struct_rows(ranking.articles, _RANKING_COLUMNS))


def _require_ranking() -> tuple[ArticleFilterValues, Ranking]:
    # This raises InputError for an invalid period.
    article_list.read_filters()
    listing = _find_listing(wait=True)
    if listing.ranking is None or not listing.ranking.articles:
        raise NotFound(listing.message or Message("there is nothing to rank yet: no issue was sent"))
    return listing.filters, listing.ranking


@blueprint.get("/articles/article")
@role_required("viewer")
def show_article() -> str:
    """Show one article across issues: appearances, figures, counts from other platforms, links, and decisions."""
    article = load_article(request.args.get("url", ""), wait=False)
    months = dict.fromkeys(
        article_list.month_of(int(row.sent_at.timestamp())) for row in article.appearances if row.sent_at
    )
    changes = history.list_decision_changes(store(), article.url, [f"{MONTH_PAGES}{month}" for month in months])
    return render_template("article.html", article=article, changes=changes)


@blueprint.get("/articles/article.json")
@role_required("viewer")
def article_json() -> Response:
    """Return the figures of one article in all issues that contained it, as JSON."""
    return json_response(load_article(request.args.get("url", ""), wait=True))


@blueprint.get("/articles/article.csv")
@role_required("viewer")
def article_csv() -> Response:
    """Return the appearances of an article as CSV, one row for each issue."""
    article = load_article(request.args.get("url", ""), wait=True)
    columns = Appearance.__struct_fields__
    return csv_response("article", columns, struct_rows(article.appearances, columns))


@blueprint.post("/articles/decide")
@role_required("editor")
@form_view("decision", "reason", page=_render_articles)
def decide() -> BaseResponse:
    """Store an editor's decision about an article (pin, choose or exclude), or remove the decision."""
    month, url = read_text(request.form, "month", max_length=7), read_text(request.form, "url", max_length=10_000)
    action, reason = request.form.get("action", ""), read_text(request.form, "reason", max_length=1_000)
    name = short_title(url)
    messages = {
        "pin": _("Featured: {article}", article=name),
        "choose": _("Added as editor's pick: {article}", article=name),
        "exclude": _("Excluded: {article}", article=name),
        "undo": _("Decision removed: {article}", article=name),
    }
    if action not in messages:
        raise FieldError(Message("choose what to do with the article"), field="action")
    decisions.check_month(month)
    message = messages[action].unescape()
    with history.recorded(
        store(),
        lambda: history.month_decision(store(), month, url),
        page=f"{MONTH_PAGES}{month}",
        summary=message,
        who=current_user().name,
        now=now(),
    ) as recorder:
        _decide(month, url, action=action, reason=reason)
    place = own_path(request.form.get("next")) or url_for("articles.show_articles", month=month)
    show_notice(undoable(message, recorder.change_id, next_url=place))
    return redirect(place + anchor_of_form(), 303)


def _decide(month: str, url: str, *, action: str, reason: str) -> None:
    if action == "undo":
        draft_picks.undo_decision(store(), url, config=config(), now=now(), month=month)
    else:
        draft_picks.decide(
            store(),
            month,
            url,
            action=DECISION_ACTIONS[action],
            reason=reason or None,
            who=current_user().name,
            config=config(),
            now=now(),
        )


def short_title(url: str) -> str:
    """Return the title of an article, shortened for a message; without a title, the URL."""
    details = articles.details_by_url(store(), [url]).get(url)
    title = (details.title if details else "") or url
    return title if len(title) <= MAX_NAME_LENGTH else f"{title[: MAX_NAME_LENGTH - 1]}…"


def anchor_of_form() -> str:
    """Return the page anchor in the submitted form, such as ``#article-3``; '' if the form has none."""
    anchor = request.form.get("anchor", "")
    return f"#{anchor}" if anchor.isascii() and anchor.replace("-", "").isalnum() else ""
