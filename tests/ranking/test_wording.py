"""Texts for editors: formatted numbers, notes and the footer."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shortener.ranking import rank
from shortener.ranking.wording import (
    format_count,
    format_expected,
    format_multiple,
    format_probability,
    format_share,
)

World = Any
NOTE = re.compile(
    r"(hidden gem: (\d+%|under 1%|over 99%) chance of being among the best tenth, 10% for any article; )?"
    r"((\d+(\.\d+)?\u00d7|about) the clicks expected at its position, 90% interval [\d.]+-[\d.]+ "
    r"\(\d+ clicks?; an average article there: [\d.]+\)|too few clicks to tell \([0-4]\))"
    r"(; background \d\.\d\d\u00d7 \(author, site and title words of your other articles\))?"
)


@pytest.mark.parametrize(
    ("appeal", "text"),
    [
        (12.4, "12\u00d7"),
        (9.94, "9.9\u00d7"),
        (1.84, "1.8\u00d7"),
        (0.42, "0.4\u00d7"),
        (0.046, "0.05\u00d7"),
        (1e-9, "under 0.01\u00d7"),
    ],
)
def test_multiples_have_few_digits(appeal: float, text: str) -> None:
    """A multiple has one or two significant digits."""
    assert format_multiple(appeal) == text


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (format_expected, 42.3, "42"),
        (format_expected, 4.23, "4.2"),
        (format_probability, 0.254, "25%"),
        (format_probability, 0.0, "under 1%"),
        (format_probability, 1.0, "over 99%"),
        (format_share, 0.004, "under 1%"),
        (format_share, 0.0, "0%"),
        (format_share, 0.31, "31%"),
    ],
)
def test_figures_have_no_false_precision(function: Callable[[float], str], value: float, text: str) -> None:
    """Expected clicks, probabilities and shares are rounded, and small shares are not rounded to 0."""
    assert str(function(value)) == text


def test_plurals() -> None:
    """The noun is singular for one only."""
    assert tuple(format_count(number, "clicks") for number in (1, 0, 2)) == (
        "1 click",
        "0 clicks",
        "2 clicks",
    )


def test_texts_name_what_was_counted(year: World) -> None:
    """Notes and footer mention visitors where visitors were counted."""
    issues = tuple(msgspec.structs.replace(issue, counted="visitors") for issue in year.history.issues)
    ranking = rank(msgspec.structs.replace(year.history, issues=issues), as_of=year.as_of)
    assert "of its visitors still expected" in ranking.footer
    assert all("visitors" in article.note and "clicks" not in article.note for article in ranking.articles)


@pytest.mark.parametrize(("recipients", "start"), [(20_000, "hidden gem: "), (200, "too few clicks to tell (")])
def test_every_note_has_the_specified_form(world: Callable[..., World], recipients: int, start: str) -> None:
    """A note has multiple, interval, clicks and expected clicks, or states that the clicks are too few."""
    simulated = world(recipients=recipients)
    notes = [article.note for article in rank(simulated.history, as_of=simulated.as_of).articles]
    assert all(NOTE.fullmatch(note) for note in notes)
    assert any(note.startswith(start) for note in notes)


def test_an_average_article_is_not_given_a_multiple(year: World) -> None:
    """The note of an average article has "about" instead of a multiple."""
    ranking = rank(year.history, as_of=year.as_of)
    notes = [article.note for article in ranking.articles if 0.95 < article.appeal < 1.049]
    assert notes
    assert all(note.startswith("about the clicks expected at its position") or "tell" in note for note in notes)
    assert not any("1.0\u00d7" in article.note for article in ranking.articles)


def test_the_multiple_is_the_shrunken_figure(year: World) -> None:
    """The multiple in a note is the appeal, not clicks divided by expected clicks."""
    for article in rank(year.history, as_of=year.as_of).articles:
        multiple = re.search(r"([\d.]+)x the clicks", article.note)
        assert multiple is None or float(multiple[1]) == pytest.approx(article.appeal, rel=0.06, abs=0.05)


def test_the_footer_has_evidence_and_remaining_share(year: World) -> None:
    """The footer has position effect, editors' order, and the share of clicks still expected."""
    footer = rank(year.history, as_of=year.as_of).footer
    assert re.fullmatch(
        r"position effect estimated from \d+ articles shown at 2\+ positions; \d+% of its prior uncertainty removed; "
        r"editors' order: \d+% whole list, \d+% leads first; issue n7: (under 1|\d+)% of its clicks still expected",
        footer,
    )


def test_an_article_without_title_is_named_by_its_url(year: World) -> None:
    """An article has its title or, without one, its URL."""
    untitled = msgspec.structs.replace(year.history, titles={})
    assert all(article.title.startswith("Title of") for article in rank(year.history, as_of=year.as_of).articles)
    assert all(article.title == article.url for article in rank(untitled, as_of=year.as_of).articles)
