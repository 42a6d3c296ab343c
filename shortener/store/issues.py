"""SQL for issues, their articles and their placements (occurrences of links)."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from shortener.errors import NotFound
from shortener.store.database import Store
from shortener.store.sql_text import column_list

CorrectableField = Literal["title", "author", "summary", "position"]
"""Fields of an article that an editor can correct."""


class Issue(Struct, frozen=True):
    """An issue without its documents (source and output); times are seconds of UTC epoch, unknown values None."""

    id: int
    slug: str
    title: str
    format: str
    domain: str
    sent_at: int | None
    recipients: int | None
    created_at: int
    updated_at: int


class Article(Struct, frozen=True):
    """An article of an issue. If ``position`` is None, it is an other link, such as a footer link."""

    id: int
    url: str
    position: int | None
    title: str
    author: str
    summary: str
    section: str
    image: str
    corrected_fields: str
    """Fields corrected by an editor, separated by spaces; a new version of the issue does not overwrite them."""


class Placement(Struct, frozen=True):
    """One occurrence of a link in an issue: its number ``n`` in document order, its kind and its text."""

    link_id: int
    n: int
    article_id: int | None
    kind: str
    text: str


_COLUMNS = column_list(Issue)
_ARTICLE_COLUMNS = column_list(Article)
_PLACEMENT_COLUMNS = column_list(Placement)


def find(store: Store, slug: str) -> Issue | None:
    """Return the issue with this slug, or None."""
    row = store.execute(f"select {_COLUMNS} from issues where slug = ?", (slug,)).fetchone()  # noqa: S608
    return Issue(*row) if row else None


def get(store: Store, slug: str) -> Issue:
    """Return the issue with this slug. Raises NotFound."""
    issue = find(store, slug)
    if issue is None:
        raise NotFound(f"{slug}: no issue has this slug", kind="issue_not_found")
    return issue


def get_documents(store: Store, issue_id: int) -> tuple[bytes, bytes]:
    """Return (source, output) of an issue; the output is the source with short links."""
    source, output = store.execute("select source, output from issues where id = ?", (issue_id,)).fetchone()
    return bytes(source), bytes(output)


def add(
    store: Store,
    slug: str,
    *,
    title: str,
    format: str,
    domain: str,
    sent_at: int | None,
    recipients: int | None,
    source: bytes,
    now: int,
) -> int:
    """Add an issue with an empty output and return its id."""
    row = store.execute(
        """
        insert into issues (slug, title, format, domain, sent_at, recipients, source, output, created_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, x'', ?, ?) returning id
        """,
        (slug, title, format, domain, sent_at, recipients, source, now, now),
    ).fetchone()
    return int(row[0])


def update(store: Store, issue_id: int, *, now: int, **fields: Any) -> None:
    """Set fields of an issue: title, domain, sent_at, recipients, source or output."""
    names = ", ".join(f"{name} = ?" for name in fields)
    store.execute(
        f"update issues set {names}, updated_at = ? where id = ?",  # noqa: S608
        (*fields.values(), now, issue_id),
    )


def list_articles(store: Store, issue_id: int) -> list[Article]:
    """Return the articles of an issue by position, then its other links in document order."""
    sql = (
        f"select {_ARTICLE_COLUMNS} from articles where issue_id = ? order by position is null, position, id"  # noqa: S608
    )
    return [Article(*row) for row in store.execute(sql, (issue_id,))]


def put_article(
    store: Store,
    issue_id: int,
    url: str,
    *,
    title: str,
    author: str,
    summary: str,
    section: str,
    image: str,
) -> int:
    """Add an article, or update the fields that no editor corrected; return its id. The position is set separately."""
    kept = {field: f"case when instr(corrected_fields, '{field}') then {field} else excluded.{field} end"
            for field in ("title", "author", "summary")}  # fmt: skip
    row = store.execute(
        f"""
        insert into articles (issue_id, url, title, author, summary, section, image) values (?, ?, ?, ?, ?, ?, ?)
        on conflict (issue_id, url) do update set
            title = {kept["title"]}, author = {kept["author"]}, summary = {kept["summary"]},
            section = excluded.section, image = excluded.image
        returning id
        """,  # noqa: S608
        (issue_id, url, title, author, summary, section, image),
    ).fetchone()
    return int(row[0])


def correct_article(store: Store, article: Article, field: CorrectableField, value: str | int | None) -> None:
    """Set a field of an article and mark it as corrected by an editor."""
    corrected = " ".join(sorted({*article.corrected_fields.split(), field}))
    store.execute(
        f"update articles set {field} = ?, corrected_fields = ? where id = ?",  # noqa: S608
        (value, corrected, article.id),
    )


def set_positions(store: Store, positions: dict[int, int | None]) -> None:
    """Set the positions of articles, given by article id."""
    store.db.conn.executemany(
        "update articles set position = ? where id = ?",
        ((position, article_id) for article_id, position in positions.items()),
    )


def rename_article_url(store: Store, link_id: int, *, old_url: str, new_url: str) -> None:
    """Change the URL of the articles of a link to its new target.

    An issue that already has an article with the new URL is skipped.
    """
    store.execute(
        """
        update or ignore articles set url = ?
        where url = ? and id in (select article_id from placements where link_id = ?)
        """,
        (new_url, old_url, link_id),
    )


def list_placements(store: Store, issue_id: int) -> list[Placement]:
    """Return the placements of an issue in document order."""
    sql = f"select {_PLACEMENT_COLUMNS} from placements where issue_id = ? order by n, link_id"  # noqa: S608
    return [Placement(*row) for row in store.execute(sql, (issue_id,))]


def used_placement_numbers(store: Store, link_id: int, *, except_issue_id: int) -> set[int]:
    """Return the placement numbers that a link has in issues other than ``except_issue_id``."""
    sql = "select n from placements where link_id = ? and issue_id <> ?"
    return {row[0] for row in store.execute(sql, (link_id, except_issue_id))}


def replace_placements(store: Store, issue_id: int, placements: Sequence[Placement]) -> None:
    """Replace the placements of an issue, and delete articles without a placement or link."""
    store.execute("delete from placements where issue_id = ?", (issue_id,))
    store.db.conn.executemany(
        "insert into placements (link_id, n, issue_id, article_id, kind, text) values (?, ?, ?, ?, ?, ?)",
        (
            (placement.link_id, placement.n, issue_id, placement.article_id, placement.kind, placement.text)
            for placement in placements
        ),
    )
    store.execute(
        """
        delete from articles where issue_id = ?
            and id not in (select article_id from placements where issue_id = ? and article_id is not null)
            and id not in (select article_id from links where article_id is not null)
        """,
        (issue_id, issue_id),
    )
    # The collector caches which issue a placement belongs to; a new revision clears its cache.
    store.execute("update meta set value = value + 1 where name = 'links_revision'")
