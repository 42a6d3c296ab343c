"""The ranking of a month, what editors decide about it, and the draft of the next issue's picks."""

from datetime import UTC, datetime
from typing import Any, Literal

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import InputError, NotFound
from shortener.ranking.picks import Verb, needed
from shortener.services import draft_picks
from shortener.services.draft_picks import Draft
from shortener.store import decisions, listings
from shortener.web.cache import forget
from shortener.web.context import config, editor, needs, now, store
from shortener.web.figures import draft
from shortener.web.forms import text
from shortener.web.responses import as_csv, as_json, struct_rows

blueprint = Blueprint("ranking", __name__, url_prefix="/-")

CHARTED = 40
"""Articles that the chart has a line for; the table has all."""
_COLUMNS = (
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
VERBS: dict[str, Verb] = {"pin": "pin", "exclude": "exclude", "choose": "choose"}


@blueprint.get("/ranking")
@needs("viewer")
def show_ranking() -> str:
    """A month's articles by what readers wanted, with what editors decided about them."""
    month, made, said = _asked()
    decided = {each.url: each for each in decisions.of_month(store(), month)} if month else {}
    return render_template(
        "ranking.html",
        month=month,
        months=_months(),
        made=made,
        said=said,
        decided=decided,
        chart=_chart(made) if made else [],
    )


def _asked() -> tuple[str, Draft | None, str]:
    """The month that is shown, its ranking, and what to say where there is none. Raises InputError."""
    month = request.args.get("month", "")
    if month:
        decisions.check_month(month)
    said = ""
    for each in [month] if month else _months():
        try:
            return each, draft(each), ""
        except NotFound as nothing:
            said = str(nothing)
    return month, None, said


def _months() -> list[str]:
    """The months in which issues were sent, the latest first, in the site's time zone."""
    sent = (datetime.fromtimestamp(at, UTC).astimezone(config().zone) for at in listings.months(store()))
    return list(dict.fromkeys(at.strftime("%Y-%m") for at in sent))


def _chart(made: Draft) -> list[dict[str, Any]]:
    return [
        {
            "rank": each.rank,
            "title": each.title,
            "appeal": each.appeal,
            "low": each.low,
            "high": each.high,
            "top": each.rank <= made.ranking.top,
            "gem": each.gem is not None,
        }
        for each in made.ranking.articles[:CHARTED]
    ]


@blueprint.get("/ranking.json")
@needs("viewer")
def ranking_json() -> Response:
    """The ranking as ``rank`` prints it."""
    return as_json(_made().ranking)


@blueprint.get("/ranking.csv")
@needs("viewer")
def ranking_csv() -> Response:
    """The ranking, a line an article."""
    made = _made()
    return as_csv(f"ranking-{made.month}", _COLUMNS, struct_rows(made.ranking.articles, _COLUMNS))


def _made() -> Draft:
    """The ranking that is asked for. Raises NotFound."""
    _, made, said = _asked()
    if made is None:
        raise NotFound(said or "there is nothing to rank yet: no issue was sent")
    return made


@blueprint.post("/ranking/decide")
@needs("editor")
def decide() -> BaseResponse:
    """Pin, exclude or choose an article, with a reason; or take a decision back."""
    month, url = text(request.form, "month", most=7), text(request.form, "url", most=10_000)
    action = request.form.get("action", "")
    if action == "undo":
        draft_picks.undo(store(), url, config=config(), now=now(), month=month)
        flash("The decision is taken back.")
    elif action in VERBS:
        draft_picks.decide(
            store(),
            month,
            url,
            action=VERBS[action],
            reason=text(request.form, "reason", most=1_000, what="the reason"),
            who=editor().name,
            config=config(),
            now=now(),
        )
        done = {"pin": "Pinned", "exclude": "Left out", "choose": "Chosen"}[action]
        flash(f"{done}. The figures stay what they are.")
    else:
        raise InputError(f"{action!r} is no decision; pin, exclude or choose")
    forget()
    return redirect(url_for("ranking.show_ranking", month=month), 303)


@blueprint.get("/ranking/picks")
@needs("viewer")
def show_picks() -> str:
    """The draft of the next issue's section, to copy."""
    made = _made()
    linked = all(made.facts[url].short_url for url in needed(made.picks))
    form: Literal["markdown", "html"] = "html" if request.args.get("form") == "html" else "markdown"
    return render_template(
        "picks.html",
        made=made,
        shown=draft_picks.show(made),
        text=draft_picks.render_draft(made, form) if linked else "",
        form=form,
        linked=linked,
    )


@blueprint.get("/ranking/picks.json")
@needs("viewer")
def picks_json() -> Response:
    """The draft as ``picks`` prints it."""
    return as_json(draft_picks.show(_made()))


@blueprint.post("/ranking/picks")
@needs("editor")
def link_picks() -> BaseResponse:
    """Give every article of the draft its short link."""
    month = text(request.form, "month", most=7)
    draft_picks.link(store(), draft(month), config=config(), now=now())
    forget()
    flash("Every article of the draft has its short link.")
    return redirect(url_for("ranking.show_picks", month=month), 303)
