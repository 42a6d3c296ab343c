"""Tests of the link pages: create, search, change, retire, print as QR code."""

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from shortener.store import links
from shortener.store.rollups import add_to_rollups

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite


@pytest.fixture
def linked(site: "EditorSite") -> "EditorSite":
    """Site with one link on each domain."""
    with site.store.transaction():
        links.add(site.store, "go.example", "one", target="https://a.example/one", title="The first", now=1)
        links.add(site.store, "b.example", "Two", target="https://a.example/two", title="100 % _wool_", now=2)
    return site


def test_create_link(site: "EditorSite") -> None:
    """A link is created with the code of the form or with a generated one, and its page is shown."""
    browser = site.client("editor")
    fields = {"target": "HTTPS://A.example/x", "domain": "go.example", "code": "MyCode", "title": "x"}
    assert browser.post("/-/new-link", fields).headers["Location"] == "/-/links/go.example/mycode"
    location = browser.post("/-/new-link", fields | {"code": ""}).headers["Location"]
    assert len(location.rpartition("/")[2]) == site.config.codes.length
    assert links.get(site.store, "go.example", "mycode").target == "https://a.example/x"


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
def test_refused_links(site: "EditorSite", fields: dict[str, str]) -> None:
    """A refused link shows the form with the reason, and unknown form fields have no effect."""
    form = {"target": "https://a.example/", "domain": "go.example", "code": "", "id": "1", "clicks": "999"}
    response = site.client("editor").post("/-/new-link", form | fields)
    assert response.status_code == 400
    assert 'role="alert"' in response.text
    assert site.store.value("select count(*) from links") == 0


def test_concurrent_links_with_the_same_code(site: "EditorSite") -> None:
    """Of 50 concurrent requests for one code, one succeeds and 49 get 409."""
    browsers = [site.client("editor") for _ in range(10)]
    statuses: list[int] = []

    def create(browser: Any, number: int) -> None:
        form = {"target": f"https://a.example/{number}", "domain": "go.example", "code": "wanted"}
        statuses.append(browser.post("/-/new-link", form).status_code)

    threads = [
        threading.Thread(target=create, args=(browser, number * 10 + index))
        for index, browser in enumerate(browsers)
        for number in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303] + [409] * 49


def test_change_target(linked: "EditorSite") -> None:
    """A changed target is in the history with its editor; a change based on an outdated target is refused."""
    browser = linked.client("editor")
    path = "/-/links/go.example/one"
    form = {"target": "https://a.example/new", "was": "https://a.example/one"}
    assert browser.post(f"{path}/target", form).status_code == 303
    assert browser.post(f"{path}/target", form | {"target": "https://a.example/late"}).status_code == 400
    page = browser.get(path).text
    for part in ("https://a.example/one", "https://a.example/new", "<bdi>editor</bdi>"):
        assert part in page
    assert links.get(linked.store, "go.example", "one").target == "https://a.example/new"


