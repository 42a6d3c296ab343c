"""Redirects from former URLs of pages to the present ones, with the same query string."""

from typing import Any

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from shortener.web.context import role_required

MOVED = {
    "/-/issues/<slug>/contents": "setup.show_setup",
    "/-/issues/<slug>/contents.csv": "setup.show_setup_csv",
    "/-/issues/<slug>/contents.json": "setup.show_setup_json",
    "/-/ranking": "articles.show_articles",
    "/-/ranking.csv": "articles.articles_csv",
    "/-/ranking.json": "articles.articles_json",
    "/-/ranking/picks": "picks.show_picks",
    "/-/ranking/picks.json": "picks.picks_json",
}
"""Endpoint of each page or file that had another address before."""

blueprint = Blueprint("moved", __name__)


@role_required("viewer")
def redirect_moved(**values: Any) -> BaseResponse:
    """Redirect to the present URL of a page."""
    query = request.query_string.decode("latin-1")
    present = url_for(MOVED[request.url_rule.rule if request.url_rule else ""], **values)
    return redirect(f"{present}?{query}" if query else present, 301)


for _former in MOVED:
    blueprint.add_url_rule(_former, view_func=redirect_moved)
