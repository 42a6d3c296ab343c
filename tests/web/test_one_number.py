"""One term is one number: every page, file and command has the same counts of an issue, an article and a link."""

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from shortener.app import create_pages_app
from shortener.services import accounts
from shortener.web.filters import format_percent
from tests.web.conftest import PASSWORD, Browser

JUNE_SECONDS = 31 * 86_400
"""Seconds between the sending of the two issues, which fall into two months."""
READERS = {
    "may": [("one", 1, 7), ("one", 2, 12), ("two", 3, 5), ("two", 0, 2), ("foot", 4, 3)],
    "june": [("rone", 1, 9), ("six", 2, 6)],
}
"""Link, placement number and number of readers; the first readers of each link are the same people."""
Term = tuple[str, ...]
"""What is counted, such as ("may", "one", "visitors")."""


class Figures:
    """The values of each term, by the surface that shows them."""

    def __init__(self) -> None:
        self.values: dict[Term, dict[str, str]] = {}

    def add(self, surface: str, term: Term, **counts: Any) -> None:
        """Record the counts of a term; a text of a page counts as it is, and a number as the pages format it."""
        for name, value in counts.items():
            self.values.setdefault((*term, name), {})[surface] = as_text(name, value)

    def contradictions(self) -> dict[Term, dict[str, str]]:
        """Return the terms whose surfaces differ."""
        return {term: shown for term, shown in self.values.items() if len(set(shown.values())) > 1}


def as_text(name: str, value: Any) -> str:
    """Return a value of JSON, of CSV ('' is unknown) or of a page in one form, such as 12, 3.4% or unknown."""
    if value is None or value in {"", "unknown"}:
        return "unknown"
    if isinstance(value, str) and "%" in value:
        return value.replace(" ", "")
    number = float(str(value).replace(",", ""))
    return format_percent(number).replace(" ", "") if name == "rate" else f"{number:g}"


def read_csv(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(text)))


def code_of(url: str) -> str:
    """Return the last part of a target or short URL, by which this newsletter names an article or link."""
    return url.rstrip("/").rpartition("/")[2].lower()


def count_of(row: Any) -> dict[str, Any]:
    """Return the counts of a row of JSON or CSV."""
    return {name: row[name] for name in ("clicks", "visitors", "rate") if name in row}


def read_ranked(figures: Figures, surface: str, ranking: Any, slug: str) -> None:
    """Record the counts of ranked articles: those in one issue, or ("article", …) for all their issues."""
    for row in ranking:
        for name in ("visitors", "clicks"):
            if row[name] not in {None, ""}:
                figures.add(surface, (slug, code_of(row["url"])), **{name: row[name]})


def read_report(figures: Figures, surface: str, report: Any) -> None:
    """Record the counts of a report of an issue in JSON."""
    slug, totals = report["slug"], report["totals"]
    figures.add(surface, (slug,), clicks=totals["clicks"]["human"], visitors=totals["visitors"], rate=report["rate"])
    outlook = report["outlook"]
    figures.add(f"{surface}: outlook", (slug,), **{outlook["counted"]: outlook["count"]})
    read_parts(figures, surface, report)


def read_parts(figures: Figures, surface: str, report: Any) -> None:
    """Record the counts of the articles, other links and placements of an issue in JSON."""
    for part in (*report["articles"], *report["links"]):
        name = code_of(part.get("url") or part["target"])
        figures.add(surface, (report["slug"], name), **count_of(part))
        for placement in part["placements"]:
            figures.add(surface, (report["slug"], "placement", str(placement["n"])), **count_of(placement))


def read_links(figures: Figures, surface: str, rows: Iterable[Any]) -> None:
    """Record the counts of links."""
    for row in rows:
        figures.add(surface, ("link", code_of(row["short_url"])), clicks=row["clicks"], visitors=row["visitors"])


def cell(row: str, name: str) -> str:
    """Return the text of a cell of a table on a page, named by its heading."""
    match = re.search(rf'data-name="{name}"[^>]*>(.*?)</td>', row, flags=re.S)
    assert match is not None, (name, row)
    return re.sub(r"<[^>]*>", "", match[1]).strip()


def table_rows(page: str) -> list[str]:
    """Return the rows of the tables on a page that are cards on a phone: those with named cells."""
    return [row for row in re.findall(r"<tr.*?</tr>", page, flags=re.S) if "data-name=" in row]


def settled(browser: Browser, path: str) -> str:
    """Return a page once nothing on it is being computed any more."""
    deadline = time.monotonic() + 60
    while "being computed" in (page := browser.get(path).text):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return page


