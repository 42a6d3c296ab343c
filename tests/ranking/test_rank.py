"""The list: order, keys, selection, sameness, and the way out when the fit fails."""

import math
import random
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortener.errors import InputError, NotFound
from shortener.ranking import Appearance, Arrival, Blend, History, Issue, Placement, Ranking, Signal, rank
from shortener.ranking.ordering import published_count

World = Any
PROMISED = ["as_of", "month", "method", "articles", "gems", "footer"]
PROMISED_OF_ARTICLE = [
    "rank",
    "url",
    "title",
    "issue",
    "position",
    "clicks",
    "expected",
    "appeal",
    "low",
    "high",
    "p_top",
    "gem",
    "note",
]


@pytest.fixture(scope="module")
def ranking(year: World) -> Ranking:
    """The ranking of the ordinary world."""
    return rank(year.history, as_of=year.as_of)


def test_the_keys_are_those_of_the_contract(ranking: Ranking) -> None:
    """JSON begins with the promised keys, in the promised order."""
    found = msgspec.json.decode(msgspec.json.encode(ranking))
    assert list(found)[: len(PROMISED)] == PROMISED
    assert list(found["articles"][0])[: len(PROMISED_OF_ARTICLE)] == PROMISED_OF_ARTICLE
    assert found["as_of"] == "2021-05-01T02:26:40Z"


def test_the_list_is_ordered_by_appeal(ranking: Ranking) -> None:
    """Ranks count from 1, appeal falls, and each interval holds its appeal."""
    assert [line.rank for line in ranking.articles] == list(range(1, len(ranking.articles) + 1))
    assert all(a.appeal >= b.appeal for a, b in zip(ranking.articles, ranking.articles[1:], strict=False))
    assert all(line.low < line.appeal < line.high for line in ranking.articles)
    assert sum(line.p_top for line in ranking.articles) == pytest.approx(ranking.top)


def test_the_average_article_is_one(ranking: Ranking) -> None:
    """The scores' mean is 0, so an appeal of 1 is the average article."""
    assert np.mean([line.score for line in ranking.articles]) == pytest.approx(0.0, abs=1e-6)


def test_bytes_are_the_same_from_run_to_run(year: World, ranking: Ranking) -> None:
    """Ranking the same history twice gives the same bytes."""
    again = rank(year.history, as_of=year.as_of)
    assert msgspec.json.encode(again) == msgspec.json.encode(ranking)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_the_input_does_not_matter(year: World, ranking: Ranking, seed: int) -> None:
    """Shuffled rows give the same bytes."""
    mixed, shuffle = year.history, random.Random(seed)
    rows = {
        name: tuple(shuffle.sample(getattr(mixed, name), len(getattr(mixed, name))))
        for name in ("issues", "appearances", "arrivals", "signals")
    }
    again = rank(msgspec.structs.replace(mixed, **rows), as_of=year.as_of)
    assert msgspec.json.encode(again) == msgspec.json.encode(ranking)


def test_split_showings_are_merged(year: World, ranking: Ranking) -> None:
    """One row per placement instead of one per article gives the same bytes."""
    split = tuple(
        Appearance(s.issue, s.url, p.clicks, s.position, (p,))
        for s in year.history.appearances
        for p in s.placements
    )
    again = rank(msgspec.structs.replace(year.history, appearances=split), as_of=year.as_of)
    assert msgspec.json.encode(again) == msgspec.json.encode(ranking)


def test_an_article_that_stands_twice_takes_the_higher_place(year: World) -> None:
    """A second showing further down adds its clicks and leaves the place."""
    first = year.history.appearances[0]
    second = msgspec.structs.replace(first, position=16, clicks=5)
    both = msgspec.structs.replace(year.history, appearances=(*year.history.appearances, second))
    line = next(a for a in rank(both, as_of=year.as_of, issue="n0").articles if a.url == first.url)
    before = next(a for a in rank(year.history, as_of=year.as_of, issue="n0").articles if a.url == first.url)
    assert (line.position, line.clicks) == (first.position, before.clicks + 5)


def test_equal_articles_are_ordered_by_url() -> None:
    """Articles that nothing tells apart stand in the order of their URLs."""
    showings = tuple(Appearance("n", url, 0, None) for url in ("c", "a", "b", "d"))
    found = rank(History((Issue("n", "", 0.0, 100),), showings), as_of=1e6)
    assert [a.url for a in sorted(found.articles, key=lambda a: (-a.p_top, a.url))] == [
        a.url for a in found.articles
    ]
    assert len({a.score for a in found.articles}) == 1


