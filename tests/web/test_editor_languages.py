"""Pages for editors in the language of the account, else in that of the browser."""

import pytest
from werkzeug.test import TestResponse

from shortener.errors import StoreError
from shortener.store import accounts
from shortener.web import context
from tests.pseudo_languages import LONG, RIGHT_TO_LEFT, pseudo_languages
from tests.web.conftest import NOW, Browser, EditorSite


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
