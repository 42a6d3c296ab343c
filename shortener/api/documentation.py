"""The documentation of the API: the OpenAPI document, a page with all operations, and a page with all kinds
of errors.
"""

from typing import Any

from flask import Blueprint, Response, render_template

from shortener.api import openapi
from shortener.api.operations import PREFIX, operation
from shortener.api.problems import HELP_PATH, PROBLEM_TYPES
from shortener.api.responses import json_answer
from shortener.web.context import config

blueprint = Blueprint("api_pages", __name__)


@operation("GET", "/openapi.json", answers={200: dict[str, Any]}, public=True)
def get_openapi() -> Response:
    """Return the OpenAPI document of this API."""
    return json_answer(openapi.build_document())


@operation("GET", "/docs", answers={200: "text/html"}, public=True)
def get_docs() -> Response:
    """Return a page with all operations of this API."""
    document = openapi.build_document()
    page = render_template("api_reference.html", config=config(), document=document, base_url=config().base_url)
    return Response(page, content_type="text/html; charset=utf-8")


@blueprint.get(HELP_PATH)
def show_problems() -> str:
    """Show every kind of error (problem) that the JSON API responds with, and its remedy."""
    return render_template("api_problems.html", config=config(), problems=PROBLEM_TYPES, docs=f"{PREFIX}/docs")
