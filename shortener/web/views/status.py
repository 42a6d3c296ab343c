"""Views for programs that watch the server: health and metrics."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import msgspec
from flask import Blueprint, Response, abort, request

from shortener.config import Config
from shortener.messages import message_text
from shortener.reporting.health import Health, check_health
from shortener.reporting.local_node import LocalNode
from shortener.reporting.metrics import CONTENT_TYPE, render_metrics
from shortener.web.context import client_address, file_config

blueprint = Blueprint("status", __name__)


@blueprint.get("/-/health")
def show_health() -> Response:
    """Return the health of store, collector and disk as application/health+json; 503 if the health is ``fail``."""
    return health_response(check_health(file_config()))


@blueprint.get("/-/metrics")
def show_metrics() -> Response:
    """Return the metrics in Prometheus format, or 404 for a client that may not read them."""
    return metrics_response(render_metrics)


def health_response(health: Health | LocalNode) -> Response:
    """Return a health report as a response, with HTTP status 503 if the health is ``fail``."""
    status = 503 if health.status == "fail" else 200
    return Response(
        msgspec.json.encode(health, enc_hook=message_text), status=status, mimetype="application/health+json"
    )


def metrics_response(render: Callable[[Config], str]) -> Response:
    """Return a response with the metrics from ``render``; 404 for a client that may not read them."""
    if not _is_metrics_client():
        abort(404)
    return Response(render(file_config()), content_type=CONTENT_TYPE)


def _is_metrics_client() -> bool:
    server = file_config().server
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR")
    # Without trusted proxies, the address behind this header cannot be determined.
    if forwarded and not server.trusted_proxies:
        return False
    try:
        client = ip_address(client_address())
    except ValueError:
        return False
    return any(client in ip_network(network, strict=False) for network in server.metrics)
