"""Links on the pages: made, found, led elsewhere, retired, printed."""

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from shortener.store import links

if TYPE_CHECKING:
    from tests.web.conftest import Desk


@pytest.fixture
def linked(desk: "Desk") -> "Desk":
    """A link on each domain."""
    with desk.store.transaction():
        links.add(desk.store, "go.example", "one", target="https://a.example/one", title="The first", now=1)
        links.add(desk.store, "b.example", "Two", target="https://a.example/two", title="100 % _wool_", now=2)
    return desk


def test_a_link_is_made_by_hand(desk: "Desk") -> None:
    """With a code of one's own, or a new one; the page of the link comes next."""
    browser = desk.client("editor")
    fields = {"target": "HTTPS://A.example/x", "domain": "go.example", "code": "MyCode", "title": "x"}
    assert browser.post("/-/new-link", fields).headers["Location"] == "/-/links/go.example/mycode"
    made = browser.post("/-/new-link", fields | {"code": ""}).headers["Location"]
    assert len(made.rpartition("/")[2]) == desk.config.codes.length
    assert links.get(desk.store, "go.example", "mycode").target == "https://a.example/x"


REFUSED: dict[str, dict[str, str]] = {
    "script": {"target": "javascript:alert(1)"},
    "inner": {"target": "http://169.254.169.254/latest"},
    "ours": {"target": "https://go.example/one"},
    "no target": {"target": ""},
    "endless": {"target": "https://a.example/" + "x" * 20_000},
    "dash": {"code": "-admin"},
    "dot": {"code": "robots.txt"},
    "wide letters": {"code": "\uff41\uff44\uff4d\uff49\uff4e"},
    "slash": {"code": "a/b"},
    "encoded": {"code": "%61dmin"},
    "no such domain": {"domain": "evil.example"},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())
def test_links_that_may_not_be_are_refused(desk: "Desk", fields: dict[str, str]) -> None:
    """The form comes back with the reason; fields that it does not have are of no effect."""
    form = {"target": "https://a.example/", "domain": "go.example", "code": "", "id": "1", "clicks": "999"}
    answer = desk.client("editor").post("/-/new-link", form | fields)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert desk.store.value("select count(*) from links") == 0


