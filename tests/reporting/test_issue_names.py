"""Tests of the names of issues in lists and menus."""

import pytest
from msgspec import Struct

from shortener.reporting.issue_names import name_issues


class Listed(Struct, frozen=True):
    """An issue with slug and title."""

    slug: str
    title: str


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        ({"a": "Tides", "b": "Eels"}, ["Tides", "Eels"]),
        ({"a": "Tides", "b": "Tides", "c": "Eels"}, ["Tides (a)", "Tides (b)", "Eels"]),
        ({"a": "", "b": ""}, ["a", "b"]),
        ({}, []),
    ],
    ids=["different", "equal", "no titles", "no issues"],
)
def test_names_differ(titles: dict[str, str], names: list[str]) -> None:
    """Issues with the same title have their slugs in the name, and those without a title are named by it."""
    named = name_issues(Listed(slug, title) for slug, title in titles.items())
    assert list(named) == list(titles)
    assert list(named.values()) == names