@pytest.fixture
def browser(newsletter: Any, cheap_hashes: None) -> Browser:
    """A browser in which a viewer of the pages of this newsletter is signed in."""
    accounts.add_user(newsletter.store, "eve", role="viewer", password=PASSWORD, now=1)
    browser = Browser(create_pages_app(newsletter.config).test_client())
    assert browser.post("/-/sign-in", {"name": "eve", "password": PASSWORD}).status_code == 303
    return browser


def add_clicks(newsletter: Any, *, visitors_of_june: bool) -> None:
    """Add the issue june, which shows the article one again, and the clicks of both issues."""
    sent = int(newsletter.store.value("select sent_at from issues")) + JUNE_SECONDS
    articles = {"one": [("title", 1)], "six": [("title", 2)]}
    with newsletter.store.transaction():
        newsletter.store.execute("update issues set recipients = 240")
    newsletter.add_issue("june", articles, recipients=90, sent_at=sent, places={"six": 1, "one": 2}, prefix="r")
    for slug, readers in READERS.items():
        for code, n, count in readers:
            code = "rsix" if code == "six" else code
            for reader in range(count):
                after = 7_200 + (JUNE_SECONDS if slug == "june" else 0) + 40 * 60 * reader
                visitor = f"{slug} {reader}" if slug == "may" or visitors_of_june or reader == 0 else None
                newsletter.click(code, n, visitor=visitor, addr=f"{slug} {reader}", after=after)
                newsletter.drain()
    newsletter.click("Lone", visitor="dan")
    newsletter.drain()


def read_commands(figures: Figures, shortener: Callable[..., Any]) -> None:
    """Record what the commands print as JSON and CSV."""

    def print_json(*words: str) -> Any:
        return json.loads(shortener(*words, "--format", "json").stdout)

    for slug in ("may", "june"):
        read_report(figures, f"report issue {slug}", print_json("report", "issue", slug))
        for row in read_csv(shortener("report", "issue", slug, "--format", "csv").stdout):
            figures.add(f"report issue {slug} csv", (slug, code_of(row["url"])), **count_of(row))
        for output in ("json", "csv"):
            printed = shortener("rank", "--issue", slug, "--format", output).stdout
            rows = json.loads(printed)["articles"] if output == "json" else read_csv(printed)
            read_ranked(figures, f"rank --issue {slug} {output}", rows, slug)
        line = shortener("report", "issue", slug).stdout.splitlines()[1]
        match = re.match(r"([\d,]+) clicks by (an unknown number of|[\d,]+) visitors(?: \((\S+) of the recip)?", line)
        assert match is not None, line
        visitors = match[2].replace("an unknown number of", "unknown")
        figures.add(f"report issue {slug} table", (slug,), clicks=match[1], visitors=visitors, rate=match[3])
    read_lists(figures, shortener, print_json)
    for first, second in (("june", "may"), ("june", "june")):
        side = print_json("report", "compare", first, second)["first"]
        figures.add(f"compare with {second}", (first,), **{side["counted"]: side[side["counted"]]})
        if side["counted"] == "visitors":
            figures.add(f"compare with {second}", (first,), rate=side["rate"])
    read_ranked(figures, "rank --month", print_json("rank", "--month", "2024-06")["articles"], "article")


def read_lists(figures: Figures, shortener: Callable[..., Any], print_json: Callable[..., Any]) -> None:
    """Record what the commands print about all issues and links."""
    for command in (("report", "summary"), ("issue", "list")):
        printed = print_json(*command)
        for row in printed["issues"] if isinstance(printed, dict) else printed:
            figures.add(" ".join(command), (row["slug"],), **count_of(row))
        for row in read_csv(shortener(*command, "--format", "csv").stdout):
            figures.add(f"{' '.join(command)} csv", (row["slug"],), **count_of(row))
    read_links(figures, "summary links", print_json("report", "summary")["links"])
    read_links(figures, "link list", print_json("link", "list"))
    read_links(figures, "link list csv", read_csv(shortener("link", "list", "--format", "csv").stdout))
    for code in ("one", "rone", "lone"):
        url = "b.example/Lone" if code == "lone" else code
        read_links(figures, f"link show {code}", [print_json("link", "show", url)])
        report = print_json("report", "link", url)["totals"]
        clicks = report["clicks"]["human"]
        figures.add(f"report link {code}", ("link", code), clicks=clicks, visitors=report["visitors"])


