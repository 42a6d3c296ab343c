"""Pages for editors in the language of the account, else in that of the browser."""

import re

import pytest
from werkzeug.test import TestResponse

from shortener.errors import StoreBusy, StoreError
from shortener.store import accounts
from shortener.web import context, issue_document
from shortener.web.views import settings
from tests.pseudo_languages import LONG, RIGHT_TO_LEFT, pseudo_languages
from tests.web.conftest import NOW, OURS, Browser, EditorSite


@pytest.fixture
def browser(site: EditorSite) -> Browser:
    """Browser of an editor at an installation that also has the two pseudo-languages."""
    site.app.extensions["languages"] |= pseudo_languages()
    return site.client("editor")


def language_of(page: TestResponse) -> str:
    """Return the language of a page, which header and element name alike."""
    tag = page.headers["Content-Language"]
    assert f'<html lang="{tag}"' in page.text
    return tag


def test_the_language_of_the_account_comes_before_that_of_the_browser(browser: Browser) -> None:
    """A user chooses a language, and can leave the choice to the browser again."""
    wanted = {"Accept-Language": f"{LONG}, en;q=0.1"}
    assert language_of(browser.get("/-/account", **wanted)) == LONG
    assert language_of(browser.get("/-/account")) == "en"
    for chosen, expected in ((RIGHT_TO_LEFT, RIGHT_TO_LEFT), ("en", "en"), ("", LONG)):
        assert browser.post("/-/account/language", {"language": chosen}).status_code == 303
        page = browser.get("/-/account", **wanted)
        assert language_of(page) == expected
        assert f'<option value="{chosen}" selected>' in page.text
        assert language_of(browser.get("/nosuch", **wanted)) == LONG  # a page for readers


def test_an_unknown_language_is_refused_at_its_field(browser: Browser) -> None:
    """Only a language in which the editors' pages exist can be chosen."""
    for language in ("fr", "xx"):
        page = browser.post("/-/account/language", {"language": language})
        assert page.status_code == 400
        assert "This language is unknown" in page.text


def test_a_language_that_is_gone_is_that_of_the_browser(browser: Browser, site: EditorSite) -> None:
    """A stored language that this version does not have is ignored."""
    with site.store.transaction():
        accounts.set_language(site.store, accounts.get(site.store, "editor").id, "tlh", now=NOW)
    assert language_of(browser.get("/-/account")) == "en"


def test_editors_pages_are_in_languages_of_editors_only(site: EditorSite) -> None:
    """A language of readers only is not chosen for the editors' pages."""
    assert language_of(site.browser().get("/-/sign-in", **{"Accept-Language": "fr"})) == "en"
    assert language_of(site.browser().get("/nosuch", **{"Accept-Language": "fr"})) == "fr"