def test_concurrent_changes_of_a_target(linked: "EditorSite") -> None:
    """Of ten concurrent changes of one target, one is stored and nine get 400."""
    browsers, statuses = [linked.client("editor") for _ in range(10)], []
    start = threading.Barrier(10)

    def change(browser: Any, number: int) -> None:
        start.wait()
        form = {"target": f"https://a.example/new-{number}", "was": "https://a.example/one"}
        statuses.append(browser.post("/-/links/go.example/one/target", form).status_code)

    threads = [threading.Thread(target=change, args=pair) for pair in zip(browsers, range(10), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303] + [400] * 9
    assert len(links.list_edits(linked.store, links.get(linked.store, "go.example", "one").id)) == 1


def test_retire_and_restore_link(linked: "EditorSite") -> None:
    """A link is retired and restored; an unknown status is refused."""
    browser, path = linked.client("editor"), "/-/links/b.example/Two"
    assert browser.post(f"{path}/status", {"status": "retired"}).status_code == 303
    assert ">Restore<" in browser.get(path).text
    assert browser.post(f"{path}/status", {"status": "deleted"}).status_code == 400
    browser.post(f"{path}/status", {"status": "active"})
    assert links.get(linked.store, "b.example", "Two").status == "active"


SEARCHES = {
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
    "of a domain": ("domain=b.example", {"Two"}),
    "of another domain": ("domain=c.example", set()),
    "by visitors": ("sort=-visitors", {"one", "Two"}),
    "by last click": ("sort=-clicked&size=25", {"one", "Two"}),
    "by issue": ("sort=issue", {"one", "Two"}),
}


@pytest.mark.parametrize(("query", "codes"), SEARCHES.values(), ids=SEARCHES.keys())
def test_search_links(linked: "EditorSite", query: str, codes: set[str]) -> None:
    """Search and filters return the same links in JSON and on the page."""
    browser = linked.client("viewer")
    rows = json.loads(browser.get(f"/-/links.json?{query}").text)["links"]
    assert {row["code"] for row in rows} == codes
    page = browser.get(f"/-/links?{query}").text
    assert all(f"/-/links/{row['domain']}/{row['code']}" in page for row in rows)
    assert ("Nothing matches" in page) == (not codes)


def test_pages_of_the_list(site: "EditorSite") -> None:
    """Each link is on exactly one page of the list, newest first; a page after the last shows the last."""
    with site.store.transaction():
        for number in range(120):
            links.add(site.store, "go.example", f"c{number:03d}", target="https://a.example/", now=number)
    browser, codes = site.client("viewer"), []
    for page in (1, 2, 3):
        text = browser.get(f"/-/links?page={page}").text
        codes += [part.partition('"')[0] for part in text.split('class="line" href="/-/links/go.example/')[1:]]
    assert codes == [f"c{number:03d}" for number in reversed(range(120))]
    assert "101 to 120 of 120" in browser.get("/-/links?page=3").text
    assert "101 to 120 of 120" in browser.get("/-/links?page=99").text


SCALES = {"huge": "100000", "negative": "-1", "words": "../../x", "none": "", "unicode": "٣"}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES.keys())
def test_size_of_qr_images(linked: "EditorSite", scale: str) -> None:
    """QR images are SVG and PNG of bounded size, whatever scale is requested."""
    browser = linked.client("viewer")
    svg = browser.get(f"/-/links/go.example/one/qr.svg?scale={scale}")
    png = browser.get(f"/-/links/go.example/one/qr.png?scale={scale}")
    assert (svg.mimetype, png.mimetype) == ("image/svg+xml", "image/png")
    assert svg.data.startswith(b"<svg")
    assert png.data.startswith(b"\x89PNG")
    assert len(svg.data) < 20_000
    assert len(png.data) < 50_000


def test_unknown_links(linked: "EditorSite") -> None:
    """Unknown links get 404; codes are case-sensitive only on a domain that is configured so."""
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


def test_sizes_of_pages(site: "EditorSite") -> None:
    """A page of the list has 25, 50 or 100 links; another number is the default."""
    with site.store.transaction():
        for number in range(120):
            links.add(site.store, "go.example", f"c{number:03d}", target="https://a.example/", now=number)
    browser = site.client("viewer")
    for query, rows in (("", 50), ("size=25", 25), ("size=100", 100), ("size=99", 50), ("size=x", 50)):
        assert browser.get(f"/-/links?{query}").text.count('name="link"') == rows


ORDERS = {
    "code": ["one", "two"],
    "-code": ["two", "one"],
    "title": ["two", "one"],
    "-title": ["one", "two"],
    "-new": ["two", "one"],
    "new": ["two", "one"],
}


@pytest.mark.parametrize(("sort", "codes"), ORDERS.items(), ids=ORDERS.keys())
def test_sorted_columns(site: "EditorSite", sort: str, codes: list[str]) -> None:
    """A column is sorted in both directions; the orders of former addresses begin with the newest as before."""
    with site.store.transaction():
        links.add(site.store, "go.example", "one", target="https://a.example/", title="Z", now=1)
        links.add(site.store, "go.example", "two", target="https://a.example/", title="A", now=2)
    rows = json.loads(site.client("viewer").get(f"/-/links.json?sort={sort}").text)["links"]
    assert [row["code"] for row in rows] == codes


