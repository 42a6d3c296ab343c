"""Texts of an article: its title, the sentence around its link, and its summary."""

# ruff: noqa: RUF001 - other languages have other punctuation

import re

from shortener.newsletter import bylines, phrases
from shortener.newsletter.lines import LETTER, Line, Mention
from shortener.newsletter.titles import Title

MAX_TITLE_LENGTH = 300
"""Maximum length of a title in characters; longer titles are cut."""

_MAX_SUMMARY_LENGTH = 2_000  # characters; longer summaries are cut
_MAX_METADATA_LENGTH = 25  # characters: a shorter line behind a title is "5 min read" or a date
_SUMMARY_SEARCH_LINES = 8  # lines behind a title
_CONTEXT_LENGTH = 300  # characters on either side of a link
_LEADING_SEPARATOR = re.compile(r"^[\s:：–—|·•/,，.)）\]-]+")
_TRAILING_SEPARATOR = re.compile(r"[\s:：–—|·•/,，(（\[<-]+$")
# The point of an abbreviation or an initial ends no sentence.
_SENTENCE_END = re.compile(
    r"(?<!\s[A-Z])(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bSt)(?<!\bvs)(?<!\bMrs)(?<!\bProf)\.(?=\s)|[!?](?=\s)|[。！？]"
)
_STRAY_EMPHASIS = re.compile(r"\*{2,}|_{4,}")
_TEMPLATE_TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}")
_DEFINITION = re.compile(r"\[[^\]]*\]:(?:\s*https?://\S+)?")
_MARKDOWN_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_TAG = re.compile(
    r"</?(?:a|b|br|code|div|em|font|h[1-6]|i|img|li|p|small|span|strong|sub|sup|table|td|tr|u|ul)(?:\s[^<>]*)?/?>",
    re.I,
)
_ITEM_NUMBER = re.compile(r"^\s*(?:\d{1,3}(?:、\s*|[.)]\s+)|[-*•]\s+)")
_WORD_BEFORE = re.compile(r"[^\W_][\"'’”,;)]*\s+\Z")
_WORD_AFTER = re.compile(r"\s+[\"'“‘(]*[^\W_]")
_MAX_FRAGMENT_WORDS = 3
_URL_PREFIX = re.compile(r"^https?://(?:www\.)?")
_FOOTNOTE_MARK = re.compile(r"\[\^?\d{1,3}\]?")
_FOOTNOTE_BREAK = re.compile(r"\[\^?\d{1,3}\]|[.!?](?=\s)|[。！？]")
_FOOTNOTE_SEARCH_LINES = 400  # lines above a footnote
_THREE_LETTERS = re.compile(r"(?:[^\W_][\W_]*){3}")  # the least that makes a sentence


def article_title(lines: list[Line], mentions: list[Mention], title: Title | None) -> str | None:
    """Return the title of an article: its title line, else the text of a link, else the sentence around a link."""
    if title is not None:
        return _clean_title(title.text)
    with_text = [mention for mention in mentions if mention.text]
    alt_text = next((mention.alt_text for mention in mentions if mention.alt_text), "")[:MAX_TITLE_LENGTH]
    texts = [mention for mention in with_text if mention.kind not in ("more", "button")]
    if not texts and len(alt_text.split()) > _MAX_FRAGMENT_WORDS:
        return alt_text
    for mention in texts or with_text:
        words = phrases.normalize(mention.text)
        if len(words) > 1 and mention.text != mention.url and not phrases.is_generic(mention.text):
            if _is_sentence_fragment(lines[mention.line_index], mention):
                return _clean_title(_sentence_around(lines, mention) or mention.text)
            return _clean_title(mention.text)
    if alt_text or not mentions[0].is_content:
        return alt_text or None
    return _clean_title(_sentence_around(lines, mentions[0]) or "")


def _clean_title(text: str) -> str | None:
    text = text[: 4 * MAX_TITLE_LENGTH]
    text = _TEMPLATE_TAG.sub(" ", text) if "{" in text else text
    text = _DEFINITION.sub(" ", text) if "]:" in text else text
    text = _MARKDOWN_LINK.sub(r"\1", text) if "](" in text else text
    text = _TAG.sub(" ", text) if "<" in text else text
    text = _ITEM_NUMBER.sub("", text) if text[:1].isdigit() else text
    return strip_stray_emphasis(text)[:MAX_TITLE_LENGTH] or None


def _is_sentence_fragment(line: Line, mention: Mention) -> bool:
    if len(mention.text.split()) > _MAX_FRAGMENT_WORDS or not mention.text[:1].islower():
        return False
    before, after = line.text[: mention.start], line.text[mention.end :]
    is_amid = bool(_WORD_BEFORE.search(before)) or bool(_WORD_AFTER.match(after))
    return is_amid and bool(_THREE_LETTERS.search(before + " " + after))


def _sentence_around(lines: list[Line], mention: Mention) -> str | None:
    line = lines[mention.line_index]
    before = _SENTENCE_END.split(line.text[max(0, mention.start - _CONTEXT_LENGTH) : mention.start])[-1]
    end = _SENTENCE_END.search(line.text, mention.end, mention.end + _CONTEXT_LENGTH)
    after = line.text[mention.end : end.end() if end else mention.end + _CONTEXT_LENGTH]
    if mention.text == mention.url:
        return _title_near_url(lines, mention, before, after)
    # The link is the whole sentence.
    if not _THREE_LETTERS.search(before + after):
        return _last_sentence_before(lines, mention)
    sentence = " ".join(f"{before}{line.text[mention.start : mention.end]}{after}".split())
    if _THREE_LETTERS.search(sentence):
        return sentence[:MAX_TITLE_LENGTH]
    return _readable_url(mention.url)


