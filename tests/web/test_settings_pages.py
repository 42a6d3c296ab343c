"""Settings in the browser: roles, locks, errors, the question before another zone, history, and where they are used."""

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from shortener.app import create_app, create_pages_app
from shortener.config import Config
from shortener.redirect.reader_pages import ReaderPages
from shortener.services.settings import put_settings
from shortener.store import open_store, settings
from shortener.web.published_pages import publish_reader_pages

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

PATH = "/-/settings"


def current(site: "EditorSite", role: str = "viewer") -> dict[str, str]:
    """Return the settings that the page shows as JSON."""
    values: dict[str, str] = json.loads(site.client(role).get("/-/settings.json").data)["settings"]
    return values


def test_an_editor_changes_settings(site: "EditorSite") -> None:
    """The changed values are in force at the next request, on pages for editors and for readers."""
    browser = site.client("editor")
    fields = {
        "site.name": "High Tide & Co",
        "site.timezone": "UTC",
        "ranking.top": "7",
        "ranking.gems": "0",
        "privacy.text": "Ask <us>.\nAny time.",
        "domain.go.example.home": "https://example.com/here",
        "domain.b.example.home": "",
    }
    response = browser.post(PATH, fields)
    assert (response.status_code, response.headers["Location"]) == (303, PATH)
    page = browser.get(PATH).text
    assert "The settings are saved." in page
    assert "Name of the site: High Tide &amp; Co; Number of top picks: 7" in page
    assert current(site) == fields
    home = site.browser().get("/")
    assert (home.status_code, home.headers["Location"]) == (302, "https://example.com/here")
    assert "High Tide &amp; Co" in site.browser().get("/nothing").text
    site.add_issue()
    code = site.store.value("select code from links limit 1")
    assert "Ask &lt;us&gt;." in site.browser().get(f"/{code}+").text


def test_an_unchanged_form_changes_nothing(site: "EditorSite") -> None:
    """A form sent back as it was shown stores nothing and leaves no history."""
    browser = site.client("editor")
    browser.post(PATH, current(site))
    assert "Nothing was changed." in browser.get(PATH).text
    assert settings.read(site.store) == {}
    assert 'id="history"' not in browser.get(PATH).text


def test_only_editors_change_settings(site: "EditorSite") -> None:
    """A viewer sees the values without a form; the system is for admins."""
    page = site.client("viewer").get(PATH).text
    assert "Low Tide" in page
    assert "<textarea" not in page
    assert 'name="site.name"' not in page
    assert site.client("viewer").post(PATH, {"site.name": "x"}).status_code == 403
    assert site.client("editor").get("/-/settings/system").status_code == 403
    assert "Optional: show the countries of clicks" in site.client("admin").get("/-/settings/system").text


def test_the_page_that_readers_see_is_linked(site: "EditorSite") -> None:
    """The settings lead to the page about a link, where readers see the privacy text, once there is a link."""
    text = "See this page for one of your links"
    assert text not in site.client("editor").get(PATH).text
    site.add_issue()
    assert f'+">{text}</a>' in site.client("editor").get(PATH).text


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("site.name", "x" * 101, "Enter a text of at most 100 characters."),
        ("site.timezone", "Mars/Base", "Enter a time zone such as Europe/Berlin."),
        ("ranking.top", "0", "Enter a whole number from 1 to 100."),
        ("ranking.gems", "few", "Enter a whole number from 0 to 100."),
        ("privacy.text", "x" * 4_001, "Enter a text of at most 4,000 characters."),
        ("privacy.text", "x" * 9_000, "This is longer than 8,000 characters; shorten it."),
        ("domain.go.example.home", "/here", "/here is not a web address; write it in full"),
    ],
)
def test_errors_are_at_their_field(site: "EditorSite", field: str, value: str, message: str) -> None:
    """A value that the configuration may not have is refused at its field, and nothing is stored."""
    response = site.client("editor").post(PATH, {"site.name": "Kept", field: value})
    assert response.status_code == 400
    field_id = field.replace(".", "-")
    assert f'id="{field_id}-error" role="alert">{message}' in response.text
    assert settings.read(site.store) == {}


