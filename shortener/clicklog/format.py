"""The click line: one click as it stands in the click log (a public format, version 1)."""

import msgspec
from msgspec import Struct

FORMAT_VERSION = 1
MAX_LINE_BYTES = 4096
"""A longer line is skipped by the reader; our own writer cuts fields so that none gets there."""
MAX_TEXT_LENGTH = 512
"""Characters that are kept of a user agent or referrer: what a parser can be made to spend is bounded by it."""
MAX_HEADER_LENGTH = 128
"""Characters that are kept of any other request header."""

LOGGED_HEADERS = (
    "sec-purpose",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-site",
    "purpose",
    "x-purpose",
    "x-moz",
    "dnt",
    "sec-gpc",
    "accept",
    "range",
)
"""The request headers that verdicts need; ``h`` holds those that were sent."""


class ClickLine(Struct, omit_defaults=True, gc=False):
    """A line of the click log. The first five keys are required; unknown keys are ignored."""

    v: int
    id: str
    ts: float
    """Seconds of UTC epoch, with a fraction."""
    host: str
    code: str
    path: str | None = None
    n: int | None = None
    method: str | None = None
    status: int | None = None
    net: str | None = None
    addr: str | None = None
    visitor: str | None = None
    copy: str | None = None
    ua: str | None = None
    ref: str | None = None
    lang: str | None = None
    q: str | None = None
    h: dict[str, str] | None = None
    ip: str | None = None
    """A whole address, from a foreign writer only: the collector reduces it before anything is stored."""


class SegmentHeader(Struct):
    """The first line of a segment: who wrote it. ``segment`` is the segment's identity, whatever its name."""

    v: int
    segment: str
    node: str
    started: float


encode = msgspec.json.Encoder().encode
decode_line = msgspec.json.Decoder(ClickLine).decode
decode_header = msgspec.json.Decoder(SegmentHeader).decode