def test_export_selected(linked: "EditorSite") -> None:
    """The file of selected links has these links only."""
    browser = linked.client("viewer")
    text = browser.get("/-/links.csv?link=b.example/Two&link=b.example/Two").text
    assert "/Two" in text
    assert "/one" not in text
    assert text.count("\n") == 2
    assert browser.get("/-/links.csv?link=b.example/none").status_code == 404
    assert browser.get("/-/links.csv?" + "&".join(f"link=b.example/{n}" for n in range(101))).status_code == 400


def test_retire_selected(linked: "EditorSite") -> None:
    """Selected links are retired after a question, in one step that can be undone in one step."""
    browser = linked.client("editor")
    selected = "link=go.example/one&link=b.example/Two"
    page = browser.get(f"/-/links/retire?{selected}").text
    assert "Retire these 2 links?" in page
    assert "Nobody clicked them in the last 7 days." in page
    assert browser.post("/-/links/retire", {"link": ["go.example/one", "b.example/Two"]}).status_code == 303
    statuses = [links.get(linked.store, *key).status for key in (("go.example", "one"), ("b.example", "Two"))]
    assert statuses == ["retired", "retired"]
    assert "2 links retired. Readers see a page that says so." in browser.get("/-/links").text
    assert browser.get(f"/-/links/retire?{selected}").status_code == 303
    undo = re.search(r'name="change" value="(\d+)"', browser.get("/-/links").text)
    assert undo
    browser.post("/-/undo", {"change": undo[1]})
    link = links.get(linked.store, "go.example", "one")
    assert link.status == "active"
    assert [edit["who"] for edit in links.list_edits(linked.store, link.id)] == ["editor", "editor"]
    browser.post("/-/undo", {"change": undo[1]})
    assert "cannot be undone" in browser.get("/-/links").text


def test_nothing_selected(linked: "EditorSite") -> None:
    """Without a selection the list is shown again, and nothing changes."""
    browser = linked.client("editor")
    assert browser.get("/-/links/retire").headers["Location"] == "/-/links"
    assert "Select links that are not retired yet." in browser.get("/-/links").text
    assert browser.post("/-/links/retire", {}).status_code == 303
    assert linked.client("viewer").get("/-/links/retire?link=go.example/one").status_code == 403
    assert linked.client("viewer").post("/-/links/retire", {"link": "go.example/one"}).status_code == 403
    assert "Retire selected" not in linked.client("viewer").get("/-/links").text


def test_change_expiry(linked: "EditorSite") -> None:
    """A link's expiry is changed and removed in the site's time zone; a time that is over is refused at the field."""
    browser, path = linked.client("editor"), "/-/links/go.example/one"
    assert browser.post(f"{path}/expiry", {"expires_at": "2099-01-01T08:00"}).status_code == 303
    assert links.get(linked.store, "go.example", "one").expires_at == 4_070_937_600
    page = browser.get(path).text
    assert "1 Jan 2099, 08:00 UTC" in page
    assert "<bdi>editor</bdi> let it expire on" in page
    response = browser.post(f"{path}/expiry", {"expires_at": "2020-01-01T08:00"})
    assert response.status_code == 400
    assert "This time is over" in response.text
    assert 'value="2020-01-01T08:00"' in response.text
    assert browser.post(f"{path}/expiry", {"expires_at": ""}).status_code == 303
    assert links.get(linked.store, "go.example", "one").expires_at is None
    assert "<bdi>editor</bdi> removed the expiry" in browser.get(path).text


def test_undo_of_an_unchanged_value(linked: "EditorSite") -> None:
    """The notice of a form that changed nothing does not offer to revert an earlier edit."""
    browser, path = linked.client("editor"), "/-/links/go.example/one"
    browser.post(f"{path}/title", {"title": "A title"})
    assert browser.get(path).text.count(f'action="{path}/revert"') == 2, "in the notice and in the history"
    linked.store.execute("update edits set at = at - 60")
    browser.post(f"{path}/title", {"title": "A title"})
    assert browser.get(path).text.count(f'action="{path}/revert"') == 1, "in the history"


