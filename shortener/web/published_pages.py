"""Error pages for readers, such as "unknown link", rendered in advance for the redirect workers."""

from flask import Flask

from shortener.redirect import reader_pages
from shortener.redirect.redirector import MISS_STATUS_KEY
from shortener.redirect.responses import Response


def publish_reader_pages(app: Flask) -> None:
    """Write the error pages for readers to the file that redirect workers read.

    Call this again after a change of settings. Raises OSError.
    """
    pages = {
        tag: {status: _render_reader_page(app, status, language=tag) for status in reader_pages.STATUSES}
        for tag in app.extensions["languages"]
    }
    reader_pages.publish(pages, data_directory=app.extensions["config"].file_config.data_directory)


def _render_reader_page(app: Flask, status: int, *, language: str) -> Response:
    client = app.test_client(use_cookies=False)
    path = "/-/upload" if status == 413 else "/miss"
    page = client.get(path, environ_overrides={MISS_STATUS_KEY: status}, headers={"Accept-Language": language})
    headers = [(name, value) for name, value in page.headers if name != "Set-Cookie"]
    if status == 503:
        headers.append(reader_pages.RETRY_AFTER)
    return Response(page.status_code, headers, page.data)