def test_a_month_lists_the_articles_last_shown_in_it(year: World, ranking: Ranking) -> None:
    """An article that was shown again a month later is listed there, with the figures of the whole fit."""
    months = ["2020-09", "2020-10", "2020-11", "2020-12", "2021-01", "2021-02", "2021-03", "2021-04"]
    listed = {m: rank(year.history, as_of=year.as_of, month=m) for m in months}
    urls = [line.url for found in listed.values() for line in found.articles]
    assert sorted(urls) == sorted(line.url for line in ranking.articles)
    whole = {line.url: line.appeal for line in ranking.articles}
    assert all(line.appeal == whole[line.url] for found in listed.values() for line in found.articles)


def test_an_issue_lists_all_that_it_carried(year: World) -> None:
    """An issue's list has its 16 articles at the places they had in it, also those shown again later."""
    found = rank(year.history, as_of=year.as_of, issue="n2")
    assert sorted(line.position or 0 for line in found.articles) == list(range(1, 17))
    assert {line.issue for line in found.articles} == {"n2"}
    assert found.top == 3


def test_a_month_follows_the_time_zone() -> None:
    """An issue sent at 23:30 UTC on the last of January is February's in Kyiv."""
    sent = 1_612_135_800.0
    history = History((Issue("n", "", sent, 100),), (Appearance("n", "u", 1, 1),))
    kyiv = timezone(timedelta(hours=2))
    assert len(rank(history, as_of=sent + 9e5, month="2021-01").articles) == 1
    assert len(rank(history, as_of=sent + 9e5, month="2021-02", zone=kyiv).articles) == 1


def test_later_issues_are_not_known_yet(year: World) -> None:
    """Issues sent after as_of are left out, with all their showings."""
    then = year.history.issues[2].sent_at + 3600
    found = rank(year.history, as_of=then)
    assert [progress.slug for progress in found.issues] == ["n0", "n1", "n2"]


def test_old_issues_leave_the_window(year: World) -> None:
    """With a window of three months the older issues are neither fitted nor listed, and the page says so."""
    found = rank(year.history, as_of=year.as_of, window=3)
    assert [progress.slug for progress in found.issues] == ["n5", "n6", "n7"] or len(found.issues) == 4
    assert any("too far away in time" in warning for warning in found.warnings)
    old = rank(year.history, as_of=year.as_of, window=1.5, issue="n0")
    assert [progress.slug for progress in old.issues][:2] == ["n0", "n1"]


@pytest.mark.parametrize(
    ("articles", "top", "k"),
    [(228, 10, 10), (30, 10, 6), (16, 10, 3), (2, 10, 2), (1, 10, 1), (228, 4, 4), (500, 50, 50)],
)
def test_the_published_list_is_a_fifth_at_most(articles: int, top: int, k: int) -> None:
    """k is top, or max(3, articles / 5) if that is less, and never more than there are."""
    assert published_count(articles, top) == k


def test_a_blend_reorders_and_says_so(year: World) -> None:
    """With all its weight on fans the list follows the fans, appeals stay, the footer calls it a choice."""
    urls = sorted(year.appeal)
    signals = tuple(Signal(url, 1000, 500, n) for n, url in enumerate(urls))
    given = msgspec.structs.replace(year.history, signals=signals)
    plain, blended = rank(given, as_of=year.as_of), rank(given, as_of=year.as_of, blend=Blend(0, 1, 0))
    assert [line.url for line in blended.articles] == urls[::-1]
    assert {a.url: a.appeal for a in plain.articles} == {a.url: a.appeal for a in blended.articles}
    assert "a choice, not a finding" in blended.footer
    assert plain.articles[0].blend is None