def test_of_fifty_who_want_one_code_one_gets_it(desk: "Desk") -> None:
    """The others are told that it is taken."""
    browsers = [desk.client("editor") for _ in range(10)]
    got: list[int] = []

    def make(browser: Any, number: int) -> None:
        form = {"target": f"https://a.example/{number}", "domain": "go.example", "code": "wanted"}
        got.append(browser.post("/-/new-link", form).status_code)

    threads = [
        threading.Thread(target=make, args=(browser, number * 10 + index))
        for index, browser in enumerate(browsers)
        for number in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [303] + [409] * 49


def test_a_target_is_changed_and_its_history_kept(linked: "Desk") -> None:
    """The change is shown with who made it; somebody else's change in between is not overwritten unseen."""
    browser = linked.client("editor")
    path = "/-/links/go.example/one"
    form = {"target": "https://a.example/new", "was": "https://a.example/one"}
    assert browser.post(f"{path}/target", form).status_code == 303
    assert browser.post(f"{path}/target", form | {"target": "https://a.example/late"}).status_code == 400
    page = browser.get(path).text
    for part in ("https://a.example/one", "https://a.example/new", "<bdi>editor</bdi>"):
        assert part in page
    assert links.get(linked.store, "go.example", "one").target == "https://a.example/new"


def test_of_ten_who_change_a_target_at_once_one_succeeds(linked: "Desk") -> None:
    """The others saw the target of before: they are told, and nothing of theirs is written."""
    browsers, got = [linked.client("editor") for _ in range(10)], []
    start = threading.Barrier(10)

    def change(browser: Any, number: int) -> None:
        start.wait()
        form = {"target": f"https://a.example/new-{number}", "was": "https://a.example/one"}
        got.append(browser.post("/-/links/go.example/one/target", form).status_code)

    threads = [threading.Thread(target=change, args=pair) for pair in zip(browsers, range(10), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [303] + [400] * 9
    assert len(links.list_edits(linked.store, links.get(linked.store, "go.example", "one").id)) == 1


def test_a_link_is_retired_and_taken_back(linked: "Desk") -> None:
    """Retiring changes the state alone; other words than the two are refused."""
    browser, path = linked.client("editor"), "/-/links/b.example/Two"
    assert browser.post(f"{path}/status", {"status": "retired"}).status_code == 303
    assert "Take it out of retirement" in browser.get(path).text
    assert browser.post(f"{path}/status", {"status": "deleted"}).status_code == 400
    browser.post(f"{path}/status", {"status": "active"})
    assert links.get(linked.store, "b.example", "Two").status == "active"


FOUND = {
    "all": ("", {"one", "Two"}),
    "word of the title": ("q=first", {"one"}),
    "part of the target": ("q=example/tw", {"Two"}),
    "the short URL": ("q=https://go.example/one/3", {"one"}),
    "literal percent": ("q=100 %25", {"Two"}),
    "literal underscore": ("q=_wool_", {"Two"}),
    "nothing": ("q=none", set()),
    "retired": ("status=retired", set()),
    "active by code": ("status=active&sort=code", {"one", "Two"}),
    "by clicks": ("sort=clicks", {"one", "Two"}),
    "of an issue": ("issue=may", set()),
}


@pytest.mark.parametrize(("query", "codes"), FOUND.values(), ids=FOUND.keys())
def test_links_are_found(linked: "Desk", query: str, codes: set[str]) -> None:
    """Every word has to be in code, title or target; the JSON has what the page has."""
    browser = linked.client("viewer")
    rows = json.loads(browser.get(f"/-/links.json?{query}").text)["links"]
    assert {row["code"] for row in rows} == codes
    page = browser.get(f"/-/links?{query}").text
    assert all(f"/-/links/{row['domain']}/{row['code']}" in page for row in rows)
    assert ("Nothing matches" in page) == (not codes)


def test_links_come_page_by_page(desk: "Desk") -> None:
    """Each link is on exactly one page, the newest first, and the list says where one is."""
    with desk.store.transaction():
        for number in range(120):
            links.add(desk.store, "go.example", f"c{number:03d}", target="https://a.example/", now=number)
    browser, seen = desk.client("viewer"), []
    for page in (1, 2, 3):
        text = browser.get(f"/-/links?page={page}").text
        seen += [
            part.partition('"')[0] for part in text.split('class="short" href="/-/links/go.example/')[1:]
        ]
    assert seen == [f"c{number:03d}" for number in reversed(range(120))]
    assert "101 to 120 of 120" in browser.get("/-/links?page=3").text
    assert "101 to 120 of 120" in browser.get("/-/links?page=99").text


SCALES = {"huge": "100000", "negative": "-1", "words": "../../x", "none": "", "unicode": "٣"}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES.keys())
def test_a_code_to_print_has_a_bounded_size(linked: "Desk", scale: str) -> None:
    """SVG and PNG are pictures of the short URL, whatever size is asked for."""
    browser = linked.client("viewer")
    svg = browser.get(f"/-/links/go.example/one/qr.svg?scale={scale}")
    png = browser.get(f"/-/links/go.example/one/qr.png?scale={scale}")
    assert (svg.mimetype, png.mimetype) == ("image/svg+xml", "image/png")
    assert svg.data.startswith(b"<svg")
    assert png.data.startswith(b"\x89PNG")
    assert len(svg.data) < 20_000
    assert len(png.data) < 50_000


def test_a_link_that_is_not_there_is_not_found(linked: "Desk") -> None:
    """Case matters where the domain says so."""
    browser = linked.client("editor")
    for path, status in (
        ("/-/links/go.example/ONE", 200),
        ("/-/links/b.example/two", 404),
        ("/-/links/evil.example/one", 404),
        ("/-/links/go.example/none/qr.svg", 404),
        ("/-/link?short_url=https://evil.example/one", 404),
        ("/-/link?short_url=https://go.example/one/2", 303),
    ):
        assert browser.get(path).status_code == status, path
