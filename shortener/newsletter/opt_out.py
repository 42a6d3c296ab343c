"""Recognition of the links with which a reader unsubscribes or changes settings. They get no short links."""

# A sending service recognizes such links by their URL, or replaces them itself. A redirect would break one-click
# unsubscribing.
import re

from shortener.messages import Message
from shortener.newsletter import phrases, url_kinds
from shortener.newsletter.document import Document
from shortener.newsletter.lines import Line, Mention, build_lines

OPT_OUT_REASON = Message("it unsubscribes or changes a subscription")
"""Reason why a link for leaving the list is left alone."""

_MAX_TEXT_LENGTH = 70  # characters of the text of a link: a longer text is a title or prose
_MAX_SHORT_TEXT_LENGTH = 30  # characters: "here", "this link" and "click here to do so" are shorter
_MIN_DESCRIPTION_LENGTH = 40  # letters and digits behind the link of a list item
_CONTEXT_LENGTH = 140  # characters on each side of a link
_SENTENCE_STOP = re.compile(r"[.!](?=\s)|[。！।]")  # noqa: RUF001 - other languages have other punctuation


def find_opt_out_links(document: Document) -> dict[int, Message]:
    """Return ``{link index: reason}`` for the links with which a reader unsubscribes or changes settings.

    The reason says to editors why the URL stays unchanged.
    """
    found: dict[int, Message] = {}
    for line in build_lines(document, [None] * len(document.links)):
        for mention in line.mentions:
            if _is_opt_out(line, mention):
                found[mention.link_index] = OPT_OUT_REASON
    return found


def _is_opt_out(line: Line, mention: Mention) -> bool:
    if url_kinds.is_subscription_page(mention.url):
        return True
    text = mention.text or mention.alt_text
    if not text or len(text) > _MAX_TEXT_LENGTH or 0 < line.level <= 3 or _begins_described_item(line, mention):
        return False
    words = phrases.normalize(text)
    if phrases.OPT_OUT_TEXT.search(words):
        return True
    is_vague = phrases.GENERIC_TEXT.match(words) or phrases.READ_MORE.match(words)
    if not is_vague and not _is_click_here(words):
        return False
    return bool(phrases.OPT_OUT_CONTEXT.search(phrases.fold_case(_sentence(line, mention))))


def _is_click_here(words: str) -> bool:
    parts = words.split()
    return len(words) <= _MAX_SHORT_TEXT_LENGTH and bool(
        parts and (phrases.GENERIC_TEXT.match(parts[-1]) or phrases.GENERIC_TEXT.match(parts[0]))
    )


def _begins_described_item(line: Line, mention: Mention) -> bool:
    after = line.text[mention.end : mention.end + _CONTEXT_LENGTH]
    return bool(line.item_part) and mention.start <= 2 and sum(map(str.isalnum, after)) > _MIN_DESCRIPTION_LENGTH


def _sentence(line: Line, mention: Mention) -> str:
    before = line.text[max(0, mention.start - _CONTEXT_LENGTH) : mention.start]
    after = line.text[mention.end : mention.end + _CONTEXT_LENGTH]
    start = _SENTENCE_STOP.split(before)[-1]
    return f"{start} {mention.text} {_SENTENCE_STOP.split(after)[0]}"
