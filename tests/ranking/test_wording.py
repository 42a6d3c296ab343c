"""What is said to editors."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shortener.ranking import rank
from shortener.ranking.wording import (
    format_expected,
    format_multiple,
    format_probability,
    format_share,
    pluralize,
)

World = Any
NOTE = re.compile(
    r"(hidden gem: (\d+%|under 1%|over 99%) chance of being among the best tenth; )?"
    r"(clicked (\d+(\.\d+)?x what|about as) its place predicts, 90% interval [\d.]+-[\d.]+ "
    r"\(\d+ clicks?; an average article there: [\d.]+\)|too few clicks to tell \([0-2]\))"
)


@pytest.mark.parametrize(
    ("appeal", "said"),
    [(12.4, "12x"), (9.94, "9.9x"), (1.84, "1.8x"), (0.42, "0.4x"), (0.046, "0.05x"), (1e-9, "under 0.01x")],
)
def test_multiples_have_few_digits(appeal: float, said: str) -> None:
    """A multiple is said with one or two digits."""
    assert format_multiple(appeal) == said


@pytest.mark.parametrize(
    ("function", "value", "said"),
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
def test_figures(function: Callable[[float], str], value: float, said: str) -> None:
    """Expected clicks, chances and shares are said without false precision."""
    assert function(value) == said


def test_plurals() -> None:
    """One is not many."""
    assert (pluralize(1, "click"), pluralize(0, "click"), pluralize(2, "click")) == (
        "1 click",
        "0 clicks",
        "2 clicks",
    )


@pytest.mark.parametrize(("recipients", "among"), [(2000, "hidden gem: "), (200, "too few clicks to tell (")])
def test_every_note_has_the_promised_form(world: Callable[..., World], recipients: int, among: str) -> None:
    """Notes are those of the method: multiple, interval, clicks and expectation, or too few to tell."""
    given = world(recipients=recipients)
    notes = [line.note for line in rank(given.history, as_of=given.as_of).articles]
    assert all(NOTE.fullmatch(note) for note in notes)
    assert any(note.startswith(among) for note in notes)


def test_an_average_article_is_not_given_a_multiple(year: World) -> None:
    """Nobody reads that an article was clicked 1.0x what its place predicts."""
    found = rank(year.history, as_of=year.as_of)
    notes = [line.note for line in found.articles if 0.95 < line.appeal < 1.049]
    assert notes
    assert all(note.startswith("clicked about as its place predicts") or "tell" in note for note in notes)
    assert not any("1.0x" in line.note for line in found.articles)


def test_the_multiple_is_the_shrunken_figure(year: World) -> None:
    """The note's multiple is the appeal of the line, not raw clicks over expected."""
    for line in rank(year.history, as_of=year.as_of).articles:
        told = re.search(r"clicked ([\d.]+)x", line.note)
        assert told is None or float(told[1]) == pytest.approx(line.appeal, rel=0.06, abs=0.05)


def test_the_footer_says_what_is_learnt_and_what_is_to_come(year: World) -> None:
    """Articles at two places, percent of uncertainty removed, and the newest issue's rest."""
    footer = rank(year.history, as_of=year.as_of).footer
    assert re.fullmatch(
        r"place effect learnt from \d+ articles shown at 2\+ places; \d+% of its prior uncertainty removed; "
        r"issue n7: (under 1|\d+)% of its clicks still to come",
        footer,
    )


def test_titles_are_shown_where_known(year: World) -> None:
    """A line carries its title, or its URL when it has none."""
    bare = msgspec.structs.replace(year.history, titles={})
    assert all(line.title.startswith("Title of") for line in rank(year.history, as_of=year.as_of).articles)
    assert all(line.title == line.url for line in rank(bare, as_of=year.as_of).articles)
