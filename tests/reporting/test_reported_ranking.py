"""The ranking of what is stored: as configured, of which month, and which article was meant."""

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
    config: Config = newsletter.config
    return msgspec.structs.replace(config, ranking=Ranking(**keys))


def sent(newsletter: Any) -> int:
    return int(newsletter.store.value("select sent_at from issues"))


def test_without_a_blend_the_footer_names_none(read: Any) -> None:
    """Appeal alone orders the list."""
    made = rank_stored_articles(read.store, config=read.config, as_of=LATER)
    assert "blend" not in made.footer
    assert [each.blend for each in made.articles] == [None, None]


def test_a_blend_orders_the_list_and_is_printed(read: Any) -> None:
    """As the editors' choice, with its weights; the numbers stay what they were."""
    counts = [signals.Signal(ONE, 100, 40, 1), signals.Signal(TWO, 100, 40, 39)]
    signals.upsert(read.store, counts, now=1)
    plain = rank_stored_articles(read.store, config=read.config, as_of=LATER)
    mixed = rank_stored_articles(read.store, config=configured(read, blend=(0.0, 1.0, 0.0)), as_of=LATER)
    assert "0 appeal + 1 fan ratio + 0 read ratio: a choice" in mixed.footer
    assert [each.url for each in mixed.articles] == [TWO, ONE]
    appeals = [
        {each.url: (each.appeal, each.low, each.high) for each in made.articles} for made in (plain, mixed)
    ]
    assert appeals[0] == appeals[1]


def test_top_and_gems_are_configured_and_can_be_asked_for(read: Any) -> None:
    """What a command says counts more than the configuration."""
    config = configured(read, top=1, gems=0)
    assert rank_stored_articles(read.store, config=config, as_of=LATER).top == 1
    assert rank_stored_articles(read.store, config=config, as_of=LATER, top=2).top == 2


def test_articles_of_a_month_are_those_of_its_issues(read: Any) -> None:
    """In the site's time zone; an issue not sent yet shows nothing."""
    read.add_issue(
        "june", {"one": [("title", 9)]}, recipients=None, sent_at=1_717_196_400, places={"one": 1}, prefix="r"
    )
    known = load_history(read.store, as_of=LATER)
    assert months_by_article(known, as_of=LATER, config=read.config) == {ONE: {"2024-05"}, TWO: {"2024-05"}}
    berlin = msgspec.structs.replace(read.config, site=Site(timezone="Europe/Berlin"))
    assert months_by_article(known, as_of=LATER, config=berlin)[ONE] == {"2024-05", "2024-06"}
    assert months_by_article(known, as_of=sent(read), config=berlin)[ONE] == {"2024-05"}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        pytest.param(ONE, ONE, id="its URL"),
        pytest.param(" HTTPS://A.Example/one ", ONE, id="another writing of it"),
        pytest.param("https://go.example/one/2", ONE, id="a short link"),
        pytest.param("two", TWO, id="a code"),
        pytest.param("https://a.example/none", "https://a.example/none", id="unknown"),
        pytest.param("javascript:alert(1)", "javascript:alert(1)", id="no target at all"),
    ],
)
def test_an_article_is_named_in_any_way(read: Any, text: str, url: str) -> None:
    """By its address or a short link that leads to it; what is unknown stays as it was written."""
    assert (
        resolve_article_url(read.store, load_history(read.store, as_of=LATER), text, config=read.config)
        == url
    )


def test_an_article_is_explained_by_its_short_link(read: Any) -> None:
    """The cells add up to the clicks of the ranking."""
    made = explain_article(read.store, "go.example/one", config=read.config, as_of=LATER)
    assert (made.url, made.counted) == (ONE, "visitors")
    assert made.visitors == sum(cell.visitors or 0 for cell in made.cells)
    with pytest.raises(NotFound):
        explain_article(read.store, "https://a.example/none", config=read.config, as_of=LATER)


def test_two_issues_are_compared_at_the_same_age(read: Any) -> None:
    """What the older had by the younger's age, not what it has today."""
    read.add_issue(
        "june", {"six": [("title", 9)]}, recipients=100, sent_at=sent(read) + 48 * HOUR, places={"six": 1}
    )
    for n in range(5):
        read.click("six", 9, visitor=f"june {n}", after=48 * HOUR + 60)
        read.click("one", 1, visitor=f"late {n}", after=60 * HOUR)
    read.drain()
    made = compare_stored_issues(read.store, "june", "may", as_of=sent(read) + 72 * HOUR, hours=2)
    assert (made.first.visitors, made.second.visitors) == (5, 4)
    assert made.first.rate == 0.05
    assert 0.4 < made.to_come < 0.7
    assert made.first.to_come > made.second.to_come
