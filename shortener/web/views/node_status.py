"""Views of a redirect node, which does not have the editors' pages: health, metrics, and where those pages are."""

import msgspec
from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue

from shortener.messages import message_text
from shortener.redirect.redirector import MISS_STATUS_KEY
from shortener.reporting.local_node import check_local_node
from shortener.reporting.metrics import CONTENT_TYPE, render_node_metrics
from shortener.web.context import file_config
from shortener.web.error_pages import render_error_page
from shortener.web.views.status import is_metrics_client

blueprint = Blueprint("node_status", __name__)


@blueprint.get("/-/health")
def show_health() -> Response:
    """Return the health of this node as application/health+json; 503 if it redirects nothing."""
    health = check_local_node(file_config())
    status = 503 if health.status == "fail" else 200
    return Response(
        msgspec.json.encode(health, enc_hook=message_text), status=status, mimetype="application/health+json"
    )


@blueprint.get("/-/metrics")
def show_metrics() -> Response:
    """Return the metrics in Prometheus format, or 404 for a client that may not read them."""
    if not is_metrics_client():
        abort(404)
    return Response(render_node_metrics(file_config()), content_type=CONTENT_TYPE)


@blueprint.route("/-/", defaults={"anything": ""}, methods=["GET", "POST", "PUT", "DELETE"])
@blueprint.route("/-/<path:anything>", methods=["GET", "POST", "PUT", "DELETE"])
def name_centre(anything: str) -> ResponseReturnValue:
    """Return 404 with the address of the centre, the machine that has the editors' pages.

    If the redirect has refused a short link, return the error page for the status in ``environ[MISS_STATUS_KEY]``
    instead.
    """
    status = request.environ.get(MISS_STATUS_KEY)
    if status is not None:
        return render_error_page(int(status))
    return render_template("errors/elsewhere.html", centre=file_config().base_url), 404