def _title_near_url(lines: list[Line], mention: Mention, before: str, after: str) -> str:
    line = lines[mention.line_index]
    if not _THREE_LETTERS.search(after):  # "Title - URL": the title is not only its last sentence
        before = line.text[max(0, mention.start - _CONTEXT_LENGTH) : mention.start]
        after = ""
    before, after = _TRAILING_SEPARATOR.sub("", before), _LEADING_SEPARATOR.sub("", after)
    sentence = " ".join(_ITEM_NUMBER.sub("", f"{before} {after}").split())
    if _FOOTNOTE_MARK.fullmatch(sentence):
        return _text_before_footnote_mark(lines, sentence, line.index) or _readable_url(mention.url)
    if _THREE_LETTERS.search(sentence) or any(map(str.isalnum, sentence)):
        return sentence[:MAX_TITLE_LENGTH]
    return _caption_above(lines, mention.line_index) or _readable_url(mention.url)


def _readable_url(url: str) -> str:
    return _URL_PREFIX.sub("", url).rstrip("/")[:MAX_TITLE_LENGTH]


def _text_before_footnote_mark(lines: list[Line], mark: str, line_index: int) -> str | None:
    for line in lines[max(0, line_index - _FOOTNOTE_SEARCH_LINES) : line_index]:
        offset = line.text.find(mark)
        if offset < 0:
            continue
        text = line.text[max(0, offset - _CONTEXT_LENGTH) : offset]
        if line.continues_paragraph and line.index and not _FOOTNOTE_BREAK.search(text):
            text = f"{lines[line.index - 1].text[-_CONTEXT_LENGTH:]} {text}"
        words = " ".join(_LEADING_SEPARATOR.sub("", _FOOTNOTE_BREAK.split(text)[-1]).split())
        return words if _THREE_LETTERS.search(words) else None
    return None


def _last_sentence_before(lines: list[Line], mention: Mention) -> str | None:
    line = lines[mention.line_index]
    text = line.text[max(0, mention.start - _CONTEXT_LENGTH) : mention.start].strip()
    if mention.line_index and not _THREE_LETTERS.search(text):
        text = lines[mention.line_index - 1].text[:_CONTEXT_LENGTH]
    sentences = [part.strip() for part in _SENTENCE_END.split(text + " ") if _THREE_LETTERS.search(part)]
    return (sentences[-1] if sentences else line.text)[:MAX_TITLE_LENGTH] or None


def _caption_above(lines: list[Line], line_index: int) -> str | None:
    above = lines[line_index - 1] if line_index else None
    fits = above is not None and not above.mentions and 0 < len(above.text) <= MAX_TITLE_LENGTH
    return _TRAILING_SEPARATOR.sub("", _ITEM_NUMBER.sub("", above.text)) if above and fits else None


def article_summary(lines: list[Line], mentions: list[Mention], title: Title | None) -> str | None:
    """Return the first paragraph after the title of an article; without a title, the first paragraph that
    links to it.
    """
    if title is None:
        index = next((mention for mention in mentions if mention.text), mentions[0]).line_index
        return _rest_of_paragraph(lines, index, 0) if not lines[index].only_mention else None
    tail = _LEADING_SEPARATOR.sub("", lines[title.line_index].text[title.end :])
    if len(tail) > _MAX_METADATA_LENGTH:
        return _rest_of_paragraph(lines, title.line_index, title.end)
    in_list = bool(lines[title.line_index].item_part)
    for line in lines[title.line_index + 1 : title.line_index + 1 + _SUMMARY_SEARCH_LINES]:
        if line.level or any(mention.kind == "title" for mention in line.mentions):
            return None
        if in_list and line.item_part != "rest":
            return None
        if _is_prose(line):
            return _rest_of_paragraph(lines, line.index, 0)
    return None


def _is_prose(line: Line) -> bool:
    if line.hidden or len(line.text) <= _MAX_METADATA_LENGTH or bylines.standalone_byline(line):
        return False
    return not any(
        mention.kind == "footer" or (line.only_mention and mention.kind != "text") for mention in line.mentions
    )


def _rest_of_paragraph(lines: list[Line], line_index: int, start: int) -> str | None:
    parts, length = [], 0
    while line_index < len(lines) and length < _MAX_SUMMARY_LENGTH:
        line = lines[line_index]
        parts.append(_without_read_more(line)[start : start + _MAX_SUMMARY_LENGTH])
        length, start, line_index = length + len(parts[-1]), 0, line_index + 1
        if (
            line_index == len(lines)
            or not lines[line_index].continues_paragraph
            or any(mention.kind == "title" for mention in lines[line_index].mentions)
        ):
            break
    text = _LEADING_SEPARATOR.sub("", strip_stray_emphasis(" ".join(part.strip() for part in parts)))
    return text[:_MAX_SUMMARY_LENGTH] or None


def strip_stray_emphasis(text: str) -> str:
    """Return the text without marks such as ``**`` that a faulty export has left in it."""
    return " ".join((_STRAY_EMPHASIS.sub("", text) if "**" in text or "__" in text else text).split())


def _without_read_more(line: Line) -> str:
    last = line.mentions[-1] if line.mentions else None
    if last and last.kind == "more" and not LETTER.search(line.text[last.end : last.end + _MAX_METADATA_LENGTH]):
        return line.text[: last.start]
    return line.text
