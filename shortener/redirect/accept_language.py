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
    for requested in _tags_by_preference(accept_language or ""):
        match = by_tag.get(requested) or by_tag.get(requested.partition("-")[0])
        if match:
            return match
    return DEFAULT_LANGUAGE


def _tags_by_preference(header: str) -> list[str]:
    # RFC 9110, section 12.5.4
    weighted = []
    for item in header.lower().split(",", MAX_TAGS)[:MAX_TAGS]:
        tag, _, parameter = item.partition(";")
        weight = _parse_weight(parameter)
        if weight > 0:
            weighted.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighted, key=lambda pair: -pair[0])]


def _parse_weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")  # such as q=0.8
    if not name.strip():
        return 1.0
    try:
        weight = float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
