"""The background of articles: columns of sites, authors and title words, and what they change."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from shortener.ranking import History, explain, rank
from shortener.ranking.background import MAX_NAMES, MAX_WORDS, build_background, site_of, title_words
from shortener.ranking.model import MIN_BACKGROUND_VARIANCE
from shortener.ranking.pipeline import analyse

World = Any


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://www.A.example/x", "a.example"),
        ("https://blog.a.example:8443/", "blog.a.example"),
        ("https://wwwa.example/", "wwwa.example"),
        ("a/7", ""),
        ("https://[::1/", ""),
    ],
)
def test_the_site_is_the_host_without_www(url: str, site: str) -> None:
    """The site is the host in lower case without www; a URL without host has none."""
    assert site_of(url) == site


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("C++ and C#, in 2021!", {"c++", "and", "c#", "in", "2021"}),
        ("A b cd", {"cd"}),
        ("Été_fini", {"été", "fini"}),
        ("", set()),
    ],
)
def test_words_have_two_characters_or_more(title: str, words: set[str]) -> None:
    """A word is two or more letters, digits, + or #, in lower case."""
    assert title_words(title) == words


def groups(urls: list[str], **rows: dict[str, str]) -> dict[str, Any]:
    """Return the background of these URLs by kind."""
    return {g.kind: g for g in build_background(urls, titles=rows.get("titles", {}), authors=rows.get("authors", {}))}


def test_names_need_two_articles() -> None:
    """Names of two articles or more have a column each; authors are compared without case; a missing one has none."""
    urls = ["https://a.example/1", "https://www.a.example/2", "https://b.example/3", "d"]
    found = groups(urls, authors={urls[0]: "Ann Bo", urls[2]: " ann bo", urls[1]: "Cy", urls[3]: ""})
    assert found["site"].names == ("a.example",)
    assert found["site"].columns[:, 0].tolist() == [1, 1, 0, 0]
    assert found["author"].names == ("ann bo",)
    assert found["author"].columns[:, 0].tolist() == [1, 0, 1, 0]
    assert "word" not in found


def test_the_most_frequent_names_have_columns_and_ties_go_by_name() -> None:
    """Of 50 authors the 40 most frequent have a column."""
    urls = [f"u{n}" for n in range(101)]
    authors = {url: f"author {n % 50:02}" for n, url in enumerate(urls)}
    names = groups(urls, authors=authors)["author"].names
    assert len(names) == MAX_NAMES
    assert names[:3] == ("author 00", "author 01", "author 02")
    assert names[-1] == "author 39"


def test_words_are_neither_rare_nor_common() -> None:
    """A word has a column if it is in at least 4 and in under 40 % of the titles; columns are centred."""
    urls = [f"u{n:02}" for n in range(20)]
    titles = {
        url: " ".join(word for word, count in (("rare", 3), ("some", 4), ("many", 7), ("most", 8)) if n < count)
        or "other"
        for n, url in enumerate(urls)
    }
    word = groups(urls, titles=titles)["word"]
    assert word.names == ("many", "some")
    assert word.columns.sum(axis=0) == pytest.approx([0, 0])
    assert word.columns[0] == pytest.approx([1 - 7 / 20, 1 - 4 / 20])


def test_an_article_without_title_has_average_words() -> None:
    """Where titles are unknown, the words say nothing: their columns are 0."""
    urls = [f"u{n:02}" for n in range(15)]
    titles = {url: "some" if n < 4 else "other" for n, url in enumerate(urls[:12])}
    word = groups(urls, titles=titles)["word"]
    assert word.names == ("some",)
    assert word.columns[12:].tolist() == [[0], [0], [0]]
    assert word.columns.sum() == pytest.approx(0)


def test_at_most_a_hundred_words_have_columns() -> None:
    """The most frequent words have a column, ties by name."""
    urls = [f"u{n:03}" for n in range(60)]
    titles = {url: " ".join(f"w{k:03}" for k in range(150) if (n + k) % 12 == 0) for n, url in enumerate(urls)}
    names = groups(urls, titles=titles)["word"].names
    assert len(names) == MAX_WORDS
    assert names == tuple(sorted(names))