def test_error_pages_have_a_language_without_the_store(site: EditorSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the account cannot be read, the browser's language decides."""

    def fail() -> None:
        raise StoreError("no store")

    site.app.extensions["languages"] |= pseudo_languages()
    monkeypatch.setattr(context, "current_user_or_none", fail)
    page = site.browser().get("/-/issues", **{"Accept-Language": LONG})
    assert page.status_code == 503
    assert language_of(page) == LONG


PAGES = (
    "/-/",
    "/-/account",
    "/-/articles",
    "/-/help",
    "/-/issues",
    "/-/issues/may",
    "/-/issues/may/audience",
    "/-/issues/may/map",
    "/-/issues/may/setup",
    "/-/links",
    "/-/new-issue",
    "/-/new-link",
    "/-/picks",
    "/-/search?q=whales",
    "/-/settings",
    "/-/settings/system",
    "/-/settings/tokens",
    "/-/settings/users",
    "/-/settings/webhooks",
)
NAMES = re.compile(
    r"Low Tide|Counting whales|“whales”|Deutsch|English|Español|Français|A cheaper sieve|"
    r"May: songs and sieves|Ingrid|Mateo|in your browser|Unsubscribe|Read more|"
    r"[\w-]+\.(?:example|[a-z]+_[a-z]+)\S*|https?://\S*|UTC|CSV|JSON|API|DB-IP|IPinfo|MaxMind|Jinja|HTML|"
    r"Markdown|MJML|"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\w* \d+|\d+ \w+ 20\d\d|\bmay\b|January|"
    r"(?:link|issue|clicks|traffic|webhook)\.\w+",
)
"""Texts in the pages that are the same in each language: names of the sample issue, addresses, formats, days."""


@pytest.mark.parametrize("path", PAGES)
def test_no_text_of_a_page_is_outside_the_catalogues(site_with_issue: EditorSite, path: str) -> None:
    """In a language that accents every letter, other letters belong to names, addresses and what editors wrote."""
    site_with_issue.app.extensions["languages"] |= pseudo_languages()
    page = site_with_issue.client("admin").get(path, **{"Accept-Language": LONG})
    assert page.status_code == 200
    assert language_of(page) == LONG
    body = re.sub(
        r"<(script|style|code|bdi|textarea|option|small|iframe)\b.*?</\1>",
        " ",
        re.sub("<wbr>|</?mark>", "", page.text),
        flags=re.DOTALL,
    )
    body = re.sub(r'<(?:span|a) class="short".*?</(?:span|a)>', " ", body, flags=re.DOTALL)  # codes are random
    body = re.sub(r"<[^>]* dir=\"auto\"[^>]*>[^<]*", " ", body.partition("</head>")[2])
    left = NAMES.sub(" ", re.sub(r"&#?\w+;", " ", re.sub(r"<[^>]*>", "\n", body)))
    assert not re.findall(r"[^\n]*\b[A-Za-z]{3,}\b[^\n]*", left)


@pytest.mark.parametrize(("tag", "text"), [("de", "Einstellungen speichern"), ("zh-Hans", "保存设置")])
def test_settings_have_the_privacy_text_in_the_languages_of_readers(site: EditorSite, tag: str, text: str) -> None:
    """Whatever the language of the editor is, the text for readers can be copied in each language of readers."""
    page = site.client("admin").get("/-/settings", **{"Accept-Language": tag}).text
    assert text in page
    for sentence in ("The links in this newsletter", "Die Links in diesem", "Les liens de", "Los enlaces", "本电子报"):
        assert sentence in page


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/-/articles?month=x", "ist kein Monat; schreiben Sie ihn wie"),
        ("/-/links?status=x", "Dieser Status ist unbekannt; wählen Sie einen."),
        ("/-/link?short_url=https://other.example/x", "Das ist kein Kurzlink dieser Installation."),
    ],
)
def test_refused_addresses_are_explained_in_the_language_of_the_page(site: EditorSite, path: str, message: str) -> None:
    """What is wrong with an address is said in the language that the browser asks for."""
    assert message in site.client("viewer").get(path, **{"Accept-Language": "de"}).text


def test_refused_forms_are_explained_in_the_language_of_the_page(
    site: EditorSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value to confirm, a busy store and a form of another website are explained in the editor's language."""
    browser, german = site.client("editor"), OURS | {"Accept-Language": "de"}
    other_zone = {"site.timezone": "Asia/Tokyo"}
    assert "Das ist richtig, speichern" in browser.post("/-/settings", other_zone, **german).text
    foreign = german | {"Sec-Fetch-Site": "cross-site"}
    assert "von einer anderen Website" in browser.post("/-/settings", other_zone, **foreign).text

    def fail(*_arguments: object) -> None:
        raise StoreBusy("the store: another process is writing; try again")

    monkeypatch.setattr(settings, "put_settings", fail)
    page = browser.post("/-/settings", other_zone | {"confirmed": "yes"}, **german)
    assert page.status_code == 503
    assert "Es wurde nichts gespeichert" in page.text


def test_what_is_left_out_of_an_issue_is_said_in_the_language_of_the_page(
    site: EditorSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The document of an issue that is too long ends with a sentence in the editor's language."""
    monkeypatch.setattr(issue_document, "MAX_TOKENS", 3)
    with site.app.test_request_context("/-/issues/x/map/issue", headers={"Accept-Language": "de"}):
        document = issue_document.read_document(b"<p>x</p>" * 10, format="html")
        shown = document.render(lambda _url: None, stylesheet_url="x.css", title="x")
    assert "<p>Der Rest dieser Ausgabe ist zu lang, um hier angezeigt zu werden.</p>" in shown


def test_reasons_of_links_that_are_not_tracked_are_translated(site: EditorSite) -> None:
    """The reason why a link keeps its URL is in the language of the page, whichever part of the program found it."""
    site.add_issue("[A](https://a.example/) [Unsubscribe](https://a.example/leave) <x@a.example>\n\n[b]: /b\n")
    page = site.client("editor").get("/-/issues/may/setup", **{"Accept-Language": "de"}).text
    assert "er meldet ab oder ändert ein Abonnement" in page
    assert "er ist ein mailto:-Link" in page
    assert "die Definition wird nicht benutzt" in page
