"""``shortener signals``: import of files of Medium and other platforms, all rows or none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.store_content import dump

ONE, TWO = "https://a.example/one", "https://a.example/two"
STORY = "https://pub.example/a-story-f6a00b92b868?source=collection_archive---------3-----------------------"

Import = Callable[..., Any]


@pytest.fixture
def import_file(tmp_path: Path, shortener: Any) -> Import:
    """Return a function that imports a file with this text and checks the exit status."""

    def run(text: str | bytes, *, status: int = 0) -> Any:
        path = tmp_path / "stats.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return shortener("signals", "import", str(path), status=status)

    return run


@pytest.fixture
def stored_signals(shortener: Any) -> Callable[[], dict[str, list[int | None]]]:
    """Return a function that reads the stored views, reads and fans by URL."""

    def read() -> dict[str, list[int | None]]:
        rows = json.loads(shortener("signals", "list", "--format", "json").stdout)
        return {row["url"]: [row["views"], row["reads"], row["fans"]] for row in rows}

    return read


FILES: dict[str, tuple[str, dict[str, list[int | None]]]] = {
    "ours": (f"url,views,reads,fans\n{ONE},100,40,3\n{TWO},10,,0\n", {ONE: [100, 40, 3], TWO: [10, None, 0]}),
    "other order and case": (f"Fans, URL ,Views\n3,{ONE},100\n", {ONE: [100, None, 3]}),
    "byte order mark, CRLF": (f"\ufeffurl,views\r\n{ONE},100\r\n", {ONE: [100, None, None]}),
    "blank lines": (f"url,views\n\n{ONE},1\n,\n", {ONE: [1, None, None]}),
    "another spelling of the URL": ("url,views\nHTTPS://A.example/one,1\n", {ONE: [1, None, None]}),
    "a short link of ours": ("url,views\nhttps://go.example/two/3,1\n", {TWO: [1, None, None]}),
    "thousands": (f'url,views\n{ONE},"12,345"\n', {ONE: [12_345, None, None]}),
    "Medium's columns, by title": (
        "Title,Publication,Read Time,Views,Reads,Read Ratio,Fans\nAbout one,The Pub,7,3228,700,21.685,72\n",
        {ONE: [3228, 700, 72]},
    ),
    "a title in other dashes and case": ("Story,Views\n“ABOUT — one”,5\n", {ONE: [5, None, None]}),
    "semicolons, by link": (
        "date;link;id;title;view;reads;readRatio;fans\n2021-04-01;https://medium.com/p/f6a00b92b868;f6a00b92b868;"
        "Whatever, it says;80;20;25;2\n",
        {STORY: [80, 20, 2]},
    ),
    "bars, by Medium's id": (
        "mediumID|title|link|publication|mins|views|reads|readRatio|fans|pubDate|liveDate\n"
        "f6a00b92b868|A story||Pub|3|80|20|25|2|x|y\n",
        {STORY: [80, 20, 2]},
    ),
    "claps are no fans": (
        '"title","id","href","presentations","views","reads","claps"\n'
        '"A","f6a00b92b868","https://medium.com/me/stats/post/f6a00b92b868","1","9","8","450"\n',
        {STORY: [9, 8, None]},
    ),
    "one article twice with the same counts": (
        f"url,fans\n{ONE},1\n{ONE}#top,1\n{ONE},1\n",
        {ONE: [None, None, 1]},
    ),
}


@pytest.mark.parametrize(("text", "after"), FILES.values(), ids=FILES)
def test_known_file_formats(
    newsletter: Any, import_file: Import, stored_signals: Any, text: str, after: dict[str, list[int | None]]
) -> None:
    """Columns can have any order and common names; articles are found by URL, Medium's id or title."""
    _add_story(newsletter)
    import_file(text.replace(f"{ONE}#top", f" {ONE} "))
    assert stored_signals() == after


def _add_story(newsletter: Any) -> None:
    """Add an issue with an article whose URL has a Medium id."""
    newsletter.add_issue("june", {"story": [("title", 9)]}, recipients=None, sent_at=None, places={"story": 1})
    with newsletter.store.transaction():
        newsletter.store.execute("update articles set url = ? where url like '%/story'", (STORY,))


def test_importing_again_changes_nothing(newsletter: Any, import_file: Import) -> None:
    """A second import of a file changes no row of the store."""
    text = f"url,views,reads,fans\n{ONE},100,40,3\n{TWO},10,5,0\n"
    assert "2 of our articles, 2 of them new or changed" in import_file(text).stdout
    before = dump(newsletter.store)
    assert "2 of our articles, 0 of them new or changed" in import_file(text).stdout
    assert dump(newsletter.store) == before


