"""Where a sending service will put text of its own: merge tags, which no URL of ours may disturb."""

import re
from bisect import bisect_left
from collections.abc import Sequence

# Every alternative stops at its own opening character, so that scanning stays linear on hostile input.
_MERGE_TAG = re.compile(
    rb"\*\|[A-Za-z][^*|\r\n]{0,300}\|\*"  # Mailchimp: *|UNSUB|*
    rb"|\{\{[^{}]{0,300}\}\}"  # Handlebars, Liquid, Jinja, Hugo: {{ unsubscribe_url }}
    rb"|\{%[^%\r\n]{0,300}%\}"  # Liquid, Jinja: {% unsubscribe %}
    rb"|%%(?:=[^%\r\n]{0,300}=|\[[^%\r\n]{0,300}\]|[\w. :-]{1,100})%%"  # Salesforce: %%name%%, %%=Fn()=%%
    rb"|\[\[[^\[\]\r\n]{1,200}\]\]"  # [[unsubscribe]]
    rb"|<%[^%]{0,300}%>"  # ERB: <%= url %>
    rb"|\$\{[^{}\r\n]{0,200}\}"  # ${url}
)
# Inside a URL, where braces and bad percent signs mean nothing else: {name}, {$email}, %FIRSTNAME%, and
# the halves of a tag that the end of the URL has cut in two.
_MERGE_TAG_IN_URL = re.compile(
    r"\{[$A-Za-z_][^{}]{0,100}\}|\{[{%]|[%}]\}|\*\||\|\*|%%|<%|\$\{|\[\[|%(?![0-9A-Fa-f]{2})[A-Za-z][\w.-]+%"
)

# What a value of a query can be besides, where nothing else can be meant: {name}, {$email}, %FIRSTNAME%.
_QUERY_VALUE_TAG = re.compile(rb"\{[$A-Za-z_][^{}\s]{0,100}\}|%(?![0-9A-Fa-f]{2})[A-Za-z][\w.-]+%")

ByteRange = tuple[int, int]


def find_merge_tags(source: bytes) -> list[ByteRange]:
    """Byte ranges of the merge tags in ``source``, in order, not overlapping."""
    return [match.span() for match in _MERGE_TAG.finditer(source)]


def overlaps_merge_tag(spans: Sequence[ByteRange], *, start: int, end: int) -> bool:
    """Say whether a merge tag of ``spans`` overlaps the bytes from ``start`` to ``end``."""
    at = bisect_left(spans, (end, 0)) - 1
    return at >= 0 and spans[at][1] > start


def find_merge_tag_end(source: bytes, start: int) -> int | None:
    """Where the merge tag ends that begins at ``start``, as the value of a query; None where none begins."""
    match = _MERGE_TAG.match(source, start) or _QUERY_VALUE_TAG.match(source, start)
    return match.end() if match else None


def contains_merge_tag(url: str) -> bool:
    """Say whether a URL holds a merge tag."""
    return _MERGE_TAG_IN_URL.search(url) is not None
