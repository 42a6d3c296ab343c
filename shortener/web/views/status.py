"""Views for programs that watch the server: health and metrics."""

from ipaddress import ip_address, ip_network

import msgspec
from flask import Blueprint, Response, abort, request

from shortener.messages import message_text
from shortener.reporting.health import check_health
from shortener.reporting.metrics import CONTENT_TYPE, render_metrics
from shortener.web.context import client_address, file_config

blueprint = Blueprint("status", __name__)


@blueprint.get("/-/health")
def show_health() -> Response:
    """Return the health of store, collector and disk as application/health+json; 503 if it is ``fail``."""
    health = check_health(file_config())
    status = 503 if health.status == "fail" else 200
    return Response(
        msgspec.json.encode(health, enc_hook=message_text), status=status, mimetype="application/health+json"
    )


@blueprint.get("/-/metrics")
def show_metrics() -> Response:
    """Return the metrics in Prometheus format, or 404 for a client that may not read them."""
    if not is_metrics_client():
        abort(404)
    return Response(render_metrics(file_config()), content_type=CONTENT_TYPE)


def is_metrics_client() -> bool:
    """Return whether the client's address is in ``server.metrics``.

    With X-Forwarded-For but no trusted_proxies, return False: the client's address cannot be determined.
    """
    server = file_config().server
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR")
    if forwarded and not server.trusted_proxies:
        return False
    try:
        client = ip_address(client_address())
    except ValueError:
        return False
    return any(client in ip_network(network, strict=False) for network in server.metrics)
