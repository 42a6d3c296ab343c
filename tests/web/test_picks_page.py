"""The page of picks: order, number, template and preview, without effects of reading it."""

import re
from typing import TYPE_CHECKING, cast

import pytest

from shortener.store import picks_edits
from tests.web.test_articles_page import MONTH, SIEVE, WHALES, clicked
from tests.web.test_one_number import settled

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

__all__ = ["clicked"]

OWN = '<p>{% for pick in featured %}<a href="{{ pick.title_link }}">{{ pick.title }}</a>{% endfor %}</p>'


def picked(browser: object) -> list[str]:
    """Return the URLs of the top picks."""
    return [entry["url"] for entry in browser.get(f"/-/picks.json?month={MONTH}").json["featured"]]  # type: ignore[attr-defined]


def test_the_first_view_does_not_wait(clicked: "EditorSite") -> None:
    """The page answers while the ranking is computed, and then has the picks."""
    browser = clicked.client("viewer")
    assert "The picks are being computed." in browser.get("/-/picks").text
    assert "go into your next issue" in settled(browser, "/-/picks")


def test_order_and_number(clicked: "EditorSite") -> None:
    """An article is moved to a position; the number of picks is chosen, and an empty one is the suggestion."""
    browser = clicked.client("editor")
    first, second = picked(browser)
    assert {first, second} == {WHALES, SIEVE}
    browser.post("/-/picks/move", {"month": MONTH, "url": second, "position": "1"})
    assert picked(browser) == [second, first]
    browser.post("/-/picks/settings", {"month": MONTH, "top": "1"})
    assert picked(browser) == [first]
    page = browser.get(f"/-/picks?month={MONTH}").text
    assert '<option value="1" selected>' in page
    assert "Suggested: one in five of the 2 articles, but at least 3 and at most 10." in page
    browser.post("/-/picks/settings", {"month": MONTH, "top": ""})
    assert picked(browser) == [second, first]


@pytest.mark.parametrize(
    ("path", "form", "message"),
    [
        ("move", {"url": SIEVE, "position": "x"}, "Enter a whole number"),
        ("move", {"url": "https://a.example/none", "position": "1"}, "no longer among the picks"),
        ("settings", {"top": "101"}, "Enter a whole number from 1 to 100"),
        ("settings", {"template": "x"}, "Choose one of the templates"),
        ("template", {"format": "docx", "template": "x"}, "Choose a format"),
        ("template", {"format": "html", "template": "{{ x }}"}, "cannot be used"),
        ("text", {"url": SIEVE, "title": ""}, "Enter a title"),
        ("text", {"url": "https://a.example/none", "title": "x"}, "no longer among the picks"),
    ],
)
def test_refused_edits_change_nothing(clicked: "EditorSite", path: str, form: dict[str, str], message: str) -> None:
    """A refused edit shows the page again with the error, and nothing is stored."""
    response = clicked.client("editor").post(f"/-/picks/{path}", form | {"month": MONTH})
    assert response.status_code == 400
    assert message in response.text
    assert picks_edits.settings(clicked.store, MONTH) == picks_edits.PicksSettings()
    assert picks_edits.order(clicked.store, MONTH) == ()
    assert picks_edits.own_templates(clicked.store) == {}


@pytest.mark.parametrize("path", ["text", "move", "settings", "template"])
def test_edits_of_other_months(clicked: "EditorSite", path: str) -> None:
    """A month that is none, or has no articles, is refused."""
    browser = clicked.client("editor")
    for month, status in (("x", 400), ("2020-01", 404)):
        form = {"month": month, "url": SIEVE, "title": "x", "position": "1", "format": "html", "template": "list"}
        assert browser.post(f"/-/picks/{path}", form).status_code == status


@pytest.mark.parametrize("path", ["text", "move", "settings", "template"])
def test_edits_without_a_month(clicked: "EditorSite", path: str) -> None:
    """A form without a month, or with a month in its address, changes the picks of the month that is shown."""
    browser = clicked.client("editor")
    form = {"url": picked(browser)[0], "title": "x", "position": "1", "format": "html", "template": OWN}
    for address, more in ((f"/-/picks/{path}", {}), (f"/-/picks/{path}?month={MONTH}", {"month": "x"})):
        sent = form | more | ({"template": "list"} if path == "settings" else {})
        response = browser.post(address, sent)
        assert response.status_code == 303
        assert f"month={MONTH}" in response.location


