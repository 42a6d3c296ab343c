"""Ranking of the stored articles: configuration, months, finding an article, comparing two issues."""

from typing import Any

import msgspec
import pytest

from shortener.config import Config, Ranking, Site
from shortener.errors import NotFound
from shortener.reporting.ranking import (
    compare_stored_issues,
    explain_article,
    months_by_article,
    rank_stored_articles,
    resolve_article_url,
)
from shortener.reporting.ranking_inputs import load_history
from shortener.store import signals

LATER = 1_800_000_000
HOUR = 3600
ONE, TWO = "https://a.example/one", "https://a.example/two"


def configured(newsletter: Any, **keys: Any) -> Config:
    """Return the configuration with these keys of ``[ranking]``."""
    config: Config = newsletter.config
    return msgspec.structs.replace(config, ranking=Ranking(**keys))


def sent(newsletter: Any) -> int:
    """Return the sending time of the only issue."""
    return int(newsletter.store.value("select sent_at from issues"))


def test_without_a_blend_the_footer_names_none(read: Any) -> None:
    """Without a blend the list is ordered by appeal, and the footer does not mention one."""
    ranking = rank_stored_articles(read.store, config=read.config, as_of=LATER)
    assert "blend" not in ranking.footer
    assert [article.blend for article in ranking.articles] == [None, None]


def test_a_blend_orders_the_list(read: Any) -> None:
    """A configured blend changes the order and is named in the footer; the figures of the articles do not change."""
    counts = [signals.Signal(ONE, 100, 40, 1), signals.Signal(TWO, 100, 40, 39)]
    signals.upsert(read.store, counts, now=1)
    plain = rank_stored_articles(read.store, config=read.config, as_of=LATER)
    blended = rank_stored_articles(read.store, config=configured(read, blend=(0.0, 1.0, 0.0)), as_of=LATER)
    assert "0 appeal + 1 fan ratio + 0 read ratio: a choice" in blended.footer
    assert [article.url for article in blended.articles] == [TWO, ONE]
    appeals = [{row.url: (row.appeal, row.low, row.high) for row in ranking.articles} for ranking in (plain, blended)]
    assert appeals[0] == appeals[1]


def test_an_argument_overrides_the_configured_top(read: Any) -> None:
    """The length of the top list comes from the configuration unless it is given."""
    config = configured(read, top=1, gems=0)
    assert rank_stored_articles(read.store, config=config, as_of=LATER).top == 1
    assert rank_stored_articles(read.store, config=config, as_of=LATER, top=2).top == 2


def test_articles_of_a_month_are_those_of_its_issues(read: Any) -> None:
    """Months are those of the sending times in the site's time zone; an unsent issue has none."""
    read.add_issue(
        "june", {"one": [("title", 9)]}, recipients=None, sent_at=1_717_196_400, places={"one": 1}, prefix="r"
    )
    history = load_history(read.store, as_of=LATER)
    assert months_by_article(history, as_of=LATER, config=read.config) == {ONE: {"2024-05"}, TWO: {"2024-05"}}
    berlin = msgspec.structs.replace(read.config, site=Site(timezone="Europe/Berlin"))
    assert months_by_article(history, as_of=LATER, config=berlin)[ONE] == {"2024-05", "2024-06"}
    assert months_by_article(history, as_of=sent(read), config=berlin)[ONE] == {"2024-05"}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        pytest.param(ONE, ONE, id="its URL"),
        pytest.param(" HTTPS://A.Example/one ", ONE, id="another spelling of it"),
        pytest.param("https://go.example/one/2", ONE, id="a short link"),
        pytest.param("two", TWO, id="a code"),
        pytest.param("https://a.example/none", "https://a.example/none", id="unknown"),
        pytest.param("javascript:alert(1)", "javascript:alert(1)", id="no target at all"),
    ],
)
def test_an_article_is_found_by_url_or_short_link(read: Any, text: str, url: str) -> None:
    """Its URL in any spelling and its short links resolve to the article; unknown text is returned unchanged."""
    history = load_history(read.store, as_of=LATER)
    assert resolve_article_url(read.store, history, text, config=read.config) == url


def test_an_article_is_explained_by_its_short_link(read: Any) -> None:
    """The explained appearances add up to the visitors of the article."""
    explanation = explain_article(read.store, "go.example/one", config=read.config, as_of=LATER)
    assert (explanation.url, explanation.counted) == (ONE, "visitors")
    assert explanation.visitors == sum(cell.visitors or 0 for cell in explanation.cells)
    with pytest.raises(NotFound):
        explain_article(read.store, "https://a.example/none", config=read.config, as_of=LATER)


def test_two_issues_are_compared_at_the_same_age(read: Any) -> None:
    """The older issue has the clicks that it had at the age of the younger one."""
    read.add_issue("june", {"six": [("title", 9)]}, recipients=100, sent_at=sent(read) + 48 * HOUR, places={"six": 1})
    for n in range(5):
        read.click("six", 9, visitor=f"june {n}", after=48 * HOUR + 60)
        read.click("one", 1, visitor=f"late {n}", after=60 * HOUR)
    read.drain()
    comparison = compare_stored_issues(read.store, "june", "may", as_of=sent(read) + 72 * HOUR, hours=2)
    assert (comparison.first.visitors, comparison.second.visitors) == (5, 3)
    assert comparison.first.rate == 0.05
    assert comparison.to_come is not None
    assert 0.4 < comparison.to_come < 0.7
    assert (comparison.first.to_come or 0) > (comparison.second.to_come or 0)
