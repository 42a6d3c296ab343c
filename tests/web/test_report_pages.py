"""Tests of the report page of an issue: chart, marks of edits, and a report without clicks."""

import html
import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from shortener.ranking import CountedArticle, RankedArticle
from shortener.reporting.forecast import Forecast, Usual
from shortener.reporting.outlook import Outlook, UsualFigures
from shortener.reporting.ranking import rank_stored_articles
from shortener.store import decisions, issues, links
from shortener.web import ranking_cache
from shortener.web.filters import result_tone
from shortener.web.issue_sentence import describe_comparison, describe_issue, describe_most
from shortener.web.results_figures import build_figures
from shortener.web.views.reports import load_report

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

NOW = 1_800_000_000


def chart_rows(page: str) -> list[tuple[str, dict[str, str]]]:
    """Return what the crosshair of the chart on a page shows: the title of each place, and its values by name."""
    match = re.search(
        r'<div class="chart" data-names="(.*?)">.*?<script type="application/json">(.*?)</script>', page, re.S
    )
    assert match is not None
    names = json.loads(html.unescape(match[1]))
    return [(title, dict(zip(names, texts, strict=True))) for _, title, texts, _ in json.loads(match[2])]


def write_human_clicks(site: "EditorSite", *hours: float, slug: str = "may", link: int = 0) -> None:
    """Store human clicks on a link of an issue, by default the first, at times in hours after May was sent."""
    code = links.list_by_issue(site.store, issues.get(site.store, slug).id)[link].code
    site.write_clicks(
        [
            json.dumps(
                {
                    "v": 1,
                    "id": f"c{hour}",
                    "ts": NOW - 86_400 + hour * 3_600,
                    "host": "go.example",
                    "code": code,
                    "method": "GET",
                    "visitor": f"v{hour}",
                    "addr": f"a{hour}",
                    "ua": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                    "h": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"},
                }
            )
            for hour in hours
        ]
    )


