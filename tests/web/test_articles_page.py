"""The page of articles: groups by certainty, filters, orders, pages, and decisions that keep the place."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from shortener.ranking.certainty import certainty_group, confidence
from shortener.store import decisions, picks_edits
from shortener.web import article_list, ranking_cache
from shortener.web.ranking_cache import RankingKey
from tests.web.test_one_number import settled
from tests.web.test_report_pages import NOW, write_human_clicks

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

MONTH = "2027-01"
WHALES, SIEVE = "https://a.example/whales", "https://a.example/sieve"


@pytest.fixture
def clicked(site_with_issue: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> "EditorSite":
    """Site with an issue whose article on whales three people clicked two hours after it was sent, a day ago."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    write_human_clicks(site_with_issue, 2, 2.1, 2.2, link=1)
    return site_with_issue


def titles(page: str) -> list[str]:
    """Return the titles of the listed articles in order."""
    return re.findall(r'/-/articles/article\?url=[^"]*" dir="auto">([^<]*)<', page)


@pytest.mark.parametrize(
    ("low", "high", "group"),
    [(1.01, 2, "winner"), (1, 2, "typical"), (0.5, 1.0, "typical"), (0.3, 0.99, "below")],
)
def test_groups_follow_the_interval(low: float, high: float, group: str) -> None:
    """An article is a clear winner, or below, only if its whole interval is."""
    assert certainty_group(low, high) == group


def test_confidence(clicked: "EditorSite") -> None:
    """A list with warnings or wide intervals is no better than fair, and one that was not fitted is low."""
    with clicked.app.test_request_context():
        ranking = ranking_cache.cached_ranking(RankingKey(month=MONTH))
    import msgspec

    narrow = tuple(msgspec.structs.replace(each, low=0.9, high=1.1) for each in ranking.articles)
    wide = tuple(msgspec.structs.replace(each, low=0.1, high=9.0) for each in ranking.articles)
    change = msgspec.structs.replace
    assert confidence(change(ranking, articles=narrow, warnings=())) == "good"
    assert confidence(change(ranking, articles=narrow, warnings=("x",))) == "fair"
    assert confidence(change(ranking, articles=wide, warnings=())) == "low"
    assert confidence(change(ranking, articles=narrow, warnings=(), method="shrunken rate")) == "low"


PERIODS = ["", f"period={MONTH}", f"month={MONTH}", "period=3-months", "period=12-months", "period=all", "issue=may"]


@pytest.mark.parametrize("query", PERIODS)
def test_periods(clicked: "EditorSite", query: str) -> None:
    """The list of each period, and of the issue, has the articles, and its files have them too."""
    browser = clicked.client("viewer")
    assert set(titles(settled(browser, f"/-/articles?{query}"))) == {"Counting whales", "A cheaper sieve"}
    listed = browser.get(f"/-/articles.json?{query}").json
    assert listed is not None
    assert {article["url"] for article in listed["articles"]} == {WHALES, SIEVE}
    assert browser.get(f"/-/articles.csv?{query}").text.count("https://a.example/") == 2


def test_a_period_ends_before_older_issues(clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """An article that was last shown before the period is not in its list."""
    monkeypatch.setattr(article_list, "WIDE_PERIODS", {"3-months": 0, "6-months": 2})
    browser = clicked.client("viewer")
    assert titles(settled(browser, "/-/articles?period=3-months")) == []
    assert len(titles(settled(browser, "/-/articles?period=6-months"))) == 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=WHALES", ["Counting whales"]),
        ("q=mateo+sieve", ["A cheaper sieve"]),
        ("q=nothing", []),
        ("sort=title", ["A cheaper sieve", "Counting whales"]),
        ("sort=-title", ["Counting whales", "A cheaper sieve"]),
        ("sort=-visitors", ["Counting whales", "A cheaper sieve"]),
        ("sort=visitors", ["A cheaper sieve", "Counting whales"]),
    ],
)
def test_search_and_order(clicked: "EditorSite", query: str, expected: list[str]) -> None:
    """The search finds title, author and address; a heading orders the list."""
    assert titles(settled(clicked.client("viewer"), f"/-/articles?{query}")) == expected


@pytest.mark.parametrize(
    ("query", "status"), [("period=2027-13", 400), ("month=x", 400), ("issue=nothing", 404), ("period=2020-01", 200)]
)
def test_unknown_periods(clicked: "EditorSite", query: str, status: int) -> None:
    """A period without articles, or one that does not exist, is answered with a sentence."""
    browser = clicked.client("viewer")
    settled(browser, f"/-/articles?{query}")
    response = browser.get(f"/-/articles?{query}")
    assert response.status_code == status
    assert "Nothing to compare yet" in response.text


