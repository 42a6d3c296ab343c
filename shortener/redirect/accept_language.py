"""Choose a language by the request header Accept-Language, for redirect workers and for the pages."""

from collections.abc import Iterable

DEFAULT_LANGUAGE = "en"
MAX_TAGS = 20
"""Language tags of a header that are read."""


def choose_language(accept_language: str | None, available: Iterable[str]) -> str:
    """Return the tag in ``available`` that a client prefers; DEFAULT_LANGUAGE if it requests none of them.

    Related tags match too, such as ``zh-CN`` and ``zh-Hans``.
    """
    by_tag: dict[str, str] = {}
    for tag in available:
        by_tag[tag.lower()] = tag
        by_tag.setdefault(tag.partition("-")[0].lower(), tag)
    for requested in _requested_tags(accept_language or ""):
        match = by_tag.get(requested) or by_tag.get(requested.partition("-")[0])
        if match:
            return match
    return DEFAULT_LANGUAGE


def _requested_tags(header: str) -> list[str]:
    """Return the lower-case language tags, the most preferred first (RFC 9110, section 12.5.4)."""
    weighted = []
    for item in header.lower().split(",", MAX_TAGS)[:MAX_TAGS]:
        tag, _, parameter = item.partition(";")
        weight = _weight(parameter)
        if weight > 0:
            weighted.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighted, key=lambda pair: -pair[0])]


def _weight(parameter: str) -> float:
    """Return the weight in a parameter such as ``q=0.8``; 1 if it is empty, 0 if it is invalid."""
    name, _, value = parameter.partition("=")
    if not name.strip():
        return 1.0
    try:
        weight = float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
