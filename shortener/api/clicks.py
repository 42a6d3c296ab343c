"""The operation that exports single clicks."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from flask import Response, request
from msgspec import UNSET, Meta, Struct, UnsetType

from shortener.api.fields import Cursor, Since, Until, decode_cursor, encode_cursor, to_query_seconds
from shortener.api.operations import operation
from shortener.api.problems import ApiError
from shortener.config import Domain
from shortener.reporting.click_export import list_exported_clicks
from shortener.reporting.counts import to_datetime
from shortener.reporting.formatting import format_iso
from shortener.reporting.watermark import find_watermark
from shortener.web.context import ConnectionPool, config, connection_pool, now, store

NDJSON = "application/x-ndjson"
_ORDER = "clicks"
_LINES_IN_CHUNK = 500
_MAX_SECONDS = 10**12


class ClickQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of the export of clicks: a time range, and the cursor from which to continue an
    earlier export.
    """

    since: Since | UnsetType = UNSET
    until: Until | UnsetType = UNSET
    after: Annotated[Cursor, Meta(description="`after` of the header Link of an earlier export.")] = ""


@operation("GET", "/clicks", answers={200: NDJSON}, scope="clicks", query=ClickQuery, problems=("cursor",))
def export_clicks(query: ClickQuery) -> Response:
    """Export the clicks with final verdicts as JSON lines, the oldest first.

    All clicks before the time in the response header `Watermark` are stored, and their verdicts are final. The header
    `Link` has the URL of the next export, which begins where this one ends. If new rules change the verdict of a click
    later, that click is not exported again. The field `rules` is the version of the rules that gave the verdict.
    """
    since, until = to_query_seconds(query.since, "since"), to_query_seconds(query.until, "until")
    if query.after:
        (start,) = decode_cursor(query.after, order=_ORDER, length=1)
        if not isinstance(start, int) or abs(start) > _MAX_SECONDS:
            raise ApiError("cursor", "after: this is not a cursor of this list.")
        since = start if since is None else max(since, start)
    watermark = find_watermark(store(), config=config(), now=now())
    end = watermark if until is None else min(until, watermark)
    lines = _json_lines(connection_pool(), since=since, until=end, domains=config().domains)
    headers = {"Watermark": format_iso(to_datetime(watermark)), "Link": _next_link_header(max(end, since or end))}
    return Response(lines, content_type=NDJSON, headers=headers)


def _next_link_header(end: int) -> str:
    values = {name: value for name, value in request.args.items() if name == "until"}
    query = urlencode(values | {"after": encode_cursor(_ORDER, [end])})
    return f'<{config().base_url}{request.path}?{query}>; rel="next"'


def _json_lines(pool: ConnectionPool, *, since: int | None, until: int, domains: Sequence[Domain]) -> Iterator[bytes]:
    # The response is sent after the request's own connection to the store is closed.
    connection = pool.acquire()
    try:
        with closing(list_exported_clicks(connection, since=since, until=until, domains=domains)) as clicks:
            while lines := list(islice(clicks, _LINES_IN_CHUNK)):
                yield msgspec.json.Encoder().encode_lines(lines)
    finally:
        pool.release(connection)