def test_without_results_the_newest_month_is_named(
    site_with_issue: "EditorSite", monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no month has a ranking, the message of the picks is about the newest one, and so is the page of articles."""
    monkeypatch.setattr("shortener.web.context.time.time", lambda: float(NOW))
    site_with_issue.add_issue("[d](https://d.example/)\n", slug="earlier", sent_at=NOW - 100 * 86_400)
    browser = site_with_issue.client("viewer")
    picks = settled(browser, "/-/picks")
    assert "2027-01: " in picks
    assert "2026-10: " not in picks
    assert f'value="{MONTH}" selected' in settled(browser, "/-/articles")


def test_pages_of_a_long_list(clicked: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list has pages, whose groups keep their order."""
    monkeypatch.setattr(article_list, "PAGE_SIZE", 1)
    browser = clicked.client("viewer")
    pages = [titles(settled(browser, f"/-/articles?sort=title&page={number}")) for number in (1, 2, 99)]
    assert pages == [["A cheaper sieve"], ["Counting whales"], ["Counting whales"]]


def test_a_decision_returns_to_its_place(clicked: "EditorSite") -> None:
    """A decision needs no reason, redirects to its row of the same list, and its undo does too."""
    browser = clicked.client("editor")
    settled(browser, "/-/articles?period=all&q=s")
    form = {"month": MONTH, "url": SIEVE, "action": "pin", "anchor": "article-2", "next": "/-/articles?period=all&q=s"}
    response = browser.post("/-/articles/decide", form)
    assert response.status_code == 303
    assert response.location == "/-/articles?period=all&q=s#article-2"
    page = settled(browser, "/-/articles?period=all&q=s")
    assert "Add a reason" in page
    change, back = (re.findall(rf'name="{name}" value="([^"]*)"', page)[0] for name in ("change", "next"))
    assert back == "/-/articles?period=all&amp;q=s"
    assert browser.post("/-/undo", {"change": change, "next": "/-/articles?q=s"}).location == "/-/articles?q=s"
    assert decisions.list_all(clicked.store) == []


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/-/", "/\\evil.example", "javascript:x"])
def test_a_decision_returns_to_our_pages_only(clicked: "EditorSite", back: str) -> None:
    """The address to return to is one of our pages."""
    form: dict[str, Any] = {"month": MONTH, "url": SIEVE, "action": "pin", "next": back, "anchor": '"><b'}
    assert clicked.client("editor").post("/-/articles/decide", form).location == f"/-/articles?month={MONTH}"


def test_viewers_have_no_controls(clicked: "EditorSite") -> None:
    """A viewer sees figures and decisions, and no form that changes something."""
    clicked.client("editor").post("/-/articles/decide", {"month": MONTH, "url": SIEVE, "action": "pin"})
    browser = clicked.client("viewer")
    for path in ("/-/articles", f"/-/articles/article?url={SIEVE}", "/-/picks"):
        page = settled(browser, path)
        assert "eatured" in page, path
        assert 'method="post"' not in page.partition("<main")[2], path


def test_the_article_page(clicked: "EditorSite") -> None:
    """One article across issues has its appearances, its links and its decisions with their history."""
    clicked.add_issue(slug="june", sent_at=None)
    browser = clicked.client("editor")
    browser.post("/-/articles/decide", {"month": MONTH, "url": WHALES, "action": "choose", "reason": "for the songs"})
    page = settled(browser, f"/-/articles/article?url={WHALES}")
    assert re.findall(r'href="/-/issues/(\w+)" dir="auto"', page) == ["june", "may"]
    assert "not sent" in page
    assert "for the songs" in page
    assert "Added as editor&#39;s pick: Counting whales" in page
    article = browser.get(f"/-/articles/article.json?url={WHALES}").json
    assert article is not None
    assert (article["visitors"], article["title"], article["author"]) == (3, "Counting whales", "Ingrid")
    assert [row["visitors"] for row in article["appearances"]] == [None, 3]
    assert [link["issue"] for link in article["links"]] == ["may", "june"]
    assert article["decisions"][0]["reason"] == "for the songs"
    assert browser.get(f"/-/articles/article.csv?url={WHALES}").text.count("\r\n") == 3
    assert browser.get("/-/articles/article?url=https://a.example/none").status_code == 404


def test_an_undone_text_of_a_pick_returns_to_the_picks(clicked: "EditorSite") -> None:
    """Editing picks stores what was changed only, and its notice leads back to the picks."""
    browser = clicked.client("editor")
    draft = browser.get(f"/-/picks.json?month={MONTH}").json
    assert draft is not None
    (entry,) = (entry for entry in draft["featured"] if entry["url"] == SIEVE)
    texts = {"title": "Sieves, cheaper", "byline": entry["author"], "blurb": entry["summary"]}
    form = {"month": MONTH, "url": SIEVE, "form": "markdown", "anchor": "pick-a2", **texts}
    response = browser.post("/-/picks/text", form)
    assert response.location == f"/-/picks?month={MONTH}&form=markdown#pick-a2"
    assert picks_edits.texts_by_article(clicked.store, MONTH)[SIEVE] == picks_edits.PickText(title="Sieves, cheaper")
    page = browser.get(f"/-/picks?month={MONTH}&form=markdown").text
    assert "Texts changed: A cheaper sieve" in page
    assert "[Sieves, cheaper](https://go.example/…/" in page
    assert "https://go.example/…" not in browser.get(f"/-/picks/preview?month={MONTH}").text