def test_own_template(clicked: "EditorSite") -> None:
    """An own template renders text and preview; the preview runs no script and requests nothing from elsewhere."""
    browser = clicked.client("editor")
    browser.post("/-/picks/template", {"month": MONTH, "format": "html", "template": OWN})
    browser.post("/-/picks/settings", {"month": MONTH, "template": "own"})
    page = browser.get(f"/-/picks?month={MONTH}&form=html").text
    assert "&lt;p&gt;&lt;a href=&#34;https://go.example/…/" in page
    assert "have no own template" in browser.get(f"/-/picks?month={MONTH}&form=markdown").text
    preview = browser.get(f"/-/picks/preview?month={MONTH}")
    assert re.findall(r'href="([^"]*)">[^<]*</a>', preview.text) == ["#/2", "#/2"]
    policy = preview.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-same-origin" in policy
    assert "script-src" not in policy
    browser.post("/-/picks/template", {"month": MONTH, "format": "html", "template": ""})
    assert picks_edits.own_templates(clicked.store) == {}


def test_the_preview_follows_unsaved_edits(clicked: "EditorSite") -> None:
    """The preview applies number, text, order and template of the page's forms in turn, and saves nothing."""
    browser = clicked.client("editor")
    first, second = picked(browser)

    def preview(*forms: dict[str, str], form: str = "markdown") -> dict[str, str]:
        fields = {f"{name}-{number}": value for number, each in enumerate(forms) for name, value in each.items()}
        response = browser.post("/-/picks/preview", fields | {"month": MONTH, "form": form})
        assert response.status_code == 200
        return cast(dict[str, str], response.json)

    one = {"kind": "settings", "top": "1"}
    text = {"kind": "text", "url": second, "title": "Unsaved", "byline": "", "blurb": "Why."}
    move = {"kind": "move", "url": second, "position": "1"}
    assert preview()["text"].count("\n## [") == 2
    assert preview(one)["text"].count("\n## [") == 1
    moved = preview(text, move)["text"]
    assert 0 < moved.index("Unsaved") < moved.index("Counting whales" if first == WHALES else "A cheaper sieve")
    assert preview(text, {"kind": "settings", "template": "list"})["text"].count("- [**") == 2
    own = {"kind": "template", "format": "html", "template": OWN}
    assert preview(text, own, form="html")["text"].count("go.example/…") == 2
    assert "Unsaved</a>" in preview(text, own, form="email")["text"]
    assert "<h2" in preview(own | {"template": " "}, form="email")["text"], "without an own template the cards are used"
    assert preview({**text, "title": ""}) == {"text": "", "error": "Enter a title."}
    assert "cannot be used" in preview(own | {"template": "{{ x }}"}, form="html")["error"]
    assert picks_edits.load_edits(clicked.store, MONTH) == picks_edits.PicksEdits(
        picks_edits.PicksSettings(), "cards", (), {}, {}
    )


def test_pictures_of_the_preview_are_ours(clicked: "EditorSite") -> None:
    """The bundled preview shows each picture as a box of this server."""
    text = clicked.client("viewer").get(f"/-/picks/preview?month={MONTH}").text
    assert set(re.findall(r'<img src="([^"]*)"', text)) == {"/-/static/picture.svg"}


def test_links_are_made_by_the_button(clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the page makes no link; the button makes them, and returns to the open form of the section.

    The ranking does not depend on these links, and is not computed again.
    """
    browser = clicked.client("editor")
    before = clicked.store.value("select count(*) from links")
    browser.post("/-/picks", {"month": MONTH})
    assert clicked.store.value("select count(*) from links") == before, "the request does not wait for the ranking"
    assert "Create links and copy" in settled(browser, f"/-/picks?month={MONTH}&form=markdown")
    assert clicked.store.value("select count(*) from links") == before
    computed: list[object] = []
    monkeypatch.setattr("shortener.web.ranking_cache.rank_stored_articles", lambda *_, **__: computed.append(1))
    response = browser.post("/-/picks", {"month": MONTH, "form": "markdown"})
    assert response.location == f"/-/picks?month={MONTH}&form=markdown#section"
    assert clicked.store.value("select count(*) from links") == before + 2
    page = browser.get(f"/-/picks?month={MONTH}&form=markdown").text
    assert "being computed" not in page, "the section can be copied at once"
    assert "Create links and copy" not in page
    assert "/…/" not in page
    assert not computed
