"""The picks: the top list and the hidden gems after the editors' decisions."""

from typing import Any

import pytest

from shortener.errors import InputError
from shortener.ranking import Ranking, rank
from shortener.ranking.picks import Decision, Pick, Picks, arrange_picks, picked_urls, select_picks

World = Any
NEW = "https://new.example/"


@pytest.fixture(scope="module")
def ranking(year: World) -> Ranking:
    """The ranking of the default world."""
    return rank(year.history, as_of=year.as_of, top=4, gems=2)


def decide(url: str, action: Any, decided_at: float = 1.0) -> Decision:
    """Return a decision of the editor Ana."""
    return Decision(url, action, "because", "Ana", decided_at)


def test_without_decisions_the_picks_are_the_list_and_the_gems(ranking: Ranking) -> None:
    """Without decisions the picks are the top list and the hidden gems."""
    picks = select_picks(ranking)
    assert [pick.url for pick in picks.featured] == [article.url for article in ranking.articles[:4]]
    assert [pick.url for pick in picks.lesser_known] == list(ranking.gems)
    assert {pick.origin for pick in picks.featured} == {"list"}
    assert picked_urls(picks) == [*[pick.url for pick in picks.featured], *ranking.gems]


def test_a_pin_comes_first_and_takes_a_place(ranking: Ranking) -> None:
    """A pinned article comes first, is marked as pinned, and the list does not become longer."""
    url = ranking.articles[9].url
    picks = select_picks(ranking, decisions=[decide(url, "pin")])
    first = picks.featured[0]
    assert (first.url, first.origin, len(picks.featured)) == (url, "pinned", 4)
    assert first.decision is not None
    assert (first.decision.who, first.decision.reason) == ("Ana", "because")


def test_an_excluded_article_makes_room(ranking: Ranking) -> None:
    """An excluded article is not picked, is listed as excluded, and the next article moves up."""
    urls = [article.url for article in ranking.articles]
    picks = select_picks(ranking, decisions=[decide(urls[0], "exclude"), decide(ranking.gems[0], "exclude")])
    assert [pick.url for pick in picks.featured] == urls[1:5]
    assert [pick.url for pick in picks.lesser_known] == list(ranking.gems[1:])
    assert [decision.url for decision in picks.excluded] == sorted([urls[0], ranking.gems[0]])


def test_a_chosen_article_comes_before_the_gems(ranking: Ranking) -> None:
    """An article that no issue contained can be chosen, and comes before the hidden gems."""
    picks = select_picks(ranking, decisions=[decide(NEW, "choose")])
    assert (picks.lesser_known[0].url, picks.lesser_known[0].origin) == (NEW, "chosen")
    assert picks.lesser_known[0].ranked is None


def test_the_last_decision_counts_in_any_order_of_rows(ranking: Ranking) -> None:
    """An article that was pinned first and excluded later is excluded."""
    url = ranking.articles[0].url
    monday, tuesday = decide(url, "pin", 1.0), decide(url, "exclude", 2.0)
    for rows in ([monday, tuesday], [tuesday, monday]):
        picks = select_picks(ranking, decisions=rows)
        assert url not in picked_urls(picks)
        assert picks.excluded == (tuesday,)


def test_decisions_change_no_figure(ranking: Ranking) -> None:
    """A pinned or chosen article has its unchanged entry of the ranking."""
    article = ranking.articles[9]
    for action in ("pin", "choose"):
        picks = select_picks(ranking, decisions=[decide(article.url, action)])
        decided = [pick for pick in (*picks.featured, *picks.lesser_known) if pick.decision]
        assert [pick.ranked for pick in decided] == [article]


@pytest.mark.parametrize(
    ("max_featured", "max_gems", "featured", "lesser_known"),
    [(2, 1, 2, 1), (6, 0, 6, 0), (0, None, 0, 1), (None, None, 4, 1), (1000, None, 100, 0)],
)
def test_the_sizes_can_be_set(
    ranking: Ranking, max_featured: int | None, max_gems: int | None, featured: int, lesser_known: int
) -> None:
    """The arguments limit both lists, and no article is in both."""
    picks = select_picks(ranking, max_featured=max_featured, max_gems=max_gems)
    assert (len(picks.featured), len(picks.lesser_known)) == (featured, lesser_known)
    assert len(set(picked_urls(picks))) == len(picked_urls(picks))


def test_more_pins_than_places_are_all_kept(ranking: Ranking) -> None:
    """All pinned articles are picked, also more than the list has places."""
    pins = [decide(article.url, "pin", n) for n, article in enumerate(ranking.articles[10:16])]
    picks = select_picks(ranking, decisions=pins)
    assert [pick.url for pick in picks.featured] == [decision.url for decision in pins]


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (Decision("u", "pin", "because", "", 1.0), "an editor's name"),
        (decide("u", "delete"), "use pin, exclude or choose"),
    ],
)
def test_a_decision_needs_name_and_action(ranking: Ranking, decision: Decision, message: str) -> None:
    """A decision without a name, or with an unknown action, raises InputError."""
    with pytest.raises(InputError, match=message):
        select_picks(ranking, decisions=[decision])


@pytest.mark.parametrize(
    ("listed", "order", "arranged"),
    [
        pytest.param("abcd", "", "abcd", id="no order"),
        pytest.param("abcd", "dabc", "dabc", id="the last is first"),
        pytest.param("abcd", "xdbay", "dbca", id="articles that left, and one that came"),
        pytest.param("nab", "ba", "nba", id="a new first article"),
        pytest.param("anmb", "ba", "banm", id="two new articles behind the one before them"),
    ],
)
def test_editors_arrange_the_articles(listed: str, order: str, arranged: str) -> None:
    """The articles are in the editors' order; a new one stays behind the article that it follows in the ranking."""
    picks = tuple(Pick(url, "list", None, None) for url in listed)
    result = arrange_picks(Picks(picks, tuple(reversed(picks)), (), "", ()), list(order))
    assert "".join(pick.url for pick in result.featured) == arranged
    assert sorted(pick.url for pick in result.lesser_known) == sorted(listed)
