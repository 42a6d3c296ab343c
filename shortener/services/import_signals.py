"""Import of signals: views, reads and fans (readers who applauded) that other platforms counted for our articles."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from shortener.config import Config
from shortener.errors import InputError
from shortener.short_urls import parse_short_url, validate_target
from shortener.store import Store, links
from shortener.store.signals import Signal, list_article_titles

COUNT_COLUMNS = ("views", "reads", "fans")
# Claps are not imported, because one reader can give fifty, nor is the read ratio, which follows from views and reads.
COLUMN_ALIASES: Mapping[str, str] = {
    **dict.fromkeys(("link", "href", "storyurl", "storylink", "articleurl", "posturl", "permalink"), "url"),
    **dict.fromkeys(("postid", "mediumid", "storyid"), "id"),
    **dict.fromkeys(("story", "storytitle", "posttitle", "articletitle", "headline"), "title"),
    **dict.fromkeys(("view", "totalviews", "viewstotal", "lifetimeviews"), "views"),
    **dict.fromkeys(("read", "totalreads", "readstotal", "lifetimereads"), "reads"),
    **dict.fromkeys(("fan", "totalfans", "upvotes", "recommends", "recommendations"), "fans"),
}
"""Our column names, by the names in Medium's statistics page and its export tools (letters only)."""
DELIMITERS = ",;|\t"
"""Delimiters of CSV files: comma in ours, the others in exports of Medium's page."""
MAX_COUNT = 10**12  # larger counts are not plausible

_WHOLE_NUMBER = re.compile(r"\d+|\d{1,3}(?:[,' \u00a0\u202f]\d{3})+", re.ASCII)
_MEDIUM_ID = re.compile(r"(?:^|[-/])((?=[0-9]*[a-f])[0-9a-f]{10,12})$")
"""The story id at the end of a Medium URL. An id without a letter is ignored, because it could be a date."""


class ParsedSignals(Struct, frozen=True):
    """The content of a file of counts (views, reads, fans) from another platform."""

    signals: tuple[Signal, ...]
    """Counts of known articles."""
    unmatched_rows: tuple[str, ...]
    """A text for each row whose article is unknown."""
    row_errors: tuple[tuple[int, str], ...]
    """(Line number, error message) of each invalid row."""


def read_signals(
    store: Store,
    rows: Iterable[tuple[int, Mapping[str, str]]],  # (line number, cells by column name)
    *,
    config: Config,
) -> ParsedSignals:
    """Parse rows of article counts (views, reads, fans) from another platform."""
    articles = _ArticleIndex(store, config)
    signals_by_url: dict[str, tuple[int, Signal]] = {}
    unmatched: list[str] = []
    errors: list[tuple[int, str]] = []
    for line, row in rows:
        try:
            _check_columns(row)
            counts = _parse_counts(row)
            urls = articles.find_urls(row)
            for url in urls:
                _add_signal(signals_by_url, line, Signal(url, *counts))
        except InputError as error:
            errors.append((line, str(error)))
        else:
            if not urls:
                unmatched.append(f"line {line}: {row.get('url') or row.get('title') or row.get('id')}")
    return ParsedSignals(tuple(signal for _, signal in signals_by_url.values()), tuple(unmatched), tuple(errors))


class _ArticleIndex:
    """Finds our articles by URL, Medium story id or title."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store, self._config = store, config
        self._urls: set[str] = set()
        self._urls_by_medium_id: dict[str, set[str]] = {}
        self._urls_by_title: dict[str, set[str]] = {}
        for article in list_article_titles(store):
            self._urls.add(article.url)
            self._urls_by_title.setdefault(_normalize_title(article.title), set()).add(article.url)
            if medium_id := _medium_id(article.url):
                self._urls_by_medium_id.setdefault(medium_id, set()).add(article.url)

    def find_urls(self, row: Mapping[str, str]) -> list[str]:
        """Return all URLs of the article that a row identifies; empty for an unknown article. Raises InputError."""
        if raw_url := row.get("url", ""):
            url = self._resolve_url(raw_url)
            if url in self._urls:
                return [url]
            # Issues may link to one Medium story by different URLs.
            if urls := self._urls_by_medium_id.get(_medium_id(url)):
                return sorted(urls)
        if urls := self._urls_by_medium_id.get(row.get("id", "").lower()):
            return sorted(urls)
        title = row.get("title", "")
        return [] if raw_url or not title else self._find_by_title(title)

    def _resolve_url(self, url: str) -> str:
        key = parse_short_url(url, domains=self._config.domains) if "://" in url else None
        link = links.find(self._store, *key) if key else None
        return link.target if link and link.target else validate_target(url, config=self._config)

    def _find_by_title(self, title: str) -> list[str]:
        normalized = _normalize_title(title)
        urls = sorted(self._urls_by_title.get(normalized, ())) if normalized else []
        if len(urls) > 1:
            raise InputError(f"{title!r} is the title of {len(urls)} articles; give the url instead")
        return urls


def _normalize_title(title: str) -> str:
    return "".join(c for c in title.casefold() if c.isalnum())


def _medium_id(url: str) -> str:
    match = _MEDIUM_ID.search(urlsplit(url).path.rstrip("/"))
    return match[1] if match else ""


def _check_columns(row: Mapping[str, str]) -> None:
    if not {"url", "id", "title"} & row.keys() or not set(COUNT_COLUMNS) & row.keys():
        raise InputError("the first line has to name the column url (or title) and one or more of views, reads, fans")
    if not any(row.get(name) for name in ("url", "id", "title")):
        raise InputError("names no article: the url is empty")


def _parse_counts(row: Mapping[str, str]) -> tuple[int | None, int | None, int | None]:
    views, reads, fans = (_parse_count(name, row.get(name, "")) for name in COUNT_COLUMNS)
    if views is not None and reads is not None and reads > views:
        raise InputError(f"{reads:,} reads of {views:,} views: there cannot be more reads than views")
    return views, reads, fans


def _parse_count(column: str, text: str) -> int | None:
    if not text:
        return None
    digits = "".join(c for c in text if c.isdigit()) if _WHOLE_NUMBER.fullmatch(text) else ""
    if not digits or len(digits) > 13 or int(digits) > MAX_COUNT:
        raise InputError(f"{column} is {text[:40]!r}: expected a whole number from 0, or an empty cell")
    return int(digits)


def _add_signal(signals_by_url: dict[str, tuple[int, Signal]], line: int, signal: Signal) -> None:
    first_line, first_signal = signals_by_url.setdefault(signal.url, (line, signal))
    if first_signal != signal:
        raise InputError(f"{signal.url} is in line {first_line} with other counts; keep one of the two")
