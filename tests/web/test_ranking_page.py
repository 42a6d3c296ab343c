"""The ranking page answers at once with the counts, while the model is fitted for the first time."""

import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from shortener.reporting.ranking import count_stored_articles, rank_stored_articles
from shortener.web import ranking_cache
from shortener.web.cache import missing_keys
from shortener.web.ranking_cache import RankingKey
from tests.web.test_one_number import settled
from tests.web.test_report_pages import NOW, write_human_clicks

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

WAITING = "The comparison is being computed"
MONTH = "2027-01"


@pytest.fixture
def clicked(site_with_issue: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> "EditorSite":
    """Site with an issue whose article on whales three people clicked two hours after it was sent, a day ago."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    write_human_clicks(site_with_issue, 2, 2.1, 2.2, link=1)
    return site_with_issue


def test_the_first_list_does_not_wait_for_the_fit(clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has the articles by visitors, counted once, and loads itself again; then it has the ranking."""
    ready, counts = threading.Event(), []

    def slow(*arguments: Any, **options: Any) -> Any:
        assert ready.wait(60)
        return rank_stored_articles(*arguments, **options)

    write_human_clicks(clicked, 2.3, 2.4, 2.5, link=1)
    write_human_clicks(clicked, 3, 3.1, 3.2, 3.3, 3.4, link=3)

    def count(*arguments: Any, **options: Any) -> Any:
        counts.append(options)
        return count_stored_articles(*arguments, **options)

    monkeypatch.setattr(ranking_cache, "rank_stored_articles", slow)
    monkeypatch.setattr(ranking_cache, "count_stored_articles", count)
    browser = clicked.client("editor")
    for path in ("/-/articles", f"/-/articles?month={MONTH}"):
        page = browser.get(path).text
        assert WAITING in page
        assert "/static/reload.js" in page
        assert re.findall(r'data-name="Visitors">([^<]*)<', page) == ["6", "5"]
        assert page.index("Counting whales") < page.index("A cheaper sieve")
        assert "vs typical" not in page
        assert "Still comparing. Most visitors: <bdi>Counting whales</bdi>." in page
        assert f'href="/-/picks?month={MONTH}">Picks for ' in page
        assert '<noscript> <a href="/-/articles' in page
    assert len(counts) == 1
    ready.set()
    page = settled(browser, "/-/articles")
    assert "reload.js" not in page
    assert "too few visitors to compare" not in page
    assert re.search(r'data-name="vs typical"><span class="usual">\d[\d.]*×', page)


def test_the_newest_issue_is_computed_before_its_pages_are_opened(
    clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The overview lets threads compute the rankings of all articles, the newest issue and its month, each once."""
    asked: list[dict[str, Any]] = []

    def record(*arguments: Any, **options: Any) -> Any:
        asked.append(options)
        return rank_stored_articles(*arguments, **options)

    monkeypatch.setattr(ranking_cache, "rank_stored_articles", record)
    browser = clicked.client("viewer")
    settled(browser, "/-/issues")
    keys = [("ranking", RankingKey()), ("ranking", RankingKey(month=MONTH)), ("results", "may"), ("reruns", "may")]
    with clicked.app.test_request_context():
        deadline = time.monotonic() + 60
        while missing_keys(keys):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    for path in ("/-/", "/-/issues", "/-/issues/may", "/-/articles", "/-/picks"):
        assert "being computed" not in browser.get(path).text
    assert [(each.get("month"), each.get("issue")) for each in asked] == [(None, None), (None, "may"), (MONTH, None)]


def test_few_visitors_are_no_evidence(clicked: "EditorSite") -> None:
    """Three visitors, and none, of two articles are not compared with what is typical; the file has the figures."""
    browser = clicked.client("viewer")
    page = settled(browser, "/-/articles")
    assert page.count('data-name="vs typical"><span title="too few visitors to compare">–<') == 2
    assert "2 have too few readers to compare." in page
    assert "×</span>" not in page
    article = settled(browser, "/-/articles/article?url=https://a.example/whales")
    assert "3 visitors: too few to say how it did." in article
    listed = browser.get("/-/articles.json").json
    assert listed is not None
    assert all(each["appeal"] > 0 for each in listed["articles"])


def test_a_decision_does_not_compute_the_ranking_again(clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """After a decision the page has the ranking and the decision at once."""
    browser = clicked.client("editor")
    settled(browser, "/-/articles")
    monkeypatch.setattr(ranking_cache, "rank_stored_articles", None)
    form = {"month": MONTH, "url": "https://a.example/sieve", "action": "pin", "reason": "Readers asked for it."}
    assert browser.post("/-/articles/decide", form).status_code == 303
    page = browser.get(f"/-/articles?month={MONTH}").text
    assert WAITING not in page
    assert "Readers asked for it." in page


def test_pages_and_api_share_the_ranking_of_a_month(clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """The API returns the ranking that the page has computed already."""
    browser = clicked.client("editor")
    settled(browser, f"/-/articles?month={MONTH}")
    with clicked.app.test_request_context():
        computed = ranking_cache.cached_draft(MONTH).ranking
        monkeypatch.setattr(ranking_cache, "rank_stored_articles", None)
        assert ranking_cache.cached_ranking(ranking_cache.RankingKey(month=MONTH)) is computed


def test_a_refused_decision_waits_for_its_form(clicked: "EditorSite") -> None:
    """A form that was refused while nothing is cached is shown again with its error."""
    browser = clicked.client("editor")
    form = {"month": MONTH, "url": "https://a.example/sieve", "action": "pin"}
    assert browser.post("/-/articles/decide", form).status_code == 303
    page = browser.post("/-/articles/decide", form | {"reason": "x" * 1_001}).text
    assert WAITING not in page
    assert "This is longer than 1,000 characters" in page


@pytest.mark.parametrize(
    ("sent_at", "message"),
    [
        pytest.param(None, "That begins with the first", id="draft"),
        pytest.param(NOW + 86_400, "That begins with the first", id="scheduled"),
        pytest.param(NOW - 1_800, "Issue may was sent less than an hour ago", id="sent half an hour ago"),
        pytest.param(NOW - 7_200, "Issue may has no clicks yet", id="without clicks"),
    ],
)
def test_nothing_is_ranked_without_evidence(
    site: "EditorSite", monkeypatch: pytest.MonkeyPatch, sent_at: int | None, message: str
) -> None:
    """An issue that was not sent has no month; one without evidence has neither ranks nor typical values."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    monkeypatch.setattr("shortener.web.ranking_cache.time.time", lambda: float(NOW))
    site.add_issue(sent_at=sent_at)
    if sent_at == NOW - 1_800:
        write_human_clicks(site, 23.6, 23.7)
    browser = site.client("viewer")
    page = settled(browser, "/-/articles")
    assert message in page
    assert "data-name=" not in page
    report = settled(browser, "/-/issues/may")
    assert "vs typical" not in report
    assert browser.get("/-/issues.json").json[0]["to_come"] is None  # type: ignore[index]
