"""Views of a redirect node: health, metrics, and a 404 page with a link to the machine with the editors' pages."""

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from shortener.redirect.redirector import MISS_STATUS_KEY
from shortener.reporting.local_node import check_local_node
from shortener.reporting.metrics import render_node_metrics
from shortener.web.context import file_config
from shortener.web.error_pages import render_error_page
from shortener.web.views.status import health_response, metrics_response

blueprint = Blueprint("node_status", __name__)


@blueprint.get("/-/health")
def show_health() -> Response:
    """Return the health of this node as application/health+json; 503 if the node cannot redirect short links."""
    return health_response(check_local_node(file_config()))


@blueprint.get("/-/metrics")
def show_metrics() -> Response:
    """Return the metrics in Prometheus format, or 404 to a client whose address is not in ``server.metrics``."""
    return metrics_response(render_node_metrics)


@blueprint.route("/-/", defaults={"anything": ""}, methods=["GET", "POST", "PUT", "DELETE"])
@blueprint.route("/-/<path:anything>", methods=["GET", "POST", "PUT", "DELETE"])
def name_centre(anything: str) -> ResponseReturnValue:
    """Return a 404 page with the address of the centre, the machine that has the editors' pages."""
    # This status is set only when error pages are rendered in advance (``published_pages``).
    status = request.environ.get(MISS_STATUS_KEY)
    if status is not None:
        return render_error_page(int(status))
    return render_template("errors/elsewhere.html", centre=file_config().base_url), 404