def test_signals_move_an_article_without_clicks(world: Callable[..., World]) -> None:
    """Where fans go with clicks, an article with many fans and few chances rises."""
    given = world(recipients=2000, issues=10)
    fans = {url: round(200 * math.exp(0.8 * q)) for url, q in given.appeal.items()}
    signals = tuple(Signal(url, 5000, 2000, min(n, 2000)) for url, n in fans.items())
    with_fans = rank(msgspec.structs.replace(given.history, signals=signals), as_of=given.as_of)
    without = rank(given.history, as_of=given.as_of)
    truth = [given.appeal[url] for url in sorted(given.appeal)]

    def fit_to_truth(ranking: Ranking) -> float:
        scores = {line.url: line.score for line in ranking.articles}
        return float(np.corrcoef(truth, [scores[url] for url in sorted(given.appeal)])[0, 1])

    assert fit_to_truth(with_fans) > fit_to_truth(without)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        pytest.param({"month": "2021-13"}, InputError, "2021-04", id="no such month"),
        pytest.param({"month": "21-1"}, InputError, "2021-04", id="not a month"),
        pytest.param({"month": "2021-01", "issue": "n0"}, InputError, "not both", id="month and issue"),
        pytest.param({"issue": "nope"}, NotFound, "'nope'", id="unknown issue"),
        pytest.param({"top": 0}, InputError, "1 article or more", id="empty list"),
        pytest.param({"gems": -1}, InputError, "0 or more", id="negative gems"),
        pytest.param({"as_of": math.nan}, InputError, "not a time", id="no time"),
        pytest.param({"as_of": 1e30}, InputError, "not a time", id="beyond the calendar"),
    ],
)
def test_what_cannot_be_asked(
    year: World, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A listing that makes no sense is refused in one line that says the mend."""
    with pytest.raises(error, match=words) as caught:
        rank(year.history, **({"as_of": year.as_of} | options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"month": "1999-01"}, "in 1999-01", id="empty month"),
        pytest.param({"as_of": 0.0}, "by then", id="before the first issue"),
    ],
)
def test_nothing_to_rank_is_said(year: World, options: dict[str, Any], words: str) -> None:
    """An empty list is a ranking without articles and a sentence that says so."""
    found = rank(year.history, **({"as_of": year.as_of} | options))
    assert (found.articles, found.gems) == ((), ())
    assert words in found.footer


def refuse(*_: object) -> None:
    """Stand for a matrix that has no Cholesky root."""
    raise np.linalg.LinAlgError("Matrix is not positive definite")


def poison(a: Any, *_: object) -> Any:
    """Stand for a solve that leaves the numbers."""
    return np.full_like(a, np.nan)


@pytest.mark.parametrize(
    ("name", "broken"),
    [pytest.param("cholesky", refuse, id="singular"), pytest.param("solve", poison, id="not finite")],
)
def test_a_failed_fit_ends_in_a_warning_and_the_shrunken_rate(
    year: World, monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[..., Any]
) -> None:
    """A fit that fails is said first, and the list is the shrunken rate with finite figures."""
    monkeypatch.setattr(np.linalg, name, broken)
    found = rank(year.history, as_of=year.as_of)
    assert found.warnings[0].startswith("the model could not be fitted")
    assert found.method.startswith("shrunken rate")
    assert finite(found)
    assert "what its audience and age predict" in found.articles[0].note
    rates = [(line.clicks + 2) / (line.expected + 2) for line in found.articles]
    assert rates == sorted(rates, reverse=True)


def finite(ranking: Ranking) -> bool:
    """Whether every figure of every line is a finite number in its range."""
    return all(
        0 < line.low <= line.appeal <= line.high < math.inf
        and 0 <= line.p_top <= 1
        and 0 <= line.expected < math.inf
        and line.note
        and math.isfinite(line.score)
        for line in ranking.articles
    )


COUNT = st.one_of(st.integers(0, 60), st.sampled_from([0, 10**6, 10**12]))
SHOWING = st.builds(
    Appearance,
    issue=st.sampled_from(["n0", "n1", "n2"]),
    url=st.sampled_from([f"u{n}" for n in range(12)]),
    clicks=COUNT,
    position=st.one_of(st.none(), st.integers(1, 40), st.just(10**6)),
    placements=st.lists(
        st.builds(
            Placement,
            kind=st.sampled_from(["title", "image", "odd", ""]),
            clicks=COUNT,
            links=st.sampled_from([1, 2, 10**12]),
        ),
        max_size=3,
    ).map(tuple),
)
SIGNAL_COUNT = st.one_of(st.none(), COUNT)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    showings=st.lists(SHOWING, max_size=30),
    recipients=st.tuples(*[st.one_of(st.none(), st.integers(1, 10**4), st.just(10**12))] * 3),
    signals=st.lists(
        st.builds(
            Signal,
            url=st.sampled_from([f"u{n}" for n in range(14)]),
            views=SIGNAL_COUNT,
            reads=SIGNAL_COUNT,
            fans=SIGNAL_COUNT,
        ),
        max_size=8,
        unique_by=lambda s: s.url,
    ),
    arrivals=st.lists(
        st.builds(
            Arrival,
            issue=st.sampled_from(["n0", "n1", "n2"]),
            start_hours=st.floats(-10, 9000),
            end_hours=st.floats(9001, 1e6),
            clicks=COUNT,
        ),
        max_size=6,
    ),
    age=st.sampled_from([0.0, 1.0, 7200.0, 1e7]),
)
def test_any_history_gives_finite_output(
    showings: list[Appearance],
    recipients: tuple[int | None, ...],
    signals: list[Signal],
    arrivals: list[Arrival],
    age: float,
) -> None:
    """Whatever the counts, every article shown is listed once with finite figures and a note."""
    issues = tuple(Issue(f"n{n}", "", 1e6 * n, size) for n, size in enumerate(recipients))
    history = History(issues, tuple(showings), tuple(arrivals), tuple(signals))
    found = rank(history, as_of=2e6 + age)
    assert {line.url for line in found.articles} == {s.url for s in showings}
    assert finite(found)
    assert len(msgspec.json.encode(found)) > 100
