"""Grouping of the links that belong to one article, for issues whose links a sending service already tracks."""

# Such a service, for example Mailchimp, replaces each URL by one that counts the click and then redirects. Two links to
# one article then have different URLs. So links are grouped by their place: images above a title and buttons below it
# belong to the article with this title.
from collections import Counter
from collections.abc import Iterator

from shortener.newsletter import url_kinds
from shortener.newsletter.lines import Line, Mention

_MIN_LINKS = 4
_MIN_TRACKED_FRACTION = 0.6  # of the links of an issue
_MIN_DISTINCT_FRACTION = 0.9  # of the tracked links: the same target has another URL in each place
_MAX_GAP = 3  # lines between an image and the title below it


def _find_main_tracker_prefix(lines: list[Line]) -> str:
    first_mentions = {mention.link_index: mention for line in lines for mention in line.mentions}
    prefixes = Counter(url_kinds.tracker_prefix(mention.url) for mention in first_mentions.values())
    del prefixes[""]
    if not prefixes:
        return ""
    prefix, count = prefixes.most_common(1)[0]
    tracked = [m.url for m in first_mentions.values() if url_kinds.tracker_prefix(m.url) == prefix]
    if count < max(_MIN_LINKS, _MIN_TRACKED_FRACTION * len(first_mentions)):
        return ""
    return prefix if len(set(tracked)) >= _MIN_DISTINCT_FRACTION * count else ""


def group_by_place(
    lines: list[Line],
    title_keys: dict[int, str],  # article keys by the line indices of the titles
) -> None:
    """Give images, buttons and "read more" links the ``article_key`` of the nearest title.

    Nothing changes unless a service tracks most links.
    """
    prefix = _find_main_tracker_prefix(lines)
    if not prefix:
        return
    titled = set(title_keys.values())
    for mention, key in [*_images_above(lines, title_keys), *_links_below(lines, title_keys)]:
        is_free = mention.article_key is not None and mention.article_key not in titled
        if is_free and mention.role in ("", "navigation") and url_kinds.tracker_prefix(mention.url) == prefix:
            mention.article_key, mention.role = key, ""


def _images_above(lines: list[Line], title_keys: dict[int, str]) -> Iterator[tuple[Mention, str]]:
    for index, key in title_keys.items():
        for line in reversed(lines[max(0, index - _MAX_GAP) : index]):
            if not line.has_only_images:
                if line.text:
                    break
                continue
            for mention in line.mentions:
                yield mention, key
            break


def _links_below(lines: list[Line], title_keys: dict[int, str]) -> Iterator[tuple[Mention, str]]:
    key = ""
    for line in lines:
        if line.index in title_keys:
            key = title_keys[line.index]
        elif line.level or line.is_rule or line.has_only_images or line.footer:
            key = ""
        elif key:
            for mention in line.mentions:
                if mention.kind in ("more", "button") or _has_only_links(line):
                    yield mention, key
                    mention.kind = mention.kind if mention.kind != "text" else "more"


def _has_only_links(line: Line) -> bool:
    linked = sum(len(mention.text) for mention in line.mentions)
    return bool(line.mentions) and sum(map(str.isalnum, line.text)) <= linked
