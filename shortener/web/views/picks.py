"""Views of the picks for the next issue."""

from typing import Literal

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from shortener.ranking.picks import picked_urls
from shortener.services import draft_picks
from shortener.web.context import config, now, role_required, store
from shortener.web.forms import read_text
from shortener.web.month_draft import find_draft, require_draft
from shortener.web.ranking_cache import cached_draft
from shortener.web.responses import json_response, redirect_after_edit

blueprint = Blueprint("picks", __name__, url_prefix="/-")


@blueprint.get("/picks")
@role_required("viewer")
def show_picks() -> ResponseReturnValue:
    """Show the picks of a month. Once each pick has a short link, show their section for the next issue too."""
    month, draft, message = find_draft()
    if draft is None:
        return render_template("picks_empty.html", message=message), 404 if month else 200
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


@blueprint.get("/picks.json")
@role_required("viewer")
def picks_json() -> Response:
    """Return the draft of the picks as JSON, as ``picks --format json`` prints it."""
    return json_response(draft_picks.report_draft(require_draft()))


@blueprint.post("/picks")
@role_required("editor")
def link_picks() -> BaseResponse:
    """Create a short link for every article of the draft that has none."""
    month = read_text(request.form, "month", max_length=7)
    draft_picks.add_short_links(store(), cached_draft(month), config=config(), now=now())
    return redirect_after_edit("Short links created.", "picks.show_picks", month=month)
