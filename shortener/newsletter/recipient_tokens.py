"""Merge tags in short URLs, such as ``?_c=*|UNIQID|*``, in which a sending service fills in each recipient's token."""

# A tag is neither escaped nor encoded, because the sending service searches for exactly its bytes.
import re
from collections.abc import Collection

from shortener.codes import RECIPIENT_PARAMETER
from shortener.errors import InputError
from shortener.messages import Message
from shortener.newsletter import mergetags

MAX_TAG_LENGTH = 200
"""Maximum length of a recipient tag in characters."""

_UNSAFE_CHARACTER = re.compile(r"[\s\x00-\x1f\x7f#&]")


def check_recipient_tag(tag: str) -> str:
    """Return a recipient tag unchanged if it is a known merge tag that can be part of a URL.

    Raises InputError otherwise.
    """
    shown = tag if tag.isprintable() else repr(tag)
    if len(tag) > MAX_TAG_LENGTH:
        raise InputError(
            Message(
                "{value}…: a recipient tag has at most {limit} characters",
                value=shown[:60],
                limit=MAX_TAG_LENGTH,
            )
        )
    if any(char.isspace() for char in tag):
        compact = "".join(tag.split())
        raise InputError(
            Message(
                "{shown}: a recipient tag cannot contain spaces; most senders also accept {compact}",
                shown=shown,
                compact=compact,
            )
        )
    if unsafe := _UNSAFE_CHARACTER.search(tag):
        raise InputError(
            Message(
                "{shown}: a recipient tag cannot contain {value}; use a tag without it",
                shown=shown,
                value=repr(unsafe[0]),
            )
        )
    if mergetags.find_merge_tag_end(tag.encode(), 0) != len(tag.encode()):
        raise InputError(
            Message(
                "{shown}: not a known merge tag; use one that your sender fills for each recipient, such "
                "as *|UNIQID|* or {{{{contact.id}}}}",
                shown=shown,
            )
        )
    return tag


def recipient_token_query(recipient_tag: str) -> str:
    """Return the query string with a recipient tag for a short URL, such as ``?_c=*|UNIQID|*``; '' without a tag."""
    return f"?{RECIPIENT_PARAMETER}={recipient_tag}" if recipient_tag else ""


def strip_recipient_tags(source: bytes, *, hosts: Collection[str]) -> tuple[bytes, str]:
    """Remove the recipient tags from all short URLs on ``hosts``.

    Return the new source and the first tag that was removed, '' if none was removed.
    """
    if f"?{RECIPIENT_PARAMETER}=".encode() not in source or not hosts:
        return source, ""
    any_host = "|".join(re.escape(host) for host in hosts)
    tagged_url = re.compile(rf"https?://(?:{any_host})/[\w./-]+(\?{RECIPIENT_PARAMETER}=)".encode(), re.I)
    parts, offset, first_tag = [], 0, ""
    for match in tagged_url.finditer(source):
        end = mergetags.find_merge_tag_end(source, match.end(1))
        if end is not None and match.start() >= offset:
            parts.append(source[offset : match.start(1)])
            first_tag = first_tag or source[match.end(1) : end].decode()
            offset = end
    return b"".join((*parts, source[offset:])), first_tag