def test_another_zone_is_explained_before_it_is_saved(site: "EditorSite") -> None:
    """The first time, the page says what another time zone changes; confirmed, all pages use it."""
    browser = site.client("editor")
    asked = browser.post(PATH, {"site.timezone": "Asia/Tokyo", "site.name": "Kept"})
    assert asked.status_code == 400
    assert "days begin at a different time" in asked.text
    assert 'name="confirmed"' in asked.text
    assert 'value="Kept"' in asked.text
    assert settings.read(site.store) == {}
    site.add_issue()
    assert "UTC</time>" in browser.get("/-/issues/may").text
    assert browser.post(PATH, {"site.timezone": "Asia/Tokyo", "confirmed": "yes"}).status_code == 303
    assert "JST</time>" in browser.get("/-/issues/may").text
    report = json.loads(browser.get("/-/issues/may/report.json").data)
    assert report["timezone"] == "Asia/Tokyo"


def test_history_and_undo(site: "EditorSite") -> None:
    """A change is undone from the notice; an admin need not be the one who made it."""
    browser = site.client("editor")
    browser.post(PATH, {"site.name": "High Tide", "ranking.top": "3"})
    change = site.store.value("select max(id) from page_changes")
    undone = site.client("admin").post("/-/undo", {"change": str(change)})
    assert (undone.status_code, undone.headers["Location"]) == (303, PATH)
    assert settings.read(site.store) == {}
    assert current(site)["site.name"] == "Low Tide"


def test_given_values_are_locked(tmp_path: Path, site: "EditorSite") -> None:
    """Values of file and environment are shown with a lock and its reason, and a form does not change them."""
    given = {"site.name": "SHORTENER_SITE__NAME", "site.timezone": "config.toml"}
    config = msgspec.structs.replace(site.config, given=given)
    site.app = create_pages_app(config)
    browser = site.client("editor")
    page = browser.get(PATH).text
    assert "Fixed in the environment of the server." in page
    assert "Fixed in the configuration file of the server." in page
    assert 'name="site.name"' not in page
    assert browser.post(PATH, {"site.name": "x", "site.timezone": "Mars"}).status_code == 303
    assert settings.read(site.store) == {}
    site.app.extensions["connection_pool"].close()


def test_another_process_sees_the_change(site: "EditorSite") -> None:
    """A second application on the same data directory, as another worker has it, shows the stored values."""
    other = create_app(site.config)
    with site.store.transaction():
        put_settings(site.store, {"site.name": "Spring Tide", "domain.go.example.home": "https://a.example/"})
    client = other.test_client()
    assert client.get("/", base_url="https://go.example").headers["Location"] == "https://a.example/"
    assert "Spring Tide" in client.get("/-/sign-in", base_url="https://go.example").text
    other.extensions["connection_pool"].close()


def test_pages_for_readers_are_published_again(site: "EditorSite") -> None:
    """The pages that workers send for misses get the new name at the first request after the change."""
    publish_reader_pages(site.app)
    published: list[bool] = []

    def publish() -> None:
        published.append(True)
        publish_reader_pages(site.app)

    site.app.extensions["config"].on_change = publish
    site.client("editor").post(PATH, {"site.name": "Spring Tide"})
    site.client("editor").get(PATH)
    assert published == [True]
    pages = ReaderPages(site.config.data_directory)
    assert b"Spring Tide" in pages.get(404, accept_language="en").body


def test_a_store_that_cannot_be_read_keeps_the_latest_settings(tmp_path: Path) -> None:
    """While the store is away, public pages have the settings that were read last."""
    config = Config(storage=msgspec.structs.replace(Config().storage, data=str(tmp_path / "data")))
    with closing(open_store(config.data_directory)) as store, store.transaction():
        put_settings(store, {"site.name": "Spring Tide"})
    app = create_pages_app(config)
    client = app.test_client()
    assert "Spring Tide" in client.get("/", base_url=config.base_url).text
    app.extensions["connection_pool"].close()
    (tmp_path / "data" / "store.db").rename(tmp_path / "moved.db")
    assert "Spring Tide" in client.get("/", base_url=config.base_url).text
