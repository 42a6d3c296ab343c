"""The picks: the list and the gems, as decisions leave them."""

from typing import Any

import pytest

from shortener.errors import InputError
from shortener.ranking import Ranking, rank
from shortener.ranking.picks import Decision, picked_urls, select_picks

World = Any
NEW = "https://new.example/"


@pytest.fixture(scope="module")
def ranking(year: World) -> Ranking:
    """The ranking of the ordinary world."""
    return rank(year.history, as_of=year.as_of, top=4, gems=2)


def decide(url: str, verb: Any, when: float = 1.0) -> Decision:
    """A decision of Ana's."""
    return Decision(url, verb, "because", "Ana", when)


def test_without_decisions_the_picks_are_the_list_and_the_gems(ranking: Ranking) -> None:
    """Undecided, the section is the published list and then the gems."""
    found = select_picks(ranking)
    assert [p.url for p in found.featured] == [line.url for line in ranking.articles[:4]]
    assert [p.url for p in found.lesser_known] == list(ranking.gems)
    assert {p.origin for p in found.featured} == {"list"}
    assert picked_urls(found) == [*[p.url for p in found.featured], *ranking.gems]


def test_a_pin_leads_and_takes_a_place(ranking: Ranking) -> None:
    """A pinned article stands first, shown as the editor's, and the list does not grow."""
    url = ranking.articles[9].url
    found = select_picks(ranking, decisions=[decide(url, "pin")])
    first = found.featured[0]
    assert (first.url, first.origin, len(found.featured)) == (url, "pinned", 4)
    assert first.decision is not None
    assert (first.decision.who, first.decision.reason) == ("Ana", "because")


def test_an_excluded_article_makes_room(ranking: Ranking) -> None:
    """What is excluded is nowhere, is listed as excluded, and the next one moves up."""
    urls = [line.url for line in ranking.articles]
    found = select_picks(ranking, decisions=[decide(urls[0], "exclude"), decide(ranking.gems[0], "exclude")])
    assert [p.url for p in found.featured] == urls[1:5]
    assert [p.url for p in found.lesser_known] == list(ranking.gems[1:])
    assert [d.url for d in found.excluded] == sorted([urls[0], ranking.gems[0]])


def test_a_chosen_article_stands_before_the_gems(ranking: Ranking) -> None:
    """An editor may choose an article that no issue ever carried."""
    found = select_picks(ranking, decisions=[decide(NEW, "choose")])
    assert (found.lesser_known[0].url, found.lesser_known[0].origin) == (NEW, "chosen")
    assert found.lesser_known[0].ranked is None


def test_the_last_decision_counts_whatever_the_order_of_the_rows(ranking: Ranking) -> None:
    """Pinned on Monday and excluded on Tuesday is excluded."""
    url = ranking.articles[0].url
    monday, tuesday = decide(url, "pin", 1.0), decide(url, "exclude", 2.0)
    for rows in ([monday, tuesday], [tuesday, monday]):
        found = select_picks(ranking, decisions=rows)
        assert url not in picked_urls(found)
        assert found.excluded == (tuesday,)


def test_decisions_change_no_figure(ranking: Ranking) -> None:
    """A decided article carries its line of the ranking unchanged."""
    line = ranking.articles[9]
    for verb in ("pin", "choose"):
        found = select_picks(ranking, decisions=[decide(line.url, verb)])
        assert next(p for p in (*found.featured, *found.lesser_known) if p.decision).ranked == line


@pytest.mark.parametrize(
    ("top", "gems", "featured", "lesser"),
    [(2, 1, 2, 1), (6, 0, 6, 0), (0, None, 0, 2), (None, None, 4, 2), (1000, None, 100, 0)],
)
def test_the_sizes_can_be_set(
    ranking: Ranking, top: int | None, gems: int | None, featured: int, lesser: int
) -> None:
    """--top and --gems bound the two lists; nothing stands twice."""
    found = select_picks(ranking, max_featured=top, max_gems=gems)
    assert (len(found.featured), len(found.lesser_known)) == (featured, lesser)
    assert len(set(picked_urls(found))) == len(picked_urls(found))


def test_more_pins_than_places_are_all_kept(ranking: Ranking) -> None:
    """The editors' decision overrides the size of the list."""
    pins = [decide(line.url, "pin", n) for n, line in enumerate(ranking.articles[10:16])]
    found = select_picks(ranking, decisions=pins)
    assert [p.url for p in found.featured] == [d.url for d in pins]


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (Decision("u", "pin", " ", "Ana", 1.0), "needs a reason"),
        (Decision("u", "pin", "because", "", 1.0), "the name of who"),
        (decide("u", "delete"), "use pin, exclude or choose"),
    ],
)
def test_a_decision_needs_reason_name_and_verb(ranking: Ranking, decision: Decision, words: str) -> None:
    """A decision without reason, name or known verb is refused."""
    with pytest.raises(InputError, match=words):
        select_picks(ranking, decisions=[decision])
