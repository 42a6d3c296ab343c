"""Lists of links: sorted, searched and paged in the store, each link exactly once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shortener.store import Store, links, open_store
from shortener.store.clicks import add_to_rollups
from shortener.store.listings import LinkFilter, LinkSort, count_links, store_revision
from shortener.store.listings import search_links as list_links

NOW = 1_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Thirty links; every third was clicked, the more the later it was made, two of them as often."""
    store = open_store(tmp_path)
    with store.transaction():
        for number in range(30):
            code = f"c{number:02d}"
            link = links.add(
                store, "go.example", code, target="https://a.example/", title=f"T{29 - number}", now=number
            )
            if number % 3 == 0:
                sums = [min(number, 24), 1, 1, 1, 1]
                add_to_rollups(
                    store,
                    {(0, link, 0, 3_600, "human"): sums, (0, link, 0, 3_600, "bot"): [9, 0, 0, 0, 0]},
                    {},
                )
        links.update_field(
            store, links.get(store, "go.example", "c05"), "status", "retired", who="ann", now=NOW
        )
        links.update_field(
            store, links.get(store, "go.example", "c06"), "expires_at", 500, who="ann", now=NOW
        )
        links.add(store, "go.example", "todo", target=None, now=NOW)
    yield store
    store.close()


@pytest.mark.parametrize("sort", ["new", "clicks", "title", "code", "changed"])
@pytest.mark.parametrize("limit", [1, 4, 7, 31])
def test_pages_hold_every_link_once(store: Store, sort: LinkSort, limit: int) -> None:
    """Page by page is the same as all at once, whatever the order; links that nobody clicked are in it too."""
    whole = list_links(store, LinkFilter(sort=sort), now=NOW, limit=1_000)
    pages = [
        row
        for offset in range(0, 31, limit)
        for row in list_links(store, LinkFilter(sort=sort), now=NOW, limit=limit, offset=offset)
    ]
    assert [row.code for row in pages] == [row.code for row in whole]
    assert len({row.code for row in whole}) == 31 == count_links(store, LinkFilter(sort=sort), now=NOW)


def test_the_most_clicked_come_first(store: Store) -> None:
    """By people's clicks; requests of machines do not move a link up."""
    rows = list_links(store, LinkFilter(sort="clicks"), now=NOW, limit=31)
    assert [row.code for row in rows[:4]] == ["c27", "c24", "c21", "c18"]
    assert [row.clicks for row in rows] == sorted((row.clicks for row in rows), reverse=True)


STATES = {"active": 28, "todo": 1, "expired": 1, "retired": 1}


@pytest.mark.parametrize(("state", "links"), STATES.items(), ids=STATES.keys())
def test_each_link_has_one_state(store: Store, state: str, links: int) -> None:
    """The states share the links out, and the count says how many each has."""
    asked = next(
        LinkFilter(status=each) for each in ("active", "todo", "expired", "retired") if each == state
    )
    assert len(list_links(store, asked, now=NOW, limit=100)) == count_links(store, asked, now=NOW) == links


def test_the_revision_counts_what_moves_sums_though_nobody_clicked(store: Store) -> None:
    """A verdict that is changed afterwards takes from one sum and adds to another: what was kept of them is old."""
    before = store_revision(store)
    number = int(store.value("select id from links where code = 'c27'"))
    with store.transaction():
        moved = {
            (0, number, 0, 3_600, "human"): [-1, 0, 0, 0, 0],
            (0, number, 0, 3_600, "bot"): [1, 0, 0, 0, 0],
        }
        add_to_rollups(store, moved, {})
    assert store_revision(store).rollups > before.rollups
    assert store_revision(store).links == before.links
