"""The format of the lines of the click log, which is public and defined in docs/click-log.md."""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

FORMAT_VERSION = 1
"""Version of the format, which is the value of the key ``v`` in every line."""
MAX_LINE_BYTES = 4096
"""Maximum length of a line in bytes, without the newline. Longer lines are skipped; workers never write any."""
MAX_TEXT_LENGTH = 512
"""Maximum length in characters of a recorded user agent or referrer. It limits the time that parsing takes."""
MAX_HEADER_LENGTH = 128
"""Maximum length in characters of any other recorded request header."""

LOCAL_KEY = "local"
"""Value of ``ClickLine.key`` if the hashes were made with a key that only the writing machine has."""

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
"""Names of the request headers that are logged under the key ``h`` (docs/click-log.md, section 3)."""


OPT_OUT_HEADERS = ("sec-gpc", "dnt")
"""Names of the logged headers by which a reader opts out of tracking: Global Privacy Control and Do Not Track."""


def opts_out(headers: Mapping[str, str]) -> bool:
    """Return whether a request says that the reader opts out of tracking, by Global Privacy Control or Do Not Track."""
    for name in OPT_OUT_HEADERS:
        value = headers.get(name)
        if value and "1" in value and any(part.strip(' \t?"')[:1] == "1" for part in value.split(",")):
            return True
    return False


class ClickLine(Struct, omit_defaults=True, gc=False):
    """One line of the click log: a click, or a miss (a request that was not redirected).

    None means that the key is missing.
    """

    # docs/click-log.md, section 2
    v: int
    id: str
    ts: float
    """Time of the response in seconds since the UTC epoch, with a fraction."""
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
    """The client's whole address. Only other programs write it, and the collector does not store it."""
    key: str | None = None
    """LOCAL_KEY if the hashes were made with a key that only the writing machine has."""


class SegmentHeader(Struct):
    """The first line of a click-log file that a worker process writes (docs/click-log.md, section 6.1)."""

    v: int
    segment: str
    """Identifier of the segment, which stays the same when the file is renamed."""
    node: str
    """Name of the writing machine: the configured node name, else the host name."""
    started: float
    """Time of creation in seconds since the UTC epoch."""


encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(ClickLine).decode
decode_header = msgspec.json.Decoder(SegmentHeader).decode
_UNSTORABLE_CHARACTERS = re.compile("[\0\ud800-\udfff]")
_UNSTORABLE_ESCAPES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def storable_text(text: str) -> str:
    """Return a text without NUL and lone surrogates, which some databases cannot store."""
    return _UNSTORABLE_CHARACTERS.sub("", text)


def storable(value: Any) -> Any:
    """Return a value whose texts, also in lists and dicts, are without NUL and lone surrogates."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(key): storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list) else value


def decode_line(line: bytes) -> ClickLine:
    """Parse one line of the click log.

    Raises msgspec.DecodeError, UnicodeDecodeError or RecursionError for a damaged line.
    """
    if b"\\u" not in line or not _UNSTORABLE_ESCAPES.search(line):
        return _decode_line(line)
    try:
        return msgspec.convert(storable(json.loads(line)), ClickLine)
    except json.JSONDecodeError as error:
        raise msgspec.DecodeError(str(error)) from None
