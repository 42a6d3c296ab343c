"""SQL for lists: links are filtered, sorted and paged, and each is listed exactly once."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from shortener.errors import NotFound
from shortener.store import Store, links, open_store
from shortener.store.listings import (
    LinkFilter,
    LinkSort,
    all_links,
    count_links,
    last_clicked_hours,
    link_details_by_code,
    search_links,
    store_revision,
)
from shortener.store.rollups import add_to_rollups
from tests.postgres import both_engines

pytestmark = both_engines

NOW = 1_000


@pytest.fixture
def store(tmp_path: Path, store_url: str) -> Iterator[Store]:
    """A store with 31 links; every third of the first 30 has clicks, later links more, two of them equally many."""
    store = open_store(tmp_path, url=store_url)
    with store.transaction():
        for number in range(30):
            code = f"c{number:02d}"
            link = links.add(
                store, "go.example", code, target="https://a.example/", title=f"T{29 - number}", now=number
            )
            if number % 3 == 0:
                sums = [min(number, 24), 9, 0, 0, 0, 1, 1, 1, 1, 1]
                add_to_rollups(store, {(link, 3_600, 0, 0): sums}, {})
        links.update_field(store, links.get(store, "go.example", "c05"), "status", "retired", who="ann", now=NOW)
        links.update_field(store, links.get(store, "go.example", "c06"), "expires_at", 500, who="ann", now=NOW)
        links.add(store, "go.example", "todo", target=None, now=NOW)
    yield store
    store.close()


def test_pages_contain_every_link_once(store: Store) -> None:
    """In every order, the pages together equal the whole list, including links without clicks."""
    for sort, is_reversed in itertools.product(get_args(LinkSort), [False, True]):
        link_filter = LinkFilter(sort=sort, is_reversed=is_reversed)
        whole = [row.code for row in search_links(store, link_filter, now=NOW, limit=1_000)]
        assert len(set(whole)) == 31 == count_links(store, link_filter, now=NOW), link_filter
        for limit in (1, 4, 7, 31):
            pages = [
                row.code
                for offset in range(0, 31, limit)
                for row in search_links(store, link_filter, now=NOW, limit=limit, offset=offset)
            ]
            assert pages == whole, (link_filter, limit)


def test_orders_by_clicks_in_both_directions(store: Store) -> None:
    """Links are sorted by visitors and by the hour of their last human click; those without are at the other end."""
    ids = {code: links.get(store, "go.example", code).id for code in ("c03", "c04", "c05", "c06")}
    with store.transaction():
        add_to_rollups(store, {(ids["c04"], 360_000, 0, 0): [1, 0, 0, 0, 0, 9, 9, 9, 9, 9]}, {})
        add_to_rollups(store, {(ids["c05"], 720_000, 0, 0): [0, 7, 0, 0, 0, 0, 0, 0, 0, 0]}, {})

    def codes(sort: LinkSort, *, is_reversed: bool) -> list[str]:
        return [
            row.code for row in search_links(store, LinkFilter(sort=sort, is_reversed=is_reversed), now=NOW, limit=31)
        ]

    assert codes("clicked", is_reversed=False)[0] == "c04"
    assert codes("visitors", is_reversed=False)[0] == "c04"
    assert codes("clicked", is_reversed=True)[-1] == codes("visitors", is_reversed=True)[-1] == "c04"
    assert codes("clicked", is_reversed=False).index("c05") > 10
    hours = last_clicked_hours(store, list(ids.values()))
    assert hours == {ids["c03"]: 3_600, ids["c04"]: 360_000, ids["c06"]: 3_600}


def test_links_of_a_domain(store: Store) -> None:
    """The list can be limited to the links of one domain."""
    with store.transaction():
        links.add(store, "b.example", "x", target="https://a.example/", now=NOW)
    rows = search_links(store, LinkFilter(domain="b.example"), now=NOW, limit=9)
    assert [row.code for row in rows] == ["x"]
    assert count_links(store, LinkFilter(domain="none.example"), now=NOW) == 0


def test_most_clicked_links_come_first(store: Store) -> None:
    """Sorting by clicks counts human clicks only."""
    rows = search_links(store, LinkFilter(sort="clicks"), now=NOW, limit=31)
    assert [row.code for row in rows[:4]] == ["c27", "c24", "c21", "c18"]
    assert [row.clicks for row in rows] == sorted((row.clicks for row in rows), reverse=True)


def test_each_link_has_one_status(store: Store) -> None:
    """Filtering by status and counting give the same number of links for each status."""
    counts: dict[Any, int] = {"active": 28, "todo": 1, "expired": 1, "retired": 1}
    for status, count in counts.items():
        link_filter = LinkFilter(status=status)
        assert len(search_links(store, link_filter, now=NOW, limit=100)) == count, status
        assert count_links(store, link_filter, now=NOW) == count, status


def test_all_ways_to_read_a_link_agree(store: Store) -> None:
    """A link read by code equals the link in the search and in the list of all links."""
    link = link_details_by_code(store, "go.example", "c27")
    assert (link.clicks, link.visitors) == (24, None)
    assert link in search_links(store, LinkFilter(words=("c27",)), now=NOW, limit=2)
    assert list(all_links(store))[27] == link
    with pytest.raises(NotFound, match="there is no such short link"):
        link_details_by_code(store, "go.example", "none")


def test_changed_verdict_changes_the_revision(store: Store) -> None:
    """A verdict changed later moves a click from one sum to another, so the revision of the rollups changes."""
    before = store_revision(store)
    number = int(store.value("select id from links where code = 'c27'"))
    with store.transaction():
        add_to_rollups(store, {(number, 3_600, 0, 0): [-1, 1, 0, 0, 0, 0, 0, 0, 0, 0]}, {})
    assert store_revision(store).rollups > before.rollups
    assert store_revision(store).links == before.links