def read_pages(figures: Figures, browser: Browser) -> None:
    """Record what the pages and their files show."""
    for slug in ("may", "june"):
        path = f"/-/issues/{slug}"
        page, live = settled(browser, path), browser.get(f"{path}/live").json
        assert live is not None
        shown = dict(re.findall(r'data-live="([\w-]+)">([^<]*)<', page))
        # A text that is empty, such as that about late nodes, has no place on the page.
        assert {name: text for name, text in live.items() if text and name != "quality"} == {
            name: text for name, text in shown.items() if name != "quality"
        }
        figures.add("report page", (slug,), clicks=shown["clicks"], visitors=shown["visitors"], rate=shown["rate"])
        report = browser.get(f"{path}/report.json").json
        assert report is not None
        read_report(figures, "report.json", report)
        read_parts(figures, "map.json", browser.get(f"{path}/map.json").json)
        for article in report["articles"]:
            position, term = article["position"], (slug, code_of(article["url"]))
            counts = {name: shown[f"{name}-{position}"] for name in ("clicks", "visitors", "rate")}
            figures.add("report page", term, **counts)
        for row in read_csv(browser.get(f"{path}/report.csv").text):
            figures.add("report.csv", (slug, code_of(row["url"])), **count_of(row))
        for row in read_csv(browser.get(f"{path}/placements.csv").text):
            figures.add("placements.csv", (slug, "placement", row["n"]), **count_of(row))
    listed = browser.get("/-/issues.json").json
    assert isinstance(listed, list)
    for row in (*listed, *read_csv(browser.get("/-/issues.csv").text)):
        figures.add("list of issues" + (" json" if row in listed else " csv"), (row["slug"],), **count_of(row))
    for html in table_rows(browser.get("/-/issues").text):
        (slug,) = set(re.findall(r"/-/issues/(\w+)\"", html))
        figures.add("issues page", (slug,), visitors=cell(html, "Visitors"), rate=cell(html, "Click rate"))
    read_link_pages(figures, browser)


def read_link_pages(figures: Figures, browser: Browser) -> None:
    """Record what the pages of links, and of the ranking, and their files show."""
    links_json = browser.get("/-/links.json").json
    assert links_json is not None
    read_links(figures, "links.json", links_json["links"])
    read_links(figures, "links.csv", read_csv(browser.get("/-/links.csv").text))
    for html in table_rows(browser.get("/-/links").text):
        code = re.findall(r"<strong>(\w+)</strong>", html)[0].lower()
        figures.add("links page", ("link", code), visitors=cell(html, "Visitors"))
    for host, code in (("go.example", "one"), ("go.example", "rone"), ("b.example", "Lone")):
        page = browser.get(f"/-/links/{host}/{code}").text
        visitors = re.findall(r"([\d,]+) visitors? clicked it", page)
        (clicks,) = re.findall(
            r"([\d,]+) clicks?(?: in all)?\.", page.partition('class="sentence"')[2].partition("<")[0]
        )
        figures.add("link page", ("link", code.lower()), clicks=clicks, visitors=(*visitors, "unknown")[0])
    page = settled(browser, "/-/articles?month=2024-06")
    ranking = browser.get("/-/articles.json?month=2024-06").json
    assert ranking is not None
    read_ranked(figures, "ranking.json", ranking["articles"], "article")
    read_ranked(figures, "ranking.csv", read_csv(browser.get("/-/articles.csv?month=2024-06").text), "article")
    for html in table_rows(page):
        targets = re.findall(r"url=(https://a\.example/\w+)\"", html)
        if not targets:
            continue  # the heading of a group
        code = code_of(targets[0])
        value = cell(html, ranking["counted"].capitalize())
        figures.add("ranking page", ("article", code), **{ranking["counted"]: value})


@pytest.mark.parametrize("visitors_of_june", [True, False], ids=["visitors known", "visitors of June unknown"])
def test_every_surface_has_the_same_numbers(
    newsletter: Any, shortener: Callable[..., Any], browser: Browser, visitors_of_june: bool
) -> None:
    """Clicks, visitors and click rate of each issue, article, placement and link agree wherever they are shown."""
    add_clicks(newsletter, visitors_of_june=visitors_of_june)
    figures = Figures()
    read_commands(figures, shortener)
    read_pages(figures, browser)
    # An article of two issues has the visitors, or the clicks, of both together.
    both = [figures.values[slug, "one", "clicks"]["report.json"] for slug in ("may", "june")]
    if visitors_of_june:
        both = [figures.values[slug, "one", "visitors"]["report.json"] for slug in ("may", "june")]
    unit = "visitors" if visitors_of_june else "clicks"
    figures.add("sum over its issues", ("article", "one"), **{unit: sum(map(int, both))})
    assert figures.contradictions() == {}
    assert figures.values["may", "visitors"]["report page"] == "12"
    assert figures.values["june", "visitors"]["report page"] == ("9" if visitors_of_june else "unknown")
    assert len(figures.values["june", "visitors"]) >= (11 if visitors_of_june else 9)
    assert len(figures.values["may", "one", "clicks"]) >= 5
    assert len(figures.values["article", "one", unit]) == 5
