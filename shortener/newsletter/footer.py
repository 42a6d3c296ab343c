"""The footer of an issue: where it begins, and the links in it."""

from shortener.newsletter import phrases
from shortener.newsletter.lines import Line, Mention

_CONTEXT_LENGTH = 300  # characters of a line that are searched for footer text
_MAX_TEXT_BESIDE_LINKS = 60  # characters: a line with more text around its links is prose
_FOOTER_START_FRACTION = 0.5  # of the lines: the earliest start of the footer of an issue without titles


def mark_footer(
    lines: list[Line],
    *,
    last_title_line: int,  # of an article; -1 if no line is a title
) -> None:
    """Give the kind "footer" to the links in the footer of an issue. Links without a role get the role "service"."""
    # The footer begins below the last article, at a text such as "© 2026".
    content_lines = (line.index for line in lines if any(map(_is_content_link, line.mentions)))
    last_content = max(last_title_line, max(content_lines, default=-1))
    first_line = last_content + 1 if last_content >= 0 else int(len(lines) * _FOOTER_START_FRACTION)
    in_footer = False
    for line in lines:
        in_footer = in_footer or (line.index >= first_line and _starts_footer(line))
        for mention in line.mentions:
            if in_footer or (line.footer and mention.kind != "title"):
                mention.role, mention.kind = mention.role or "service", "footer"
            elif mention.role == "service":
                mention.kind = "footer"


def _is_content_link(mention: Mention) -> bool:
    return mention.is_content and mention.kind in ("title", "more", "button")


def _starts_footer(line: Line) -> bool:
    if line.footer or phrases.FOOTER_TEXT.search(phrases.fold_case(line.text[:_CONTEXT_LENGTH])):
        return True
    signs = [
        mention for mention in line.mentions if mention.role in ("service", "boilerplate") and not mention.has_image
    ]
    texts = [phrases.normalize(mention.text[:_CONTEXT_LENGTH]) for mention in signs]
    if any(map(phrases.SERVICE_TEXT.search, texts)):
        return True
    linked_length = sum(len(mention.text) for mention in line.mentions)
    return bool(signs) and len(line.text) - linked_length <= _MAX_TEXT_BESIDE_LINKS
