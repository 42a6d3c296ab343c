"""Merge tags, such as ``*|FNAME|*``: placeholders that a sending service fills in, and that must stay unchanged."""

import re
from bisect import bisect_left
from collections.abc import Sequence

# Each alternative excludes its own opening character, so that a search in hostile input takes linear time.
_MERGE_TAG = re.compile(
    rb"\*\|[A-Za-z][^*|\r\n]{0,300}\|\*"  # Mailchimp: *|UNSUB|*
    rb"|\{\{[^{}]{0,300}\}\}"  # Handlebars, Liquid, Jinja, Hugo: {{ unsubscribe_url }}
    rb"|\{%[^%\r\n]{0,300}%\}"  # Liquid, Jinja: {% unsubscribe %}
    rb"|%%(?:=[^%\r\n]{0,300}=|\[[^%\r\n]{0,300}\]|[\w. :-]{1,100})%%"  # Salesforce: %%name%%, %%=Fn()=%%
    rb"|\[\[[^\[\]\r\n]{1,200}\]\]"  # [[unsubscribe]]
    rb"|<%[^%]{0,300}%>"  # ERB: <%= url %>
    rb"|\$\{[^{}\r\n]{0,200}\}"  # ${url}
)
# Inside a URL braces and invalid percent signs have no other meaning: {name}, {$email}, %FIRSTNAME%, [FIRST_NAME], and
# both halves of a tag that the end of the URL splits. Brackets, dashes and signs mean something only as a value.
_MERGE_TAG_IN_URL = re.compile(
    r"=\[(?:\w+:)?\w*(?:mail|name|id|hash|key|token|subscriber|contact|recipient)\]"  # [email], [subscriber:email]
    r"|\[%|\$\[|~~eloqua\b|#\w+:\w+#|\$[A-Z_]{3,}\$"  # [% id %], $[UD:EMAIL]$, #recipient:email#, $UNSUB$
    r"|=(?:@[A-Z_]{3,}@|--[a-z_]+--|-[a-z_]+-)(?=&|\Z)"  # @EMAIL@, --uuid--, -name-
    r"|\{[$!A-Za-z_][^{}]{0,100}\}|\{[{%]|[%}]\}|\*\||\|\*|%%|<%|\$\{|\[\[|\[[A-Z][A-Z0-9_]+\]|%(?![0-9A-Fa-f]{2})[A-Za-z][\w.-]+%"
)
# Further tags that can be the value of a query parameter: {name}, {$email}, %FIRSTNAME%.
_QUERY_VALUE_TAG = re.compile(rb"\{[$A-Za-z_][^{}\s]{0,100}\}|%(?![0-9A-Fa-f]{2})[A-Za-z][\w.-]+%")

ByteRange = tuple[int, int]
"""Start and end offset in bytes."""


def find_merge_tags(source: bytes) -> list[ByteRange]:
    """Return the byte ranges of the merge tags in ``source``, in order and without overlaps."""
    return [match.span() for match in _MERGE_TAG.finditer(source)]


def overlaps_merge_tag(ranges: Sequence[ByteRange], *, start: int, end: int) -> bool:
    """Return whether a merge tag overlaps the bytes from ``start`` to ``end``.

    ``ranges`` are the byte ranges of all merge tags.
    """
    index = bisect_left(ranges, (end, 0)) - 1
    return index >= 0 and ranges[index][1] > start


def find_merge_tag_end(source: bytes, start: int) -> int | None:
    """Return where the merge tag (placeholder) at the offset ``start`` ends. Return None if there is none."""
    match = _MERGE_TAG.match(source, start) or _QUERY_VALUE_TAG.match(source, start)
    return match.end() if match else None


def contains_merge_tag(url: str) -> bool:
    """Return whether a URL contains a merge tag, or the beginning or end of one, such as ``*|``."""
    return _MERGE_TAG_IN_URL.search(url) is not None
