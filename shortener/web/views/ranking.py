"""The ranking of a month, what editors decide about it, and the draft of the next issue's picks."""

from datetime import UTC, datetime
from typing import Any, Literal

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import InputError, NotFound
from shortener.ranking.picks import Action, picked_urls
from shortener.reporting.formatting import struct_rows
from shortener.services import draft_picks
from shortener.services.draft_picks import Draft
from shortener.store import decisions, listings
from shortener.web.cache import clear_cache
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.figures import cached_draft
from shortener.web.forms import read_text
from shortener.web.responses import csv_response, json_response

blueprint = Blueprint("ranking", __name__, url_prefix="/-")

MAX_CHARTED_ARTICLES = 40
"""Articles that the chart has a line for; the table has all."""
_RANKING_COLUMNS = (
    "rank",
    "url",
    "title",
    "issue",
    "position",
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


@blueprint.get("/ranking")
@role_required("viewer")
def show_ranking() -> str:
    """A month's articles by what readers wanted, with what editors decided about them."""
    month, made, said = _find_draft()
    decided = {each.url: each for each in decisions.list_by_month(store(), month)} if month else {}
    return render_template(
        "ranking.html",
        month=month,
        months=_months(),
        made=made,
        said=said,
        decided=decided,
        chart=_chart_data(made) if made else [],
    )


def _find_draft() -> tuple[str, Draft | None, str]:
    """The month that is shown, its ranking, and what to say where there is none. Raises InputError."""
    month = request.args.get("month", "")
    if month:
        decisions.check_month(month)
    said = ""
    for each in [month] if month else _months():
        try:
            return each, cached_draft(each), ""
        except NotFound as nothing:
            said = str(nothing)
    return month, None, said


def _months() -> list[str]:
    """The months in which issues were sent, the latest first, in the site's time zone."""
    sent = (
        datetime.fromtimestamp(at, UTC).astimezone(config().zone) for at in listings.list_send_times(store())
    )
    return list(dict.fromkeys(at.strftime("%Y-%m") for at in sent))


def _chart_data(draft: Draft) -> list[dict[str, Any]]:
    return [
        {
            "rank": each.rank,
            "title": each.title,
            "appeal": each.appeal,
            "low": each.low,
            "high": each.high,
            "top": each.rank <= draft.ranking.top,
            "gem": each.gem is not None,
        }
        for each in draft.ranking.articles[:MAX_CHARTED_ARTICLES]
    ]


@blueprint.get("/ranking.json")
@role_required("viewer")
def ranking_json() -> Response:
    """The ranking as ``rank`` prints it."""
    return json_response(_require_draft().ranking)


@blueprint.get("/ranking.csv")
@role_required("viewer")
def ranking_csv() -> Response:
    """The ranking, a line an article."""
    made = _require_draft()
    return csv_response(
        f"ranking-{made.month}", _RANKING_COLUMNS, struct_rows(made.ranking.articles, _RANKING_COLUMNS)
    )


def _require_draft() -> Draft:
    """The ranking that is asked for. Raises NotFound."""
    _, made, said = _find_draft()
    if made is None:
        raise NotFound(said or "there is nothing to rank yet: no issue was sent")
    return made


@blueprint.post("/ranking/decide")
@role_required("editor")
def decide() -> BaseResponse:
    """Pin, exclude or choose an article, with a reason; or take a decision back."""
    month, url = (
        read_text(request.form, "month", max_length=7),
        read_text(request.form, "url", max_length=10_000),
    )
    action = request.form.get("action", "")
    if action == "undo":
        draft_picks.undo_decision(store(), url, config=config(), now=now(), month=month)
        flash("The decision is taken back.")
    elif action in DECISION_ACTIONS:
        draft_picks.decide(
            store(),
            month,
            url,
            action=DECISION_ACTIONS[action],
            reason=read_text(request.form, "reason", max_length=1_000, label="the reason"),
            who=current_user().name,
            config=config(),
            now=now(),
        )
        done = {"pin": "Pinned", "exclude": "Left out", "choose": "Chosen"}[action]
        flash(f"{done}. The figures stay what they are.")
    else:
        raise InputError(f"{action!r} is no decision; pin, exclude or choose")
    clear_cache()
    return redirect(url_for("ranking.show_ranking", month=month), 303)


@blueprint.get("/ranking/picks")
@role_required("viewer")
def show_picks() -> str:
    """The draft of the next issue's section, to copy."""
    made = _require_draft()
    linked = all(made.details[url].short_url for url in picked_urls(made.picks))
    form: Literal["markdown", "html"] = "html" if request.args.get("form") == "html" else "markdown"
    return render_template(
        "picks.html",
        made=made,
        shown=draft_picks.report_draft(made),
        text=draft_picks.render_section(made, form) if linked else "",
        form=form,
        linked=linked,
    )


@blueprint.get("/ranking/picks.json")
@role_required("viewer")
def picks_json() -> Response:
    """The draft as ``picks`` prints it."""
    return json_response(draft_picks.report_draft(_require_draft()))


@blueprint.post("/ranking/picks")
@role_required("editor")
def link_picks() -> BaseResponse:
    """Give every article of the draft its short link."""
    month = read_text(request.form, "month", max_length=7)
    draft_picks.add_short_links(store(), cached_draft(month), config=config(), now=now())
    clear_cache()
    flash("Every article of the draft has its short link.")
    return redirect(url_for("ranking.show_picks", month=month), 303)
