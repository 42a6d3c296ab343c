"""Pages for readers in the language that their browser asks for."""

import re
from datetime import UTC, datetime

import pytest
from babel import Locale
from flask import render_template

from shortener.redirect.reader_pages import STATUSES, ReaderPages
from shortener.store import links
from shortener.web.filters import format_datetime, format_month, format_multiple, format_number
from shortener.web.languages import ENGLISH, Language, all_languages, build_language, load_languages, use_language
from shortener.web.published_pages import publish_reader_pages
from tests.pseudo_languages import LONG, pseudo_languages
from tests.web.conftest import NOW, EditorSite

MISSING = {
    "en": "This link leads nowhere",
    "de": "Dieser Link führt ins Leere",
    "es": "Este enlace no lleva a ninguna parte",
    "fr": "Ce lien ne mène nulle part",
    "zh-Hans": "此链接未指向任何页面",
}
"""Heading of the page for unknown links by language."""
READER_PATHS = {"home": "/", "missing": "/nosuch", "preview": "/song+"}
NUMBERS = {
    "en": ("1,234,567", "< 0.1", "1.8×", "12.3 %", "24 Nov 2026, 08:05 UTC", "November 2026"),
    "de": ("1.234.567", "< 0,1", "1,8×", "12,3\xa0%", "24. Nov. 2026, 08:05 UTC", "November 2026"),
    "es": ("1.234.567", "< 0,1", "1,8×", "12,3\xa0%", "24 nov 2026, 8:05 UTC", "noviembre de 2026"),
    "fr": (
        "1\u202f234\u202f567",
        "< 0,1",
        "1,8×",
        "12,3\xa0%",
        "24 nov. 2026, 08:05 UTC",
        "novembre 2026",
    ),
    "zh-Hans": ("1,234,567", "< 0.1", "1.8×", "12.3%", "2026年11月24日 08:05 UTC", "2026年11月"),
}
"""Numbers and dates by language."""


def add_link(site: EditorSite) -> None:
    """Add the short link ``song``."""
    with site.store.transaction():
        links.add(site.store, "go.example", "song", target="https://example.com/song", title="A song", now=NOW)


@pytest.mark.parametrize("tag", MISSING)
def test_reader_pages_are_in_the_language_that_the_browser_asks_for(empty_site: EditorSite, tag: str) -> None:
    """Every page for readers names its language, varies by it, and keeps what editors wrote."""
    add_link(empty_site)
    for path in READER_PATHS.values():
        page = empty_site.browser().get(path, **{"Accept-Language": f"{tag};q=0.9, en;q=0.1"})
        assert f'<html lang="{tag}" dir="ltr">' in page.text
        assert {"Accept-Language", "Cookie"} <= set(page.vary)
        assert page.headers["Content-Language"] == tag
        assert "Low Tide" in page.text  # the name of the site
        assert "A song" in page.text or not path.endswith("+")
    assert MISSING[tag] in empty_site.browser().get("/nosuch", **{"Accept-Language": tag}).text


@pytest.mark.parametrize("tag", MISSING)
def test_refused_forms_are_explained_in_the_language_of_the_page(empty_site: EditorSite, tag: str) -> None:
    """A form at the address of a reader page is refused in the language that the page names."""
    shown = {
        empty_site.browser().post("/song+", {}, **{"Accept-Language": each}, **headers).text.partition("<h1>")[2]
        for each in ("en", tag)
        for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"})
    }
    assert len(shown) == (1 if tag == "en" else 2)


def test_workers_send_the_rendered_page_of_the_language(empty_site: EditorSite) -> None:
    """The pages' process renders every page in every language, and a worker chooses one without it."""
    publish_reader_pages(empty_site.app)
    pages = ReaderPages(empty_site.config.data_directory)
    for tag, heading in MISSING.items():
        page = pages.get(404, accept_language=tag)
        headers = dict(page.headers)
        assert heading in page.body.decode()
        assert headers["Content-Language"] == tag
        assert "Accept-Language" in headers["Vary"]
        for status in STATUSES:
            assert pages.get(status, accept_language=tag).status == status
    assert pages.get(404, accept_language=None) == pages.get(404, accept_language="pt, en;q=0.5")
    assert dict(pages.get(503, accept_language="fr").headers)["Retry-After"] == "2"


@pytest.mark.parametrize("tag", MISSING)
def test_privacy_text_in_each_language(empty_site: EditorSite, tag: str) -> None:
    """The text about privacy can be had in each language, whatever the language of the page."""
    with empty_site.app.test_request_context("/"):
        english = render_template("privacy.html")
        with use_language(tag):
            text = render_template("privacy.html")
        assert render_template("privacy.html") == english
    assert "go.example" in text
    assert "90" in text
    assert (text == english) is (tag == "en")
    assert ("。 " in text) is False  # Chinese has no space between sentences


@pytest.mark.parametrize(("tag", "expected"), NUMBERS.items(), ids=NUMBERS)
def test_numbers_and_dates_by_language(empty_site: EditorSite, tag: str, expected: tuple[str, ...]) -> None:
    """Numbers, percentages, times, months and durations follow the language."""
    time = datetime(2026, 11, 24, 8, 5, tzinfo=UTC)
    with empty_site.app.test_request_context("/"), use_language(tag):
        shown = (
            format_number(1_234_567),
            format_number(0.01),
            format_multiple(1.8),
            all_languages()[tag].format_percent(0.1234, decimals=1),
            re.sub("<.*?>", "", format_datetime(time)),
            format_month("2026-11"),
        )
    assert shown == expected


@pytest.mark.parametrize("path", READER_PATHS.values(), ids=READER_PATHS)
def test_no_text_of_a_reader_page_is_outside_the_catalogues(empty_site: EditorSite, path: str) -> None:
    """In a language that accents every letter, letters without accents belong to names and addresses only."""
    add_link(empty_site)
    empty_site.app.extensions["languages"] |= pseudo_languages()
    page = empty_site.browser().get(path, **{"Accept-Language": LONG}).text
    body = re.sub(r"<[^>]*>", " ", page.partition("</head>")[2])
    known = ("Low Tide", "A song", "https://example.com/song", "https://go.example/…+", "go.example", "/song")
    for text in known:
        body = body.replace(text, "")
    assert not re.findall(r"[A-Za-z]{2,}", body)


def test_languages_know_their_direction_and_name() -> None:
    """The direction is that of the script, the name that of the language in itself."""
    loaded = load_languages()
    names = {tag: language.name for tag, language in loaded.items()}
    assert names == {
        "en": "English",
        "de": "Deutsch",
        "es": "Español",
        "fr": "Français",
        "zh-Hans": "中文 (简体)",
    }
    assert {language.direction for language in loaded.values()} == {"ltr"}
    arabic: Language = build_language(Locale("ar"), ENGLISH.translations, has_editor_pages=False)
    assert arabic.direction == "rtl"
