"""Rendering of a template that editors have written, in a child process with limits on time and memory.

A template is a program: loops inside loops or a large power can run forever, and Python cannot stop them. The child
process (``python -m shortener.services.custom_template``) reads a request from standard input and writes the result, or
one line that says what is wrong, to standard output.
"""

import resource
import subprocess
import sys
from typing import Literal

import msgspec
from msgspec import Struct

from shortener.errors import InputError
from shortener.messages import Message, message_text
from shortener.ranking import render
from shortener.ranking.picks import ArticleDetails, Picks

TIMEOUT_SECONDS = 5.0
"""Time limit, including the start of the process. A template of an issue takes a hundredth of a second."""
MAX_MEMORY_BYTES = 1 << 30
INVALID_TEMPLATE_STATUS = 3
"""Exit status of the child process if the template has an error."""


class TemplateRequest(Struct, frozen=True):
    """The request to the child process: the picks (recommended articles) to render, and the template."""

    output_format: Literal["markdown", "html"]
    template: str
    picks: Picks
    details: list[ArticleDetails]


def render_custom_template(request: TemplateRequest) -> str:
    """Return the section of the picks (recommended articles), rendered by an editor's own template.

    Raises InputError if the template fails or exceeds the limits.
    """
    try:
        process = subprocess.run(
            [sys.executable, "-m", "shortener.services.custom_template"],
            input=msgspec.json.encode(request, enc_hook=message_text),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            Message(
                "the picks template took longer than {seconds} seconds and was stopped; look for loops inside loops",
                seconds=format(TIMEOUT_SECONDS, "g"),
            )
        ) from None
    text = process.stdout.decode()
    if process.returncode == INVALID_TEMPLATE_STATUS:
        raise InputError(text)
    if process.returncode:
        raise InputError(Message("the picks template needs too much time or memory; look for loops inside loops"))
    return text


def main() -> int:
    """Set the limits of this process, then render the request on standard input. Return the exit status."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The parent enforces the time limit. If the parent is killed, the kernel ends this process.
    resource.setrlimit(resource.RLIMIT_CPU, (int(TIMEOUT_SECONDS) + 1, int(TIMEOUT_SECONDS) + 1))
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=TemplateRequest)
    render_picks = render.render_markdown if request.output_format == "markdown" else render.render_html
    try:
        text, status = render_picks(request.picks, details=request.details, template=request.template), 0
    except InputError as error:
        text, status = str(error), INVALID_TEMPLATE_STATUS
    sys.stdout.buffer.write(text.encode())
    return status


if __name__ == "__main__":
    sys.exit(main())
