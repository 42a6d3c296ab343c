"""The ranking: order, JSON keys, selection of articles, determinism, and the fallback if the fit fails."""

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
from shortener.messages import message_text
from shortener.ranking import Appearance, Arrival, Blend, History, Issue, Placement, Ranking, Signal, rank
from shortener.ranking.ordering import top_length
from shortener.ranking.result import is_comparable

World = Any
RANKING_KEYS = ["as_of", "month", "method", "counted", "articles", "gems", "footer"]
ARTICLE_KEYS = [
    "rank",
    "url",
    "title",
    "issue",
    "position",
    "visitors",
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
    """The ranking of the default world."""
    return rank(year.history, as_of=year.as_of)


def test_the_json_keys_follow_the_contract(ranking: Ranking) -> None:
    """The JSON begins with the documented keys in their order."""
    decoded = msgspec.json.decode(msgspec.json.encode(ranking, enc_hook=message_text))
    assert list(decoded)[: len(RANKING_KEYS)] == RANKING_KEYS
    assert list(decoded["articles"][0])[: len(ARTICLE_KEYS)] == ARTICLE_KEYS
    assert decoded["as_of"] == "2021-05-01T02:26:40Z"


def test_the_list_is_ordered_by_appeal(ranking: Ranking) -> None:
    """Ranks count from 1, appeal does not increase, and each interval contains its appeal."""
    assert [article.rank for article in ranking.articles] == list(range(1, len(ranking.articles) + 1))
    assert all(a.appeal >= b.appeal for a, b in zip(ranking.articles, ranking.articles[1:], strict=False))
    assert all(article.low < article.appeal < article.high for article in ranking.articles)
    assert sum(article.p_top for article in ranking.articles) == pytest.approx(ranking.top)


def test_the_mean_score_is_zero(ranking: Ranking) -> None:
    """The mean of the scores is 0, so that an appeal of 1 is the average article."""
    assert np.mean([article.score for article in ranking.articles]) == pytest.approx(0.0, abs=1e-6)


def test_the_ranking_is_deterministic(year: World, ranking: Ranking) -> None:
    """Ranking the same history twice gives identical JSON."""
    repeated = rank(year.history, as_of=year.as_of)
    assert msgspec.json.encode(repeated, enc_hook=message_text) == msgspec.json.encode(ranking, enc_hook=message_text)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_the_input_does_not_matter(year: World, ranking: Ranking, seed: int) -> None:
    """Shuffled rows give identical JSON."""
    history, shuffle = year.history, random.Random(seed)
    rows = {
        name: tuple(shuffle.sample(getattr(history, name), len(getattr(history, name))))
        for name in ("issues", "appearances", "arrivals", "signals")
    }
    repeated = rank(msgspec.structs.replace(history, **rows), as_of=year.as_of)
    assert msgspec.json.encode(repeated, enc_hook=message_text) == msgspec.json.encode(ranking, enc_hook=message_text)


def test_appearances_of_an_article_in_an_issue_are_merged(year: World, ranking: Ranking) -> None:
    """One row per placement instead of one per article gives identical JSON."""
    split = tuple(
        Appearance(row.issue, row.url, placement.clicks, row.position, (placement,))
        for row in year.history.appearances
        for placement in row.placements
    )
    repeated = rank(msgspec.structs.replace(year.history, appearances=split), as_of=year.as_of)
    assert msgspec.json.encode(repeated, enc_hook=message_text) == msgspec.json.encode(ranking, enc_hook=message_text)


def test_an_article_shown_twice_has_its_highest_position(year: World) -> None:
    """A second appearance further down adds its clicks and leaves the position."""
    first = year.history.appearances[0]
    second = msgspec.structs.replace(first, position=16, clicks=5)
    doubled = msgspec.structs.replace(year.history, appearances=(*year.history.appearances, second))
    merged = next(a for a in rank(doubled, as_of=year.as_of, issue="n0").articles if a.url == first.url)
    before = next(a for a in rank(year.history, as_of=year.as_of, issue="n0").articles if a.url == first.url)
    assert (merged.position, merged.clicks) == (first.position, (before.clicks or 0) + 5)


def test_equal_articles_are_ordered_by_url() -> None:
    """Articles with equal scores are sorted by probability and then by URL."""
    appearances = tuple(Appearance("n", url, 1, None) for url in ("c", "a", "b", "d"))
    ranking = rank(History((Issue("n", "", 0.0, 100),), appearances), as_of=1e6)
    assert [a.url for a in sorted(ranking.articles, key=lambda a: (-a.p_top, a.url))] == [
        a.url for a in ranking.articles
    ]
    assert len({a.score for a in ranking.articles}) == 1


def test_a_month_lists_the_articles_last_shown_in_it(year: World, ranking: Ranking) -> None:
    """Every article is listed in the month of its last appearance, with the figures of the whole fit."""
    months = ["2020-09", "2020-10", "2020-11", "2020-12", "2021-01", "2021-02", "2021-03", "2021-04"]
    rankings = {month: rank(year.history, as_of=year.as_of, month=month) for month in months}
    urls = [article.url for listed in rankings.values() for article in listed.articles]
    assert sorted(urls) == sorted(article.url for article in ranking.articles)
    appeal = {article.url: article.appeal for article in ranking.articles}
    for listed in rankings.values():
        assert all(article.appeal == appeal[article.url] for article in listed.articles)


def test_an_issue_lists_all_its_articles(year: World) -> None:
    """The list of an issue has its 16 articles at their positions in it, also those shown again later."""
    ranking = rank(year.history, as_of=year.as_of, issue="n2")
    assert sorted(article.position or 0 for article in ranking.articles) == list(range(1, 17))
    assert {article.issue for article in ranking.articles} == {"n2"}
    assert ranking.top == 3


def test_a_month_follows_the_time_zone() -> None:
    """An issue sent at 23:30 UTC on 31 January belongs to February in Kyiv."""
    sent = 1_612_135_800.0
    history = History((Issue("n", "", sent, 100),), (Appearance("n", "u", 1, 1),))
    kyiv = timezone(timedelta(hours=2))
    assert len(rank(history, as_of=sent + 9e5, month="2021-01").articles) == 1
    assert len(rank(history, as_of=sent + 9e5, month="2021-02", zone=kyiv).articles) == 1


def test_later_issues_are_ignored(year: World) -> None:
    """Issues sent after the as-of time are left out."""
    as_of = year.history.issues[2].sent_at + 3600
    ranking = rank(year.history, as_of=as_of)
    assert [progress.slug for progress in ranking.issues] == ["n0", "n1", "n2"]


def test_old_issues_leave_the_window(year: World) -> None:
    """Issues outside the window are neither fitted nor listed, and a warning counts them."""
    ranking = rank(year.history, as_of=year.as_of, window=3)
    assert [progress.slug for progress in ranking.issues] == ["n5", "n6", "n7"] or len(ranking.issues) == 4
    assert any("outside the time window" in warning for warning in ranking.warnings)
    oldest = rank(year.history, as_of=year.as_of, window=1.5, issue="n0")
    assert [progress.slug for progress in oldest.issues][:2] == ["n0", "n1"]


@pytest.mark.parametrize(
    ("articles", "top", "k"),
    [(228, 10, 10), (30, 10, 6), (16, 10, 3), (2, 10, 2), (1, 10, 1), (228, 4, 4), (500, 50, 50)],
)
def test_the_length_of_the_published_list(articles: int, top: int, k: int) -> None:
    """k is the maximum, or max(3, articles / 5) if that is less, and at most the number of articles."""
    assert top_length(articles, top) == k


def test_a_blend_changes_the_order_only(year: World) -> None:
    """With all weight on fans the order follows the fans, appeals stay, and the footer names the blend."""
    urls = sorted(year.appeal)
    signals = tuple(Signal(url, 1000, 500, n) for n, url in enumerate(urls))
    history = msgspec.structs.replace(year.history, signals=signals)
    plain, blended = rank(history, as_of=year.as_of), rank(history, as_of=year.as_of, blend=Blend(0, 1, 0))
    assert [article.url for article in blended.articles] == urls[::-1]
    assert {a.url: a.appeal for a in plain.articles} == {a.url: a.appeal for a in blended.articles}
    assert "a choice, not a finding" in blended.footer
    assert plain.articles[0].blend is None


def test_signals_improve_the_scores(world: Callable[..., World]) -> None:
    """If fans correlate with appeal, scores with signals are closer to true appeal than scores without."""
    simulated = world(recipients=2000, issues=10)
    fans = {url: round(200 * math.exp(0.8 * q)) for url, q in simulated.appeal.items()}
    signals = tuple(Signal(url, 5000, 2000, min(n, 2000)) for url, n in fans.items())
    with_fans = rank(msgspec.structs.replace(simulated.history, signals=signals), as_of=simulated.as_of)
    without = rank(simulated.history, as_of=simulated.as_of)
    true_appeal = [simulated.appeal[url] for url in sorted(simulated.appeal)]

    def correlation(ranking: Ranking) -> float:
        scores = {article.url: article.score for article in ranking.articles}
        return float(np.corrcoef(true_appeal, [scores[url] for url in sorted(simulated.appeal)])[0, 1])

    assert correlation(with_fans) > correlation(without)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        pytest.param({"month": "2021-13"}, InputError, "2021-04", id="no such month"),
        pytest.param({"month": "21-1"}, InputError, "2021-04", id="not a month"),
        pytest.param({"month": "2021-01", "issue": "n0"}, InputError, "not both", id="month and issue"),
        pytest.param({"issue": "nope"}, NotFound, "'nope'", id="unknown issue"),
        pytest.param({"top": 0}, InputError, "top must be 1 or more", id="empty list"),
        pytest.param({"gems": -1}, InputError, "gems 0 or more", id="negative gems"),
        pytest.param({"as_of": math.nan}, InputError, "not a valid time", id="no time"),
        pytest.param({"as_of": 1e30}, InputError, "not a valid time", id="beyond the calendar"),
    ],
)
def test_invalid_arguments_are_refused(
    year: World, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Invalid arguments raise an error of one line that names the value."""
    with pytest.raises(error, match=message) as error_info:
        rank(year.history, **({"as_of": year.as_of} | options))
    assert "\n" not in str(error_info.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param({"month": "1999-01"}, "in 1999-01", id="empty month"),
        pytest.param({"as_of": 0.0}, "by then", id="before the first issue"),
    ],
)
def test_an_empty_list_has_a_message(year: World, options: dict[str, Any], text: str) -> None:
    """Without articles to list, the ranking is empty and its footer gives the reason."""
    ranking = rank(year.history, **({"as_of": year.as_of} | options))
    assert (ranking.articles, ranking.gems) == ((), ())
    assert text in ranking.footer


@pytest.mark.parametrize(
    ("visitor_issues", "options", "counted"),
    [
        pytest.param(range(8), {}, "visitors", id="all issues count visitors"),
        pytest.param((), {}, "clicks", id="all issues count clicks"),
        pytest.param(range(1, 8), {}, "clicks", id="one issue counts clicks"),
        pytest.param(range(1, 8), {"issue": "n5"}, "visitors", id="no listed article was in that issue"),
        pytest.param(range(1, 8), {"month": "1999-01"}, "clicks", id="no articles"),
    ],
)
def test_the_ranking_names_what_it_counted(
    year: World, visitor_issues: Any, options: dict[str, Any], counted: str
) -> None:
    """Articles have their sum in the key named by `counted`, issues in that of their own, and None in the other."""
    slugs = {f"n{n}" for n in visitor_issues}
    issues = tuple(
        msgspec.structs.replace(issue, counted="visitors" if issue.slug in slugs else "clicks")
        for issue in year.history.issues
    )
    ranking = rank(msgspec.structs.replace(year.history, issues=issues), as_of=year.as_of, **options)
    before = rank(year.history, as_of=year.as_of, **options)
    assert ranking.counted == counted
    for entry, other in zip(ranking.articles, before.articles, strict=True):
        assert getattr(entry, counted) == other.clicks
        assert (entry.visitors is None) != (entry.clicks is None)
        assert entry.expected == other.expected
    for progress, earlier in zip(ranking.issues, before.issues, strict=True):
        counts = (earlier.clicks, None) if progress.slug in slugs else (None, earlier.clicks)
        assert (progress.visitors, progress.clicks) == counts
        assert progress.counted == ("visitors" if progress.slug in slugs else "clicks")


def test_a_mixed_ranking_warns(year: World) -> None:
    """A warning names the issues that count clicks if other issues of the fit count visitors."""
    issues = tuple(
        msgspec.structs.replace(issue, counted="clicks" if issue.slug in ("n2", "n4") else "visitors")
        for issue in year.history.issues
    )
    ranking = rank(msgspec.structs.replace(year.history, issues=issues), as_of=year.as_of)
    assert any("too few visitors are known in issues n2, n4" in warning for warning in ranking.warnings)


def refuse(*_: object) -> None:
    """Fail like a Cholesky factorization of a matrix that is not positive definite."""
    raise np.linalg.LinAlgError("Matrix is not positive definite")


def poison(a: Any, *_: object) -> Any:
    """Return a solution that is not finite."""
    return np.full_like(a, np.nan)


@pytest.mark.parametrize(
    ("name", "broken"),
    [pytest.param("cholesky", refuse, id="singular"), pytest.param("solve", poison, id="not finite")],
)
def test_a_failed_fit_ends_in_a_warning_and_the_shrunken_rate(
    year: World, monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[..., Any]
) -> None:
    """If the fit fails, the first warning states it, and the list is the shrunken rate with finite figures."""
    monkeypatch.setattr(np.linalg, name, broken)
    ranking = rank(year.history, as_of=year.as_of)
    assert ranking.warnings[0].startswith("the model could not be fitted")
    assert ranking.method.startswith("shrunken rate")
    assert is_finite(ranking)
    assert "expected from its recipients and age" in ranking.articles[0].note
    rates = [((article.clicks or 0) + 2) / (article.expected + 2) for article in ranking.articles]
    assert rates == sorted(rates, reverse=True)


def is_finite(ranking: Ranking) -> bool:
    """Return whether all figures of all articles are finite and in their range."""
    return all(
        0 < article.low <= article.appeal <= article.high < math.inf
        and 0 <= article.p_top <= 1
        and 0 <= article.expected < math.inf
        and article.note
        and math.isfinite(article.score)
        for article in ranking.articles
    )


COUNT = st.one_of(st.integers(0, 60), st.sampled_from([0, 10**6, 10**12]))
APPEARANCE = st.builds(
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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    appearances=st.lists(APPEARANCE, max_size=30),
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
    appearances: list[Appearance],
    recipients: tuple[int | None, ...],
    signals: list[Signal],
    arrivals: list[Arrival],
    age: float,
) -> None:
    """For any counts, every article of an issue with evidence is listed once with finite figures and a note."""
    issues = tuple(Issue(f"n{n}", "", 1e6 * n, size) for n, size in enumerate(recipients))
    history = History(issues, tuple(appearances), tuple(arrivals), tuple(signals))
    ranking = rank(history, as_of=2e6 + age)
    rows: list[Any] = [*appearances, *arrivals]
    clicked = {row.issue for row in rows if row.clicks}
    known = clicked - ({"n2"} if age < 3600 else set())
    assert {article.url for article in ranking.articles} == {row.url for row in appearances if row.issue in known}
    assert is_finite(ranking)
    assert len(msgspec.json.encode(ranking, enc_hook=message_text)) > 100


@pytest.mark.parametrize(
    ("selection", "footer"),
    [
        pytest.param({"issue": "young"}, "issue young was sent less than an hour ago: nothing to rank", id="young"),
        pytest.param({"month": "2001-09"}, "issue young was sent less than an hour ago: nothing to rank", id="month"),
        pytest.param({"issue": "silent"}, "issue silent has no clicks yet: nothing to rank", id="no clicks"),
        pytest.param({"month": "2001-07"}, "no article was last shown in 2001-07: nothing to rank", id="other month"),
        pytest.param({"since": 1e9 + 1}, "no issue was sent in this period: nothing to rank", id="since"),
    ],
)
def test_an_issue_without_evidence_is_not_listed(selection: dict[str, Any], footer: str) -> None:
    """The list is empty and says why; a list of all articles has those of the other issues."""
    sent = {"old": 998_870_400.0, "silent": 999_000_000.0, "young": 1_000_000_000.0}
    issues = tuple(Issue(slug, slug.title(), at, 1000) for slug, at in sent.items())
    clicks = {"old": 9, "silent": 0, "young": 5}
    appearances = tuple(Appearance(slug, f"u/{slug}", clicks[slug], 1) for slug in sent)
    history, as_of = History(issues, appearances), sent["young"] + 3_599
    ranking = rank(history, as_of=as_of, **selection)
    assert (ranking.articles, ranking.footer) == ((), footer)
    assert [article.issue for article in rank(history, as_of=as_of).articles] == ["old"]
    assert [article.issue for article in rank(history, as_of=as_of + 1, issue="young").articles] == ["young"]


@pytest.mark.parametrize(
    ("count", "expected", "comparable"),
    [(0, 0.8, False), (4, 4.9, False), (5, 0.1, True), (0, 5.0, True), (None, 4.0, False)],
)
def test_an_article_is_compared_with_enough_clicks(count: int | None, expected: float, *, comparable: bool) -> None:
    """An article is comparable if its count or its expected count is at least 5."""
    assert is_comparable(count, expected) is comparable