def with_authors(world: Callable[..., World], *, strength: float, recipients: int = 500) -> World:
    """Return a world in which half of the articles are by an author whose articles readers want more."""
    plain = world(recipients=recipients, issues=12, noise=0)
    authors = {url: f"Author {n % 4}" for n, url in enumerate(sorted(plain.appeal))}
    rng = np.random.default_rng(3)
    rows = tuple(
        msgspec.structs.replace(
            row,
            clicks=int(rng.poisson(row.clicks * np.exp(strength * (int(authors[row.url][-1]) - 1.5)))),
            placements=(),
        )
        for row in plain.history.appearances
    )
    history = msgspec.structs.replace(plain.history, appearances=rows, authors=authors)
    appeal = {url: q + strength * (int(authors[url][-1]) - 1.5) for url, q in plain.appeal.items()}
    return msgspec.structs.replace(plain, history=history, appeal=appeal)


def error(world: World, history: History, **options: Any) -> float:
    """Return the mean squared error of the scores."""
    articles = rank(history, as_of=world.as_of, **options).articles
    mean = float(np.mean(list(world.appeal.values())))
    return float(np.mean([(article.score - world.appeal[article.url] + mean) ** 2 for article in articles]))


def test_authors_that_matter_improve_the_scores(world: Callable[..., World]) -> None:
    """With few clicks and authors that differ, scores with background are nearer to true appeal."""
    simulated = with_authors(world, strength=0.5)
    history = simulated.history
    assert error(simulated, history) < 0.9 * error(simulated, history, background=False)


def test_background_can_be_switched_off(world: Callable[..., World]) -> None:
    """Without background, authors and titles change nothing."""
    simulated = with_authors(world, strength=0.5)
    bare = msgspec.structs.replace(simulated.history, authors={})
    first, second = (rank(history, as_of=simulated.as_of, background=False) for history in (simulated.history, bare))
    assert first == second
    assert not any("background" in article.note for article in first.articles)


def test_a_clear_background_is_in_note_and_explanation(world: Callable[..., World]) -> None:
    """The note has the factor beyond 0.9-1.1 only; the explanation always has it, and its product is the appeal."""
    simulated = with_authors(world, strength=0.15, recipients=20_000)
    ranking = rank(simulated.history, as_of=simulated.as_of)
    noted = [article for article in ranking.articles if "; background " in article.note]
    assert 0 < len(noted) < len(ranking.articles)
    for article in (noted[0], next(a for a in ranking.articles if "background" not in a.note)):
        explanation = explain(simulated.history, article.url, as_of=simulated.as_of)
        (factor,) = (f for f in explanation.factors if f.name.startswith("background: author, site and title words"))
        assert (f"background {factor.times:.2f}× (author" in article.note) == (not 0.9 <= factor.times <= 1.1)
        assert np.prod([f.times for f in explanation.factors]) == pytest.approx(explanation.appeal)


def test_the_background_fades_out_with_clicks(world: Callable[..., World]) -> None:
    """The background moves the scores of a small letter more than those of a large one."""
    changes = []
    for recipients in (500, 100_000):
        simulated = with_authors(world, strength=0.3, recipients=recipients)
        with_it, without = (
            {a.url: a.score for a in rank(simulated.history, as_of=simulated.as_of, background=on).articles}
            for on in (True, False)
        )
        changes.append(max(abs(with_it[url] - without[url]) for url in with_it))
    assert changes[1] < changes[0] / 2


def test_a_new_name_has_no_malus(world: Callable[..., World]) -> None:
    """The only article of an author has no column, so its background is the mean one but for the average shift."""
    simulated = with_authors(world, strength=0.5)
    new = simulated.history.appearances[0].url
    authors = simulated.history.authors | {new: "Somebody New"}
    analysis = analyse(msgspec.structs.replace(simulated.history, authors=authors), as_of=simulated.as_of)
    author = next(group for group in analysis.background if group.kind == "author")
    assert not author.columns[analysis.observations.urls.index(new)].any()


def test_useless_names_lose_their_variance(world: Callable[..., World]) -> None:
    """Authors without any effect get a variance below their prior, and hardly change a score."""
    simulated = with_authors(world, strength=0.0, recipients=20_000)
    fit = analyse(simulated.history, as_of=simulated.as_of).fit
    assert fit is not None
    assert all(variance >= MIN_BACKGROUND_VARIANCE for variance in fit.variances.background)
    with_it, without = (rank(simulated.history, as_of=simulated.as_of, background=on).articles for on in (True, False))
    scores = {article.url: article.score for article in without}
    assert max(abs(article.score - scores[article.url]) for article in with_it) < 0.1