def test_rows_of_unknown_articles_are_skipped(import_file: Import, stored_signals: Any) -> None:
    """Rows of articles that are in no issue are skipped, counted, and the first ten listed."""
    rows = "".join(f"https://a.example/other-{n},1\n" for n in range(12))
    printed = import_file(f"url,views\n{ONE},100\n{rows}").stdout
    assert "1 of our articles" in printed
    assert "12 rows of articles that are in no issue" in printed
    assert "line 3: https://a.example/other-0" in printed
    assert "… and 2 more" in printed
    assert list(stored_signals()) == [ONE]


INVALID_ROWS: dict[str, tuple[str, str]] = {
    "letters": ("https://a.example/one,many,1,1", "views is 'many'"),
    "negative": ("https://a.example/one,-1,1,1", "views is '-1'"),
    "a part": ("https://a.example/one,3.5,1,1", "views is '3.5'"),
    "rounded": ("https://a.example/one,3.2K,1,1", "views is '3.2K'"),
    "absurd": ("https://a.example/one,99999999999999999999,1,1", "views is"),
    "other digits": ("https://a.example/one,٣,1,1", "views is"),
    "more reads than views": ("https://a.example/one,5,6,1", "6 reads of 5 views"),
    "no URL": (",5,1,1", "names no article"),
    "not a web address": ("ftp://a.example/one,5,1,1", "ftp://a.example/one"),
    "not an address": ("one,5,1,1", "one"),
    "the same article, otherwise": ("https://a.example/two,6,1,1", "is in line 2"),
}


@pytest.mark.parametrize(("row", "message"), INVALID_ROWS.values(), ids=INVALID_ROWS)
def test_an_invalid_row_is_listed_and_nothing_is_imported(
    import_file: Import, stored_signals: Any, row: str, message: str
) -> None:
    """The error has the line of the invalid row; the valid rows are not stored either."""
    text = f"url,views,reads,fans\n{TWO},5,1,1\n{row}\nhttps://a.example/foot,1,1,1\n"
    lines = import_file(text, status=1).stderr.splitlines()
    assert "line 3" in lines[0]
    assert message in lines[0]
    assert lines[-1].startswith("Error: ")
    assert "1 of 3 rows are invalid; nothing was imported" in lines[-1]
    assert stored_signals() == {}


def test_invalid_rows_are_listed_together(import_file: Import) -> None:
    """The first twenty invalid rows are listed, so that a file can be fixed at once."""
    text = "url,views\n" + "".join(f"{ONE},x{n}\n" for n in range(25))
    lines = import_file(text, status=1).stderr.splitlines()
    assert len(lines) == 21
    assert "25 of 25 rows are invalid, the first 20 are listed above" in lines[-1]


INVALID_FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "no rows"),
    "header alone": ("url,views\n", "no rows"),
    "no header": (f"{ONE},5,1,1\n{TWO},5,1,1\n", "the first line"),
    "no counts": (f"url,title\n{ONE},x\n", "the first line"),
    "short row": (f"url,views\n{ONE},5\n{TWO}\n", "line 3: expected 2 cells"),
    "long row": (f"url,views\n{ONE},5,6\n", "line 2: expected 2 cells"),
    "not text": (b"url,views\n\xff\xfe,5\n", "not UTF-8"),
    "broken quotes": (f'url,views\n"{ONE}"x,5\n', "line 2: not CSV"),
}


@pytest.mark.parametrize(("content", "message"), INVALID_FILES.values(), ids=INVALID_FILES)
def test_an_invalid_file_is_refused(
    import_file: Import, stored_signals: Any, content: str | bytes, message: str
) -> None:
    """The error says what was expected; nothing is stored."""
    assert message in import_file(content, status=1).stderr
    assert stored_signals() == {}


def test_an_ambiguous_title_is_refused(newsletter: Any, import_file: Import) -> None:
    """A title of two articles does not identify one."""
    newsletter.add_issue("june", {"uno": [("title", 9)]}, recipients=None, sent_at=None, places={"uno": 1})
    with newsletter.store.transaction():
        newsletter.store.execute("update articles set title = 'About one' where url like '%/uno'")
    assert "2 articles; give the url instead" in import_file("title,views\nAbout one,5\n", status=1).stderr


def test_signals_are_columns_of_the_ranking(read: Any, shortener: Any, import_file: Import) -> None:
    """Signals are columns of their own in the ranking and do not change the clicks."""
    before = json.loads(shortener("rank", "--format", "json").stdout)["articles"]
    assert "fans" not in shortener("rank").stdout
    import_file(f"url,views,reads,fans\n{ONE},100,40,3\n{TWO},1000,900,90\n")
    after = json.loads(shortener("rank", "--format", "json").stdout)["articles"]
    assert {row["url"]: row["views"] for row in after} == {ONE: 100, TWO: 1000}
    assert {row["url"]: row["clicks"] for row in after} == {row["url"]: row["clicks"] for row in before}
    assert all(0 < row["fan_ratio"] < row["read_ratio"] < 1 for row in after)
    assert "fans" in shortener("rank").stdout
