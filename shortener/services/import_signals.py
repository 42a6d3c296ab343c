"""Signals taken in: what other platforms counted, brought home to our articles however the file names them.

A row names its article by URL, by the story's id on Medium, or by title; what no issue has shown is left out.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from shortener.config import Config
from shortener.errors import InputError
from shortener.short_urls import parse_short_url, validate_target
from shortener.store import Store, links
from shortener.store import signals as stored
from shortener.store.signals import Signal

COUNT_COLUMNS = ("views", "reads", "fans")
COLUMN_ALIASES: Mapping[str, str] = {
    **dict.fromkeys(("link", "href", "storyurl", "storylink", "articleurl", "posturl", "permalink"), "url"),
    **dict.fromkeys(("postid", "mediumid", "storyid"), "id"),
    **dict.fromkeys(("story", "storytitle", "posttitle", "articletitle", "headline"), "title"),
    **dict.fromkeys(("view", "totalviews", "viewstotal", "lifetimeviews"), "views"),
    **dict.fromkeys(("read", "totalreads", "readstotal", "lifetimereads"), "reads"),
    **dict.fromkeys(("fan", "totalfans", "upvotes", "recommends", "recommendations"), "fans"),
}
"""How Medium's stats page and the tools that save it head these columns: in English, with or without spaces.

Claps are no fans, because one reader can give fifty; a read ratio follows from views and reads. Neither is read.
"""
DELIMITERS = ",;|\t"
"""Commas in ours; the tools that save Medium's page also use the others."""
MAX_COUNT = 10**12  # counts that are not plausible any more

_WHOLE_NUMBER = re.compile(r"\d+|\d{1,3}(?:[,' \u00a0\u202f]\d{3})+", re.ASCII)
_MEDIUM_ID = re.compile(r"(?:^|[-/])((?=[0-9]*[a-f])[0-9a-f]{10,12})$")
"""The id at the end of a story's URL. One without a letter could be a date or a number of something else."""


class ParsedSignals(Struct, frozen=True):
    """What a file has: signals by article, the rows whose article no issue shows, and the bad rows, by line."""

    signals: tuple[Signal, ...]
    unmatched_rows: tuple[str, ...]
    row_errors: tuple[tuple[int, str], ...]


def read_signals(
    store: Store, rows: Iterable[tuple[int, Mapping[str, str]]], *, config: Config
) -> ParsedSignals:
    """Read rows of (line, cells by column); columns are url, id, title, views, reads and fans, as far as there.

    An empty count is an unknown one. Nothing is stored.
    """
    articles = _ArticleIndex(store, config)
    found: dict[str, tuple[int, Signal]] = {}
    unknown: list[str] = []
    faults: list[tuple[int, str]] = []
    for line, row in rows:
        try:
            _check_columns(row)
            counts = _parse_counts(row)
            urls = articles.find_urls(row)
            for url in urls:
                _add_signal(found, line, Signal(url, *counts))
        except InputError as fault:
            faults.append((line, str(fault)))
        else:
            if not urls:
                unknown.append(f"line {line}: {row.get('url') or row.get('title') or row.get('id')}")
    return ParsedSignals(tuple(signal for _, signal in found.values()), tuple(unknown), tuple(faults))


class _ArticleIndex:
    """Our articles by everything that a row may name them by."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store, self._config = store, config
        self._urls: set[str] = set()
        self._urls_by_medium_id: dict[str, set[str]] = {}
        self._urls_by_title: dict[str, set[str]] = {}
        for each in stored.list_article_titles(store):
            self._urls.add(each.url)
            self._urls_by_title.setdefault(_normalize_title(each.title), set()).add(each.url)
            if story := _medium_id(each.url):
                self._urls_by_medium_id.setdefault(story, set()).add(each.url)

    def find_urls(self, row: Mapping[str, str]) -> list[str]:
        """The URLs of the article that a row names, none for one that no issue shows. Raises InputError.

        There may be several: one story on Medium can stand in issues under several addresses.
        """
        if given := row.get("url", ""):
            url = self._resolve_url(given)
            if url in self._urls:
                return [url]
            if same := self._urls_by_medium_id.get(_medium_id(url)):
                return sorted(same)
        if same := self._urls_by_medium_id.get(row.get("id", "").lower()):
            return sorted(same)
        title = row.get("title", "")
        return [] if given or not title else self._find_by_title(title)

    def _resolve_url(self, url: str) -> str:
        key = parse_short_url(url, domains=self._config.domains) if "://" in url else None
        link = links.find(self._store, *key) if key else None
        return link.target if link and link.target else validate_target(url, config=self._config)

    def _find_by_title(self, title: str) -> list[str]:
        folded = _normalize_title(title)
        urls = sorted(self._urls_by_title.get(folded, ())) if folded else []
        if len(urls) > 1:
            raise InputError(f"{title!r} is the title of {len(urls)} articles; name the one by its url")
        return urls


def _normalize_title(title: str) -> str:
    """A title as it is compared: letters and digits, without case."""
    return "".join(c for c in title.casefold() if c.isalnum())


def _medium_id(url: str) -> str:
    found = _MEDIUM_ID.search(urlsplit(url).path.rstrip("/"))
    return found[1] if found else ""


def _check_columns(row: Mapping[str, str]) -> None:
    if not {"url", "id", "title"} & row.keys() or not set(COUNT_COLUMNS) & row.keys():
        raise InputError(
            "the first line has to name the column url (or title) and one or more of views, reads, fans"
        )
    if not any(row.get(name) for name in ("url", "id", "title")):
        raise InputError("names no article: url is empty")


def _parse_counts(row: Mapping[str, str]) -> tuple[int | None, int | None, int | None]:
    views, reads, fans = (_parse_count(name, row.get(name, "")) for name in COUNT_COLUMNS)
    if views is not None and reads is not None and reads > views:
        raise InputError(f"{reads:,} reads of {views:,} views: nobody reads without a view; mend the row")
    return views, reads, fans


def _parse_count(column: str, text: str) -> int | None:
    """A count, with or without separators of thousands; None for an empty cell."""
    if not text:
        return None
    digits = "".join(c for c in text if c.isdigit()) if _WHOLE_NUMBER.fullmatch(text) else ""
    if not digits or len(digits) > 13 or int(digits) > MAX_COUNT:
        raise InputError(f"{column} is {text[:40]!r}: expected a whole number from 0, or nothing")
    return int(digits)


def _add_signal(signals_by_url: dict[str, tuple[int, Signal]], line: int, signal: Signal) -> None:
    first, known = signals_by_url.setdefault(signal.url, (line, signal))
    if known != signal:
        raise InputError(f"{signal.url} stands in line {first} with other counts; keep one of the two")