@pytest.fixture
def one_day_later(site_with_issue: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> "EditorSite":
    """Site whose clock is one day after the issue was sent."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    return site_with_issue


def test_edits_of_targets_are_marked(one_day_later: "EditorSite") -> None:
    """A change of a target after sending is marked in the chart and described below it; an earlier change is not."""
    write_human_clicks(one_day_later, 1.5, 2.5)
    link = links.list_by_issue(one_day_later.store, issues.get(one_day_later.store, "may").id)[0]
    for target, hour in (("https://a.example/early", -1), ("https://a.example/late", 6)):
        link = links.get(one_day_later.store, link.domain, link.code)
        links.update_field(one_day_later.store, link, "target", target, who="Zoë", now=NOW - 86_400 + hour * 3_600)
    page = one_day_later.client("viewer").get("/-/issues/may").text
    assert page.count('<line class="mark" x1="8.33%"') == 1  # 6 of 72 hours
    assert "<title>Destination changed by Zoë</title>" in page
    rows = {title.partition(" · ")[0]: values["This issue"] for title, values in chart_rows(page)}
    ages = ("0 h", "1 h 30 min", "1 h 45 min", "2 h 45 min", "24 h", "25 h")
    assert [rows[age] for age in ages] == ["0", "0", "1", "2", "2", ""]
    assert "1 destination was changed after sending" in page
    assert "Zoë" in page
    assert "a.example/late" in page
    assert "a.example/early" not in page.partition("was changed after sending")[2].partition("</details>")[0]


@pytest.mark.parametrize(
    ("sent_at", "report_text", "list_text"),
    [
        (None, "Draft", ">Draft</span>"),
        (NOW + 3_600, ">Scheduled</span> <span><time", ">Scheduled</span>"),
        (NOW - 3_600, ">Sent</span> <span><time", '<time datetime="2027-01-15T07:00:00+00:00">15 Jan 2027</time>'),
    ],
    ids=["draft", "scheduled", "sent"],
)
def test_report_and_list_show_the_status(
    one_day_later: "EditorSite", sent_at: int | None, report_text: str, list_text: str
) -> None:
    """The report and the list tell a draft, a scheduled issue and a sent one apart."""
    one_day_later.add_issue(slug="june", sent_at=sent_at)
    viewer = one_day_later.client("viewer")
    assert report_text in viewer.get("/-/issues/june").text
    assert list_text in viewer.get("/-/issues").text


def test_report_of_a_draft_has_no_expectation(one_day_later: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is expected of the articles of a draft, and nothing is computed for it."""
    monkeypatch.setattr("shortener.web.views.reports.article_results", lambda slug: pytest.fail(f"computed for {slug}"))
    one_day_later.add_issue(slug="june", sent_at=None)
    page = one_day_later.client("viewer").get("/-/issues/june").text
    assert page.count('<tr class="more">') > 0
    assert "vs typical" not in page
    assert "figures" not in page


def test_report_without_clicks(site_with_issue: "EditorSite") -> None:
    """A report without clicks has no chart, but a hint and the articles."""
    page = site_with_issue.client("viewer").get("/-/issues/may").text
    assert "No clicks yet" in page
    assert 'class="chart"' not in page
    assert "Counting whales" in page


def test_comparison_with_another_issue(one_day_later: "EditorSite") -> None:
    """An issue that the address names is in the chart by hours since its own sending; an unknown one is not."""
    one_day_later.add_issue("# A & B\n\n### [Kelp](https://a.example/kelp)\n", slug="april", sent_at=NOW - 10 * 86_400)
    write_human_clicks(one_day_later, 1.5, 2.5)
    write_human_clicks(one_day_later, -9 * 24 + 4.5, slug="april")
    client = one_day_later.client("viewer")
    page = client.get("/-/issues/may?with=april").text
    assert "A &amp; B</text>" in page
    rows = {title.partition(" · ")[0]: values["A & B"] for title, values in chart_rows(page)}
    assert (rows["4 h 30 min"], rows["5 h"]) == ("0", "1")
    assert all(not values[""] for _, values in chart_rows(client.get("/-/issues/may?with=nothing").text))


def test_a_place_of_the_chart_has_its_local_time(one_day_later: "EditorSite") -> None:
    """The chart counts from the minute of the sending, and names the time zone."""
    write_human_clicks(one_day_later, 1.5)
    page = one_day_later.client("viewer").get("/-/issues/may?pace=hourly&count=clicks").text
    title, values = chart_rows(page)[1]
    assert title == "the hour until 2 h · 14 Jan 2027, 10:00 UTC"
    assert values["This issue"] == "1"
    assert "Times are in UTC." in page


def test_the_chart_as_csv(one_day_later: "EditorSite") -> None:
    """The file has the rows of the chart that is shown, by age."""
    write_human_clicks(one_day_later, 1.5)
    file = one_day_later.client("viewer").get("/-/issues/may/course.csv?pace=hourly").text.splitlines()
    assert file[0].startswith("hours,count,counted,usual_low")
    assert file[1:3] == ["1.0,0,visitors,,,,,,,", "2.0,1,visitors,,,,,,,"]
    assert one_day_later.client("viewer").get("/-/issues/nothing/course.csv").status_code == 404


def page_with_ranking(site: "EditorSite", path: str) -> str:
    """Return a report page as soon as the ranking has been computed, at most ten seconds later."""
    client, deadline = site.client("viewer"), time.monotonic() + 10
    page = client.get(path).text
    while "is being computed" in page and time.monotonic() < deadline:
        threading.Event().wait(0.05)
        page = client.get(path).text
    return page


def test_the_report_does_not_wait_for_the_ranking(one_day_later: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page has the counts, and tells that the ranking is being computed; a later one has its figures."""
    write_human_clicks(one_day_later, *(1 + number / 10 for number in range(9)), link=1)
    ready = threading.Event()

    def slow(*arguments: Any, **options: Any) -> Any:
        assert ready.wait(10)
        return rank_stored_articles(*arguments, **options)

    monkeypatch.setattr(ranking_cache, "rank_stored_articles", slow)
    page = one_day_later.client("viewer").get("/-/issues/may").text
    assert "Counting whales" in page
    assert "What is typical for each position is being computed" in page
    ready.set()
    page = page_with_ranking(one_day_later, "/-/issues/may")
    assert "is being computed" not in page
    assert re.search(
        r'<td class="n versus"><span class="\w+">[^<]*(<span aria-hidden="true">▲</span> )?\d[\d.]*×', page
    )


def test_articles_worth_showing_again(one_day_later: "EditorSite") -> None:
    """Page and JSON have the suggestions of the issue, and later that one was followed."""
    articles = "\n\n".join(f"### [Article {n}](https://a.example/{n})" for n in range(1, 9))
    one_day_later.add_issue(f"# June\n\n{articles}\n", slug="june", sent_at=NOW - 20 * 86_400)
    write_human_clicks(one_day_later, *(-19 * 24 + n / 7 for n in range(40)), slug="june")
    client = one_day_later.client("viewer")
    suggestions = json.loads(client.get("/-/issues/june/report.json").text)["reruns"]
    assert 1 <= len(suggestions) <= 2
    page = client.get("/-/issues/june").text.partition('id="reruns"')[2].partition("</section>")[0]
    for each in suggestions:
        assert each["open"] is False  # May was sent after June
        text = f"{each['title']}</span>: position {each['new_position']} instead of {each['position']}"
        assert text in page
    assert page.count("not done yet") == len(suggestions)
    again = f"# July\n\n### [Other](https://a.example/o)\n\n### [Again]({suggestions[0]['url']})\n"
    if suggestions[0]["position"] == 2:
        again = f"# July\n\n### [Again]({suggestions[0]['url']})\n"
    one_day_later.add_issue(again, slug="july", sent_at=NOW - 3_600)
    followed = json.loads(client.get("/-/issues/june/report.json").text)["reruns"]
    assert [each["url"] for each in followed] == [each["url"] for each in suggestions]
    assert followed[0]["shown_again"] == "july"
    page = client.get("/-/issues/june").text
    assert f'Position {followed[0]["shown_position"]} in <a href="/-/issues/july">' in page


def test_percent_signs_stay_with_their_numbers(one_day_later: "EditorSite") -> None:
    """The sentence about an issue has no line break between a number and its percent sign."""
    outlook = Outlook(
        counted="visitors",
        hours=30.0,
        count=382,
        rate=0.031,
        usual_count=None,
        usual_rate=Usual(median=0.038, low=0.029, high=0.044, issues=8),
        forecast=Forecast(438.4, 424.6, 460.2),
    )
    with one_day_later.app.test_request_context("/-/"):
        text = describe_issue(outlook)
    assert text == (
        "382 visitors, 3.1\u00a0% of the recipients: about your usual 3.8\u00a0% after 30 hours. "
        "Expect about 438 visitors in the end (425 to 460)."
    )


FIRST_ISSUES = {
    "after a day": (
        Outlook("visitors", 24.0, 387, 0.26, None, None, None),
        "387 visitors so far, 26 % of the recipients.",
    ),
    "after a month": (Outlook("visitors", 700.0, 1, 0.005, None, None, None), "1 visitor, 0.5 % of the recipients."),
    "recipients unknown": (Outlook("visitors", 24.0, 387, None, None, None, None), "387 visitors so far."),
    "visitors unknown": (Outlook("clicks", 24.0, 387, None, None, None, None), "387 clicks so far."),
}


@pytest.mark.parametrize(("outlook", "known"), FIRST_ISSUES.values(), ids=FIRST_ISSUES)
def test_a_first_issue_has_nothing_to_compare_with(one_day_later: "EditorSite", outlook: Outlook, known: str) -> None:
    """Without enough earlier issues the sentence says what is known, and what a comparison takes."""
    with one_day_later.app.test_request_context("/-/"):
        text = describe_issue(outlook).replace("\u00a0", " ")
    assert text == f"{known} Too few earlier issues to compare this one with: that takes 4."


MOST_CLICKED = {
    "two of four": ({"A": 30, "B": 20, "C": 9, "D": 1}, "Most visitors: <bdi>A</bdi> and <bdi>B</bdi>."),
    "at most half": ({"A": 30, "B": 20, "C": 9}, "Most visitors: <bdi>A</bdi>."),
    "one alone": ({"A": 30}, ""),
    "few visitors": ({"A": 5, "B": 4, "C": 1, "D": 0}, "Most visitors: <bdi>A</bdi>."),
    "too few visitors": ({"A": 4, "B": 1}, ""),
    "second and third alike": ({"A": 30, "B": 20, "C": 20, "D": 1}, "Most visitors: <bdi>A</bdi>."),
    "all alike": ({"A": 30, "B": 30, "C": 30, "D": 30}, ""),
    "none": ({}, ""),
}


@pytest.mark.parametrize(("counts", "expected"), MOST_CLICKED.values(), ids=MOST_CLICKED)
def test_most_clicked_articles(one_day_later: "EditorSite", counts: dict[str, int], expected: str) -> None:
    """Articles are named if they have clearly more visitors than all others."""
    articles = [CountedArticle("", title, "may", 1, count, None, 1) for title, count in counts.items()]
    with one_day_later.app.test_request_context("/-/"):
        assert describe_most(articles, counted="visitors") == expected


RATE = Usual(median=0.2, low=0.18, high=0.22, issues=8)
COMPARISONS = {
    "young, as usual": (Outlook("visitors", 30.0, 19, 0.19, None, RATE, None), "as usual after 30 hours (20 %)"),
    "young, below": (Outlook("visitors", 50.0, 9, 0.09, None, RATE, None), "below usual after 2 days (20 %)"),
    "old, as usual": (Outlook("visitors", 700.0, 19, 0.19, None, RATE, None), "about the usual 20 %"),
    "old, above": (Outlook("visitors", 700.0, 29, 0.29, None, RATE, None), "above the usual 20 %"),
    "recipients unknown": (
        Outlook("visitors", 700.0, 9, None, Usual(20, 18, 22, 8), None, None),
        "below the usual 20",
    ),
    "first issue": (Outlook("visitors", 700.0, 9, 0.09, None, None, None), ""),
}


@pytest.mark.parametrize(("outlook", "expected"), COMPARISONS.values(), ids=COMPARISONS)
def test_comparison_in_the_list_of_issues(one_day_later: "EditorSite", outlook: Outlook, expected: str) -> None:
    """An issue whose clicks are still coming in is compared at its age, with the age in words."""
    with one_day_later.app.test_request_context("/-/"):
        assert describe_comparison(outlook).replace("\u00a0", " ") == expected


USUAL_RATES = {
    "inside the range": (0.185, "about the usual 20 %"),
    "below it": (0.1, "10 points below the usual 20 %"),
    "above it": (0.235, "3.5 points above the usual 20 %"),
}


@pytest.mark.parametrize(("rate", "expected"), USUAL_RATES.values(), ids=USUAL_RATES)
def test_click_rate_beside_the_usual(one_day_later: "EditorSite", rate: float, expected: str) -> None:
    """The tile of the click rate agrees with the sentence: inside the usual range it is about usual."""
    with one_day_later.app.test_request_context("/-/"):
        report = msgspec.structs.replace(load_report("may"), rate=rate)
        outlook = Outlook("visitors", 30.0, 19, rate, None, RATE, None)
        figures = build_figures(report, outlook, UsualFigures(None, None))
    assert figures[1].comparison.replace("\u00a0", " ") == expected


def ranked(low: float, appeal: float, high: float) -> RankedArticle:
    """Return the result of an article with this range of its appeal."""
    return RankedArticle(
        1, "", "", "may", 1, 5, None, 4.0, appeal, low, high, 0.5, None, "", 1, 0.0, None, None, None, None
    )


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ranked(1.05, 1.4, 1.9), "above"),
        (ranked(0.9, 1.8, 2.9), "usual"),
        (ranked(0.3, 0.5, 0.95), "below"),
        (ranked(1.0, 1.4, 1.9), "usual"),
        (None, "usual"),
    ],
    ids=["interval above 1", "interval with 1", "interval below 1", "interval from 1", "no result"],
)
def test_a_winner_is_certain(result: RankedArticle | None, expected: str) -> None:
    """An article is a winner or below typical only if its interval excludes 1, however large its multiple is."""
    assert result_tone(result) == expected


ORDERS = {
    "": ["2", "1"],
    "?sort=-position": ["2", "1"],
    "?sort=-visitors": ["2", "1"],
    "?sort=visitors": ["1", "2"],
    "?sort=title": ["1", "2"],
    "?sort=nonsense": ["2", "1"],
}


@pytest.mark.parametrize(("query", "positions"), ORDERS.items(), ids=[query or "default" for query in ORDERS])
def test_articles_can_be_sorted(
    one_day_later: "EditorSite", query: str, positions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address chooses the order of the articles; while nothing is typical yet they are by visitors."""
    monkeypatch.setattr("shortener.web.views.reports.article_results", lambda slug: {})
    source = "# June\n\n### [Ants](https://a.example/a)\n\n### [Bees](https://a.example/b)\n"
    one_day_later.add_issue(source, slug="june", sent_at=NOW - 86_400)
    write_human_clicks(one_day_later, 1, 2, slug="june", link=1)
    page = one_day_later.client("viewer").get(f"/-/issues/june{query}").text
    assert re.findall(r'<td class="n lead">(\d+)</td>', page) == positions


def test_a_row_has_the_clicks_of_its_placements(one_day_later: "EditorSite") -> None:
    """Below an article are the clicks of each placement, its link, its course and what was decided about it."""
    issue_id = issues.get(one_day_later.store, "may").id
    article = issues.list_articles(one_day_later.store, issue_id)[0]
    targets = [link.target for link in links.list_by_issue(one_day_later.store, issue_id)]
    write_human_clicks(one_day_later, 1.5, 2.5, 30, link=targets.index(article.url))
    decisions.decide(
        one_day_later.store, "2027-01", article.url, action="pin", reason="For all", who="Zoë", now=NOW - 3_600
    )
    page = one_day_later.client("viewer").get("/-/issues/may").text
    details = page.split('<tr class="more">')[1:]
    assert all("Clicks by placement" in detail and "go.example/" in detail for detail in details)
    assert sum('class="spark"' in detail for detail in details) == 1
    assert sum("Featured · <bdi>Zoë</bdi>" in detail for detail in details) == 1
