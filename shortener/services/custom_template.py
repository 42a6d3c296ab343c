"""Rendering of templates that editors have written, in a child process with limited processor time and memory.

A template could loop forever.
"""

import sys
from typing import Literal

import msgspec
from msgspec import Struct

from shortener.errors import InputError
from shortener.limited_process import LimitExceeded, limit_this_process, run_limited
from shortener.messages import Message, message_text
from shortener.ranking import render
from shortener.ranking.picks import ArticleDetails, Picks

CPU_SECONDS = 5
"""Processor time that it may need, including the start of the process. A usual template needs a hundredth of it."""
INVALID_TEMPLATE_STATUS = 3
"""Exit status of the child process if the template has an error."""


class TemplateRequest(Struct, frozen=True):
    """The input of the child process that renders an editor's template."""

    output_format: Literal["markdown", "html"]
    template: str
    picks: Picks
    """The recommended articles to render."""
    details: list[ArticleDetails]
    """Texts, URLs and images of these articles."""


def render_custom_template(request: TemplateRequest) -> str:
    """Return the section of recommended articles, rendered by an editor's own template.

    Raises InputError if the template fails or exceeds the limits.
    """
    # Python cannot stop an endless loop in its own process.
    content = msgspec.json.encode(request, enc_hook=message_text)
    try:
        status, output = run_limited("shortener.services.custom_template", content, cpu_seconds=CPU_SECONDS)
    except LimitExceeded:
        raise InputError(
            Message(
                "the picks template took longer than {seconds} seconds and was stopped; look for loops inside loops",
                seconds=str(CPU_SECONDS),
            )
        ) from None
    text = output.decode()
    if status == INVALID_TEMPLATE_STATUS:
        raise InputError(text)
    if status:
        raise InputError(Message("the picks template needs too much memory; look for loops inside loops"))
    return text


def main() -> int:
    """Render the template in a ``TemplateRequest`` from standard input, and write the result to standard output.

    Return the exit status.
    """
    limit_this_process()
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=TemplateRequest)
    render_picks = render.render_markdown if request.output_format == "markdown" else render.render_html
    try:
        text, status = render_picks(request.picks, details=request.details, template=request.template), 0
    except InputError as error:
        # The parent process shows this output to the editor.
        text, status = str(error), INVALID_TEMPLATE_STATUS
    sys.stdout.buffer.write(text.encode())
    return status


if __name__ == "__main__":
    sys.exit(main())