def test_change_query_strings(linked: "EditorSite") -> None:
    """How query strings are forwarded is changed, shown in words, and reverted from the history."""
    browser, path = linked.client("editor"), "/-/links/go.example/one"
    assert "as for all links: passed on to the destination, whose own values stay" in browser.get(path).text
    assert browser.post(f"{path}/forward", {"forward": "drop"}).status_code == 303
    assert links.get(linked.store, "go.example", "one").forward == "drop"
    assert browser.post(f"{path}/forward", {"forward": "burn"}).status_code == 400
    browser.get(path)
    page = browser.get(path).text
    assert "changed what happens to extra parts of the address: not passed on" in page
    revert = re.search(r'name="field" value="forward"><input type="hidden" name="at" value="(\d+)"', page)
    assert revert
    browser.post(f"{path}/revert", {"field": "forward", "at": revert[1]})
    assert links.get(linked.store, "go.example", "one").forward is None


def test_history_in_words(linked: "EditorSite") -> None:
    """Each kind of change of a link is a sentence with its editor, whose name and values are escaped."""
    link = links.get(linked.store, "go.example", "one")
    changes: list[tuple[links.LinkField, Any]] = [
        ("target", "https://a.example/<b>"),
        ("title", "<i>New</i>"),
        ("title", ""),
        ("status", "retired"),
        ("status", "active"),
        ("honeypot", 1),
    ]
    with linked.store.transaction():
        for at, (field, value) in enumerate(changes, start=10):
            stored = links.get(linked.store, "go.example", "one")
            links.update_field(linked.store, stored, field, value, who="<u>ann</u>", now=at)
        todo = links.add(linked.store, "go.example", "todo", target=None, now=1)
        stored = links.list_by_id(linked.store, [todo])[0]
        links.update_field(linked.store, stored, "target", "https://a.example/", who="ann", now=5)
    browser = linked.client("editor")
    page = browser.get(f"/-/links/{link.domain}/{link.code}").text
    who = "<bdi>&lt;u&gt;ann&lt;/u&gt;</bdi>"
    for text in (
        f"{who} changed the destination from ",
        f"{who} changed the title to “<bdi>&lt;i&gt;New&lt;/i&gt;</bdi>”",
        f"{who} removed the title",
        f"{who} retired the link",
        f"{who} restored it",
        f"{who} marked it as a honeypot link",
    ):
        assert text in page
    assert "<b>" not in page.partition('class="timeline"')[2]
    assert "<bdi>ann</bdi> set the destination to" in browser.get("/-/links/go.example/todo").text


def test_viewer_sees_no_forms_on_the_link_page(linked: "EditorSite") -> None:
    """A viewer sees the settings of a link without the forms to change them."""
    page = linked.client("viewer").get("/-/links/go.example/one").text
    for part in ("/expiry", "/forward", "/target", "/title", "/status", "Change", "Retire link"):
        assert part not in page.partition("<main")[2]


def test_a_link_is_named_by_its_title(site: "EditorSite") -> None:
    """The page of a link begins with its title; an image has a text only if it has an alternative text."""
    image = "[![{alt}](x.jpg)](https://a.example/eels)"
    site.add_issue(f"# Eels\n\n{image.format(alt='0')}\n\n### [Counting eels](https://a.example/eels)\n", slug="eels")
    link = next(link for link in links.list_by_issue(site.store, 1) if link.target == "https://a.example/eels")
    page = site.client("viewer").get(f"/-/links/go.example/{link.code}").text
    assert "<h1><bdi>Counting eels</bdi></h1>" in page
    assert page.index("<h1>") < page.index(f'id="short" class="url">https://go.example/{link.code}<')
    assert '<th scope="row" class="title">Image</th><td class="blank"><bdi>–</bdi></td>' in page


def test_referrers_of_one_client_are_one_row(linked: "EditorSite") -> None:
    """The regions of a mail filter are one row under the name of the mail client, so that no host cuts the columns."""
    link = links.get(linked.store, "go.example", "one").id
    sums = [9, 0, 0, 0, 0, 9, 9, 9, 9, 9]
    referrers = {
        (link, "referrer", f"{region}.safelinks.protection.outlook.com", 0, 0): clicks
        for region, clicks in (("eur02", 4), ("nam12", 5))
    }
    with linked.store.transaction():
        add_to_rollups(linked.store, {(link, 3_600, 0, 0): sums}, referrers)
    page = linked.client("viewer").get("/-/links/go.example/one").text
    assert "safelinks" not in page
    assert re.search(r"Outlook.*?<td class=\"n\">9</td><td class=\"n\">100", page.replace("\n", ""))
