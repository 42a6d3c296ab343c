"""Copy tags: a merge tag behind every short URL, which the sender fills with another value in each reader's copy.

It stands in the query as ``_c``, and byte for byte as the sender wants it, so it is neither escaped nor encoded.
"""

import re
from collections.abc import Collection

from shortener.codes import RECIPIENT_PARAMETER
from shortener.errors import InputError
from shortener.newsletter import mergetags

MAX_TAG_LENGTH = 200

_UNSAFE_CHARACTER = re.compile(r"[\s\x00-\x1f\x7f#&]")


def check_recipient_tag(tag: str) -> str:
    """The tag, if it can stand in a URL. Raises InputError with the mend."""
    shown = tag if tag.isprintable() else repr(tag)
    if len(tag) > MAX_TAG_LENGTH:
        raise InputError(f"{shown[:60]}…: a copy tag has at most {MAX_TAG_LENGTH} characters")
    if any(c.isspace() for c in tag):
        tight = "".join(tag.split())
        raise InputError(f"{shown}: a copy tag in a URL has no spaces; most senders take {tight} as well")
    if bad := _UNSAFE_CHARACTER.search(tag):
        raise InputError(f"{shown}: {bad[0]!r} would end the copy tag's place in a URL; use a tag without it")
    if mergetags.find_merge_tag_end(tag.encode(), 0) != len(tag.encode()):
        raise InputError(
            f"{shown}: not a merge tag that is known here, and one value for all readers would make one reader of "
            "them; write what your sender fills with a value for each recipient, such as *|UNIQID|* or {{contact.id}}"
        )
    return tag


def recipient_token_query(recipient_tag: str) -> str:
    """What stands behind a short URL for a tag; nothing for none."""
    return f"?{RECIPIENT_PARAMETER}={recipient_tag}" if recipient_tag else ""


def strip_recipient_tags(source: bytes, *, hosts: Collection[str]) -> tuple[bytes, str]:
    """The source with no copy tag behind any short URL of these hosts, and the tag that stood there ('' for none).

    Where different tags stand, the first one is given.
    """
    if f"?{RECIPIENT_PARAMETER}=".encode() not in source or not hosts:
        return source, ""
    named = "|".join(re.escape(host) for host in hosts)
    urls = re.compile(rf"https?://(?:{named})/[\w./-]+(\?{RECIPIENT_PARAMETER}=)".encode(), re.I)
    parts, at, found = [], 0, ""
    for match in urls.finditer(source):
        end = mergetags.find_merge_tag_end(source, match.end(1))
        if end is not None and match.start() >= at:
            parts.append(source[at : match.start(1)])
            found = found or source[match.end(1) : end].decode()
            at = end
    return b"".join((*parts, source[at:])), found
