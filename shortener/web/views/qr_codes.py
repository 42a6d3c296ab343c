"""Views of the QR codes of short links, as SVG and PNG."""

import functools
import io
from typing import Literal

import segno
from flask import Blueprint, Response, abort, request

from shortener.messages import Message
from shortener.short_urls import build_short_url
from shortener.web.context import config, role_required
from shortener.web.forms import read_clamped_integer
from shortener.web.views.links import get_link

blueprint = Blueprint("qr_codes", __name__, url_prefix="/-")

QR_SCALE_RANGE = (1, 40)  # pixels of a module, one square of the code
QR_QUIET_ZONE_MODULES = 4
MAX_QR_BYTES = 2_331
"""Capacity in bytes of the largest QR code with error correction level M (ISO/IEC 18004)."""


@blueprint.get("/links/<host>/<code>/qr.svg")
@role_required("viewer")
def qr_svg(host: str, code: str) -> Response:
    """Return the QR code of a short link as SVG."""
    return Response(_qr_image(_qr_url(host, code), "svg", _qr_scale()), mimetype="image/svg+xml")


@blueprint.get("/links/<host>/<code>/qr.png")
@role_required("viewer")
def qr_png(host: str, code: str) -> Response:
    """Return the QR code of a short link as PNG."""
    return Response(_qr_image(_qr_url(host, code), "png", _qr_scale()), mimetype="image/png")


def _qr_scale() -> int:
    minimum, maximum = QR_SCALE_RANGE
    return read_clamped_integer(request.args, "scale", minimum=minimum, maximum=maximum, default=8)


def _qr_url(host: str, code: str) -> str:
    link = get_link(host, code)
    url = build_short_url(link.domain, link.code, domains=config().domains)
    if len(url) > MAX_QR_BYTES:
        text = Message(
            "This short URL has {length} characters; a QR code holds {most} at the most.",
            length=len(url),
            most=MAX_QR_BYTES,
        )
        abort(422, text)
    return url


@functools.lru_cache(maxsize=256)
def _qr_image(url: str, image_format: Literal["svg", "png"], scale: int) -> bytes:
    file = io.BytesIO()
    code = segno.make_qr(url, error="m")
    if image_format == "svg":
        code.save(file, kind="svg", scale=scale, border=QR_QUIET_ZONE_MODULES, xmldecl=False, light="white")
    else:
        code.save(file, kind="png", scale=scale, border=QR_QUIET_ZONE_MODULES)
    return file.getvalue()
